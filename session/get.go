package session

import (
	"context"
	"unsafe"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// Get returns the object with the key: the one that the session has, without a query, or else its row's. The key is of
// the key field's type or one that means the same (a UUID's text), and a [Key] where it has several columns. A miss, and
// an object that is marked for deletion, is fault.NotFound with the key.
//
// With a lock or [query.Populate] among the clauses the row is always read, and an object that the session has is
// renewed from it; its unflushed changes survive a lock. Predicates among the clauses must hold too, and cause a query
// as well.
func Get[T any](ctx context.Context, key any, clauses ...query.Clause) (*T, error) {
	r := keyRead{read: of[T](clauses), key: key}
	r.must = true
	obj, err := get(ctx, "session.Get", r)
	if err != nil {
		return nil, err
	}
	return obj.(*T), nil
}

// Lookup is Get where a miss is no error.
func Lookup[T any](ctx context.Context, key any, clauses ...query.Clause) (obj *T, ok bool, err error) {
	found, err := get(ctx, "session.Lookup", keyRead{read: of[T](clauses), key: key})
	obj, ok = found.(*T)
	return obj, ok, err
}

// get is run for a read by key. An object that the session has costs no memory.
func get(ctx context.Context, op string, r keyRead) (obj any, err error) {
	s, err := enter(ctx, op)
	if err != nil {
		return nil, err
	}
	defer s.leave(ctx)
	if err = r.bind(s, op); err == nil && (!r.held || r.q != nil) {
		asked := r
		err = s.answer(ctx, op, &asked)
		r.obj = asked.obj
	} else if err == nil {
		err = r.verdict(s, op)
	}
	if err != nil {
		return nil, entityError(err, r.x)
	}
	return r.obj, nil
}

// keyRead reads the row with a key.
type keyRead struct {
	read
	key  any           // as its caller gave it
	k    []value.Value // in the form of the key's columns
	rows loader
	obj  any // a *T, or nil for a miss
}

func (r *keyRead) bind(s *Session, op string) error {
	if err := r.read.bind(s, op); err != nil {
		return err
	}
	k, err := r.x.keyOf(op, r.key)
	if err != nil {
		return err
	}
	r.k, r.obj = k, nil
	e := s.byID.get(identify(r.m, k))
	if e == nil || r.q != nil && !r.q.OnlyLoads() && e.state == Persistent && !e.doomed {
		return nil
	}
	r.held, r.obj = true, e.present()
	return nil
}

// present returns the object as a *T, or nil where it is deleted or about to be.
func (e *entry) present() any {
	if e.doomed || e.state != Pending && e.state != Persistent {
		return nil
	}
	return e.object()
}

func (r *keyRead) ask(s *Session, op string, b *burst) error {
	if r.q == nil || r.q.IsPlain() {
		r.rows = loader{s: s, x: r.x, op: op, untracked: r.q != nil && r.q.NoTracking, found: r.found}
		st := r.x.get
		st.Args = r.k
		b.add(st, r)
		b.one = len(b.stmts) == 1
		return nil
	}
	q := r.q
	r.rows = *s.loader(b, r.x, op, q, r.found)
	t, err := q.ByKey(r.x.d, r.x.columns, r.k)
	b.add(r.x.statement(t, r.x.types, "select"), r)
	return err
}

func (r *keyRead) found(obj any, _ *entry)       { r.obj = obj }
func (r *keyRead) row(cells []value.Value) error { return r.rows.row(cells) }

func (r *keyRead) objects() []unsafe.Pointer {
	if r.obj == nil {
		return nil
	}
	return []unsafe.Pointer{pointer(r.obj)}
}

func (r *keyRead) verdict(s *Session, op string) error {
	if !r.must || r.obj != nil {
		return nil
	}
	e := s.about(op, fault.NotFound, r.x, "")
	e.Key = keyString(r.k)
	return e
}

// GetMany returns the objects with the keys, in the order of the keys and with their repetitions, and the keys that
// have none. It makes one query for all that the session does not have.
func GetMany[T any](ctx context.Context, keys ...any) (found []*T, missing []any, err error) {
	r := &keysRead{read: of[T](nil), keys: keys}
	if err := run(ctx, "session.GetMany", r); err != nil {
		return nil, nil, err
	}
	found, missing = many[T](r)
	return found, missing, nil
}

// many returns what a read of many keys has found, in their order, and which it has not.
func many[T any](r *keysRead) (found []*T, missing []any) {
	for i, id := range r.ids {
		if obj, ok := r.objs[id].(*T); ok {
			found = append(found, obj)
		} else {
			missing = append(missing, r.keys[i])
		}
	}
	return found, missing
}

// keysRead reads the rows with many keys.
type keysRead struct {
	read
	keys   []any // as their caller gave them
	ids    []identity
	wanted [][]value.Value // the keys of the rows to read
	rows   *loader
	objs   map[identity]any // nil for a miss
}

func (r *keysRead) bind(s *Session, op string) error {
	if err := r.read.bind(s, op); err != nil {
		return err
	}
	r.ids, r.wanted, r.objs = make([]identity, len(r.keys)), nil, make(map[identity]any, len(r.keys))
	for i, key := range r.keys {
		k, err := r.x.keyOf(op, key)
		if err != nil {
			return err
		}
		id := identify(r.m, k)
		r.ids[i] = id
		if _, asked := r.objs[id]; asked {
			continue
		}
		if e := s.byID.get(id); e != nil {
			r.objs[id] = e.present()
			continue
		}
		r.objs[id] = nil
		r.wanted = append(r.wanted, k)
	}
	r.held = len(r.wanted) == 0
	return nil
}

func (r *keysRead) ask(s *Session, op string, b *burst) error {
	q := r.query()
	r.rows = s.loader(b, r.x, op, q, r.found)
	return r.x.byKeys(b, q, r.wanted, r)
}

func (r *keysRead) found(obj any, e *entry)       { r.objs[e.id] = obj }
func (r *keysRead) row(cells []value.Value) error { return r.rows.row(cells) }

// Refresh reads the objects' rows again and overwrites their fields, unflushed changes included; changes of other
// objects are flushed first. An object whose row is gone is fault.NotFound, one that is not stored
// fault.NotPersistent.
func Refresh[T any](ctx context.Context, objs ...*T) error {
	return each(ctx, "session.Refresh", objs, func(s *Session, op string, x *meta, e *entry) error {
		if e == nil || e.state != Persistent {
			return s.about(op, fault.NotPersistent, x, "it is not stored")
		}
		s.log(e)
		e.restore()
		s.followKeys(e)
		e.doomed = false
		found := false
		l := &loader{s: s, x: x, op: op, populate: true, found: func(any, *entry) { found = true }}
		err := s.refresh(ctx, op, e, l)
		if err == nil && !found {
			err = s.concerning(op, fault.NotFound, e, "its row is gone")
		}
		return err
	})
}

func (s *Session) refresh(ctx context.Context, op string, e *entry, l *loader) error {
	fill := func(b *burst) error {
		st, err := e.selectByKey(e.key())
		b.add(st, l)
		return err
	}
	if s.autoflushes(ctx) {
		return s.flush(ctx, op, fill, driver.Stay)
	}
	b := &burst{}
	if err := fill(b); err != nil {
		return err
	}
	return s.exchange(ctx, op, b, driver.Stay)
}

// Merge brings a detached object's state into the session: it returns the session's own object with that key, from the
// map or its row, with src's fields copied into it. Every column is copied but the key, the dates, the version and what
// is never updated. Where there is no row a copy of src is added. The object src stays as it is and is not tracked. A
// version in src that is not the row's is fault.Stale, before anything is written.
func Merge[T any](ctx context.Context, src *T) (*T, error) {
	return merged(ctx, "session.Merge", src, mayBeNew)
}

func merged[T any](ctx context.Context, op string, src *T, without absent) (*T, error) {
	s, x, err := enterFor[T](ctx, op)
	if err != nil {
		return nil, err
	}
	defer s.leave(ctx)
	obj, err := s.merge(ctx, op, x, src, without)
	if err != nil {
		return nil, err
	}
	return obj.(*T), nil
}
