package sqlitedriver

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// openURL opens a pool that is closed when the test is over.
func openURL(t *testing.T, url string) *pool {
	t.Helper()
	p, err := New().Open(t.Context(), driver.Config{Name: "test", URL: url, MaxOpen: 4, MaxIdle: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p.(*pool)
}

// openFile opens a pool on the file of a directory.
func openFile(t *testing.T, dir string) *pool {
	t.Helper()
	return openURL(t, "sqlite:///"+filepath.Join(dir, "test.db"))
}

func acquire(t *testing.T, p driver.Pool, access driver.Access) *conn {
	t.Helper()
	c, err := p.Acquire(t.Context(), access)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Release)
	return c.(*conn)
}

func newWriter(t *testing.T, p driver.Pool) *conn { t.Helper(); return acquire(t, p, driver.Write) }

// statement is one that returns no rows.
func statement(sql string, args ...value.Value) driver.Statement {
	s := driver.Statement{SQL: sql, Args: args}
	for range args {
		s.Types = append(s.Types, value.TypeUnknown)
	}
	return s
}

// query is one that returns rows, as they are found.
func query(sql string, args ...value.Value) driver.Statement {
	s := statement(sql, args...)
	s.Result = []value.Type{}
	return s
}

func script(statements ...driver.Statement) *driver.Script {
	return &driver.Script{Statements: statements}
}

func beginning(o driver.TxOptions, statements ...driver.Statement) *driver.Script {
	return &driver.Script{Begin: &o, Statements: statements}
}

// collected are the rows of a script.
type collected [][]value.Value

func (c *collected) Row(_ int, row []driver.Cell) error {
	*c = append(*c, append([]value.Value(nil), row...))
	return nil
}

func (c *collected) Done(int, int64, int64) error { return nil }

func mustRun(t *testing.T, c driver.Conn, statements ...driver.Statement) collected {
	t.Helper()
	var rows collected
	if err := c.Run(t.Context(), script(statements...), &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// one returns the only cell of a query's result.
func one(t *testing.T, c driver.Conn, sql string) value.Value {
	t.Helper()
	rows := mustRun(t, c, query(sql))
	if len(rows) != 1 || len(rows[0]) != 1 {
		t.Fatalf("%s: %v", sql, rows)
	}
	return rows[0][0]
}

func wantKind(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("got %v, want %s", err, kind)
	}
}
