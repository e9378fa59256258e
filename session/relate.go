package session

import (
	"slices"
	"unsafe"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/value"
)

// relState is what the session knows of one relation of an object. It is replaced, never changed.
type relState struct {
	known bool // loaded, or complete because the object is new
	// What the field held when its keys were last brought into agreement with it.
	one  unsafe.Pointer
	many []unsafe.Pointer
	lost *value.Value // the foreign key, where it led to no row
}

// filled is a foreign key that the session set, because a relation said so.
type filled struct {
	f             *model.Field
	before, value value.Value
	stored        bool // the row has it, or it was taken back: it is the row that says what the key was
}

// wait says that a foreign key cannot be filled in yet: the database makes the key of the other row.
type wait struct {
	on *entry
	f  *model.Field
}

// relation returns what is known of one relation.
func (e *entry) relation(r *relation) relState {
	if e.rels == nil {
		return relState{}
	}
	return e.rels[r.Index]
}

// note remembers the state of a relation.
func (s *Session) note(e *entry, r *relation, st relState) {
	s.log(e)
	rels := make([]relState, len(e.relations))
	copy(rels, e.rels)
	rels[r.Index] = st
	e.rels = rels
}

// setRelation remembers the state of a relation and makes the object's field show it.
func (s *Session) setRelation(e *entry, r *relation, st relState) {
	s.note(e, r, st)
	st.show(e.base, r)
}

// show sets the field of the struct at base: an unknown to-many relation is nil, an empty one is not.
func (st relState) show(base unsafe.Pointer, r *relation) {
	switch {
	case !r.Kind.ToMany():
		r.SetOne(base, st.one)
	case st.known || len(st.many) > 0:
		r.SetMany(base, append([]unsafe.Pointer{}, st.many...))
	default:
		r.SetMany(base, nil)
	}
}

