package uow_test

import (
	"context"
	"testing"

	"github.com/urutu-go/urutu/uow"
)

// lateResource registers a hook from within its commit, as a hook of the last flush may.
type lateResource struct {
	ctx context.Context
	ran *int
}

func (r lateResource) Pending(context.Context) bool   { return true }
func (r lateResource) Prepare(context.Context) error  { return nil }
func (r lateResource) Rollback(context.Context) error { return nil }

func (r lateResource) Commit(context.Context) error {
	return uow.AfterCommit(r.ctx, func(context.Context) error { *r.ran++; return nil })
}

func TestAfterCommitRegisteredInsideTheCommitRuns(t *testing.T) {
	t.Parallel()
	ran := 0
	err := uow.NewRunner(uow.Config{}).Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		u, _ := uow.Current(ctx)
		return u.Enlist("late", false, lateResource{ctx, &ran})
	})
	if err != nil || ran != 1 {
		t.Errorf("ran %d times, %v", ran, err)
	}
}

type userKey struct{}

// TestInterceptorsValuesReachTheCommit: a hook of the last flush, or one after the commit, may ask who is asking.
func TestInterceptorsValuesReachTheCommit(t *testing.T) {
	t.Parallel()
	asks := func(next uow.Handler) uow.Handler {
		return func(ctx context.Context, op uow.Op) error {
			return next(context.WithValue(ctx, userKey{}, "ann"), op)
		}
	}
	var seen []any
	see := func(ctx context.Context) error {
		seen = append(seen, ctx.Value(userKey{}))
		return nil
	}
	err := uow.NewRunner(uow.Config{Interceptors: []uow.Interceptor{asks}}).Do(t.Context(), uow.Op{}, func(ctx context.Context) error {
		u, _ := uow.Current(ctx)
		if err := uow.AfterCommit(ctx, see); err != nil {
			return err
		}
		return u.Enlist("seeing", false, seeingResource{see})
	})
	if err != nil || len(seen) != 2 || seen[0] != "ann" || seen[1] != "ann" {
		t.Errorf("%v, %v", seen, err)
	}
}

// seeingResource looks at the context of its commit.
type seeingResource struct{ see func(context.Context) error }

func (r seeingResource) Pending(context.Context) bool     { return true }
func (r seeingResource) Prepare(context.Context) error    { return nil }
func (r seeingResource) Rollback(context.Context) error   { return nil }
func (r seeingResource) Commit(ctx context.Context) error { return r.see(ctx) }
