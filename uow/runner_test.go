package uow_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/uow"
)

func TestCommitOnNilRollbackOnError(t *testing.T) {
	t.Parallel()

	j := &journal{}
	r := uow.NewRunner(uow.Config{})
	err := r.Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		enlist(t, ctx, &store{journal: j, name: "a"})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = r.Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		enlist(t, ctx, &store{journal: j, name: "b"})
		return io.EOF
	})
	if !errors.Is(err, io.EOF) {
		t.Errorf("err = %v", err)
	}
	j.want(t, "commit a", "rollback b")
}

func TestOperationIsNamed(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		op   uow.Op
		name string
		kind uow.Kind
	}{
		{uow.Op{}, "unit", uow.Job},
		{uow.Op{Options: uow.Options{Name: "close month"}}, "close month", uow.Job},
		{uow.Op{Kind: uow.HTTP, Name: "POST /users", Options: uow.Options{Name: "x"}}, "POST /users", uow.HTTP},
	} {
		var seen uow.Op
		r := uow.NewRunner(uow.Config{Interceptors: []uow.Interceptor{func(next uow.Handler) uow.Handler {
			return func(ctx context.Context, op uow.Op) error { seen = op; return next(ctx, op) }
		}}})
		err := r.Do(t.Context(), c.op, func(ctx context.Context) error {
			u, _ := uow.Current(ctx)
			if u.Op().Name != c.name || u.Attempt() != 1 || u.Parent() != nil {
				t.Errorf("unit %+v, attempt %d, parent %v", u.Op(), u.Attempt(), u.Parent())
			}
			return nil
		})
		if err != nil || seen.Name != c.name || seen.Kind != c.kind {
			t.Errorf("%+v: seen %+v, %v", c.op, seen, err)
		}
	}
}

func TestSeveralResourcesCommitInTheirOrder(t *testing.T) {
	t.Parallel()

	j := &journal{}
	err := uow.NewRunner(uow.Config{}).Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		enlist(
			t, ctx, &store{journal: j, name: "default", last: true}, &store{journal: j, name: "x"},
			&store{journal: j, name: "y"}, &store{journal: j, name: "idle", idle: true, last: true},
		)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	j.want(
		t, "prepare x", "prepare y", "prepare default",
		"commit idle", "commit x", "commit y", "commit default",
	)
}

func TestOnePendingResourceIsNotPrepared(t *testing.T) {
	t.Parallel()

	j := &journal{}
	err := uow.NewRunner(uow.Config{}).Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		enlist(t, ctx, &store{journal: j, name: "a"}, &store{journal: j, name: "idle", idle: true})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	j.want(t, "commit idle", "commit a")
}

func TestFailedPrepareRollsEverythingBack(t *testing.T) {
	t.Parallel()

	j := &journal{}
	err := uow.NewRunner(uow.Config{}).Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		enlist(t, ctx, &store{journal: j, name: "a"}, &store{journal: j, name: "b", prepareErr: fault.Unique})
		return nil
	})
	if !errors.Is(err, fault.Unique) {
		t.Errorf("err = %v", err)
	}
	j.want(t, "prepare a", "prepare b", "rollback b", "rollback a")
}

func TestPartialCommitSaysWhatIsDurable(t *testing.T) {
	t.Parallel()

	j := &journal{}
	lost := &fault.Error{Kind: fault.ConnectionLost, Message: "nothing happened"}
	runs := 0
	err := uow.NewRunner(uow.Config{}).Do(t.Context(), uow.Op{
		Options: uow.Options{Retry: uow.Retry{Kinds: []fault.Kind{fault.ConnectionLost, fault.PartialCommit}}},
	}, func(ctx context.Context) error {
		runs++
		enlist(
			t, ctx, &store{journal: j, name: "x"}, &store{journal: j, name: "idle", idle: true},
			&store{journal: j, name: "y", commitErr: lost}, &store{journal: j, name: "default", last: true},
		)
		return nil
	})
	var partial *uow.PartialCommitError
	if !errors.As(err, &partial) || !slices.Equal(partial.Durable, []string{"x"}) || partial.Failed != "y" {
		t.Fatalf("err = %v", err)
	}
	if !errors.Is(err, fault.PartialCommit) || !errors.Is(err, fault.ConnectionLost) || fault.KindOf(err) != fault.PartialCommit {
		t.Errorf("kind %s of %v", fault.KindOf(err), err)
	}
	if !strings.Contains(err.Error(), "x committed, y did not") {
		t.Errorf("text %q", err)
	}
	if runs != 1 {
		t.Errorf("a partial commit was run %d times", runs)
	}
	j.want(
		t, "prepare x", "prepare y", "prepare default",
		"commit idle", "commit x", "commit y", "rollback default",
	)
}

