package uow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/scope"
	"github.com/urutu-go/urutu/internal/timeout"
)

// Config is how a [Runner] is made. The zero value is usable.
type Config struct {
	// Interceptors wrap every operation; the first is the outermost.
	Interceptors []Interceptor
	// Context prepares the context of each unit; a session.DB's Context makes its connections known. Defaults to none.
	Context func(context.Context) context.Context
	// CommitTimeout bounds a commit, whatever the caller's deadline. Defaults to 15 seconds.
	CommitTimeout time.Duration
	// RollbackTimeout bounds a rollback. Defaults to 5 seconds.
	RollbackTimeout time.Duration
	// Logger takes the failures of hooks. Defaults to slog.Default().
	Logger *slog.Logger
	// Observer sees units and hooks. Defaults to none.
	Observer Observer
}

// Runner runs operations as units of work. It is immutable and safe for concurrent use.
type Runner struct {
	cfg     Config
	commits *timeout.Group
	handle  Handler
}

// NewRunner returns a runner; the interceptors are composed here, once.
func NewRunner(cfg Config) *Runner {
	cfg.CommitTimeout = cmp.Or(cfg.CommitTimeout, 15*time.Second)
	cfg.RollbackTimeout = cmp.Or(cfg.RollbackTimeout, 5*time.Second)
	cfg.Interceptors = slices.Clone(cfg.Interceptors)
	r := &Runner{cfg: cfg, commits: timeout.New(cfg.CommitTimeout), handle: call}
	for _, in := range slices.Backward(cfg.Interceptors) {
		r.handle = in(r.handle)
	}
	return r
}

// With returns a runner that has more interceptors inside those of r.
func (r *Runner) With(interceptors ...Interceptor) *Runner {
	cfg := r.cfg
	cfg.Interceptors = append(slices.Clone(cfg.Interceptors), interceptors...)
	return NewRunner(cfg)
}

// body is the function given to Do, and the context that it was called with.
type body struct {
	fn  func(ctx context.Context) error
	ctx context.Context
}

type bodyKey struct{}

// call is the innermost handler: the function given to Do, which travels in the context so that the interceptors can be
// composed once.
func call(ctx context.Context, _ Op) error {
	b := ctx.Value(bodyKey{}).(*body)
	b.ctx = ctx
	return b.fn(ctx)
}

// Do runs fn as one unit of work. It returns fn's error after a rollback, or the commit's. A unit begun inside another
// one is independent of it: it commits by itself and is not retried.
func (r *Runner) Do(ctx context.Context, op Op, fn func(ctx context.Context) error) error {
	op.Kind = cmp.Or(op.Kind, Job)
	op.Name = cmp.Or(op.Name, op.Options.Name, "unit")
	if r.cfg.Context != nil {
		ctx = r.cfg.Context(ctx)
	}
	attempts := cmp.Or(op.Options.Retry.Attempts, 3)
	parent, nested := Current(ctx)
	for attempt := 1; ; attempt++ {
		u := &Unit{op: op, parent: parent, attempt: attempt, runner: r}
		err := r.attempt(ctx, u, fn)
		if err == nil || nested || attempt >= attempts || u.isPinned() || !op.Options.retries(err) {
			return err
		}
		if waitErr := op.Options.Retry.wait(ctx, attempt); waitErr != nil {
			return errors.Join(err, waitErr)
		}
	}
}

// attempt runs fn once, commits or rolls back, and runs the hooks.
func (r *Runner) attempt(ctx context.Context, u *Unit, fn func(ctx context.Context) error) (err error) {
	ctx, end := Observe(ctx, r.cfg.Observer, Span{Kind: SpanUnit, Name: u.op.Name, Op: u.op.Kind, Attempt: u.attempt})
	defer func() { end(Result{Err: err}) }()

	settled := false
	defer func() {
		if settled {
			return
		}
		err = fault.New(fault.Internal, "the operation panicked or ended its goroutine") // for the observer: nobody gets it
		// A panic goes on by itself, so that its stack is the one of where it happened; it is caught and wrapped only
		// where the rollback's error would be lost otherwise. runtime.Goexit recovers as nil.
		if rollbackErr := r.abort(ctx, u); rollbackErr != nil {
			if p := recover(); p != nil {
				panic(&PanicError{Value: p, Rollback: rollbackErr, Stack: debug.Stack()})
			}
		}
	}()
	inner, err := r.invoke(ctx, u, fn)
	out := rolledBack
	if err == nil {
		err = r.commit(inner, u)
		out = outcomeOf(err)
	} else if rollbackErr := r.rollback(ctx, u); rollbackErr != nil {
		err = errors.Join(err, rollbackErr)
	}
	settled = true
	u.finish(inner, out)
	return err
}

