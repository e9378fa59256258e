package session

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/value"
)

// Stream returns the objects that [Find] would, one by one and in constant memory, however many there are:
//
//	for order, err := range session.Stream[Order](ctx, query.Lt(&orders.CreatedAt, since), query.Asc(&orders.ID)) {
//		if err != nil {
//			return err
//		}
//		if err := out.Write(order); err != nil {
//			return err
//		}
//	}
//
// The query runs when the loop begins, and again with each loop over the same stream. Breaking off ends it: little more is
// read, and its connection is given back. An error is the last that a loop gets, with a nil object.
//
// The objects are not tracked, as with [query.NoTracking]: each is a new one, also of a row that the session has, and
// changing it writes nothing. [query.Populate] and [query.With] are fault.Misconfigured. Pending changes of the tables that
// are read are flushed first, as by Find.
//
// Where no transaction is open the stream has a connection of its own until the loop ends, and sees what was committed
// when it began. What else the loop does with the session is done on another one: it may query and write, and needs room in
// the pool for that. Inside a transaction, which a lock among the clauses begins too, the stream holds the transaction's
// connection: verbs that would have to use it are fault.ConcurrentUse while the loop runs. [Add], Delete, messages and what
// the session can answer by itself are no such verbs; the rest can be done behind the loop, or the stream be read in a unit
// of its own by [New]. A timeout for statements bounds the whole loop.
//
// A stream is read by one goroutine, as the session is used by one, and within its unit. Who takes it apart with
// [iter.Pull] has to call stop.
func Stream[T any](ctx context.Context, clauses ...query.Clause) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		st := &stream{ctx: ctx, read: of[T](clauses), give: func(obj any) bool { return yield(obj.(*T), nil) }}
		if err := st.run(); err != nil && !st.stopped {
			yield(nil, err)
		}
	}
}

const opStream = "session.Stream"

// stream is a query whose rows are taken one by one, on its way. The context in it lives no longer than that. It is the
// sink of its statement.
type stream struct {
	read
	ctx     context.Context
	give    func(obj any) bool // hands an object to the loop, and reports whether that goes on
	stopped bool               // it does not

	s      *Session
	conn   driver.Conn
	shared bool // the connection is that of the session's transaction
	script driver.Script
	burst  *burst
	rows   loader
	over   atomic.Bool // the connection is free again
}

var (
	errStopped = errors.New("the loop over a stream has ended")
	_          = sink(&stream{})
)

// run runs the loop.
func (st *stream) run() (err error) {
	s, err := enter(st.ctx, opStream)
	if err != nil {
		return err
	}
	st.s = s
	err = st.begin()
	s.leave(st.ctx)
	if err == nil {
		err = st.drain()
	}
	return entityError(err, st.x)
}

// begin does everything that comes before the first row.
func (st *stream) begin() error {
	s := st.s
	if err := st.bind(s, opStream); err != nil {
		return err
	}
	if err := st.check(); err != nil {
		return err
	}
	if s.autoflushes(st.ctx) && s.couldSeeChanges(st.ctx, []reader{st}) {
		if err := s.flush(st.ctx, opStream, nil, driver.Stay); err != nil {
			return duringAutoflush(err, opStream, []reader{st})
		}
	}
	if err := st.transaction(); err != nil {
		return err
	}
	if err := s.betweenRows(opStream); err != nil {
		return err
	}
	b := &burst{}
	if err := st.ask(s, opStream, b); err != nil {
		return err
	}
	return st.open(b)
}

// check refuses what a stream cannot do.
func (st *stream) check() error {
	q := st.query()
	loads, err := q.Related()
	switch {
	case err != nil:
		return err
	case len(loads) > 0:
		return st.s.about(opStream, fault.Misconfigured, st.x, "a stream loads no relations: query.With is for what is found at once")
	case q.Populate:
		return st.s.about(opStream, fault.Misconfigured, st.x, "a stream tracks no objects that query.Populate could renew")
	}
	return nil
}

