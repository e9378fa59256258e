package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/value"
)

// sink takes what one statement brings back.
type sink interface {
	row(cells []value.Value) error
	done(affected, lastID int64) error
}

// namer is a sink that can say of its statement's error what it concerns.
type namer interface {
	name(e *fault.Error, row int)
}

// burst is the statements of one exchange with the database and where their results go.
type burst struct {
	stmts []driver.Statement
	sinks []sink
	need  need
	rows  int64
	one   bool // it reads the row of a key and does nothing else
	args  []value.Value

	script driver.Script // what the burst is in
}

// burst returns an empty burst, which is given back to the connection with free.
func (c *connection) burst() *burst {
	if b, ok := c.bursts.Get().(*burst); ok {
		return b
	}
	return &burst{}
}

// free gives back a burst that has been through its exchange, or will go through none. A large one is let go of.
func (c *connection) free(b *burst) {
	if cap(b.stmts) > maxPiece || cap(b.args) > maxArgs {
		return
	}
	clear(b.stmts)
	clear(b.sinks)
	clear(b.args)
	*b = burst{stmts: b.stmts[:0], sinks: b.sinks[:0], args: b.args[:0]}
	c.bursts.Put(b)
}

// maxArgs bounds the arguments whose room is kept for the next burst.
const maxArgs = 16 << 10

// room returns room for n arguments of a statement, which nobody has a use for behind the burst.
func (b *burst) room(n int) []value.Value {
	if cap(b.args)-len(b.args) < n {
		b.args = make([]value.Value, 0, max(n, min(2*cap(b.args), maxArgs))) // what is in use stays where it is
	}
	at := len(b.args)
	b.args = b.args[:at+n]
	return b.args[at : at : at+n]
}

// add appends a statement; sink may be nil.
func (b *burst) add(st driver.Statement, to sink) {
	b.stmts = append(b.stmts, st)
	b.sinks = append(b.sinks, to)
	b.one = false
}

// Row and Done make a burst the driver's Results.
func (b *burst) Row(i int, cells []driver.Cell) error {
	if b.sinks[i] == nil {
		return nil
	}
	return b.sinks[i].row(cells)
}

// Done implements driver.Results.
func (b *burst) Done(i int, affected, lastID int64) error {
	b.rows += affected
	if b.sinks[i] == nil {
		return nil
	}
	return b.sinks[i].done(affected, lastID)
}

var _ driver.Results = (*burst)(nil)

// need says what an exchange needs of a transaction.
type need uint8

const (
	_ need = iota // in the open transaction, or by itself where none is
	// transaction: in a transaction, inside every savepoint that is open.
	transaction
)

// exchange is the one way from a session to its database: it borrows a connection where none is held, begins what has
// to begin, sends the burst, and follows what became of the transaction.
func (s *Session) exchange(ctx context.Context, op string, b *burst, end driver.End) error {
	if ctx.Err() != nil {
		return s.ended(ctx, op)
	}
	if end == driver.Rollback {
		s.closeRows()
	} else if err := s.betweenRows(op); err != nil {
		return err
	}
	n := b.need
	script := &b.script
	*script = driver.Script{End: end}
	begins := !s.inTx && end != driver.Rollback && (n == transaction || end == driver.Commit || s.opts.Isolation > uow.ReadCommitted)
	alone := !s.inTx && !begins && (s.opts.StatementTimeout > 0 || s.opts.LockTimeout > 0)
	if begins || alone {
		script.Begin = &s.opts
	}
	if alone {
		script.End = driver.Commit
	}
	all := s.prelude(b)
	script.Statements = all.stmts
	access := driver.Read
	switch {
	case (n == transaction || begins) && !s.opts.ReadOnly:
		access = driver.Write
	case b.one && !begins && !alone:
		access = driver.ReadOne
	}
	conn, err := s.borrow(ctx, op, access)
	if err != nil {
		return err
	}
	wasInTx := s.inTx // where the connection is lost, so is what was written on it
	if err = s.send(ctx, op, conn, script, all); err == nil {
		return nil
	}
	err = s.explain(op, err, all)
	if alone || s.opts.ReadOnly {
		err = undone(err) // there was nothing to commit
	}
	nothingSent := errors.Is(err, fault.ConcurrentUse)
	if !nothingSent && (wasInTx || n == transaction || begins) {
		s.failed = err
	}
	return err
}

