package drivertest

import (
	"testing"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

func checkedTests() []test {
	return []test{
		{name: "a stale update of one row", run: staleUpdate},
		{name: "a stale row in a batch of updates", run: staleBatchUpdate},
		{name: "a missing row", run: missingRow},
		{name: "a stale delete", run: staleDelete},
		{name: "a stale row in a batch of deletes", run: staleBatchDelete},
		{name: "a stale update that returns", needs: returning, run: staleReturning},
		{name: "a stale write that others committed first", run: staleByOthers},
		{name: "a stale write in an earlier transaction", run: staleInEarlierTransaction},
		{name: "often enough to be prepared", run: staleOften},
	}
}

func returning(f dialect.Features) bool { return f.Returning }

// stock makes a table with three rows at version 1.
func (h *harness) stock(t *testing.T) string {
	t.Helper()
	table := h.things(t)
	h.do(t, h.inserts(table, true, row{1, "one", 10, 1}, row{2, "two", 20, 1}, row{3, "three", 30, 1}))
	return table
}

// unchanged fails the test unless the stock is as it was.
func (h *harness) unchanged(t *testing.T, table string) {
	t.Helper()
	h.wantRows(t, table, row{1, "one", 10, 1}, row{2, "two", 20, 1}, row{3, "three", 30, 1})
}

// wantStale runs statement in the middle of a script that commits, and wants it to fail as a whole at the row.
func (h *harness) wantStale(t *testing.T, table string, statement driver.Statement, ordinal int) {
	t.Helper()
	conn := h.acquire(t, driver.Write)
	defer conn.Release()
	s := transaction(h.insert(table, 100), statement, h.insert(table, 101))
	if e := failure(t, conn, s, 1, fault.Stale); e.Row != ordinal {
		t.Errorf("row %d is stale, want %d", e.Row, ordinal)
	}
	h.unchanged(t, table)
	// The connection is as good as new.
	run(t, conn, transaction(h.updates(table, false, row{1, "one", 10, 1}), h.statement("UPDATE "+table+" SET version = 1")))
}

func staleUpdate(t *testing.T, h *harness) {
	table := h.stock(t)
	h.wantStale(t, table, h.updates(table, false, row{2, "zwei", 0, 9}), 0)
}

func staleBatchUpdate(t *testing.T, h *harness) {
	table := h.stock(t)
	good, also := row{1, "eins", 0, 1}, row{3, "drei", 0, 1}
	stale := row{2, "zwei", 0, 9}
	h.wantStale(t, table, h.updates(table, true, stale, good, also), 0)
	h.wantStale(t, table, h.updates(table, true, good, stale, also), 1)
	h.wantStale(t, table, h.updates(table, true, good, also, stale), 2)
	h.wantStale(t, table, h.updates(table, true, stale), 0)
}

func missingRow(t *testing.T, h *harness) {
	table := h.stock(t)
	h.wantStale(t, table, h.updates(table, true, row{1, "eins", 0, 1}, row{77, "x", 0, 1}), 1)
	h.wantStale(t, table, driver.Statement{
		SQL: h.dialect.Update(dialect.Update{
			Table: table, Key: []dialect.Column{idColumn}, Set: []dialect.Column{amountColumn},
		}),
		Types: []value.Type{value.TypeInt64, value.TypeInt64}, Args: []value.Value{value.OfInt(77), value.OfInt(0)},
		Checked: true, Expect: 1,
	}, 0)
}

func staleDelete(t *testing.T, h *harness) {
	table := h.stock(t)
	h.wantStale(t, table, h.deletes(table, false, row{id: 2, version: 9}), 0)
	h.wantStale(t, table, h.deletes(table, false, row{id: 77, version: 1}), 0)
}

func staleBatchDelete(t *testing.T, h *harness) {
	table := h.stock(t)
	h.wantStale(t, table, h.deletes(table, true, row{id: 1, version: 1}, row{id: 3, version: 1}, row{id: 2, version: 9}), 2)
}

func staleReturning(t *testing.T, h *harness) {
	table := h.stock(t)
	s := h.updates(table, false, row{2, "zwei", 0, 9})
	s.SQL = h.dialect.Update(dialect.Update{
		Table: table, Key: []dialect.Column{idColumn}, Version: versionColumn,
		Set: []dialect.Column{nameColumn, amountColumn}, Returning: []string{"name", "version"},
	})
	s.Result = []value.Type{value.TypeText, value.TypeInt64}
	h.wantStale(t, table, s, 0)
}

// staleByOthers: both read version 1, and the second to write loses.
func staleByOthers(t *testing.T, h *harness) {
	table := h.stock(t)
	h.do(t, h.updates(table, false, row{2, "first", 1, 1}))
	conn := h.acquire(t, driver.Write)
	fails(t, conn, transaction(h.updates(table, false, row{2, "second", 2, 1})), 0, fault.Stale)
	h.wantRows(t, table, row{1, "one", 10, 1}, row{2, "first", 1, 2}, row{3, "three", 30, 1})
}

func staleInEarlierTransaction(t *testing.T, h *harness) {
	table := h.stock(t)
	conn := h.acquire(t, driver.Write)
	run(t, conn, begin(h.updates(table, false, row{1, "eins", 11, 1}), h.statement("SAVEPOINT sp_1")))
	batch := h.updates(table, true, row{3, "drei", 33, 1}, row{2, "zwei", 22, 9})
	if e := failure(t, conn, script(batch), 0, fault.Stale); e.Row != 1 {
		t.Errorf("row %d is stale, want 1", e.Row)
	}
	run(t, conn, &driver.Script{
		Statements: []driver.Statement{h.statement("ROLLBACK TO SAVEPOINT sp_1")}, End: driver.Commit,
	})
	h.wantRows(t, table, row{1, "eins", 11, 2}, row{2, "two", 20, 1}, row{3, "three", 30, 1})
}

// staleOften: a database may plan a statement anew after some runs, with other results for guards that are constant.
func staleOften(t *testing.T, h *harness) {
	table := h.stock(t)
	conn := h.acquire(t, driver.Write)
	for version := range int64(20) {
		run(t, conn, transaction(h.updates(table, true, row{1, "one", 10, version + 1}, row{2, "two", 20, version + 1})))
		stale := h.updates(table, true, row{1, "one", 10, version + 2}, row{2, "two", 20, version + 1})
		if e := failure(t, conn, transaction(stale), 0, fault.Stale); e.Row != 1 {
			t.Fatalf("row %d is stale at version %d, want 1", e.Row, version)
		}
	}
	h.wantRows(t, table, row{1, "one", 10, 21}, row{2, "two", 20, 21}, row{3, "three", 30, 1})
}
