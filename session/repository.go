package session

import (
	"context"
	"iter"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/value"
)

// Repository is the verbs of this package for one entity, as methods: for code that wants to be given what it works on,
// and for types that say more about an entity.
//
//	type Users struct{ session.Repository[User] }
//
//	func (r Users) ByEmail(ctx context.Context, email string) (*User, error) {
//		return r.First(ctx, query.Eq(&users.Email, email))
//	}
//
// The zero value is ready for use. It holds nothing: the session is that of the context, and so are unit of work,
// connection and savepoint. Keys are given as to [Get]; [Keys] makes a list of them. It is safe for concurrent use, as far
// as the session of the context is.
type Repository[T any] struct{}

// Keys returns ids as what takes any number of keys takes.
func Keys[K any](ids []K) []any {
	keys := make([]any, len(ids))
	for i, id := range ids {
		keys[i] = id
	}
	return keys
}

// Create is [Add] of one object.
func (Repository[T]) Create(ctx context.Context, obj *T) error { return Add(ctx, obj) }

// CreateMany is [Add].
func (Repository[T]) CreateMany(ctx context.Context, objs ...*T) error { return Add(ctx, objs...) }

// Get is [Get].
func (Repository[T]) Get(ctx context.Context, id any, clauses ...query.Clause) (*T, error) {
	return Get[T](ctx, id, clauses...)
}

// GetMany is [GetMany].
func (Repository[T]) GetMany(ctx context.Context, ids ...any) (found []*T, missing []any, err error) {
	return GetMany[T](ctx, ids...)
}

// Lock is [Get] with a lock: [query.ForUpdate], unless another one is among the clauses. A row that
// [query.ForUpdateSkipLocked] skips is fault.NotFound.
func (Repository[T]) Lock(ctx context.Context, id any, clauses ...query.Clause) (*T, error) {
	return Get[T](ctx, id, append([]query.Clause{query.ForUpdate}, clauses...)...)
}

// Update is [Merge] into a row that is there: without one it is fault.NotFound. An object that the session follows already
// needs no Update; its changes are written anyway.
func (Repository[T]) Update(ctx context.Context, obj *T) (*T, error) {
	return merged(ctx, "session.Repository.Update", obj, mustBeThere)
}

// UpdateByID changes the object with the key by a patch, as [entity.Apply] does: what the patch does not speak of stays, a
// null becomes NULL, and everything else is set. After an error nothing is.
func (Repository[T]) UpdateByID(ctx context.Context, id, patch any, opts ...entity.ApplyOptions) (*T, error) {
	obj, err := Get[T](ctx, id)
	if err != nil {
		return nil, err
	}
	if err := entity.Apply(obj, patch, opts...); err != nil {
		return nil, err
	}
	return obj, nil
}

// Upsert is [Upsert].
func (Repository[T]) Upsert(ctx context.Context, obj *T, clauses ...query.UpsertClause) (*T, error) {
	return Upsert(ctx, obj, clauses...)
}

// Delete is [Delete].
func (Repository[T]) Delete(ctx context.Context, objs ...*T) error { return Delete(ctx, objs...) }

// DeleteByID deletes the rows with the keys, whether the session has them or not, and returns how many there were. It is
// [DeleteAll] by key: it runs at once, in one round trip, and no hooks run.
func (Repository[T]) DeleteByID(ctx context.Context, ids ...any) (int64, error) {
	const op = "session.Repository.DeleteByID"
	s, x, err := enterFor[T](ctx, op)
	if err != nil {
		return 0, err
	}
	defer s.leave(ctx)
	keys := make([][]value.Value, len(ids))
	for i, id := range ids {
		if keys[i], err = x.keyOf(op, id); err != nil {
			return 0, err
		}
	}
	if len(keys) == 0 {
		return 0, nil
	}
	c := &criteria{s: s, x: x, op: op, what: opDelete}
	var writes []*query.Write
	for _, k := range x.lists(keys) {
		writes = append(writes, query.CompileWrite(x.Model, query.ByKey(k)))
	}
	if err := c.run(ctx, writes...); err != nil {
		return 0, entityError(err, x)
	}
	return c.affected, nil
}

// Exists reports whether there is an object with the key. What the session has is not asked for, here and in the methods
// that follow; the others ask for all keys in one round trip.
func (Repository[T]) Exists(ctx context.Context, id any) (bool, error) {
	there, _, err := split[T](ctx, "session.Repository.Exists", []any{id})
	return len(there) > 0, err
}

// ExistsSome reports whether there is an object with one of the keys. Of none there is none.
func (Repository[T]) ExistsSome(ctx context.Context, ids ...any) (bool, error) {
	there, _, err := split[T](ctx, "session.Repository.ExistsSome", ids)
	return len(there) > 0, err
}

// ExistsAll reports whether there is an object with each of the keys, however often a key is among them.
func (Repository[T]) ExistsAll(ctx context.Context, ids ...any) (bool, error) {
	_, missing, err := split[T](ctx, "session.Repository.ExistsAll", ids)
	return err == nil && len(missing) == 0, err
}

// Intersects returns those of the keys that there are objects with, in their order and each once.
func (Repository[T]) Intersects(ctx context.Context, ids ...any) ([]any, error) {
	there, _, err := split[T](ctx, "session.Repository.Intersects", ids)
	return there, err
}

// Difference returns those of the keys that there are no objects with, in their order and each once.
func (Repository[T]) Difference(ctx context.Context, ids ...any) ([]any, error) {
	_, missing, err := split[T](ctx, "session.Repository.Difference", ids)
	return missing, err
}

// List is [Find].
func (Repository[T]) List(ctx context.Context, clauses ...query.Clause) ([]*T, error) {
	return Find[T](ctx, clauses...)
}

// First is [First].
func (Repository[T]) First(ctx context.Context, clauses ...query.Clause) (*T, error) {
	return First[T](ctx, clauses...)
}

// Count is [Count].
func (Repository[T]) Count(ctx context.Context, clauses ...query.Clause) (int64, error) {
	return Count[T](ctx, clauses...)
}

// Stream is [Stream].
func (Repository[T]) Stream(ctx context.Context, clauses ...query.Clause) iter.Seq2[*T, error] {
	return Stream[T](ctx, clauses...)
}

// split tells the keys that there are objects with from the others, each once.
func split[T any](ctx context.Context, op string, ids []any) (there, missing []any, err error) {
	r := &presenceRead{keysRead{read: of[T](nil), keys: ids}}
	if err := run(ctx, op, r); err != nil {
		return nil, nil, err
	}
	there, missing = []any{}, []any{}
	seen := make(map[identity]bool, len(ids))
	for i, id := range r.ids {
		switch {
		case seen[id]:
		case r.objs[id] != nil:
			there = append(there, ids[i])
		default:
			missing = append(missing, ids[i])
		}
		seen[id] = true
	}
	return there, missing, nil
}

// presenceRead reads which of many keys there are rows with.
type presenceRead struct{ keysRead }

func (r *presenceRead) ask(_ *Session, _ string, b *burst) error {
	for _, k := range r.x.lists(r.wanted) {
		t, err := r.query().ByKey(r.x.d, r.x.keyList, k)
		if err != nil {
			return err
		}
		b.add(r.x.statement(t, r.x.keyTypes, "select keys"), r)
	}
	return nil
}

func (r *presenceRead) row(cells []value.Value) error {
	r.objs[identify(r.m, cells)] = true
	return nil
}
