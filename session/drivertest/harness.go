package drivertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// harness is a pool with what the tests do to it.
type harness struct {
	pool     driver.Pool
	dialect  dialect.Dialect
	features dialect.Features
}

// arg is an argument with its parameter's type.
type arg struct {
	t value.Type
	v value.Value
}

func integer(i int64) arg { return arg{value.TypeInt64, value.OfInt(i)} }
func text(s string) arg   { return arg{value.TypeText, value.OfText(s)} }

// statement returns a statement that returns no rows. Its text has $n for parameter n.
func (h *harness) statement(text string, args ...arg) driver.Statement {
	s := driver.Statement{Query: "test"}
	for i := range slices.Backward(args) {
		var b strings.Builder
		h.dialect.Param(&b, i+1, args[i].t)
		text = strings.ReplaceAll(text, "$"+strconv.Itoa(i+1), b.String())
	}
	s.SQL = text
	for _, a := range args {
		s.Types = append(s.Types, a.t)
		s.Args = append(s.Args, a.v)
	}
	return s
}

// query returns a statement that returns rows with columns of the types.
func (h *harness) query(text string, result []value.Type, args ...arg) driver.Statement {
	s := h.statement(text, args...)
	s.Result = result
	return s
}

// name returns a name that no other table has.
func (h *harness) name() string { return "dt_" + strings.ToLower(rand.Text()[:12]) }

// create makes a table from lines of DDL, in which {name} stands for its name, and drops it when the test is over.
func (h *harness) create(t *testing.T, lines ...string) (name string) {
	t.Helper()
	name = h.name()
	ddl := strings.ReplaceAll(strings.Join(lines, ", "), "{name}", name)
	h.do(t, h.statement("CREATE TABLE "+name+" ("+ddl+")"))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		conn, err := h.pool.Acquire(ctx, driver.Write)
		if err != nil {
			return // the test closed the pool; its database is thrown away or its own business
		}
		defer conn.Release()
		if err := conn.Run(ctx, script(h.statement("DROP TABLE "+name)), driver.Discard); err != nil {
			t.Errorf("drop table: %v", err)
		}
	})
	return name
}

// column returns the DDL of a column.
func (h *harness) column(name string, t value.Type, rest string) string {
	return strings.TrimSpace(name + " " + h.dialect.ColumnType(t, "") + " " + rest)
}

// things makes a table with one of each sort of constraint.
func (h *harness) things(t *testing.T) string {
	t.Helper()
	deferred := ""
	if h.features.DeferrableConstraints {
		deferred = " DEFERRABLE INITIALLY DEFERRED"
	}
	return h.create(t,
		h.column("id", value.TypeInt64, "NOT NULL"),
		h.column("name", value.TypeText, "NOT NULL"),
		h.column("amount", value.TypeInt64, ""),
		h.column("version", value.TypeInt64, "DEFAULT 1 NOT NULL"),
		h.column("parent", value.TypeInt64, ""),
		h.column("later", value.TypeInt64, ""),
		"CONSTRAINT {name}_pkey PRIMARY KEY (id)",
		"CONSTRAINT {name}_name_key UNIQUE (name)",
		"CONSTRAINT {name}_amount_check CHECK (amount >= 0)",
		"CONSTRAINT {name}_parent_fkey FOREIGN KEY (parent) REFERENCES {name} (id)",
		"CONSTRAINT {name}_later_fkey FOREIGN KEY (later) REFERENCES {name} (id)"+deferred,
	)
}

// insert inserts a row of things by plain SQL, with its number for a name and an amount.
func (h *harness) insert(table string, id int64) driver.Statement {
	return h.statement("INSERT INTO "+table+" (id, name, amount) VALUES ($1, $2, $3)",
		integer(id), text(strconv.FormatInt(id, 10)), integer(id))
}

// acquire lends a connection until the test is over, or until the test releases it.
func (h *harness) acquire(t *testing.T, access driver.Access) *lentConn {
	t.Helper()
	conn, err := h.pool.Acquire(t.Context(), access)
	if err != nil {
		t.Fatalf("Acquire: %v", err)
	}
	lent := &lentConn{Conn: conn}
	t.Cleanup(lent.Release)
	return lent
}

// lentConn can be released more than once.
type lentConn struct {
	driver.Conn
	released bool
}

func (c *lentConn) Release() {
	if !c.released {
		c.released = true
		c.Conn.Release()
	}
}

// do runs statements in a transaction of their own on a connection of their own.
func (h *harness) do(t *testing.T, statements ...driver.Statement) *results {
	t.Helper()
	conn := h.acquire(t, driver.Write)
	defer conn.Release()
	return run(t, conn, transaction(statements...))
}

// ask returns the one cell that a query returns, from a connection of its own.
func (h *harness) ask(t *testing.T, q driver.Statement) value.Value {
	t.Helper()
	conn := h.acquire(t, driver.Read)
	defer conn.Release()
	rows := run(t, conn, script(q)).of(0).rows
	if len(rows) != 1 || len(rows[0]) == 0 {
		t.Fatalf("%s: %d rows instead of 1", q.SQL, len(rows))
	}
	return rows[0][0]
}

