package pgxdriver

import (
	"errors"
	"fmt"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// prepared returns the names of the statements that the server keeps for the connection.
func prepared(f *fixture, c driver.Conn) (n int64) {
	f.t.Helper()
	return f.must(c, nil, driver.Stay, query([]value.Type{value.TypeInt64},
		"SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'urutu%'"))[0][0].Int()
}

// After a change of the schema a prepared statement whose result has changed is prepared again, unnoticed where no
// transaction is open and nothing was returned yet, and else as an error that has the unit run again.
func TestSchemaChange(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := users(f)
	all := query([]value.Type{value.TypeInt64}, "SELECT version FROM users WHERE id = $1", value.OfInt(1))
	f.must(c, begin, driver.Commit, insertUser(1, "a"))
	change := func(to string) {
		f.must(c, nil, driver.Stay, statement("ALTER TABLE users ALTER COLUMN version TYPE "+to))
	}
	f.must(c, nil, driver.Stay, all)
	change("smallint")
	if got := f.must(c, nil, driver.Stay, all); got[0][0] != value.OfInt(1) {
		t.Errorf("read %v", got)
	}
	change("bigint")
	f.must(c, begin, driver.Commit, all, insertUser(2, "b"))
	change("integer")
	_, err := f.run(c, begin, driver.Commit, countUsers(), all)
	if !errors.Is(err, fault.Serialization) || !fault.IsRetryable(err) {
		t.Errorf("after results were returned: %v", err)
	}
	f.must(c, begin, driver.Commit, countUsers(), all)
	change("bigint")
	f.must(c, begin, driver.Stay)
	if _, err = f.run(c, nil, driver.Stay, all); !errors.Is(err, fault.Serialization) {
		t.Errorf("in a transaction: %v", err)
	}
	f.must(c, nil, driver.Rollback)
	f.must(c, nil, driver.Stay, all)
}

// Somebody who discards the connection's prepared statements through the escape hatch is not noticed either.
func TestDiscardedStatements(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := users(f)
	f.must(c, nil, driver.Stay, countUsers())
	if _, err := c.(driver.SQLConn).SQLConn().ExecContext(t.Context(), "DEALLOCATE ALL"); err != nil {
		t.Fatal(err)
	}
	if n := f.trips(func() { f.must(c, nil, driver.Stay, countUsers()) }); n != 2 {
		t.Errorf("%d trips, want 2", n)
	}
	f.must(c, begin, driver.Commit, insertUser(1, "a"))
}

// The server keeps no more statements than the cache, and none that failed.
func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := users(f)
	one := []value.Type{value.TypeInt64}
	for i := range 20 {
		var burst []driver.Statement
		for j := range 40 {
			burst = append(burst, query(one, fmt.Sprintf("SELECT %d::bigint", i*40+j)))
		}
		got := f.must(c, nil, driver.Stay, burst...)
		if got[39][0].Int() != int64(i*40+39) {
			t.Fatalf("read %v", got)
		}
	}
	if n := prepared(f, c); n > cacheSize+1 {
		t.Errorf("the server keeps %d statements", n)
	}
	before := prepared(f, c)
	for range 3 {
		if _, err := f.run(c, nil, driver.Stay, query(one, "SELECT id FROM nowhere")); !errors.Is(err, fault.Internal) {
			t.Fatal(err)
		}
	}
	if n := prepared(f, c); n > before {
		t.Errorf("failed statements left %d", n-before)
	}
	many := make([]driver.Statement, cacheSize+10)
	for i := range many {
		many[i] = query(one, fmt.Sprintf("SELECT %d::bigint + 1", i))
	}
	f.must(c, nil, driver.Stay, many...)
	if n := prepared(f, c); n > cacheSize+1 {
		t.Errorf("after one script with more than the cache holds the server keeps %d statements", n)
	}
}

