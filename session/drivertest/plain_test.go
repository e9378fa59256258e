package drivertest_test

import (
	"errors"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/drivertest"
	"github.com/urutu-go/urutu/session/sqlitedriver"
	"github.com/urutu-go/urutu/value"
)

func openPlain(t *testing.T) driver.Pool {
	t.Helper()
	d := drivertest.Plain(sqlitedriver.New())
	pool, err := d.Open(t.Context(), driver.Config{URL: "plain:///:memory:", MaxOpen: 2, MaxIdle: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return pool
}

func TestPlainRefusesReturning(t *testing.T) {
	t.Parallel()

	pool := openPlain(t)
	if f := pool.Dialect().Features(); f.Returning || !f.LastID {
		t.Errorf("features %+v", f)
	}
	conn, err := pool.Acquire(t.Context(), driver.Write)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	err = conn.Run(t.Context(), &driver.Script{Begin: &driver.TxOptions{}, Statements: []driver.Statement{
		{SQL: "CREATE TABLE t (x)"},
		{SQL: "insert into t values (1) returning x", Result: []value.Type{value.TypeInt64}},
	}, End: driver.Commit}, driver.Discard)
	var e *driver.ScriptError
	if !errors.Is(err, fault.Unsupported) || !errors.As(err, &e) || e.Statement != 1 {
		t.Errorf("Run: %v", err)
	}
	// Nothing of it was sent.
	create := driver.Script{Statements: []driver.Statement{{SQL: "CREATE TABLE t (x)"}}}
	if err := conn.Run(t.Context(), &create, driver.Discard); err != nil {
		t.Error(err)
	}
}

// statements counts how many statements reach a connection at once.
type counting struct {
	driver.Driver
	most int
}

func (c *counting) Run(s *driver.Script) { c.most = max(c.most, len(s.Statements)) }

func TestPlainRunsOneStatementAtATime(t *testing.T) {
	t.Parallel()

	count := &counting{Driver: sqlitedriver.New()}
	wrapped := drivertest.Plain(wrap(count.Driver, func(run runner) runner {
		return func(s *driver.Script, r driver.Results) error {
			count.Run(s)
			return run(s, r)
		}
	}))
	pool, err := wrapped.Open(t.Context(), driver.Config{URL: "plain:///:memory:", MaxOpen: 2, MaxIdle: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	conn, err := pool.Acquire(t.Context(), driver.Write)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	s := driver.Script{Begin: &driver.TxOptions{}, Statements: []driver.Statement{
		{SQL: "CREATE TABLE t (x)"}, {SQL: "INSERT INTO t VALUES (1)"}, {SQL: "INSERT INTO t VALUES (2)"},
	}, End: driver.Commit}
	if err := conn.Run(t.Context(), &s, driver.Discard); err != nil || count.most != 1 {
		t.Errorf("%d statements at once, %v", count.most, err)
	}
}