// invoke calls the interceptors and fn with the unit in their context. It returns the context that fn got: the commit and
// the hooks see the values that interceptors put into it, the user who is asking for one.
func (r *Runner) invoke(ctx context.Context, u *Unit, fn func(ctx context.Context) error) (context.Context, error) {
	outer := scope.From(ctx)
	inner := scope.Into(ctx, scope.Scope{Home: outer.Home, Unit: u, Connection: outer.Connection})
	if t := u.op.Options.Timeout; t > 0 {
		var cancel context.CancelFunc
		inner, cancel = context.WithTimeoutCause(inner, t, &fault.Error{
			Kind: fault.StatementTimeout, Op: u.op.Name,
			Message: fmt.Sprintf("the operation took longer than its %s", t), Err: context.DeadlineExceeded,
		})
		defer cancel()
	}
	if len(r.cfg.Interceptors) > 0 {
		b := &body{fn: fn, ctx: inner}
		inner = context.WithValue(inner, bodyKey{}, b)
		err := cause(inner, r.handle(inner, u.op))
		return b.ctx, err
	}
	return inner, cause(inner, fn(inner))
}

// cause replaces success in a context that has ended, which is too late to commit, and a bare context error by the
// reason why the context ended.
func cause(ctx context.Context, err error) error {
	if err == nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err == nil || (err != context.Canceled && err != context.DeadlineExceeded) {
		return err
	}
	if c := context.Cause(ctx); c != nil {
		return c
	}
	return err
}

// abort rolls back while fn is panicking or its goroutine is exiting.
func (r *Runner) abort(ctx context.Context, u *Unit) error {
	err := r.rollback(ctx, u)
	if err != nil {
		r.log(ctx, u, "rollback after a panic", err)
	}
	u.finish(ctx, rolledBack)
	return err
}

// PanicError is what a panic in a unit becomes when its rollback failed too. A panic whose unit rolled back cleanly is
// rethrown as it is.
type PanicError struct {
	// Value is what the function panicked with.
	Value any
	// Rollback is why the rollback failed.
	Rollback error
	// Stack is where it happened.
	Stack []byte
}

// Error prints both.
func (e *PanicError) Error() string {
	return fmt.Sprintf("panic: %v (and its rollback: %v)", e.Value, e.Rollback)
}

// Unwrap returns the panic's value where it is an error, and the rollback's error.
func (e *PanicError) Unwrap() []error {
	if err, ok := e.Value.(error); ok {
		return []error{err, e.Rollback}
	}
	return []error{e.Rollback}
}

// commit ends the unit's resources. With one, its Commit does all of it. With several that are pending, all are
// prepared before the first is committed.
func (r *Runner) commit(ctx context.Context, u *Unit) error {
	resources, failed := u.end()
	if failed == nil && len(resources) == 0 {
		return nil
	}
	detached, cancel := r.commits.Context(context.WithoutCancel(ctx))
	defer cancel()
	if failed != nil {
		return errors.Join(failed, r.rollbackAll(ctx, resources))
	}
	if len(resources) == 1 {
		return resources[0].Commit(detached)
	}
	slices.SortStableFunc(resources, func(a, b enlisted) int {
		return cmp.Compare(rank(detached, a), rank(detached, b))
	})
	if err := prepare(detached, resources); err != nil {
		return errors.Join(err, r.rollbackAll(ctx, resources))
	}
	return r.commitAll(ctx, detached, resources)
}

// rank orders resources for the commit: those with nothing to lose first, the last one last, and after it what says that
// the work is done.
func rank(ctx context.Context, e enlisted) int {
	switch {
	case !e.Pending(ctx):
		return 0
	case e.final:
		return 3
	case e.last:
		return 2
	default:
		return 1
	}
}

