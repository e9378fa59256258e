package session

import (
	"context"

	"github.com/urutu-go/urutu/internal/scope"
	"github.com/urutu-go/urutu/uow"
)

// Manager spawns sessions that no function's end commits: their owner does, and closes them. A [DB] is one.
type Manager interface {
	// Spawn returns a new session on the named connection; [Default] is the default one.
	Spawn(ctx context.Context, name Name) (*Managed, error)
}

var _ Manager = (*DB)(nil)

// Managed is a session that its owner commits and closes. Like every session it is used by one goroutine at a time.
type Managed struct {
	db   *DB
	unit *uow.Unit
	name Name
}

// Spawn returns a new session on the named connection, independent of any unit in ctx. The owner calls its Close. An
// unknown name is fault.Misconfigured.
func (db *DB) Spawn(ctx context.Context, name Name) (*Managed, error) {
	c, err := db.connection("session.Spawn", name)
	if err != nil {
		return nil, err
	}
	unit := db.runner.Begin(ctx, uow.Op{Kind: uow.Job, Name: "session.Spawn"})
	return &Managed{db: db, unit: unit, name: c.cfg.Name}, nil
}

// Context returns a context in which the verbs use this session.
func (m *Managed) Context(ctx context.Context) context.Context {
	return scope.Into(ctx, scope.Scope{Home: m.db, Unit: m.unit, Connection: string(m.name)})
}

// Session returns the session itself, for its escape hatches.
func (m *Managed) Session(ctx context.Context) *Session { return From(m.Context(ctx)) }

// Commit commits what was done so far; the session goes on in a fresh transaction.
func (m *Managed) Commit(ctx context.Context) error { return Commit(m.Context(ctx)) }

// Rollback undoes what was done since the session began or last committed.
func (m *Managed) Rollback(ctx context.Context) error { return Rollback(m.Context(ctx)) }

// Close ends the session; what was not committed is rolled back. A second Close does nothing.
func (m *Managed) Close(ctx context.Context) error {
	return m.unit.End(m.Context(ctx), false)
}
