package dialect

import (
	"strings"

	"github.com/urutu-go/urutu/value"
)

// Dialect renders one SQL flavor. Implementations are immutable and safe for concurrent use. Drivers outside urutu may
// embed one of this package's and override what differs, which also lets the interface grow.
type Dialect interface {
	// Name is the flavour's name: "postgres", "sqlite".
	Name() string
	// Features tells what the database can do.
	Features() Features
	// Ident appends a quoted identifier. A dot separates a schema from a name.
	Ident(b *strings.Builder, name string)
	// Param appends the placeholder of parameter n, counted from 1.
	Param(b *strings.Builder, n int, t value.Type)
	// Insert renders the insertion of one row, or of a batch of them.
	Insert(s Insert) string
	// Update renders the update of one row by its key, or of a batch of them.
	Update(s Update) string
	// Delete renders the deletion of one row by its key, or of a batch of them.
	Delete(s Delete) string
	// Paging appends LIMIT and OFFSET with the parameters of these numbers, which are integers; 0 leaves one out.
	Paging(b *strings.Builder, limit, offset int)
	// Locking appends a locking clause, or nothing where the database has none (and needs none). Where of is not empty
	// only the rows of the table with that alias are locked.
	Locking(b *strings.Builder, lock Lock, of string)
	// Fold appends an expression that folds the case of the one that expr appends.
	Fold(b *strings.Builder, expr func(*strings.Builder))
	// In appends "expr = ANY(array)" or what stands for it, for n values of a type, the first of which is parameter
	// number first. It returns the number of parameters that it used: 1 where the values travel as one array.
	In(b *strings.Builder, expr func(*strings.Builder), first, n int, t value.Type) int
	// InFold appends that the text which expr appends is one of a list when the case of all is ignored. The list is the one
	// parameter number first.
	InFold(b *strings.Builder, expr func(*strings.Builder), first int)
	// ColumnType returns the type of a column in CREATE TABLE, or native where that is not empty and the database takes
	// the user's own type names.
	ColumnType(t value.Type, native string) string
	// SerialType returns the type and constraints of a key that the database generates, with " PRIMARY KEY" if it has to
	// say so there.
	SerialType(t value.Type) (ddl string, includesKey bool)
}

// Features tells what a database can do beyond the SQL that all have.
type Features struct {
	// Pipeline: a script travels as one burst, so that counts are seen only after its end was sent, and checked writes
	// must raise in SQL.
	Pipeline bool
	// Arrays: a batch travels as one array for each column.
	Arrays bool
	// Returning: INSERT and UPDATE can return what the database generated.
	Returning bool
	// LastID: a driver reports the key that the database generated.
	LastID bool
	// Locking: rows can be locked by a SELECT.
	Locking bool
	// DeferrableConstraints: foreign keys may be checked at the commit.
	DeferrableConstraints bool
	// DeferrableUnique: unique constraints too.
	DeferrableUnique bool
	// Estimates: EXPLAIN (FORMAT JSON) says how many rows the planner expects.
	Estimates bool
	// OneWriter: one transaction writes at a time, and it says so as it begins.
	OneWriter bool
	// Isolation: the levels above READ COMMITTED can be asked for. Where it is false the only level is serializable.
	Isolation bool
}

// Column is a column of a rendered write.
type Column struct {
	Name string
	Type value.Type
	// Native is the user's own type name, "" for the usual one.
	Native string
}

// Insert describes the insertion of rows of one shape. The parameters are the columns' values in order.
type Insert struct {
	Table   string
	Columns []Column
	// Returning are the columns to return, one row for the one inserted. Never set together with Batch.
	Returning []string
	// Batch says that the statement takes any number of rows.
	Batch bool
	// Conflict, where it is not nil, has a row that is there already updated instead. Never set together with Batch.
	Conflict *Conflict
}

// Conflict is what becomes of the row that has the values of a unique key already.
type Conflict struct {
	// Target are the key's columns.
	Target []string
	// Set are the columns that take the values of the row that would have been inserted. With none, and nothing to
	// increase, the row stays as it is, and is returned all the same.
	Set []string
	// Increase is a column that is increased by one; "" for none.
	Increase string
}

// Update describes the update of rows by key. The parameters are, in order: the key's values, the version's old value
// where there is one, the new values of Set.
type Update struct {
	Table string
	Key   []Column
	// Version is the column whose old value must match; its zero value is none. It is increased by one.
	Version Column
	Set     []Column
	// Returning are columns to return. Never set together with Batch.
	Returning []string
	Batch     bool
}

// Delete describes the deletion of rows by key. The parameters are the key's values and the version's old value where
// there is one.
type Delete struct {
	Table   string
	Key     []Column
	Version Column
	Batch   bool
}

// Lock is a locking clause.
type Lock uint8

// The locking clauses.
const (
	NoLock Lock = iota
	ForUpdate
	ForUpdateNoWait
	ForUpdateSkipLocked
	ForShare
	ForNoKeyUpdate
)

// Quote returns an identifier quoted by d.
func Quote(d Dialect, name string) string {
	var b strings.Builder
	d.Ident(&b, name)
	return b.String()
}
