package drivertest

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
)

func hatchTests() []test {
	return []test{
		{name: "the lent connection is in the transaction", run: hatchInTransaction},
		{name: "what the lent connection began is rolled back", run: hatchLeftOpen},
		{name: "errors of the lent connection have kinds", run: hatchErrors},
		{name: "a transaction ended on the lent connection is found", run: hatchEnded},
	}
}

// lend returns the database/sql connection, or nil where the driver does not lend it.
func lend(t *testing.T, conn *lentConn) *sql.Conn {
	t.Helper()
	lender, ok := conn.Conn.(driver.SQLConn)
	if !ok {
		t.Log("the driver has no escape hatch")
		return nil
	}
	return lender.SQLConn()
}

func hatchInTransaction(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	lent := lend(t, conn)
	if lent == nil {
		return
	}
	run(t, conn, begin(h.insert(table, 1)))
	if _, err := lent.ExecContext(t.Context(), "INSERT INTO "+table+" (id, name) VALUES (2, 'raw')"); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := lent.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil || n != 2 {
		t.Errorf("the lent connection sees %d rows, %v", n, err)
	}
	h.wantIDs(t, table)
	run(t, conn, rollback())
	h.wantIDs(t, table)

	run(t, conn, begin(h.insert(table, 3)))
	if _, err := lent.ExecContext(t.Context(), "INSERT INTO "+table+" (id, name) VALUES (4, 'raw')"); err != nil {
		t.Fatal(err)
	}
	run(t, conn, commit())
	h.wantIDs(t, table, 3, 4)
}

// guard returns the connection's guard with what it guards, or nil where the driver has none.
func guard(t *testing.T, conn *lentConn) (driver.SQLGuard, *sql.Conn) {
	t.Helper()
	g, ok := conn.Conn.(driver.SQLGuard)
	if !ok {
		t.Log("the driver has no guard of its escape hatch")
		return nil, nil
	}
	return g, lend(t, conn)
}

func hatchErrors(t *testing.T, h *harness) {
	table := h.things(t)
	h.do(t, h.insert(table, 1))
	conn := h.acquire(t, driver.Write)
	g, lent := guard(t, conn)
	if g == nil {
		return
	}
	run(t, conn, begin())
	_, err := lent.ExecContext(t.Context(), "INSERT INTO "+table+" (id, name) VALUES (1, 'again')")
	var e *fault.Error
	if got := g.SQLError(t.Context(), err); !errors.As(got, &e) || e.Kind != fault.Unique || !errors.Is(got, err) {
		t.Errorf("a duplicate is %v", got)
	}
	dead, cancel := context.WithCancel(t.Context())
	cancel()
	if got := g.SQLError(dead, context.Canceled); !errors.Is(got, fault.Canceled) || !errors.Is(got, context.Canceled) {
		t.Errorf("a context that is done is %v", got)
	}
	own := errors.New("somebody else's")
	if got := g.SQLError(t.Context(), own); got != own { //nolint:errorlint // it has to be the same
		t.Errorf("an error of somebody else's is %v", got)
	}
	run(t, conn, rollback())
}

func hatchEnded(t *testing.T, h *harness) {
	table := h.things(t)
	for _, text := range []string{"ROLLBACK", "COMMIT"} {
		conn := h.acquire(t, driver.Write)
		g, lent := guard(t, conn)
		if g == nil {
			return
		}
		if err := g.SQLReady(); err != nil {
			t.Errorf("before a transaction: %v", err)
		}
		run(t, conn, begin(h.insert(table, 1)))
		if err := g.SQLReady(); err != nil {
			t.Errorf("inside a transaction: %v", err)
		}
		if _, err := lent.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		if err := g.SQLReady(); !errors.Is(err, fault.SessionFailed) {
			t.Errorf("after %s: %v", text, err)
		}
		run(t, conn, rollback())
		if err := g.SQLReady(); err != nil {
			t.Errorf("after the rollback: %v", err)
		}
		conn.Release()
	}
	h.wantIDs(t, table, 1)
}

func hatchLeftOpen(t *testing.T, h *harness) {
	table := h.things(t)
	for range 3 {
		conn := h.acquire(t, driver.Write)
		lent := lend(t, conn)
		if lent == nil {
			return
		}
		for _, text := range []string{"BEGIN", "INSERT INTO " + table + " (id, name) VALUES (1, 'raw')"} {
			if _, err := lent.ExecContext(t.Context(), text); err != nil {
				t.Fatal(err)
			}
		}
		conn.Release()
		h.wantIDs(t, table)
	}
	h.do(t, h.insert(table, 2))
	h.wantIDs(t, table, 2)
}
