// Package sqlitedriver is the driver for SQLite: the embedded database, with no service to start and no cgo.
//
// # Overview
//
// [New] makes the driver, and a connection's URL chooses it:
//
//	sqlite:///orders.db               a file, relative to the working directory
//	sqlite:////var/lib/orders.db      a file by its absolute path
//	sqlite:///:memory:                a private database that is gone at Close
//
// What follows a "+" in the scheme is ignored (sqlite+aiosqlite://), a "file:" before the path is too, and characters
// that mean something in a URL are written with a percent sign. One parameter is known: "synchronous" with off, normal,
// full or extra says when SQLite waits for the disk. The default is full, so that a commit survives a power failure.
//
// A file that does not exist is made, readable and writable by its owner only. The one of :memory: is such a file too,
// in a directory of its own among the temporary files: SQLite's own memory databases cannot be shared by connections
// without locks that never end.
//
// # One writer
//
// SQLite lets one transaction write at a time, beside any number of readers who each see the last commit. So a pool
// holds two kinds of connections: Config.MaxOpen readers, which refuse writes, and one writer. Acquire with
// driver.Read lends a reader, with driver.Write the writer, for which others wait in line. driver.ReadOne lends the
// writer where it is idle and has written before, since it has at hand what a reader would have to read again, and else
// a reader.
//
// A transaction on the writer begins with BEGIN IMMEDIATE: it has the lock or fails, and no statement in it can fail
// for the lock afterwards. Only other processes can hold it, and are waited for until TxOptions.LockTimeout, 10 s by
// default, or the end of the context. A transaction that is read-only, or on a reader, is a snapshot as of its first
// statement. That is REPEATABLE READ, and among single writers SERIALIZABLE, so every isolation level is met.
//
// A statement that writes where no transaction is open gets one of its own, so that it is done or not done when its
// context ends.
//
// # Storage
//
//	bool                  BOOLEAN   0 or 1
//	int16, int32, int64   INTEGER
//	uint64                BLOB      INTEGER as far as that goes, above it the number as text of 20 digits: exact, ordered
//	float32, float64      REAL      NaN is refused: SQLite would store NULL
//	text                  TEXT      valid UTF-8
//	bytes                 BLOB
//	time                  DATETIME  "2006-01-02 15:04:05.000000+00:00": text order is time order; years 0 to 9999
//	uuid                  TEXT      lower case, with hyphens
//	json, decimal         TEXT      comparing decimals in SQL compares text
//
// The same goes for times and large integers that are passed to the *sql.Conn of the escape hatch. Reading is lenient:
// a cell that is not what its column should hold is handed on as it was found, and whoever maps it names the field.
//
// The function urutu_fold folds the case of all of Unicode, where SQLite's lower() knows ASCII only. It is registered
// with the SQLite package for the whole process by the first New, which therefore belongs before connections are opened
// elsewhere.
//
// # Adopting
//
// Config.Adopt takes an *sql.DB of modernc.org/sqlite instead of a URL. It lends readers and writer both, its limits and
// its pragmas are its owner's (it should set foreign_keys, journal_mode(WAL) and a busy_timeout), and Close leaves it
// open. With a limit of one connection, whoever holds that connection must not wait for another.
//
// # Lifecycle
//
// Open makes the file and no connection. Close waits until all lent connections are back, closes them and removes the
// file of :memory:.
//
// # Errors
//
// SQLite's result codes become kinds of package fault, with the table and columns or the constraint as far as SQLite
// names them; it names none for foreign keys. A unit that waited in vain for another process's lock gets
// fault.LockTimeout. A commit that failed to reach the disk is fault.OutcomeUnknown.
//
// A context that ends interrupts a statement until its first row; after that it is looked at between rows, and in a batch
// between the rows of the batch. SQLite rolls the whole transaction back when it interrupts a write (or when the disk is
// full): what is run in that transaction afterwards fails with fault.SessionFailed until it is rolled back.
//
// # Concurrency
//
// The driver and its pools are safe for concurrent use. A connection is used by one goroutine at a time; a second Run at
// the same time, or one from within a callback of the first, is fault.ConcurrentUse. While Run calls back, the *sql.Conn
// of the same connection must not be used.
package sqlitedriver
