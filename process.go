package urutu

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/urutu-go/urutu/fault"
)

// ErrStop is the cause with which a [Process] ends the context of its function when it is stopped.
const ErrStop = stopped("the component was stopped")

type stopped string

func (s stopped) Error() string { return string(s) }

// Process is a component that runs a function until it is stopped. It may be started again after it was stopped. All
// methods may be called concurrently.
type Process struct {
	name, role string
	run        func(ctx context.Context) error
	failed     chan error

	mu      sync.Mutex // protects current
	current *processRun
}

type processRun struct {
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when the function has returned
	err    error         // what it returned; read after done
}

var _ Component = (*Process)(nil)

// NewProcess returns a process that is not started yet. Its function blocks; when its context ends it must return, and
// what it returns then does not matter if it is the context's error or its cause. If it returns an error or panics before
// that, the process has failed, and with it the application. If it returns nil before that, it has done its work.
func NewProcess(name string, run func(ctx context.Context) error) *Process {
	return &Process{name: name, run: run, failed: make(chan error, 1)}
}

// In returns a process like p, not started, that belongs to a role.
func (p *Process) In(role string) *Process {
	q := NewProcess(p.name, p.run)
	q.role = role
	return q
}

// Name returns the process's name.
func (p *Process) Name() string { return p.name }

// Role returns the process's role, "" where it has none.
func (p *Process) Role() string { return p.role }

// Failed delivers the error by which the function ended on its own.
func (p *Process) Failed() <-chan error { return p.failed }

// Start runs the function in a goroutine of its own. It fails if the process runs already.
func (p *Process) Start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current != nil {
		return &fault.Error{Kind: fault.Misconfigured, Op: p.name, Message: "the process runs already"}
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	r := &processRun{cancel: cancel, done: make(chan struct{})}
	p.current = r
	go p.supervise(ctx, r)
	return nil
}

func (p *Process) supervise(ctx context.Context, r *processRun) {
	defer close(r.done)
	defer r.cancel(nil)
	err := p.call(ctx)
	if ctx.Err() != nil {
		if !errors.Is(err, context.Canceled) && !errors.Is(err, ErrStop) {
			r.err = err
		}
		return
	}
	if err == nil {
		return
	}
	select {
	case p.failed <- err:
	default: // nobody took the last one
	}
}

// call runs the function and turns its panic into an error.
func (p *Process) call(ctx context.Context) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &fault.Error{Kind: fault.Internal, Op: p.name, Err: fmt.Errorf("panic: %v\n%s", v, debug.Stack())}
		}
	}()
	return p.run(ctx)
}

// Stop ends the function's context and waits for it to return, or for the end of ctx, which is an error. It returns what
// the function returned, unless that says no more than that it was stopped.
func (p *Process) Stop(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.current
	if r == nil {
		return nil
	}
	r.cancel(ErrStop)
	select {
	case <-r.done:
		p.current = nil
		return r.err
	case <-ctx.Done():
		return &fault.Error{Kind: fault.Internal, Op: p.name, Message: "did not stop in time", Err: context.Cause(ctx)}
	}
}
