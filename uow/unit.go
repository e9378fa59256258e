package uow

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/scope"
)

// Resource takes part in a unit: it holds writes until the unit's end. Its methods are called by the runner, from one
// goroutine, after the function has returned.
type Resource interface {
	// Pending reports whether there is anything to commit.
	Pending(ctx context.Context) bool
	// Prepare makes everything that can still fail happen, short of the commit: it flushes. It is called only where
	// several resources are pending.
	Prepare(ctx context.Context) error
	// Commit makes everything durable and ends the resource, also where it fails. It is called with nothing pending too,
	// to end it.
	Commit(ctx context.Context) error
	// Rollback undoes everything and ends the resource. After Commit it does nothing.
	Rollback(ctx context.Context) error
}

// Unit is one run of an operation. Its methods are safe for concurrent use.
type Unit struct {
	op      Op
	parent  *Unit
	attempt int
	runner  *Runner

	mu        sync.Mutex // protects the members below
	ended     bool       // its function has returned: nothing enlists any more
	finished  bool       // its outcome is settled: no hook is registered any more
	pinned    bool       // committed by hand: never run again
	failed    error      // a joined function failed: the unit must not commit
	resources []enlisted
	one       [1]enlisted // room for the usual number of them
	commit    []Hook
	rollback  []Hook
	undone    []Hook // rollback hooks of savepoints that were rolled back: they run at the unit's end in any case
}

type enlisted struct {
	name  string
	last  bool
	final bool // after those that are last
	Resource
}

// Hook is called after the end of a unit. Its context has the unit's values and connections but not its cancellation,
// and no unit: what it does with a database is a unit of its own.
type Hook func(ctx context.Context) error

// Current returns the unit that ctx belongs to.
func Current(ctx context.Context) (*Unit, bool) {
	u, ok := scope.From(ctx).Unit.(*Unit)
	return u, ok
}

// Op returns the operation that the unit runs.
func (u *Unit) Op() *Op { return &u.op }

// Parent returns the unit inside of which this one was begun, or nil.
func (u *Unit) Parent() *Unit { return u.parent }

// Attempt returns how often the operation has been begun, counted from 1.
func (u *Unit) Attempt() int { return u.attempt }

// Enlist makes r part of the unit under a name that errors use. Where several resources are written they commit in the
// order of their enlistment, those marked last after all others. It fails with fault.SessionClosed once the unit has
// ended.
func (u *Unit) Enlist(name string, last bool, r Resource) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ended {
		return &fault.Error{Kind: fault.SessionClosed, Op: "uow.Enlist", Connection: name, Message: "the unit of work has ended"}
	}
	if u.resources == nil {
		u.resources = u.one[:0]
	}
	u.resources = append(u.resources, enlisted{name: name, last: last, Resource: r})
	return nil
}

// CommitLast has the resource that was enlisted under a name commit after all others, also after those marked last: its
// commit says that the unit's work is done, so that what fails before it is done again.
func (u *Unit) CommitLast(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := range u.resources {
		u.resources[i].final = u.resources[i].final || u.resources[i].name == name
	}
}

// Find returns the first enlisted resource that match accepts.
func (u *Unit) Find(match func(Resource) bool) (Resource, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := range u.resources {
		if match(u.resources[i].Resource) {
			return u.resources[i].Resource, true
		}
	}
	return nil, false
}

// Fail makes the unit roll back whatever its function returns: its commit fails with err.
func (u *Unit) Fail(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.failed == nil {
		u.failed = err
	}
}

// AfterCommit registers a hook that runs once the unit in ctx has committed, after those registered before it. What runs
// inside the commit, a hook of the last flush for one, may register hooks too. It is
// dropped when the unit, or the savepoint it was registered in, is rolled back. Its error or panic is logged and changes
// nothing. Outside a unit AfterCommit fails with fault.NoSession.
func AfterCommit(ctx context.Context, fn Hook) error {
	return register(ctx, "uow.AfterCommit", fn, true)
}

