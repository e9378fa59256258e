// Command bench measures urutu beside what else Go programs write to a database with: pgx by hand, statement by
// statement and as a pipeline, sqlc, Bun, GORM, Ent, and database/sql on SQLite. It prints a table and, where it is told
// to, draws it and puts it into a page. `make bench` does all of that for docs/performance.md, which says how it measures.
//
// It also measures messages: beside River and Watermill's forwarder, their latencies, what publishing costs, how soon
// another process takes over, and what becomes of all that while a snapshot is held. See -only.
//
// And it measures queries: pages of a table of a million rows beside pgx by hand, and how fast the text of a query is made
// beside Bun, GORM and squirrel.
//
// The module is one of its own, so that what it compares with never reaches a user of urutu.
package main
