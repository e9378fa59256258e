// Package value holds the storage value: what a field of an entity is on its way to a database and back.
//
// # Overview
//
// A [Value] is one cell. It has a [Kind] of the few that databases know, and it is comparable: two values are the same
// cell exactly if they are equal with ==, which is how a session finds out what changed. Times are whole microseconds
// in UTC, byte strings are immutable, JSON and decimals are their text.
//
// A [Type] is what a column is declared as. Drivers encode a Value for a parameter of a Type, and decode the cell of a
// column of a Type into a Value; README and docs/storage.md list how each database stores each of them.
//
// # Errors
//
// Constructors cannot fail. Reading a value as something it is not is a mapping's business, and its error names the
// field.
//
// # Concurrency
//
// Values are immutable and safe for concurrent use.
package value
