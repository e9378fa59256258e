package session

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/scope"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
)

// cleanupTimeout bounds what is done for a caller that may be gone: rolling back.
const cleanupTimeout = 5 * time.Second

// Nested runs fn inside a savepoint of the session's transaction. When fn returns nil its changes belong to the
// enclosing scope; otherwise they are undone, in the database and in the objects, and the enclosing scope goes on as it
// was, whatever failed inside. Pending changes are flushed before fn runs, those of fn before Nested returns. The
// savepoint itself is not made before something is written inside of it.
//
// Options of a transaction cannot be changed inside; asking for others is fault.Unsupported.
func Nested(ctx context.Context, fn func(ctx context.Context) error, opts ...uow.Options) error {
	const op = "session.Nested"
	sp, err := beginNested(ctx, op, opts)
	if err != nil {
		return err
	}
	s := sp.session
	sc := *scope.From(ctx)
	sc.Savepoint = sp
	returned := false
	defer func() {
		if !returned { // a panic, or runtime.Goexit
			_ = s.endNested(ctx, op, sp, errAborted)
		}
	}()
	err = fn(scope.Into(ctx, sc))
	returned = true
	return s.endNested(ctx, op, sp, err)
}

var errAborted = errors.New("the function did not return")

func beginNested(ctx context.Context, op string, opts []uow.Options) (*Savepoint, error) {
	s, err := enter(ctx, op)
	if err != nil {
		return nil, err
	}
	defer s.leave(ctx)
	if err := s.outsideFlush(op); err != nil {
		return nil, err
	}
	if err := s.betweenStreams(op); err != nil {
		return nil, err
	}
	for _, o := range opts {
		if err := sameOptions(op, &s.unit.Op().Options, o); err != nil {
			return nil, err
		}
	}
	if err := s.flush(ctx, op, nil, driver.Stay); err != nil {
		return nil, err
	}
	s.names++
	mark := s.unit.Mark()
	sp := &Savepoint{
		session: s, parent: s.top, name: "urutu_" + strconv.Itoa(s.names), inTx: s.inTx,
		staged: len(s.staged), flushes: len(s.onFlush), mark: func() { s.unit.Cut(mark) },
	}
	s.top = sp
	return sp, nil
}

// endNested ends a savepoint: it keeps what was done inside when err is nil and everything can be flushed, and undoes
// it otherwise.
func (s *Session) endNested(ctx context.Context, op string, sp *Savepoint, err error) error {
	own, takeErr := s.takeOver(ctx, op)
	err = errors.Join(err, takeErr)
	if !own {
		return err
	}
	defer s.busy.Store(false)
	s.dropClosed()
	switch {
	case s.closed:
		return cmp.Or[error](err, s.fault(op, fault.SessionClosed, closedMessage))
	case sp.ended:
		return cmp.Or[error](err, s.fault(op, fault.ScopeClosed, "the savepoint was rolled back together with an enclosing one"))
	case err == nil && s.failed != nil:
		failed := s.fault(op, fault.SessionFailed, "a statement failed inside, and its error was not returned")
		failed.Err = s.failed
		err = failed
	case err == nil && ctx.Err() != nil:
		err = s.ended(ctx, op)
	case err == nil && s.top != sp:
		err = s.fault(op, fault.ConcurrentUse, "another goroutine is still inside a savepoint within")
	}
	if err == nil {
		err = s.flush(ctx, op, nil, driver.Stay)
	}
	if err != nil {
		return errors.Join(err, s.undoTo(ctx, op, sp))
	}
	sp.keep()
	if sp.emitted {
		s.releases = append(s.releases, sp)
	}
	sp.end()
	s.top = sp.parent
	return nil
}

// end closes the savepoint's scope, and the flush hooks that were registered in it.
func (sp *Savepoint) end() {
	s := sp.session
	sp.ended = true
	s.onFlush = s.onFlush[:min(len(s.onFlush), sp.flushes)]
}

