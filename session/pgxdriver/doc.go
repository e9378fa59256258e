// Package pgxdriver connects sessions to PostgreSQL, and to what speaks its protocol, through pgx.
//
// # Overview
//
//	db, err := session.Open(ctx, session.Config{URL: "postgres://app@db/shop", Drivers: []driver.Driver{pgxdriver.New()}})
//
// A script travels as one burst: BEGIN, all statements, a Sync, COMMIT and another Sync are written at once, and the
// answers are read afterwards. So a unit of work costs one round trip, whatever it writes; and a failed one costs one
// too, since PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK and the connection is free again. A
// script that is a whole transaction goes without BEGIN and COMMIT, as all statements and one Sync, which PostgreSQL
// commits or rolls back as a whole too.
// The types of all parameters are known, so that even the first use of a statement needs no round trip of its own.
//
// The only pool is that of database/sql, which any library for it can share. An idle connection is not pinged before
// it is used again: a look at its socket, without a system call that waits, shows whether the server has closed it. One
// that was lent less than half a millisecond ago is not looked at.
//
// # Configuration
//
// URLs are those of pgx, and so of libpq, with the schemes postgres and postgresql; what follows a "+" in the scheme is
// dropped. Instead of a URL a connection can adopt a *pgx.ConnConfig, or an *sql.DB that was made by pgx's package
// stdlib. Such an *sql.DB stays its owner's: its limits and hooks are left as they are, and Close does not close it.
//
// Behind a transaction pooler set Pooler: no statement is then kept prepared on a connection. Nothing is sent as a
// start-up parameter but DateStyle, which poolers know. The names of prepared statements are made of their texts, so that
// a pooler that nobody has told us of makes units fail, and none run another client's statement.
//
// Every BEGIN names its isolation level, whatever the server's default is; where there is none, the connection has said
// before that its default is the level that is wanted, and was not lent on. Outside a transaction the queries of a
// script share one burst, while each other statement has its own, and stands by itself.
//
// # Lifecycle
//
// Prepared statements are kept for each connection, at most 512, and the least recently used goes first. One that
// breaks because the schema changed, or because somebody discarded it, is prepared again and nobody notices, unless a
// transaction was open or results were handed over already: then the error is fault.Serialization, so that the unit is
// run again.
//
// # Errors
//
// Errors are told apart by SQLSTATE, never by their text, which the server may have translated. The columns of a
// constraint come from the quoted part of the detail; the detail itself, which holds values, is printed nowhere.
//
// When a context is done while a script runs, the server is asked to cancel the statement, and the answer is awaited
// for a few seconds: the connection stays usable, and a commit whose answer is under way is not taken for lost.
//
// A script that commits has traveled whole before its first result is looked at. So an error of the caller's own
// Results, for which the driver would have to roll back, comes back as fault.OutcomeUnknown if the commit succeeded.
//
// # Concurrency
//
// The driver and its pools are safe for concurrent use, a connection is used by one goroutine at a time.
package pgxdriver
