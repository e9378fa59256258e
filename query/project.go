package query

import (
	"reflect"
	"strconv"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/value"
)

// Fields returns the prototype of a struct that rows are read into, the same one at every call: the addresses of its
// fields say where [Put] puts what. As with entity.Columns, what is wrong with the struct is reported by the verb that
// uses it.
func Fields[D any]() *D {
	m, err := model.Shape(reflect.TypeFor[D]())
	if err != nil {
		return new(D)
	}
	return m.Proto().(*D)
}

// Output says what a field of a result is filled with: see [Put].
type Output struct {
	to column
	n  node
}

func (o Output) apply(q *Select) {
	q.outputs = append(q.outputs, o)
	q.several = q.several || o.n.several()
}

// Put fills the field of the result, which it names by the address of the prototype's field ([Fields]), with an
// expression. Where one of the expressions is an aggregate, rows are grouped by all the others.
func Put[V any](to *V, e Expr[V]) Output { return Output{columnOf(to), e.node()} }

// PutNull is Put for an expression that can be NULL, where V cannot hold that: nil is NULL.
func PutNull[V any](to **V, e Expr[V]) Output { return Output{columnOf(to), e.node()} }

// Grouping is what the rows of a projection are grouped by, besides its fields that are no aggregates.
type Grouping struct{ n node }

func (g Grouping) apply(q *Select) {
	q.groups = append(q.groups, g.n)
	q.several = q.several || g.n.several()
}

// GroupBy groups rows by an expression that is not among the fields of the result.
func GroupBy[V any](e Expr[V]) Grouping { return Grouping{e.node()} }

// Condition is a condition on groups.
type Condition struct{ p Predicate }

func (c Condition) apply(q *Select) {
	q.having = append(q.having, c.p)
	q.several = q.several || c.p.wide
}

// Having keeps the groups for which the predicate holds, which compares aggregates:
//
//	query.Having(query.Sum(query.Col(&lines.Quantity)).Gt(100))
func Having(p Predicate) Condition { return Condition{p} }

// Distinct returns equal rows of a projection once. Its orders must be among the fields of the result.
const Distinct Uniqueness = 1

// Uniqueness says how often equal rows of a projection are returned.
type Uniqueness uint8

func (Uniqueness) apply(q *Select) { q.distinct = true }

// CompileInto collects clauses into a query over m's table whose rows are read into structs of a shape.
func CompileInto(m, shape *model.Model, clauses ...Clause) *Select {
	q := &Select{m: m, limit: -1, offset: -1, shape: shape}
	for _, c := range clauses {
		if c != nil {
			c.apply(q)
		}
	}
	return q
}

// projects refuses, in a query for entities, what only a projection can have.
func (q *Select) projects() error {
	if q.shape != nil || len(q.outputs) == 0 && len(q.groups) == 0 && len(q.having) == 0 && !q.distinct {
		return nil
	}
	return &fault.Error{
		Kind: fault.Misconfigured, Op: "query", Entity: q.m.Name,
		Message: "query.Put, GroupBy, Having and Distinct are for session.Select, whose results are no entities",
	}
}

// resolve finds the expression for every field of the result: what was put there or, for the others, the column of the
// same name.
func (r *renderer) resolve(q *Select) ([]node, error) {
	out := make([]node, len(q.shape.Fields))
	for _, o := range q.outputs {
		f, ok := q.shape.ColumnAt(o.to.addr, o.to.typ)
		if !ok {
			return nil, r.misuse("query.Put to a *" + o.to.typ.String() + " that is not the address of a field of " + q.shape.Name +
				"; take it from query.Fields")
		}
		if out[f.Index] != nil {
			return nil, r.misuse("query.Put twice to " + f.Name + " of " + q.shape.Name)
		}
		out[f.Index] = o.n
	}
	for i, f := range q.shape.Fields {
		if out[i] != nil {
			continue
		}
		own, ok := q.m.Column(f.Column)
		switch {
		case !ok:
			return nil, r.misuse(q.shape.Name + "." + f.Name + " has no value: say query.Put, or name it like a column of " + q.m.Name)
		case own.Type != f.Type:
			return nil, r.misuse(q.shape.Name + "." + f.Name + " is stored as " + f.Type.String() + ", and the column of the same name as " +
				own.Type.String())
		}
		out[i] = &ownColumn{own}
	}
	return out, nil
}

// ownColumn is a column of the query's own table.
type ownColumn struct{ f *model.Field }

func (c *ownColumn) several() bool    { return false }
func (c *ownColumn) aggregates() bool { return false }

func (c *ownColumn) render(r *renderer) error {
	r.column(ref{c.f, &r.scope.sources[0]})
	return nil
}

