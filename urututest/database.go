package urututest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/internal/testdb"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/pgxdriver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
)

// Database is a product that urutu supports.
type Database string

// The databases.
const (
	InSQLite   Database = "sqlite"
	InPostgres Database = "postgres"
)

// Databases returns every database that urutu supports.
func Databases() []Database { return []Database{InSQLite, InPostgres} }

// Config says what a test's database is. The zero value is an empty SQLite database.
type Config struct {
	// Database is the product. Defaults to InSQLite.
	Database Database
	// Entities are the entities whose tables it has, as nil pointers: (*User)(nil). Defaults to none.
	Entities []any
	// Session is how the connection is opened: echo, pool size, clock and so on. Its URL, Connector and Drivers are set by
	// Open. PoolSize defaults to 2, since tests that run in parallel share the server's connections.
	Session session.Config
}

// SQLite returns a new SQLite database with the tables of the entities, for this test only.
func SQLite(t testing.TB, entities ...any) *session.DB {
	t.Helper()
	return Open(t, Config{Entities: entities})
}

// Postgres returns a new PostgreSQL database with the tables of the entities, for this test only.
func Postgres(t testing.TB, entities ...any) *session.DB {
	t.Helper()
	return Open(t, Config{Database: InPostgres, Entities: entities})
}

// Open returns a new database as cfg describes it, for this test only.
func Open(t testing.TB, cfg Config) *session.DB {
	t.Helper()
	if cfg.Database != InPostgres {
		db := open(t, cfg, URL(t, cfg.Database))
		if err := createTables(t.Context(), db, cfg.Entities); err != nil {
			t.Fatalf("create the tables: %v", err)
		}
		return db
	}
	url := testdb.Template(t, key(cfg.Entities), func(ctx context.Context, url string) error {
		db, err := session.Open(ctx, session.Config{URL: url, Drivers: drivers()})
		if err != nil {
			return err
		}
		return errors.Join(createTables(ctx, db, cfg.Entities), db.Close())
	})
	return open(t, cfg, url)
}

// Each runs fn as a parallel subtest on every database, each of them new. cfg.Database does not matter.
func Each(t *testing.T, cfg Config, fn func(t *testing.T, db *session.DB)) {
	t.Helper()
	for _, d := range Databases() {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			each := cfg
			each.Database = d
			fn(t, Open(t, each))
		})
	}
}

// URL returns the address of a new, empty database, for this test only.
func URL(t testing.TB, d Database) string {
	t.Helper()
	switch d {
	case InPostgres:
		return testdb.Postgres(t)
	case InSQLite, "":
		return "sqlite:///" + filepath.ToSlash(filepath.Join(t.TempDir(), "test.db")) + "?synchronous=off"
	default:
		t.Fatalf("urututest knows no database %q", d)
		return ""
	}
}

// Do runs fn as one unit of work and ends the test if it fails. In its context the test's own cancellation counts.
func Do(t testing.TB, db *session.DB, fn func(ctx context.Context) error) {
	t.Helper()
	if err := db.Do(t.Context(), fn); err != nil {
		t.Fatalf("the unit of work failed: %v", err)
	}
}

func open(t testing.TB, cfg Config, url string) *session.DB {
	t.Helper()
	c := cfg.Session
	c.URL, c.Connector, c.Drivers = url, nil, drivers()
	c.PoolSize = cmp.Or(c.PoolSize, 2)
	db, err := session.Open(t.Context(), c)
	if err != nil {
		t.Fatalf("open the test database: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the test database: %v", err)
		}
	})
	return db
}

func drivers() []driver.Driver {
	return []driver.Driver{sqlitedriver.New(), pgxdriver.New()}
}

func createTables(ctx context.Context, db *session.DB, entities []any) error {
	if len(entities) == 0 {
		return nil
	}
	return db.Do(ctx, func(ctx context.Context) error { return session.CreateTables(ctx, entities...) })
}

// key identifies a set of entities in this process. Two types may have the same name, but not the same address.
func key(entities []any) string {
	var b strings.Builder
	for _, e := range entities {
		fmt.Fprintf(&b, "%p ", reflect.TypeOf(e))
	}
	return b.String()
}
