package session

import (
	"context"
	"reflect"
	"unsafe"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/value"
)

// Find returns the objects whose rows the clauses describe: predicates are joined by AND, orders apply in the order
// given. A row of an object that the session has gives that object, with its fields as they are in memory, changed or
// not. Pending changes of the same table are flushed first, in the same round trip where the database pipelines.
func Find[T any](ctx context.Context, clauses ...query.Clause) ([]*T, error) {
	return rows[T](ctx, "session.Find", clauses, -1)
}

// First returns the first object that Find would, or fault.NotFound.
func First[T any](ctx context.Context, clauses ...query.Clause) (*T, error) {
	const op = "session.First"
	objs, err := rows[T](ctx, op, clauses, 1)
	if err != nil {
		return nil, err
	}
	if len(objs) == 0 {
		s, err := find(ctx, op)
		if err != nil {
			return nil, err
		}
		x, err := metaOf[T](s.conn, op)
		if err != nil {
			return nil, err
		}
		return nil, s.about(op, fault.NotFound, x, "")
	}
	return objs[0], nil
}

func rows[T any](ctx context.Context, op string, clauses []query.Clause, limit int) ([]*T, error) {
	s, err := enter(ctx, op)
	if err != nil {
		return nil, err
	}
	defer s.leave(ctx)
	x, err := metaOf[T](s.conn, op)
	if err != nil {
		return nil, err
	}
	q := query.Compile(x.Model, clauses...)
	if limit >= 0 {
		q.Limit(limit)
	}
	objs := []*T{}
	l := s.loader(x, op, q)
	l.found = func(obj any, _ *entry) { objs = append(objs, obj.(*T)) }
	err = s.query(ctx, op, x, q, func(b *burst) error {
		t, err := q.Rows(x.d, x.columns)
		b.add(x.statement(t, x.types, "select"), l)
		return err
	})
	if err != nil {
		return nil, s.entityError(err, x)
	}
	return objs, nil
}

// entityError adds the entity to an error that has none.
func (s *Session) entityError(err error, x *meta) error {
	e, ok := err.(*fault.Error) //nolint:errorlint // only one that exchange has just made
	if !ok || e.Entity != "" {
		return err
	}
	out := *e
	out.Entity = x.Name
	return &out
}

// Count returns the number of rows that the predicates describe; limits, offsets and orders among the clauses do not
// count.
func Count[T any](ctx context.Context, clauses ...query.Clause) (int64, error) {
	v, err := one[T](ctx, "session.Count", value.TypeInt64, clauses, (*query.Select).Count)
	return v.Int(), err
}

// Exists reports whether there is a row that the predicates describe.
func Exists[T any](ctx context.Context, clauses ...query.Clause) (bool, error) {
	v, err := one[T](ctx, "session.Exists", value.TypeBool, clauses, (*query.Select).Exists)
	return v.Bool(), err
}

// one runs a query for a single value.
func one[T any](
	ctx context.Context, op string, t value.Type, clauses []query.Clause,
	render func(*query.Select, dialect.Dialect) (query.Text, error),
) (value.Value, error) {
	s, err := enter(ctx, op)
	if err != nil {
		return value.Value{}, err
	}
	defer s.leave(ctx)
	x, err := metaOf[T](s.conn, op)
	if err != nil {
		return value.Value{}, err
	}
	var c scalar
	q := query.Compile(x.Model, clauses...)
	err = s.query(ctx, op, x, nil, func(b *burst) error {
		text, err := render(q, x.d)
		b.add(x.statement(text, []value.Type{t}, "select"), &c)
		return err
	})
	if err != nil {
		return value.Value{}, s.entityError(err, x)
	}
	return c.v, nil
}

// Page returns one page of what Find would return without a limit, and the number of rows on all pages, in one round
// trip where the database pipelines. The primary key is appended to the order, so that no row is on two pages. A page out
// of bounds is fault.BadRequest; one past the end has no items and the true total.
func Page[T any](ctx context.Context, page query.PageRequest, clauses ...query.Clause) (query.Paginated[*T], error) {
	const op = "session.Page"
	var none query.Paginated[*T]
	page, err := page.Normalize()
	if err != nil {
		return none, err
	}
	s, err := enter(ctx, op)
	if err != nil {
		return none, err
	}
	defer s.leave(ctx)
	x, err := metaOf[T](s.conn, op)
	if err != nil {
		return none, err
	}
	out := query.Paginated[*T]{Items: []*T{}, Page: page.Page, PageSize: page.PageSize}
	q := query.Compile(x.Model, append(append([]query.Clause(nil), clauses...),
		query.Limit(page.PageSize), query.Offset(page.Offset()))...)
	q.OrderByKey()
	l := s.loader(x, op, q)
	l.found = func(obj any, _ *entry) { out.Items = append(out.Items, obj.(*T)) }
	var total scalar
	err = s.query(ctx, op, x, q, func(b *burst) error {
		count, err := q.Count(x.d)
		if err != nil {
			return err
		}
		b.add(x.statement(count, []value.Type{value.TypeInt64}, "count"), &total)
		t, err := q.Rows(x.d, x.columns)
		b.add(x.statement(t, x.types, "select"), l)
		return err
	})
	if err != nil {
		return none, s.entityError(err, x)
	}
	out.Total = total.v.Int()
	return out, nil
}

// Contains reports whether the session follows the object: it is pending or persistent.
func Contains[T any](ctx context.Context, obj *T) (bool, error) {
	st, err := StateOf(ctx, obj)
	return st == Pending || st == Persistent, err
}

// StateOf returns what the object is to the session of ctx. An object that the session never knew is transient, also
// where it came from another one.
func StateOf[T any](ctx context.Context, obj *T) (State, error) {
	st := Transient
	err := each(ctx, "session.StateOf", []*T{obj}, func(_ *Session, _ string, _ *meta, e *entry) error {
		if e != nil {
			st = e.state
		}
		return nil
	})
	return st, err
}

// IsModified reports whether a flush would write something for the object: it is pending, marked for deletion, or
// differs from its row.
func IsModified[T any](ctx context.Context, obj *T) (bool, error) {
	modified := false
	err := each(ctx, "session.IsModified", []*T{obj}, func(_ *Session, op string, _ *meta, e *entry) error {
		if e == nil || e.state != Pending && e.state != Persistent {
			return nil
		}
		if e.state == Pending || e.doomed {
			modified = true
			return nil
		}
		changed, _, err := e.changes(op)
		modified = !changed.empty()
		return err
	})
	return modified, err
}

// pointer returns the address that an interface with a pointer holds.
func pointer(obj any) unsafe.Pointer { return reflect.ValueOf(obj).UnsafePointer() }