func TestFirstFailedCommitIsNoPartialCommit(t *testing.T) {
	t.Parallel()

	j := &journal{}
	err := uow.NewRunner(uow.Config{}).Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		enlist(
			t, ctx, &store{journal: j, name: "idle", idle: true}, &store{journal: j, name: "a", commitErr: fault.Unique},
			&store{journal: j, name: "b", last: true},
		)
		return nil
	})
	if errors.Is(err, fault.PartialCommit) || !errors.Is(err, fault.Unique) {
		t.Errorf("err = %v", err)
	}
}

func TestRollbackErrorIsJoined(t *testing.T) {
	t.Parallel()

	j := &journal{}
	err := uow.NewRunner(uow.Config{}).Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		enlist(t, ctx, &store{journal: j, name: "a", rollbackErr: io.ErrClosedPipe}, &store{journal: j, name: "b"})
		return fault.Conflict
	})
	if !errors.Is(err, io.ErrClosedPipe) || fault.KindOf(err) != fault.Conflict {
		t.Errorf("err = %v", err)
	}
	j.want(t, "rollback b", "rollback a")
}

func TestFailMakesTheCommitFail(t *testing.T) {
	t.Parallel()

	j := &journal{}
	err := uow.NewRunner(uow.Config{}).Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		u, _ := uow.Current(ctx)
		enlist(t, ctx, &store{journal: j, name: "a"})
		u.Fail(fault.Stale)
		u.Fail(io.EOF)
		return nil
	})
	if !errors.Is(err, fault.Stale) || errors.Is(err, io.EOF) {
		t.Errorf("err = %v", err)
	}
	j.want(t, "rollback a")
	err = uow.NewRunner(uow.Config{}).Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		u, _ := uow.Current(ctx)
		u.Fail(fault.Stale)
		return nil
	})
	if !errors.Is(err, fault.Stale) {
		t.Errorf("without resources: %v", err)
	}
}

func TestPromise11CancelledBeforeTheCommitRollsBack(t *testing.T) {
	t.Parallel()

	j := &journal{}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := fault.New(fault.Unsupported, "the client went away")
	err := uow.NewRunner(uow.Config{}).Do(ctx, uow.Op{}, func(ctx context.Context) error {
		enlist(t, ctx, &store{journal: j, name: "a", onRollback: func(ctx context.Context) {
			if ctx.Err() != nil {
				t.Error("the rollback got the dead context")
			}
		}})
		cancel(why)
		return nil
	})
	if !errors.Is(err, why) {
		t.Errorf("err = %v", err)
	}
	j.want(t, "rollback a")
}

func TestBareContextErrorIsReplacedByItsCause(t *testing.T) {
	t.Parallel()

	why := fault.New(fault.Unsupported, "shutting down")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	r := uow.NewRunner(uow.Config{})
	if err := r.Do(ctx, uow.Op{}, func(ctx context.Context) error { return ctx.Err() }); !errors.Is(err, why) {
		t.Errorf("err = %v", err)
	}
	own := errors.Join(io.EOF, context.Canceled)
	if err := r.Do(ctx, uow.Op{}, func(context.Context) error { return own }); !errors.Is(err, io.EOF) || errors.Is(err, why) {
		t.Errorf("an error of the function's own is replaced: %v", err)
	}
}

