package fault

import (
	"context"
	"errors"
)

// Kind says what sort of failure an error is. A Kind is an error, so that errors.Is(err, fault.NotFound) reads as it
// should. Its text is a stable, lower-case identifier that logs and problem responses carry.
type Kind string

// Error returns the kind's stable identifier.
func (k Kind) Error() string { return string(k) }

// What a caller asked for cannot be done as asked.
const (
	// BadRequest: the request cannot be understood (an unknown filter field, a malformed cursor).
	BadRequest Kind = "bad_request"
	// Invalid: the request is understood, and a value in it is not acceptable.
	Invalid Kind = "invalid"
	// NotFound: what was asked for does not exist.
	NotFound Kind = "not_found"
	// Conflict: the state of things does not allow it (stock is short, an order is already paid).
	Conflict Kind = "conflict"
	// Unauthenticated: nobody is known to be asking.
	Unauthenticated Kind = "unauthenticated"
	// Forbidden: whoever is asking may not.
	Forbidden Kind = "forbidden"
	// Unsupported: this database, driver or type cannot do it.
	Unsupported Kind = "unsupported"
	// Misconfigured: the program's own set-up is wrong: two default connections, an unknown connection name, a bad tag.
	Misconfigured Kind = "misconfigured"
	// Internal: everything that has no kind of its own.
	Internal Kind = "internal"
)

// The database refused or could not do it.
const (
	// Unique: a row with that key exists.
	Unique Kind = "unique"
	// ForeignKey: a referenced row does not exist, or a row that is still referenced was to be removed.
	ForeignKey Kind = "foreign_key"
	// NotNull: a required column has no value.
	NotNull Kind = "not_null"
	// Check: a check or exclusion constraint does not hold.
	Check Kind = "check"
	// Serialization: the transaction could not be ordered among concurrent ones; the whole unit may be retried.
	Serialization Kind = "serialization"
	// Deadlock: the transaction was the victim of a deadlock; the whole unit may be retried.
	Deadlock Kind = "deadlock"
	// LockTimeout: a lock was not to be had in time (NOWAIT and SQLite's busy writer included).
	LockTimeout Kind = "lock_timeout"
	// StatementTimeout: a statement ran longer than it was allowed to.
	StatementTimeout Kind = "statement_timeout"
	// ConnectionLost: the connection broke before anything was decided: nothing was committed.
	ConnectionLost Kind = "connection_lost"
	// Canceled: whoever asked went away before anything was decided.
	Canceled Kind = "canceled"
	// PoolTimeout: no connection came free in time.
	PoolTimeout Kind = "pool_timeout"
	// OutcomeUnknown: the commit was sent and its answer never came: it may or may not be durable.
	OutcomeUnknown Kind = "outcome_unknown"
	// PartialCommit: a unit that wrote to several connections committed on some and failed on another.
	PartialCommit Kind = "partial_commit"
)

// A session was used in a way that it cannot follow.
const (
	// NoSession: no unit of work is in the context, nor a database to make one from.
	NoSession Kind = "no_session"
	// SessionClosed: the unit that owned the session has ended.
	SessionClosed Kind = "session_closed"
	// SessionFailed: an earlier statement failed and the session awaits its rollback.
	SessionFailed Kind = "session_failed"
	// ScopeClosed: the savepoint that the context belongs to has ended.
	ScopeClosed Kind = "scope_closed"
	// ConcurrentUse: two goroutines used one session at once, or a statement was run while rows are open.
	ConcurrentUse Kind = "concurrent_use"
	// Flushing: a hook that runs inside a flush asked for another one.
	Flushing Kind = "flushing"
	// ReadOnly: a read-only unit or connection was asked to write.
	ReadOnly Kind = "read_only"
	// IdentityConflict: another object with the same key is tracked already.
	IdentityConflict Kind = "identity_conflict"
	// NotPersistent: the object is not one that the session has loaded or stored.
	NotPersistent Kind = "not_persistent"
	// Deleted: the object's row was deleted in this transaction.
	Deleted Kind = "deleted"
	// KeyChanged: the primary key of a stored object was changed.
	KeyChanged Kind = "key_changed"
	// Stale: the row was changed or removed by somebody else since it was read.
	Stale Kind = "stale"
	// DependencyCycle: tables refer to each other in a circle that cannot be written in any order.
	DependencyCycle Kind = "dependency_cycle"
)

// KindOf returns the kind of err: that of the outermost [Error] or Kind in its tree, a joined error's branches in their
// order. A context's own errors count as StatementTimeout (deadline) and Canceled; everything else without a kind is
// Internal. KindOf(nil) is "".
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	if k := outermost(err); k != "" {
		return k
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return StatementTimeout
	}
	if errors.Is(err, context.Canceled) {
		return Canceled
	}
	return Internal
}

// outermost walks err's tree in the order of errors.As and returns the first kind it meets, or "". Two calls of
// errors.As would not do: an error that unwraps to a bare Kind and to a cause (a partial commit) would get the kind of
// its cause.
func outermost(err error) Kind {
	for err != nil {
		switch e := err.(type) { //nolint:errorlint // this is the walk
		case *Error:
			if e.Kind != "" {
				return e.Kind
			}
		case Kind:
			return e
		}
		switch u := err.(type) { //nolint:errorlint // this is the walk
		case interface{ Unwrap() error }:
			err = u.Unwrap()
		case interface{ Unwrap() []error }:
			for _, branch := range u.Unwrap() {
				if k := outermost(branch); k != "" {
					return k
				}
			}
			return ""
		default:
			return ""
		}
	}
	return ""
}

// IsRetryable reports whether the unit of work that failed with err may succeed when the whole of it is run again:
// nothing of it was committed, and the cause is another transaction or a lost connection, not its own input.
// Stale is not among them, because only the application knows whether a fresh read makes the request right again; it
// is retried where an operation's options name it. OutcomeUnknown never is.
func IsRetryable(err error) bool {
	if errors.Is(err, OutcomeUnknown) || errors.Is(err, PartialCommit) {
		return false
	}
	return errors.Is(err, Serialization) || errors.Is(err, Deadlock)
}

// IsConstraint reports whether a constraint of the database refused a row: Unique, ForeignKey, NotNull or Check.
func IsConstraint(err error) bool {
	return errors.Is(err, Unique) || errors.Is(err, ForeignKey) || errors.Is(err, NotNull) || errors.Is(err, Check)
}

// IsTimeout reports whether time ran out: for a lock, a statement or a connection from the pool.
func IsTimeout(err error) bool {
	return errors.Is(err, LockTimeout) || errors.Is(err, StatementTimeout) || errors.Is(err, PoolTimeout)
}
