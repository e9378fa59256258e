package session

import (
	"context"
	"reflect"
	"unsafe"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/value"
)

// Select reads rows of T's table into structs that are no entities: D's fields take what [query.Put] says, and the others
// the column of the same name. Rows are grouped where an aggregate is among them.
//
//	type Sales struct {
//		Product string
//		Sold    int64
//	}
//	var sales = query.Fields[Sales]()
//
//	best, err := session.Select[Sales, Line](ctx, query.Join(&lines.Product),
//		query.Put(&sales.Product, query.Col(&products.Name)),
//		query.Put(&sales.Sold, query.Sum(query.Col(&lines.Quantity))),
//		query.Sum(query.Col(&lines.Quantity)).Desc(), query.Limit(10))
//
// What is returned is not tracked. Predicates, joins, orders, limits and offsets are those of [Find]; [query.GroupBy],
// [query.Having] and [query.Distinct] are Select's own; [query.With] and locks are fault.Misconfigured. A NULL in a field
// that cannot hold it is an error that names the field. Pending changes are flushed first, as by Find.
func Select[D, T any](ctx context.Context, clauses ...query.Clause) ([]D, error) {
	r := projectionOf[D, T](clauses)
	if err := run(ctx, "session.Select", r); err != nil {
		return nil, err
	}
	return r.list, nil
}

// SelectPage is one page of what [Select] would return without a limit, and the number of rows on all pages: of groups,
// where rows are grouped. Its fields are appended to the order, so that no row is on two pages.
func SelectPage[D, T any](ctx context.Context, page query.PageRequest, clauses ...query.Clause) (query.Paginated[D], error) {
	const op = "session.SelectPage"
	var none query.Paginated[D]
	page, err := page.Normalize()
	if err != nil {
		return none, err
	}
	s, err := enter(ctx, op)
	if err != nil {
		return none, err
	}
	defer s.leave(ctx)
	total, rows := &projectionCount{counted: projectionOf[D, T](clauses)}, projectionOf[D, T](clauses)
	rows.part = page.Window()
	if _, err := s.read(ctx, op, []reader{total, rows}); err != nil {
		return none, entityError(err, rows.x)
	}
	return query.Paginated[D]{Items: rows.list, Total: total.v.Int(), Page: page.Page, PageSize: page.PageSize}, nil
}

// projection reads rows into structs that are no entities.
type projection[D any] struct {
	read
	shape *model.Model
	part  query.Window
	list  []D
	op    string
}

func projectionOf[D, T any](clauses []query.Clause) *projection[D] {
	r := &projection[D]{read: of[T](nil)}
	shape, err := model.Shape(reflect.TypeFor[D]())
	if r.shape = shape; r.invalid == nil {
		r.invalid = err
	}
	if r.invalid == nil {
		r.q = query.CompileInto(r.m, shape, clauses...)
	}
	return r
}

func (r *projection[D]) ask(_ *Session, op string, b *burst) error {
	if r.part.Size > 0 {
		r.q.Part(r.part)
	}
	r.list, r.op = []D{}, op
	t, err := r.q.Projection(r.x.d)
	b.add(r.x.statement(t, r.q.ProjectionTypes(), "select"), r)
	return err
}

func (r *projection[D]) row(cells []value.Value) error {
	r.list = append(r.list, *new(D))
	base := unsafe.Pointer(&r.list[len(r.list)-1])
	for i, f := range r.shape.Fields {
		if err := f.Fill(base, &cells[i]); err != nil {
			return &fault.Error{
				Kind: fault.Internal, Op: r.op, Entity: r.shape.Name, Columns: []string{f.Column}, Message: "field " + f.Name + ": " + err.Error(), Err: err,
			}
		}
	}
	return nil
}

func (r *projection[D]) count(d dialect.Dialect) (query.Text, error) { return r.q.CountProjection(d) }

// counted is a projection of any type.
type counted interface {
	reader
	namer
	count(d dialect.Dialect) (query.Text, error)
}

// projectionCount reads how many rows a projection has.
type projectionCount struct {
	counted
	v value.Value
}

func (r *projectionCount) ask(_ *Session, _ string, b *burst) error {
	x := r.base().x
	t, err := r.count(x.d)
	b.add(x.statement(t, []value.Type{value.TypeInt64}, "count"), r)
	return err
}

func (r *projectionCount) row(cells []value.Value) error {
	r.v = cells[0]
	return nil
}