func prepare(ctx context.Context, resources []enlisted) error {
	pending := slices.DeleteFunc(slices.Clone(resources), func(e enlisted) bool { return !e.Pending(ctx) })
	if len(pending) < 2 {
		return nil
	}
	for _, e := range pending {
		if err := e.Prepare(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *Runner) commitAll(ctx, detached context.Context, resources []enlisted) error {
	var durable []string
	for i, e := range resources {
		pending := e.Pending(detached)
		if err := e.Commit(detached); err != nil {
			err = errors.Join(err, r.rollbackAll(ctx, resources[i+1:]))
			if len(durable) > 0 {
				return &PartialCommitError{Durable: durable, Failed: e.name, Err: err}
			}
			return err
		}
		if pending {
			durable = append(durable, e.name)
		}
	}
	return nil
}

// PartialCommitError says that a unit which wrote to several connections is durable on some of them only. Its kind is
// fault.PartialCommit.
type PartialCommitError struct {
	// Durable are the connections that committed.
	Durable []string
	// Failed is the one that did not.
	Failed string
	// Err is why.
	Err error
}

// Error names the durable and the failed connections.
func (e *PartialCommitError) Error() string {
	return fmt.Sprintf("uow.Commit: %s: %s committed, %s did not: %v",
		fault.PartialCommit, strings.Join(e.Durable, ", "), e.Failed, e.Err)
}

// Unwrap returns the kind and the cause.
func (e *PartialCommitError) Unwrap() []error { return []error{fault.PartialCommit, e.Err} }

func (r *Runner) rollback(ctx context.Context, u *Unit) error {
	resources, _ := u.end()
	return r.rollbackAll(ctx, resources)
}

// rollbackAll undoes the resources, each with the detached deadline of a rollback, so that one that hangs does not use
// up the time of the others.
func (r *Runner) rollbackAll(ctx context.Context, resources []enlisted) error {
	var errs []error
	for _, e := range slices.Backward(resources) {
		detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.cfg.RollbackTimeout)
		errs = append(errs, e.Rollback(detached))
		cancel()
	}
	return errors.Join(errs...)
}

// hook runs one hook and logs what goes wrong: the outcome of its unit is settled.
func (r *Runner) hook(ctx context.Context, u *Unit, h Hook) {
	ctx, end := Observe(ctx, r.cfg.Observer, Span{Kind: SpanHook, Name: u.op.Name})
	var err error
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		if err != nil {
			r.log(ctx, u, "hook after the end of a unit", err)
		}
		end(Result{Err: err})
	}()
	err = h(ctx)
}

func (r *Runner) log(ctx context.Context, u *Unit, what string, err error) {
	logger := r.cfg.Logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.ErrorContext(ctx, what+" failed", "op", u.op.Name, "kind", u.op.Kind, "error", err)
}

// retries reports whether err is worth another attempt. A lost connection is where the commit's outcome would have been
// resolved: it is known then that nothing was committed.
func (o *Options) retries(err error) bool {
	if errors.Is(err, fault.OutcomeUnknown) || errors.Is(err, fault.PartialCommit) {
		return false
	}
	return fault.IsRetryable(err) || o.Resolve > 0 && errors.Is(err, fault.ConnectionLost) ||
		slices.ContainsFunc(o.Retry.Kinds, func(k fault.Kind) bool { return errors.Is(err, k) })
}

// wait pauses before the next attempt, or returns the reason why ctx ended.
func (r Retry) wait(ctx context.Context, attempt int) error {
	limit := cmp.Or(r.Backoff, 10*time.Millisecond)
	if limit < 0 {
		return context.Cause(ctx)
	}
	limit = min(min(limit, time.Second)<<min(attempt-1, 10), time.Second)
	timer := time.NewTimer(rand.N(limit))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Begin starts a unit that its caller ends: a session outside of any function. The unit is not retried, and the
// interceptors do not run for it.
func (r *Runner) Begin(ctx context.Context, op Op) *Unit {
	parent, _ := Current(ctx)
	return &Unit{op: op, parent: parent, attempt: 1, runner: r}
}

// End ends a unit started with Begin: it commits it, or rolls it back. A second End does nothing.
func (u *Unit) End(ctx context.Context, commit bool) (err error) {
	u.mu.Lock()
	ended := u.ended
	u.mu.Unlock()
	if ended {
		return nil
	}
	out := rolledBack
	if commit {
		err = u.runner.commit(ctx, u)
		out = outcomeOf(err)
	} else {
		err = u.runner.rollback(ctx, u)
	}
	u.finish(ctx, out)
	return err
}
