package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
)

// database is a database for one run.
type database struct {
	url string
	// connections asks the server how many connections to the database there are.
	connections func(ctx context.Context) (int, error)
	drop        func()
}

func makeDatabase(ctx context.Context, name string) (database, error) {
	switch name {
	case "sqlite":
		return makeSQLite()
	case "postgres":
		return makePostgres(ctx)
	default:
		return database{}, fmt.Errorf("unknown database %q", name)
	}
}

func makeSQLite() (database, error) {
	dir, err := os.MkdirTemp("", "urutu-load-")
	return database{
		url:         "sqlite:///" + filepath.ToSlash(filepath.Join(dir, "shop.db")),
		connections: func(context.Context) (int, error) { return 0, nil },
		drop:        func() { _ = os.RemoveAll(dir) },
	}, err
}

func makePostgres(ctx context.Context) (database, error) {
	server := cmp.Or(os.Getenv("URUTU_TEST_POSTGRES"), "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable")
	address, err := url.Parse(server)
	if err != nil {
		return database{}, fmt.Errorf("URUTU_TEST_POSTGRES is not a URL")
	}
	name := fmt.Sprintf("urutu_load_%d", time.Now().UnixNano())
	if err := execute(ctx, server, "CREATE DATABASE "+name); err != nil {
		return database{}, err
	}
	address.Path = "/" + name
	return database{
		url: address.String(),
		connections: func(ctx context.Context) (n int, err error) {
			conn, err := pgx.Connect(ctx, server)
			if err != nil {
				return 0, err
			}
			defer closeQuietly(conn)
			const query = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'"
			err = conn.QueryRow(ctx, query, name).Scan(&n)
			return n, err
		},
		drop: func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			if err := execute(ctx, server, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
				fmt.Fprintln(os.Stderr, "drop the database:", err)
			}
		},
	}, nil
}

func execute(ctx context.Context, server, sql string) error {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer closeQuietly(conn)
	_, err = conn.Exec(ctx, sql)
	return err
}

func closeQuietly(conn *pgx.Conn) { _ = conn.Close(context.Background()) }
