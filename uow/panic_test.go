package uow_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/uow"
)

// recovered runs fn and returns what it panicked with.
func recovered(fn func()) (p any) {
	defer func() { p = recover() }()
	fn()
	return nil
}

func TestPromise9PanicRollsBackAndGoesOn(t *testing.T) {
	t.Parallel()

	j := &journal{}
	p := recovered(func() {
		_ = uow.NewRunner(uow.Config{}).Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
			enlist(t, ctx, &store{journal: j, name: "a"})
			if err := uow.AfterRollback(ctx, j.hook("undone")); err != nil {
				t.Error(err)
			}
			panic(io.EOF)
		})
	})
	if p != io.EOF { //nolint:errorlint // the very value is rethrown
		t.Errorf("panic value %v", p)
	}
	j.want(t, "rollback a", "undone")
}

func TestPanicWhoseRollbackFailsCarriesBoth(t *testing.T) {
	t.Parallel()

	var log bytes.Buffer
	r := uow.NewRunner(uow.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	p := recovered(func() {
		_ = r.Do(t.Context(), uow.Op{Name: "op"}, func(ctx context.Context) error {
			enlist(t, ctx, &store{journal: &journal{}, name: "a", rollbackErr: io.ErrClosedPipe})
			panic(io.EOF)
		})
	})
	var both *uow.PanicError
	err, _ := p.(error)
	if !errors.As(err, &both) || !errors.Is(err, io.EOF) || !errors.Is(err, io.ErrClosedPipe) || len(both.Stack) == 0 {
		t.Fatalf("panic value %v", p)
	}
	if !strings.Contains(both.Error(), "EOF") || !strings.Contains(log.String(), "rollback after a panic failed") {
		t.Errorf("text %q, log %q", both, log.String())
	}
	plain := &uow.PanicError{Value: "text", Rollback: io.ErrClosedPipe}
	if !errors.Is(plain, io.ErrClosedPipe) {
		t.Error("the rollback's error is lost where the panic's value is no error")
	}
}

func TestGoexitRollsBack(t *testing.T) {
	t.Parallel()

	j := &journal{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = uow.NewRunner(uow.Config{}).Do(context.Background(), uow.Op{}, func(ctx context.Context) error {
			enlist(t, ctx, &store{journal: j, name: "a"})
			runtime.Goexit()
			return nil
		})
		j.add("returned")
	}()
	<-done
	j.want(t, "rollback a")
}

func TestPanicInACommitRollsTheOthersBack(t *testing.T) {
	t.Parallel()

	j := &journal{}
	p := recovered(func() {
		_ = uow.NewRunner(uow.Config{}).Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
			enlist(
				t, ctx, &store{journal: j, name: "a", onCommit: func(context.Context) { panic("driver bug") }},
				&store{journal: j, name: "b", last: true},
			)
			return uow.AfterRollback(ctx, j.hook("undone"))
		})
	})
	if p != "driver bug" {
		t.Errorf("panic value %v", p)
	}
	j.want(t, "prepare a", "prepare b", "commit a", "rollback b", "rollback a", "undone")
}

// watcher is an observer that notes how spans end.
type watcher struct{ journal *journal }

func (w watcher) Start(ctx context.Context, span uow.Span) (context.Context, func(uow.Result)) {
	kind := map[uow.SpanKind]string{uow.SpanUnit: "unit", uow.SpanHook: "hook"}[span.Kind]
	return ctx, func(r uow.Result) { w.journal.add(kind + " " + span.Name + " " + string(fault.KindOf(r.Err))) }
}

func TestObserverSeesHowUnitsAndHooksEnd(t *testing.T) {
	t.Parallel()

	j := &journal{}
	r := uow.NewRunner(uow.Config{Observer: watcher{j}, Logger: slog.New(slog.DiscardHandler)})
	_ = r.Do(t.Context(), uow.Op{Name: "good"}, func(ctx context.Context) error {
		return uow.AfterCommit(ctx, func(context.Context) error { return fault.Stale })
	})
	_ = r.Do(t.Context(), uow.Op{Name: "bad"}, func(context.Context) error { return fault.Conflict })
	_ = recovered(func() {
		_ = r.Do(t.Context(), uow.Op{Name: "ugly"}, func(context.Context) error { panic("x") })
	})
	j.want(t, "hook good stale", "unit good ", "unit bad conflict", "unit ugly internal")
}

func TestObserveWithoutObserver(t *testing.T) {
	t.Parallel()

	ctx, end := uow.Observe(t.Context(), nil, uow.Span{})
	end(uow.Result{})
	if ctx != t.Context() {
		t.Error("the context changed")
	}
}
