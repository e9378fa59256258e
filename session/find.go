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
	r := &rowsRead[T]{read: of[T](clauses)}
	if err := run(ctx, "session.Find", r); err != nil {
		return nil, err
	}
	return r.objs, nil
}

// First returns the first object that Find would, or fault.NotFound.
func First[T any](ctx context.Context, clauses ...query.Clause) (*T, error) {
	r := firstRead[T](clauses)
	if err := run(ctx, "session.First", r); err != nil {
		return nil, err
	}
	return r.objs[0], nil
}

// Count returns the number of rows that the predicates describe; limits, offsets and orders among the clauses do not
// count.
func Count[T any](ctx context.Context, clauses ...query.Clause) (int64, error) {
	r := countRead[T](clauses)
	err := run(ctx, "session.Count", r)
	return r.v.Int(), err
}

// Exists reports whether there is a row that the predicates describe.
func Exists[T any](ctx context.Context, clauses ...query.Clause) (bool, error) {
	r := existsRead[T](clauses)
	err := run(ctx, "session.Exists", r)
	return r.v.Bool(), err
}

// Page returns one page of what Find would return without a limit, and the number of rows on all pages, in one round
// trip where the database pipelines; a clause asks for less than that number, which is cheaper: see [query.Counting]. The
// primary key is appended to the order, in the direction of its last level, so that no row is on two pages. A page out of
// bounds is fault.BadRequest; one past the end has no items and the true total. Rows and total are those of one moment where
// the unit's isolation is REPEATABLE READ; without that a row that comes or goes between the two may be in one of them only.
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
	rows := &rowsRead[T]{read: of[T](clauses)}
	t := rows.paged(page.Window())
	if err := s.readPage(ctx, op, rows, t); err != nil {
		return none, err
	}
	return paginated(page, rows.objs, &rows.paging, t)
}

// rowsRead reads the rows that clauses describe.
type rowsRead[T any] struct {
	read
	paging // which rows are read, in an order that the key makes complete, unless it has no size
	rows   *loader
	objs   []*T
}

// paged makes the read that of a part of the rows, and returns the read of how many rows there are.
func (r *rowsRead[T]) paged(part query.Window) *total {
	if r.invalid == nil {
		r.paging.of(part, r.query())
	}
	return &total{read: r.read, counting: r.counting}
}

// firstRead reads one row, and there has to be one.
func firstRead[T any](clauses []query.Clause) *rowsRead[T] {
	r := &rowsRead[T]{read: of[T](clauses)}
	r.must = true
	return r
}

func (r *rowsRead[T]) ask(s *Session, op string, b *burst) error {
	q := r.query()
	switch {
	case r.must:
		q.Limit(1)
	case r.part.Size > 0:
		q.Part(r.part)
	}
	r.objs = []*T{}
	r.rows = s.loader(b, r.x, op, q, r.found)
	t, err := q.Rows(r.x.d, r.x.columns)
	b.add(r.x.statement(t, r.x.types, "select"), r)
	return err
}

func (r *rowsRead[T]) row(cells []value.Value) error {
	if !r.keeps(len(r.objs)) {
		return nil
	}
	return r.rows.row(cells)
}

func (r *rowsRead[T]) found(obj any, _ *entry)   { r.objs = append(r.objs, obj.(*T)) }
func (r *rowsRead[T]) objects() []unsafe.Pointer { return pointers(r.objs) }

func (r *rowsRead[T]) whole() bool {
	_, end := r.seen(len(r.objs))
	return end
}

func (r *rowsRead[T]) verdict(s *Session, op string) error {
	if r.must && len(r.objs) == 0 {
		return s.about(op, fault.NotFound, r.x, "")
	}
	return nil
}

// scalarRead reads a single value.
type scalarRead struct {
	read
	what   string // for spans and errors
	typ    value.Type
	render func(*query.Select, dialect.Dialect) (query.Text, error)
	v      value.Value
}

func countRead[T any](clauses []query.Clause) *scalarRead {
	return &scalarRead{read: of[T](clauses), what: "count", typ: value.TypeInt64, render: (*query.Select).Count}
}

func existsRead[T any](clauses []query.Clause) *scalarRead {
	return &scalarRead{read: of[T](clauses), what: "exists", typ: value.TypeBool, render: (*query.Select).Exists}
}

func (r *scalarRead) ask(_ *Session, _ string, b *burst) error {
	t, err := r.render(r.query(), r.x.d)
	b.add(r.x.statement(t, []value.Type{r.typ}, r.what), r)
	return err
}

func (r *scalarRead) row(cells []value.Value) error {
	r.v = cells[0]
	return nil
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
	err := each(ctx, "session.IsModified", []*T{obj}, func(s *Session, op string, _ *meta, e *entry) error {
		if e == nil || e.state != Pending && e.state != Persistent {
			return nil
		}
		if err := s.relate(op); err != nil {
			return err
		}
		if e.state == Pending || e.doomed {
			modified = true
			return nil
		}
		changed, err := e.changes(op)
		modified = !changed.empty() || len(e.waits) > 0
		return err
	})
	return modified, err
}

// pointer returns the address that an interface with a pointer holds.
func pointer(obj any) unsafe.Pointer { return reflect.ValueOf(obj).UnsafePointer() }
