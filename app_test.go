package urutu_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/urutu-go/urutu"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/web"
)

var _ urutu.Component = (*web.Server)(nil)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// Promise 1: one declaration, run as everything in one process or as one role.
func TestPromise1OneDeclarationRunsAnyRole(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		roles []string
		want  []string
	}{
		"all":       {nil, []string{"http", "worker", "cron", "relay"}},
		"http":      {[]string{"http"}, []string{"http", "relay"}},
		"worker":    {[]string{"worker"}, []string{"worker", "relay"}},
		"scheduler": {[]string{"scheduler"}, []string{"cron", "relay"}},
		"two":       {[]string{"worker", "http"}, []string{"http", "worker", "relay"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			j := &journal{}
			app := &urutu.App{Name: "shop", Logger: quiet(), Roles: c.roles, Components: []urutu.Component{
				&part{journal: j, name: "http", role: "http"}, &part{journal: j, name: "worker", role: "worker"},
				&part{journal: j, name: "cron", role: "scheduler"}, &part{journal: j, name: "relay"},
			}}
			if err := app.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := make([]string, len(c.want))
			for i, n := range c.want {
				want[i] = "start " + n
			}
			j.want(t, want...)
			if err := app.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestUnknownRoleIsRefused(t *testing.T) {
	t.Parallel()

	j := &journal{}
	app := &urutu.App{
		Logger: quiet(), Roles: []string{"wroker"},
		Components: []urutu.Component{&part{journal: j, name: "w", role: "worker"}},
	}
	err := app.Run(t.Context())
	if !errors.Is(err, fault.Misconfigured) || fault.Public(err) != `no component has the role "wroker"; known are: worker` {
		t.Errorf("err = %v", err)
	}
	j.want(t)
}

func TestOrderOfStartAndStop(t *testing.T) {
	t.Parallel()

	j := &journal{}
	ctx, cancel := context.WithCancel(t.Context())
	b := &part{journal: j, name: "b", onStart: func(ctx context.Context) {
		if ctx.Value(homeKey{}) != "broker" {
			t.Error("the components' context does not know the resources")
		}
		cancel()
	}, onStop: func(ctx context.Context) {
		if _, ok := ctx.Deadline(); !ok || ctx.Err() != nil {
			t.Errorf("stop without a deadline, or with a dead context: %v", ctx.Err())
		}
	}}
	app := &urutu.App{
		Logger:     quiet(),
		Resources:  []urutu.Resource{&resource{journal: j, name: "db"}, &resource{journal: j, name: "broker"}},
		Components: []urutu.Component{&part{journal: j, name: "a"}, b},
	}
	if err := app.Run(ctx); err != nil {
		t.Fatal(err)
	}
	j.want(
		t, "ping db", "ping broker", "start a", "start b", "intake a", "intake b", "stop b", "stop a",
		"close broker", "close db",
	)
}

func TestFailedStartStopsTheOthers(t *testing.T) {
	t.Parallel()

	j := &journal{}
	app := &urutu.App{
		Logger:    quiet(),
		Resources: []urutu.Resource{&resource{journal: j, name: "db"}},
		Components: []urutu.Component{
			&part{journal: j, name: "a", stopErr: io.ErrClosedPipe}, &part{journal: j, name: "b", startErr: io.EOF},
			&part{journal: j, name: "c"},
		},
	}
	err := app.Run(t.Context())
	if !errors.Is(err, io.EOF) || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("err = %v", err)
	}
	j.want(t, "ping db", "start a", "start b", "intake a", "intake b", "stop b", "stop a", "close db")
}

func TestPromise6ResourceThatDoesNotAnswerFailsTheStart(t *testing.T) {
	t.Parallel()

	j := &journal{}
	app := &urutu.App{
		Logger: quiet(),
		Resources: []urutu.Resource{
			&resource{journal: j, name: "db"}, &resource{journal: j, name: "broker", pingErr: fault.ConnectionLost},
		},
		Components: []urutu.Component{&part{journal: j, name: "a"}},
	}
	if err := app.Run(t.Context()); !errors.Is(err, fault.ConnectionLost) || err.Error() != "ping broker: connection_lost" {
		t.Errorf("err = %v", err)
	}
	j.want(t, "ping db", "ping broker", "close broker", "close db")
}

func TestFailedComponentStopsTheApp(t *testing.T) {
	t.Parallel()

	j := &journal{}
	failed := make(chan error, 1)
	a := &part{journal: j, name: "a", failed: failed, onStart: func(context.Context) { failed <- io.EOF }}
	app := &urutu.App{Logger: quiet(), Components: []urutu.Component{a, &part{journal: j, name: "b"}}}
	err := app.Run(t.Context())
	if !errors.Is(err, io.EOF) || err.Error() != "a: EOF" {
		t.Errorf("err = %v", err)
	}
	j.want(t, "start a", "start b", "intake a", "intake b", "stop b", "stop a")
}

func TestEverythingThatGoesWrongInStoppingIsReported(t *testing.T) {
	t.Parallel()

	j := &journal{}
	app := &urutu.App{
		Logger:     quiet(),
		Resources:  []urutu.Resource{&resource{journal: j, name: "db", closeErr: io.ErrShortWrite}, urutu.Closer("file", func() error { return io.ErrNoProgress })},
		Components: []urutu.Component{&part{journal: j, name: "a", stopErr: io.ErrClosedPipe}, &part{journal: j, name: "b", stopErr: io.EOF}},
	}
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := app.Stop(t.Context())
	const want = "stop b: EOF\nstop a: io: read/write on closed pipe\nclose file: multiple Read calls return no data or error\nclose db: short write"
	if err == nil || err.Error() != want {
		t.Errorf("err = %v", err)
	}
}

func TestStopIsSafeAtAnyTime(t *testing.T) {
	t.Parallel()

	j := &journal{}
	app := &urutu.App{Logger: quiet(), Components: []urutu.Component{&part{journal: j, name: "a"}}}
	for range 2 {
		if err := app.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := app.Start(t.Context()); !errors.Is(err, fault.Misconfigured) {
		t.Errorf("second start: %v", err)
	}
	for range 2 {
		if err := app.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	j.want(t, "start a", "intake a", "stop a")
}

func TestStopEndsAStartThatIsUnderWay(t *testing.T) {
	t.Parallel()

	j := &journal{}
	begun := make(chan struct{})
	slow := &part{journal: j, name: "slow", onStart: func(ctx context.Context) { close(begun); <-ctx.Done() }}
	slow.startErr = context.Canceled
	app := &urutu.App{Logger: quiet(), Components: []urutu.Component{slow}}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := app.Start(t.Context()); !errors.Is(err, context.Canceled) {
			t.Errorf("start: %v", err)
		}
	})
	<-begun
	if err := app.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	wg.Wait()
	j.want(t, "start slow", "intake slow", "stop slow")
}

func TestRunThatIsToldToStopBeforeItIsUp(t *testing.T) {
	t.Parallel()

	ctx, cancel := context.WithCancel(t.Context())
	j := &journal{}
	app := &urutu.App{Logger: quiet(), Components: []urutu.Component{
		&part{journal: j, name: "a", onStart: func(context.Context) { cancel() }}, &part{journal: j, name: "b"},
	}}
	if err := app.Run(ctx); err != nil {
		t.Errorf("err = %v", err)
	}
	j.want(t, "start a", "intake a", "stop a")
}

func TestTimeoutsBoundStartAndStop(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		hang := urutu.NewProcess("hang", func(ctx context.Context) error {
			time.Sleep(time.Hour)
			return nil
		})
		app := &urutu.App{Logger: quiet(), Components: []urutu.Component{hang}}
		if err := app.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := app.Stop(t.Context())
		if d := time.Since(begin); d != 30*time.Second || fault.KindOf(err) != fault.Internal || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %s: %v", d, err)
		}
		begin = time.Now()
		slow := &part{journal: &journal{}, name: "slow", onStart: func(ctx context.Context) { <-ctx.Done() }, startErr: io.EOF}
		if err := (&urutu.App{Logger: quiet(), Components: []urutu.Component{slow}}).Run(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("err = %v", err)
		}
		if d := time.Since(begin); d != time.Minute {
			t.Errorf("the start took %s", d)
		}
		time.Sleep(time.Hour) // lets hang end
	})
}

