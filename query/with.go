package query

import (
	"slices"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/value"
)

// Relation loads what a relation leads to, for every object that a query returns: see [With].
type Relation struct {
	rel     column
	clauses []Clause
}

// With loads a relation, which it names by the address of the prototype's field: one more query for all objects
// together, whatever their number. Clauses say more about its rows: their order ([Asc], [Desc]; the primary key where
// there is none, and behind them), relations of theirs (With again), [WithDeleted], and [Populate], which loads again
// what is loaded. Nothing may leave some of the rows out, since what is there would be taken for all: predicates, limits,
// offsets and locks are fault.BadRequest. With of one relation twice is one with the clauses of both.
//
//	session.Find[Order](ctx, query.With(&orders.User),
//		query.With(&orders.Lines, query.Asc(&lines.Position), query.With(&lines.Product)))
//
// [Populate] and [NoTracking] of the query itself hold for what its relations lead to as well; its lock does not. A
// relation that is loaded stays as it is in memory, but for a list with a table in between: what is loaded of one end
// corrects what the session has of the other, where the program has not changed it.
func With[V any](rel *V, clauses ...Clause) Relation {
	return Relation{rel: columnOf(rel), clauses: slices.Clone(clauses)}
}

func (w Relation) apply(q *Select) {
	for i, have := range q.with {
		if have.rel == w.rel {
			q.with[i].clauses = slices.Concat(have.clauses, w.clauses)
			return
		}
	}
	q.with = append(q.with, w)
}

// Related is a relation that a query loads, and the query for its rows.
type Related struct {
	*model.Relation
	Query *Select
}

// Related resolves the relations that the query loads, with those within them. It is what a session follows.
func (q *Select) Related() ([]Related, error) {
	if len(q.with) == len(q.related) {
		return q.related, nil
	}
	related := make([]Related, 0, len(q.with))
	for _, w := range q.with {
		r, err := q.relation(w.rel)
		if err != nil {
			return nil, err
		}
		e, err := r.Ends()
		if err != nil {
			return nil, err
		}
		sub := Compile(e.Target, w.clauses...)
		if err := sub.complete(q.m, r); err != nil {
			return nil, err
		}
		sub.Populate, sub.NoTracking = sub.Populate || q.Populate, q.NoTracking
		if r.Kind.ToMany() {
			sub.orderByKey(false)
		}
		if _, err := sub.Related(); err != nil {
			return nil, err
		}
		related = append(related, Related{r, sub})
	}
	q.related = related
	return related, nil
}

// ShowsDeleted reports whether the query returns soft-deleted rows too.
func (q *Select) ShowsDeleted() bool { return q.withDeleted }

// OnlyLoads reports whether the query says nothing but which relations to load.
func (q *Select) OnlyLoads() bool {
	return len(q.where) == 0 && len(q.order) == 0 && q.limit < 0 && q.offset < 0 && q.lock == 0 && !q.several &&
		!q.Populate && !q.NoTracking && !q.withDeleted
}

// IsPlain reports whether the query's text is that of a query without clauses, and whether a session does with its rows
// what it does with those, but for following them.
func (q *Select) IsPlain() bool {
	return len(q.where) == 0 && len(q.order) == 0 && q.limit < 0 && q.offset < 0 && q.lock == 0 && !q.several &&
		!q.Populate && !q.withDeleted && len(q.with) == 0
}

// relation finds the relation that a pointer into the prototype names.
func (q *Select) relation(c column) (*model.Relation, error) {
	if r, ok := q.m.RelationAt(c.addr, c.typ); ok {
		return r, nil
	}
	message := "a *" + c.typ.String() + " that is not the address of one of its relations; take it from entity.Columns"
	if f, ok := q.m.ColumnAt(c.addr, c.typ); ok {
		message = f.Name + " is a column and no relation"
	}
	return nil, &fault.Error{Kind: fault.Misconfigured, Op: "query.With", Entity: q.m.Name, Message: message}
}

// complete refuses what would leave out some of the rows of m's relation r.
func (q *Select) complete(m *model.Model, r *model.Relation) error {
	var what string
	switch {
	case slices.ContainsFunc(q.where, func(p Predicate) bool { return p.op != opTrue }):
		what = "a predicate"
	case q.limit >= 0:
		what = "a limit"
	case q.offset >= 0:
		what = "an offset"
	case q.lock != 0:
		what = "a lock"
	case q.several:
		what = "a join or an order by what is in other tables"
	case q.NoTracking:
		what = "NoTracking, which is the whole query's"
	default:
		return nil
	}
	return &fault.Error{
		Kind: fault.BadRequest, Op: "query.With", Entity: m.Name,
		Message: "the relation " + r.Name + " is loaded whole, and was given " + what + "; use a query of its own for some of its rows",
	}
}

// ByOwners renders the query for the rows that a relation leads to from the rows whose e.Local is one of owners. Behind
// the columns, where rows of a table in between say which belong together, stands the owner's value; otherwise it is in
// the column e.Foreign.
func (q *Select) ByOwners(d dialect.Dialect, columns string, e *model.Ends, owners []value.Value) (Text, error) {
	r, err := newRenderer(d, q)
	if err != nil {
		return Text{}, err
	}
	if e.Link == nil {
		r.write("SELECT ", columns, " FROM ")
		d.Ident(&r.b, q.m.Table)
		r.write(" WHERE ")
		r.in(r.mine(e.Foreign), owners)
	} else {
		r.link(e, owners)
	}
	if err := r.more(q, " AND "); err != nil {
		return Text{}, err
	}
	return r.done(r.order(q))
}

// link renders the join with a table in between. Its columns may have the same names as the target's.
func (r *renderer) link(e *model.Ends, owners []value.Value) {
	link := &source{name: "l."}
	r.scope.sources[0].name = "t."
	r.write("SELECT ")
	for _, f := range r.m.Fields {
		r.column(r.mine(f))
		r.write(", ")
	}
	r.column(ref{e.LinkLocal, link})
	r.write(" FROM ")
	r.table(e.Link.Table, link.name)
	r.write(" JOIN ")
	r.table(r.m.Table, "t.")
	r.write(" ON ")
	r.equal(ref{e.LinkForeign, link}, r.mine(e.Foreign))
	r.write(" WHERE ")
	r.in(ref{e.LinkLocal, link}, owners)
}
