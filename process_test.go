package urutu_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/urutu-go/urutu"
	"github.com/urutu-go/urutu/fault"
)

func TestProcessRunsUntilItIsStopped(t *testing.T) {
	t.Parallel()

	begun := make(chan struct{})
	var cause error
	p := urutu.NewProcess("relay", func(ctx context.Context) error {
		close(begun)
		<-ctx.Done()
		cause = context.Cause(ctx)
		return ctx.Err()
	}).In("worker")
	if p.Name() != "relay" || p.Role() != "worker" {
		t.Errorf("name %q, role %q", p.Name(), p.Role())
	}
	startCtx, cancel := context.WithCancel(t.Context())
	if err := p.Start(startCtx); err != nil {
		t.Fatal(err)
	}
	<-begun
	cancel() // the process outlives the context it was started with
	if err := p.Start(t.Context()); !errors.Is(err, fault.Misconfigured) {
		t.Errorf("second start: %v", err)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if !errors.Is(cause, urutu.ErrStop) {
		t.Errorf("cause %v", cause)
	}
}

func TestProcessThatFails(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		run  func(ctx context.Context) error
		want string
	}{
		"error": {func(context.Context) error { return io.EOF }, "EOF"},
		"panic": {func(context.Context) error { panic("bug") }, "relay: internal: panic: bug"},
	} {
		p := urutu.NewProcess("relay", c.run)
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-p.Failed(); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err := p.Stop(t.Context()); err != nil {
			t.Errorf("%s: stop: %v", name, err)
		}
	}
}

func TestProcessThatIsDone(t *testing.T) {
	t.Parallel()

	p := urutu.NewProcess("seed", func(context.Context) error { return nil })
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	select {
	case err := <-p.Failed():
		t.Errorf("failed: %v", err)
	default:
	}
}

func TestProcessReportsWhatWentWrongInStopping(t *testing.T) {
	t.Parallel()

	p := urutu.NewProcess("relay", func(ctx context.Context) error { <-ctx.Done(); return io.ErrShortWrite })
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(t.Context()); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("stop: %v", err)
	}
}

func TestProcessThatDoesNotStopInTime(t *testing.T) {
	t.Parallel()

	release := make(chan struct{})
	p := urutu.NewProcess("stuck", func(context.Context) error { <-release; return nil })
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := p.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) || fault.Public(err) != "did not stop in time" {
		t.Errorf("stop: %v", err)
	}
	close(release)
	if err := p.Stop(t.Context()); err != nil {
		t.Errorf("second stop: %v", err)
	}
}
