package uow

import (
	"context"
	"slices"
	"time"

	"github.com/urutu-go/urutu/fault"
)

// Kind says what asked for an operation.
type Kind string

// The kinds of operations. An application may add its own.
const (
	// HTTP is a request.
	HTTP Kind = "http"
	// Message is a message from a queue or broker.
	Message Kind = "message"
	// Tick is a run of a schedule.
	Tick Kind = "tick"
	// Job is everything an application runs by itself: a command, a background task, a test.
	Job Kind = "job"
)

// Op is one operation: what an interceptor can know of it.
type Op struct {
	// Kind says what asked for it. Defaults to Job.
	Kind Kind
	// Name identifies the operation among its kind, with few distinct values: "POST /users".
	Name string
	// Options are how it is to be run.
	Options Options
}

// Options are how one operation is to be run. The zero value is right for most.
type Options struct {
	// Name names the operation where it is not named otherwise. Defaults to "unit".
	Name string
	// ReadOnly makes the database refuse writes, and the session refuse them before that.
	ReadOnly bool
	// Isolation is asked for in every transaction of the unit. Defaults to the connection's own.
	Isolation Isolation
	// Timeout bounds each attempt of the function, not the commit. Defaults to none.
	Timeout time.Duration
	// StatementTimeout bounds each statement. Defaults to the connection's own.
	StatementTimeout time.Duration
	// LockTimeout bounds each wait for a lock. Defaults to the connection's own.
	LockTimeout time.Duration
	// Resolve is how long a commit whose answer was lost may be looked into, so that the unit ends as committed or as not
	// committed instead of with fault.OutcomeUnknown. Where nothing was committed, the unit fails with
	// fault.ConnectionLost and may be run again, as after every lost connection. A session needs the tables of its
	// DB.Install for it. Defaults to not at all.
	Resolve time.Duration
	// Retry says which failures run the unit again.
	Retry Retry
	// Uses, where it is not empty, are the only connections that the unit may use.
	Uses []string
	// Skip are connections that the unit may not use.
	Skip []string
}

// Allows reports whether the options let the unit use the connection.
func (o *Options) Allows(connection string) bool {
	if len(o.Uses) > 0 && !slices.Contains(o.Uses, connection) {
		return false
	}
	return !slices.Contains(o.Skip, connection)
}

// Retry says which failures run a unit again, and how often.
type Retry struct {
	// Attempts is how often the unit is run at most, the first time included. Defaults to 3; a negative number means
	// once.
	Attempts int
	// Kinds are retried besides fault.Serialization and fault.Deadlock, and fault.ConnectionLost where
	// [Options.Resolve] is set. fault.OutcomeUnknown and fault.PartialCommit never are.
	Kinds []fault.Kind
	// Backoff is the longest pause before the second attempt, doubled for each one after it up to a second; the pause is
	// drawn at random below that. Defaults to 10 ms; a negative duration means none.
	Backoff time.Duration
}

// Isolation is a transaction's isolation level.
type Isolation uint8

// The isolation levels. A database that has only stronger ones uses the next stronger.
const (
	// DefaultIsolation is the connection's own level, READ COMMITTED unless it was configured otherwise.
	DefaultIsolation Isolation = iota
	ReadCommitted
	RepeatableRead
	Serializable
)

// String returns the level's name in SQL.
func (i Isolation) String() string {
	return [...]string{"READ COMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"}[i&3]
}

// Handler is one operation as an interceptor sees it.
type Handler func(ctx context.Context, op Op) error

// Interceptor wraps handlers. It may return an error without calling next, pass a derived context on, or replace the
// error that next returned. It runs once for each attempt of a retried unit.
type Interceptor func(next Handler) Handler
