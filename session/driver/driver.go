package driver

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

	"github.com/urutu-go/urutu/dialect"
)

// Driver opens pools for the databases of one product. It is safe for concurrent use.
type Driver interface {
	// Name is the product's name for errors: "postgres".
	Name() string
	// Schemes are the URL schemes that the driver takes, without what follows a "+": "postgres", "postgresql".
	Schemes() []string
	// Open prepares a pool. It checks the configuration and makes no connection that it can do without; an error names
	// the field and never holds the URL's password.
	Open(ctx context.Context, cfg Config) (Pool, error)
}

// Config is what a driver needs to open a pool. Every field is final: defaults have been applied.
type Config struct {
	// Name is the connection's name.
	Name string
	// URL is the address, with its scheme as the user wrote it. Empty where Adopt is set.
	URL string
	// Adopt is an existing connection source that the user handed over (an *sql.DB, a driver's own configuration)
	// instead of a URL. A driver that does not know its type answers with fault.Misconfigured.
	Adopt any
	// MaxOpen and MaxIdle bound the pool.
	MaxOpen, MaxIdle int
	// MaxLifetime closes connections older than this; 0 means never.
	MaxLifetime time.Duration
	// Pooler says that a transaction pooler stands before the database, so that nothing may be kept on a connection
	// from one transaction to the next: no prepared statements.
	Pooler bool
	// Logger takes what a driver has to say while nobody waits for an answer.
	Logger *slog.Logger
}

// Pool lends connections of one database. It is safe for concurrent use.
type Pool interface {
	// Dialect renders SQL for this database.
	Dialect() dialect.Dialect
	// Acquire lends a connection. It waits until one is free or ctx is done, and then returns ctx's error as it is.
	// Access says what it will be used for; a driver with one kind of connection ignores it.
	Acquire(ctx context.Context, access Access) (Conn, error)
	// Ping makes one round trip to the database.
	Ping(ctx context.Context) error
	// Stats are the pool's own statistics, summed where it has several.
	Stats() sql.DBStats
	// Close waits for lent connections to come back and closes all.
	Close() error
}

// Access says what a connection is acquired for.
type Access uint8

// What a connection may be used for.
const (
	// Read: statements outside a transaction, or in one that only reads.
	Read Access = iota
	// Write: a transaction that may write. On a database with one writer this is that writer.
	Write
	// ReadOne: one statement that reads the row of a key, outside a transaction. It is over so soon that a database with one
	// writer can lend that one where nobody else wants it: what it wrote last it need not read again.
	ReadOne
)

// Conn is one lent connection. It is used by one goroutine at a time.
type Conn interface {
	// Run runs the script and hands its results to r, in the order of the statements. It calls r on the goroutine that
	// called it, and does not return before r has: nothing of the connection can be used from within.
	//
	// Where the script begins or ends a transaction, Run returns with the connection in or out of it accordingly, and a
	// failed script leaves a transaction it began itself rolled back. A script that failed inside a transaction begun
	// earlier leaves it to the caller to roll back, to a savepoint or whole. After a failed Commit no transaction is
	// open.
	//
	// With End Commit, nil means that the commit is durable as far as the database was asked to make it. An error means
	// that nothing was committed, unless it is fault.OutcomeUnknown: then the commit may have been sent and its answer
	// was not seen. A commit that the database answered with a rollback is an error.
	//
	// When ctx is done before anything is sent, nothing is, and the connection stays usable. When it is done later, a
	// statement is interrupted as the database allows; the connection is usable afterwards or reports itself broken at
	// Release.
	//
	// The script, its arguments and r are not kept after Run returns.
	Run(ctx context.Context, s *Script, r Results) error
	// Release gives the connection back. A transaction that is still open is rolled back first, with a deadline of the
	// driver's own.
	Release()
}

// Listener is a pool whose database can tell its clients that something has happened.
type Listener interface {
	// Listen calls heard once it listens on the channel, with "", and then whenever somebody notifies it, with what that one
	// says, until ctx is done or the connection breaks. It blocks and always returns an error: fault.Unsupported where this pool cannot listen.
	Listen(ctx context.Context, channel string, heard func(payload string)) error
}

// SQLConn is implemented by connections that can lend the database/sql connection below them to an escape hatch. The
// *sql.Conn is in whatever transaction Run left it in.
type SQLConn interface {
	SQLConn() *sql.Conn
}

// SQLGuard is implemented by connections that know what happens on the *sql.Conn that they lend. Both methods cost no
// exchange with a server.
type SQLGuard interface {
	// SQLReady says why nothing can be run on the lent connection now: fault.ConcurrentUse while rows are open on it, and
	// fault.SessionFailed where the transaction that Run began was ended by other means.
	SQLReady() error
	// SQLError returns an error of the lent connection as Run returns those of a statement: a *fault.Error with its
	// kind, and err below it. What is no error of the database, its connection or ctx stays as it is.
	SQLError(ctx context.Context, err error) error
}

// Results receives what a script brings back. Its methods are called from within Run, by one goroutine.
type Results interface {
	// Row is called for each row of statement i. The slice is reused: what is to be kept is copied. The values may be
	// kept. An error ends the script: the rest of it is not looked at, and a transaction it began is rolled back, unless a
	// pipelining driver has sent its commit already: where that succeeded, Run returns fault.OutcomeUnknown.
	Row(i int, row []Cell) error
	// Done is called after the last row of statement i. Affected is the number of rows that it wrote or returned, as
	// the database counts them; lastID the key that the database generated where the dialect says that it tells so.
	Done(i int, affected, lastID int64) error
}

// Discard ignores everything that a script brings back.
var Discard Results = discard{}

type discard struct{}

func (discard) Row(int, []Cell) error        { return nil }
func (discard) Done(int, int64, int64) error { return nil }
