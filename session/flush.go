package session

import (
	"context"
	"fmt"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/scope"
	"github.com/urutu-go/urutu/session/driver"
)

// FlushHooks run around each flush of a session that has something to write. Objects that Before adds are part of that
// flush; those that After adds are written by the next one, at the latest by the commit. Neither may flush.
type FlushHooks struct {
	Before, After func(ctx context.Context) error
}

// OnFlush registers hooks with the session of ctx, until its end or that of the savepoint they were registered in.
func OnFlush(ctx context.Context, h FlushHooks) error {
	s, err := enter(ctx, "session.OnFlush")
	if err != nil {
		return err
	}
	defer s.leave(ctx)
	s.onFlush = append(s.onFlush, h)
	return nil
}

// maxRounds bounds how often hooks may cause further work within one flush or commit.
const maxRounds = 100

// Flush writes every pending change within the transaction, so that what the database generates is known and what it
// refuses is seen now. With nothing to write it does nothing. After an error the session is failed, and everything but
// [Rollback] refuses to work; inside [Nested] the savepoint's end makes it usable again.
func Flush(ctx context.Context) error {
	const op = "session.Flush"
	s, err := enter(ctx, op)
	if err != nil {
		return err
	}
	defer s.leave(ctx)
	if err := s.outsideFlush(op); err != nil {
		return err
	}
	return s.flush(ctx, op, nil, driver.Stay)
}

// flush writes what is pending, together with what then adds to the burst, and ends the transaction where end says so.
func (s *Session) flush(ctx context.Context, op string, then func(*burst) error, end driver.End) error {
	defer func() { s.planned = plan{} }() // what was written is not kept
	for rounds := 0; rounds < maxRounds; {
		p, err := s.plan(ctx, op)
		if err != nil {
			return err
		}
		again, err := s.round(ctx, op, p, then, end)
		if !p.more {
			rounds++
		}
		p.release()
		if err != nil || !again {
			return err
		}
	}
	return s.fault(op, fault.Flushing, fmt.Sprintf("hooks caused more work in each of %d rounds", maxRounds))
}

// round sends one planned flush, and reports whether there is more to be planned after it.
func (s *Session) round(ctx context.Context, op string, p *plan, then func(*burst) error, end driver.End) (again bool, err error) {
	b := s.conn.burst()
	defer s.conn.free(b)
	p.emit(b)
	switch {
	case p.more:
		return true, s.writeSome(ctx, op, p, b)
	case len(b.stmts) > 0 && p.alone && (end == driver.Commit || then != nil):
		// Somebody wants to see the result before the transaction ends.
		return true, s.write(ctx, op, p, b, driver.Stay)
	}
	if then != nil {
		if err := then(b); err != nil {
			return false, err
		}
	}
	if end == driver.Commit {
		s.emitStaged(b)
	}
	if len(b.stmts) == 0 && !(end == driver.Commit && s.inTx) {
		return false, nil
	}
	return false, s.write(ctx, op, p, b, end)
}

// writeSome sends what can be written before the keys are known that the rest waits for.
func (s *Session) writeSome(ctx context.Context, op string, p *plan, b *burst) error {
	if len(b.stmts) == 0 {
		return s.fault(op, fault.DependencyCycle, "rows wait for each other's keys, which the database makes; make one of the "+
			"references nullable, or flush in between")
	}
	return s.write(ctx, op, p, b, driver.Stay)
}

// write sends a planned flush and runs what follows it.
func (s *Session) write(ctx context.Context, op string, p *plan, b *burst, end driver.End) error {
	if len(p.writes) > 0 || end == driver.Commit {
		b.need = transaction
	}
	var err error
	if end == driver.Commit {
		err = s.commit(ctx, op, b)
	} else {
		err = s.exchange(ctx, op, b, end)
	}
	if err != nil {
		return err
	}
	if len(p.writes) == 0 {
		return nil
	}
	if p.alone { // it may be for what it has to fetch
		if err := s.fetch(ctx, op, p); err != nil {
			return err
		}
	}
	return s.after(ctx, p)
}

