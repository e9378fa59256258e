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
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.first != nil || g.last != nil || g.armed {
			t.Error("the group keeps what has ended")
		}
	})
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

func BenchmarkContext(b *testing.B) {
	b.Run("group", func(b *testing.B) {
		g := New(time.Minute)
		b.ReportAllocs()
		for b.Loop() {
			_, cancel := g.Context(b.Context())
			cancel()
		}
	})
	b.Run("timer", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, cancel := context.WithTimeout(b.Context(), time.Minute)
			cancel()
		}
	})
}
