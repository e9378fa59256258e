package faultdriver_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/faultdriver"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/drivertest"
	"github.com/urutu-go/urutu/session/sqlitedriver"
	"github.com/urutu-go/urutu/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, d *faultdriver.Driver) driver.Pool {
	t.Helper()
	pool, err := d.Open(t.Context(), driver.Config{
		Name: "test", URL: "sqlite:///" + filepath.Join(t.TempDir(), "test.db"), MaxOpen: 4, MaxIdle: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

// Without a fault the driver is the one that it wraps.
func TestConformance(t *testing.T) {
	t.Parallel()
	drivertest.Run(t, func(t *testing.T) driver.Pool { return open(t, faultdriver.New(sqlitedriver.New())) })
}

// answers counts what a client gets.
type answers int

func (a *answers) Row(int, []driver.Cell) error       { return nil }
func (a *answers) Done(i int, _ int64, _ int64) error { *a++; return nil }

// run runs a script on a connection of its own, and what follows it on that connection.
func run(t *testing.T, pool driver.Pool, s *driver.Script, timeout time.Duration) (n answers, err, next error) {
	t.Helper()
	c, err := pool.Acquire(t.Context(), driver.Write)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	err = c.Run(ctx, s, &n)
	return n, err, c.Run(t.Context(), &driver.Script{Begin: &driver.TxOptions{}, End: driver.Rollback}, driver.Discard)
}

// rows counts the rows that the scripts have inserted.
func rows(t *testing.T, pool driver.Pool) (n int64) {
	t.Helper()
	c, err := pool.Acquire(t.Context(), driver.Read)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	count := driver.Statement{SQL: "SELECT count(*) FROM item", Result: []value.Type{value.TypeInt64}}
	if err := c.Run(t.Context(), &driver.Script{Statements: []driver.Statement{count}}, scan{&n}); err != nil {
		t.Fatal(err)
	}
	return n
}

type scan struct{ n *int64 }

func (s scan) Row(_ int, row []driver.Cell) error { *s.n = row[0].Int(); return nil }
func (s scan) Done(int, int64, int64) error       { return nil }

// What a fault says has happened is what the database holds.
func TestFaults(t *testing.T) {
	t.Parallel()
	now := make(chan struct{})
	close(now)
	late := make(chan error, 1)
	for name, c := range map[string]struct {
		fault   faultdriver.Fault
		end     driver.End
		kind    fault.Kind
		answers answers
		rows    int64
		timeout time.Duration
	}{
		"none":                     {nil, driver.Commit, "", 1, 1, time.Minute},
		"the script":               {faultdriver.LoseScript, driver.Commit, fault.ConnectionLost, 0, 0, time.Minute},
		"the COMMIT":               {faultdriver.LoseEnd, driver.Commit, fault.OutcomeUnknown, 0, 0, time.Minute},
		"the statements' answer":   {faultdriver.LoseAnswer, driver.Commit, fault.OutcomeUnknown, 0, 1, time.Minute},
		"the answer":               {faultdriver.LoseLastAnswer, driver.Commit, fault.OutcomeUnknown, 1, 1, time.Minute},
		"an answer and no COMMIT":  {faultdriver.LoseAnswer, driver.Stay, fault.ConnectionLost, 0, 0, time.Minute},
		"the deadline":             {faultdriver.Hang, driver.Commit, fault.OutcomeUnknown, 0, 0, 20 * time.Millisecond},
		"late, and committed":      {faultdriver.Late(now, nil), driver.Commit, fault.OutcomeUnknown, 0, 1, time.Minute},
		"late, and rolled back":    {faultdriver.Late(nil, now), driver.Commit, fault.OutcomeUnknown, 0, 0, time.Minute},
		"delayed, and then run":    {faultdriver.Delay(now, func(err error) { late <- err }), driver.Commit, fault.OutcomeUnknown, 0, 1, time.Minute},
		"a script that reads only": {faultdriver.LoseAnswer, driver.Rollback, fault.ConnectionLost, 0, 0, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := faultdriver.New(sqlitedriver.New())
			pool := open(t, d)
			insert := func(end driver.End) *driver.Script {
				return &driver.Script{Begin: &driver.TxOptions{}, End: end, Statements: []driver.Statement{{SQL: "INSERT INTO item VALUES (1)"}}}
			}
			create := &driver.Script{Begin: &driver.TxOptions{}, End: driver.Commit, Statements: []driver.Statement{{SQL: "CREATE TABLE item (n INTEGER)"}}}
			if _, err, _ := run(t, pool, create, time.Minute); err != nil {
				t.Fatal(err)
			}
			d.Inject(func(*driver.Script) faultdriver.Fault { return c.fault })
			n, err, next := run(t, pool, insert(c.end), c.timeout)
			d.Inject(nil)
			d.Wait()
			if fault.KindOf(err) != c.kind || n != c.answers {
				t.Errorf("%v with %d answers", err, n)
			}
			if c.timeout < time.Minute && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v does not match the deadline", err)
			}
			if lost := errors.Is(next, fault.ConnectionLost); lost != (c.fault != nil) {
				t.Errorf("what follows on the connection: %v", next)
			}
			if got := rows(t, pool); got != c.rows {
				t.Errorf("%d rows", got)
			}
			if err := pool.Close(); err != nil || pool.Stats().InUse != 0 {
				t.Errorf("%v, %d in use", err, pool.Stats().InUse)
			}
		})
	}
	t.Cleanup(func() {
		if err := <-late; err != nil {
			t.Errorf("the delayed script: %v", err)
		}
	})
}
