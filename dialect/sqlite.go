package dialect

import (
	"strings"

	"github.com/urutu-go/urutu/value"
)

// FoldFunction is the name of the SQL function that the dialect of SQLite calls to fold case, and that a driver for
// SQLite registers: SQLite's own lower() knows ASCII only.
const FoldFunction = "urutu_fold"

// DecimalCollation is the name of the collation that columns of decimals have on SQLite, and that a driver registers:
// value.CompareDecimals. SQLite has no exact decimals, and as plain text 9 would be greater than 10.
const DecimalCollation = "urutu_decimal"

// SQLite returns the dialect of SQLite. A batch is rendered as the statement for one row, which the driver runs for
// each; the driver also checks how many rows a write affected. It sends a list of values as one text, a JSON array of
// what each is stored as; a byte string, which JSON does not have, is an array of its hexadecimal digits.
func SQLite() Dialect { return sqlite{} }

type sqlite struct{}

var _ Dialect = sqlite{}

// Name returns "sqlite".
func (sqlite) Name() string { return "sqlite" }

// Features returns what SQLite can do.
func (sqlite) Features() Features {
	return Features{Returning: true, DeferrableConstraints: true, OneWriter: true}
}

// Ident appends the identifier between backquotes: what stands between double quotes is a string to SQLite where there
// is no such column, so that a missing column would read as its own name. SQLite has no schemas, and the whole of
// "sales.people" is one name.
func (sqlite) Ident(b *strings.Builder, name string) { quote(b, name, '`') }

// Param appends "?n".
func (sqlite) Param(b *strings.Builder, n int, _ value.Type) { number(b, '?', n) }

// Insert renders the insertion of one row.
func (d sqlite) Insert(s Insert) string {
	var b strings.Builder
	b.WriteString("INSERT INTO ")
	d.Ident(&b, s.Table)
	if s.Conflict != nil {
		b.WriteString(" AS x")
	}
	if len(s.Columns) == 0 {
		b.WriteString(" DEFAULT VALUES")
	} else {
		b.WriteString(" (")
		list(&b, len(s.Columns), ", ", func(i int) { d.Ident(&b, s.Columns[i].Name) })
		b.WriteString(") VALUES (")
		list(&b, len(s.Columns), ", ", func(i int) { number(&b, '?', i+1) })
		b.WriteByte(')')
	}
	conflict(&b, s.Conflict, d.Ident)
	d.returning(&b, s.Returning)
	return b.String()
}

// Update renders the update of one row. With Returning it yields the returned columns, and no row where none was
// found.
func (d sqlite) Update(s Update) string {
	var b strings.Builder
	b.WriteString("UPDATE ")
	d.Ident(&b, s.Table)
	b.WriteString(" SET ")
	first := len(s.Key) + 1
	if s.Version.Name != "" {
		first++
	}
	d.assign(&b, s, first)
	b.WriteString(" WHERE ")
	d.match(&b, s.Key, s.Version)
	d.returning(&b, s.Returning)
	return b.String()
}

// assign appends the assignments of an update. One that changes nothing, and only checks, sets a key to itself.
func (d sqlite) assign(b *strings.Builder, s Update, first int) {
	list(b, len(s.Set), ", ", func(i int) {
		d.Ident(b, s.Set[i].Name)
		b.WriteString(" = ")
		number(b, '?', first+i)
	})
	same, more := s.Key[0].Name, ""
	switch {
	case s.Version.Name != "":
		same, more = s.Version.Name, " + 1"
		if len(s.Set) > 0 {
			b.WriteString(", ")
		}
	case len(s.Set) > 0:
		return
	}
	d.Ident(b, same)
	b.WriteString(" = ")
	d.Ident(b, same)
	b.WriteString(more)
}

// Delete renders the deletion of one row.
func (d sqlite) Delete(s Delete) string {
	var b strings.Builder
	b.WriteString("DELETE FROM ")
	d.Ident(&b, s.Table)
	b.WriteString(" WHERE ")
	d.match(&b, s.Key, s.Version)
	return b.String()
}