func TestReady(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		db := &resource{journal: j, name: "db"}
		app := &urutu.App{Logger: quiet(), Resources: []urutu.Resource{db}, DrainDelay: 10 * time.Second}
		if err := app.Ready(t.Context()); err == nil {
			t.Error("ready before the start")
		}
		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := app.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if err := app.Ready(t.Context()); err != nil {
			t.Errorf("not ready: %v", err)
		}
		db.pingErr = io.EOF
		if err := app.Ready(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("ready without a database: %v", err)
		}
		db.pingErr = nil
		cancel()
		synctest.Wait()
		if err := app.Ready(t.Context()); err == nil {
			t.Error("ready while draining")
		}
		wg.Wait()
		if d := time.Since(begin); d != 10*time.Second {
			t.Errorf("drained for %s", d)
		}
	})
}

// Not parallel: every App that runs in this process hears the signal.
func TestSignalStopsTheApp(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		j := &journal{}
		a := &part{journal: j, name: "a", onStart: func(context.Context) {
			if err := syscall.Kill(os.Getpid(), sig); err != nil {
				t.Error(err)
			}
		}}
		app := &urutu.App{Logger: quiet(), Components: []urutu.Component{a}}
		if err := app.Run(t.Context()); err != nil {
			t.Errorf("%s: %v", sig, err)
		}
		j.want(t, "start a", "intake a", "stop a")
	}
}

// stress starts and stops a component from many goroutines at once: no panic, no race, no leak, and it ends stopped.
func stress(t *testing.T, c interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
}) {
	t.Helper()
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for range 50 {
				if err := c.Start(t.Context()); err != nil && !errors.Is(err, fault.Misconfigured) && !errors.Is(err, context.Canceled) {
					t.Errorf("start: %v", err)
				}
				if err := c.Stop(t.Context()); err != nil {
					t.Errorf("stop: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if err := c.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestStress(t *testing.T) {
	t.Parallel()

	server := func() *web.Server {
		return web.NewServer(web.ServerConfig{Addr: "127.0.0.1:0", Handler: http.NotFoundHandler(), Logger: quiet()})
	}
	wait := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for name, c := range map[string]interface {
		Start(ctx context.Context) error
		Stop(ctx context.Context) error
	}{
		"process": urutu.NewProcess("p", wait),
		"server":  server(),
		"app": &urutu.App{Logger: quiet(), Components: []urutu.Component{
			server(), urutu.NewProcess("p", wait), &part{journal: &journal{}, name: "a"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			stress(t, c)
		})
	}
}
