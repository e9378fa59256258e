package pgxdriver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// What the server refuses comes as a kind, with the constraint and its columns and without the values.
func TestErrorsOfTheServer(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := f.lend()
	for _, ddl := range []string{
		`CREATE TABLE parents (id bigint PRIMARY KEY)`,
		`CREATE TABLE things (id bigint PRIMARY KEY, a text, "B c" text, n int NOT NULL DEFAULT 1 CONSTRAINT things_n_check CHECK (n > 0),
			parent bigint CONSTRAINT things_parent_fkey REFERENCES parents, short varchar(3), CONSTRAINT things_key UNIQUE (a, "B c"))`,
		`CREATE UNIQUE INDEX things_lower ON things (lower(short))`,
		`INSERT INTO parents VALUES (1)`,
		`INSERT INTO things (id, a, "B c", parent, short) VALUES (1, 'secret', 'secret', 1, 's')`,
	} {
		f.must(c, nil, driver.Stay, statement(ddl))
	}
	for _, p := range []struct {
		sql        string
		kind       fault.Kind
		constraint string
		columns    []string
	}{
		{`INSERT INTO things (id, a, "B c") VALUES (2, 'secret', 'secret')`, fault.Unique, "things_key", []string{"a", "B c"}},
		{`INSERT INTO things (id) VALUES (1)`, fault.Unique, "things_pkey", []string{"id"}},
		{`INSERT INTO things (id, short) VALUES (2, 'S')`, fault.Unique, "things_lower", nil},
		{`INSERT INTO things (id, parent) VALUES (2, 5)`, fault.ForeignKey, "things_parent_fkey", []string{"parent"}},
		{`DELETE FROM parents`, fault.ForeignKey, "things_parent_fkey", []string{"id"}},
		{`INSERT INTO things (id, n) VALUES (2, NULL)`, fault.NotNull, "", []string{"n"}},
		{`INSERT INTO things (id, n) VALUES (2, -1)`, fault.Check, "things_n_check", nil},
		{`INSERT INTO things (id, short) VALUES (2, 'secret')`, fault.Invalid, "", nil},
		{`SELECT 1/0`, fault.Invalid, "", nil},
		{`SELECT 70000::smallint`, fault.Invalid, "", nil},
		{`SELECT 1 FROM nowhere`, fault.Internal, "", nil},
		{`LOCK TABLE things IN ROW SHARE MODE`, fault.Internal, "", nil}, // no transaction
	} {
		_, err := f.run(c, nil, driver.Stay, statement(p.sql))
		var e *fault.Error
		if !errors.As(err, &e) || e.Kind != p.kind || e.Constraint != p.constraint || !slices.Equal(e.Columns, p.columns) {
			t.Errorf("%s:\n%#v", p.sql, e)
		}
		var pgErr *pgconn.PgError
		if !errors.As(err, &pgErr) || e.Code != pgErr.Code || e.Message != "" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", p.sql, err)
		}
	}
}

// Two transactions in each other's way.
func TestErrorsOfConcurrency(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := users(f)
	b := f.lend()
	f.must(a, begin, driver.Commit, insertUser(1, "a"), insertUser(2, "b"))
	touch := func(id int64) driver.Statement {
		return statement("UPDATE users SET email = email || 'x' WHERE id = $1", value.OfInt(id))
	}

	f.must(a, begin, driver.Stay, touch(1))
	_, err := f.run(b, &driver.TxOptions{LockTimeout: 10 * time.Millisecond}, driver.Commit, touch(1))
	if !errors.Is(err, fault.LockTimeout) {
		t.Errorf("a lock that was not to be had: %v", err)
	}
	_, err = f.run(b, begin, driver.Commit, query([]value.Type{value.TypeInt64}, "SELECT id FROM users FOR UPDATE NOWAIT"))
	if !errors.Is(err, fault.LockTimeout) {
		t.Errorf("NOWAIT: %v", err)
	}
	_, err = f.run(b, &driver.TxOptions{StatementTimeout: 10 * time.Millisecond}, driver.Commit, touch(1))
	if !errors.Is(err, fault.StatementTimeout) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a statement that took too long: %v", err)
	}

	f.must(b, begin, driver.Stay, touch(2))
	other := make(chan error)
	go func() {
		_, err := f.run(b, nil, driver.Commit, touch(1))
		other <- err
	}()
	_, errA := f.run(a, nil, driver.Commit, touch(2))
	errB := <-other
	if !errors.Is(errors.Join(errA, errB), fault.Deadlock) || !fault.IsRetryable(errors.Join(errA, errB)) {
		t.Errorf("a deadlock: %v; %v", errA, errB)
	}

	f.must(a, &driver.TxOptions{Isolation: 2}, driver.Stay, countUsers())
	f.must(b, begin, driver.Commit, touch(1))
	if _, err := f.run(a, nil, driver.Commit, touch(1)); !errors.Is(err, fault.Serialization) {
		t.Errorf("a row that changed under a repeatable read: %v", err)
	}
}

