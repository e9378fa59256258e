package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/scope"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
)

// Resolver finds out what became of a transaction whose commit was sent and not answered. It is called in a fresh unit
// of work on another connection of the same database, and again after a pause for as long as it fails and
// uow.Options.Resolve is not over; so it may run twice. Its answer counts once its own unit has committed.
//
// The server may be working on the lost transaction still, or not have got all of it yet. So true says that it has
// committed, and false that it has not and cannot any more: a resolver takes from it something without which it fails.
// It inserts a key that the transaction inserts too, or raises the version of a row that the transaction checks; on a
// database with row locks it then waits for a transaction that has come that far. Only to look is not enough.
type Resolver func(ctx context.Context) (committed bool, err error)

// ResolveWith says how it is found out what becomes of the commit of ctx's session if its answer is lost, instead of by
// the row in the table urutu_unit that is written with the commit otherwise, and now is not. It holds for the transaction:
// until the next commit or rollback. A unit whose options do not ask for uow.Options.Resolve is fault.Unsupported.
func ResolveWith(ctx context.Context, r Resolver) error {
	const op = "session.ResolveWith"
	s, err := enter(ctx, op)
	if err != nil {
		return err
	}
	defer s.leave(ctx)
	if !s.resolves() {
		return s.fault(op, fault.Unsupported, "the unit resolves no commit: its options have no Resolve, or it is read-only")
	}
	s.resolver = r
	return nil
}

// maxResolve bounds uow.Options.Resolve, so that no marker is purged while its unit could ask for it.
const maxResolve = 10 * time.Minute

// resolves reports whether the outcome of the session's commits is found out where their answer is lost.
func (s *Session) resolves() bool { return s.unit.Op().Options.Resolve > 0 && !s.opts.ReadOnly }

// commit sends a burst that ends the transaction well, and finds out what became of it where the answer is lost.
func (s *Session) commit(ctx context.Context, op string, b *burst) error {
	if !s.resolves() {
		return s.exchange(ctx, op, b, driver.Commit)
	}
	ask := s.resolver
	if ask == nil {
		ask = s.mark(b)
	}
	err := s.exchange(ctx, op, b, driver.Commit)
	if !errors.Is(err, fault.OutcomeUnknown) {
		return err
	}
	committed, askErr := s.ask(ctx, ask)
	s.logResolved(ctx, committed, askErr)
	switch {
	case askErr != nil:
		return unresolved(err, askErr)
	case committed:
		s.failed = nil
		b.assume()
		return nil
	}
	return undone(err)
}

// ask calls the resolver in units of their own until one of them commits or the time is over.
func (s *Session) ask(ctx context.Context, ask Resolver) (committed bool, err error) {
	limit := min(s.unit.Op().Options.Resolve, maxResolve)
	ctx, cancel := detached(ctx, limit)
	defer cancel()
	ctx = scope.Into(ctx, scope.Scope{Home: s.home, Connection: string(s.conn.cfg.Name)})
	op := uow.Op{Kind: uow.Job, Name: "session.Resolve", Options: uow.Options{
		Isolation: uow.ReadCommitted, LockTimeout: limit, Retry: uow.Retry{Attempts: -1},
	}}
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err = s.home.runner.Do(ctx, op, func(ctx context.Context) (err error) {
			committed, err = ask(ctx)
			return err
		})
		if err == nil {
			return committed, nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false, err
		}
	}
}

// logResolved tells whoever runs the program that answers get lost.
func (s *Session) logResolved(ctx context.Context, committed bool, err error) {
	s.conn.cfg.Logger.WarnContext(ctx, "the answer to a commit was lost", "connection", s.conn.cfg.Name,
		"op", s.unit.Op().Name, "resolved", err == nil, "committed", committed)
}

// assume takes the writes whose results were lost for written, because they are.
func (b *burst) assume() {
	for _, to := range b.sinks {
		if k, ok := to.(*writeSink); ok && !k.arrived {
			_ = k.done(0, 0) // nothing of it is generated: what is was read before the commit
		}
	}
}

// unresolved is the error of a commit whose answer was lost, with the reason why its outcome is not known even so.
func unresolved(err, cause error) error {
	var e *fault.Error
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	out.Err = errors.Join(e.Err, fmt.Errorf("its outcome was not found out: %w", cause))
	return &out
}

// undone is the error of a commit whose answer was lost, once it is known that nothing was committed.
func undone(err error) error {
	var e *fault.Error
	if !errors.As(err, &e) || e.Kind != fault.OutcomeUnknown {
		return err
	}
	out := *e
	out.Kind = fault.ConnectionLost
	return &out
}
