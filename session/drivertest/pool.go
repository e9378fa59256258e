package drivertest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

func poolTests() []test {
	return []test{
		{name: "ping", run: ping},
		{name: "an exhausted pool lets the context end the wait", run: exhausted},
		{name: "a done context acquires nothing", run: acquireDone},
		{name: "release rolls an open transaction back", run: releaseRollsBack},
		{name: "release after a failure", run: releaseAfterFailure},
		{name: "statistics", run: statistics},
		{name: "close waits for lent connections", run: closeWaits},
		{name: "a closed pool lends nothing", run: closedPool},
	}
}

func ping(t *testing.T, h *harness) {
	if err := h.pool.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.pool.Ping(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Ping with a done context: %v", err)
	}
}

func exhausted(t *testing.T, h *harness) {
	for _, access := range []driver.Access{driver.Read, driver.Write} {
		var lent []driver.Conn
		for {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			conn, err := h.pool.Acquire(ctx, access)
			cancel()
			if err == nil {
				if lent = append(lent, conn); len(lent) > 100 {
					t.Fatal("the pool has no bound")
				}
				continue
			}
			if err != ctx.Err() { //nolint:errorlint // the contract says: as it is
				t.Errorf("Acquire: %v, want %v as it is", err, ctx.Err())
			}
			break
		}
		// Whoever waits gets the first that comes back.
		got := make(chan error, 1)
		go func() {
			conn, err := h.pool.Acquire(t.Context(), access)
			if err == nil {
				conn.Release()
			}
			got <- err
		}()
		for _, conn := range lent {
			conn.Release()
		}
		if err := <-got; err != nil {
			t.Errorf("Acquire after a release: %v", err)
		}
	}
}

func acquireDone(t *testing.T, h *harness) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	conn, err := h.pool.Acquire(ctx, driver.Read)
	if err == nil {
		conn.Release()
	}
	if err != context.Canceled { //nolint:errorlint // the contract says: as it is
		t.Errorf("Acquire: %v, want %v as it is", err, context.Canceled)
	}
}

func releaseRollsBack(t *testing.T, h *harness) {
	table := h.things(t)
	for range 3 {
		conn := h.acquire(t, driver.Write)
		run(t, conn, begin(h.insert(table, 1)))
		conn.Release()
		h.wantIDs(t, table)
	}
	// The next to get the connection is in no transaction.
	conn := h.acquire(t, driver.Write)
	run(t, conn, script(h.insert(table, 2)))
	h.wantIDs(t, table, 2)
}

func releaseAfterFailure(t *testing.T, h *harness) {
	table := h.stock(t)
	for range 3 {
		conn := h.acquire(t, driver.Write)
		run(t, conn, begin(h.insert(table, 10)))
		if err := conn.Run(t.Context(), script(h.insert(table, 10)), driver.Discard); err == nil {
			t.Fatal("a duplicate was inserted")
		}
		conn.Release()
	}
	h.unchanged(t, table)
	h.do(t, h.insert(table, 11))
	h.wantIDs(t, table, 1, 2, 3, 11)
}

func statistics(t *testing.T, h *harness) {
	before := h.pool.Stats()
	if before.InUse != 0 || before.MaxOpenConnections < 2 {
		t.Errorf("statistics of an unused pool: %+v", before)
	}
	conn := h.acquire(t, driver.Write)
	if got := h.pool.Stats().InUse; got != 1 {
		t.Errorf("%d connections in use, want 1", got)
	}
	conn.Release()
	if got := h.pool.Stats().InUse; got != 0 {
		t.Errorf("%d connections in use after the release", got)
	}
}

func closeWaits(t *testing.T, h *harness) {
	conn := h.acquire(t, driver.Read)
	var released atomic.Bool
	early := make(chan bool, 1)
	go func() {
		if err := h.pool.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		early <- !released.Load()
	}()
	// Once nothing is lent any more, Close has begun.
	for deadline := time.Now().Add(5 * time.Second); ; {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		other, err := h.pool.Acquire(ctx, driver.Read)
		cancel()
		if err != nil {
			break
		}
		other.Release()
		if time.Now().After(deadline) {
			t.Error("the pool goes on lending while it closes")
			break
		}
	}
	run(t, conn, script(h.query("SELECT 1", []value.Type{value.TypeInt64})))
	released.Store(true)
	conn.Release()
	if <-early {
		t.Error("Close returned while a connection was lent")
	}
}

func closedPool(t *testing.T, h *harness) {
	if err := h.pool.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if conn, err := h.pool.Acquire(t.Context(), driver.Read); err == nil {
		conn.Release()
		t.Error("a closed pool lends a connection")
	}
	if h.pool.Ping(t.Context()) == nil {
		t.Error("a closed pool answers a ping")
	}
}
