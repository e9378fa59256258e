package session

import (
	"slices"
	"unsafe"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/value"
)

// links adds the rows in between that the field's new elements need, and deletes those of the elements that are gone. A
// nil slice says nothing: it is what a field looks like that was not loaded.
func (s *Session) links(op string, e *entry, r *relation) error {
	was, now := e.relation(r), r.Many(e.base)
	if now == nil || slices.Equal(now, was.many) {
		return nil
	}
	key, known := e.settled(r.Local)
	linked := make([]unsafe.Pointer, 0, len(now))
	for _, p := range now {
		if p == nil {
			return s.concerning(op, fault.Invalid, e, "nil in "+r.Name)
		}
		to, err := s.reach(op, r, p)
		if err != nil {
			return err
		}
		theirs, ok := to.settled(r.Foreign)
		if !known || !ok {
			s.unlinked = true
			continue
		}
		if !slices.Contains(was.many, p) {
			if err := s.link(op, r, ends{e, to}, key, theirs); err != nil {
				return err
			}
		}
		linked = append(linked, p)
	}
	for _, p := range was.many {
		if slices.Contains(now, p) {
			continue
		}
		if err := s.unlink(op, r, e, key, p); err != nil {
			return err
		}
	}
	s.note(e, r, was.holding(relState{many: linked}))
	return nil
}

// linkRow returns the table in between and the key of one of its rows.
func (s *Session) linkRow(op string, r *relation, mine, theirs value.Value) (*meta, []value.Value, error) {
	x, err := s.conn.meta(r.Link, op)
	key := make([]value.Value, 2)
	key[r.LinkLocal.Index], key[r.LinkForeign.Index] = mine, theirs
	return x, key, err
}

// ends are the two entries that a row in between refers to.
type ends struct{ one, other *entry }

// have reports whether e is one of them.
func (n *ends) have(e *entry) bool { return n != nil && (n.one == e || n.other == e) }

// gone reports whether the row of one of them is not there any more.
func (n *ends) gone() bool { return n.one.rowGone() || n.other.rowGone() }

// link adds a row in between, unless it is there.
func (s *Session) link(op string, r *relation, between ends, mine, theirs value.Value) error {
	x, key, err := s.linkRow(op, r, mine, theirs)
	if err != nil {
		return err
	}
	if e := s.byID.get(identify(x.Model, key)); e != nil && s.linked(e, between) || e == nil && between.loaded(r) {
		return nil
	}
	e, err := s.rowBetween(op, x, key, between)
	if err != nil {
		return err
	}
	return s.begin(op, e)
}

// linked reports whether the row in between that has the key is the one between these two. One between others, of which
// one gives its key to another object, makes room for it.
func (s *Session) linked(e *entry, between ends) bool {
	s.log(e)
	switch {
	case e.state == Deleted || e.state == Detached: // its row was deleted
		s.unmap(e)
	case e.ends.gone():
		s.drop(e)
	case e.ends.have(between.one) && e.ends.have(between.other):
		e.doomed = false
		return true
	case e.state == Pending:
		s.retire(e, Transient)
	default:
		e.doomed = true
	}
	return false
}

// loaded reports whether the other end of r was loaded, and had the one among its elements.
func (n *ends) loaded(r *relation) bool {
	if n.one.state != Persistent || n.other.state != Persistent {
		return false
	}
	for _, back := range n.other.relations {
		if r.mirrors(back) && slices.Contains(n.other.relation(back).many, n.one.base) {
			return true
		}
	}
	return false
}

// mirrors reports whether back is the other end of r, which has a table in between.
func (r *relation) mirrors(back *relation) bool {
	return back.Link == r.Link && back.LinkLocal == r.LinkForeign
}

// loose reports whether a row in between is not to be added, because one of those that it refers to goes or has gone.
func (e *entry) loose() bool {
	leaves := func(end *entry) bool { return end.doomed || end.rowGone() }
	return e.ends != nil && (leaves(e.ends.one) || leaves(e.ends.other))
}

// drop forgets a row in between of which one end has gone. Where that is only about to go, it may yet stay.
func (s *Session) drop(e *entry) {
	if !e.ends.gone() {
		return
	}
	s.log(e)
	if e.state == Pending {
		s.retire(e, Transient)
	} else {
		s.retire(e, Detached)
	}
}

// rowGone reports whether an object was stored and is not any more, as far as the session knows.
func (e *entry) rowGone() bool { return e.state == Deleted || e.state == Transient || e.unlisted }

// rowBetween returns the entry of a row in between, which the session does not follow yet.
func (s *Session) rowBetween(op string, x *meta, key []value.Value, between ends) (*entry, error) {
	base, _ := x.New()
	for i, f := range x.Fields {
		if err := f.Set(base, key[i]); err != nil {
			return nil, x.fieldError(op, f, err)
		}
	}
	e := s.entry(x, base)
	s.extra(e).ends = &between
	return e, nil
}

// unlink marks a row in between for deletion.
func (s *Session) unlink(op string, r *relation, from *entry, mine value.Value, p unsafe.Pointer) error {
	to := s.entryAt(p)
	if to == nil || to.rowGone() {
		return nil // the row in between has gone with it
	}
	theirs, known := to.settled(r.Foreign)
	x, key, err := s.linkRow(op, r, mine, theirs)
	if err != nil || !known {
		return err
	}
	e := s.byID.get(identify(x.Model, key))
	switch {
	case e != nil && (e.state == Deleted || e.state == Detached || e.ends.gone()):
		return nil // it was unlinked from the other end, or went with one
	case e != nil && e.state == Pending:
		s.log(e)
		s.retire(e, Transient)
		return nil
	case e == nil && (from.state == Pending || to.state == Pending):
		return nil // it was added again, and what was linked was not written
	case e == nil:
		if e, err = s.linkOf(op, x, key, ends{from, to}); err != nil {
			return err
		}
	}
	s.log(e)
	e.doomed = true
	return nil
}

// linkOf makes the session know a row in between that the database has.
func (s *Session) linkOf(op string, x *meta, key []value.Value, between ends) (*entry, error) {
	e, err := s.rowBetween(op, x, key, between)
	if err != nil {
		return nil, err
	}
	s.log(e)
	e.state, e.known, e.id, e.snapshot = Persistent, true, identify(x.Model, key), s.stored().rows.of(x.layout, key)
	s.track(e)
	return e, nil
}
