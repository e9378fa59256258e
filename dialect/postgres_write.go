package dialect

import (
	"strconv"
	"strings"
)

// raise turns an ordinal into the error that the driver knows as a stale row. Its argument must not be a constant: the
// planner evaluates constants, and would raise for every row.
const raise = "('urutu:stale:' || "

// mark is the guard's column in a returning update. The colon keeps it apart from any column that somebody would name.
const mark = `"urutu:ord"`

// Insert renders the insertion of one row, or of a batch that is one array for each column.
func (d postgres) Insert(s Insert) string {
	var b strings.Builder
	b.WriteString("INSERT INTO ")
	d.Ident(&b, s.Table)
	if s.Conflict != nil {
		b.WriteString(" AS x")
	}
	switch {
	case len(s.Columns) == 0:
		b.WriteString(" DEFAULT VALUES")
	case s.Batch:
		b.WriteString(" (")
		d.names(&b, s.Columns)
		b.WriteString(") SELECT * FROM unnest(")
		d.arrays(&b, s.Columns)
		b.WriteByte(')')
	default:
		b.WriteString(" (")
		d.names(&b, s.Columns)
		b.WriteString(") VALUES (")
		list(&b, len(s.Columns), ", ", func(i int) { d.param(&b, i+1, s.Columns[i]) })
		b.WriteByte(')')
	}
	conflict(&b, s.Conflict, d.column)
	if len(s.Returning) > 0 && !s.Batch {
		b.WriteString(" RETURNING ")
		list(&b, len(s.Returning), ", ", func(i int) { d.column(&b, s.Returning[i]) })
	}
	return b.String()
}

// Update renders the update of one row, or of a batch that is one array for each parameter. Each form raises for a row
// that its key and version do not find.
//
// The result of a form with Returning is one row: the returned columns in order, then one more column, which is NULL.
// Every other form returns one integer column and no row.
func (d postgres) Update(s Update) string {
	switch {
	case s.Batch:
		return d.updateBatch(s)
	case len(s.Returning) > 0:
		return d.updateReturning(s)
	}
	var b strings.Builder
	b.WriteString("WITH u AS (")
	d.updateOne(&b, s)
	b.WriteString(" RETURNING 1")
	d.guardOne(&b)
	return b.String()
}

// updateReturning joins the updated row to one that is always there, so that there is a row to raise in.
func (d postgres) updateReturning(s Update) string {
	var b strings.Builder
	b.WriteString("WITH u AS (")
	d.updateOne(&b, s)
	b.WriteString(" RETURNING ")
	for _, name := range s.Returning {
		d.column(&b, name)
		b.WriteString(", ")
	}
	b.WriteString("1 AS " + mark + ") SELECT ")
	for _, name := range s.Returning {
		b.WriteString("u.")
		d.column(&b, name)
		b.WriteString(", ")
	}
	b.WriteString("CASE WHEN u." + mark + " IS NULL THEN " + raise + "coalesce(u." + mark + ", 1))::int END ")
	b.WriteString("FROM (SELECT 1) v LEFT JOIN u ON true")
	return b.String()
}

// updateOne appends the plain update of one row.
func (d postgres) updateOne(b *strings.Builder, s Update) {
	b.WriteString("UPDATE ")
	d.Ident(b, s.Table)
	b.WriteString(" x SET ")
	first := len(s.Key) + 1
	if s.Version.Name != "" {
		first++
	}
	d.assign(b, s, func(i int) { d.param(b, first+i, s.Set[i]) })
	b.WriteString(" WHERE ")
	d.match(b, s.Key, s.Version)
}

// updateBatch locks the rows in the order of their keys before it updates any, so that two batches with some rows in
// common wait for each other instead of running into a deadlock. The sub-select in the condition makes it read all of
// the locks: a query that nothing refers to would not be run.
func (d postgres) updateBatch(s Update) string {
	var b strings.Builder
	d.input(&b, s.Key, s.Version, s.Set)
	d.locks(&b, s.Table, s.Key, "FOR NO KEY UPDATE")
	b.WriteString(", u AS (UPDATE ")
	d.Ident(&b, s.Table)
	b.WriteString(" x SET ")
	d.assign(&b, s, func(i int) { b.WriteString("v.s" + strconv.Itoa(i+1)) })
	b.WriteString(" FROM v WHERE ")
	d.join(&b, s.Key, s.Version)
	d.guardBatch(&b)
	return b.String()
}

// Delete renders the deletion of one row, or of a batch that is one array for each parameter. Each form raises for a
// row that its key and version do not find, and returns one integer column and no row.
func (d postgres) Delete(s Delete) string {
	var b strings.Builder
	if s.Batch {
		d.input(&b, s.Key, s.Version, nil)
		d.locks(&b, s.Table, s.Key, "FOR UPDATE")
		b.WriteString(", u AS (DELETE FROM ")
		d.Ident(&b, s.Table)
		b.WriteString(" x USING v WHERE ")
		d.join(&b, s.Key, s.Version)
		d.guardBatch(&b)
		return b.String()
	}
	b.WriteString("WITH u AS (DELETE FROM ")
	d.Ident(&b, s.Table)
	b.WriteString(" x WHERE ")
	d.match(&b, s.Key, s.Version)
	b.WriteString(" RETURNING 1")
	d.guardOne(&b)
	return b.String()
}

