package drivertest

import (
	"database/sql"
	"testing"

	"github.com/urutu-go/urutu/session/driver"
)

func hatchTests() []test {
	return []test{
		{name: "the lent connection is in the transaction", run: hatchInTransaction},
		{name: "what the lent connection began is rolled back", run: hatchLeftOpen},
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
