package session

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"unsafe"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/value"
)

// Add makes the session write the objects: an INSERT at the next flush, whatever their key. It fills in what is known
// before: a zero UUID key gets one of version 7, created_at and updated_at the transaction's time, the version 1. An
// object that is added or stored already stays as it is, and one that was marked for deletion no longer is.
//
// Add fails with fault.IdentityConflict where another object with the key is tracked, here or (the same object) in an
// enclosing session, and with fault.Deleted for an object whose row was deleted in this transaction. Updating a detached
// object is what [Merge] is for.
func Add[T any](ctx context.Context, objs ...*T) error {
	const op = "session.Add"
	s, x, err := enterFor[T](ctx, op)
	if err != nil {
		return err
	}
	defer s.leave(ctx)
	for _, obj := range objs {
		if obj == nil {
			return s.about(op, fault.Invalid, x, "a nil object")
		}
		if err := s.add(op, x, unsafe.Pointer(obj)); err != nil {
			return err
		}
	}
	return nil
}

// add makes an object and what its relations reach pending. Keys in want are filled in where the object has none; one
// without a value is known later.
func (s *Session) add(op string, x *meta, base unsafe.Pointer, want ...filled) error {
	if e := s.entryAt(base); e != nil && e.Model == x.Model {
		switch e.state {
		case Persistent:
			return s.undoom(op, e)
		case Pending:
			return nil
		case Deleted:
			return s.about(op, fault.Deleted, x, "its row was deleted in this transaction")
		}
		s.untrack(e)
	}
	if s.enclosing(func(outer *Session) bool { return outer.tracks(base) }) {
		err := s.about(op, fault.IdentityConflict, x, "it is tracked by the session of an enclosing unit of work")
		if key, known, keyErr := x.readKey(nil, base); known && keyErr == nil {
			err.Key = keyString(key)
		}
		return err
	}
	e := s.entry(x, base)
	if len(x.relations) == 0 {
		return s.begin(op, e, want...)
	}
	want, err := s.keyFromParents(op, e, want)
	if err != nil {
		return err
	}
	if err := s.begin(op, e, want...); err != nil {
		return err
	}
	s.completeRelations(e)
	return s.relateEntry(op, e)
}

// undoom takes back the deletion of a stored object.
func (s *Session) undoom(op string, e *entry) error {
	if !e.doomed {
		return nil
	}
	if other := s.byID.get(e.id); other != e {
		return s.conflict(op, e, other, e.key())
	}
	s.log(e)
	e.doomed = false
	return nil
}

// keyFromParents adds the objects whose keys are part of the entry's own, so that it can be identified.
func (s *Session) keyFromParents(op string, e *entry, want []filled) ([]filled, error) {
	for _, r := range e.relations {
		if r.Kind != model.BelongsTo || !r.Local.Key || r.One(e.base) == nil {
			continue
		}
		parent, err := s.reach(op, r, r.One(e.base))
		if err != nil {
			return nil, err
		}
		key := filled{f: r.Local}
		if v, known := parent.settled(r.Foreign); known {
			key.value = v
		}
		want = append(want, key)
	}
	return want, nil
}

// begin stamps a new object and makes it pending.
func (s *Session) begin(op string, e *entry, want ...filled) error {
	if err := s.stampNew(op, e); err != nil {
		return err
	}
	whole, err := s.want(op, e, want)
	if err != nil {
		e.unstamp()
		return err
	}
	key, known, err := e.readKey(s.key[:0], e.base)
	s.key = key
	if err != nil {
		e.unstamp()
		return err
	}
	id, known := identify(e.Model, key), known && whole
	if other := s.byID.get(id); known && other != nil && !s.replace(e, other) {
		e.unstamp()
		return s.conflict(op, e, other, key)
	}
	if len(e.serverSide) > 0 {
		model.MarkPending(e.base)
	}
	s.log(e)
	e.state, e.known = Pending, known
	if known {
		e.id = id
	}
	s.track(e)
	return nil
}

// stampNew fills in the key, the dates and the version of a new object, and remembers what they held.
func (s *Session) stampNew(op string, e *entry) error {
	s.extra(e).stamps = s.values.take(len(e.stamped))
	for i, f := range e.stamped {
		v, err := f.Get(e.base)
		if err != nil {
			return e.fieldError(op, f, err)
		}
		e.stamps[i] = v
	}
	err := s.stamp(op, e)
	if err != nil {
		e.unstamp()
	}
	return err
}

// want fills in keys where the object has none, and reports whether it could.
func (s *Session) want(op string, e *entry, want []filled) (whole bool, err error) {
	whole = true
	for _, w := range want {
		v, err := w.f.Get(e.base)
		switch {
		case err != nil:
			return false, e.fieldError(op, w.f, err)
		case !isUnset(w.f, v):
		case isZero(w.value):
			whole = whole && !w.f.Key
		default:
			if err := s.fill(op, e, w.f, w.value); err != nil {
				return false, err
			}
		}
	}
	return whole, nil
}

