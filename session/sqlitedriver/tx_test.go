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

// endless inserts rows until it is interrupted.
const endless = "INSERT INTO t WITH RECURSIVE c(x) AS (SELECT 10 UNION ALL SELECT x + 1 FROM c WHERE x < 2000000000) " +
	"SELECT x FROM c"

// lose makes SQLite roll the open transaction back by itself, in two ways.
var lose = map[string]func(t *testing.T, c *conn) error{
	"a conflict": func(t *testing.T, c *conn) error {
		return c.Run(t.Context(), script(statement("INSERT OR ROLLBACK INTO t VALUES (1)")), driver.Discard)
	},
	"an interrupt": func(t *testing.T, c *conn) error {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		return c.Run(ctx, script(statement(endless)), driver.Discard)
	},
}

func TestLostTransaction(t *testing.T) {
	t.Parallel()

	for name, lose := range lose {
		for _, end := range []driver.End{driver.Rollback, driver.Commit} {
			t.Run(name+" then "+end.String(), func(t *testing.T) {
				t.Parallel()

				conn := newWriter(t, openFile(t, t.TempDir()))
				mustRun(t, conn, statement("CREATE TABLE t (x UNIQUE)"))
				begin := beginning(driver.TxOptions{}, statement("INSERT INTO t VALUES (1)"), statement("SAVEPOINT s"))
				if err := conn.Run(t.Context(), begin, driver.Discard); err != nil {
					t.Fatal(err)
				}
				cause := lose(t, conn)
				if cause == nil {
					t.Fatal("nothing was lost")
				}
				// What follows must not run by itself, as if there were a transaction.
				for _, text := range []string{"INSERT INTO t VALUES (2)", "ROLLBACK TO s", "SELECT 1"} {
					err := conn.Run(t.Context(), script(statement(text)), driver.Discard)
					wantKind(t, err, fault.SessionFailed)
					if !errors.Is(err, fault.KindOf(cause)) {
						t.Errorf("%v does not say why: %v", err, cause)
					}
				}
				err := conn.Run(t.Context(), &driver.Script{End: end}, driver.Discard)
				if end == driver.Commit {
					wantKind(t, err, fault.SessionFailed)
				} else if err != nil {
					t.Fatal(err)
				}
				mustRun(t, conn, statement("INSERT INTO t VALUES (3)"))
				if got := one(t, conn, "SELECT x FROM t"); got != value.OfInt(3) {
					t.Errorf("x is %v", got)
				}
			})
		}
	}
}

func TestInterruptedWriteOutsideATransaction(t *testing.T) {
	t.Parallel()

	p := openFile(t, t.TempDir())
	conn := newWriter(t, p)
	mustRun(t, conn, statement("CREATE TABLE t (x)"))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	err := conn.Run(ctx, script(statement("INSERT INTO t VALUES (1)"), statement(endless)), driver.Discard)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if got := one(t, conn, "SELECT count(*) FROM t"); got != value.OfInt(1) {
		t.Errorf("%v rows, want that of the first statement", got)
	}
	conn.Release()
	if stats := p.writer.Stats(); stats.OpenConnections != 1 {
		t.Errorf("the interrupted connection was thrown away: %+v", stats)
	}
}

func TestCommitAndRollbackDespiteADoneContext(t *testing.T) {
	t.Parallel()

	conn := newWriter(t, openFile(t, t.TempDir()))
	mustRun(t, conn, statement("CREATE TABLE t (x)"))
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for _, end := range []driver.End{driver.Commit, driver.Rollback} {
		begin := beginning(driver.TxOptions{}, statement("INSERT INTO t VALUES (1)"))
		if err := conn.Run(t.Context(), begin, driver.Discard); err != nil {
			t.Fatal(err)
		}
		if err := conn.Run(done, &driver.Script{End: end}, driver.Discard); !errors.Is(err, context.Canceled) {
			t.Errorf("%v: %v", end, err)
		}
		if conn.tx.open {
			t.Errorf("%v left the transaction open", end)
		}
	}
	if got := one(t, conn, "SELECT count(*) FROM t"); got != value.OfInt(0) {
		t.Errorf("%v rows", got)
	}
}

// TestContextDoneWhileRunning: a context that ends in the last callback is seen before the commit.
func TestContextDoneWhileRunning(t *testing.T) {
	t.Parallel()

	conn := newWriter(t, openFile(t, t.TempDir()))
	mustRun(t, conn, statement("CREATE TABLE t (x)"))
	ctx, cancel := context.WithCancel(t.Context())
	s := beginning(driver.TxOptions{}, statement("INSERT INTO t VALUES (1)"))
	s.End = driver.Commit
	err := conn.Run(ctx, s, cancelWhenDone{cancel})
	var e *driver.ScriptError
	if !errors.Is(err, context.Canceled) || !errors.As(err, &e) || e.Statement != driver.AtEnd {
		t.Fatal(err)
	}
	if got := one(t, conn, "SELECT count(*) FROM t"); got != value.OfInt(0) {
		t.Errorf("%v rows", got)
	}
}

type cancelWhenDone struct{ cancel context.CancelFunc }

func (cancelWhenDone) Row(int, []driver.Cell) error { return nil }

func (c cancelWhenDone) Done(int, int64, int64) error { c.cancel(); return nil }