// A guard sees what was committed while it waited for the row: for one row and for a batch.
func TestGuardsWaitForTheRow(t *testing.T) {
	t.Parallel()
	d := dialect.Postgres()
	for _, n := range []int{0, 2} {
		f := setup(t)
		a := users(f)
		b := f.lend()
		f.must(a, begin, driver.Commit, insertUser(1, "a"), insertUser(2, "b"))
		update := driver.Statement{
			SQL: d.Update(dialect.Update{
				Table: "users", Key: []dialect.Column{{Name: "id", Type: value.TypeInt64}}, Batch: n > 0,
				Version: dialect.Column{Name: "version", Type: value.TypeInt64}, Set: []dialect.Column{{Name: "email", Type: value.TypeText}},
			}),
			Types: []value.Type{value.TypeInt64, value.TypeInt64, value.TypeText},
			Args:  []value.Value{value.OfInt(2), value.OfInt(1), value.OfText("y")}, Batch: n, Checked: true, Expect: 1,
		}
		if n > 0 {
			update.Args = append(update.Args, value.OfInt(1), value.OfInt(1), value.OfText("x"))
		}
		pid := f.must(b, nil, driver.Stay, query([]value.Type{value.TypeInt64}, "SELECT pg_backend_pid()"))[0][0]
		f.must(a, begin, driver.Stay, statement("UPDATE users SET version = 2 WHERE id = 2"))
		result := make(chan error)
		go func() {
			_, err := f.run(b, begin, driver.Commit, update)
			result <- err
		}()
		f.awaitLock(a, pid)
		f.must(a, nil, driver.Commit)
		err := <-result
		if e := scriptError(t, err); !errors.Is(err, fault.Stale) || e.Row != 0 {
			t.Errorf("%d rows, one changed meanwhile: row %d: %v", max(n, 1), e.Row, err)
		}
	}
}

// awaitLock waits until the backend waits for a lock.
func (f *fixture) awaitLock(c driver.Conn, pid value.Value) {
	f.t.Helper()
	waiting := query([]value.Type{value.TypeBool}, "SELECT coalesce(bool_or(NOT granted), false) FROM pg_locks WHERE pid = $1", pid)
	for !f.must(c, nil, driver.Stay, waiting)[0][0].Bool() {
		if f.t.Context().Err() != nil {
			f.t.Fatal("nobody waited")
		}
	}
}

// Two batches with the same rows in opposite orders wait for each other: they lock in the order of the keys.
func TestBatchesDoNotDeadlock(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := users(f)
	const rows, rounds = 60, 25
	insert := driver.Statement{
		SQL:   dialect.Postgres().Insert(dialect.Insert{Table: "users", Columns: []dialect.Column{{Name: "id", Type: value.TypeInt64}}, Batch: true}),
		Types: []value.Type{value.TypeInt64}, Batch: rows,
	}
	update := driver.Statement{
		SQL: dialect.Postgres().Update(dialect.Update{Table: "users", Key: []dialect.Column{{Name: "id", Type: value.TypeInt64}},
			Set: []dialect.Column{{Name: "email", Type: value.TypeText}}, Batch: true}),
		Types: []value.Type{value.TypeInt64, value.TypeText}, Batch: rows, Checked: true, Expect: 1,
	}
	reverse := update
	for i := range rows {
		insert.Args = append(insert.Args, value.OfInt(int64(i)))
		update.Args = append(update.Args, value.OfInt(int64(i)), value.OfText(fmt.Sprint("a", i)))
		reverse.Args = append(reverse.Args, value.OfInt(int64(rows-1-i)), value.OfText(fmt.Sprint("b", i)))
	}
	f.must(c, begin, driver.Commit, insert)
	errs := make(chan error)
	for _, s := range []driver.Statement{update, reverse} {
		go func() {
			c := f.acquire()
			defer c.Release()
			for range rounds {
				if _, err := f.run(c, begin, driver.Commit, s); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	if err := errors.Join(<-errs, <-errs); err != nil {
		t.Error(err)
	}
}

// Somebody who writes the guard's token into a value does not make a row look stale.
func TestStaleIsNotForged(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := f.lend()
	for _, text := range []string{"urutu:stale:1", "urutu:stale:"} {
		s := driver.Statement{SQL: "SELECT $1::text::int", Types: []value.Type{value.TypeText}, Args: []value.Value{value.OfText(text)},
			Checked: true, Expect: 1}
		if _, err := f.run(c, nil, driver.Stay, s); !errors.Is(err, fault.Invalid) {
			t.Errorf("%v", err)
		}
	}
	s := statement("SELECT ('urutu:stale:' || 1)::int")
	if _, err := f.run(c, nil, driver.Stay, s); errors.Is(err, fault.Stale) {
		t.Errorf("an unchecked statement: %v", err)
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]fault.Kind{
		"23505": fault.Unique, "23503": fault.ForeignKey, "23502": fault.NotNull, "23514": fault.Check, "23P01": fault.Check,
		"40001": fault.Serialization, "40P01": fault.Deadlock, "55P03": fault.LockTimeout, "57014": fault.StatementTimeout,
		"25006": fault.ReadOnly, "22021": fault.Invalid, "22003": fault.Invalid, "22001": fault.Invalid, "22P02": fault.Invalid,
		"08006": fault.ConnectionLost, "57P01": fault.ConnectionLost, "57P02": fault.ConnectionLost, "57P03": fault.ConnectionLost,
		"25P03": fault.ConnectionLost, "53300": fault.PoolTimeout, "28P01": fault.Misconfigured, "3D000": fault.Misconfigured,
		"42P01": fault.Internal, "XX000": fault.Internal, "": fault.Internal, "2": fault.Internal,
	} {
		if got := kindOf(code); got != want {
			t.Errorf("%s: %s, want %s", code, got, want)
		}
	}
}

// FuzzKeyColumns: whatever a detail says, what comes out is nothing that stands behind the names.
func FuzzKeyColumns(f *testing.F) {
	for _, s := range []string{
		`Key (a, "B c")=(1, 2) already exists.`, `Schlüssel »(email)=(x@y)« existiert bereits.`, `Key (lower(a))=(x)`, "", "(", ")=(", "()=()", ")=(0)=(",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, detail string) {
		before, _, _ := strings.Cut(detail, ")=(")
		for _, c := range keyColumns(detail) {
			if !strings.Contains(strings.ReplaceAll(before, `""`, `"`), c) && !strings.Contains(before, c) {
				t.Errorf("%q has a column %q", detail, c)
			}
		}
	})
}
