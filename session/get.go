package session

import (
	"context"

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
	const op = "session.Get"
	obj, ok, err := lookup[T](ctx, op, key, clauses)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, missing[T](ctx, op, key)
	}
	return obj, nil
}

// Lookup is Get where a miss is no error.
func Lookup[T any](ctx context.Context, key any, clauses ...query.Clause) (obj *T, ok bool, err error) {
	return lookup[T](ctx, "session.Lookup", key, clauses)
}

func missing[T any](ctx context.Context, op string, key any) error {
	s, err := find(ctx, op)
	if err != nil {
		return err
	}
	x, err := metaOf[T](s.conn, op)
	if err != nil {
		return err
	}
	e := s.about(op, fault.NotFound, x, "")
	if k, err := x.keyOf(op, key); err == nil {
		e.Key = keyString(k)
	}
	return e
}

func lookup[T any](ctx context.Context, op string, key any, clauses []query.Clause) (*T, bool, error) {
	s, err := enter(ctx, op)
	if err != nil {
		return nil, false, err
	}
	defer s.leave(ctx)
	x, err := metaOf[T](s.conn, op)
	if err != nil {
		return nil, false, err
	}
	k, err := x.keyOf(op, key)
	if err != nil {
		return nil, false, err
	}
	q := query.Compile(x.Model, clauses...)
	if e, ok := s.byID[identify(x.Model, k)]; ok && len(clauses) == 0 || ok && e.state != Persistent {
		return present[T](e)
	} else if ok && e.doomed {
		return nil, false, nil
	}
	var found *T
	l := s.loader(x, op, q)
	l.found = func(obj any, _ *entry) { found = obj.(*T) }
	err = s.query(ctx, op, x, q, func(b *burst) error {
		t, err := q.ByKey(x.d, x.columns, k)
		b.add(x.statement(t, x.types, "select"), l)
		return err
	})
	return found, found != nil, err
}

// present answers from the identity map.
func present[T any](e *entry) (*T, bool, error) {
	if e.doomed || e.state != Pending && e.state != Persistent {
		return nil, false, nil
	}
	return e.obj.(*T), true, nil
}

// loader returns the loader that a query asks for.
func (s *Session) loader(x *meta, op string, q *query.Select) *loader {
	return &loader{s: s, x: x, op: op, populate: q.Populate, renew: q.Locks(), untracked: q.NoTracking}
}

// query runs the statements that fill adds, behind the flush of what they could see.
func (s *Session) query(ctx context.Context, op string, x *meta, q *query.Select, fill func(*burst) error) error {
	if s.autoflushes(ctx) && s.hasChanges(x) {
		err := s.flush(ctx, op, fill, driver.Stay)
		return s.duringAutoflush(err, op, x)
	}
	b := &burst{}
	if q != nil && q.Locks() {
		b.need = transaction
	}
	if err := fill(b); err != nil {
		return err
	}
	return s.exchange(ctx, op, b, driver.Stay)
}

// duringAutoflush says of an error that it came from writing what was pending before a query. An error of the query
// itself concerns no object.
func (s *Session) duringAutoflush(err error, op string, x *meta) error {
	e, ok := err.(*fault.Error) //nolint:errorlint // only one that exchange has just made
	if !ok || e.Key == "" {
		return err
	}
	out := *e
	out.Op = op + ": during autoflush before the query of " + x.Table
	return &out
}

// GetMany returns the objects with the keys, in the order of the keys and with their repetitions, and the keys that
// have none. It makes one query for all that the session does not have.
func GetMany[T any](ctx context.Context, keys ...any) (found []*T, missing []any, err error) {
	const op = "session.GetMany"
	s, err := enter(ctx, op)
	if err != nil {
		return nil, nil, err
	}
	defer s.leave(ctx)
	x, err := metaOf[T](s.conn, op)
	if err != nil {
		return nil, nil, err
	}
	ids := make([]identity, len(keys))
	objs := map[identity]*T{}
	var wanted [][]value.Value
	for i, key := range keys {
		k, err := x.keyOf(op, key)
		if err != nil {
			return nil, nil, err
		}
		ids[i] = identify(x.Model, k)
		if _, asked := objs[ids[i]]; asked {
			continue
		}
		objs[ids[i]] = nil
		if e, ok := s.byID[ids[i]]; ok {
			objs[ids[i]], _, _ = present[T](e)
			continue
		}
		wanted = append(wanted, k)
	}
	if err := s.loadKeys(ctx, op, x, wanted, func(obj any, e *entry) { objs[e.id] = obj.(*T) }); err != nil {
		return nil, nil, err
	}
	for i, id := range ids {
		if obj := objs[id]; obj != nil {
			found = append(found, obj)
		} else {
			missing = append(missing, keys[i])
		}
	}
	return found, missing, nil
}

// loadKeys reads the rows with the keys: in one statement where the key has one column, in one exchange otherwise.
func (s *Session) loadKeys(ctx context.Context, op string, x *meta, keys [][]value.Value, found func(any, *entry)) error {
	if len(keys) == 0 {
		return nil
	}
	l := &loader{s: s, x: x, op: op, found: found}
	q := query.Compile(x.Model)
	return s.query(ctx, op, x, nil, func(b *burst) error {
		if len(x.Key) == 1 {
			flat := make([]value.Value, len(keys))
			for i, k := range keys {
				flat[i] = k[0]
			}
			keys = [][]value.Value{flat}
		}
		for _, k := range keys {
			t, err := q.ByKey(x.d, x.columns, k)
			if err != nil {
				return err
			}
			b.add(x.statement(t, x.types, "select"), l)
		}
		return nil
	})
}

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
	const op = "session.Merge"
	s, err := enter(ctx, op)
	if err != nil {
		return nil, err
	}
	defer s.leave(ctx)
	x, err := metaOf[T](s.conn, op)
	if err != nil {
		return nil, err
	}
	obj, err := s.merge(ctx, op, x, src)
	if err != nil {
		return nil, err
	}
	return obj.(*T), nil
}
