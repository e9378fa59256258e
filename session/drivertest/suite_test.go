package drivertest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/drivertest"
	"github.com/urutu-go/urutu/session/sqlitedriver"
)

// runner runs a script on a connection.
type runner func(s *driver.Script, r driver.Results) error

// wrap returns a driver whose connections run scripts as change says.
func wrap(d driver.Driver, change func(run runner) runner) driver.Driver { return changed{d, change} }

type changed struct {
	driver.Driver
	change func(runner) runner
}

func (d changed) Open(ctx context.Context, cfg driver.Config) (driver.Pool, error) {
	pool, err := d.Driver.Open(ctx, cfg)
	return changedPool{pool, d.change}, err
}

type changedPool struct {
	driver.Pool
	change func(runner) runner
}

func (p changedPool) Acquire(ctx context.Context, access driver.Access) (driver.Conn, error) {
	conn, err := p.Pool.Acquire(ctx, access)
	if err != nil {
		return nil, err
	}
	return changedConn{conn, p.change}, nil
}

type changedConn struct {
	driver.Conn
	change func(runner) runner
}

func (c changedConn) Run(ctx context.Context, s *driver.Script, r driver.Results) error {
	return c.change(func(s *driver.Script, r driver.Results) error { return c.Conn.Run(ctx, s, r) })(s, r)
}

// breaches are drivers that break the contract in one place each, and the group of tests that has to notice.
var breaches = map[string]struct {
	group  string
	change func(run runner) runner
}{
	"stale rows go unnoticed": {"checked_write", func(run runner) runner {
		return func(s *driver.Script, r driver.Results) error {
			for i := range s.Statements {
				s.Statements[i].Checked = false
			}
			return run(s, r)
		}
	}},
	"read-only is ignored": {"begin_options", func(run runner) runner {
		return func(s *driver.Script, r driver.Results) error {
			if s.Begin != nil {
				s.Begin.ReadOnly = false
			}
			return run(s, r)
		}
	}},
	"a failed script commits what succeeded": {"transaction", func(run runner) runner {
		return func(s *driver.Script, r driver.Results) error {
			part := *s
			part.End = driver.Stay
			for i := range s.Statements {
				part.Statements = s.Statements[i : i+1]
				if err := run(&part, driver.Discard); err != nil {
					_ = run(&driver.Script{End: driver.Commit}, driver.Discard)
					return err
				}
				part.Begin = nil
			}
			return run(&driver.Script{End: s.End}, r)
		}
	}},
	"done is not called": {"write", func(run runner) runner {
		return func(s *driver.Script, r driver.Results) error { return run(s, onlyRows{r}) }
	}},
	"errors of callbacks are swallowed": {"result", func(run runner) runner {
		return func(s *driver.Script, r driver.Results) error { return run(s, deaf{r}) }
	}},
	"every error is internal": {"error", func(run runner) runner {
		return func(s *driver.Script, r driver.Results) error {
			var e *driver.ScriptError
			err := run(s, r)
			if errors.As(err, &e) {
				e.Err = fault.Wrap(fault.Internal, "broken", errors.New(e.Err.Error()))
			}
			return err
		}
	}},
	"a context is not looked at": {"context", func(run runner) runner {
		return func(s *driver.Script, r driver.Results) error {
			if err := run(s, r); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
			return nil
		}
	}},
}

type onlyRows struct{ driver.Results }

func (onlyRows) Done(int, int64, int64) error { return nil }

type deaf struct{ driver.Results }

func (d deaf) Row(i int, row []driver.Cell) error {
	_ = d.Results.Row(i, row)
	return nil
}

const breachVariable = "URUTU_DRIVERTEST_BREACH"

// TestBreach runs the suite on the broken driver that the environment names. TestSuiteNotices runs it.
func TestBreach(t *testing.T) {
	breach, ok := breaches[os.Getenv(breachVariable)]
	if !ok {
		return
	}
	d := wrap(sqlitedriver.New(), breach.change)
	drivertest.Run(t, func(t *testing.T) driver.Pool {
		pool, err := d.Open(t.Context(), driver.Config{URL: "sqlite:///:memory:", MaxOpen: 4, MaxIdle: 4})
		if err != nil {
			t.Fatal(err)
		}
		return pool
	})
}

// TestSuiteNotices: a suite that every driver passes proves nothing until one does not.
func TestSuiteNotices(t *testing.T) {
	t.Parallel()

	for name, breach := range breaches {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBreach$/^"+breach.group+"$", "-test.timeout=60s")
			cmd.Env = append(os.Environ(), breachVariable+"="+name)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestBreach/"+breach.group+"/") {
				t.Errorf("the suite does not notice: %v\n%s", err, out)
			}
		})
	}
}
