package session

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
)

// commitTimeout bounds a commit by hand; the runner has its own for the unit's.
const commitTimeout = 15 * time.Second

// resource is a session as its unit's runner drives it.
type resource struct{ *Session }

var _ uow.Resource = resource{}

// Pending implements uow.Resource.
func (r resource) Pending(context.Context) bool {
	s := r.Session
	if !s.busy.CompareAndSwap(false, true) {
		return true // Commit will say why
	}
	defer s.busy.Store(false)
	return !s.closed && (s.inTx || s.failed != nil || len(s.staged) > 0 || s.hasChanges(nil))
}

// Prepare implements uow.Resource: it flushes.
func (r resource) Prepare(ctx context.Context) error {
	const op = "session.Prepare"
	s := r.Session
	own, err := s.takeOver(ctx, op)
	if !own {
		return err
	}
	defer s.busy.Store(false)
	if err != nil {
		return err
	}
	if err := s.complete(op); err != nil {
		return err
	}
	s.closeRows()
	return s.flush(ctx, op, nil, driver.Stay)
}

// complete refuses to end a session well that is not usable, or in which a goroutine has left a savepoint open.
func (s *Session) complete(op string) error {
	s.dropClosed()
	if err := s.usable(op); err != nil {
		return err
	}
	if s.top != s.root {
		return s.fault(op, fault.ConcurrentUse, "another goroutine is still inside session.Nested")
	}
	return nil
}

// usable refuses a session whose statement failed while its function said that all was well.
func (s *Session) usable(op string) error {
	if s.failed == nil {
		return nil
	}
	err := s.fault(op, fault.SessionFailed, "a statement failed, and its error was not returned")
	err.Err = s.failed
	return err
}

// Commit implements uow.Resource: it flushes and commits in one exchange, and ends the session.
func (r resource) Commit(ctx context.Context) error {
	const op = "session.Commit"
	s := r.Session
	own, err := s.takeOver(ctx, op)
	if !own {
		s.abandon(ctx)
		return err
	}
	defer s.busy.Store(false)
	if s.closed {
		return err
	}
	if err == nil {
		err = s.complete(op)
	}
	s.closeRows()
	if err == nil {
		err = s.flush(ctx, op, nil, driver.Commit)
	}
	if err == nil {
		s.settle()
		s.close()
		return nil
	}
	return errors.Join(err, s.discard(ctx, err))
}

// Rollback implements uow.Resource: it undoes everything and ends the session.
func (r resource) Rollback(ctx context.Context) error {
	s := r.Session
	own, err := s.takeOver(ctx, "session.Rollback")
	if !own {
		s.abandon(ctx)
		return err
	}
	defer s.busy.Store(false)
	if s.closed {
		return nil
	}
	return errors.Join(err, s.discard(ctx, nil))
}

// abandon leaves a session to the goroutine that is inside one of its verbs and does not finish: it rolls back as it
// leaves.
func (s *Session) abandon(ctx context.Context) {
	s.abandoned.Store(true)
	s.reap(ctx)
}

// reap ends a session that its unit has abandoned. Its objects stay as they are: they may be in use elsewhere.
func (s *Session) reap(ctx context.Context) {
	if !s.abandoned.Load() || !s.busy.CompareAndSwap(false, true) {
		return
	}
	defer s.busy.Store(false)
	if !s.closed && !s.streaming() {
		_ = s.rollBack(ctx, "session.Rollback", false) // nobody waits for it, and Release makes up for a failure
		s.close()
	}
}

// discard rolls back and ends the session. The objects of a commit whose outcome is unknown stay as they are: nobody can
// say which state of them is right.
func (s *Session) discard(ctx context.Context, cause error) error {
	err := s.rollBack(ctx, "session.Rollback", !errors.Is(cause, fault.OutcomeUnknown))
	s.close()
	return err
}

// rollBack ends the transaction and, where objects is set, brings the objects back to what they were before it.
func (s *Session) rollBack(ctx context.Context, op string, objects bool) error {
	s.failed = nil
	s.releases = nil // the rollback ends the savepoints too, also where no statement can be run any more
	var err error
	if s.inTx {
		detached, cancel := detached(ctx, cleanupTimeout)
		defer cancel()
		err = s.exchange(detached, op, &burst{}, driver.Rollback)
		if errors.Is(err, fault.ConnectionLost) {
			err = nil // the database rolls back what loses its connection
		}
	}
	for ; s.top != s.root; s.top = s.top.parent {
		s.top.keep()
		s.top.end()
	}
	if objects {
		s.revert(s.root)
	}
	s.failed = nil
	staged := slices.DeleteFunc(s.staged, func(r stagedRows) bool { return r.turn != ofUnit })
	s.endTransaction()
	s.staged = staged
	return err
}

// close ends the session: every further use is fault.SessionClosed.
func (s *Session) close() {
	s.closed = true
	if s.prepared != nil {
		_ = s.prepared.Close() // it has nothing that could fail
	}
	if s.held != nil {
		s.giveBack(s.held)
		s.held, s.inTx = nil, false
	}
	for _, e := range s.entries {
		if e.state == Pending && len(e.serverSide) > 0 {
			model.ClearPending(e.base)
		}
	}
	s.staged, s.onFlush = nil, nil
	s.root.undo = nil
	s.forget()
}

// Commit makes the session's writes and staged rows durable now and runs the hooks registered so far. The session goes
// on in a fresh transaction, with the objects that it has. The unit is not run again after that, whatever fails. A unit
// that handles a queued message refuses, because its message goes with its only commit: use [New].
func Commit(ctx context.Context) error {
	const op = "session.Commit"
	s, err := enter(ctx, op)
	if err != nil {
		return err
	}
	if err := s.commitByHand(ctx, op); err != nil {
		if errors.Is(err, fault.OutcomeUnknown) {
			s.unit.Pin()
		}
		return err
	}
	s.unit.Committed(ctx)
	return nil
}

// commitByHand commits and leaves the verb.
func (s *Session) commitByHand(ctx context.Context, op string) error {
	defer s.leave(ctx)
	if err := s.outsideFlush(op); err != nil {
		return err
	}
	if s.unit.Op().Kind == uow.Message {
		return s.fault(op, fault.Unsupported, "a unit that handles a message commits once, with the message; use session.New")
	}
	if s.top != s.root {
		return s.fault(op, fault.Unsupported, "a transaction cannot be committed inside session.Nested")
	}
	if ctx.Err() != nil {
		return s.ended(ctx, op)
	}
	detached, cancel := detached(ctx, commitTimeout)
	defer cancel()
	err := s.flush(detached, op, nil, driver.Commit)
	if err == nil {
		s.settle()
	}
	return err
}

// Rollback undoes everything since the session began or last committed by hand: in the database, in the objects, and
// the hooks registered so far are dropped. The session is usable afterwards, also where it had failed, and inside
// [Nested] every savepoint has ended. With nothing to undo it returns nil.
func Rollback(ctx context.Context) error {
	const op = "session.Rollback"
	s, err := find(ctx, op)
	if err != nil {
		return err
	}
	if err := s.acquire(ctx, op); err != nil {
		return err
	}
	err = s.outsideFlush(op)
	if err == nil {
		err = s.betweenStreams(op)
	}
	if err != nil {
		s.leave(ctx)
		return err
	}
	err = s.rollBack(ctx, op, true)
	s.leave(ctx)
	s.unit.RolledBack(ctx)
	return err
}