// replace lets a new object have the key of one that is marked for deletion, whose row goes first.
func (s *Session) replace(e, other *entry) bool {
	if other.state != Persistent || !other.doomed || other.Deleted != nil {
		return false
	}
	s.log(other)
	s.extra(e).replaces = other
	return true
}

// stamp fills in the key, the dates and the version.
func (s *Session) stamp(op string, e *entry) error {
	now := value.OfTime(s.time())
	for i, f := range e.stamped {
		var v value.Value
		switch {
		case f == e.Version:
			v = value.OfInt(1)
		case !isUnset(f, e.stamps[i]):
			continue
		case f == e.Created, f == e.Updated:
			v = now
		case e.stampsKey(f):
			v = value.OfUUID(s.newID())
		default:
			continue
		}
		if err := e.put(op, f, v); err != nil {
			return err
		}
	}
	return nil
}

// zeroTime is what Go's zero time.Time is stored as.
const zeroTime = -62135596800 * 1_000_000

// isUnset reports whether v is NULL or the zero of the field's Go type.
func isUnset(f *model.Field, v value.Value) bool {
	return isZero(v) || f.Type == value.TypeTime && v.Micros() == zeroTime
}

func (s *Session) newID() [16]byte {
	var random [8]byte
	binary.BigEndian.PutUint64(random[:], rand.Uint64())
	return s.conn.ids.next(s.conn.cfg.Clock(), random)
}

func (s *Session) conflict(op string, e, other *entry, key []value.Value) error {
	err := s.about(op, fault.IdentityConflict, e.meta, "another object with this key is "+other.state.String()+" in the session")
	err.Key = keyString(key)
	return err
}

// about returns an error that concerns an entity's type.
func (s *Session) about(op string, kind fault.Kind, x *meta, message string) *fault.Error {
	e := s.fault(op, kind, message)
	e.Entity, e.Table = x.Name, x.Table
	return e
}

// concerning returns an error that concerns one object.
func (s *Session) concerning(op string, kind fault.Kind, e *entry, message string) *fault.Error {
	err := s.about(op, kind, e.meta, message)
	err.Key = e.keyText()
	return err
}

// Delete marks stored objects: their rows are deleted at the next flush, or get their deletion time where the entity is
// soft-deleted. An object that was only added is transient again, and nothing is written for it. Delete fails with
// fault.NotPersistent for an object that the session does not track.
func Delete[T any](ctx context.Context, objs ...*T) error {
	return each(ctx, "session.Delete", objs, func(s *Session, op string, x *meta, e *entry) error {
		switch {
		case e != nil && e.state == Persistent:
			s.log(e)
			e.doomed = true
		case e != nil && e.state == Pending:
			s.log(e)
			s.retire(e, Transient)
		case e != nil && e.state == Deleted:
		default:
			return s.about(op, fault.NotPersistent, x, "the session does not track it")
		}
		return nil
	})
}

// Expunge makes the session forget objects: their changes are not written. A stored object is detached afterwards, one
// that was only added transient. Objects that the session does not track are fault.NotPersistent.
func Expunge[T any](ctx context.Context, objs ...*T) error {
	return each(ctx, "session.Expunge", objs, func(s *Session, op string, x *meta, e *entry) error {
		if e == nil || e.state == Transient || e.state == Detached {
			return s.about(op, fault.NotPersistent, x, "the session does not track it")
		}
		s.log(e)
		if e.state == Pending {
			s.retire(e, Transient)
		} else {
			s.retire(e, Detached)
		}
		return nil
	})
}

// retire ends the following of an object. A transient one is forgotten, and what was filled in is taken back.
func (s *Session) retire(e *entry, state State) {
	s.unmap(e)
	if old := e.replaces; old != nil && e.state == Pending && old.state == Persistent && !old.unlisted {
		s.byID.put(old)
	}
	if e.replaces != nil {
		e.replaces = nil
	}
	e.doomed = false
	e.unlisted = e.unlisted || e.state == Deleted // as a commit does
	e.state = state
	e.free.Store(state == Detached)
	if state == Transient {
		e.unstamp()
		s.untrack(e)
	}
}

// each runs f for the entry of each object; nil where the session has none.
func each[T any](ctx context.Context, op string, objs []*T, f func(s *Session, op string, x *meta, e *entry) error) error {
	s, x, err := enterFor[T](ctx, op)
	if err != nil {
		return err
	}
	defer s.leave(ctx)
	for _, obj := range objs {
		if err := f(s, op, x, s.entryOf(x, unsafe.Pointer(obj))); err != nil {
			return err
		}
	}
	return nil
}

// entryOf returns the entry of the object at p, or nil.
func (s *Session) entryOf(x *meta, p unsafe.Pointer) *entry {
	if e := s.entryAt(p); e != nil && e.Model == x.Model {
		return e
	}
	return nil
}