// guardOne closes the CTE of a write of one row and raises where it wrote none. The count keeps the planner from
// raising by itself.
func (postgres) guardOne(b *strings.Builder) {
	b.WriteString(") SELECT " + raise + "(count(*) + 1))::int FROM u HAVING count(*) = 0")
}

// guardBatch waits for the locks, closes the CTE of a batch and raises for the first row that was not written.
func (postgres) guardBatch(b *strings.Builder) {
	b.WriteString(" AND (SELECT count(*) FROM l) >= 0 RETURNING v.n) SELECT " + raise + "min(v.n))::int ")
	b.WriteString("FROM v LEFT JOIN u USING (n) WHERE u.n IS NULL HAVING count(*) > 0")
}

// input opens the query with the rows of the batch: keys k1.., old version o, new values s1.., ordinal n.
func (d postgres) input(b *strings.Builder, key []Column, version Column, set []Column) {
	columns := make([]Column, 0, len(key)+1+len(set))
	columns = append(columns, key...)
	if version.Name != "" {
		columns = append(columns, version)
	}
	columns = append(columns, set...)
	b.WriteString("WITH v AS (SELECT * FROM unnest(")
	d.arrays(b, columns)
	b.WriteString(") WITH ORDINALITY AS v(")
	for i := range key {
		b.WriteString("k" + strconv.Itoa(i+1) + ", ")
	}
	if version.Name != "" {
		b.WriteString("o, ")
	}
	for i := range set {
		b.WriteString("s" + strconv.Itoa(i+1) + ", ")
	}
	b.WriteString("n))")
}

// locks appends a CTE that locks the rows of the batch in the order of their keys.
func (d postgres) locks(b *strings.Builder, table string, key []Column, lock string) {
	b.WriteString(", l AS (SELECT 1 FROM ")
	d.Ident(b, table)
	b.WriteString(" x JOIN v ON ")
	d.join(b, key, Column{})
	b.WriteString(" ORDER BY ")
	list(b, len(key), ", ", func(i int) { d.of(b, key[i]) })
	b.WriteString(" " + lock + " OF x)")
}

// join appends the condition that a row of the table is one of the batch.
func (d postgres) join(b *strings.Builder, key []Column, version Column) {
	list(b, len(key), " AND ", func(i int) {
		d.of(b, key[i])
		b.WriteString(" = v.k" + strconv.Itoa(i+1))
	})
	if version.Name != "" {
		b.WriteString(" AND ")
		d.of(b, version)
		b.WriteString(" = v.o")
	}
}

// match appends the condition that a row of the table has the key and version in the first parameters.
func (d postgres) match(b *strings.Builder, key []Column, version Column) {
	if version.Name != "" {
		key = append(key[:len(key):len(key)], version)
	}
	list(b, len(key), " AND ", func(i int) {
		d.of(b, key[i])
		b.WriteString(" = ")
		d.param(b, i+1, key[i])
	})
}

// assign appends the assignments of an update. One that changes nothing, and only checks, sets a key to itself.
func (d postgres) assign(b *strings.Builder, s Update, operand func(i int)) {
	list(b, len(s.Set), ", ", func(i int) {
		d.column(b, s.Set[i].Name)
		b.WriteString(" = ")
		operand(i)
	})
	switch {
	case s.Version.Name != "":
		if len(s.Set) > 0 {
			b.WriteString(", ")
		}
		d.column(b, s.Version.Name)
		b.WriteString(" = ")
		d.of(b, s.Version)
		b.WriteString(" + 1")
	case len(s.Set) == 0:
		d.column(b, s.Key[0].Name)
		b.WriteString(" = ")
		d.of(b, s.Key[0])
	}
}

// names appends the names of columns.
func (d postgres) names(b *strings.Builder, columns []Column) {
	list(b, len(columns), ", ", func(i int) { d.column(b, columns[i].Name) })
}

// arrays appends one array parameter for each column.
func (d postgres) arrays(b *strings.Builder, columns []Column) {
	list(b, len(columns), ", ", func(i int) {
		number(b, '$', i+1)
		b.WriteString("::" + castType(columns[i]) + "[]")
	})
}

// of appends a column of the row that is written.
func (d postgres) of(b *strings.Builder, c Column) {
	b.WriteString("x.")
	d.column(b, c.Name)
}

// param appends a placeholder, with a cast where the user chose the type and the declared one may not convert to it.
func (d postgres) param(b *strings.Builder, n int, c Column) {
	d.Param(b, n, c.Type)
	if c.Native != "" {
		b.WriteString("::" + castType(c))
	}
}
