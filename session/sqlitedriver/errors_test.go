package sqlitedriver

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"testing"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/urutu-go/urutu/fault"
)

func TestDescribe(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		kind       fault.Kind
		message    string
		table      string
		columns    []string
		constraint string
	}{
		{fault.Unique, "constraint failed: UNIQUE constraint failed: users.email (2067)", "users", []string{"email"}, ""},
		{fault.Unique, "constraint failed: UNIQUE constraint failed: sales.users.email, sales.users.tenant (2067)",
			"sales.users", []string{"email", "tenant"}, ""},
		{fault.Unique, "constraint failed: UNIQUE constraint failed: index 'users_lower_idx' (2067)", "", nil, "users_lower_idx"},
		{fault.NotNull, "constraint failed: NOT NULL constraint failed: users.name (2067)", "users", []string{"name"}, ""},
		{fault.Check, "constraint failed: CHECK constraint failed: users_age_check (2067)", "", nil, "users_age_check"},
		{fault.ForeignKey, "constraint failed: FOREIGN KEY constraint failed (2067)", "", nil, ""},
		{fault.Check, "constraint failed: raised by a trigger (2067)", "", nil, ""},
		{fault.Internal, "SQL logic error: no such table: users (2067)", "", nil, ""},
	} {
		e := &fault.Error{Kind: c.kind, Code: "2067"}
		describe(e, c.message)
		if e.Table != c.table || !slices.Equal(e.Columns, c.columns) || e.Constraint != c.constraint {
			t.Errorf("%q: table %q, columns %q, constraint %q", c.message, e.Table, e.Columns, e.Constraint)
		}
	}
}

// FuzzDescribe: no message makes it panic or invent a message for the caller.
func FuzzDescribe(f *testing.F) {
	f.Add("constraint failed: UNIQUE constraint failed: users.email, users.tenant (2067)")
	f.Add("constraint failed: UNIQUE constraint failed: index 'x' (2067)")
	f.Fuzz(func(t *testing.T, message string) {
		for _, kind := range []fault.Kind{fault.Unique, fault.NotNull, fault.Check, fault.ForeignKey} {
			e := &fault.Error{Kind: kind, Code: "2067"}
			describe(e, message)
			if e.Message != "" {
				t.Fatal("a message for the caller")
			}
		}
	})
}

func TestKindOf(t *testing.T) {
	t.Parallel()

	for code, want := range map[int]fault.Kind{
		sqlite3.SQLITE_CONSTRAINT_UNIQUE:     fault.Unique,
		sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: fault.Unique,
		sqlite3.SQLITE_CONSTRAINT_ROWID:      fault.Unique,
		sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: fault.ForeignKey,
		sqlite3.SQLITE_CONSTRAINT_NOTNULL:    fault.NotNull,
		sqlite3.SQLITE_CONSTRAINT_CHECK:      fault.Check,
		sqlite3.SQLITE_CONSTRAINT_TRIGGER:    fault.Check,
		sqlite3.SQLITE_CONSTRAINT_DATATYPE:   fault.Invalid,
		sqlite3.SQLITE_BUSY:                  fault.LockTimeout,
		sqlite3.SQLITE_BUSY_RECOVERY:         fault.LockTimeout,
		sqlite3.SQLITE_BUSY_SNAPSHOT:         fault.Serialization,
		sqlite3.SQLITE_LOCKED:                fault.LockTimeout,
		sqlite3.SQLITE_READONLY:              fault.ReadOnly,
		sqlite3.SQLITE_READONLY_DBMOVED:      fault.ReadOnly,
		sqlite3.SQLITE_MISMATCH:              fault.Invalid,
		sqlite3.SQLITE_IOERR_READ:            fault.ConnectionLost,
		sqlite3.SQLITE_FULL:                  fault.ConnectionLost,
		sqlite3.SQLITE_CANTOPEN:              fault.ConnectionLost,
		sqlite3.SQLITE_CORRUPT:               fault.Internal,
		sqlite3.SQLITE_NOTADB:                fault.Internal,
		sqlite3.SQLITE_ERROR:                 fault.Internal,
	} {
		if got := kindOf(code); got != want {
			t.Errorf("kindOf(%d) = %s, want %s", code, got, want)
		}
	}
}

func TestTranslateOthers(t *testing.T) {
	t.Parallel()

	for err, want := range map[error]fault.Kind{
		context.Canceled:         fault.Canceled,
		context.DeadlineExceeded: fault.StatementTimeout,
		sql.ErrConnDone:          fault.ConnectionLost,
		errors.New("a bug"):      fault.Internal,
	} {
		got := translate(opRun, err)
		if fault.KindOf(got) != want || !errors.Is(got, err) {
			t.Errorf("translate(%v) = %v, want %s", err, got, want)
		}
	}
	if translate(opRun, nil) != nil {
		t.Error("nil became an error")
	}
}
