package uow_test

import (
	"context"
	"fmt"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/uow"
)

func ExampleRunner_Do() {
	logged := func(next uow.Handler) uow.Handler {
		return func(ctx context.Context, op uow.Op) error {
			err := next(ctx, op)
			fmt.Println(op.Kind, op.Name, "->", err)
			return err
		}
	}
	runner := uow.NewRunner(uow.Config{Interceptors: []uow.Interceptor{logged}})

	err := runner.Do(context.Background(), uow.Op{Name: "close month"}, func(ctx context.Context) error {
		return uow.AfterCommit(ctx, func(context.Context) error {
			fmt.Println("committed: tell the others")
			return nil
		})
	})
	fmt.Println("err:", err)
	// Output:
	// job close month -> <nil>
	// committed: tell the others
	// err: <nil>
}

func ExampleRetry() {
	runner := uow.NewRunner(uow.Config{})
	op := uow.Op{Name: "reserve", Options: uow.Options{Retry: uow.Retry{Kinds: []fault.Kind{fault.Stale}}}}
	err := runner.Do(context.Background(), op, func(ctx context.Context) error {
		unit, _ := uow.Current(ctx)
		if unit.Attempt() == 1 {
			return fault.New(fault.Stale, "somebody was faster")
		}
		fmt.Println("attempt", unit.Attempt())
		return nil
	})
	fmt.Println("err:", err)
	// Output:
	// attempt 2
	// err: <nil>
}