// Projection renders a query whose rows are read into structs of a shape. The columns are those of the shape's fields.
func (q *Select) Projection(d dialect.Dialect) (Text, error) {
	return q.project(d, true)
}

// ProjectionTypes returns the types of the columns of a projection.
func (q *Select) ProjectionTypes() []value.Type {
	types := make([]value.Type, len(q.shape.Fields))
	for i, f := range q.shape.Fields {
		types[i] = f.Type
	}
	return types
}

// project renders a projection: whole, or without what makes no difference to how many rows it has.
func (q *Select) project(d dialect.Dialect, whole bool) (Text, error) {
	if len(q.with) > 0 || q.lock != 0 {
		return Text{}, &fault.Error{
			Kind: fault.Misconfigured, Op: "query", Entity: q.m.Name,
			Message: "query.With and locks are for queries of entities, and not for session.Select",
		}
	}
	r, err := newRenderer(d, q)
	if err != nil {
		return Text{}, err
	}
	nodes, err := r.resolve(q)
	if err != nil {
		return Text{}, err
	}
	if err := r.grouped(q, nodes, whole); err != nil {
		return Text{}, err
	}
	return r.around(func() error {
		if q.distinct {
			r.write("DISTINCT ")
		}
		return r.nodes(nodes)
	})
}

// grouped renders everything behind FROM. What is grouped or ordered by is named by its position where it is a field of
// the result, so that the database sees that it is the same.
func (r *renderer) grouped(q *Select, out []node, whole bool) error {
	if err := r.where(q); err != nil {
		return err
	}
	if err := r.groupBy(q, out); err != nil {
		return err
	}
	for i := range q.having {
		r.write([...]string{" HAVING ", " AND "}[min(i, 1)])
		if err := r.predicate(&q.having[i]); err != nil {
			return err
		}
	}
	if !whole {
		return nil
	}
	for i, s := range q.order {
		r.write([...]string{" ORDER BY ", ", "}[min(i, 1)])
		if err := r.sortOf(q, out, s); err != nil {
			return err
		}
	}
	r.paging(q.limit, q.offset)
	return nil
}

func (r *renderer) groupBy(q *Select, out []node) error {
	groups := q.grouping(out)
	if groups == nil {
		return nil
	}
	lead := " GROUP BY "
	for i, n := range out {
		if n.aggregates() {
			continue
		}
		r.write(lead, strconv.Itoa(i+1))
		lead = ", "
	}
	for _, n := range groups {
		r.write(lead)
		if err := n.render(r); err != nil {
			return err
		}
		lead = ", "
	}
	return nil
}

// grouping returns what rows are grouped by besides the fields of the result, and nil where they are not grouped.
func (q *Select) grouping(out []node) []node {
	grouped := len(q.groups) > 0 || len(q.having) > 0
	for _, n := range out {
		grouped = grouped || n.aggregates()
	}
	if !grouped {
		return nil
	}
	return append(make([]node, 0, len(q.groups)), q.groups...)
}

func (r *renderer) sortOf(q *Select, out []node, s Sort) error {
	if s.key != nil {
		return r.misuse("an order by the key of a projection")
	}
	n := s.node()
	_, byPlace := n.(ordinal)
	if at := position(q.m, out, n); at > 0 {
		r.write(strconv.Itoa(at))
	} else if q.distinct && !byPlace {
		return r.misuse("query.Distinct with an order that is no field of the result")
	} else if err := n.render(r); err != nil {
		return err
	}
	r.direction(s.desc, s.first, true)
	return nil
}

// position returns which field of the result, counted from 1, an expression is; 0 where it is none of them.
func position(m *model.Model, out []node, n node) int {
	for i, o := range out {
		if o == n {
			return i + 1
		}
		c, isColumn := n.(column)
		own, isOwn := o.(*ownColumn)
		if !isColumn || !isOwn {
			continue
		}
		if f, ok := m.ColumnAt(c.addr, c.typ); ok && f == own.f {
			return i + 1
		}
	}
	return 0
}

// orderByResult orders a projection by all fields of its result, behind the orders that it has, so that no two pages of it
// share a row.
func (q *Select) orderByResult() {
	for i := range q.shape.Fields {
		q.order = append(q.order, Sort{n: ordinal(i + 1)})
	}
}

// ordinal is a field of the result by its position.
type ordinal int

func (o ordinal) render(r *renderer) error {
	r.write(strconv.Itoa(int(o)))
	return nil
}

func (ordinal) several() bool    { return false }
func (ordinal) aggregates() bool { return false }

// nodes renders expressions with commas between them.
func (r *renderer) nodes(list []node) error {
	for i, n := range list {
		if i > 0 {
			r.write(", ")
		}
		if err := n.render(r); err != nil {
			return err
		}
	}
	return nil
}
