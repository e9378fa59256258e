package drivertest

import (
	"testing"
	"time"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/value"
)

func optionTests() []test {
	return []test{
		{name: "every isolation level can be asked for", run: isolationLevels},
		{name: "repeatable read is a snapshot", run: snapshot},
		{name: "a read-only transaction reads and refuses to write", run: readOnly},
		{name: "read-only lasts for one transaction", run: readOnlyEnds},
		{name: "the statement timeout stops a statement", run: statementTimeout},
		{name: "the statement timeout lasts for one transaction", run: statementTimeoutEnds},
		{name: "the lock timeout ends the wait for a row", needs: rowLocks, run: lockTimeout},
	}
}

func rowLocks(f dialect.Features) bool { return f.Locking && !f.OneWriter }

func isolationLevels(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	levels := []uow.Isolation{uow.DefaultIsolation, uow.ReadCommitted, uow.RepeatableRead, uow.Serializable}
	for i, level := range levels {
		s := transaction(h.insert(table, int64(i)))
		s.Begin.Isolation = level
		run(t, conn, s)
	}
	h.wantIDs(t, table, 0, 1, 2, 3)
}

func snapshot(t *testing.T, h *harness) {
	table := h.things(t)
	h.do(t, h.insert(table, 1))
	reader := h.acquire(t, driver.Read)
	run(t, reader, &driver.Script{Begin: &driver.TxOptions{Isolation: uow.RepeatableRead}})
	if ids := idsOn(t, h, reader, table); len(ids) != 1 {
		t.Fatalf("the snapshot starts with %v", ids)
	}
	h.do(t, h.insert(table, 2))
	if ids := idsOn(t, h, reader, table); len(ids) != 1 {
		t.Errorf("the snapshot moved to %v", ids)
	}
	run(t, reader, commit())
	if ids := idsOn(t, h, reader, table); len(ids) != 2 {
		t.Errorf("after the snapshot %v", ids)
	}
}

func readOnly(t *testing.T, h *harness) {
	table := h.things(t)
	h.do(t, h.insert(table, 1))
	for _, access := range []driver.Access{driver.Read, driver.Write} {
		conn := h.acquire(t, access)
		run(t, conn, &driver.Script{Begin: &driver.TxOptions{ReadOnly: true}})
		if ids := idsOn(t, h, conn, table); len(ids) != 1 {
			t.Errorf("a read-only transaction sees %v", ids)
		}
		fails(t, conn, script(h.insert(table, 2)), 0, fault.ReadOnly)
		run(t, conn, rollback())
		conn.Release()
	}
	h.wantIDs(t, table, 1)
}

func readOnlyEnds(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	ends := []driver.End{driver.Commit, driver.Rollback}
	for i, end := range ends {
		run(t, conn, &driver.Script{Begin: &driver.TxOptions{ReadOnly: true}, End: end})
		run(t, conn, transaction(h.insert(table, int64(i))))
	}
	failing := transaction(h.insert(table, 2))
	failing.Begin.ReadOnly = true
	fails(t, conn, failing, 0, fault.ReadOnly)
	run(t, conn, transaction(h.insert(table, 2)))

	run(t, conn, &driver.Script{Begin: &driver.TxOptions{ReadOnly: true}})
	conn.Release()
	h.do(t, h.insert(table, 3))
	h.wantIDs(t, table, 0, 1, 2, 3)
}

func statementTimeout(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	s := transaction(h.insert(table, 1), h.slow())
	s.Begin.StatementTimeout = 50 * time.Millisecond
	fails(t, conn, s, 1, fault.StatementTimeout)
	h.wantIDs(t, table)

	// Set by one script, in force in the next.
	run(t, conn, &driver.Script{Begin: &driver.TxOptions{StatementTimeout: 50 * time.Millisecond}})
	fails(t, conn, script(h.slow()), 0, fault.StatementTimeout)
	run(t, conn, rollback())
	run(t, conn, transaction(h.insert(table, 2)))
	h.wantIDs(t, table, 2)
}

func statementTimeoutEnds(t *testing.T, h *harness) {
	conn := h.acquire(t, driver.Read)
	run(t, conn, &driver.Script{Begin: &driver.TxOptions{StatementTimeout: 20 * time.Millisecond}, End: driver.Commit})
	for n := 10_000; ; n *= 2 {
		q := h.query("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < $1) SELECT count(*) FROM c",
			[]value.Type{value.TypeInt64}, arg{value.TypeInt32, value.OfInt(int64(n))})
		start := time.Now()
		run(t, conn, &driver.Script{Begin: &driver.TxOptions{}, Statements: []driver.Statement{q}, End: driver.Commit})
		if time.Since(start) > 50*time.Millisecond {
			return // longer than the timeout of the transaction before
		}
	}
}

func lockTimeout(t *testing.T, h *harness) {
	table := h.things(t)
	h.do(t, h.insert(table, 1))
	holder, waiter := h.acquire(t, driver.Write), h.acquire(t, driver.Write)
	touch := h.statement("UPDATE " + table + " SET amount = amount + 1")
	run(t, holder, begin(touch))
	s := transaction(touch)
	s.Begin.LockTimeout = 50 * time.Millisecond
	fails(t, waiter, s, 0, fault.LockTimeout)
	run(t, holder, commit())
	run(t, waiter, transaction(touch))
	if got := h.ask(t, h.query("SELECT amount FROM "+table, []value.Type{value.TypeInt64})); got != value.OfInt(3) {
		t.Errorf("amount is %v, want 3", got)
	}
}
