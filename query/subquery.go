package query

import (
	"strconv"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
)

// Any holds for a row whose relation leads to a row for which all of ps hold; with none, to any row at all:
//
//	query.Any(&orders.Lines, query.Gt(&lines.Quantity, 10))
//
// The predicates name columns of the relation's own entity, and may name those of the query around it. No row is found
// twice, however many there are at the other end. Soft-deleted ones do not count.
func Any[V any](rel *V, ps ...Predicate) Predicate {
	return ofNode(&related{rel: columnOf(rel), preds: ps})
}

// None holds for a row whose relation leads to no row for which all of ps hold.
func None[V any](rel *V, ps ...Predicate) Predicate { return Not(Any(rel, ps...)) }

// Over is an aggregate of the rows that a relation leads to, and for which all of ps hold:
//
//	query.Over(&orders.Lines, query.Sum(query.Times(query.Col(&lines.Price), query.Col(&lines.Quantity))))
func Over[R, V any](rel *R, aggregate Expr[V], ps ...Predicate) Expr[V] {
	return Expr[V]{&related{rel: columnOf(rel), preds: ps, of: aggregate.node()}}
}

// related is a subquery over the rows that a relation leads to.
type related struct {
	rel   column
	preds []Predicate
	of    node // an aggregate of them; nil where it matters that there are some
}

func (q *related) several() bool    { return true }
func (q *related) aggregates() bool { return false }

func (q *related) render(r *renderer) error {
	rel, outer, from, err := r.relation(q.rel)
	if err != nil {
		return err
	}
	ends, err := rel.Ends()
	if err != nil {
		return err
	}
	outer.use(from)
	r.nested++
	owner, link := &outer.sources[from], &source{name: "l" + r.level()}
	own := source{m: ends.Target, name: "s" + r.level()}
	leave := r.enter(own)
	defer leave()
	return r.subselect(q.of, func() error {
		if ends.Link == nil {
			r.table(ends.Target.Table, own.name)
			r.write(" WHERE ")
			r.equal(ref{ends.Foreign, &own}, ref{ends.Local, owner})
		} else {
			r.table(ends.Link.Table, link.name)
			r.write(" JOIN ")
			r.table(ends.Target.Table, own.name)
			r.write(" ON ")
			r.equal(ref{ends.Foreign, &own}, ref{ends.LinkForeign, link})
			r.write(" WHERE ")
			r.equal(ref{ends.LinkLocal, link}, ref{ends.Local, owner})
		}
		return r.rows(ends.Target, q.preds, " AND ")
	})
}

func (r *renderer) equal(a, b ref) {
	r.column(a)
	r.write(" = ")
	r.column(b)
}

// level makes the names of a subquery's tables its own.
func (r *renderer) level() string { return strconv.Itoa(r.nested) + "." }

// enter begins a subquery over a table, whose end is what it returns.
func (r *renderer) enter(own source) (leave func()) {
	outer, m := r.scope, r.m
	r.scope, r.m = scope{up: &outer, sources: []source{own}}, own.m
	return func() { r.scope, r.m = outer, m }
}

// subselect renders whether a subquery has a row, or the aggregate of its rows.
func (r *renderer) subselect(of node, rest func() error) error {
	if of == nil {
		r.write("EXISTS (SELECT 1")
	} else {
		r.write("(SELECT ")
		if err := of.render(r); err != nil {
			return err
		}
	}
	r.write(" FROM ")
	defer r.write(")")
	return rest()
}

// rows renders which rows of a subquery's table count, behind lead where there is something to say.
func (r *renderer) rows(m *model.Model, preds []Predicate, lead string) error {
	sub := Select{m: m, where: preds}
	return r.more(&sub, lead)
}

// Subquery is the values of a column of another entity: see [Values].
type Subquery[V any] struct {
	model func() (*model.Model, error)
	col   column
	preds []Predicate
}

// Values is the values of a column of T, in the rows for which all of ps hold, to be used with [InQuery]:
//
//	query.InQuery(&orders.UserID, query.Values[User](&users.ID, query.Eq(&users.Country, "BR")))
func Values[T, V any](col *V, ps ...Predicate) Subquery[V] {
	return Subquery[V]{model: model.For[T], col: columnOf(col), preds: ps}
}

// InQuery holds where the column is one of the values of the subquery.
func InQuery[V any](col *V, sub Subquery[V]) Predicate {
	return ofNode(&unrelated{col: columnOf(col), model: sub.model, of: sub.col, preds: sub.preds})
}

// NotInQuery holds where the column is none of the values of the subquery. NULL is none of them, and a NULL among them
// makes no difference.
func NotInQuery[V any](col *V, sub Subquery[V]) Predicate { return Not(InQuery(col, sub)) }

// Exists holds where there is a row of T for which all of ps hold. These may name columns of the query around it:
//
//	query.Exists[Payment](query.Col(&payments.OrderID).EqTo(query.Col(&orders.ID)))
//
// For rows that a relation leads to say [Any].
func Exists[T any](ps ...Predicate) Predicate {
	return ofNode(&unrelated{model: model.For[T], preds: ps})
}

// unrelated is a subquery over a table that no relation leads to.
type unrelated struct {
	model func() (*model.Model, error)
	col   column // is one of the values of the column of; of is nothing where it matters that there are some
	of    column
	preds []Predicate
}

func (q *unrelated) several() bool    { return true }
func (q *unrelated) aggregates() bool { return false }

func (q *unrelated) render(r *renderer) error {
	m, err := q.model()
	if err != nil {
		return &fault.Error{Kind: fault.KindOf(err), Op: "query", Entity: r.m.Name, Err: err}
	}
	r.nested++
	own := source{m: m, name: "s" + r.level()}
	if q.of.typ == nil {
		defer r.enter(own)()
		return r.subselect(nil, func() error {
			r.table(m.Table, own.name)
			return r.rows(m, q.preds, " WHERE ")
		})
	}
	col, err := r.field(q.col)
	if err != nil {
		return err
	}
	defer r.enter(own)()
	return r.subselect(nil, func() error {
		of, err := r.field(q.of)
		if err != nil {
			return err
		}
		r.table(m.Table, own.name)
		r.write(" WHERE ")
		r.equal(of, col)
		return r.rows(m, q.preds, " AND ")
	})
}
