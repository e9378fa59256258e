package session_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
)

// Guarded is an entity whose hooks fail when they are told to.
type Guarded struct {
	entity.Identifiable
	Name          string
	before, after error
	panics        bool
}

func (g *Guarded) BeforeInsert(context.Context) error {
	if g.panics {
		panic("oh dear")
	}
	return g.before
}

func (g *Guarded) AfterInsert(context.Context) error { return g.after }

func openGuarded(t *testing.T, b backend) *fixture {
	f := open(t, b)
	f.do(t, func(ctx context.Context) error { return session.CreateTables(ctx, (*Guarded)(nil)) })
	return f
}

// A hook's error fails the flush and with it the unit, also where it is swallowed: nothing that a hook has refused is
// written.
func TestMisuse_swallowed_error_of_a_hook(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := openGuarded(t, b)
		hooks := func(h session.FlushHooks) func(ctx context.Context) error {
			return func(ctx context.Context) error { return errors.Join(session.OnFlush(ctx, h), session.Add(ctx, ann())) }
		}
		refuse := func(context.Context) error { return errInner }
		for name, add := range map[string]func(ctx context.Context) error{
			"before":       func(ctx context.Context) error { return session.Add(ctx, &Guarded{before: errInner}) },
			"after":        func(ctx context.Context) error { return session.Add(ctx, &Guarded{after: errInner}) },
			"flush before": hooks(session.FlushHooks{Before: refuse}),
			"flush after":  hooks(session.FlushHooks{After: refuse}),
		} {
			err := f.Do(t.Context(), func(ctx context.Context) error {
				must(t, add(ctx))
				if err := session.Flush(ctx); !errors.Is(err, errInner) {
					t.Errorf("%s: %v", name, err)
				}
				return nil
			})
			if !errors.Is(err, fault.SessionFailed) || !errors.Is(err, errInner) {
				t.Errorf("%s, swallowed: %v", name, err)
			}
			f.do(t, func(ctx context.Context) error { // and handled with a savepoint
				if err := session.Nested(ctx, add); !errors.Is(err, errInner) {
					t.Errorf("%s: %v", name, err)
				}
				return session.Add(ctx, &Parent{Name: name})
			})
		}
		wantRows[Guarded](t, f, 0)
		wantRows[User](t, f, 0)
		wantRows[Parent](t, f, 4)
	})
}

// A hook that panics leaves the session to its unit: in a flush, a commit by hand and the unit's own commit.
func TestMisuse_panic_in_a_hook(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := openGuarded(t, b)
		for name, end := range map[string]func(ctx context.Context) error{
			"flush": session.Flush, "commit": session.Commit, "unit": func(context.Context) error { return nil },
			"savepoint": func(ctx context.Context) error {
				return session.Nested(ctx, func(ctx context.Context) error { return session.Add(ctx, &Parent{}) })
			},
		} {
			p := func() (p any) {
				defer func() { p = recover() }()
				return f.Do(t.Context(), func(ctx context.Context) error {
					must(t, session.Add(ctx, &Guarded{panics: true}))
					return end(ctx)
				})
			}()
			if p != "oh dear" {
				t.Errorf("%s: %v", name, p)
			}
			wantIdle(t, f.DB)
			err := f.Do(t.Context(), func(ctx context.Context) error {
				must(t, session.Add(ctx, &Guarded{panics: true}))
				func() {
					defer func() { _ = recover() }()
					_ = end(ctx)
				}()
				return errInner
			})
			if name != "unit" && err != errInner { //nolint:errorlint // nothing is joined to it
				t.Errorf("%s, recovered: %v", name, err)
			}
			wantIdle(t, f.DB)
		}
		wantRows[Guarded](t, f, 0)
	})
}

// Flush hooks end with the savepoint that they were registered in, however it ends.
func TestMisuse_flush_hooks_of_a_savepoint(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		f.do(t, func(ctx context.Context) error {
			ran := map[string]int{}
			register := func(ctx context.Context, name string) {
				must(t, session.OnFlush(ctx, session.FlushHooks{Before: func(context.Context) error { ran[name]++; return nil }}))
			}
			register(ctx, "root")
			for _, result := range []error{nil, errInner} {
				_ = session.Nested(ctx, func(ctx context.Context) error {
					register(ctx, fmt.Sprint("inner ", result))
					must(t, session.Add(ctx, &Parent{Name: "inner"}))
					return result
				})
			}
			_ = session.Nested(ctx, func(ctx context.Context) error {
				register(ctx, "by hand")
				return session.Rollback(ctx)
			})
			clear(ran)
			must(t, session.Add(ctx, &Parent{Name: "outer"}))
			must(t, session.Flush(ctx))
			if len(ran) != 1 || ran["root"] != 1 {
				t.Errorf("ran %v, want root's only", ran)
			}
			return nil
		})
	})
}

// The context of a flush's hook is of no use after the flush, and of use to one goroutine in it.
func TestMisuse_context_of_a_hook(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		f.do(t, func(ctx context.Context) error {
			var kept context.Context
			must(t, session.OnFlush(ctx, session.FlushHooks{After: func(ctx context.Context) error { kept = ctx; return nil }}))
			must(t, session.Add(ctx, ann()))
			must(t, session.Flush(ctx))
			allFail(t, f, kept, fault.ScopeClosed)
			return nil
		})

		// A goroutine that a hook has started is waited for, and fails the unit.
		inside, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		err := f.Do(t.Context(), func(ctx context.Context) error {
			before := func(ctx context.Context) error {
				f.intercept(func(_ *driver.Script, run func() error) error {
					close(inside)
					<-release
					return run()
				})
				go func() {
					_, err := session.Find[Parent](ctx)
					done <- err
				}()
				<-inside
				f.intercept(nil)
				wantFault(t, session.Add(ctx, &Parent{}), fault.ConcurrentUse)
				go func() { // once the hook has returned
					defer close(release)
					for !errors.Is(session.Add(ctx, &Parent{}), fault.ScopeClosed) {
						runtime.Gosched()
					}
				}()
				return nil
			}
			must(t, session.OnFlush(ctx, session.FlushHooks{Before: before}))
			must(t, session.Add(ctx, &Parent{Name: "lost"}))
			return session.Flush(ctx)
		})
		must(t, <-done)
		wantFault(t, err, fault.ConcurrentUse)
		wantIdle(t, f.DB)
	})
}
