package session

import (
	"slices"
	"time"

	"github.com/urutu-go/urutu/internal/model"
)

// Savepoint is a scope inside a session's transaction that can be undone by itself: what [Nested] runs its function in.
// The outermost one of a session, its root, stands for the transaction.
type Savepoint struct {
	session *Session
	parent  *Savepoint // nil for the root
	name    string
	inTx    bool // a transaction was open when it began
	emitted bool // the database has it
	ended   bool
	undo    []undo
	rewrote []rewrite // by criteria: see reads
	staged  int       // staged rows when it began
	flushes int       // flush hooks when it began
	mark    func()    // cuts the unit's hooks back to when it began
}

// undo is what one object was to the session before a savepoint touched it.
type undo struct {
	e   *entry
	was *status // nil for an object that was not known
}

// loggedIn returns the savepoint whose log had the entry before.
func (u undo) loggedIn() *Savepoint {
	if u.was == nil {
		return nil
	}
	return u.was.logged
}

// log remembers an entry's status before its first change inside the current savepoint.
func (s *Session) log(e *entry) {
	if e.logged == s.top {
		return
	}
	u := undo{e: e}
	if e.state != Transient || e.logged != nil {
		u.was = s.statuses.one()
		*u.was = e.status
	}
	s.top.undo = append(s.top.undo, u)
	e.logged = s.top
}

// keep hands a savepoint's log over to its parent, which then undoes both; of an object that both have touched the
// parent's older record stays.
func (sp *Savepoint) keep() {
	for _, u := range sp.undo {
		if u.loggedIn() != sp.parent {
			sp.parent.undo = append(sp.parent.undo, u)
		}
		u.e.logged = sp.parent
	}
	sp.undo = nil
	sp.parent.rewrote = append(sp.parent.rewrote, sp.rewrote...)
}

// reads notes that an object was read behind a write by criteria, which may have changed its row: where that is undone the
// object is detached, since it shows what never was.
func (s *Session) reads(e *entry) {
	for sp := s.top; sp != nil; sp = sp.parent {
		if slices.ContainsFunc(sp.rewrote, func(w rewrite) bool { return w.reaches(e.meta) }) {
			before := s.statuses.one()
			*before = e.status
			before.state = Detached
			sp.undo = append(sp.undo, undo{e, before})
			e.logged = sp
			return
		}
	}
}

// revert undoes what a savepoint logged, newest first, and brings every stored object's fields back to its row.
func (s *Session) revert(sp *Savepoint) {
	for i := len(sp.undo) - 1; i >= 0; i-- {
		s.revertEntry(sp.undo[i])
	}
	sp.undo = nil
	for _, e := range s.entries {
		e.hooked = false
		if e.state == Persistent && !e.unlisted {
			e.restore()
		}
	}
}

func (s *Session) revertEntry(u undo) {
	e := u.e
	s.unmap(e)
	written := !e.snapshot.isNone() && e.known
	id := e.id
	e.status = status{}
	if u.was != nil {
		e.status = *u.was
	}
	if other := s.byID.get(id); other != nil && written && e.state == Transient {
		s.retire(other, Detached) // it was loaded after e was expunged, and the row has gone
	}
	e.free.Store(e.state == Detached)
	if e.state == Transient {
		e.unstamp()
		s.untrack(e)
		return
	}
	e.unlisted = false
	s.tracked.Lock()
	s.byPtr.put(e)
	s.tracked.Unlock()
	if e.known && (e.state == Pending || e.state == Persistent || e.ends != nil) {
		if other := s.byID.get(e.id); other != nil && other != e {
			s.retire(other, Detached) // it was loaded after e was expunged
		}
		s.byID.put(e)
	}
	if e.state == Pending && len(e.serverSide) > 0 {
		model.MarkPending(e.base)
	}
}

// settle makes what a commit made durable the state that nothing brings back any more.
func (s *Session) settle() {
	for _, u := range s.root.undo {
		u.e.logged = nil
		if u.e.state == Deleted {
			u.e.state = Detached
			u.e.free.Store(true)
			u.e.unlisted = u.e.ends == nil // of one in between, both of its ends still want to know
		}
	}
	s.root.undo = nil
	s.endTransaction()
}

// endTransaction forgets what belonged to the transaction that has ended.
func (s *Session) endTransaction() {
	s.sweep()
	s.root.rewrote = nil
	s.staged, s.resolver = nil, nil
	s.now = time.Time{}
	s.resetSavepoints()
}

// resetSavepoints says that the database has none of the savepoints any more.
func (s *Session) resetSavepoints() {
	s.releases = nil
	for sp := s.top; sp != nil; sp = sp.parent {
		sp.emitted = false
	}
}

// within reports whether sp is outer or lies inside of it.
func (sp *Savepoint) within(outer *Savepoint) bool {
	for ; sp != nil; sp = sp.parent {
		if sp == outer {
			return true
		}
	}
	return false
}
