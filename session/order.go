package session

import (
	"cmp"
	"slices"
	"strings"

	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/value"
)

// table is one table of a plan.
type table struct {
	*meta
	refs         []ref // to tables of the plan
	rank         int   // its place after those that it refers to
	frees, takes bool  // something may free a unique value, and something may take one
}

// ref says that a column of a table refers to a column of another one of the plan.
type ref struct {
	f          *model.Field
	to         *table
	column     *model.Field
	name       string // of the constraint, "" where none is declared
	deferrable bool
}

// tableOf returns the plan's table of a model.
func (p *plan) tableOf(x *meta) *table {
	for _, t := range p.tables {
		if t.Model == x.Model {
			return t
		}
	}
	t := &table{meta: x}
	p.tables = append(p.tables, t)
	return t
}

// order puts the writes into the order in which the database takes them, and leaves those out that wait for a key that
// it is about to make: inserts as they came, parents before children; updates and then deletes by key, so that two
// sessions that write the same rows lock them in the same order, and children before parents. Rows that stand in each
// other's way (references inside a table or in a circle, unique values that change hands) are ordered one by one.
func (p *plan) order(op string) error {
	if len(p.writes) < 2 && !p.waits {
		return nil
	}
	if p.waits {
		p.byEntry = make(map[*entry]*write, len(p.writes))
		for _, w := range p.writes {
			p.byEntry[w.entry] = w
		}
	}
	p.refer()
	circular := p.rank()
	p.sort()
	g := graph{p: p}
	g.uniques()
	if !circular && !p.waits && len(g.edges) == 0 {
		return nil
	}
	g.references()
	return g.order(op)
}

// refer finds the references between the plan's tables: those that are declared, and those that relations imply.
func (p *plan) refer() {
	for _, t := range p.tables {
		for _, r := range t.References {
			for _, to := range p.tables {
				if column, ok := to.Column(r.Target); ok && to.Table == r.Table {
					t.refs = append(t.refs, ref{r.Field, to, column, r.Name, r.Deferrable})
				}
			}
		}
	}
	for _, t := range p.tables {
		for _, r := range t.relations {
			other := p.byModel(r.Target)
			switch {
			case other == nil, r.Kind == model.ManyToMany: // the table in between declares its references
			case r.Kind == model.BelongsTo:
				t.imply(ref{f: r.Local, to: other, column: r.Foreign})
			default:
				other.imply(ref{f: r.Foreign, to: t, column: r.Local})
			}
		}
	}
}

func (p *plan) byModel(m *model.Model) *table {
	for _, t := range p.tables {
		if t.Model == m {
			return t
		}
	}
	return nil
}

// imply adds a reference that is not there yet.
func (t *table) imply(r ref) {
	if !slices.ContainsFunc(t.refs, func(o ref) bool { return o.f == r.f && o.to == r.to }) {
		t.refs = append(t.refs, r)
	}
}

// rank numbers the tables so that each comes after those that it refers to, as far as that goes. It reports whether some
// refer to themselves or to each other.
func (p *plan) rank() (circular bool) {
	next := 0
	var visit func(t *table)
	visit = func(t *table) {
		t.rank = -1 // under way: a reference back to it closes a circle
		for _, r := range t.refs {
			switch {
			case r.to.rank < 0:
				circular = true
			case r.to.rank == 0:
				visit(r.to)
			}
		}
		next++
		t.rank = next
	}
	for _, t := range p.tables {
		if t.rank == 0 {
			visit(t)
		}
	}
	return circular
}

// placed is a write with what it is sorted by, beside each other: thousands of rows come in no order.
type placed struct {
	class  int64  // what it does, and to which table
	hi, lo uint64 // of the first value of its key
	came   int
	*write
}

// sort orders the writes by what they do, then by table, then as they came (inserts) or by key.
func (p *plan) sort() {
	list := p.memory.placed[:0]
	for i, w := range p.writes {
		list = append(list, w.placed(i))
	}
	slices.SortFunc(list, func(a, b placed) int {
		c := cmp.Compare(a.class, b.class)
		if c == 0 {
			c = cmp.Compare(a.hi, b.hi)
		}
		if c == 0 {
			c = cmp.Compare(a.lo, b.lo)
		}
		if c == 0 && a.op != opInsert {
			c = a.compareKey(b.write)
		}
		if c == 0 {
			c = cmp.Compare(a.came, b.came)
		}
		return c
	})
	for i := range list {
		p.writes[i] = list[i].write
	}
	clear(list)
	p.memory.placed = list[:0]
}

func (w *write) placed(came int) placed {
	const tables = 1 << 32
	at := placed{class: int64(w.op)*tables + int64(w.table.rank), came: came, write: w}
	switch w.op {
	case opInsert:
		return at
	case opDelete:
		at.class = int64(w.op)*tables - int64(w.table.rank)
	}
	at.hi, at.lo = ordered(w.finds(w.Key[0]))
	return at
}

// ordered returns the halves of a value so that they compare as the value does; where they are the same, its text decides.
func ordered(v value.Value) (hi, lo uint64) {
	hi, lo = v.Halves()
	if v.Kind() == value.Int {
		hi ^= 1 << 63
	}
	return hi, lo
}

// compareKey compares the keys of rows of one table.
func (w *write) compareKey(o *write) int {
	for _, f := range w.Key {
		if c := compareValues(w.finds(f), o.finds(f)); c != 0 {
			return c
		}
	}
	return 0
}

func compareKeys(a, b []value.Value) int { return slices.CompareFunc(a, b, compareValues) }

func compareValues(a, b value.Value) int {
	ahi, alo := ordered(a)
	bhi, blo := ordered(b)
	return cmp.Or(cmp.Compare(ahi, bhi), cmp.Compare(alo, blo), strings.Compare(a.Str(), b.Str()))
}