// ids returns the keys in a table as another connection sees it.
func (h *harness) ids(t *testing.T, table string) []int64 {
	t.Helper()
	conn := h.acquire(t, driver.Read)
	defer conn.Release()
	return idsOn(t, h, conn, table)
}

// idsOn returns the keys in a table as the connection sees it.
func idsOn(t *testing.T, h *harness, conn driver.Conn, table string) []int64 {
	t.Helper()
	q := h.query("SELECT id FROM "+table+" ORDER BY id", []value.Type{value.TypeInt64})
	ids := []int64{}
	for _, row := range run(t, conn, script(q)).of(0).rows {
		ids = append(ids, row[0].Int())
	}
	return ids
}

// wantIDs fails the test unless exactly these rows are in the table.
func (h *harness) wantIDs(t *testing.T, table string, want ...int64) {
	t.Helper()
	if got := h.ids(t, table); !slices.Equal(got, want) {
		t.Errorf("rows %v are in the table, want %v", got, want)
	}
}

// slow is a query that runs for minutes unless it is stopped.
func (h *harness) slow() driver.Statement {
	return h.query("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 2000000000) "+
		"SELECT count(*) FROM c", []value.Type{value.TypeInt64})
}

func script(statements ...driver.Statement) *driver.Script {
	return &driver.Script{Statements: statements}
}

// transaction is a script that begins, runs the statements and commits.
func transaction(statements ...driver.Statement) *driver.Script {
	return &driver.Script{Begin: &driver.TxOptions{}, Statements: statements, End: driver.Commit}
}

// begin is a script that begins, runs the statements and leaves the transaction open.
func begin(statements ...driver.Statement) *driver.Script {
	return &driver.Script{Begin: &driver.TxOptions{}, Statements: statements}
}

func commit() *driver.Script   { return &driver.Script{End: driver.Commit} }
func rollback() *driver.Script { return &driver.Script{End: driver.Rollback} }

// run runs a script that has to succeed.
func run(t *testing.T, conn driver.Conn, s *driver.Script) *results {
	t.Helper()
	r := &results{}
	if err := conn.Run(t.Context(), s, r); err != nil {
		t.Fatalf("Run: %v", err)
	}
	r.check(t, len(s.Statements))
	return r
}

// fails runs a script that has to fail with the kind at the statement.
func fails(t *testing.T, conn driver.Conn, s *driver.Script, statement int, kind fault.Kind) {
	t.Helper()
	_ = failure(t, conn, s, statement, kind)
}

// failure does the same and returns the error.
func failure(t *testing.T, conn driver.Conn, s *driver.Script, statement int, kind fault.Kind) *driver.ScriptError {
	t.Helper()
	err := conn.Run(t.Context(), s, &results{})
	if err == nil {
		t.Fatalf("Run succeeded, want %s", kind)
	}
	var e *driver.ScriptError
	if !errors.As(err, &e) {
		t.Fatalf("Run: %T %v, want a *driver.ScriptError", err, err)
	}
	if !errors.Is(err, kind) || fault.KindOf(err) != kind {
		t.Fatalf("Run: kind %s, want %s: %v", fault.KindOf(err), kind, err)
	}
	if e.Statement != statement {
		t.Fatalf("Run: failed at statement %d, want %d: %v", e.Statement, statement, err)
	}
	return e
}

// results collects what a script brings back, and notices what comes out of order.
type results struct {
	statements []*result
	current    int
	wrong      []string
}

// result is what one statement brought back.
type result struct {
	rows             [][]value.Value
	affected, lastID int64
	done             bool
}

func (r *results) of(i int) *result {
	for len(r.statements) <= i {
		r.statements = append(r.statements, &result{})
	}
	return r.statements[i]
}

func (r *results) Row(i int, row []driver.Cell) error {
	if i < r.current || r.of(i).done {
		r.wrong = append(r.wrong, fmt.Sprintf("row of statement %d after statement %d was done", i, r.current))
	}
	r.current = i
	r.of(i).rows = append(r.of(i).rows, slices.Clone(row))
	return nil
}

func (r *results) Done(i int, affected, lastID int64) error {
	if i < r.current || r.of(i).done {
		r.wrong = append(r.wrong, fmt.Sprintf("statement %d done after statement %d", i, r.current))
	}
	r.current = i
	s := r.of(i)
	s.affected, s.lastID, s.done = affected, lastID, true
	return nil
}

// check fails the test unless each of n statements was done once and in order.
func (r *results) check(t *testing.T, n int) {
	t.Helper()
	for _, w := range r.wrong {
		t.Error(w)
	}
	for i := range n {
		if !r.of(i).done {
			t.Errorf("Done was not called for statement %d", i)
		}
	}
	if len(r.statements) > n {
		t.Errorf("results of %d statements, want %d", len(r.statements), n)
	}
}