// AfterRollback registers a hook that runs at the unit's end if the unit, or the savepoint it was registered in, was
// rolled back: the place to undo what no database can. A unit that ends with fault.OutcomeUnknown runs neither its
// after-commit nor its after-rollback hooks: what they do could be wrong either way. Outside a unit AfterRollback fails
// with fault.NoSession.
func AfterRollback(ctx context.Context, fn Hook) error {
	return register(ctx, "uow.AfterRollback", fn, false)
}

func register(ctx context.Context, op string, fn Hook, commit bool) error {
	u, ok := Current(ctx)
	if !ok {
		return &fault.Error{Kind: fault.NoSession, Op: op, Message: "no unit of work in the context"}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.finished {
		return &fault.Error{Kind: fault.SessionClosed, Op: op, Message: "the unit of work has ended"}
	}
	if commit {
		u.commit = append(u.commit, fn)
	} else {
		u.rollback = append(u.rollback, fn)
	}
	return nil
}

// Mark is a position in a unit's hooks: where a savepoint began.
type Mark struct{ commit, rollback int }

// Mark returns the current position.
func (u *Unit) Mark() Mark {
	u.mu.Lock()
	defer u.mu.Unlock()
	return Mark{len(u.commit), len(u.rollback)}
}

// Cut drops the after-commit hooks registered since the mark, because what they were waiting for was rolled back.
func (u *Unit) Cut(m Mark) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if m.commit < len(u.commit) {
		clear(u.commit[m.commit:])
		u.commit = u.commit[:m.commit]
	}
	if m.rollback < len(u.rollback) {
		u.undone = append(u.undone, u.rollback[m.rollback:]...)
		u.rollback = u.rollback[:m.rollback]
	}
}

// Committed says that what was registered so far has been committed by hand: its after-commit hooks run now, its
// after-rollback hooks are dropped, and the unit is not run again.
func (u *Unit) Committed(ctx context.Context) {
	u.mu.Lock()
	hooks := u.commit
	u.commit, u.rollback, u.pinned = nil, nil, true
	u.mu.Unlock()
	u.run(ctx, hooks)
}

// Pin says that what the unit has done so far may be durable: it is not run again, and the hooks registered so far are
// dropped, since nobody knows which of them are right.
func (u *Unit) Pin() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.commit, u.rollback, u.pinned = nil, nil, true
}

// Ended reports whether the unit is over, or being committed or rolled back.
func (u *Unit) Ended() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.ended
}

func (u *Unit) isPinned() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.pinned
}

// RolledBack says that what was registered so far has been rolled back by hand.
func (u *Unit) RolledBack(ctx context.Context) {
	u.mu.Lock()
	hooks := slices.Concat(u.undone, u.rollback)
	u.commit, u.rollback, u.undone = nil, nil, nil
	u.mu.Unlock()
	u.run(ctx, hooks)
}

// end closes the unit for enlistment, and returns what is to be driven.
func (u *Unit) end() ([]enlisted, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ended = true
	return u.resources, u.failed
}

// outcome is what became of a unit.
type outcome uint8

const (
	rolledBack outcome = iota
	committed
	unknown // one of its commits may or may not be durable
)

// outcomeOf returns the outcome of a commit that returned err.
func outcomeOf(err error) outcome {
	switch {
	case err == nil:
		return committed
	case errors.Is(err, fault.OutcomeUnknown):
		return unknown
	default:
		return rolledBack
	}
}

// finish runs the hooks that belong to the outcome.
func (u *Unit) finish(ctx context.Context, out outcome) {
	u.mu.Lock()
	u.finished = true
	hooks := u.undone
	switch out {
	case committed:
		hooks = append(hooks, u.commit...)
	case rolledBack:
		hooks = append(hooks, u.rollback...)
	}
	u.commit, u.rollback, u.undone = nil, nil, nil
	u.mu.Unlock()
	u.run(ctx, hooks)
}

// run calls the hooks with a context of their own: the unit's values and connections, not its cancellation.
func (u *Unit) run(ctx context.Context, hooks []Hook) {
	if len(hooks) == 0 {
		return
	}
	ctx = scope.Into(context.WithoutCancel(ctx), scope.Scope{Home: scope.From(ctx).Home})
	for _, h := range hooks {
		u.runner.hook(ctx, u, h)
	}
}
