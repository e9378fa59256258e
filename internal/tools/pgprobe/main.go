// Command pgprobe exits with 0 if the PostgreSQL server at the given URL lets us in and lets us create databases, which
// is what the tests need. It says why not otherwise, without the password.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: pgprobe postgres://...")
		os.Exit(2)
	}
	if err := probe(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "pgprobe:", err)
		os.Exit(1)
	}
}

func probe(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // the process ends here
	var may bool
	const query = `SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user`
	if err := conn.QueryRow(ctx, query).Scan(&may); err != nil {
		return err
	}
	if !may {
		return errors.New("the role may not create databases")
	}
	return nil
}
