// Package uow runs a function as one unit of work: inside interceptors, then committed or rolled back as a whole, then
// followed by its after-commit hooks.
//
// # Overview
//
// A [Runner] is made once, with its interceptors. [Runner.Do] runs one operation:
//
//	err := runner.Do(ctx, uow.Op{Kind: uow.Job, Name: "close month"}, func(ctx context.Context) error {
//		return closeMonth(ctx)
//	})
//
// The unit is in the function's context. Whatever takes part in it, a database session for one, enlists itself as a
// [Resource] when it is first used. When the function returns nil the runner commits the resources; when it returns an
// error, panics or calls runtime.Goexit, it rolls them back. Transports (HTTP, messages, cron) are callers of Do and
// nothing more.
//
// # Lifecycle
//
// Interceptors wrap the function only: they run before the commit and cannot turn a failed commit into success. An
// error that one swallows counts as success. [AfterCommit] hooks run once everything is durable, in order; their errors
// and panics are logged and change nothing. [AfterRollback] hooks run when what they were registered for was undone.
//
// The commit runs with a deadline of its own, detached from the caller's: a caller that goes away while the commit is
// under way does not leave its outcome in doubt. A context that is done before the commit starts rolls back.
//
// # Retries
//
// A unit that fails with fault.Serialization or fault.Deadlock, or with a kind that its options name, is run again as
// a whole, with a fresh unit and fresh resources: nothing of the failed attempt was visible to anyone. That happens
// only at the root, at most [Retry.Attempts] times, and not after a manual commit.
//
// A commit whose answer is lost ends the unit with fault.OutcomeUnknown, and is never repeated blindly. With
// [Options.Resolve] it is found out what became of it: the unit then succeeds, or fails with fault.ConnectionLost, which
// is retried like a deadlock.
//
// # Errors
//
// Do returns the function's error, or that of the commit. Where several resources were written and a later one failed
// to commit, the error is a [*PartialCommitError] of kind fault.PartialCommit.
//
// # Concurrency
//
// A Runner is safe for concurrent use. A [Unit] may be asked from several goroutines; its resources say for themselves
// what they allow.
package uow
