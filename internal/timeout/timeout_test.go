package timeout

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Each context ends when its own time has come, whatever became of those before it.
func TestContextsEndInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const d = time.Minute
		g := New(d)
		for range 200 {
			time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
			begin := time.Now()
			ctx, cancel := g.Context(t.Context())
			if until, ok := ctx.Deadline(); !ok || !until.Equal(begin.Add(d)) {
				t.Errorf("it says that it ends at %v", until)
			}
			if rand.IntN(2) == 0 {
				time.AfterFunc(time.Duration(rand.IntN(100_000))*time.Millisecond, cancel)
				continue
			}
			context.AfterFunc(ctx, func() {
				if took := time.Since(begin); took != d || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
					t.Errorf("it ended after %v with %v", took, ctx.Err())
				}
				cancel()
			})
		}
		time.Sleep(3 * d)
		checkEmpty(t, g)
	})
}

func checkEmpty(t *testing.T, g *Group) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.first != nil || g.last != nil || !g.rings.IsZero() {
		t.Error("the group keeps what has ended")
	}
}

// A context that ends early says that it was canceled, by its parent or by who has it.
func TestEndedEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(time.Minute)
		parent, end := context.WithCancelCause(t.Context())
		byParent, cancelOne := g.Context(parent)
		defer cancelOne()
		byOwner, cancel := g.Context(t.Context())
		if byParent.Err() != nil || byOwner.Err() != nil {
			t.Fatal("they have ended before they began")
		}
		cause := errors.New("cause")
		end(cause)
		cancel()
		cancel() // no harm
		<-byParent.Done()
		if !errors.Is(byParent.Err(), context.Canceled) || !errors.Is(context.Cause(byParent), cause) {
			t.Errorf("its parent ended: %v, %v", byParent.Err(), context.Cause(byParent))
		}
		if !errors.Is(byOwner.Err(), context.Canceled) {
			t.Errorf("it was ended: %v", byOwner.Err())
		}
		time.Sleep(2 * time.Minute)
		if !errors.Is(byParent.Err(), context.Canceled) {
			t.Errorf("what had ended has ended again: %v", byParent.Err())
		}
	})
}

// A context that is derived from one ends with it, and says why.
func TestDerivedContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(time.Minute)
		ctx, cancel := g.Context(t.Context())
		defer cancel()
		child, cancelChild := context.WithCancel(context.WithValue(ctx, &g, 1))
		defer cancelChild()
		<-child.Done()
		for _, err := range []error{ctx.Err(), context.Cause(ctx), child.Err(), context.Cause(child)} {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("it ended with %v", err)
			}
		}
	})
}

// Where nobody waited for it either, a context has ended when its time has come, or its parent's.
func TestNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(time.Minute)
		parent, end := context.WithCancel(t.Context())
		byParent, byTime, ended := g.begin(parent), g.begin(t.Context()), g.begin(t.Context())
		ended.cancel()
		time.Sleep(time.Minute - time.Nanosecond)
		if byTime.Err() != nil || byParent.Err() != nil {
			t.Errorf("they have ended early: %v, %v", byTime.Err(), byParent.Err())
		}
		end()
		time.Sleep(time.Nanosecond)
		if !errors.Is(byTime.Err(), context.DeadlineExceeded) {
			t.Errorf("its time has come: %v", byTime.Err())
		}
		for _, c := range []*timed{byParent, ended} {
			if !errors.Is(c.Err(), context.Canceled) {
				t.Errorf("it was canceled: %v", c.Err())
			}
		}
		for _, c := range []*timed{byParent, byTime, ended} {
			called := make(chan bool)
			stop := c.AfterFunc(func() { called <- true })
			<-called
			<-c.Done()
			if stop() {
				t.Error("what was called is stopped")
			}
		}
		checkEmpty(t, g)
	})
}

// The order in which somebody begins to wait does not matter.
func TestWaitedForLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, begin := New(time.Minute), time.Now()
		var all []*timed
		for range 3 {
			all = append(all, g.begin(t.Context()))
			time.Sleep(time.Second)
		}
		for _, i := range []int{2, 0, 1} {
			context.AfterFunc(all[i], func() {
				if took, want := time.Since(begin), time.Minute+time.Duration(i)*time.Second; took != want {
					t.Errorf("context %d ended after %v", i, took)
				}
			})
		}
		time.Sleep(time.Hour)
		checkEmpty(t, g)
	})
}

// What was to be called after the end of a context is not, once that was taken back.
func TestStoppedFunc(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := New(time.Minute).begin(t.Context())
		calls := make(chan string, 3)
		stop := ctx.AfterFunc(func() { calls <- "stopped" })
		ctx.AfterFunc(func() { calls <- "kept" })
		if !stop() || stop() {
			t.Error("it is stopped once")
		}
		ctx.cancel()
		synctest.Wait()
		if close(calls); len(calls) != 1 || <-calls != "kept" {
			t.Error("the wrong functions were called")
		}
	})
}

func BenchmarkContext(b *testing.B) {
	b.Run("group", func(b *testing.B) {
		g := New(time.Minute)
		b.ReportAllocs()
		for b.Loop() {
			ctx, cancel := g.Context(b.Context())
			_ = ctx.Done()
			cancel()
		}
	})
	b.Run("timer", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
			_ = ctx.Done()
			cancel()
		}
	})
}
