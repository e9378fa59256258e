package query

import (
	"reflect"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/internal/model"
)

// Clause is a part of a query: a [Predicate], an order, a limit, a lock. The verbs of package session take any number
// of them, in any order; predicates are joined by AND, orders apply in the order given, of the others the last counts.
type Clause interface{ apply(q *Select) }

func (p Predicate) apply(q *Select) {
	q.where = append(q.where, p)
	q.several = q.several || p.wide
}

// Sort is one level of an order.
type Sort struct {
	col   column
	key   *model.Field // set instead of col by orderByKey
	n     node         // or an expression
	typ   reflect.Type // of the expression
	desc  bool
	first bool // NULL comes first
}

// NullsFirst is s with NULL before everything else instead of behind it.
func (s Sort) NullsFirst() Sort {
	s.first = true
	return s
}

func (s Sort) apply(q *Select) {
	q.order = append(q.order, s)
	q.several = q.several || s.n != nil && s.n.several()
}

// node returns what is ordered by.
func (s Sort) node() node {
	if s.n != nil {
		return s.n
	}
	return s.col
}

// column returns the column that is ordered by, and false where it is an expression.
func (s Sort) column() (column, bool) {
	if s.n == nil {
		return s.col, true
	}
	c, ok := s.n.(column)
	return c, ok
}

// Asc orders by the column, smallest first and NULL last.
func Asc[V any](col *V) Sort { return Sort{col: columnOf(col)} }

// Desc orders by the column, greatest first and NULL last.
func Desc[V any](col *V) Sort { return Sort{col: columnOf(col), desc: true} }

// Limit is the greatest number of rows that a query returns. A negative one is none.
type Limit int

func (l Limit) apply(q *Select) { q.limit = int(l) }

// Offset is the number of rows that a query skips.
type Offset int

func (o Offset) apply(q *Select) { q.offset = int(o) }

// Lock locks the rows that a query returns until the transaction ends, which it begins where none is open, and renews
// what the session knows of them, but for objects with changes that are not flushed. On a database with one writer the
// lock is that of the writer.
type Lock uint8

// The locks.
const (
	// ForUpdate waits for rows that others have locked.
	ForUpdate Lock = iota + 1
	// ForUpdateNoWait fails with fault.LockTimeout where a row is locked.
	ForUpdateNoWait
	// ForUpdateSkipLocked leaves out the rows that are locked.
	ForUpdateSkipLocked
	// ForShare lets others read and lock for share, and not write.
	ForShare
	// ForNoKeyUpdate is ForUpdate for rows that are going to be changed and not deleted: where the database can tell the two
	// apart, rows that refer to the locked ones may be written meanwhile.
	ForNoKeyUpdate
)

func (l Lock) apply(q *Select) { q.lock = l }

// dialectLocks are the dialect's names of the locks.
var dialectLocks = [...]dialect.Lock{
	dialect.NoLock, dialect.ForUpdate, dialect.ForUpdateNoWait, dialect.ForUpdateSkipLocked, dialect.ForShare,
	dialect.ForNoKeyUpdate,
}

// Mode changes what a session makes of the rows that a query returns.
type Mode uint8

// The modes.
const (
	// Populate overwrites the fields of objects that the session has already, and what it knows of them, from the rows.
	// Their unflushed changes are lost.
	Populate Mode = iota + 1
	// NoTracking returns objects that the session does not know: changing them writes nothing, and each query returns new
	// ones.
	NoTracking
)

func (m Mode) apply(q *Select) {
	switch m {
	case Populate:
		q.Populate = true
	case NoTracking:
		q.NoTracking = true
	}
}

// Scope changes which rows there are for a query.
type Scope uint8

// WithDeleted takes soft-deleted rows in too.
const WithDeleted Scope = 1

func (s Scope) apply(q *Select) { q.withDeleted = true }
