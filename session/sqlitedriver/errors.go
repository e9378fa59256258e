package sqlitedriver

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"strconv"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/urutu-go/urutu/fault"
)

// codeOf returns SQLite's extended result code, or 0 where err is none of its errors.
func codeOf(err error) int {
	if err == nil {
		return 0 // what errors.As needs would take memory each time
	}
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// primary is the part of an extended result code that says what sort it is.
func primary(code int) int { return code & 0xff }

func isBusy(err error) bool { return primary(codeOf(err)) == sqlite3.SQLITE_BUSY }

func isInterrupt(err error) bool {
	return primary(codeOf(err)) == sqlite3.SQLITE_INTERRUPT ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// noTransaction reports whether a COMMIT or ROLLBACK failed because there was nothing to end. It has no code of its own.
func noTransaction(err error) bool {
	return codeOf(err) == sqlite3.SQLITE_ERROR && strings.Contains(err.Error(), "no transaction is active")
}

// insideTransaction reports whether a BEGIN failed because a transaction is open.
func insideTransaction(err error) bool {
	return codeOf(err) == sqlite3.SQLITE_ERROR && strings.Contains(err.Error(), "within a transaction")
}

// ended is the error for a context that is done.
func ended(err error) error { return fault.Wrap(fault.KindOf(err), opRun, err) }

func closedPool(op string) error {
	return fault.Wrap(fault.ConnectionLost, op, errors.New("the pool is closed"))
}

// translate turns an error of SQLite, database/sql or a context into a *fault.Error; nil stays nil, and what is one
// already stays as it is.
func translate(op string, err error) error {
	var already *fault.Error
	if err == nil || errors.As(err, &already) {
		return err
	}
	code := codeOf(err)
	if code == 0 {
		return fault.Wrap(foreignKind(err), op, err)
	}
	e := &fault.Error{Kind: kindOf(code), Op: op, Code: strconv.Itoa(code), Err: err}
	describe(e, err.Error())
	return e
}

// translateCommit does the same for a failed COMMIT. When the disk fails, the commit may be in the log nevertheless and
// be found there later.
func translateCommit(err error) error {
	if primary(codeOf(err)) == sqlite3.SQLITE_IOERR {
		return &fault.Error{Kind: fault.OutcomeUnknown, Op: opRun, Code: strconv.Itoa(codeOf(err)), Err: err}
	}
	return translate(opRun, err)
}

// foreignKind is the kind of an error that is not SQLite's.
func foreignKind(err error) fault.Kind {
	if errors.Is(err, sql.ErrConnDone) || errors.Is(err, sqldriver.ErrBadConn) {
		return fault.ConnectionLost
	}
	return fault.KindOf(err)
}

// kindOf returns the kind of an extended result code.
func kindOf(code int) fault.Kind {
	switch code {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return fault.Unique
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return fault.ForeignKey
	case sqlite3.SQLITE_CONSTRAINT_NOTNULL:
		return fault.NotNull
	case sqlite3.SQLITE_CONSTRAINT_DATATYPE:
		return fault.Invalid
	case sqlite3.SQLITE_BUSY_SNAPSHOT:
		return fault.Serialization
	}
	switch primary(code) {
	case sqlite3.SQLITE_CONSTRAINT: // CHECK, and what a trigger raises
		return fault.Check
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL:
		return fault.LockTimeout
	case sqlite3.SQLITE_READONLY:
		return fault.ReadOnly
	case sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG:
		return fault.Invalid
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN:
		return fault.ConnectionLost
	}
	return fault.Internal
}

// describe fills in what a constraint's message names: "constraint failed: UNIQUE constraint failed: users.email,
// users.tenant (2067)".
func describe(e *fault.Error, message string) {
	message = strings.TrimSuffix(message, " ("+e.Code+")")
	_, what, found := strings.Cut(message, " constraint failed: ")
	if !found {
		return
	}
	switch e.Kind {
	case fault.Unique:
		if index, ok := strings.CutPrefix(what, "index '"); ok {
			e.Constraint = strings.TrimSuffix(index, "'")
			return
		}
		fallthrough
	case fault.NotNull:
		for name := range strings.SplitSeq(what, ", ") {
			if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
				e.Table = name[:dot]
				e.Columns = append(e.Columns, name[dot+1:])
			}
		}
	case fault.Check:
		e.Constraint = what
	}
}
