// Package testpooler puts a real PgBouncer in front of a test's database, in the mode that keeps the least: transaction
// pooling, with two connections to the server for any number of clients.
//
// # Overview
//
// [Start] runs the program pgbouncer with a configuration of its own on a free port, as a user other than root. Where
// URUTU_TEST_PGBOUNCER names one that runs already, that is used: it has to pool transactions, let every database
// through with no more than two connections to the server for each, and stand before the server that the tests use.
//
// # Lifecycle
//
// The program ends with the test. Nothing of it is left: no process, no file, no port.
//
// # Errors
//
// Where the program is not installed, see testdb.Missing: the test is a counted skip, or a failure with CI=true. The test
// command installs it (scripts/services.sh).
package testpooler
