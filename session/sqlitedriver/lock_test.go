package sqlitedriver

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// twoWriters are the writers of two pools on one file, as two processes would have them. The first has the lock.
func twoWriters(t *testing.T) (holder, waiter *conn) {
	t.Helper()
	dir := t.TempDir()
	holder, waiter = newWriter(t, openFile(t, dir)), newWriter(t, openFile(t, dir))
	mustRun(t, holder, statement("CREATE TABLE t (x)"))
	begin := beginning(driver.TxOptions{}, statement("INSERT INTO t VALUES (1)"))
	if err := holder.Run(t.Context(), begin, driver.Discard); err != nil {
		t.Fatal(err)
	}
	return holder, waiter
}

var insertTwo = statement("INSERT INTO t VALUES (2)")

func TestLockTimeout(t *testing.T) {
	t.Parallel()

	_, waiter := twoWriters(t)
	start := time.Now()
	err := waiter.Run(t.Context(), beginning(driver.TxOptions{LockTimeout: 30 * time.Millisecond}, insertTwo), driver.Discard)
	wantKind(t, err, fault.LockTimeout)
	var e *driver.ScriptError
	if !errors.As(err, &e) || e.Statement != driver.AtBegin {
		t.Errorf("failed at %v", e)
	}
	if waited := time.Since(start); waited < 30*time.Millisecond || waited > 5*time.Second {
		t.Errorf("waited for %v", waited)
	}
}

func TestLockIsWaitedForUnderTheContext(t *testing.T) {
	t.Parallel()

	_, waiter := twoWriters(t)
	for _, s := range []*driver.Script{beginning(driver.TxOptions{}, insertTwo), script(insertTwo)} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		err := waiter.Run(ctx, s, driver.Discard)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Run: %v", err)
		}
	}
	if got := one(t, waiter, "SELECT count(*) FROM t"); got != value.OfInt(0) {
		t.Errorf("%v rows", got)
	}
}

func TestLockIsGot(t *testing.T) {
	t.Parallel()

	holder, waiter := twoWriters(t)
	// The commit comes as soon as the other has looked for the lock once, which its statements' first use shows.
	done := make(chan error, 1)
	go func() {
		s := beginning(driver.TxOptions{}, insertTwo)
		s.End = driver.Commit
		done <- waiter.Run(t.Context(), s, driver.Discard)
	}()
	select {
	case err := <-done:
		t.Fatalf("the lock is held, and Run returned %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	if err := holder.Run(t.Context(), &driver.Script{End: driver.Commit}, driver.Discard); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := one(t, holder, "SELECT count(*) FROM t"); got != value.OfInt(2) {
		t.Errorf("%v rows", got)
	}
}

// TestSnapshotIsTooOld: where raw SQL upgrades a snapshot to a write, SQLite refuses at once.
func TestSnapshotIsTooOld(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	first, second := newWriter(t, openFile(t, dir)), newWriter(t, openFile(t, dir))
	mustRun(t, first, statement("CREATE TABLE t (x)"))
	mustRun(t, second, statement("BEGIN"), query("SELECT * FROM t"))
	mustRun(t, first, insertTwo)
	wantKind(t, second.Run(t.Context(), script(insertTwo), driver.Discard), fault.Serialization)
}