// after runs the hooks that follow a flush.
func (s *Session) after(ctx context.Context, p *plan) error {
	if !p.hooked && len(s.onFlush) == 0 {
		return nil
	}
	return s.hooks(ctx, func(ctx context.Context) error {
		for _, w := range p.writes {
			if err := w.afterHook(ctx); err != nil {
				return err
			}
		}
		for _, h := range s.onFlush {
			if h.After == nil {
				continue
			}
			if err := h.After(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// hooks runs f with a context whose verbs use this session, beside the flush. The context that a unit ends with knows
// neither. An error fails the session, and so does a panic: nobody could say which of the hooks have run. The context is
// of no use after them.
func (s *Session) hooks(ctx context.Context, f func(ctx context.Context) error) (err error) {
	sc := *scope.From(ctx)
	sc.Home, sc.Unit, sc.Connection = s.home, s.unit, string(s.conn.cfg.Name)
	h := &hook{session: s}
	sc.Hook = h
	sc.Autoflush = scope.FlushNone
	s.inside = true
	err = errAborted
	defer func() {
		h.ended.Store(true)
		own, takeErr := s.takeGate(ctx, "session.Flush", &h.busy)
		if takeErr != nil && err == nil {
			err = takeErr // a goroutine that a hook has started is still at it
		}
		s.stray = s.stray || !own
		s.inside = false
		if err != nil {
			s.failed = err
		}
	}()
	return f(scope.Into(ctx, sc))
}

// before runs the hooks that precede a flush, until none of them causes further work, so that what they add and change
// is part of it.
func (s *Session) before(ctx context.Context, op string) error {
	return s.hooks(ctx, func(ctx context.Context) error {
		for _, h := range s.onFlush {
			if h.Before == nil {
				continue
			}
			if err := h.Before(ctx); err != nil {
				return err
			}
		}
		for range maxRounds {
			ran, err := s.beforeEntries(ctx, op)
			if err != nil || !ran {
				return err
			}
			if err := s.relate(op); err != nil {
				return err
			}
		}
		return s.fault(op, fault.Flushing, fmt.Sprintf("hooks caused more work in each of %d rounds", maxRounds))
	})
}

// beforeEntries runs the hooks of objects whose hook has not run yet for the coming write.
func (s *Session) beforeEntries(ctx context.Context, op string) (ran bool, err error) {
	for _, e := range s.entries[:len(s.entries):len(s.entries)] { // what hooks add to it is for the next round
		due, err := e.dueHook(op)
		if err != nil || due == nil {
			if err != nil {
				return ran, err
			}
			continue
		}
		e.hooked, ran = true, true
		if err := due(ctx); err != nil {
			return ran, err
		}
	}
	return ran, nil
}

// dueHook returns the hook to run before the write that the entry is due for, or nil.
func (e *entry) dueHook(op string) (func(ctx context.Context) error, error) {
	if e.unlisted || e.hooked {
		return nil, nil
	}
	switch {
	case e.state == Pending && e.hooks.beforeInsert:
		return e.object().(entity.BeforeInserter).BeforeInsert, nil
	case e.state == Persistent && e.doomed && e.hooks.beforeDelete:
		return e.object().(entity.BeforeDeleter).BeforeDelete, nil
	case e.state == Persistent && !e.doomed && e.hooks.beforeUpdate:
		changed, err := e.changes(op)
		if err != nil || changed.empty() {
			return nil, err
		}
		return e.object().(entity.BeforeUpdater).BeforeUpdate, nil
	}
	return nil, nil
}

// hasHooks reports whether anything has to run before a flush.
func (s *Session) hasHooks() bool {
	if len(s.onFlush) > 0 {
		return true
	}
	for _, e := range s.entries {
		if !e.unlisted && (e.hooks.beforeInsert || e.hooks.beforeUpdate || e.hooks.beforeDelete) {
			return true
		}
	}
	return false
}

// hasChanges reports whether a flush would write anything. An object that cannot be compared counts: the flush will say
// why.
func (s *Session) hasChanges(only *meta) bool {
	if s.relate("session") != nil || s.unlinked {
		return true
	}
	for _, e := range s.entries {
		if e.unlisted || only != nil && e.Table != only.Table {
			continue
		}
		if e.state == Pending && !e.loose() || e.state == Persistent && (e.doomed || e.isDirty()) {
			return true
		}
	}
	return false
}

func (e *entry) isDirty() bool {
	changed, err := e.changes("session")
	return err != nil || !changed.empty() || len(e.waits) > 0
}
