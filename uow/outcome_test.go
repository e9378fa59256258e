package uow_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/uow"
)

// A lost connection is retried where commits are resolved, and only there: it is known then that nothing was committed.
// What is not known, or known to be durable in part, is not.
func TestLostConnectionIsRetriedWhereItIsResolved(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		err     error
		resolve time.Duration
		runs    int
	}{
		"not resolved":    {fault.ConnectionLost, 0, 1},
		"resolved":        {fault.Wrap(fault.ConnectionLost, "x", context.DeadlineExceeded), time.Second, 3},
		"unknown":         {errors.Join(fault.OutcomeUnknown, fault.ConnectionLost), time.Second, 1},
		"partly durable":  {&uow.PartialCommitError{Err: fault.ConnectionLost}, time.Second, 1},
		"another failure": {fault.Unique, time.Second, 1},
	} {
		for _, atCommit := range []bool{false, true} {
			runs := 0
			op := uow.Op{Options: uow.Options{Resolve: c.resolve, Retry: uow.Retry{Backoff: -1}}}
			err := uow.NewRunner(uow.Config{}).Do(t.Context(), op, func(ctx context.Context) error {
				runs++
				if !atCommit {
					return c.err
				}
				enlist(t, ctx, &store{journal: &journal{}, name: "a", commitErr: c.err})
				return nil
			})
			if runs != c.runs || !errors.Is(err, c.err) {
				t.Errorf("%s, at the commit %t: %d runs, %v", name, atCommit, runs, err)
			}
		}
	}
}

// Nobody can say which hooks are right after a commit whose outcome is unknown. What a savepoint has undone is undone in
// any case, and so is a unit that has not come to its commit, whatever its function says.
func TestUnknownOutcomeRunsNoHooks(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		commit, fn error
		want       []string
	}{
		"of the commit":   {fault.OutcomeUnknown, nil, []string{"commit a", "r savepoint"}},
		"of another unit": {nil, fault.OutcomeUnknown, []string{"rollback a", "r savepoint", "r"}},
		"none":            {fault.Unique, nil, []string{"commit a", "r savepoint", "r"}},
	} {
		j := &journal{}
		body := func(ctx context.Context) error {
			enlist(t, ctx, &store{journal: j, name: "a", commitErr: c.commit})
			must(t, uow.AfterCommit(ctx, j.hook("c")))
			must(t, uow.AfterRollback(ctx, j.hook("r")))
			u, _ := uow.Current(ctx)
			mark := u.Mark()
			must(t, uow.AfterRollback(ctx, j.hook("r savepoint")))
			u.Cut(mark)
			return c.fn
		}
		if err := uow.NewRunner(uow.Config{}).Do(t.Context(), uow.Op{}, body); err == nil {
			t.Errorf("%s: success", name)
		}
		j.want(t, c.want...)
	}
}

// A unit that its caller ends is no different.
func TestUnknownOutcomeOfAManagedUnit(t *testing.T) {
	t.Parallel()

	j := &journal{}
	u := uow.NewRunner(uow.Config{}).Begin(t.Context(), uow.Op{})
	must(t, u.Enlist("a", false, &store{journal: j, name: "a", commitErr: fault.OutcomeUnknown}))
	if err := u.End(t.Context(), true); !errors.Is(err, fault.OutcomeUnknown) {
		t.Error(err)
	}
	j.want(t, "commit a")
}

// What was registered before a commit by hand whose outcome is unknown runs neither way; what comes later does.
func TestPinDropsHooks(t *testing.T) {
	t.Parallel()

	j := &journal{}
	must(t, uow.NewRunner(uow.Config{}).Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		must(t, uow.AfterCommit(ctx, j.hook("before")))
		u, _ := uow.Current(ctx)
		u.Pin()
		return uow.AfterCommit(ctx, j.hook("later"))
	}))
	j.want(t, "later")
}
