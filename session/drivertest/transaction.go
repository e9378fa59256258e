package drivertest

import (
	"slices"
	"testing"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
)

func transactionTests() []test {
	return []test{
		{name: "begin and commit in one script", run: commitInOneScript},
		{name: "begin, stay and commit in several scripts", run: commitInSeveralScripts},
		{name: "a rollback takes everything back", run: rollbackTakesBack},
		{name: "begin and rollback in one script", run: rollbackInOneScript},
		{name: "without a transaction each statement stands by itself", run: withoutTransaction},
		{name: "a failed script rolls back what it began", run: failedScript},
		{name: "a failed script that would stay leaves no transaction open", run: failedStay},
		{name: "a failure in an earlier transaction is left to the caller", run: failureInEarlierTransaction},
		{name: "a failed script with commit commits nothing of an earlier transaction", run: failedScriptWithCommit},
		{name: "a commit after a failure tells the truth", run: commitAfterFailure},
		{name: "a savepoint takes back a failure", run: savepointRollback},
		{name: "a released savepoint belongs to the transaction", run: savepointRelease},
		{name: "end without a transaction", run: endWithoutTransaction},
		{name: "a deferred constraint shows at the commit", needs: deferrable, run: deferredConstraint},
		{name: "a deferred constraint can be met in time", needs: deferrable, run: deferredConstraintMet},
	}
}

func deferrable(f dialect.Features) bool { return f.DeferrableConstraints }

func commitInOneScript(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	run(t, conn, transaction(h.insert(table, 1), h.insert(table, 2)))
	h.wantIDs(t, table, 1, 2)
}

func commitInSeveralScripts(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	run(t, conn, begin(h.insert(table, 1)))
	h.wantIDs(t, table)
	run(t, conn, script(h.insert(table, 2)))
	h.wantIDs(t, table)
	if got := idsOn(t, h, conn, table); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("the transaction sees %v of its own rows", got)
	}
	run(t, conn, &driver.Script{Statements: []driver.Statement{h.insert(table, 3)}, End: driver.Commit})
	h.wantIDs(t, table, 1, 2, 3)

	run(t, conn, begin(h.insert(table, 4)))
	run(t, conn, commit())
	h.wantIDs(t, table, 1, 2, 3, 4)
}

func rollbackTakesBack(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	run(t, conn, begin(h.insert(table, 1)))
	run(t, conn, script(h.insert(table, 2)))
	run(t, conn, rollback())
	h.wantIDs(t, table)
	run(t, conn, transaction(h.insert(table, 3)))
	h.wantIDs(t, table, 3)
}

func rollbackInOneScript(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	s := transaction(h.insert(table, 1))
	s.End = driver.Rollback
	run(t, conn, s)
	h.wantIDs(t, table)
	run(t, conn, transaction(h.insert(table, 1)))
	h.wantIDs(t, table, 1)
}

func withoutTransaction(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	fails(t, conn, script(h.insert(table, 1), h.insert(table, 1), h.insert(table, 2)), 1, fault.Unique)
	h.wantIDs(t, table, 1)
	run(t, conn, script(h.insert(table, 3)))
	h.wantIDs(t, table, 1, 3)
}

func failedScript(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	fails(t, conn, transaction(h.insert(table, 1), h.insert(table, 1), h.insert(table, 2)), 1, fault.Unique)
	h.wantIDs(t, table)
	run(t, conn, transaction(h.insert(table, 3)))
	h.wantIDs(t, table, 3)
}

func failedStay(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	fails(t, conn, begin(h.insert(table, 1), h.insert(table, 1)), 1, fault.Unique)
	run(t, conn, script(h.insert(table, 2))) // by itself, and so seen by others at once
	h.wantIDs(t, table, 2)
}

func failureInEarlierTransaction(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	run(t, conn, begin(h.insert(table, 1)))
	fails(t, conn, script(h.insert(table, 2), h.insert(table, 1)), 1, fault.Unique)
	h.wantIDs(t, table)
	run(t, conn, rollback())
	h.wantIDs(t, table)
	run(t, conn, transaction(h.insert(table, 3)))
	h.wantIDs(t, table, 3)
}

func failedScriptWithCommit(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	run(t, conn, begin(h.insert(table, 1)))
	s := &driver.Script{Statements: []driver.Statement{h.insert(table, 1)}, End: driver.Commit}
	fails(t, conn, s, 0, fault.Unique)
	h.wantIDs(t, table)
	run(t, conn, rollback())
	h.wantIDs(t, table)
	run(t, conn, transaction(h.insert(table, 2)))
	h.wantIDs(t, table, 2)
}

// commitAfterFailure: databases differ in whether a transaction survives a failed statement. A commit says so.
func commitAfterFailure(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	run(t, conn, begin(h.insert(table, 1)))
	fails(t, conn, script(h.insert(table, 1)), 0, fault.Unique)
	if err := conn.Run(t.Context(), commit(), &results{}); err == nil {
		h.wantIDs(t, table, 1)
	} else {
		h.wantIDs(t, table)
	}
	run(t, conn, script(h.insert(table, 2))) // no transaction is open: seen by others at once
	if ids := h.ids(t, table); !slices.Contains(ids, 2) {
		t.Error("a transaction is still open after the commit")
	}
}

func savepointRollback(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	run(t, conn, begin(h.insert(table, 1), h.statement("SAVEPOINT sp_1"), h.insert(table, 2)))
	fails(t, conn, script(h.insert(table, 1)), 0, fault.Unique)
	run(t, conn, script(h.statement("ROLLBACK TO SAVEPOINT sp_1"), h.insert(table, 3)))
	run(t, conn, commit())
	h.wantIDs(t, table, 1, 3)
}

func savepointRelease(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	inner := []driver.Statement{
		h.statement("SAVEPOINT sp_1"), h.insert(table, 1), h.statement("RELEASE SAVEPOINT sp_1"),
	}
	run(t, conn, begin(inner...))
	h.wantIDs(t, table)
	run(t, conn, rollback())
	h.wantIDs(t, table)
	run(t, conn, transaction(inner...))
	h.wantIDs(t, table, 1)
}

func endWithoutTransaction(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	run(t, conn, rollback())
	run(t, conn, &driver.Script{})
	run(t, conn, &driver.Script{Begin: &driver.TxOptions{}, End: driver.Commit})
	run(t, conn, &driver.Script{Begin: &driver.TxOptions{}, End: driver.Rollback})
	run(t, conn, transaction(h.insert(table, 1)))
	run(t, conn, rollback())
	h.wantIDs(t, table, 1)
}

// orphan inserts a row whose deferred foreign key refers to another.
func (h *harness) orphan(table string, id, later int64) driver.Statement {
	return h.statement("INSERT INTO "+table+" (id, name, later) VALUES ($1, $2, $3)",
		integer(id), text("orphan"), integer(later))
}

func deferredConstraint(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	fails(t, conn, transaction(h.insert(table, 1), h.orphan(table, 2, 99)), driver.AtEnd, fault.ForeignKey)
	h.wantIDs(t, table)

	run(t, conn, begin(h.orphan(table, 2, 99)))
	fails(t, conn, commit(), driver.AtEnd, fault.ForeignKey)
	h.wantIDs(t, table)

	run(t, conn, script(h.insert(table, 3))) // no transaction is left open
	h.wantIDs(t, table, 3)
}

func deferredConstraintMet(t *testing.T, h *harness) {
	table := h.things(t)
	h.do(t, h.orphan(table, 2, 1), h.insert(table, 1))
	h.wantIDs(t, table, 1, 2)
}
