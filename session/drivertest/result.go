package drivertest

import (
	"errors"
	"slices"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

func resultTests() []test {
	return []test{
		{name: "an error of Row ends the script", run: rowError},
		{name: "an error of Done ends the script", run: doneError},
		{name: "an error in an earlier transaction leaves it open", run: rowErrorInEarlierTransaction},
		{name: "kept values stay as they are", run: keptValues},
		{name: "a query without rows is done", run: noRows},
		{name: "results may be discarded", run: discarded},
	}
}

var errEnough = errors.New("enough")

// refusing collects results and fails at a statement, in Row or in Done.
type refusing struct {
	results
	at   int
	done bool
	rows int
}

func (r *refusing) Row(i int, row []driver.Cell) error {
	if i > r.at {
		return errors.New("called for a later statement")
	}
	if i == r.at && !r.done {
		if r.rows++; r.rows > 1 {
			return errors.New("called again after an error")
		}
		return errEnough
	}
	return r.results.Row(i, row)
}

func (r *refusing) Done(i int, affected, lastID int64) error {
	switch {
	case i == r.at && r.done:
		return errEnough
	case i >= r.at:
		return errors.New("called after an error")
	}
	return r.results.Done(i, affected, lastID)
}

// wantEnough runs a script that has to fail with errEnough at the statement.
func wantEnough(t *testing.T, conn driver.Conn, s *driver.Script, r *refusing) error {
	t.Helper()
	err := conn.Run(t.Context(), s, r)
	var e *driver.ScriptError
	if !errors.Is(err, errEnough) || !errors.As(err, &e) || e.Statement != r.at {
		t.Fatalf("Run: %v, want the callback's error at statement %d", err, r.at)
	}
	return err
}

func rowError(t *testing.T, h *harness) {
	table := h.stock(t)
	all := h.query("SELECT id FROM "+table+" ORDER BY id", []value.Type{value.TypeInt64})
	h.endsScript(t, table, &refusing{at: 1}, h.insert(table, 10), all, h.insert(table, 11))
}

func doneError(t *testing.T, h *harness) {
	table := h.stock(t)
	h.endsScript(t, table, &refusing{at: 0, done: true}, h.insert(table, 10), h.insert(table, 11))
}

// endsScript wants the error of r to take back the statements, whose script began a transaction. A driver that sends
// the end of the transaction along with them sees the error after a commit, and then says so.
func (h *harness) endsScript(t *testing.T, table string, r *refusing, statements ...driver.Statement) {
	t.Helper()
	conn := h.acquire(t, driver.Write)
	again := *r
	_ = wantEnough(t, conn, begin(statements...), r)
	h.unchanged(t, table)
	if err := wantEnough(t, conn, transaction(statements...), &again); !errors.Is(err, fault.OutcomeUnknown) {
		h.unchanged(t, table)
	} else if !h.features.Pipeline {
		t.Errorf("Run: %v, though nothing forced a commit", err)
	}
	run(t, conn, transaction(h.insert(table, 12)))
	if ids := h.ids(t, table); !slices.Contains(ids, 12) {
		t.Errorf("the connection is not usable afterwards: %v", ids)
	}
}

func rowErrorInEarlierTransaction(t *testing.T, h *harness) {
	table := h.stock(t)
	conn := h.acquire(t, driver.Write)
	run(t, conn, begin(h.insert(table, 10), h.statement("SAVEPOINT sp_1")))
	all := h.query("SELECT id FROM "+table+" ORDER BY id", []value.Type{value.TypeInt64})
	_ = wantEnough(t, conn, script(all), &refusing{at: 0})
	run(t, conn, script(h.statement("ROLLBACK TO SAVEPOINT sp_1")))
	run(t, conn, commit())
	h.wantIDs(t, table, 1, 2, 3, 10)
}

func keptValues(t *testing.T, h *harness) {
	table := h.stock(t)
	conn := h.acquire(t, driver.Read)
	q := h.query("SELECT name, amount FROM "+table+" ORDER BY id", []value.Type{value.TypeText, value.TypeInt64})
	first := run(t, conn, script(q, q))
	run(t, conn, script(h.query("SELECT 'overwritten', 99", []value.Type{value.TypeText, value.TypeInt64})))
	for i := range 2 {
		rows := first.of(i).rows
		if len(rows) != 3 || rows[0][0] != value.OfText("one") || rows[2][0] != value.OfText("three") ||
			rows[1][1] != value.OfInt(20) {
			t.Errorf("kept rows became %v", rows)
		}
	}
}

func noRows(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Read)
	q := h.query("SELECT id, name FROM "+table, []value.Type{value.TypeInt64, value.TypeText})
	if r := run(t, conn, script(q, q)); len(r.of(0).rows) != 0 || r.of(1).affected != 0 {
		t.Errorf("an empty table gave %v", r.of(0).rows)
	}
}

func discarded(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	q := h.query("SELECT id FROM "+table, []value.Type{value.TypeInt64})
	if err := conn.Run(t.Context(), transaction(h.insert(table, 1), q), driver.Discard); err != nil {
		t.Fatal(err)
	}
	h.wantIDs(t, table, 1)
}
