package session_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
)

// Goroutines that share a session get their result or fault.ConcurrentUse, and the unit goes on.
func TestMisuse_goroutines_share_a_session(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		f.do(t, func(ctx context.Context) error {
			var wg sync.WaitGroup
			start := make(chan struct{})
			errs := make(chan error, 64)
			for i := range 8 {
				wg.Go(func() {
					<-start
					for j := range 8 {
						user := &User{Name: "x", Email: fmt.Sprint(i, "-", j)}
						err := session.Add(ctx, user)
						switch j % 4 {
						case 1:
							err = errors.Join(err, session.Flush(ctx))
						case 2:
							_, findErr := session.Find[User](ctx, query.Eq(&users.Name, "x"))
							err = errors.Join(err, findErr)
						case 3:
							err = errors.Join(err, session.Delete(ctx, user))
						}
						errs <- err
					}
				})
			}
			close(start)
			wg.Wait()
			close(errs)
			for err := range errs {
				if err != nil && !errors.Is(err, fault.ConcurrentUse) && !errors.Is(err, fault.NotPersistent) {
					t.Errorf("%v", err)
				}
			}
			return session.Add(ctx, ann())
		})
		wantIdle(t, f.DB)
	})
}

// Goroutines that come first at once get one session between them.
func TestMisuse_goroutines_open_a_session(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		for range 50 {
			f.do(t, func(ctx context.Context) error {
				sessions := make([]*session.Session, 4)
				var wg sync.WaitGroup
				for i := range sessions {
					wg.Go(func() { sessions[i] = session.From(ctx) })
				}
				wg.Wait()
				for _, s := range sessions {
					if s != sessions[0] || s != session.From(ctx) {
						t.Fatal("one unit has two sessions for one connection")
					}
				}
				return nil
			})
		}
	})
}

// A goroutine that keeps the context of a unit that has ended reaches no database with it.
func TestMisuse_context_outlives_its_unit(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		for _, used := range []bool{true, false} {
			var kept, nested context.Context
			f.do(t, func(ctx context.Context) error {
				kept = ctx
				if used {
					must(t, session.Nested(ctx, func(ctx context.Context) error { nested = ctx; return nil }))
				}
				return nil
			})
			f.reset()
			done := make(chan struct{})
			go func() {
				defer close(done)
				allFail(t, f, kept, fault.SessionClosed)
				if nested != nil {
					allFail(t, f, nested, fault.SessionClosed)
				}
				if err := uow.AfterCommit(kept, func(context.Context) error { return nil }); !errors.Is(err, fault.SessionClosed) {
					t.Errorf("AfterCommit: %v", err)
				}
			}()
			<-done
			if f.connections() != 0 {
				t.Errorf("%q was sent", f.trips())
			}
		}
	})
}

// A goroutine that is inside a verb as its unit ends, and stays there, keeps no connection once it is done.
func TestMisuse_goroutine_does_not_finish(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b, oneConnection)
		inside, release, done := make(chan struct{}), make(chan struct{}), make(chan error)
		err := f.Do(t.Context(), func(ctx context.Context) error {
			must(t, session.Add(ctx, ann()))
			must(t, session.Flush(ctx))
			f.intercept(func(_ *driver.Script, run func() error) error {
				close(inside)
				<-release
				return run()
			})
			go func() {
				_, err := session.Find[User](ctx)
				done <- err
			}()
			<-inside
			return nil
		})
		wantFault(t, err, fault.ConcurrentUse)
		f.intercept(nil)
		close(release)
		must(t, <-done)
		wantIdle(t, f.DB)
		wantRows[User](t, f, 0)
	})
}

// Savepoints end in the order of a stack. One that another goroutine has left open fails the scope that ends.
func TestMisuse_overlapping_savepoints(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		overlap := func(ctx context.Context, name string, end <-chan struct{}) (begun chan struct{}, result chan error) {
			begun, result = make(chan struct{}), make(chan error, 1)
			go func() {
				result <- session.Nested(ctx, func(ctx context.Context) error {
					err := session.Add(ctx, &Parent{Name: name})
					close(begun)
					<-end
					return err
				})
			}()
			return begun, result
		}
		endFirst, endSecond := make(chan struct{}), make(chan struct{})
		f.do(t, func(ctx context.Context) error {
			begun, first := overlap(ctx, "first", endFirst)
			<-begun
			begun, second := overlap(ctx, "second", endSecond)
			<-begun
			close(endFirst)
			wantFault(t, <-first, fault.ConcurrentUse)
			close(endSecond)
			wantFault(t, <-second, fault.ScopeClosed)
			return session.Add(ctx, ann())
		})
		wantRows[Parent](t, f, 0)
		wantRows[User](t, f, 1)

		end := make(chan struct{})
		var result chan error
		err := f.Do(t.Context(), func(ctx context.Context) error {
			var begun chan struct{}
			begun, result = overlap(ctx, "left open", end)
			<-begun
			return nil
		})
		wantFault(t, err, fault.ConcurrentUse)
		close(end)
		wantFault(t, <-result, fault.SessionClosed)
		wantIdle(t, f.DB)
		wantRows[Parent](t, f, 0)
	})
}
