package session_test

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
)

// eachBackend runs a test on every database.
func eachBackend(t *testing.T, run func(t *testing.T, b backend)) {
	t.Parallel()
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			run(t, b)
		})
	}
}

// breakLine makes the connection break as the next script is sent.
func (f *fixture) breakLine() {
	var once sync.Once
	f.intercept(func(_ *driver.Script, run func() error) (err error) {
		lost := false
		once.Do(func() { lost = true })
		if !lost {
			return run()
		}
		return &driver.ScriptError{Row: -1, Err: fault.Wrap(fault.ConnectionLost, "driver.Run", errors.New("broken pipe"))}
	})
}

// What was flushed before is gone with the connection, and no later success may hide that: whatever ran as it broke, and
// whoever swallowed the error.
func TestMisuse_swallowed_loss_of_the_connection(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		read := func(ctx context.Context) error { _, err := session.Find[Parent](ctx); return err }
		write := func(ctx context.Context) error {
			must(t, session.Add(ctx, &Parent{Name: "flushed later"}))
			return session.Flush(ctx)
		}
		for name, fn := range map[string]func(ctx context.Context) error{
			"a read":                     read,
			"a write":                    write,
			"a read inside a savepoint":  func(ctx context.Context) error { return session.Nested(ctx, read) },
			"a write inside a savepoint": func(ctx context.Context) error { return session.Nested(ctx, write) },
			"a write inside two": func(ctx context.Context) error {
				return session.Nested(ctx, func(ctx context.Context) error {
					must(t, session.Add(ctx, &Parent{Name: "in between"}))
					wantFault(t, session.Nested(ctx, write), fault.ConnectionLost)
					return nil
				})
			},
		} {
			f := open(t, b)
			err := f.Do(t.Context(), func(ctx context.Context) error {
				must(t, session.Add(ctx, ann()))
				must(t, session.Flush(ctx))
				f.breakLine()
				wantFault(t, fn(ctx), fault.ConnectionLost)
				_ = session.Add(ctx, &Parent{Name: "added later"})
				return nil
			})
			if !errors.Is(err, fault.SessionFailed) {
				t.Errorf("%s: %v", name, err)
			}
			wantIdle(t, f.DB)
			wantRows[User](t, f, 0)
			wantRows[Parent](t, f, 0)
		}
	})
}

// A server that ends the connection in the middle of a unit fails it, and the unit can be rolled back and go on.
func TestMisuse_terminated_backend(t *testing.T) {
	t.Parallel()
	f := open(t, backends[0])
	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, ann()))
		must(t, session.Flush(ctx))
		var pid int
		must(t, session.From(ctx).QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&pid))
		_, err := admin.db.ExecContext(ctx, "SELECT pg_terminate_backend($1)", pid)
		must(t, err)
		err = session.Nested(ctx, func(ctx context.Context) error { return session.Add(ctx, &Parent{Name: "inner"}) })
		wantFault(t, err, fault.ConnectionLost)
		wantFault(t, session.Flush(ctx), fault.SessionFailed)
		must(t, session.Rollback(ctx))
		return session.Add(ctx, &Parent{Name: "after"})
	})
	wantRows[User](t, f, 0)
	wantRows[Parent](t, f, 1)
}

// A read that fails inside a savepoint that was never made takes the transaction with it on PostgreSQL. The enclosing
// scope has failed then, and says so.
func TestMisuse_failing_read_inside_a_savepoint(t *testing.T) {
	t.Parallel()
	f := open(t, backends[0])
	lock, err := admin.db.BeginTx(t.Context(), nil)
	must(t, err)
	defer func() { _ = lock.Rollback() }()
	err = f.Do(t.Context(), func(ctx context.Context) error {
		must(t, session.Add(ctx, ann()))
		must(t, session.Flush(ctx))
		var schema string
		must(t, session.From(ctx).QueryRowContext(ctx, "SELECT current_schema()").Scan(&schema))
		_, err = lock.Exec("LOCK TABLE " + schema + ".parents IN ACCESS EXCLUSIVE MODE")
		must(t, err)
		err := session.Nested(ctx, func(ctx context.Context) error { _, err := session.Find[Parent](ctx); return err })
		wantFault(t, err, fault.LockTimeout)
		wantFault(t, session.Add(ctx, &Parent{Name: "lost"}), fault.SessionFailed)
		return nil
	}, uow.Options{LockTimeout: 20 * time.Millisecond})
	must(t, lock.Rollback())
	wantFault(t, err, fault.SessionFailed)
	wantRows[User](t, f, 0)
}

// A statement that fails on an open savepoint's heels does not make the rollback fail.
func TestMisuse_rollback_after_a_release_that_was_not_sent(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		f.do(t, func(ctx context.Context) error {
			must(t, session.Nested(ctx, func(ctx context.Context) error { return session.Add(ctx, ann()) }))
			if _, err := session.From(ctx).ExecContext(ctx, "no sql"); err == nil {
				t.Error("no error")
			}
			must(t, session.Rollback(ctx))
			return session.Add(ctx, &Parent{Name: "after"})
		})
		wantRows[User](t, f, 0)
		wantRows[Parent](t, f, 1)
	})
}