// match appends the condition that a row has the key and version in the first parameters.
func (d sqlite) match(b *strings.Builder, key []Column, version Column) {
	if version.Name != "" {
		key = append(key[:len(key):len(key)], version)
	}
	list(b, len(key), " AND ", func(i int) {
		d.Ident(b, key[i].Name)
		b.WriteString(" = ")
		number(b, '?', i+1)
	})
}

func (d sqlite) returning(b *strings.Builder, names []string) {
	if len(names) > 0 {
		b.WriteString(" RETURNING ")
		list(b, len(names), ", ", func(i int) { d.Ident(b, names[i]) })
	}
}

// Paging appends LIMIT and OFFSET. SQLite has no OFFSET without a LIMIT; -1 is none. It looks at what is bound to a limit
// as it plans, and so plans a statement anew whenever it is bound: the plus hides that it is a parameter.
func (sqlite) Paging(b *strings.Builder, limit, offset int) {
	switch {
	case limit > 0:
		b.WriteString(" LIMIT +")
		number(b, '?', limit)
	case offset > 0:
		b.WriteString(" LIMIT -1")
	}
	if offset > 0 {
		b.WriteString(" OFFSET ")
		number(b, '?', offset)
	}
}

// Locking appends nothing: a transaction that writes is the only one.
func (sqlite) Locking(*strings.Builder, Lock, string) {}

// Fold appends a call of [FoldFunction].
func (sqlite) Fold(b *strings.Builder, expr func(*strings.Builder)) {
	b.WriteString(FoldFunction + "(")
	expr(b)
	b.WriteByte(')')
}

// In appends "expr IN (SELECT value FROM json_each(?first))", whose one parameter is the list of all values, so that the
// text is the same for any number of them and SQLite's limit of 32,766 parameters does not matter: see [SQLite]. One
// value is a parameter of its own.
func (sqlite) In(b *strings.Builder, expr func(*strings.Builder), first, n int, t value.Type) int {
	if n == 0 {
		b.WriteString(nothing)
		return 0
	}
	expr(b)
	b.WriteString(" IN (")
	switch {
	case n == 1:
		number(b, '?', first)
	case t == value.TypeBytes, t == value.TypeUnknown:
		b.WriteString("SELECT CASE type WHEN 'array' THEN unhex(value ->> 0) ELSE value END FROM json_each(")
		number(b, '?', first)
		b.WriteByte(')')
	default:
		b.WriteString("SELECT value FROM json_each(")
		number(b, '?', first)
		b.WriteByte(')')
	}
	b.WriteByte(')')
	return 1
}

// InFold appends "fold(expr) IN (SELECT ...)" of the list with its case folded.
func (d sqlite) InFold(b *strings.Builder, expr func(*strings.Builder), first int) {
	d.Fold(b, expr)
	b.WriteString(" IN (SELECT " + FoldFunction + "(value) FROM json_each(")
	number(b, '?', first)
	b.WriteString("))")
}

// ColumnType returns the type whose affinity leaves the stored values as they are. The user's own type names are those
// of another database, and their affinities would change values: what is declared "numeric" is stored as a float.
func (sqlite) ColumnType(t value.Type, _ string) string {
	switch t {
	case value.TypeBool:
		return "BOOLEAN"
	case value.TypeInt16, value.TypeInt32, value.TypeInt64:
		return "INTEGER"
	case value.TypeFloat32, value.TypeFloat64:
		return "REAL"
	case value.TypeBytes, value.TypeUint64:
		return "BLOB"
	case value.TypeTime:
		return "DATETIME"
	case value.TypeDecimal:
		return "TEXT COLLATE " + DecimalCollation
	default:
		return "TEXT"
	}
}

// SerialType returns the type of a key that is never given twice, even after its row is deleted. The key is included,
// because SQLite generates numbers only where both are said together.
func (sqlite) SerialType(value.Type) (ddl string, includesKey bool) {
	return "INTEGER PRIMARY KEY AUTOINCREMENT", true
}
