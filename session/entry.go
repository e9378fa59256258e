package session

import (
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/value"
)

// State is what an object is to a session.
type State uint8

// The states of an object; it is in exactly one.
const (
	// Transient: the session does not know it.
	Transient State = iota
	// Pending: it was added, and its row is not written yet.
	Pending
	// Persistent: its row is in the database, as far as this transaction sees. An object that is marked for deletion
	// stays persistent until the flush.
	Persistent
	// Deleted: its row was deleted in this transaction, which has not ended yet.
	Deleted
	// Detached: the session knew it and does not follow it any more.
	Detached
)

// String returns the state's name.
func (s State) String() string {
	return [...]string{"transient", "pending", "persistent", "deleted", "detached"}[s]
}

// entry is what a session knows of one object.
type entry struct {
	*meta
	base unsafe.Pointer

	status
	*extras
	hooked   bool        // its Before-hook has run for the write that is being planned
	unlisted bool        // dropped from the session's list at the next chance
	free     atomic.Bool // detached: another session may have it
}

// extras is what only few entries have, apart so that the others are small. Its fields may be read of every entry; who
// sets one does it by [Session.extra].
type extras struct {
	stamps   []value.Value // what the fields of meta.stamped held before Add
	filled   []filled      // foreign keys that relations filled in
	emptied  []*relation   // to-many fields that were nil before Add
	waits    []wait        // foreign keys that wait for the database to make the other row's key
	ends     *ends         // of a row in between
	replaces *entry        // an object that is marked for deletion and had the same key
}

// noExtras is what all entries share that have none. It is never written.
var noExtras extras

// extra returns the entry's own extras.
func (s *Session) extra(e *entry) *extras {
	if e.extras == &noExtras {
		e.extras = s.extras.one()
	}
	return e.extras
}

// object returns the object as a *T.
func (e *entry) object() any { return e.At(e.base) }

// status is the part of an entry that a savepoint's rollback puts back.
type status struct {
	state    State
	doomed   bool // marked for deletion
	known    bool // the key is known: the entry is in the identity map under id
	id       identity
	snapshot row        // the row as the database has it; none while pending. Replaced, never changed
	rels     []relState // what is known of its relations; nil for nothing. Replaced, never changed
	logged   *Savepoint // the innermost savepoint whose undo log has the entry
}

// entry returns a new entry, transient still, for the object at base.
func (s *Session) entry(x *meta, base unsafe.Pointer) *entry {
	e := s.stored().entries.one()
	e.meta, e.base, e.extras = x, base, &noExtras
	return e
}

// key returns the key of a persistent entry's row.
func (e *entry) key() []value.Value { return e.appendKey(make([]value.Value, 0, len(e.Key))) }

func (e *entry) appendKey(to []value.Value) []value.Value {
	for _, f := range e.Key {
		to = append(to, e.keyValue(f))
	}
	return to
}

// keyValue returns a value of the key of a persistent entry's row.
func (e *entry) keyValue(f *model.Field) value.Value {
	if !e.snapshot.isNone() {
		return e.snapshot.at(f.Index)
	}
	v, _ := f.Get(e.base)
	return v
}

// keyText prints the key for an error; an unknown one is "(new)".
func (e *entry) keyText() string {
	if !e.known && e.snapshot.isNone() {
		return "(new)"
	}
	return keyString(e.key())
}

// put sets a field of the object.
func (e *entry) put(op string, f *model.Field, v value.Value) error {
	if err := f.Set(e.base, v); err != nil {
		return e.fieldError(op, f, err)
	}
	return nil
}

// changes compares the object with its row and returns the columns that differ. Columns that are never updated do not
// count, and a changed key is an error.
func (e *entry) changes(op string) (changed bits, err error) {
	for _, f := range e.watched {
		if kind, hi, lo, text := e.snapshot.parts(f.Index); f.Holds(e.base, kind, hi, lo, text) {
			continue
		}
		same, _, err := f.Same(f.At(e.base), e.snapshot.at(f.Index))
		switch {
		case err != nil:
			return changed, e.fieldError(op, f, err)
		case same:
		case f.Key:
			return changed, e.keyChanged(op, f)
		default:
			changed.set(f.Index)
		}
	}
	return changed, nil
}

// restore puts the row's values back into the object, field by field where they differ, so that a pointer to an
// unchanged field's value stays good.
func (e *entry) restore() {
	for i, f := range e.Fields {
		was := e.snapshot.at(i)
		if same, _, err := f.Same(f.At(e.base), was); err == nil && same {
			continue
		}
		_ = f.Set(e.base, was) // it came out of this field, or out of its column
	}
	e.keysStored()
	for _, r := range e.relations {
		st := e.relation(r)
		if !slices.Equal(st.elements(), r.now(e.base).elements()) || r.Kind.ToMany() && st.known == r.unset(e.base) {
			st.show(e.base, r)
		}
	}
}

// unstamp puts back what the fields that Add and the flush fill in held before.
func (e *entry) unstamp() {
	for i, v := range e.stamps {
		_ = e.stamped[i].Set(e.base, v)
	}
	for _, k := range slices.Backward(e.filled) {
		_ = k.f.Set(e.base, k.before)
	}
	for _, r := range e.emptied {
		if len(r.Many(e.base)) == 0 {
			r.SetMany(e.base, nil)
		}
	}
	if e.extras != &noExtras {
		e.stamps, e.filled, e.emptied, e.waits = nil, nil, nil, nil
	}
	if len(e.serverSide) > 0 {
		model.ClearPending(e.base)
	}
}

// keyChanged says that the key of a stored object was changed.
func (e *entry) keyChanged(op string, f *model.Field) error {
	return &fault.Error{
		Kind: fault.KeyChanged, Op: op, Entity: e.Name, Key: keyString(e.key()), Table: e.Table, Columns: []string{f.Column},
		Message: "the key of a stored object was changed; delete it and add another one",
	}
}
