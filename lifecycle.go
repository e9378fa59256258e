package urutu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/urutu-go/urutu/fault"
)

// Start pings the resources and starts the components, and returns once all of them work. On an error it has stopped and
// closed everything again. Most programs call Run.
func (a *App) Start(ctx context.Context) error {
	_, err, stopErr := a.start(ctx)
	return errors.Join(err, stopErr)
}

// start returns the components that it started; where that failed, why, and what went wrong in stopping them again.
func (a *App) start(ctx context.Context) (components []Component, startErr, stopErr error) {
	a.state.lifecycle.Lock()
	defer a.state.lifecycle.Unlock()
	if a.state.running {
		err := &fault.Error{Kind: fault.Misconfigured, Op: "urutu.App", Message: "the application runs already"}
		return nil, err, nil
	}
	components, err := a.chosen()
	if err != nil {
		return nil, err, nil
	}
	ctx, cancel := a.starting(ctx)
	defer cancel()
	for _, r := range a.Resources {
		if c, ok := r.(interface {
			Context(ctx context.Context) context.Context
		}); ok {
			ctx = c.Context(ctx)
		}
	}
	a.state.running = true
	if err := a.startAll(ctx, components); err != nil {
		return nil, err, a.stopLocked(context.WithoutCancel(ctx))
	}
	a.setReady(true)
	a.log().Info("started", "components", names(components))
	return components, nil, nil
}

// starting returns the context of a start, which Stop ends.
func (a *App) starting(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	timed, stop := context.WithTimeoutCause(ctx, cmp.Or(a.StartTimeout, time.Minute), &fault.Error{
		Kind: fault.StatementTimeout, Op: "urutu.App.Start", Err: context.DeadlineExceeded,
	})
	a.state.mu.Lock()
	a.state.starting = cancel
	a.state.mu.Unlock()
	return timed, func() {
		a.state.mu.Lock()
		a.state.starting = nil
		a.state.mu.Unlock()
		stop()
		cancel(nil)
	}
}

func (a *App) startAll(ctx context.Context, components []Component) error {
	if err := a.ping(ctx); err != nil {
		return err
	}
	for _, c := range components {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		// Noted before it starts: a component that fails halfway is stopped too, which it must tolerate.
		a.state.started = append(a.state.started, c)
		if err := c.Start(ctx); err != nil {
			return fmt.Errorf("start %s: %w", c.Name(), err)
		}
	}
	return nil
}

// Stop stops the components and closes the resources, within StopTimeout. Stopping an App that does not run does nothing;
// a start that is under way is ended. It waits for a stop that is under way.
func (a *App) Stop(ctx context.Context) error {
	a.state.mu.Lock()
	if a.state.starting != nil {
		a.state.starting(context.Canceled)
	}
	a.state.mu.Unlock()
	a.state.lifecycle.Lock()
	defer a.state.lifecycle.Unlock()
	return a.stopLocked(ctx)
}

func (a *App) stopLocked(ctx context.Context) error {
	if !a.state.running {
		return nil
	}
	a.setReady(false)
	ctx, cancel := context.WithTimeoutCause(ctx, cmp.Or(a.StopTimeout, 30*time.Second), &fault.Error{
		Kind: fault.StatementTimeout, Op: "urutu.App.Stop", Err: context.DeadlineExceeded,
	})
	defer cancel()
	for _, c := range a.state.started {
		if s, ok := c.(interface{ StopIntake() }); ok {
			s.StopIntake()
		}
	}
	var errs []error
	for _, c := range slices.Backward(a.state.started) {
		if err := c.Stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", c.Name(), err))
		}
	}
	for i, r := range slices.Backward(a.Resources) {
		if err := r.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", resourceName(i, r), err))
		}
	}
	a.state.started, a.state.running = nil, false
	a.log().Info("stopped", "errors", len(errs))
	return errors.Join(errs...)
}
