package model

import "strings"

// groups collects the columns of constraints, in the order in which their first columns come.
type groups struct {
	names      []string
	columns    map[string][]string
	deferrable map[string]bool
}

func (g *groups) add(name, column string, deferrable bool) {
	if g.columns == nil {
		g.columns, g.deferrable = map[string][]string{}, map[string]bool{}
	}
	g.deferrable[name] = g.deferrable[name] || deferrable
	if _, ok := g.columns[name]; !ok {
		g.names = append(g.names, name)
	}
	g.columns[name] = append(g.columns[name], column)
}

// list names the constraints after their columns.
func (g *groups) list(table, kind string) []Constraint {
	var list []Constraint
	for _, name := range g.names {
		columns := g.columns[name]
		list = append(list, Constraint{
			Name: constraintName(table, columns, kind), Columns: columns, Deferrable: g.deferrable[name],
		})
	}
	return list
}

// constraints notes what the tag says about the table.
func (c *compiler) constraints(f *Field, tg tag) {
	// A column's own constraint is a group that no tag can name.
	if tg.unique {
		c.uniques.add(","+f.Column, f.Column, tg.deferrable)
	}
	for _, g := range tg.uniques {
		c.uniques.add(g, f.Column, tg.deferrable)
	}
	if tg.index {
		c.indexes.add(","+f.Column, f.Column, false)
	}
	for _, g := range tg.indexes {
		c.indexes.add(g, f.Column, false)
	}
	if tg.ref != "" {
		c.reference(f, tg)
	}
}

// reference reads ref=table, ref=table.column or ref=schema.table.column.
func (c *compiler) reference(f *Field, tg tag) {
	r := Reference{Column: f.Column, Field: f, Table: tg.ref, Target: "id", OnDelete: tg.onDelete, Deferrable: tg.deferrable}
	if i := strings.LastIndexByte(tg.ref, '.'); i >= 0 {
		r.Table, r.Target = tg.ref[:i], tg.ref[i+1:]
	}
	if strings.Count(r.Table, ".") > 1 {
		c.fail(f.Name, "ref=%s: it is a table, table.column or schema.table.column", tg.ref)
		return
	}
	if tg.onDelete == "SET NULL" && !f.Nullable {
		c.fail(f.Name, "ondelete=setnull needs a field that can be NULL, which a %s cannot", f.GoType)
		return
	}
	c.m.References = append(c.m.References, r)
}

// nameConstraints names everything that belongs to the table once its own name is known.
func (c *compiler) nameConstraints() {
	m := c.m
	m.Uniques = c.uniques.list(m.Table, "key")
	m.Indexes = c.indexes.list(m.Table, "idx")
	for i := range m.References {
		m.References[i].Name = constraintName(m.Table, []string{m.References[i].Column}, "fkey")
	}
	taken := map[string]bool{}
	for _, list := range [][]Constraint{m.Uniques, m.Indexes} {
		for _, k := range list {
			if taken[k.Name] {
				c.fail(strings.Join(k.Columns, ", "), "two constraints or indexes of the same columns: %s", k.Name)
			}
			taken[k.Name] = true
		}
	}
}
