package urutu_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/urutu-go/urutu"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// journal is what happened, in order. Safe for concurrent use.
type journal struct {
	mu   sync.Mutex
	seen []string
}

func (j *journal) add(s string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seen = append(j.seen, s)
}

func (j *journal) want(t *testing.T, want ...string) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if !slices.Equal(j.seen, want) {
		t.Errorf("got  %q\nwant %q", j.seen, want)
	}
}

// part is a component that notes what is done with it.
type part struct {
	journal           *journal
	name, role        string
	startErr, stopErr error
	failed            chan error
	onStart, onStop   func(ctx context.Context)
}

var _ urutu.Component = (*part)(nil)

func (p *part) Name() string         { return p.name }
func (p *part) Role() string         { return p.role }
func (p *part) Failed() <-chan error { return p.failed }
func (p *part) StopIntake()          { p.journal.add("intake " + p.name) }

func (p *part) Start(ctx context.Context) error {
	p.journal.add("start " + p.name)
	if p.onStart != nil {
		p.onStart(ctx)
	}
	return p.startErr
}

func (p *part) Stop(ctx context.Context) error {
	p.journal.add("stop " + p.name)
	if p.onStop != nil {
		p.onStop(ctx)
	}
	return p.stopErr
}

// resource is a resource that notes what is done with it.
type resource struct {
	journal           *journal
	name              string
	pingErr, closeErr error
}

var _ urutu.Resource = (*resource)(nil)

func (r *resource) Name() string { return r.name }

func (r *resource) Ping(context.Context) error {
	r.journal.add("ping " + r.name)
	return r.pingErr
}

func (r *resource) Close() error {
	r.journal.add("close " + r.name)
	return r.closeErr
}

type homeKey struct{}

// Context makes the resource known, as a session.DB does.
func (r *resource) Context(ctx context.Context) context.Context {
	return context.WithValue(ctx, homeKey{}, r.name)
}