// TestTextThatComesBackAtOnce: a full cache lets go of a statement that comes again in the same script, where the server
// still has it under its name: one of an earlier script, or of this one.
func TestTextThatComesBackAtOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := f.lend()
	numbered := func(i int) driver.Statement {
		return query([]value.Type{value.TypeInt64}, fmt.Sprintf("SELECT %d::bigint", i))
	}
	full := make([]driver.Statement, cacheSize)
	for i := range full {
		full[i] = numbered(i)
	}
	f.must(c, nil, driver.Stay, full...)
	if got := f.must(c, nil, driver.Stay, numbered(cacheSize), numbered(0)); got[1][0] != value.OfInt(0) {
		t.Errorf("of an earlier script: read %v", got)
	}
	more := make([]driver.Statement, cacheSize+1)
	for i := range more {
		more[i] = numbered(cacheSize + 1 + i)
	}
	more = append(more, more[0])
	if got := f.must(c, nil, driver.Stay, more...); got[len(more)-1][0] != got[0][0] {
		t.Errorf("of the same script: read %v, %v", got[0], got[len(more)-1])
	}
	f.must(c, nil, driver.Stay, numbered(0)) // by which the server forgets the rest
	if n := prepared(f, c); n > cacheSize+1 {
		t.Errorf("the server keeps %d statements", n)
	}
}

// The same text twice in a cold script, with the same types and with others.
func TestSameTextTwice(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := f.lend()
	text := "SELECT $1"
	one := query([]value.Type{value.TypeInt64}, text, value.OfInt(1))
	other := query([]value.Type{value.TypeText}, text, value.OfText("x"))
	for range 2 {
		got := f.must(c, nil, driver.Stay, one, one, other)
		if got[0][0] != value.OfInt(1) || got[1][0] != value.OfInt(1) || got[2][0] != value.OfText("x") {
			t.Errorf("read %v", got)
		}
	}
}

// Behind a pooler nothing is kept on a connection.
func TestPoolerPreparesNothing(t *testing.T) {
	t.Parallel()
	f := setup(t, func(cfg *driver.Config) { cfg.Pooler = true })
	c := users(f)
	if n := f.trips(func() { f.must(c, begin, driver.Commit, insertUser(1, "a"), countUsers()) }); n != 1 {
		t.Errorf("%d trips, want 1", n)
	}
	if _, err := c.(driver.SQLConn).SQLConn().ExecContext(t.Context(), "INSERT INTO users VALUES ($1)", 2); err != nil {
		t.Fatal(err)
	}
	got := f.must(c, nil, driver.Stay, query([]value.Type{value.TypeInt64}, "SELECT count(*) FROM pg_prepared_statements"))
	if got[0][0].Int() != 0 {
		t.Errorf("the server keeps %v statements", got)
	}
}

func TestCacheForgetsTheLeastRecentlyUsed(t *testing.T) {
	t.Parallel()
	c := newCache()
	at := func(i int, types ...value.Type) *entry {
		return c.find(&driver.Statement{SQL: fmt.Sprint(i), Types: types, Args: make([]value.Value, len(types))})
	}
	first := at(0)
	first.name = "first"
	first.describe(nil)
	typed := at(0, value.TypeBool)
	if typed == first || at(0) != first || at(0, value.TypeBool) != typed {
		t.Fatal("one text with two lists of types is not two entries")
	}
	for i := 1; i < cacheSize-1; i++ {
		at(i)
	}
	at(0)
	at(cacheSize) // full: forgets the one with a type
	if c.has(typed) || !c.has(first) || at(0) != first || c.size != cacheSize {
		t.Errorf("the typed entry is there: %v, the first: %v, %d in all", c.has(typed), c.has(first), c.size)
	}
	for i := range cacheSize {
		at(1000 + i)
	}
	if c.has(first) || len(c.dead) != 1 || len(c.entries) != cacheSize {
		t.Errorf("the first entry is there: %v, %d are dead, %d texts", c.has(first), len(c.dead), len(c.entries))
	}
}
