// Package chaos is the rig that tries to make urutu's messages lie: it lets processes write and handle messages, kills,
// stops and cuts them off while they do, and keeps a ledger that says in the end whether anything was lost, invented, done
// twice or done in the wrong order.
//
// # Overview
//
// A [Rig] runs writers and workers as processes of their own: the program that it is part of, started again (see [Main]).
// Writers run random units of work and write down, in a file of each process, what each unit was to do and how it ended.
// Workers handle the messages; what a handler does is a row, inserted by its unit into a table that would take it twice.
// Meanwhile the rig disturbs them: see disturb.go for how. In the end it lets them finish what is left, and [Check]
// compares the files with the tables.
//
// # Lifecycle
//
// The tests run it for 30 seconds on each database, or for as long as URUTU_CHAOS says. `make chaos MINUTES=n` is the same
// for longer; docs/reliability.md has the method and the figures.
//
// # Errors
//
// What the check finds is a list of sentences, each with the unit or the key concerned. A run that found something keeps
// its directory, with the processes' files and logs.
//
// # Concurrency
//
// A rig is used by one goroutine.
package chaos
