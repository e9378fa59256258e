package session_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
)

func case083(t *testing.T, f *fixture) {
	f.reset()
	f.do(t, func(ctx context.Context) error {
		must(t, session.Rollback(ctx))
		must(t, session.Add(ctx, ann()))
		must(t, session.Rollback(ctx))
		must(t, session.Rollback(ctx))
		return nil
	})
	if f.connections() != 0 {
		t.Errorf("%q was sent", f.trips())
	}
}

func case084(t *testing.T, f *fixture) {
	kept, gone := &User{Name: "Kay", Email: "kay@example.com"}, &User{Name: "Gus", Email: "gus@example.com"}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, kept, gone) })
	for _, flushed := range []bool{false, true} {
		f.clock.advance(time.Hour)
		f.do(t, func(ctx context.Context) error {
			kept, err := session.Get[User](ctx, kept.ID)
			must(t, err)
			gone, err := session.Get[User](ctx, gone.ID)
			must(t, err)
			was, added := *kept, ann()
			kept.Name, kept.Nick, kept.Age = "changed", &added.Name, 40
			must(t, session.Add(ctx, added))
			must(t, session.Delete(ctx, gone))
			if flushed {
				must(t, session.Flush(ctx))
			}
			must(t, session.Rollback(ctx))
			wantState(t, ctx, added, session.Transient)
			wantState(t, ctx, gone, session.Persistent)
			wantState(t, ctx, kept, session.Persistent)
			if *kept != was {
				t.Errorf("flushed %t: the modified object is %+v, want %+v", flushed, *kept, was)
			}
			if *added != *ann() {
				t.Errorf("flushed %t: the added object is %+v, want it as it was", flushed, *added)
			}
			f.reset()
			must(t, session.Flush(ctx))
			if len(f.trips()) != 0 {
				t.Errorf("flushed %t: after the rollback %q was sent", flushed, f.trips())
			}
			return nil
		})
		wantRows[User](t, f, 2)
	}
}

func case085(t *testing.T, b backend) {
	f := open(t, b, oneConnection)
	// A temporary table lives as long as its connection.
	createTable(t, f, "CREATE TEMPORARY TABLE marker (id INTEGER)")
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, ann()) })
	for name, fn := range map[string]func(ctx context.Context) error{
		"a violation":  duplicate,
		"at commit":    func(ctx context.Context) error { return session.Add(ctx, ann()) },
		"its own":      func(ctx context.Context) error { return errors.Join(session.Flush(ctx), errors.New("no")) },
		"wrong SQL":    func(ctx context.Context) error { _, err := session.From(ctx).ExecContext(ctx, "no sql"); return err },
		"in savepoint": func(ctx context.Context) error { return session.Nested(ctx, duplicate) },
	} {
		if err := f.Do(t.Context(), fn); err == nil {
			t.Errorf("%s: no error", name)
		}
		wantIdle(t, f.DB)
	}
	f.do(t, func(ctx context.Context) error {
		_, err := session.From(ctx).ExecContext(ctx, "INSERT INTO marker VALUES (1)")
		return err
	})
}

func case086(t *testing.T, f *fixture) {
	write := func(ctx context.Context) {
		must(t, session.Add(ctx, ann()))
		must(t, session.Flush(ctx))
	}
	panicking := func() (p any) {
		defer func() { p = recover() }()
		return f.Do(t.Context(), func(ctx context.Context) error {
			write(ctx)
			panic("oh dear")
		})
	}
	if p := panicking(); p != "oh dear" {
		t.Errorf("panic %v", p)
	}
	wantIdle(t, f.DB)

	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = f.Do(t.Context(), func(ctx context.Context) error {
			write(ctx)
			runtime.Goexit()
			return nil
		})
		t.Error("the goroutine went on")
	}()
	<-exited
	wantIdle(t, f.DB)

	broken := errors.New("the rollback failed")
	f.onEnd(driver.Rollback, func(func() error) error {
		return &driver.ScriptError{Statement: driver.AtEnd, Row: -1, Err: fault.Wrap(fault.Internal, "driver.Run", broken)}
	})
	p := panicking()
	f.intercept(nil)
	var both *uow.PanicError
	if err, ok := p.(error); !ok || !errors.As(err, &both) || both.Value != "oh dear" || !errors.Is(err, broken) {
		t.Errorf("panic %v, want the value and the rollback's error", p)
	}
	wantIdle(t, f.DB)
	wantRows[User](t, f, 0)
}

func case087(t *testing.T, f *fixture) {
	user := ann()
	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, user))
		must(t, session.Commit(ctx))
		f.reset()
		same, err := session.Get[User](ctx, user.ID)
		must(t, err)
		if same != user || user.Name != "Ann" || user.CreatedAt.IsZero() || len(f.trips()) != 0 {
			t.Errorf("%+v after %q", same, f.trips())
		}
		must(t, session.Flush(ctx)) // clean
		if len(f.trips()) != 0 {
			t.Errorf("%q was sent for a clean object", f.trips())
		}
		user.Age = 30 // and its changes are seen
		must(t, session.Commit(ctx))
		user.Age = 31
		must(t, session.Rollback(ctx))
		if user.Age != 30 {
			t.Errorf("age %d after the rollback, want the committed 30", user.Age)
		}
		return nil
	})
	if got := row[User](t, f, user.ID); user.Age != 30 || got.Age != 30 {
		t.Errorf("ages %d and %d", user.Age, got.Age)
	}
}

func case088(t *testing.T, b backend) {
	for i, run := range []func(t *testing.T, f *fixture){case080, case081, case082, case083, case084, case086} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			run(t, open(t, b, oneConnection))
		})
	}
	t.Run("nested sessions", func(t *testing.T) {
		t.Parallel()
		f := open(t, b, oneConnection, func(c *session.Config) { c.PoolTimeout = 50 * time.Millisecond })
		f.do(t, func(ctx context.Context) error {
			must(t, session.Add(ctx, ann()))
			must(t, session.Flush(ctx))
			err := session.New(ctx, duplicate)
			if !errors.Is(err, fault.PoolTimeout) && !errors.Is(err, fault.LockTimeout) {
				t.Errorf("error %v", err)
			}
			return session.Add(ctx, &Parent{Name: "the outer unit goes on"})
		})
		wantRows[User](t, f, 1)
		wantRows[Parent](t, f, 1)
	})
}
