package sqlitedriver

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"

	"modernc.org/sqlite"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
)

// New returns the driver. It is safe for concurrent use. The first call in a process registers the function urutu_fold
// and the collation urutu_decimal with the SQLite package, for connections opened after it.
func New() driver.Driver { return sqliteDriver{registered: register()} }

type sqliteDriver struct {
	registered error // what became of registering function and collation, reported by Open
}

var _ driver.Driver = sqliteDriver{}

// Name returns "sqlite".
func (sqliteDriver) Name() string { return "sqlite" }

// Schemes returns "sqlite" and "sqlite3".
func (sqliteDriver) Schemes() []string { return []string{"sqlite", "sqlite3"} }

// Open makes the database's file where there is none, and connects to nothing.
func (d sqliteDriver) Open(_ context.Context, cfg driver.Config) (driver.Pool, error) {
	if d.registered != nil {
		return nil, misconfigured(cfg.Name, d.registered)
	}
	if cfg.Adopt != nil {
		db, ok := cfg.Adopt.(*sql.DB)
		if !ok || db == nil {
			return nil, misconfigured(cfg.Name, fmt.Errorf("a %T cannot be adopted, only an *sql.DB", cfg.Adopt))
		}
		if _, ok := db.Driver().(*sqlite.Driver); !ok {
			return nil, misconfigured(cfg.Name, fmt.Errorf("an *sql.DB of %T is not one of SQLite", db.Driver()))
		}
		return adopt(db), nil
	}
	loc, err := parseURL(cfg.URL)
	if err != nil {
		return nil, misconfigured(cfg.Name, err)
	}
	dir, err := loc.create()
	if err != nil {
		return nil, misconfigured(cfg.Name, err)
	}
	pool, err := open(cfg, loc, dir)
	if err != nil {
		return nil, misconfigured(cfg.Name, err)
	}
	return pool, nil
}

// create makes the database's file, and the directory that is removed at Close where the location is private. SQLite
// itself would make the file readable to others; the files that it puts beside it take over the mode of this one.
func (l *location) create() (dir string, err error) {
	if l.memory {
		if dir, err = os.MkdirTemp("", "urutu-sqlite-"); err != nil {
			return "", err
		}
		l.path = filepath.Join(dir, "memory.db")
	} else if l.path, err = filepath.Abs(l.path); err != nil {
		return "", err
	}
	// A file that exists is not opened here: closing it would drop the locks that this process has on it elsewhere.
	file, err := os.OpenFile(l.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if os.IsExist(err) {
		return dir, nil
	}
	if err == nil {
		err = file.Close()
	}
	if err != nil && dir != "" {
		_ = os.RemoveAll(dir)
	}
	return dir, err
}

func misconfigured(connection string, err error) error {
	return &fault.Error{Kind: fault.Misconfigured, Op: "sqlitedriver.Open", Connection: connection, Err: err}
}
