// Package conformance holds urutu to what other projects expect: the tools that take a database/sql connection work on a
// session's, in its transaction. It is a module of its own, so that none of them reaches a user. It has nothing but tests,
// and code that sqlc and Ent have generated for them.
//
// # Overview
//
// library_test.go says what a library is to the tests, and contract_test.go what must hold for each. Every other file
// ending in _test.go is one library, and shows how it is used with a session. A library is added by its file, and its
// line in libraries.
//
// Two directories are packages of their own: watermill runs Watermill's Pub/Sub suite on urutu's messages, and chaos is the
// rig that kills what handles them.
//
// Two directories are packages of their own: watermill runs Watermill's Pub/Sub suite on urutu's messages, and chaos is the
// rig that kills what handles them.
//
// # Generated code
//
// The code in sqlc/ and ent/ is committed. After a change of a schema or a query, `go generate ./...` in this directory
// makes it anew; it builds sqlc from source, which needs a C compiler and some minutes the first time.
package conformance

//go:generate go run github.com/sqlc-dev/sqlc/cmd/sqlc@v1.31.1 generate -f sqlc/sqlc.yaml
//go:generate go run entgo.io/ent/cmd/ent@v0.14.5 generate ./ent/schema
