package drivertest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

func errorTests() []test {
	return []test{
		{name: "the kinds of constraints", run: constraintKinds},
		{name: "a constraint in a batch", run: constraintInBatch},
		{name: "a row that is still referred to", run: referredRow},
		{name: "a statement that makes no sense", run: senseless},
		{name: "nothing of the database is for the caller", run: publicText},
	}
}

// detail returns the *fault.Error of a script's error.
func detail(t *testing.T, e *driver.ScriptError) *fault.Error {
	t.Helper()
	var d *fault.Error
	if !errors.As(e.Err, &d) {
		t.Fatalf("the cause is a %T, want a *fault.Error", e.Err)
	}
	return d
}

func constraintKinds(t *testing.T, h *harness) {
	table := h.things(t)
	h.do(t, h.insert(table, 1))
	conn := h.acquire(t, driver.Write)
	insert := "INSERT INTO " + table
	for _, c := range []struct {
		name       string
		statement  driver.Statement
		kind       fault.Kind
		constraint string // what is named: this, or
		column     string // this column of the table
		either     bool   // naming nothing is allowed as well
	}{
		{"unique", h.statement(insert + " (id, name) VALUES (2, '1')"), fault.Unique, table + "_name_key", "name", false},
		{"primary key", h.insert(table, 1), fault.Unique, table + "_pkey", "id", false},
		{"not null", h.statement(insert + " (id, name) VALUES (2, NULL)"), fault.NotNull, "", "name", false},
		{"check", h.statement(insert+" (id, name, amount) VALUES (2, '2', $1)", integer(-5)), fault.Check,
			table + "_amount_check", "", false},
		{"foreign key", h.statement(insert + " (id, name, parent) VALUES (2, '2', 99)"), fault.ForeignKey,
			table + "_parent_fkey", "", true},
	} {
		d := detail(t, failure(t, conn, transaction(h.statement("SELECT 1"), c.statement), 1, c.kind))
		named := c.constraint != "" && d.Constraint == c.constraint ||
			c.column != "" && d.Table == table && slices.Equal(d.Columns, []string{c.column}) ||
			c.either && d.Constraint == ""
		if !named {
			t.Errorf("%s names the constraint %q, table %q, columns %q", c.name, d.Constraint, d.Table, d.Columns)
		}
		if d.Code == "" {
			t.Errorf("%s has no code", c.name)
		}
		if d.Message != "" {
			t.Errorf("%s has a message for the caller: %q", c.name, d.Message)
		}
	}
	h.wantIDs(t, table, 1)
}

func constraintInBatch(t *testing.T, h *harness) {
	table := h.stock(t)
	conn := h.acquire(t, driver.Write)
	batch := h.inserts(table, true, row{10, "ten", 1, 1}, row{11, "two", 1, 1}, row{12, "twelve", 1, 1})
	if e := failure(t, conn, transaction(h.insert(table, 9), batch), 1, fault.Unique); e.Row != -1 && e.Row != 1 {
		t.Errorf("row %d failed, want 1 or unknown", e.Row)
	}
	fails(t, conn, script(batch), 0, fault.Unique) // a batch is one statement: all or nothing
	h.unchanged(t, table)
}

func referredRow(t *testing.T, h *harness) {
	table := h.things(t)
	h.do(t, h.insert(table, 1), h.statement("INSERT INTO "+table+" (id, name, parent) VALUES (2, 'child', 1)"))
	conn := h.acquire(t, driver.Write)
	fails(t, conn, transaction(h.deletes(table, false, row{id: 1, version: 1})), 0, fault.ForeignKey)
	h.wantIDs(t, table, 1, 2)
}

func senseless(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	for _, sql := range []string{
		"SELECT nothing FROM " + table, "SELECT id FROM " + table + "_missing", "THIS is no SQL",
	} {
		fails(t, conn, transaction(h.insert(table, 1), h.statement(sql)), 1, fault.Internal)
		fails(t, conn, script(h.query(sql, []value.Type{value.TypeInt64})), 0, fault.Internal)
	}
	h.wantIDs(t, table)
	run(t, conn, transaction(h.insert(table, 1)))
}

func publicText(t *testing.T, h *harness) {
	table := h.things(t)
	h.do(t, h.insert(table, 1))
	conn := h.acquire(t, driver.Write)
	for _, s := range []driver.Statement{h.insert(table, 1), h.statement("SELECT id FROM " + table + "_missing")} {
		err := conn.Run(t.Context(), transaction(s), driver.Discard)
		if err == nil || strings.Contains(fault.Public(err), table) {
			t.Errorf("the caller reads %q", fault.Public(err))
		}
	}
}
