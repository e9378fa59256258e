package pgxdriver

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
)

// conn is a lent connection.
type conn struct {
	pool *pool
	sc   *sql.Conn
	open bool // Run has begun a transaction and not ended it
	lent bool // the *sql.Conn was lent on
	idle bool // Run has left no transaction open, and nothing unread
}

var (
	_ driver.Conn     = (*conn)(nil)
	_ driver.SQLConn  = (*conn)(nil)
	_ driver.SQLGuard = (*conn)(nil)
)

// SQLConn returns the connection of database/sql, which is in whatever transaction Run left it in.
func (c *conn) SQLConn() *sql.Conn {
	c.lent = true
	return c.sc
}

// native returns the connection of pgx below that of database/sql.
func native(dc any) (*pgconn.PgConn, error) {
	pc, ok := dc.(interface{ Conn() *pgx.Conn })
	if !ok {
		return nil, fmt.Errorf("a connection of type %T is not one of pgx", dc)
	}
	return pc.Conn().PgConn(), nil
}

// Run sends the script in one burst and reads its answers.
func (c *conn) Run(ctx context.Context, s *driver.Script, r driver.Results) error {
	var out error
	err := c.sc.Raw(func(dc any) error {
		pc, err := native(dc)
		if err == nil {
			c.idle = false
			out = c.run(ctx, pc, s, r)
			c.idle = isIdle(pc)
		}
		return err
	})
	if err != nil {
		return c.statementError(ctx, s, driver.AtBegin, err)
	}
	return out
}

// run runs the script, a second time if prepared statements were out of date, and leaves the transaction as promised.
func (c *conn) run(ctx context.Context, pc *pgconn.PgConn, s *driver.Script, r driver.Results) error {
	if err := c.check(pc, s); err != nil {
		return err
	}
	var err error
	if s.Begin == nil && s.End == driver.Stay && len(s.Statements) > 1 && pc.TxStatus() == txIdle {
		err = c.oneByOne(ctx, pc, s, r)
	} else {
		err = c.attempts(ctx, pc, s, r)
	}
	if s.Begin == nil && s.End == driver.Stay {
		return err
	}
	c.open = err == nil && s.End == driver.Stay
	if err != nil {
		c.restore(pc)
	}
	return err
}

// oneByOne runs statements outside a transaction, each by itself: what one burst has between two syncs succeeds or fails
// together. Reads can share a burst, since nobody sees the difference.
func (c *conn) oneByOne(ctx context.Context, pc *pgconn.PgConn, s *driver.Script, r driver.Results) error {
	for from := 0; from < len(s.Statements); {
		to := from + 1
		for isRead(&s.Statements[from]) && to < len(s.Statements) && isRead(&s.Statements[to]) {
			to++
		}
		err := c.attempts(ctx, pc, &driver.Script{Statements: s.Statements[from:to]}, shifted{r, from})
		var e *driver.ScriptError
		if errors.As(err, &e) && e.Statement >= 0 {
			e.Statement += from
		}
		if err != nil {
			return err
		}
		from = to
	}
	return nil
}

// isRead reports whether a statement is a plain query.
func isRead(s *driver.Statement) bool {
	const word = "SELECT "
	return s.Result != nil && !s.Checked && len(s.SQL) > len(word) && strings.EqualFold(s.SQL[:len(word)], word)
}

// shifted gives the results of a part of a script their places in the whole.
type shifted struct {
	to   driver.Results
	from int
}

func (s shifted) Row(i int, row []driver.Cell) error { return s.to.Row(s.from+i, row) }
func (s shifted) Done(i int, affected, lastID int64) error {
	return s.to.Done(s.from+i, affected, lastID)
}

// check refuses what cannot be run.
func (c *conn) check(pc *pgconn.PgConn, s *driver.Script) error {
	switch {
	case pc.IsClosed():
		return c.refusal(fault.ConnectionLost, "the connection is closed")
	case s.Begin != nil && pc.TxStatus() != txIdle:
		return c.refusal(fault.Internal, "a transaction is open already")
	case pc.IsBusy():
		return c.refusal(fault.ConcurrentUse, "rows are open on the connection")
	case c.open && pc.TxStatus() == txIdle && s.End != driver.Rollback:
		c.open = s.End == driver.Stay // a failed commit is an end
		return c.refusal(fault.SessionFailed, "the transaction was ended by other means")
	}
	return nil
}

func (c *conn) refusal(kind fault.Kind, reason string) error {
	return &driver.ScriptError{Statement: driver.AtBegin, Row: -1, Err: &fault.Error{
		Kind: kind, Op: opRun, Connection: c.pool.name, Err: errors.New(reason),
	}}
}

// restore rolls back what the script left open. A connection on which that fails is not given back to the pool.
func (c *conn) restore(pc *pgconn.PgConn) {
	if pc.IsClosed() || pc.IsBusy() || pc.TxStatus() == txIdle {
		return
	}
	if err := rollback(pc); err != nil {
		c.pool.log.Warn("a transaction could not be rolled back", "connection", c.pool.name, "error", err)
	}
}

