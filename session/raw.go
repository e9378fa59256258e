package session

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
)

// rawStatement is a statement of the caller's, for the echo.
type rawStatement struct {
	query string
	args  []any
}

// raw runs f with the session's database/sql connection. An error of the statement fails the session, as that of a flush
// does, since not every database goes on after one.
func raw[R any](ctx context.Context, s *Session, op string, st rawStatement, f func(*sql.Conn) (R, error)) (R, error) {
	var none R
	if s.conn == nil {
		return none, s.failed // From found no session
	}
	if err := s.acquire(ctx, op); err != nil {
		return none, err
	}
	defer s.leave(ctx)
	if err := s.rawUsable(op, st.query); err != nil {
		return none, err
	}
	c, err := s.rawConn(ctx, op)
	if err != nil {
		return none, err
	}
	start := time.Time{}
	if s.conn.cfg.Echo {
		start = s.conn.cfg.Clock()
	}
	r, err := f(c)
	if err != nil {
		err = s.rawError(ctx, op, err)
		s.failed = err
	}
	if s.conn.cfg.Echo {
		s.echoRaw(ctx, op, st, r, s.conn.cfg.Clock().Sub(start), err)
	}
	return r, err
}

// rawUsable refuses a statement of the caller's before anything is done for it.
func (s *Session) rawUsable(op, query string) error {
	if s.failed != nil {
		return s.usable(op)
	}
	if err := s.outsideFlush(op); err != nil {
		return err
	}
	if controls(query) {
		return s.fault(op, fault.Unsupported,
			"the transaction is the session's to begin and end: use session.Commit, session.Rollback or session.Nested")
	}
	return s.betweenRows(op)
}

// rawConn flushes what is pending, unless the context says otherwise, makes sure that a transaction is open, and lends the
// database/sql connection that it is open on.
func (s *Session) rawConn(ctx context.Context, op string) (*sql.Conn, error) {
	if ctx.Err() != nil {
		return nil, s.ended(ctx, op) // with nothing sent, nothing has failed
	}
	if s.autoflushes(ctx) {
		if err := s.flush(ctx, op, nil, driver.Stay); err != nil {
			return nil, err
		}
	}
	if !s.inTx || s.top != s.root && !s.top.emitted {
		if err := s.exchange(ctx, op, &burst{need: transaction}, driver.Stay); err != nil {
			return nil, err
		}
	}
	c, ok := s.held.(driver.SQLConn)
	if !ok {
		return nil, s.fault(op, fault.Unsupported, "this driver lends no database/sql connection")
	}
	lent := c.SQLConn()
	if g, ok := s.held.(driver.SQLGuard); ok {
		if err := s.wrap(op, g.SQLReady()); err != nil {
			if !errors.Is(err, fault.ConcurrentUse) {
				s.failed = err // the transaction or the connection is gone
			}
			return nil, err
		}
	}
	s.endScans()
	return lent, nil
}

// rawError gives an error of the lent connection its kind. What the database did not say stays as it is.
func (s *Session) rawError(ctx context.Context, op string, err error) error {
	var e *fault.Error
	g, ok := s.held.(driver.SQLGuard)
	if !ok || errors.As(err, &e) { // which is the caller's own
		return err
	}
	if err = g.SQLError(ctx, err); errors.As(err, &e) {
		return s.wrap(op, e)
	}
	return err
}

// ExecContext runs a statement of the caller's in the session's transaction, after what is pending was flushed. Together
// with the other methods of this name it is what sqlc, sqlx, squirrel, Bun, GORM and Ent take for a connection. An error
// of the database is a *fault.Error with the driver's own error below it, and fails the session until it is rolled back,
// or the end of [Nested]. Statements that begin or end a transaction or a savepoint are fault.Unsupported.
func (s *Session) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return raw(ctx, s, "session.ExecContext", rawStatement{query, args}, func(c *sql.Conn) (sql.Result, error) { return c.ExecContext(ctx, query, args...) })
}

// QueryContext runs a query of the caller's in the session's transaction, after what is pending was flushed. Until the
// rows are closed, or read to their end, every other statement is fault.ConcurrentUse; the end of the unit closes them.
// Errors are those of [Session.ExecContext]; one that comes while the rows are read fails the session too.
func (s *Session) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return raw(ctx, s, "session.QueryContext", rawStatement{query, args}, func(c *sql.Conn) (*sql.Rows, error) {
		rows, err := c.QueryContext(ctx, query, args...)
		if err == nil {
			_, err = rows.Columns() // has the driver make its list now: isOpen asks again beside a goroutine that reads
			s.rows = append(s.rows, rows)
		}
		return rows, err
	})
}

// QueryRowContext is QueryContext for one row, which has to be scanned before the session is used again. What keeps it
// from running, a failed flush for one, is the error of the row's Scan.
func (s *Session) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	row, err := raw(ctx, s, "session.QueryRowContext", rawStatement{query, args}, func(c *sql.Conn) (*sql.Row, error) {
		ctx, end := context.WithCancel(ctx)
		s.scans = append(s.scans, end)
		row := c.QueryRowContext(ctx, query, args...)
		return row, row.Err()
	})
	if err != nil {
		return failedRow(err)
	}
	return row
}

// PrepareContext returns a statement that runs through [Session.ExecContext] and [Session.QueryContext], with all that
// they do and refuse, each time that it is used. Nothing is sent before: the drivers keep prepared statements by their
// text on their own. The statement is of use until the session ends, and Close does nothing.
func (s *Session) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	const op = "session.PrepareContext"
	if s.conn == nil {
		return nil, s.failed
	}
	if err := s.acquire(ctx, op); err != nil {
		return nil, err
	}
	defer s.leave(ctx)
	if err := s.rawUsable(op, query); err != nil {
		return nil, err
	}
	if s.prepared == nil {
		s.prepared = sql.OpenDB(through{s})
	}
	return s.prepared.PrepareContext(ctx, query) //nolint:sqlclosecheck // the caller's to close, and the session's in the end
}

// Raw runs f with the driver's own connection, in the session's transaction and after what is pending was flushed: a
// *stdlib.Conn of pgx, for one, whose Conn method gives the *pgx.Conn. It is f's only for the time of the call, in which
// the session is in use. An error of f fails the session. The transaction is not f's to end, by pgx's Begin and Commit
// for one: where that is done the session fails with the next statement or with its commit, which cannot take back what
// was committed behind it.
func (s *Session) Raw(ctx context.Context, f func(driverConn any) error) error {
	_, err := raw(ctx, s, "session.Raw", rawStatement{}, func(c *sql.Conn) (struct{}, error) { return struct{}{}, c.Raw(f) })
	return err
}
