// Package testdb makes the databases that tests run against: an empty PostgreSQL database for each test, cloned from a
// template where one is worth preparing, and dropped with the test.
//
// # Overview
//
// [Postgres] returns the URL of a database that no other test sees. The server is the one URUTU_TEST_POSTGRES names,
// else the one at [DefaultServer]. Packages of urutu use this one; applications use urututest, which stands on it.
//
// # Lifecycle
//
// The first use in a process opens one connection and holds an advisory lock over it for as long as the process lives;
// the databases carry the lock's number in their names. So whoever comes next can tell the databases of a process that
// was killed from those of one that runs, and drops the former.
//
// # Errors
//
// A server that URUTU_TEST_POSTGRES names must answer. Where the variable is not set and nothing answers, the test is
// skipped, and the skip is counted; with CI=true it fails instead.
//
// # Concurrency
//
// Everything is safe for concurrent use, by tests in parallel and by several test processes at once.
package testdb
