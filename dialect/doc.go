// Package dialect renders what differs between SQL flavors: identifiers, placeholders, column types, the statements
// that write rows, and paging.
//
// # Overview
//
// A [Dialect] is a value with methods that append or return SQL text; [Postgres], [SQLite] and [Plain] make the ones
// that urutu has. It performs no I/O and knows nothing of entities: a session hands it names and types. The text for
// one shape of a write is constant, whatever the number of rows, so that prepared statements are few.
//
// # Errors
//
// Rendering cannot fail. [Features] tells what a database lacks, and the session works around it or says so.
//
// # Concurrency
//
// Dialects are immutable and safe for concurrent use.
package dialect