// send runs a script and follows what became of the transaction. A type of the user's that panics as it is read leaves
// that open: the connection is given back, which rolls back, and the session has failed.
func (s *Session) send(ctx context.Context, op string, conn driver.Conn, script *driver.Script, b *burst) (err error) {
	returned := false
	defer func() {
		if !returned {
			s.failed = errAborted
			s.letGo(conn)
		}
	}()
	err = s.run(ctx, op, conn, script, b)
	returned = true
	s.follow(conn, script, err)
	return err
}

// prelude returns the burst with the savepoint statements that have to go before it.
func (s *Session) prelude(b *burst) *burst {
	if len(s.releases) == 0 && (b.need != transaction || s.top.emitted || s.top == s.root) {
		return b
	}
	all := &burst{}
	for _, sp := range s.releases {
		all.add(control("RELEASE SAVEPOINT ", sp), nil)
	}
	s.releases = nil
	if b.need == transaction {
		var open []*Savepoint
		for sp := s.top; sp != s.root && !sp.emitted; sp = sp.parent {
			open = append(open, sp)
		}
		for i := len(open) - 1; i >= 0; i-- {
			all.add(control("SAVEPOINT ", open[i]), emits{open[i]})
		}
	}
	all.stmts = append(all.stmts, b.stmts...)
	all.sinks = append(all.sinks, b.sinks...)
	return all
}

func control(verb string, sp *Savepoint) driver.Statement {
	return driver.Statement{SQL: verb + sp.name, Query: verb + sp.name}
}

// emits notes that the database has a savepoint.
type emits struct{ *Savepoint }

func (e emits) row([]value.Value) error { return nil }
func (e emits) done(int64, int64) error { e.emitted = true; return nil }

// borrow returns the connection that the session holds, or one from the pool.
func (s *Session) borrow(ctx context.Context, op string, access driver.Access) (driver.Conn, error) {
	if s.held != nil {
		return s.held, nil
	}
	holds := func(outer *Session) bool { return outer.conn == s.conn && outer.writing.Load() }
	oneWriter := access == driver.Write && s.conn.d.Features().OneWriter
	if oneWriter && s.enclosing(holds) {
		return nil, s.fault(op, fault.LockTimeout,
			"this database has one writer, and the enclosing unit of work holds it until it ends: "+
				"write in the independent unit before the enclosing one flushes")
	}
	inner, end := uow.Observe(ctx, s.conn.cfg.Observer, uow.Span{Kind: uow.SpanAcquire, Connection: string(s.conn.cfg.Name)})
	wait := inner
	if g := s.conn.waits; g != nil && !endsWithin(inner, s.conn.cfg.PoolTimeout) {
		var cancel context.CancelFunc
		wait, cancel = g.Context(inner)
		defer cancel()
	}
	conn, err := s.conn.pool.Acquire(wait, access)
	end(uow.Result{Err: err})
	switch {
	case err == nil:
		s.writing.Store(oneWriter)
		return conn, nil
	case ctx.Err() != nil:
		err = context.Cause(ctx)
		return nil, s.exhausted(op, fault.KindOf(err), "no connection came free before the context ended", err)
	case wait.Err() != nil:
		return nil, s.exhausted(op, fault.PoolTimeout, fmt.Sprintf("no connection came free within %s", s.conn.cfg.PoolTimeout), err)
	}
	return nil, s.wrap(op, err)
}