// attempts sends the script, and sends it again if it failed for no better reason than an outdated prepared statement.
func (c *conn) attempts(ctx context.Context, pc *pgconn.PgConn, s *driver.Script, r driver.Results) error {
	for again := true; ; again = false {
		if err := ctx.Err(); err != nil {
			return c.statementError(ctx, s, driver.AtBegin, err)
		}
		st, err := stateOf(ctx, pc)
		if err != nil {
			return c.statementError(ctx, s, driver.AtBegin, err)
		}
		if isNothing(s) {
			return nil
		}
		if err := st.params.encode(s); err != nil {
			return err
		}
		idle := pc.TxStatus() == txIdle
		b := &st.burst
		*b = burst{
			st: st, pc: pc, script: s, results: r, pooler: c.pool.pooler,
			stream: isStream(s), done: ctx.Err, implicit: c.isImplicit(st, s), ask: st.level == levelUnknown && c.knowsLevel(),
		}
		b.run(ctx)
		outdated := b.outdated()
		if !outdated || !again || !idle || b.delivered {
			err := c.outcome(ctx, b, idle, outdated)
			*b = burst{} // its results belong to somebody else
			return err
		}
		c.restore(pc)
	}
}

// isNothing reports whether the script would change and read nothing.
func isNothing(s *driver.Script) bool {
	return len(s.Statements) == 0 && (s.Begin != nil) == (s.End != driver.Stay)
}

// outcome says what became of the script.
func (c *conn) outcome(ctx context.Context, b *burst, idle, outdated bool) error {
	// A COMMIT also succeeds where there is nothing to commit, because the statements before it failed.
	committed := b.committed && (b.err == nil || b.failed.at() == driver.AtEnd && b.failed.kind != stepSync)
	wants := b.ends == driver.Commit
	switch {
	case b.refused != nil && wants && (committed || b.broken):
		return c.unknown(ctx, b.refuseAt, b.refused)
	case b.refused != nil:
		return &driver.ScriptError{Statement: b.refuseAt, Row: -1, Err: b.refused}
	case b.err == nil && wants && !committed:
		return &driver.ScriptError{Statement: driver.AtEnd, Row: -1, Err: &fault.Error{
			Kind: fault.SessionFailed, Op: opRun, Connection: c.pool.name,
			Err: errors.New("the server rolled back: an earlier statement of the transaction had failed"),
		}}
	case b.err == nil, wants && committed:
		return nil
	case b.undecided(idle):
		return c.unknown(ctx, driver.AtEnd, b.err)
	}
	out := c.statementError(ctx, b.script, b.failed.at(), b.err)
	var e *fault.Error
	if outdated && errors.As(out.Err, &e) {
		e.Kind = fault.Serialization
	}
	return out
}

// undecided reports whether the connection broke while a commit was, or may have been, on its way: that of the script,
// or that of statements which commit by themselves and did not only read.
func (b *burst) undecided(idle bool) bool {
	if !b.broken || !b.sent {
		return false
	}
	var pgErr *pgconn.PgError
	said := errors.As(b.err, &pgErr) && !isPoolers(pgErr) // the server's last word, not a broken line
	switch {
	case b.ends == driver.Commit:
		return !said || b.failed.kind == stepEnd || b.failed.kind == stepEndSync
	case b.script.Begin != nil || !idle || said && b.failed.kind != stepSync:
		return false
	}
	for i := range b.script.Statements {
		if !isRead(&b.script.Statements[i]) {
			return true
		}
	}
	return false
}

// unknown is the error of a commit whose answer was not seen, or that cannot be taken back.
func (c *conn) unknown(ctx context.Context, at int, err error) error {
	if ctxErr := ctx.Err(); ctxErr != nil {
		err = joined{ctxErr, err}
	}
	return &driver.ScriptError{Statement: at, Row: -1, Err: &fault.Error{
		Kind: fault.OutcomeUnknown, Op: opRun, Connection: c.pool.name, Err: err,
	}}
}

// Release rolls back an open transaction and gives the connection back, or closes it if it is not usable.
func (c *conn) Release() {
	defer c.pool.returned()
	if c.idle && !c.lent {
		_ = c.sc.Close()
		return
	}
	_ = c.sc.Raw(func(dc any) error {
		pc, err := native(dc)
		if err != nil {
			return err
		}
		c.restore(pc)
		if st := keptOf(pc); st != nil && c.lent {
			st.level = levelUnknown
		}
		if !isIdle(pc) {
			return sqldriver.ErrBadConn // has the pool close it
		}
		return nil
	})
	_ = c.sc.Close() // an error says that it was closed just now
}

// isIdle reports whether a connection can be given to somebody else.
func isIdle(pc *pgconn.PgConn) bool {
	return !pc.IsClosed() && !pc.IsBusy() && pc.TxStatus() == txIdle
}
