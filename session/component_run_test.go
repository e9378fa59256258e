package session_test

import (
	"context"
	"testing"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/urututest"
)

// TestRunWaitsForAConnectionOnly: the pool's timeout bounds the wait for a connection, and not what is done with it.
func TestRunWaitsForAConnectionOnly(t *testing.T) {
	t.Parallel()
	db := urututest.Open(t, urututest.Config{Database: urututest.InPostgres, Session: session.Config{
		PoolSize: 1, MaxOverflow: -1, PoolTimeout: 100 * time.Millisecond,
	}})
	run := func(text string) error {
		script := &driver.Script{Statements: []driver.Statement{{SQL: text}}}
		return db.Run(t.Context(), "test.Run", driver.Read, script, driver.Discard)
	}
	if err := run("SELECT pg_sleep(0.3)"); err != nil {
		t.Error(err)
	}
	urututest.Do(t, db, func(ctx context.Context) error {
		if _, err := session.From(ctx).ExecContext(ctx, "SELECT 1"); err != nil { // holds the one connection
			return err
		}
		if err := run("SELECT 1"); fault.KindOf(err) != fault.PoolTimeout {
			t.Errorf("got %v", err)
		}
		return nil
	})
}
