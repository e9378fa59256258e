package urutu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/urutu-go/urutu/fault"
)

// App is the declaration of a service: what it is called and what it consists of.
type App struct {
	// Name identifies the service in its log. Defaults to "urutu".
	Name string
	// Resources are pinged before the components start and closed after they have stopped, the last one first. The App
	// owns them from its start on.
	Resources []Resource
	// Components are started in this order and stopped in the reverse one.
	Components []Component
	// Roles are the roles that this process plays: of the components that have a role, only those are started. Defaults
	// to all.
	Roles []string
	// Logger takes what the App does. Defaults to slog.Default().
	Logger *slog.Logger
	// StartTimeout bounds the start as a whole. Defaults to 1 minute.
	StartTimeout time.Duration
	// StopTimeout bounds the stop as a whole. Defaults to 30 seconds.
	StopTimeout time.Duration
	// DrainDelay is how long Run goes on working, but is no longer ready, before it stops anything, so that a load balancer
	// learns of it. It comes on top of StopTimeout. Defaults to none.
	DrainDelay time.Duration

	state state
}

// state is what a running App keeps.
type state struct {
	lifecycle sync.Mutex // held while the App starts or stops

	mu       sync.Mutex // protects the members below
	ready    bool
	starting context.CancelCauseFunc // ends a start that is under way

	running bool        // guarded by lifecycle
	started []Component // in their order; guarded by lifecycle
}

// signals are what ends Run.
func signals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

// Run starts the App, waits until ctx ends, a signal comes or a component fails, and stops it. It returns nil after an
// orderly stop.
func (a *App) Run(ctx context.Context) error {
	ctx, forget := signal.NotifyContext(ctx, signals()...)
	defer forget()
	components, startErr, stopErr := a.start(ctx)
	if startErr != nil {
		if ctx.Err() != nil && errors.Is(startErr, context.Canceled) {
			return stopErr // told to stop before it was up
		}
		return errors.Join(startErr, stopErr)
	}
	failed, unwatch := watch(components)
	var failure error
	select {
	case <-ctx.Done():
		a.log().Info("stopping", "cause", context.Cause(ctx))
	case failure = <-failed:
		a.log().Error("a component failed: stopping", "error", failure)
	}
	unwatch()
	forget() // a second signal ends the process
	a.setReady(false)
	if failure == nil && a.DrainDelay > 0 {
		<-time.After(a.DrainDelay)
	}
	return errors.Join(failure, a.Stop(context.WithoutCancel(ctx)))
}

// watch returns a channel that delivers the first failure of a component, and what ends the watch.
func watch(components []Component) (failed <-chan error, unwatch func()) {
	first, done := make(chan error, 1), make(chan struct{})
	var wg sync.WaitGroup
	for _, c := range components {
		f, ok := c.(interface{ Failed() <-chan error })
		if !ok {
			continue
		}
		wg.Go(func() {
			select {
			case err := <-f.Failed():
				select {
				case first <- fmt.Errorf("%s: %w", c.Name(), err):
				default: // another one was first
				}
			case <-done:
			}
		})
	}
	return first, func() { close(done); wg.Wait() }
}

// Ready reports whether the App has started, is not stopping, and all of its resources answer. It fits a web.Check.
func (a *App) Ready(ctx context.Context) error {
	a.state.mu.Lock()
	ready := a.state.ready
	a.state.mu.Unlock()
	if !ready {
		return fault.New(fault.Internal, "the application is starting or stopping")
	}
	return a.ping(ctx)
}

func (a *App) ping(ctx context.Context) error {
	for i, r := range a.Resources {
		if err := r.Ping(ctx); err != nil {
			return fmt.Errorf("ping %s: %w", resourceName(i, r), err)
		}
	}
	return nil
}

func (a *App) setReady(ready bool) {
	a.state.mu.Lock()
	defer a.state.mu.Unlock()
	a.state.ready = ready
}

// chosen returns the components whose roles this process plays.
func (a *App) chosen() ([]Component, error) {
	var known []string
	var chosen []Component
	for _, c := range a.Components {
		role := roleOf(c)
		if role != "" && !slices.Contains(known, role) {
			known = append(known, role)
		}
		if role == "" || len(a.Roles) == 0 || slices.Contains(a.Roles, role) {
			chosen = append(chosen, c)
		}
	}
	for _, role := range a.Roles {
		if !slices.Contains(known, role) {
			return nil, &fault.Error{
				Kind: fault.Misconfigured, Op: "urutu.App",
				Message: fmt.Sprintf("no component has the role %q; known are: %s", role, strings.Join(known, ", ")),
			}
		}
	}
	return chosen, nil
}

func roleOf(c Component) string {
	if r, ok := c.(interface{ Role() string }); ok {
		return r.Role()
	}
	return ""
}

func (a *App) log() *slog.Logger {
	return cmp.Or(a.Logger, slog.Default()).With("app", cmp.Or(a.Name, "urutu"))
}

func names(components []Component) []string {
	list := make([]string, len(components))
	for i, c := range components {
		list[i] = c.Name()
	}
	return list
}

func resourceName(i int, r Resource) string {
	if n, ok := r.(interface{ Name() string }); ok {
		return n.Name()
	}
	return fmt.Sprintf("resource %d (%T)", i+1, r)
}
