package session

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"slices"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
)

// rawConn flushes what is pending, makes sure that a transaction is open, and lends the database/sql connection that it
// is open on.
func (s *Session) rawConn(ctx context.Context, op string) (*sql.Conn, error) {
	if s.conn == nil {
		return nil, s.failed // From found no session
	}
	if s.failed != nil {
		return nil, s.usable(op)
	}
	if err := s.outsideFlush(op); err != nil {
		return nil, err
	}
	if err := s.betweenRows(op); err != nil {
		return nil, err
	}
	if err := s.flush(ctx, op, nil, driver.Stay); err != nil {
		return nil, err
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
	return c.SQLConn(), nil
}

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
		return none, s.failed
	}
	if err := s.acquire(ctx, op); err != nil {
		return none, err
	}
	defer s.leave(ctx)
	c, err := s.rawConn(ctx, op)
	if err != nil {
		return none, err
	}
	start := time.Time{}
	if s.conn.cfg.Echo {
		start = s.conn.cfg.Clock()
	}
	r, err := f(c)
	if s.conn.cfg.Echo {
		s.echoRaw(ctx, op, st, r, s.conn.cfg.Clock().Sub(start), err)
	}
	if err != nil {
		s.failed = err
	}
	return r, err
}

// ExecContext runs a statement of the caller's in the session's transaction, after what is pending was flushed. Together
// with the other methods of this name it is what sqlc, sqlx, squirrel, Bun, GORM and Ent take for a connection. The
// driver's errors are returned as they are; one fails the session until it is rolled back, or the end of [Nested].
func (s *Session) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return raw(ctx, s, "session.ExecContext", rawStatement{query, args}, func(c *sql.Conn) (sql.Result, error) { return c.ExecContext(ctx, query, args...) })
}

// QueryContext runs a query of the caller's in the session's transaction, after what is pending was flushed. Until the
// rows are closed, or read to their end, every other statement is fault.ConcurrentUse; the end of the unit closes them.
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

// betweenRows refuses a statement while rows are being read: not every connection could run it, and none of them can in
// the middle of a row.
func (s *Session) betweenRows(op string) error {
	s.rows = slices.DeleteFunc(s.rows, func(r *sql.Rows) bool { return !isOpen(r) })
	if len(s.rows) == 0 {
		return nil
	}
	return s.fault(op, fault.ConcurrentUse,
		"rows of session.QueryContext are open; close them first, or read them in a unit of their own with session.New")
}

func isOpen(r *sql.Rows) bool {
	_, err := r.Columns() // fails once they are closed, and does nothing else
	return err == nil
}

// closeRows closes the rows that somebody left open.
func (s *Session) closeRows() {
	for _, r := range s.rows {
		_ = r.Close() // it fails where the connection does, which the next statement says
	}
	s.rows = nil
}

// giveBack returns a connection to the pool. Whatever still reads from it ends: database/sql waits for that.
func (s *Session) giveBack(c driver.Conn) {
	s.closeRows()
	for _, end := range s.scans {
		end()
	}
	s.scans = nil
	c.Release()
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
	if row == nil {
		return failedRow(err)
	}
	return row
}

// PrepareContext prepares a statement on the session's connection. It is of use until the session ends; rows that it
// returns have to be closed before that, or the unit's end waits for them.
func (s *Session) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return raw(ctx, s, "session.PrepareContext", rawStatement{query: query}, func(c *sql.Conn) (*sql.Stmt, error) { return c.PrepareContext(ctx, query) })
}

// Raw runs f with the driver's own connection, in the session's transaction and after what is pending was flushed: a
// *stdlib.Conn of pgx, for one, whose Conn method gives the *pgx.Conn. It is f's only for the time of the call.
func (s *Session) Raw(ctx context.Context, f func(driverConn any) error) error {
	_, err := raw(ctx, s, "session.Raw", rawStatement{}, func(c *sql.Conn) (struct{}, error) { return struct{}{}, c.Raw(f) })
	return err
}

// failedRow returns a row whose Scan fails with err. Only database/sql can make a row, so that it is one from a
// connector that always fails.
func failedRow(err error) *sql.Row {
	db := sql.OpenDB(failingConnector{err})
	defer func() { _ = db.Close() }()
	return db.QueryRowContext(context.Background(), "")
}

type failingConnector struct{ err error }

// Connect implements driver.Connector.
func (c failingConnector) Connect(context.Context) (sqldriver.Conn, error) { return nil, c.err }

// Driver implements driver.Connector.
func (c failingConnector) Driver() sqldriver.Driver { return failingDriver(c) }

type failingDriver struct{ err error }

// Open implements driver.Driver.
func (d failingDriver) Open(string) (sqldriver.Conn, error) { return nil, d.err }
