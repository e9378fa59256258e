// Package driver is the seam between the session and a database: connect, run a script, read its results.
//
// # Overview
//
// A [Driver] opens a [Pool] for one named connection; a Pool lends [Conn]s; and a Conn does one thing: it runs a
// [Script]. A script is an optional BEGIN, some statements and an optional end of the transaction, so that a driver
// that can pipeline sends all of it in one burst and a driver that cannot loops over it. The session cannot tell the
// difference but by the clock. Everything the session does with a database goes through this one method, save the
// escape hatches of [SQLConn] and [SQLGuard].
//
// Each statement carries its parameters as rows of [value.Value] with their types, so that a pipelining driver need
// not ask the server what they are. A statement with Batch > 0 stands for as many rows of one shape: the dialect of a
// driver that has arrays rendered it to take one array for each parameter, and any other driver runs it once for each
// row. The rows of one with Stream are asked for as they are taken, so that there may be any number of them.
//
// # Lifecycle
//
// Open pings nothing; [Pool.Ping] does. Acquire lends a connection until its Release, which gives it back clean: with
// no transaction open and usable, or closed. A Conn is given back once and not used afterwards.
//
// # Errors
//
// A driver translates its database's errors to the kinds of package fault, at this seam and nowhere else. Run returns
// a [*ScriptError] that says which part of the script failed.
//
// # Concurrency
//
// Drivers and Pools are safe for concurrent use. A Conn is used by one goroutine at a time.
package driver
