package drivertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

func contextTests() []test {
	return []test{
		{name: "done before anything is sent", run: doneBefore},
		{name: "done before a commit is sent", run: doneBeforeCommit},
		{name: "done during a statement", run: doneDuring},
		{name: "done during a statement of an earlier transaction", run: doneDuringEarlier},
		{name: "done between rows", run: doneBetweenRows},
		{name: "done after a script", run: doneAfter},
	}
}

// stopped fails the test unless the script ended with the context's error.
func stopped(ctx context.Context, t *testing.T, conn driver.Conn, s *driver.Script, r driver.Results) {
	t.Helper()
	err := conn.Run(ctx, s, r)
	if err == nil {
		t.Fatal("Run succeeded after its context was done")
	}
	var e *driver.ScriptError
	if !errors.Is(err, ctx.Err()) || !errors.As(err, &e) {
		t.Fatalf("Run: %v, want a *driver.ScriptError with %v", err, ctx.Err())
	}
}

func doneBefore(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	for _, ctx := range []context.Context{canceled, expired} {
		stopped(ctx, t, conn, transaction(h.insert(table, 1)), driver.Discard)
		stopped(ctx, t, conn, script(h.insert(table, 1)), driver.Discard)
		stopped(ctx, t, conn, begin(), driver.Discard)
		h.wantIDs(t, table)
	}
	run(t, conn, script(h.insert(table, 2)))
	h.wantIDs(t, table, 2)
}

func doneBeforeCommit(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	run(t, conn, begin(h.insert(table, 1)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	stopped(ctx, t, conn, commit(), driver.Discard)
	conn.Release()
	h.wantIDs(t, table)
	h.do(t, h.insert(table, 2))
	h.wantIDs(t, table, 2)
}

func doneDuring(t *testing.T, h *harness) {
	table := h.things(t)
	for _, s := range []*driver.Script{
		script(h.slow()), transaction(h.insert(table, 1), h.slow()), begin(h.insert(table, 1), h.slow()),
	} {
		conn := h.acquire(t, driver.Write)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		stopped(ctx, t, conn, s, driver.Discard)
		cancel()
		conn.Release()
		h.wantIDs(t, table)
	}
	h.do(t, h.insert(table, 2))
	h.wantIDs(t, table, 2)
}

// doneDuringEarlier: whatever is left of the transaction, a rollback ends it, on this connection or by its release.
func doneDuringEarlier(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	run(t, conn, begin(h.insert(table, 1)))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	stopped(ctx, t, conn, script(h.slow()), driver.Discard)
	if err := conn.Run(t.Context(), rollback(), driver.Discard); err != nil {
		t.Logf("the connection reports itself broken: %v", err)
	}
	conn.Release()
	h.wantIDs(t, table)
	h.do(t, h.insert(table, 2))
	h.wantIDs(t, table, 2)
}

// canceling ends its context at the tenth row.
type canceling struct {
	driver.Results
	cancel context.CancelFunc
	rows   int
}

func (c *canceling) Row(int, []driver.Cell) error {
	if c.rows++; c.rows == 10 {
		c.cancel()
	}
	return nil
}

func doneBetweenRows(t *testing.T, h *harness) {
	conn := h.acquire(t, driver.Read)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	many := h.query("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000000) SELECT x FROM c",
		[]value.Type{value.TypeInt64})
	stopped(ctx, t, conn, script(many), &canceling{Results: driver.Discard, cancel: cancel})
	conn.Release()
	if got := h.ask(t, h.query("SELECT 1", []value.Type{value.TypeInt64})); got != value.OfInt(1) {
		t.Errorf("SELECT 1 is %v", got)
	}
}

// doneAfter: a context that ends after Run takes nothing back and leaves the connection alone.
func doneAfter(t *testing.T, h *harness) {
	table := h.things(t)
	conn := h.acquire(t, driver.Write)
	for id := range int64(20) {
		ctx, cancel := context.WithCancel(t.Context())
		s := transaction(h.insert(table, id))
		if id%2 == 1 {
			s.End = driver.Stay
		}
		if err := conn.Run(ctx, s, driver.Discard); err != nil {
			t.Fatal(err)
		}
		cancel()
		run(t, conn, commit())
	}
	if ids := h.ids(t, table); len(ids) != 20 {
		t.Errorf("%d rows, want 20", len(ids))
	}
}
