package uow_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/uow"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func TestHooksRunAfterTheirOutcomeInOrder(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		err  error
		want []string
	}{
		"commit":   {nil, []string{"commit a", "c1", "c2"}},
		"rollback": {io.EOF, []string{"rollback a", "r1", "r2"}},
	} {
		j := &journal{}
		_ = uow.NewRunner(uow.Config{}).Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
			enlist(t, ctx, &store{journal: j, name: "a"})
			must(t, uow.AfterCommit(ctx, j.hook("c1")))
			must(t, uow.AfterRollback(ctx, j.hook("r1")))
			must(t, uow.AfterCommit(ctx, j.hook("c2")))
			must(t, uow.AfterRollback(ctx, j.hook("r2")))
			return c.err
		})
		t.Log(name)
		j.want(t, c.want...)
	}
}

func TestFailedCommitRunsRollbackHooks(t *testing.T) {
	t.Parallel()

	j := &journal{}
	_ = uow.NewRunner(uow.Config{}).Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		enlist(t, ctx, &store{journal: j, name: "a", commitErr: fault.Unique})
		must(t, uow.AfterCommit(ctx, j.hook("c")))
		return uow.AfterRollback(ctx, j.hook("r"))
	})
	j.want(t, "commit a", "r")
}

func TestHookThatFailsOrPanicsChangesNothing(t *testing.T) {
	t.Parallel()

	j := &journal{}
	var log bytes.Buffer
	r := uow.NewRunner(uow.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	err := r.Do(t.Context(), uow.Op{Name: "op"}, func(ctx context.Context) error {
		must(t, uow.AfterCommit(ctx, func(context.Context) error { return io.ErrClosedPipe }))
		must(t, uow.AfterCommit(ctx, func(context.Context) error { panic("hook bug") }))
		return uow.AfterCommit(ctx, j.hook("third"))
	})
	if err != nil {
		t.Error(err)
	}
	j.want(t, "third")
	for _, want := range []string{io.ErrClosedPipe.Error(), "hook bug", "hook_test.go"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q: %s", want, log.String())
		}
	}
}

func TestHookHasNoUnitAndNoCancellation(t *testing.T) {
	t.Parallel()

	type key struct{}
	outer, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	ran := false
	err := uow.NewRunner(uow.Config{}).Do(outer, uow.Op{}, func(ctx context.Context) error {
		enlist(t, ctx, &store{journal: &journal{}, name: "a", onCommit: func(context.Context) { cancel() }})
		return uow.AfterCommit(ctx, func(ctx context.Context) error {
			ran = true
			if ctx.Err() != nil || ctx.Value(key{}) != "value" {
				t.Errorf("err %v, value %v", ctx.Err(), ctx.Value(key{}))
			}
			if _, ok := uow.Current(ctx); ok {
				t.Error("the hook is inside the ended unit")
			}
			if err := uow.AfterCommit(ctx, nil); !errors.Is(err, fault.NoSession) {
				t.Errorf("a hook registers a hook: %v", err)
			}
			return nil
		})
	})
	if err != nil || !ran {
		t.Errorf("ran %v, err %v", ran, err)
	}
}

func TestHooksOutsideAUnitAreRefused(t *testing.T) {
	t.Parallel()

	for _, register := range []func(context.Context, uow.Hook) error{uow.AfterCommit, uow.AfterRollback} {
		if err := register(t.Context(), nil); !errors.Is(err, fault.NoSession) {
			t.Errorf("err = %v", err)
		}
	}
}

func TestCutDropsWhatASavepointRegistered(t *testing.T) {
	t.Parallel()

	j := &journal{}
	var log bytes.Buffer
	r := uow.NewRunner(uow.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	_ = r.Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		u, _ := uow.Current(ctx)
		must(t, uow.AfterCommit(ctx, j.hook("c outer")))
		must(t, uow.AfterRollback(ctx, j.hook("r outer")))
		mark := u.Mark()
		must(t, uow.AfterCommit(ctx, j.hook("c savepoint")))
		must(t, uow.AfterRollback(ctx, j.hook("r savepoint")))
		u.Cut(mark)
		return uow.AfterCommit(ctx, j.hook("c later"))
	})
	j.want(t, "r savepoint", "c outer", "c later")
	if log.Len() > 0 {
		t.Errorf("log %s", log.String())
	}
}

func TestCutSavepointInAUnitThatRollsBack(t *testing.T) {
	t.Parallel()

	j := &journal{}
	_ = uow.NewRunner(uow.Config{}).Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		u, _ := uow.Current(ctx)
		must(t, uow.AfterRollback(ctx, j.hook("r outer")))
		mark := u.Mark()
		must(t, uow.AfterRollback(ctx, j.hook("r savepoint")))
		u.Cut(mark)
		return io.EOF
	})
	j.want(t, "r savepoint", "r outer")
}

func TestManualCommitRunsItsHooksAndPinsTheUnit(t *testing.T) {
	t.Parallel()

	j := &journal{}
	err := uow.NewRunner(uow.Config{}).Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		j.add("run")
		u, _ := uow.Current(ctx)
		must(t, uow.AfterCommit(ctx, j.hook("c1")))
		must(t, uow.AfterRollback(ctx, j.hook("r1")))
		u.Committed(ctx)
		must(t, uow.AfterCommit(ctx, j.hook("c2")))
		must(t, uow.AfterRollback(ctx, j.hook("r2")))
		return fault.Serialization
	})
	if !errors.Is(err, fault.Serialization) {
		t.Errorf("err = %v", err)
	}
	j.want(t, "run", "c1", "r2")
}

func TestManualRollbackRunsItsHooks(t *testing.T) {
	t.Parallel()

	j := &journal{}
	err := uow.NewRunner(uow.Config{}).Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		u, _ := uow.Current(ctx)
		must(t, uow.AfterCommit(ctx, j.hook("c1")))
		must(t, uow.AfterRollback(ctx, j.hook("r1")))
		mark := u.Mark()
		must(t, uow.AfterRollback(ctx, j.hook("r savepoint")))
		u.Cut(mark)
		u.RolledBack(ctx)
		j.add("rolled back")
		return uow.AfterCommit(ctx, j.hook("c2"))
	})
	if err != nil {
		t.Error(err)
	}
	j.want(t, "r savepoint", "r1", "rolled back", "c2")
}
