// Package conformance holds urutu to what other projects expect: the tools that take a database/sql connection work on a
// session's, in its transaction. It is a module of its own, so that none of them reaches a user. It has nothing but tests.
package conformance
