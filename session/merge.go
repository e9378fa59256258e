package session

import (
	"context"
	"unsafe"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/scope"
	"github.com/urutu-go/urutu/value"
)

// absent says what merging makes of an object without a row.
type absent bool

const (
	mayBeNew    absent = true
	mustBeThere absent = false
)

// merge is Merge without its type.
func (s *Session) merge(ctx context.Context, op string, x *meta, src any, without absent) (any, error) {
	from := pointer(src)
	if from == nil {
		return nil, s.about(op, fault.Invalid, x, "a nil object")
	}
	if e := s.entryOf(x, from); e != nil && (e.state == Pending || e.state == Persistent) {
		return src, nil // the session's own object
	}
	key, known, err := x.readKey(nil, from)
	if err != nil {
		return nil, err
	}
	var e *entry
	if known && !unsetKey(x, key) {
		if e, err = s.entryFor(ctx, op, x, key); err != nil {
			return nil, err
		}
	}
	switch {
	case without == mustBeThere && (e == nil || e.isSoftDeleted()):
		err := s.about(op, fault.NotFound, x, "")
		err.Key = keyString(key)
		return nil, err
	case e == nil:
		return s.mergeNew(op, x, from)
	}
	if e.doomed || e.state != Pending && e.state != Persistent {
		return nil, s.concerning(op, fault.Deleted, e, "it is deleted in this session")
	}
	return e.object(), s.copyInto(op, e, from)
}

// isSoftDeleted reports whether the entry's row has a deletion time.
func (e *entry) isSoftDeleted() bool {
	return e.Deleted != nil && !e.snapshot.isNone() && !e.snapshot.at(e.Deleted.Index).IsNull()
}

func unsetKey(x *meta, key []value.Value) bool {
	for i, f := range x.Key {
		if !isUnset(f, key[i]) {
			return false
		}
	}
	return true
}

// entryFor returns the session's entry with a key, read from the database where it has none; nil without a row.
func (s *Session) entryFor(ctx context.Context, op string, x *meta, key []value.Value) (*entry, error) {
	if e := s.byID.get(identify(x.Model, key)); e != nil {
		return e, nil
	}
	r := &rowRead{read: read{m: x.Model}, key: key}
	_, err := s.read(ctx, op, []reader{r})
	return r.e, err
}

// rowRead reads the row with a key that is in the columns' form, deleted or not.
type rowRead struct {
	read
	key  []value.Value
	rows *loader
	e    *entry // nil without a row
}

func (r *rowRead) ask(s *Session, op string, b *burst) error {
	r.rows = &loader{s: s, x: r.x, op: op, found: func(_ any, e *entry) { r.e = e }}
	st, err := r.x.selectByKey(r.key)
	b.add(st, r)
	return err
}

func (r *rowRead) row(cells []value.Value) error { return r.rows.row(cells) }

// mergeNew adds a copy.
func (s *Session) mergeNew(op string, x *meta, from unsafe.Pointer) (any, error) {
	base, obj := x.New()
	for _, f := range x.Fields {
		v, err := f.Get(from)
		if err == nil && f.Generated == "" {
			err = f.Set(base, v)
		}
		if err != nil {
			return nil, x.fieldError(op, f, err)
		}
	}
	return obj, s.add(op, x, base)
}

// copyInto copies the fields of the struct at from into a tracked object.
func (s *Session) copyInto(op string, e *entry, from unsafe.Pointer) error {
	if f := e.Version; f != nil {
		theirs, err := f.Get(from)
		if err != nil {
			return e.fieldError(op, f, err)
		}
		ours, _ := f.Get(e.base)
		if !isZero(theirs) && theirs != ours {
			return s.concerning(op, fault.Stale, e, "its version is not the stored one")
		}
	}
	for _, f := range e.Fields {
		if e.Immutable(f) || f == e.Updated || f == e.Version || f == e.Deleted {
			continue
		}
		v, err := f.Get(from)
		if err == nil {
			err = f.Set(e.base, v)
		}
		if err != nil {
			return e.fieldError(op, f, err)
		}
	}
	return nil
}

// autoflushes reports whether queries flush first: not where the context says so, and not inside a flush.
func (s *Session) autoflushes(ctx context.Context) bool {
	return !s.inside && scope.From(ctx).Autoflush != scope.FlushNone
}