// endsWithin reports whether ctx ends by itself before d has passed.
func endsWithin(ctx context.Context, d time.Duration) bool {
	end, ok := ctx.Deadline()
	return ok && time.Until(end) < d
}

// exhausted says that no connection came free in time, and whether this very unit's surroundings hold one.
func (s *Session) exhausted(op string, kind fault.Kind, message string, cause error) error {
	message += fmt.Sprintf(" (pool of %d)", s.conn.cfg.PoolSize+s.conn.cfg.MaxOverflow)
	if s.streams.Load() > 0 {
		message += "; a session.Stream of this unit holds one"
	}
	if s.enclosing(func(outer *Session) bool { return outer.conn == s.conn }) {
		message += "; this session is nested in a unit of work that may hold one of them itself"
	}
	err := s.fault(op, kind, message)
	err.Err = cause
	return err
}

// run runs a script and tells the observer and the echo of it.
func (s *Session) run(ctx context.Context, op string, conn driver.Conn, script *driver.Script, b *burst) error {
	cfg := &s.conn.cfg
	if cfg.Observer == nil && !cfg.Echo {
		return conn.Run(ctx, script, b)
	}
	ctx, end := uow.Observe(ctx, cfg.Observer, uow.Span{
		Kind: uow.SpanScript, Name: op, Connection: string(cfg.Name), Statements: len(script.Statements),
	})
	start := cfg.Clock()
	err := conn.Run(ctx, script, b)
	end(uow.Result{Rows: b.rows, Err: err})
	if cfg.Echo {
		s.echo(ctx, script, b.rows, cfg.Clock().Sub(start), err)
	}
	return err
}

// follow keeps track of the transaction and gives the connection back when none is open.
func (s *Session) follow(conn driver.Conn, script *driver.Script, err error) {
	switch {
	case err == nil && script.Begin != nil && script.End == driver.Stay:
		s.inTx = true
	case err == nil && script.End == driver.Stay:
	case err == nil || script.Begin != nil || script.End != driver.Stay || errors.Is(err, fault.ConnectionLost):
		s.inTx = false
	}
	if s.inTx {
		s.held = conn
		return
	}
	s.letGo(conn)
}

// letGo gives the connection back: no transaction of the session's is open any more.
func (s *Session) letGo(conn driver.Conn) {
	s.held, s.inTx = nil, false
	s.writing.Store(false)
	s.resetSavepoints()
	s.giveBack(conn)
}

// ended returns the error of a context that is done: its cause, with the context's own kind where that has none.
func (s *Session) ended(ctx context.Context, op string) error {
	cause := context.Cause(ctx)
	if fault.KindOf(cause) != fault.Internal {
		return s.wrap(op, cause)
	}
	err := s.fault(op, fault.KindOf(ctx.Err()), "")
	err.Err = cause
	return err
}

// wrap gives an error the verb and the connection, and a kind where it has none.
func (s *Session) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	var e *fault.Error
	if errors.As(err, &e) {
		out := *e
		out.Op, out.Connection = op, string(s.conn.cfg.Name)
		return &out
	}
	out := s.fault(op, fault.KindOf(err), "")
	out.Err = err
	return out
}

// explain turns a script's error into one that names the verb and, where the statement wrote an object, the object.
func (s *Session) explain(op string, err error, b *burst) error {
	var se *driver.ScriptError
	if !errors.As(err, &se) {
		return s.wrap(op, err)
	}
	var e *fault.Error
	if !errors.As(se.Err, &e) {
		return s.wrap(op, se.Err)
	}
	out := *e
	out.Op, out.Connection = op, string(s.conn.cfg.Name)
	if se.Statement >= 0 && se.Statement < len(b.sinks) {
		if n, ok := b.sinks[se.Statement].(namer); ok {
			n.name(&out, se.Row)
		}
	}
	return &out
}

// detached returns a context for what has to happen also when the caller is gone.
func detached(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), d)
}
