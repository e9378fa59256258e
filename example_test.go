package urutu_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/urutu-go/urutu"
)

func ExampleApp() {
	ctx, cancel := context.WithCancel(context.Background())
	worker := urutu.NewProcess("worker", func(ctx context.Context) error {
		fmt.Println("working")
		cancel() // in place of a signal
		<-ctx.Done()
		fmt.Println("stopping:", context.Cause(ctx))
		return nil
	})
	app := &urutu.App{
		Name:       "shop",
		Components: []urutu.Component{worker.In("worker")},
		Resources:  []urutu.Resource{urutu.Closer("database", func() error { fmt.Println("closed"); return nil })},
		Logger:     slog.New(slog.DiscardHandler),
	}
	fmt.Println("err:", app.Run(ctx))
	// Output:
	// working
	// stopping: the component was stopped
	// closed
	// err: <nil>
}