// explosive panics as it is read.
type explosive string

func (*explosive) Scan(any) error                   { panic("oh dear") }
func (e explosive) Value() (sqldriver.Value, error) { return string(e), nil }

type Bomb struct {
	entity.Identifiable
	Fuse explosive `db:"fuse"`
}

// A type of the user's that panics as it is read does not cost the pool a connection.
func TestMisuse_panic_in_a_scanner(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b, oneConnection)
		f.do(t, func(ctx context.Context) error {
			must(t, session.CreateTables(ctx, (*Bomb)(nil)))
			return session.Add(ctx, &Bomb{Fuse: "lit"})
		})
		for _, inTx := range []bool{false, true} {
			p := func() (p any) {
				defer func() { p = recover() }()
				return f.Do(t.Context(), func(ctx context.Context) error {
					if inTx {
						must(t, session.Add(ctx, ann()))
						must(t, session.Flush(ctx))
					}
					_, err := session.Find[Bomb](ctx)
					return err
				})
			}()
			if p != "oh dear" {
				t.Errorf("%v", p)
			}
			wantIdle(t, f.DB)
		}
		wantRows[User](t, f, 0)
	})
}

// A panic or Goexit inside a savepoint undoes it; a panic that is recovered outside of it leaves the unit usable.
func TestMisuse_panic_in_a_savepoint(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		f.do(t, func(ctx context.Context) error {
			must(t, session.Add(ctx, &Parent{Name: "outer"}))
			func() {
				defer func() { _ = recover() }()
				_ = session.Nested(ctx, func(ctx context.Context) error {
					return session.Nested(ctx, func(ctx context.Context) error {
						must(t, session.Add(ctx, ann()))
						must(t, session.Flush(ctx))
						panic("oh dear")
					})
				})
			}()
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				_ = session.Nested(ctx, func(ctx context.Context) error {
					must(t, session.Add(ctx, ann()))
					must(t, session.Flush(ctx))
					runtime.Goexit()
					return nil
				})
			}()
			<-gone
			return session.Add(ctx, &Parent{Name: "outer, later"})
		})
		wantRows[User](t, f, 0)
		wantRows[Parent](t, f, 2)
	})
}

// Units and savepoints inside each other: each keeps or loses its own.
func TestMisuse_savepoints_and_units_inside_each_other(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		add := func(ctx context.Context, name string) {
			must(t, session.Add(ctx, &Parent{Name: name}))
			if b.name == "postgres" { // the one writer of SQLite must still be free for the inner units
				must(t, session.Flush(ctx))
			}
		}
		err := f.Do(t.Context(), func(ctx context.Context) error {
			return session.Nested(ctx, func(ctx context.Context) error {
				if b.name == "postgres" {
					add(ctx, "lost with the outer unit")
				}
				must(t, session.New(ctx, func(ctx context.Context) error {
					must(t, session.Nested(ctx, func(ctx context.Context) error {
						_ = session.Nested(ctx, func(ctx context.Context) error {
							add(ctx, "undone")
							return errInner
						})
						if b.name == "postgres" {
							add(ctx, "kept")
						}
						must(t, session.New(ctx, func(ctx context.Context) error { add(ctx, "kept too"); return nil }))
						if b.name != "postgres" {
							add(ctx, "kept")
						}
						return nil
					}))
					return nil
				}))
				add(ctx, "lost as well")
				return errInner
			})
		})
		if !errors.Is(err, errInner) {
			t.Errorf("%v", err)
		}
		f.do(t, func(ctx context.Context) error {
			n, err := session.Count[Parent](ctx, query.In(&parents.Name, "kept", "kept too"))
			if n != 2 {
				t.Errorf("%d kept, want 2", n)
			}
			return err
		})
		wantRows[Parent](t, f, 2)
		wantIdle(t, f.DB)
	})
}

// A unit that may have committed by hand is not run again, whatever it fails with later.
func TestMisuse_unknown_outcome_by_hand_is_not_run_again(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		runs := 0
		err := f.Do(t.Context(), func(ctx context.Context) error {
			if runs++; runs > 1 {
				return nil
			}
			must(t, session.Add(ctx, ann()))
			f.onEnd(driver.Commit, func(run func() error) error { must(t, run()); return lost(nil) })
			wantFault(t, session.Commit(ctx), fault.OutcomeUnknown)
			f.intercept(nil)
			must(t, session.Rollback(ctx))
			return fault.New(fault.Deadlock, "")
		})
		wantFault(t, err, fault.Deadlock)
		if runs != 1 {
			t.Errorf("run %d times", runs)
		}
	})
}

// A rollback of what the database has lost anyway has succeeded.
func TestMisuse_rollback_on_a_lost_connection(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		f.do(t, func(ctx context.Context) error {
			must(t, session.Add(ctx, ann()))
			must(t, session.Flush(ctx))
			f.breakLine()
			must(t, session.Rollback(ctx))
			return session.Add(ctx, &Parent{Name: "after"})
		})
		wantRows[User](t, f, 0)
		wantRows[Parent](t, f, 1)
	})
}
