package pgxdriver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
)

// New returns the driver for PostgreSQL. It has no state.
func New() driver.Driver { return pgxDriver{} }

type pgxDriver struct{}

// Name returns "postgres".
func (pgxDriver) Name() string { return "postgres" }

// Schemes returns "postgres" and "postgresql".
func (pgxDriver) Schemes() []string { return []string{"postgres", "postgresql"} }

// Open makes a pool and no connection. What it can adopt is a *pgx.ConnConfig, of which it takes a copy, or an *sql.DB
// of pgx's package stdlib.
func (pgxDriver) Open(_ context.Context, cfg driver.Config) (driver.Pool, error) {
	p := &pool{name: cfg.Name, pooler: cfg.Pooler, log: cfg.Logger}
	if p.log == nil {
		p.log = slog.Default()
	}
	switch source := cfg.Adopt.(type) {
	case nil:
		parsed, err := parse(cfg.URL)
		if err != nil {
			return nil, misconfigured(cfg.Name, err)
		}
		p.db, p.dial = openDB(parsed, cfg), parsed
	case *pgx.ConnConfig:
		if source == nil {
			return nil, misconfigured(cfg.Name, errors.New("the *pgx.ConnConfig to adopt is nil"))
		}
		p.dial = source.Copy()
		p.db = openDB(p.dial, cfg)
	case *sql.DB:
		if source == nil {
			return nil, misconfigured(cfg.Name, errors.New("the *sql.DB to adopt is nil"))
		}
		if _, ok := source.Driver().(*stdlib.Driver); !ok {
			return nil, misconfigured(cfg.Name, fmt.Errorf("an *sql.DB of driver %T is not one of pgx", source.Driver()))
		}
		p.db, p.adopted = source, true
	default:
		return nil, misconfigured(cfg.Name, fmt.Errorf("a connector of type %T: neither *sql.DB nor *pgx.ConnConfig", source))
	}
	return p, nil
}

func misconfigured(name string, err error) error {
	return &fault.Error{Kind: fault.Misconfigured, Op: opOpen, Connection: name, Err: err}
}

// parse reads a URL. No error of a parser is passed on: each of them quotes pieces of the URL, and if the password has
// a character in it that should have been escaped, no one can tell which piece it is.
func parse(url string) (*pgx.ConnConfig, error) {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return nil, errors.New("URL: it does not begin with postgres://")
	}
	scheme, _, _ = strings.Cut(strings.ToLower(scheme), "+")
	if scheme != "postgres" && scheme != "postgresql" {
		return nil, errors.New("URL: its scheme is neither postgres nor postgresql")
	}
	cfg, err := pgx.ParseConfig(scheme + "://" + rest)
	if err != nil {
		return nil, errors.New("URL: it cannot be parsed, or an option or a file that it names is wrong; " +
			"special characters in user and password have to be percent-encoded")
	}
	return cfg, nil
}

// openDB makes the *sql.DB of a configuration that is ours to change.
func openDB(pc *pgx.ConnConfig, cfg driver.Config) *sql.DB {
	pc.BuildContextWatcherHandler = contextHandler
	if pc.RuntimeParams == nil {
		pc.RuntimeParams = make(map[string]string)
	}
	if _, ok := pc.RuntimeParams["datestyle"]; !ok {
		pc.RuntimeParams["datestyle"] = "ISO"
	}
	if cfg.Pooler {
		// For statements through the escape hatches: they must not be kept prepared either.
		pc.DefaultQueryExecMode = pgx.QueryExecModeExec
		pc.StatementCacheCapacity, pc.DescriptionCacheCapacity = 0, 0
	}
	db := stdlib.OpenDB(*pc, stdlib.OptionShouldPing(shouldPing), stdlib.OptionResetSession(checkIdle))
	db.SetMaxOpenConns(cfg.MaxOpen)
	db.SetMaxIdleConns(cfg.MaxIdle)
	db.SetConnMaxLifetime(cfg.MaxLifetime)
	return db
}
