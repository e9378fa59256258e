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
			if err := s.link(op, r, key, theirs); err != nil {
				return err
			}
		}
		linked = append(linked, p)
	}
	for _, p := range was.many {
		if slices.Contains(now, p) {
			continue
		}
		if err := s.unlink(op, r, key, p); err != nil {
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

// link adds a row in between, unless it is there.
func (s *Session) link(op string, r *relation, mine, theirs value.Value) error {
	x, key, err := s.linkRow(op, r, mine, theirs)
	if err != nil {
		return err
	}
	if e, ok := s.byID[identify(x.Model, key)]; ok {
		if e.doomed {
			s.log(e)
			e.doomed = false
		}
		return nil
	}
	base, obj := x.New()
	for i, f := range x.Fields {
		if err := f.Set(base, key[i]); err != nil {
			return x.fieldError(op, f, err)
		}
	}
	return s.begin(op, s.entry(x, base, obj))
}

// unlink marks a row in between for deletion.
func (s *Session) unlink(op string, r *relation, mine value.Value, p unsafe.Pointer) error {
	to, ok := s.byPtr[p]
	if !ok {
		return nil
	}
	theirs, known := to.settled(r.Foreign)
	x, key, err := s.linkRow(op, r, mine, theirs)
	if err != nil || !known {
		return err
	}
	e, ok := s.byID[identify(x.Model, key)]
	switch {
	case ok && e.state == Pending:
		s.log(e)
		s.retire(e, Transient)
		return nil
	case !ok:
		if e, err = s.linkOf(op, x, key); err != nil {
			return err
		}
	}
	s.log(e)
	e.doomed = true
	return nil
}

// linkOf makes the session know a row in between that the database has.
func (s *Session) linkOf(op string, x *meta, key []value.Value) (*entry, error) {
	base, obj := x.New()
	for i, f := range x.Fields {
		if err := f.Set(base, key[i]); err != nil {
			return nil, x.fieldError(op, f, err)
		}
	}
	e := s.entry(x, base, obj)
	s.log(e)
	e.state, e.known, e.id, e.snapshot = Persistent, true, identify(x.Model, key), key
	s.track(e)
	return e, nil
}