func TestTimeoutEndsTheAttemptNotTheCommit(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		r := uow.NewRunner(uow.Config{CommitTimeout: time.Minute, RollbackTimeout: time.Second})
		op := uow.Op{Name: "report", Options: uow.Options{Timeout: 10 * time.Second}}
		err := r.Do(t.Context(), op, func(ctx context.Context) error {
			enlist(t, ctx, &store{journal: j, name: "a"})
			<-ctx.Done()
			return ctx.Err()
		})
		if fault.KindOf(err) != fault.StatementTimeout || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v", err)
		}
		if got := fault.Public(err); got != "the operation took longer than its 10s" {
			t.Errorf("public: %s", got)
		}
		err = r.Do(t.Context(), op, func(ctx context.Context) error {
			enlist(t, ctx, &store{journal: j, name: "b", onCommit: func(ctx context.Context) {
				time.Sleep(20 * time.Second) // longer than the attempt may take
				if ctx.Err() != nil {
					t.Error("the commit runs under the attempt's deadline")
				}
			}})
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		j.want(t, "rollback a", "commit b")
	})
}

func TestCommitAndRollbackHaveDeadlinesOfTheirOwn(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		start := time.Now()
		var left []time.Duration
		note := func(ctx context.Context) {
			deadline, ok := ctx.Deadline()
			if !ok {
				t.Error("no deadline")
			}
			left = append(left, deadline.Sub(start))
		}
		r := uow.NewRunner(uow.Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_ = r.Do(ctx, uow.Op{}, func(ctx context.Context) error {
			enlist(t, ctx, &store{journal: j, name: "a", onCommit: note})
			return nil
		})
		_ = r.Do(ctx, uow.Op{}, func(ctx context.Context) error {
			enlist(t, ctx, &store{journal: j, name: "a", onRollback: note})
			return io.EOF
		})
		if want := []time.Duration{15 * time.Second, 5 * time.Second}; !slices.Equal(left, want) {
			t.Errorf("got %v, want %v", left, want)
		}
	})
}

func TestContextOfTheConfigIsUsed(t *testing.T) {
	t.Parallel()

	type key struct{}
	r := uow.NewRunner(uow.Config{Context: func(ctx context.Context) context.Context {
		return context.WithValue(ctx, key{}, "home")
	}})
	_ = r.Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		if ctx.Value(key{}) != "home" {
			t.Error("the context was not prepared")
		}
		return nil
	})
}

func TestEnlistmentAfterTheEndIsRefused(t *testing.T) {
	t.Parallel()

	var u *uow.Unit
	var inner context.Context
	_ = uow.NewRunner(uow.Config{}).Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		u, _ = uow.Current(ctx)
		inner = ctx
		return nil
	})
	if err := u.Enlist("a", false, &store{}); !errors.Is(err, fault.SessionClosed) {
		t.Errorf("enlist: %v", err)
	}
	if err := uow.AfterCommit(inner, nil); !errors.Is(err, fault.SessionClosed) {
		t.Errorf("hook: %v", err)
	}
}

func TestFindReturnsTheFirstThatMatches(t *testing.T) {
	t.Parallel()

	j := &journal{}
	_ = uow.NewRunner(uow.Config{}).Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		a, b := &store{journal: j, name: "a"}, &store{journal: j, name: "b"}
		enlist(t, ctx, a, b)
		u, _ := uow.Current(ctx)
		if got, ok := u.Find(func(r uow.Resource) bool { return r.(*store).name == "b" }); !ok || got != b {
			t.Errorf("found %v", got)
		}
		if _, ok := u.Find(func(uow.Resource) bool { return false }); ok {
			t.Error("found something that does not match")
		}
		return nil
	})
}

func TestOptionsAllow(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		options uow.Options
		want    string
	}{
		{uow.Options{}, "ab"},
		{uow.Options{Uses: []string{"a"}}, "a"},
		{uow.Options{Skip: []string{"a"}}, "b"},
		{uow.Options{Uses: []string{"a", "b"}, Skip: []string{"b"}}, "a"},
	} {
		got := ""
		for _, name := range []string{"a", "b"} {
			if c.options.Allows(name) {
				got += name
			}
		}
		if got != c.want {
			t.Errorf("%+v allows %q, want %q", c.options, got, c.want)
		}
	}
}

func TestIsolationPrintsAsSQL(t *testing.T) {
	t.Parallel()

	for level, want := range map[uow.Isolation]string{
		uow.DefaultIsolation: "READ COMMITTED", uow.ReadCommitted: "READ COMMITTED",
		uow.RepeatableRead: "REPEATABLE READ", uow.Serializable: "SERIALIZABLE",
	} {
		if level.String() != want {
			t.Errorf("%d: %s", level, level)
		}
	}
}