// undoTo rolls back to where sp began, in the database and in the objects. It works for a caller that is gone too; where
// the database does not follow, the session is failed.
func (s *Session) undoTo(ctx context.Context, op string, sp *Savepoint) error {
	failed := s.failed
	s.failed = nil
	s.releases = slices.DeleteFunc(s.releases, func(r *Savepoint) bool { return r.within(sp) })
	s.closeRows()
	err := s.undoInDatabase(ctx, op, sp, failed)
	for s.top.within(sp) {
		s.top.keepInto(sp)
		s.top.end()
		s.top = s.top.parent
	}
	sp.mark()
	s.staged = s.staged[:min(len(s.staged), sp.staged)]
	s.revert(sp)
	return err
}

// undoInDatabase rolls the database back to where sp began, after failed where a statement has failed inside.
func (s *Session) undoInDatabase(ctx context.Context, op string, sp *Savepoint, failed error) error {
	detached, cancel := detached(ctx, cleanupTimeout)
	defer cancel()
	b := &burst{}
	switch {
	case s.inTx && sp.emitted:
		b.add(control("ROLLBACK TO SAVEPOINT ", sp), nil)
		b.add(control("RELEASE SAVEPOINT ", sp), nil)
		return s.exchange(detached, op, b, driver.Stay)
	case s.inTx && failed != nil:
		// A read has failed before there was a savepoint. Not every transaction goes on after that: this finds out.
		b.add(control("SAVEPOINT ", sp), nil)
		b.add(control("RELEASE SAVEPOINT ", sp), nil)
		if s.exchange(detached, op, b, driver.Stay) != nil {
			s.failed = failed
		}
	case !s.inTx && sp.inTx:
		s.failed = failed // the connection is lost, and with it what the enclosing scopes have written
	}
	return nil
}

// keepInto hands the log of a savepoint that is still open inside of outer over to outer, which undoes both.
func (sp *Savepoint) keepInto(outer *Savepoint) {
	if sp != outer {
		sp.keep()
	}
}

// takeOver takes the session for the end of a scope. A goroutine that is still inside a verb is waited for; that it was
// there is an error, since whoever ends the scope cannot know what it did. Without own the session stays the other's.
func (s *Session) takeOver(ctx context.Context, op string) (own bool, err error) {
	own, err = s.takeGate(ctx, op, &s.busy)
	if own && s.streaming() {
		s.busy.Store(false)
		return false, s.fault(op, fault.ConcurrentUse, "the loop over a session.Stream goes on as its scope ends")
	}
	return own, err
}

func (s *Session) takeGate(ctx context.Context, op string, gate *atomic.Bool) (own bool, err error) {
	if gate.CompareAndSwap(false, true) {
		return true, nil
	}
	detached, cancel := detached(ctx, cleanupTimeout)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !gate.CompareAndSwap(false, true) {
		select {
		case <-tick.C:
		case <-detached.Done():
			return false, s.fault(op, fault.ConcurrentUse, "another goroutine is using the session and does not finish")
		}
	}
	return true, s.fault(op, fault.ConcurrentUse, "another goroutine was still using the session as its scope ended")
}

// New runs fn in a unit of work of its own: its own connection, transaction and identity map. It commits when fn returns
// nil, whatever becomes of an enclosing unit, and its failure undoes nothing but itself. Inside fn every verb uses the
// new session. Outside of a unit, New needs a context of [DB.Context].
//
// On a database with one writer New fails at once with fault.LockTimeout as soon as it writes while an enclosing unit
// holds the writer; and where the pool is exhausted it fails after the pool's timeout.
func New(ctx context.Context, fn func(ctx context.Context) error, opts ...uow.Options) error {
	db, ok := scope.From(ctx).Home.(*DB)
	if !ok {
		return &fault.Error{
			Kind: fault.NoSession, Op: "session.New",
			Message: "the context knows no connections: use that of a unit of work, or db.Context",
		}
	}
	var o uow.Options
	if len(opts) > 0 {
		o = opts[0]
	}
	if o.Name == "" {
		o.Name = "session.New"
	}
	return db.runner.Do(ctx, uow.Op{Kind: uow.Job, Name: o.Name, Options: o}, fn)
}
