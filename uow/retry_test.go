package uow_test

import (
	"context"
	"errors"
	"io"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/uow"
)

// Promise 36: a unit that fails with a serialization failure or a deadlock is run again as a whole, a bounded number of
// times, with fresh resources.
func TestPromise36UnitIsRunAgain(t *testing.T) {
	t.Parallel()

	kinds := func(k ...fault.Kind) []fault.Kind { return k }
	for name, c := range map[string]struct {
		err   error
		retry uow.Retry
		runs  int
	}{
		"serialization":             {fault.Serialization, uow.Retry{}, 3},
		"deadlock, wrapped":         {fault.Wrap(fault.Internal, "x", fault.Deadlock), uow.Retry{}, 3},
		"another kind":              {fault.Unique, uow.Retry{}, 1},
		"no kind":                   {io.EOF, uow.Retry{}, 1},
		"a kind that is named":      {fault.Stale, uow.Retry{Kinds: kinds(fault.Stale)}, 3},
		"more attempts":             {fault.Stale, uow.Retry{Kinds: kinds(fault.Stale), Attempts: 5}, 5},
		"once":                      {fault.Serialization, uow.Retry{Attempts: -1}, 1},
		"one attempt":               {fault.Serialization, uow.Retry{Attempts: 1}, 1},
		"unknown outcome, named":    {fault.OutcomeUnknown, uow.Retry{Kinds: kinds(fault.OutcomeUnknown)}, 1},
		"unknown outcome, joined":   {errors.Join(fault.Serialization, fault.OutcomeUnknown), uow.Retry{}, 1},
		"partial commit, named":     {fault.PartialCommit, uow.Retry{Kinds: kinds(fault.PartialCommit)}, 1},
		"backoff beyond any number": {fault.Deadlock, uow.Retry{Backoff: math.MaxInt64}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				j := &journal{}
				runs := 0
				var units []*uow.Unit
				err := uow.NewRunner(uow.Config{}).Do(t.Context(), uow.Op{Options: uow.Options{Retry: c.retry}}, func(ctx context.Context) error {
					runs++
					u, _ := uow.Current(ctx)
					if u.Attempt() != runs {
						t.Errorf("attempt %d in run %d", u.Attempt(), runs)
					}
					units = append(units, u)
					enlist(t, ctx, &store{journal: j, name: "a"})
					return c.err
				})
				if !errors.Is(err, c.err) {
					t.Errorf("err = %v", err)
				}
				if runs != c.runs {
					t.Errorf("%d runs, want %d", runs, c.runs)
				}
				if len(units) > 1 && units[0] == units[1] {
					t.Error("the second attempt got the unit of the first")
				}
				want := make([]string, c.runs)
				for i := range want {
					want[i] = "rollback a"
				}
				j.want(t, want...)
			})
		})
	}
}

func TestPromise36SecondAttemptSucceeds(t *testing.T) {
	t.Parallel()

	j := &journal{}
	runs := 0
	err := uow.NewRunner(uow.Config{}).Do(t.Context(), uow.Op{Options: uow.Options{Retry: uow.Retry{Backoff: -1}}}, func(ctx context.Context) error {
		runs++
		s := &store{journal: j, name: "a"}
		if runs == 1 {
			s.commitErr = fault.Serialization
		}
		enlist(t, ctx, s)
		must(t, uow.AfterCommit(ctx, j.hook("sent")))
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	j.want(t, "commit a", "commit a", "sent")
}

func TestRetryWaitsBelowItsBackoff(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		op := uow.Op{Options: uow.Options{Retry: uow.Retry{Attempts: 20, Backoff: 100 * time.Millisecond}}}
		_ = uow.NewRunner(uow.Config{}).Do(t.Context(), op, func(context.Context) error { return fault.Deadlock })
		// 0.1 + 0.2 + 0.4 + 0.8 + 15 x 1 second at most; random, so only the bounds are known.
		if d := time.Since(start); d == 0 || d > 16500*time.Millisecond {
			t.Errorf("waited %s", d)
		}
		start = time.Now()
		op.Options.Retry.Backoff = -1
		_ = uow.NewRunner(uow.Config{}).Do(t.Context(), op, func(context.Context) error { return fault.Deadlock })
		if d := time.Since(start); d != 0 {
			t.Errorf("without backoff waited %s", d)
		}
	})
}

func TestRetryStopsWithItsContext(t *testing.T) {
	t.Parallel()

	for name, backoff := range map[string]time.Duration{"waiting": time.Hour, "no backoff": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			why := errors.New("shutting down")
			ctx, cancel := context.WithCancelCause(t.Context())
			runs := 0
			op := uow.Op{Options: uow.Options{Retry: uow.Retry{Backoff: backoff}}}
			err := uow.NewRunner(uow.Config{}).Do(ctx, op, func(context.Context) error {
				runs++
				cancel(why)
				return fault.Serialization
			})
			if runs != 1 || !errors.Is(err, why) || !errors.Is(err, fault.Serialization) {
				t.Errorf("%d runs, err = %v", runs, err)
			}
		})
	}
}

func TestNestedUnitIsNotRetried(t *testing.T) {
	t.Parallel()

	r := uow.NewRunner(uow.Config{})
	op := uow.Op{Options: uow.Options{Retry: uow.Retry{Backoff: -1}}}
	outer, inner := 0, 0
	err := r.Do(t.Context(), op, func(ctx context.Context) error {
		outer++
		return r.Do(ctx, op, func(context.Context) error {
			inner++
			return fault.Serialization
		})
	})
	if !errors.Is(err, fault.Serialization) || outer != 3 || inner != 3 {
		t.Errorf("outer %d, inner %d, err %v", outer, inner, err)
	}
}

func TestPinnedUnitIsNotRetried(t *testing.T) {
	t.Parallel()

	runs := 0
	err := uow.NewRunner(uow.Config{}).Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		runs++
		u, _ := uow.Current(ctx)
		u.Pin()
		return fault.Deadlock
	})
	if runs != 1 || !errors.Is(err, fault.Deadlock) {
		t.Errorf("%d runs, err = %v", runs, err)
	}
}
