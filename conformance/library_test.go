package conformance

import (
	"context"
	"database/sql"
	_ "embed"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// library is one tool, as the contract uses it. Each method takes its connection from the session of ctx, and from
// nowhere else.
type library interface {
	// insert writes a book.
	insert(ctx context.Context, isbn, title string) error
	// retitle gives a book another title.
	retitle(ctx context.Context, isbn, title string) error
	// titles reads the titles of all books, ordered by their ISBN.
	titles(ctx context.Context) ([]string, error)
	// rows starts to read the books, and leaves it at that until close is called.
	rows(ctx context.Context) (close func() error, err error)
	// commit tries to make durable what was done so far, by the library's own means.
	commit(ctx context.Context) error
}

// libraries are all of them, by name. A constructor closes with the test what it has opened; where it returns nil, the
// library has nothing for the database.
var libraries = []struct {
	name string
	open func(t *testing.T, d urututest.Database) library
}{
	{"sqlc", openSQLC},
	{"sqlc prepared", openSQLCPrepared},
	{"sqlc pgx", openSQLCPgx},
	{"squirrel", openSquirrel},
	{"sqlx", openSqlx},
	{"bun", openBun},
	{"gorm", openGORM},
	{"ent", openEnt},
}

// Book is a row of books, as the session knows it.
type Book struct {
	entity.Serial
	ISBN       string `db:"isbn,unique"`
	Title      string
	Connection int64 `db:"connection,default=0"` // on which it was written: the table has another default
}

var books = entity.Columns[Book]()

// The tables are those that sqlc has read.
var (
	//go:embed sqlc/schema.postgres.sql
	postgresSchema string
	//go:embed sqlc/schema.sqlite.sql
	sqliteSchema string
)

// openDB opens a database of the test's own with the tables. Its pool has the given number of connections.
func openDB(t *testing.T, d urututest.Database, connections int) *session.DB {
	t.Helper()
	db := urututest.Open(t, urututest.Config{Database: d, Session: session.Config{
		PoolSize: connections, MaxOverflow: -1, PoolTimeout: 5 * time.Second,
	}})
	schema := sqliteSchema
	if d == urututest.InPostgres {
		schema = postgresSchema
	}
	urututest.Do(t, db, func(ctx context.Context) error {
		for statement := range strings.SplitSeq(strings.TrimSpace(schema), ";\n") {
			if _, err := session.From(ctx).ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	return db
}

// unusedPool is for libraries that want a pool of their own. To use it is to fail.
func unusedPool(t *testing.T) *sql.DB {
	pool := sql.OpenDB(nil)
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return pool
}

// plainRows leaves rows of the session's open, for libraries that have no such thing.
func plainRows(ctx context.Context) (func() error, error) {
	rows, err := session.From(ctx).QueryContext(ctx, "SELECT title FROM books")
	if err != nil {
		return nil, err
	}
	return rows.Close, rows.Err()
}

// plainCommit is a commit by hand, for libraries that run any text.
func plainCommit(ctx context.Context) error {
	_, err := session.From(ctx).ExecContext(ctx, "COMMIT")
	return err
}
