package uow_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/urutu-go/urutu/uow"
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

// hook returns a hook that notes its name.
func (j *journal) hook(name string) uow.Hook {
	return func(context.Context) error { j.add(name); return nil }
}

// store is a resource that notes what the runner does with it.
type store struct {
	journal *journal
	name    string
	idle    bool // nothing to commit
	last    bool

	prepareErr, commitErr, rollbackErr error

	onCommit, onRollback func(ctx context.Context)
}

var _ uow.Resource = (*store)(nil)

func (s *store) Pending(context.Context) bool { return !s.idle }

func (s *store) Prepare(context.Context) error {
	s.journal.add("prepare " + s.name)
	return s.prepareErr
}

func (s *store) Commit(ctx context.Context) error {
	s.journal.add("commit " + s.name)
	if s.onCommit != nil {
		s.onCommit(ctx)
	}
	return s.commitErr
}

func (s *store) Rollback(ctx context.Context) error {
	s.journal.add("rollback " + s.name)
	if s.onRollback != nil {
		s.onRollback(ctx)
	}
	return s.rollbackErr
}

// enlist makes the stores part of the unit in ctx.
func enlist(t *testing.T, ctx context.Context, stores ...*store) {
	t.Helper()
	u, ok := uow.Current(ctx)
	if !ok {
		t.Error("no unit in the context")
		return
	}
	for _, s := range stores {
		if err := u.Enlist(s.name, s.last, s); err != nil {
			t.Errorf("enlist %s: %v", s.name, err)
		}
	}
}
