package session

import (
	"encoding/binary"

	"github.com/urutu-go/urutu/internal/model"
)

// uniques finds the values of unique constraints that one write frees and another one takes.
func (g *graph) uniques() {
	freed := map[string]*write{}
	for _, w := range g.p.writes {
		if !w.table.frees || !w.table.takes || w.op == opInsert {
			continue
		}
		for j := range w.uniques {
			if key, ok := w.uniques[j].key(j, w, w.snapshot, w.op == opDelete); ok {
				freed[key] = w
			}
		}
	}
	if len(freed) == 0 {
		return
	}
	g.nodes()
	for _, w := range g.p.writes {
		if w.op == opDelete {
			continue
		}
		for j := range w.uniques {
			u := &w.uniques[j]
			key, ok := u.key(j, w, w.values, w.op == opInsert)
			if from := freed[key]; ok && from != nil && from != w {
				g.edge(edge{from: from, to: w, kind: freedFirst, fields: u.fields, name: u.name})
			}
		}
	}
}

// unique is a unique constraint of a table, the primary key included.
type unique struct {
	name   string
	fields []*model.Field
	cols   bits
}

// uniquesOf lists the constraints that are checked row by row.
func uniquesOf(x *meta) []unique {
	all := []unique{{name: primaryKeyName(x.Table), fields: x.Key}}
	for _, c := range x.Uniques {
		if c.Deferrable && x.d.Features().DeferrableUnique {
			continue
		}
		u := unique{name: c.Name}
		for _, name := range c.Columns {
			f, _ := x.Column(name)
			u.fields = append(u.fields, f)
		}
		all = append(all, u)
	}
	for i := range all {
		for _, f := range all[i].fields {
			all[i].cols.set(f.Index)
		}
	}
	return all
}

// key makes a map key of the constraint's values in a row. It reports false where one is NULL, or where the write leaves
// the constraint's columns alone.
func (u *unique) key(i int, w *write, r row, whole bool) (string, bool) {
	if !whole && !w.cols.meets(u.cols) {
		return "", false
	}
	b := append([]byte(w.Table), 0, byte(i))
	for _, f := range u.fields {
		v := r.at(f.Index)
		if v.IsNull() || w.op == opInsert && !w.cols.has(f.Index) {
			return "", false
		}
		hi, lo := v.Halves()
		b = binary.BigEndian.AppendUint64(b, hi)
		b = binary.BigEndian.AppendUint64(b, lo)
		b = binary.AppendUvarint(b, uint64(len(v.Str())))
		b = append(b, v.Str()...)
	}
	return string(b), true
}
