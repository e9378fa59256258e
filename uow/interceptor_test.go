package uow_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/uow"
)

// around notes its entry and exit, also where the exit is a panic.
func around(j *journal, name string) uow.Interceptor {
	return func(next uow.Handler) uow.Handler {
		j.add("compose " + name)
		return func(ctx context.Context, op uow.Op) error {
			j.add("enter " + name)
			defer j.add("leave " + name)
			return next(ctx, op)
		}
	}
}

func TestInterceptorsAreComposedOnceFirstOutermost(t *testing.T) {
	t.Parallel()

	j := &journal{}
	base := uow.NewRunner(uow.Config{Interceptors: []uow.Interceptor{around(j, "1"), around(j, "2")}})
	for range 2 {
		_ = base.Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
			enlist(t, ctx, &store{journal: j, name: "a"})
			j.add("run")
			return nil
		})
	}
	run := []string{"enter 1", "enter 2", "run", "leave 2", "leave 1", "commit a"}
	j.want(t, append(append([]string{"compose 2", "compose 1"}, run...), run...)...)
}

func TestWithAddsInsideAndLeavesTheRunnerAlone(t *testing.T) {
	t.Parallel()

	j, quiet := &journal{}, &journal{}
	base := uow.NewRunner(uow.Config{Interceptors: []uow.Interceptor{around(quiet, "1")}})
	inner := base.With(func(next uow.Handler) uow.Handler {
		return func(ctx context.Context, op uow.Op) error { j.add("inner"); return next(ctx, op) }
	})
	_ = base.Do(t.Context(), uow.Op{}, func(context.Context) error { return nil })
	j.want(t)
	_ = inner.Do(t.Context(), uow.Op{}, func(context.Context) error { return nil })
	j.want(t, "inner")
}

// Promise 7: if the Nth interceptor fails on its way in, 1..N-1 are unwound, and everything that the unit holds is
// rolled back.
func TestPromise7FailingInterceptorUnwindsTheOuterOnes(t *testing.T) {
	t.Parallel()

	fail := func(how func() error) uow.Interceptor {
		return func(uow.Handler) uow.Handler {
			return func(context.Context, uow.Op) error { return how() }
		}
	}
	for name, how := range map[string]func() error{
		"error": func() error { return io.EOF },
		"panic": func() error { panic(io.EOF) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			j := &journal{}
			opens := func(next uow.Handler) uow.Handler {
				return func(ctx context.Context, op uow.Op) error {
					enlist(t, ctx, &store{journal: j, name: "session"})
					return next(ctx, op)
				}
			}
			r := uow.NewRunner(uow.Config{Interceptors: []uow.Interceptor{
				opens, around(j, "1"), around(j, "2"), fail(how), around(j, "4"),
			}})
			func() {
				defer func() {
					if p := recover(); (p != nil) != (name == "panic") {
						t.Errorf("recovered %v", p)
					}
				}()
				err := r.Do(t.Context(), uow.Op{}, func(context.Context) error {
					j.add("run")
					return nil
				})
				if !errors.Is(err, io.EOF) {
					t.Errorf("err = %v", err)
				}
			}()
			j.want(
				t, "compose 4", "compose 2", "compose 1", "enter 1", "enter 2", "leave 2", "leave 1", "rollback session",
			)
		})
	}
}

// Promise 7: an interceptor may replace an error or swallow it.
func TestPromise7InterceptorReplacesOrSwallowsAnError(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		replacement error
		outcome     string
	}{
		"replaced":  {fault.Forbidden, "rollback a"},
		"swallowed": {nil, "commit a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			j := &journal{}
			r := uow.NewRunner(uow.Config{Interceptors: []uow.Interceptor{func(next uow.Handler) uow.Handler {
				return func(ctx context.Context, op uow.Op) error {
					if err := next(ctx, op); !errors.Is(err, io.EOF) {
						t.Errorf("the interceptor saw %v", err)
					}
					return c.replacement
				}
			}}})
			err := r.Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
				enlist(t, ctx, &store{journal: j, name: "a"})
				return io.EOF
			})
			if !errors.Is(err, c.replacement) {
				t.Errorf("err = %v", err)
			}
			j.want(t, c.outcome)
		})
	}
}

func TestInterceptorCannotTurnAFailedCommitIntoSuccess(t *testing.T) {
	t.Parallel()

	r := uow.NewRunner(uow.Config{Interceptors: []uow.Interceptor{func(next uow.Handler) uow.Handler {
		return func(ctx context.Context, op uow.Op) error {
			_ = next(ctx, op)
			return nil
		}
	}}})
	err := r.Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		enlist(t, ctx, &store{journal: &journal{}, name: "a", commitErr: fault.Unique})
		return nil
	})
	if !errors.Is(err, fault.Unique) {
		t.Errorf("err = %v", err)
	}
}

func TestInterceptorPassesADerivedContextOn(t *testing.T) {
	t.Parallel()

	type key struct{}
	r := uow.NewRunner(uow.Config{Interceptors: []uow.Interceptor{func(next uow.Handler) uow.Handler {
		return func(ctx context.Context, op uow.Op) error { return next(context.WithValue(ctx, key{}, "tenant"), op) }
	}}})
	_ = r.Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		if ctx.Value(key{}) != "tenant" {
			t.Error("the derived context did not arrive")
		}
		return nil
	})
}

func TestNestedUnitRunsItsOwnFunction(t *testing.T) {
	t.Parallel()

	j := &journal{}
	r := uow.NewRunner(uow.Config{Interceptors: []uow.Interceptor{func(next uow.Handler) uow.Handler { return next }}})
	err := r.Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		enlist(t, ctx, &store{journal: j, name: "outer"})
		outer, _ := uow.Current(ctx)
		if err := r.Do(ctx, uow.Op{}, func(ctx context.Context) error {
			inner, _ := uow.Current(ctx)
			if inner.Parent() != outer {
				t.Error("the inner unit does not know its parent")
			}
			enlist(t, ctx, &store{journal: j, name: "inner"})
			j.add("inner runs")
			return nil
		}); err != nil {
			return err
		}
		return io.EOF
	})
	if !errors.Is(err, io.EOF) {
		t.Errorf("err = %v", err)
	}
	j.want(t, "inner runs", "commit inner", "rollback outer")
}
