// Package fault classifies errors by kind, so that a transport can answer them and a caller can act on them without
// knowing which package, driver or database raised them.
//
// # Overview
//
// Every error that urutu returns carries a [Kind]. A Kind is itself an error, so the standard library's tools are all
// that is needed:
//
//	err := session.Flush(ctx)
//	switch {
//	case errors.Is(err, fault.Unique): // a duplicate key
//	case errors.Is(err, fault.Stale):  // somebody else changed the row first
//	}
//
// The details are in [Error]: the operation, the entity, the table, the constraint and its columns, and below it the
// driver's own error, reachable with [errors.As]:
//
//	var e *fault.Error
//	if errors.As(err, &e) && e.Constraint == "users_email_key" { ... }
//
// # Errors of an application
//
// Application code raises the same kinds with [New] and [Newf]; their message is meant for the person or program that
// made the request, and a transport shows it:
//
//	return fault.Newf(fault.Conflict, "only %d left of %s", left, sku)
//
// Whatever is not made that way is never shown to a caller: [Public] gives the text that is.
//
// # Concurrency
//
// Kinds are constants and errors are immutable once returned: all of it is safe for concurrent use.
package fault
