package session

import (
	"container/heap"
	"fmt"
	"slices"
	"strings"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/value"
)

// circle follows what stands before a write until it comes back to where it was.
func (w *write) circle() []*edge {
	var path []*edge
	seen := map[*write]int{}
	for {
		if i, ok := seen[w]; ok {
			return path[i:]
		}
		seen[w] = len(path)
		i := slices.IndexFunc(w.in, func(e *edge) bool { return !e.gone })
		path = append(path, w.in[i])
		w = w.in[i].from
	}
}

// breakCircle takes one edge out of a circle: it writes NULL where the edge is about, and the value later.
func (g *graph) breakCircle(op string, circle []*edge, r *ready) error {
	for _, e := range circle {
		i := slices.IndexFunc(e.fields, func(f *model.Field) bool { return f.Nullable && !f.Key })
		switch {
		case i < 0:
		case e.kind == parentFirst && e.to.op == opInsert:
			g.insertThenSet(e, e.fields[i], r)
			return nil
		case e.kind == childFirst || e.kind == freedFirst:
			g.clearFirst(e, e.fields[i], r)
			return nil
		}
	}
	return g.unbreakable(op, circle)
}

// insertThenSet inserts a row without its reference, and sets that when the other row is there: in a further round where
// the database makes the key of the row.
func (g *graph) insertThenSet(e *edge, f *model.Field, r *ready) {
	child := e.to
	set := g.part(child, f, child.values)
	child.values = child.s.stored().rows.copied(child.values)
	child.values.set(f.Index, value.Value{})
	whole := !slices.ContainsFunc(child.Key, func(k *model.Field) bool { return !child.cols.has(k.Index) })
	if whole {
		set.completes = true
		g.edge(edge{from: child, to: set, kind: partFirst})
	}
	g.p.more = g.p.more || !whole
	for _, other := range child.in {
		if other.kind != parentFirst || other.gone || !slices.Contains(other.fields, f) {
			continue
		}
		if whole {
			g.edge(edge{from: other.from, to: set, kind: partFirst})
		}
		other.drop(r)
	}
}

// clearFirst sets a column to NULL before the row's own write, so that what stands in the way of another is out of it.
func (g *graph) clearFirst(e *edge, f *model.Field, r *ready) {
	values := e.from.s.stored().rows.copied(e.from.snapshot)
	values.set(f.Index, value.Value{})
	clearing := g.part(e.from, f, values)
	for _, other := range e.from.out {
		if !other.gone && other.kind == e.kind && slices.Contains(other.fields, f) {
			g.edge(edge{from: clearing, to: other.to, kind: partFirst})
			other.drop(r)
		}
	}
	g.edge(edge{from: clearing, to: e.from, kind: partFirst})
	heap.Push(r, clearing)
}

// part is an update of one column that belongs to another write of the row.
func (g *graph) part(of *write, f *model.Field, values row) *write {
	w := &write{entry: of.entry, s: of.s, table: of.table, op: opUpdate, part: true, values: values, node: &node{place: of.place}}
	w.cols.set(f.Index)
	return w
}

// unbreakable says which tables and constraints form a circle.
func (g *graph) unbreakable(op string, circle []*edge) error {
	var parts []string
	for _, e := range circle {
		name := e.name
		if name == "" && len(e.fields) > 0 {
			name = e.fields[0].Column
		}
		parts = append(parts, fmt.Sprintf("%s of %s before %s of %s (%s)", e.from.op, e.from.Table, e.to.op, e.to.Table, name))
	}
	e := circle[0]
	err := g.p.s.concerning(op, fault.DependencyCycle, e.to.entry,
		"the writes wait for each other: "+strings.Join(parts, ", ")+
			"; make one of these columns nullable or, where the database can, its constraint deferrable, or flush in between")
	err.Constraint = e.name
	for _, f := range e.fields {
		err.Columns = append(err.Columns, f.Column)
	}
	return err
}