// transaction begins one where the stream has to be in it.
func (st *stream) transaction() error {
	s, b := st.s, &burst{}
	if st.query().Locks() {
		b.need = transaction
	}
	begins := b.need == transaction && (!s.inTx || s.top != s.root && !s.top.emitted)
	if begins || !s.inTx && s.opts.Isolation > uow.ReadCommitted {
		return s.exchange(st.ctx, opStream, b, driver.Stay)
	}
	return nil
}

// ask adds the stream's statement.
func (st *stream) ask(_ *Session, op string, b *burst) error {
	t, err := st.query().Rows(st.x.d, st.x.columns)
	if err != nil {
		return err
	}
	statement := st.x.statement(t, st.x.types, "stream")
	statement.Stream = true
	b.add(statement, st)
	st.rows = loader{s: st.s, x: st.x, op: op, untracked: true, found: func(obj any, _ *entry) { st.stopped = !st.give(obj) }}
	return nil
}

// open takes a connection: that of the transaction, which is then the stream's until its end, or one of its own.
func (st *stream) open(b *burst) (err error) {
	s := st.s
	if st.shared = s.inTx; !st.shared && (s.opts.StatementTimeout > 0 || s.opts.LockTimeout > 0) {
		st.script.Begin, st.script.End = &s.opts, driver.Commit
	}
	st.burst = s.prelude(b)
	st.script.Statements = st.burst.stmts
	if st.conn, err = s.borrow(st.ctx, opStream, driver.Read); err != nil {
		return err
	}
	if st.shared {
		s.stream = st
	} else {
		s.streams.Add(1)
	}
	return nil
}

// drain runs the statement, outside of every verb: the loop's body may use the session.
func (st *stream) drain() (err error) {
	returned := false
	defer func() {
		if !returned { // the body has panicked
			_ = st.close(errAborted)
		}
	}()
	err = st.s.run(st.ctx, opStream, st.conn, &st.script, st.burst)
	returned = true
	return st.close(err)
}

// row makes an object and gives it to the loop.
func (st *stream) row(cells []value.Value) error {
	if st.ctx.Err() != nil {
		return st.s.ended(st.ctx, opStream)
	}
	if err := st.admitted(); err != nil {
		return err
	}
	if err := st.rows.row(cells); err != nil {
		return err
	}
	if st.stopped {
		return errStopped
	}
	return nil
}

// admitted reports whether the session can still be used: the unit may have ended meanwhile, or have failed.
func (st *stream) admitted() error {
	s := st.s
	if s.abandoned.Load() {
		return s.fault(opStream, fault.SessionClosed, closedMessage)
	}
	if err := s.acquire(st.ctx, opStream); err != nil {
		return err
	}
	defer s.leave(st.ctx)
	return s.usable(opStream)
}

// close gives the connection back, and follows what became of the transaction.
func (st *stream) close(err error) error {
	s := st.s
	st.over.Store(true)
	if !st.shared {
		s.streams.Add(-1)
		st.conn.Release()
		return undone(st.verdictOn(err))
	}
	gate := s.gate(s.hookOf(st.ctx))
	if own, takeErr := s.takeGate(st.ctx, opStream, gate); !own {
		s.abandon(st.ctx)
		return errors.Join(st.verdictOn(err), takeErr)
	}
	defer s.leave(st.ctx)
	s.stream = nil
	aborted := errors.Is(err, errAborted)
	if !aborted {
		s.follow(st.conn, &st.script, err)
	}
	if err = st.verdictOn(err); err != nil {
		s.failed = err
	}
	if aborted {
		s.letGo(st.conn)
	}
	return err
}

// verdictOn returns the error of a stream: none where the loop has ended it.
func (st *stream) verdictOn(err error) error {
	if st.stopped && errors.Is(err, errStopped) {
		return nil
	}
	return st.s.explain(opStream, err, st.burst)
}

// streaming reports whether a stream holds the connection of the transaction.
func (s *Session) streaming() bool { return s.stream != nil && !s.stream.over.Load() }

// betweenStreams refuses what would use a connection that a stream holds.
func (s *Session) betweenStreams(op string) error {
	if !s.streaming() {
		return nil
	}
	return s.fault(op, fault.ConcurrentUse,
		"a session.Stream is being read in this transaction; end it first, or read it in a unit of its own with session.New")
}
