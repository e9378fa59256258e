package driver

import (
	"fmt"
	"time"

	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/value"
)

// Cell is one cell of a result.
type Cell = value.Value

// Script is what goes to the database in one go: BEGIN, the statements, and the end of the transaction. Each part is
// optional.
type Script struct {
	// Begin starts a transaction before the statements. Nil: the statements run in whatever transaction is open, or
	// each by itself where none is.
	Begin *TxOptions
	// Statements run in order; the first that fails ends the script.
	Statements []Statement
	// End ends the transaction after the statements.
	End End
}

// End says how a script ends.
type End uint8

// How a script ends.
const (
	// Stay leaves the transaction as it is.
	Stay End = iota
	// Commit commits it. A script with Commit and a failing statement commits nothing.
	Commit
	// Rollback rolls it back.
	Rollback
)

// String returns "stay", "commit" or "rollback".
func (e End) String() string { return [...]string{"stay", "commit", "rollback"}[e] }

// Isolation is a transaction's isolation level.
type Isolation = uow.Isolation

// TxOptions are the options of a BEGIN.
type TxOptions struct {
	Isolation Isolation
	// ReadOnly makes the database refuse writes.
	ReadOnly bool
	// StatementTimeout and LockTimeout bound each statement, and each wait for a lock, of this transaction; 0 leaves the
	// database's own.
	StatementTimeout, LockTimeout time.Duration
}

// Statement is one statement of a script.
type Statement struct {
	// SQL is the text, with the dialect's placeholders.
	SQL string
	// Types are the parameters' types, one for each placeholder.
	Types []value.Type
	// Args are the parameters: len(Types) of them, or Batch rows of that many one after the other.
	Args []value.Value
	// Batch, where it is not 0, is the number of rows that Args hold. A dialect with arrays rendered SQL to take one
	// array for each parameter; any other to take one row, and the driver runs it once for each. A batch returns no
	// rows but those of a raising guard.
	Batch int
	// Lists, where it is not nil, has an entry for each parameter: the elements of one that is a list, nil for one that
	// is not. Only a dialect whose In takes one parameter for several values renders such a parameter; its place in Args
	// is unused. Never set together with Batch.
	Lists [][]value.Value
	// Stream says that the rows may be more than anybody wants in memory, and that Results takes its time with each: the
	// driver asks for them as they are taken and holds few at a time, and a row that is refused costs no more than those.
	// Refusing one leaves a transaction that was begun earlier open and usable. Only the last statement of a script is a
	// stream; it is a query, and neither a batch nor Checked.
	Stream bool
	// Result are the types of the columns that the statement returns; nil where it returns none. A column of
	// value.TypeUnknown is decoded as the driver finds it.
	Result []value.Type
	// Expect is the number of rows that each row of arguments must affect, where Checked is set. A dialect whose driver
	// sees counts only after the transaction's end was sent rendered SQL to raise instead, and the driver tells that
	// error from others. Either way the script fails with fault.Stale and the ordinal of the row.
	Checked bool
	Expect  int64
	// Query says for echo, spans and errors what the statement is: "insert users".
	Query string
	// Secret says which parameters must never be printed, by position; nil for none.
	Secret []bool
	// Raw says that the text came from the user, so that none of its arguments is ever printed.
	Raw bool
}

// Rows returns the number of rows of arguments: Batch, or 1.
func (s *Statement) Rows() int {
	if s.Batch > 0 {
		return s.Batch
	}
	return 1
}

// Positions in a script that are not statements, for [ScriptError].
const (
	// AtBegin: the BEGIN, or the connection before anything was sent.
	AtBegin = -1
	// AtEnd: the commit or rollback.
	AtEnd = -2
)

// ScriptError says which part of a script failed. Its cause is a *fault.Error with the kind, the constraint and the
// driver's own error; a session adds the entity.
type ScriptError struct {
	// Statement is the index of the statement that failed, or AtBegin or AtEnd.
	Statement int
	// Row is the row of a batch that failed, counted from 0, or -1 where that is not known.
	Row int
	// Err is the cause.
	Err error
}

// Error prints the position and the cause.
func (e *ScriptError) Error() string {
	switch e.Statement {
	case AtBegin:
		return fmt.Sprintf("begin: %v", e.Err)
	case AtEnd:
		return fmt.Sprintf("end of transaction: %v", e.Err)
	default:
		return e.Err.Error()
	}
}

// Unwrap returns the cause.
func (e *ScriptError) Unwrap() error { return e.Err }

// ParamError says that a driver cannot send a parameter as it is: a NaN, a NUL in text. It is the cause of a
// fault.Invalid, and its statement was not sent. The session makes the field's name of it.
type ParamError struct {
	// Query is the statement's own, and Param the parameter's number, counted from 1.
	Query string
	Param int
	Type  value.Type
	// Err says what is wrong with the value, without it.
	Err error
}

// Error prints the parameter and the cause.
func (e *ParamError) Error() string {
	return fmt.Sprintf("%s: parameter %d of type %v: %v", e.Query, e.Param, e.Type, e.Err)
}

// Unwrap returns the cause.
func (e *ParamError) Unwrap() error { return e.Err }