// relate brings the relations of every object and the keys that stand for them into agreement: what is reachable from a
// tracked object is added, foreign keys are filled in, rows of the tables in between are added and marked for deletion.
// It does nothing where they agree.
func (s *Session) relate(op string) error {
	if !s.related {
		return nil
	}
	s.unlinked = false
	for _, e := range s.entries {
		if len(e.waits) > 0 {
			e.waits = e.waits[:0]
		}
	}
	for i := 0; i < len(s.entries); i++ { // it grows meanwhile
		if err := s.relateEntry(op, s.entries[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) relateEntry(op string, e *entry) error {
	if e.unlisted || e.doomed || e.state != Pending && e.state != Persistent {
		return nil
	}
	for _, r := range e.relations {
		var err error
		switch r.Kind {
		case model.BelongsTo:
			err = s.belongsTo(op, e, r)
		case model.ManyToMany:
			err = s.links(op, e, r)
		default:
			err = s.has(op, e, r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// reach returns the entry of an object that a relation leads to; one that the session does not know is added, with want
// filled in before its key is looked at.
func (s *Session) reach(op string, r *relation, p unsafe.Pointer, want ...filled) (*entry, error) {
	if e := s.entryAt(p); e != nil && e.Model == r.Target {
		return e, nil
	}
	x, err := s.conn.meta(r.Target, op)
	if err != nil {
		return nil, err
	}
	if err := s.add(op, x, p, want...); err != nil {
		return nil, err
	}
	return s.entryAt(p), nil
}

// belongsTo fills in the foreign key of the row that the field points to. Where the two say different things, the one
// that was changed counts; where both were, it is an error.
func (s *Session) belongsTo(op string, e *entry, r *relation) error {
	was, p := e.relation(r), r.One(e.base)
	if p == nil {
		return s.left(op, e, r, was)
	}
	to, err := s.reach(op, r, p)
	if err != nil {
		return err
	}
	key, known := to.settled(r.Foreign)
	if !known {
		return s.await(op, e, to, r.Local)
	}
	mine, err := r.Local.Get(e.base)
	if err != nil {
		return e.fieldError(op, r.Local, err)
	}
	switch {
	case mine == key:
	case e.asItWas(r.Local, mine):
		if err := s.fill(op, e, r.Local, key); err != nil {
			return err
		}
	case p == was.one: // the key was changed, and the field still shows the old row
		s.setRelation(e, r, relState{})
		return nil
	default:
		return s.disagree(op, e, r, r.Local)
	}
	if p != was.one {
		s.note(e, r, relState{known: true, one: p})
	}
	return nil
}

// left follows a field that points to nothing any more: NULL where the key can be that, and otherwise as if it had not
// been loaded.
func (s *Session) left(op string, e *entry, r *relation, was relState) error {
	if was.one == nil {
		return nil
	}
	mine, err := r.Local.Get(e.base)
	if err != nil {
		return e.fieldError(op, r.Local, err)
	}
	if !r.Local.Nullable || !e.asItWas(r.Local, mine) {
		s.note(e, r, relState{})
		return nil
	}
	s.note(e, r, relState{known: true})
	return s.fill(op, e, r.Local, value.Value{})
}

// has fills in the foreign keys of the rows in the field. One that moved here from elsewhere follows; one whose key was
// changed, while it still stands in the list that was loaded, is not brought back.
func (s *Session) has(op string, e *entry, r *relation) error {
	was, now := e.relation(r).elements(), r.now(e.base).elements()
	if slices.Equal(now, was) {
		return nil
	}
	key, known := e.settled(r.Local)
	for _, p := range now {
		if p == nil {
			return s.concerning(op, fault.Invalid, e, "nil in "+r.Name)
		}
		if err := s.own(op, e, r, p, key, known, was); err != nil {
			return err
		}
	}
	if known {
		s.note(e, r, e.relation(r).holding(r.now(e.base)))
	}
	return nil
}

// own makes one row refer to the entry's.
func (s *Session) own(op string, e *entry, r *relation, p unsafe.Pointer, key value.Value, known bool, was []unsafe.Pointer) error {
	want := filled{f: r.Foreign, value: key}
	if !known {
		want.value = value.Value{}
	}
	child, err := s.reach(op, r, p, want)
	if err != nil || child.doomed || child.state != Pending && child.state != Persistent {
		return err
	}
	theirs, err := r.Foreign.Get(p)
	switch {
	case err != nil:
		return child.fieldError(op, r.Foreign, err)
	case known && theirs == key, slices.Contains(was, p):
		return nil
	case known && !child.asItWas(r.Foreign, theirs):
		return s.disagree(op, child, r, r.Foreign)
	}
	if err := s.moveOut(op, child, r, e.base); err != nil {
		return err
	}
	if !known {
		return s.await(op, child, e, r.Foreign)
	}
	return s.fill(op, child, r.Foreign, key)
}

// await notes that a foreign key comes with the key of another row. A new row does not go to the one in between that it
// was said to belong to before.
func (s *Session) await(op string, e, on *entry, f *model.Field) error {
	x := s.extra(e)
	x.waits = append(x.waits, wait{on, f})
	if e.state != Pending || !f.Nullable {
		return nil
	}
	v, err := f.Get(e.base)
	if err != nil {
		return e.fieldError(op, f, err)
	}
	if isUnset(f, v) || !e.asItWas(f, v) {
		return nil
	}
	return s.fill(op, e, f, value.Value{})
}

// moveOut makes a row that moves by a list show no other row that it belongs to. One that the program has just set is
// another answer to the same question.
func (s *Session) moveOut(op string, child *entry, list *relation, owner unsafe.Pointer) error {
	for _, r := range child.relations {
		if r.Kind != model.BelongsTo || r.Local != list.Foreign {
			continue
		}
		switch p, was := r.One(child.base), child.relation(r).one; {
		case p == owner, p == nil && was == nil:
		case p == nil, p == was:
			s.setRelation(child, r, relState{})
		default:
			return s.disagree(op, child, r, r.Local)
		}
	}
	return nil
}

// now returns what the field holds.
func (r *relation) now(base unsafe.Pointer) relState {
	if r.Kind.ToMany() {
		return relState{many: r.Many(base)}
	}
	return relState{one: r.One(base)}
}

// elements returns the objects of either kind of relation.
func (st relState) elements() []unsafe.Pointer {
	if st.one != nil {
		return []unsafe.Pointer{st.one}
	}
	return st.many
}

// holding returns the state with what a field holds now.
func (st relState) holding(now relState) relState {
	st.one, st.many = now.one, slices.Clone(now.many)
	return st
}

// settled returns the value of a column that others refer to, and whether it is there: what the database makes, and a
// key that waits for another row's, is not there before the flush.
func (e *entry) settled(f *model.Field) (value.Value, bool) {
	v, err := f.Get(e.base)
	if err != nil {
		return v, false // the flush of the object itself says why
	}
	if e.state != Pending || !isUnset(f, v) {
		return v, true
	}
	return v, !f.Server() && !e.waitsFor(f)
}

// waitsFor reports whether a column is filled in by a relation, later.
func (e *entry) waitsFor(f *model.Field) bool {
	for _, w := range e.waits {
		if w.f == f {
			return true
		}
	}
	for _, r := range e.relations {
		if r.Kind == model.BelongsTo && r.Local == f && r.One(e.base) != nil {
			return true
		}
	}
	return false
}

// asItWas reports whether a foreign key is what the row has, what the session filled in, or nothing: whether it was the
// relation that changed.
func (e *entry) asItWas(f *model.Field, v value.Value) bool {
	for _, k := range e.filled {
		if k.f == f && !k.stored {
			return k.value == v || e.snapshot.isNone() && isUnset(f, v)
		}
	}
	if !e.snapshot.isNone() {
		return v == e.snapshot.at(f.Index)
	}
	return isUnset(f, v)
}

// keysStored makes the row say what the foreign keys were, and not what was filled in.
func (e *entry) keysStored() {
	for i := range e.filled {
		e.filled[i].stored = true
	}
}

// fill sets a foreign key, and remembers what it was for [entry.unstamp].
func (s *Session) fill(op string, e *entry, f *model.Field, v value.Value) error {
	i := slices.IndexFunc(e.filled, func(k filled) bool { return k.f == f })
	if i < 0 {
		before, err := f.Get(e.base)
		if err != nil {
			return e.fieldError(op, f, err)
		}
		i = len(e.filled)
		x := s.extra(e)
		x.filled = append(x.filled, filled{f: f, before: before})
	}
	e.filled[i].value, e.filled[i].stored = v, false
	return e.put(op, f, v)
}

// disagree says that a relation and its key were both set, to different rows.
func (s *Session) disagree(op string, e *entry, r *relation, f *model.Field) error {
	err := s.concerning(op, fault.Invalid, e, "the relation "+r.Name+" and the key "+f.Name+" name different rows; set one of them")
	err.Columns = []string{f.Column}
	err.Fields = []fault.Field{{Name: f.Name, Message: "it names another row than the relation " + r.Name}}
	return err
}

// completeRelations makes the to-many relations of a new object known: it has none but those in its fields.
func (s *Session) completeRelations(e *entry) {
	for _, r := range e.relations {
		if !r.Kind.ToMany() {
			continue
		}
		if r.Many(e.base) == nil {
			x := s.extra(e)
			x.emptied = append(x.emptied, r)
			r.SetMany(e.base, []unsafe.Pointer{})
		}
		s.note(e, r, relState{known: true})
	}
}

// followKeys makes the relations of a row that was read anew say what its foreign keys say: those that name another row
// are not loaded any more.
func (s *Session) followKeys(e *entry) {
	for _, r := range e.relations {
		if r.Kind != model.BelongsTo {
			continue
		}
		was, now := e.relation(r), r.One(e.base)
		switch {
		case !s.refersTo(e, r, was.one) && was.one != nil:
			s.setRelation(e, r, relState{})
		case now != was.one:
			was.show(e.base, r)
		}
	}
}

// refersTo reports whether the entry's row refers to the object at p.
func (s *Session) refersTo(e *entry, r *relation, p unsafe.Pointer) bool {
	to := s.entryAt(p)
	if to == nil {
		return false
	}
	key, known := to.settled(r.Foreign)
	return known && key == e.snapshot.at(r.Local.Index)
}
