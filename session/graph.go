package session

import (
	"container/heap"
	"slices"

	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/value"
)

// graph orders writes row by row, where the order of the tables does not say enough.
type graph struct {
	p     *plan
	edges []*edge
}

// edge says that one write must come before another.
type edge struct {
	from, to *write
	kind     edgeKind
	fields   []*model.Field // the foreign key, or the columns of the unique constraint
	name     string         // of the constraint
	gone     bool
}

type edgeKind uint8

const (
	parentFirst edgeKind = iota // from inserts the row that to refers to
	childFirst                  // from lets go of the row that to deletes
	freedFirst                  // from frees the unique value that to takes
	partFirst                   // from is a part of what to completes
)

// node is a write's place in the graph.
type node struct {
	in, out []*edge
	before  int  // edges of in that still stand
	place   int  // in the order of the tables
	behind  bool // waits for a key, or comes after what does
	done    bool
}

// nodes gives each write its place.
func (g *graph) nodes() {
	if g.p.writes[0].node != nil {
		return
	}
	all := make([]node, len(g.p.writes))
	for i, w := range g.p.writes {
		all[i].place = i
		w.node = &all[i]
	}
}

func (g *graph) edge(e edge) {
	added := &e
	g.edges = append(g.edges, added)
	e.from.out = append(e.from.out, added)
	e.to.in = append(e.to.in, added)
	e.to.before++
}

// cell is one value of one column of a table.
type cell struct {
	table *table
	field int
	v     value.Value
}

// references finds which rows of the plan refer to which.
func (g *graph) references() {
	g.nodes()
	inserted, deleted := map[cell]*write{}, map[cell]*write{}
	for _, t := range g.p.tables {
		for _, r := range t.refs {
			g.index(r, inserted, deleted)
		}
	}
	for _, w := range g.p.writes {
		for _, k := range w.waits {
			if parent := g.p.byEntry[k.on]; parent != nil && parent != w {
				g.edge(edge{from: parent, to: w, kind: parentFirst, fields: []*model.Field{k.f}})
			}
		}
		for _, r := range w.table.refs {
			if r.deferrable && w.d.Features().DeferrableConstraints {
				continue
			}
			g.refer(w, r, inserted, deleted)
		}
	}
}

// index notes the rows that a reference may lead to.
func (g *graph) index(r ref, inserted, deleted map[cell]*write) {
	for _, w := range g.p.writes {
		switch {
		case w.table != r.to || w.op == opUpdate:
		case w.op == opInsert:
			inserted[cell{r.to, r.column.Index, w.values.at(r.column.Index)}] = w
		default:
			deleted[cell{r.to, r.column.Index, w.snapshot.at(r.column.Index)}] = w
		}
	}
}

// refer adds the edges of one row's reference.
func (g *graph) refer(w *write, r ref, inserted, deleted map[cell]*write) {
	i := r.f.Index
	if w.op == opInsert || w.op == opUpdate && w.cols.has(i) {
		if parent := inserted[cell{r.to, r.column.Index, w.values.at(i)}]; parent != nil && parent != w && !w.values.at(i).IsNull() {
			g.edge(edge{from: parent, to: w, kind: parentFirst, fields: []*model.Field{r.f}, name: r.name})
		}
	}
	if w.op == opDelete || w.op == opUpdate && w.cols.has(i) {
		if parent := deleted[cell{r.to, r.column.Index, w.snapshot.at(i)}]; parent != nil && parent != w && !w.snapshot.at(i).IsNull() {
			g.edge(edge{from: w, to: parent, kind: childFirst, fields: []*model.Field{r.f}, name: r.name})
		}
	}
}

// ready is a heap of writes that nothing stands before, in the order in which they stood.
type ready []*write

func (r ready) Len() int           { return len(r) }
func (r ready) Less(i, j int) bool { return r[i].place < r[j].place }
func (r ready) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *ready) Push(w any)        { *r = append(*r, w.(*write)) }
func (r *ready) Pop() any {
	last := (*r)[len(*r)-1]
	*r = (*r)[:len(*r)-1]
	return last
}

// order sorts the plan's writes by the edges, and as they stood where these say nothing. Circles are broken where a
// column can be NULL for a moment. What waits for a key that the database makes, and what comes after it, is left for
// the next round.
func (g *graph) order(op string) error {
	all := g.p.writes
	g.block(all)
	r := &ready{}
	for _, w := range all {
		if w.before == 0 && !w.behind {
			*r = append(*r, w)
		}
	}
	heap.Init(r)
	done := make([]*write, 0, len(all))
	for {
		done = g.drain(r, done)
		circle := g.stuck(all)
		if circle == nil {
			break // the rest waits
		}
		if err := g.breakCircle(op, circle, r); err != nil {
			return err
		}
	}
	g.p.more = g.p.more || slices.ContainsFunc(all, func(w *write) bool { return !w.done })
	g.p.writes = done
	return nil
}

// drain takes the writes off the heap that nothing stands before, and those that follow from them.
func (g *graph) drain(r *ready, done []*write) []*write {
	for r.Len() > 0 {
		w := heap.Pop(r).(*write)
		done, w.done = append(done, w), true
		for _, e := range w.out {
			e.drop(r)
		}
	}
	return done
}

// drop takes an edge out of the graph; what nothing stands before any more is ready.
func (e *edge) drop(r *ready) {
	if e.gone {
		return
	}
	e.gone = true
	if e.to.before--; e.to.before == 0 && !e.to.behind {
		heap.Push(r, e.to)
	}
}

// block marks the writes that wait for a key, and what comes after them. Where that is all there is, rows that can be
// NULL until then go without the key.
func (g *graph) block(all []*write) {
	for _, w := range all {
		if len(w.waits) > 0 {
			w.hold()
		}
	}
	if slices.ContainsFunc(all, func(w *write) bool { return !w.behind }) {
		return
	}
	g.p.more = true
	for _, w := range all {
		w.behind = false
	}
	for _, w := range all {
		if len(w.waits) > 0 && w.op == opUpdate || slices.ContainsFunc(w.waits, func(k wait) bool { return !k.f.Nullable }) {
			w.hold()
			continue
		}
		for _, e := range w.in {
			if e.kind == parentFirst && !e.gone {
				e.gone = true
				w.before--
			}
		}
	}
}

// hold marks a write and everything after it.
func (w *write) hold() {
	if w.behind {
		return
	}
	w.behind = true
	for _, e := range w.out {
		e.to.hold()
	}
}

// stuck returns the edges of a circle, or nil where what is left waits for a key.
func (g *graph) stuck(all []*write) []*edge {
	for _, w := range all {
		if !w.done && !w.behind {
			return w.circle()
		}
	}
	return nil
}
