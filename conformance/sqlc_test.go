package conformance

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/urutu-go/urutu/conformance/sqlc/pgxbooks"
	"github.com/urutu-go/urutu/conformance/sqlc/postgresbooks"
	"github.com/urutu-go/urutu/conformance/sqlc/sqlitebooks"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// What sqlc takes for a connection.
var (
	_ postgresbooks.DBTX = (*session.Session)(nil)
	_ sqlitebooks.DBTX   = (*session.Session)(nil)
)

// sqlcPostgres is sqlc's code for database/sql and PostgreSQL.
type sqlcPostgres struct {
	queries func(ctx context.Context) (*postgresbooks.Queries, error)
}

// sqlcSQLite is the same for SQLite.
type sqlcSQLite struct {
	queries func(ctx context.Context) (*sqlitebooks.Queries, error)
}

func openSQLC(_ *testing.T, d urututest.Database) library {
	if d == urututest.InPostgres {
		return sqlcPostgres{func(ctx context.Context) (*postgresbooks.Queries, error) {
			return postgresbooks.New(session.From(ctx)), nil
		}}
	}
	return sqlcSQLite{func(ctx context.Context) (*sqlitebooks.Queries, error) {
		return sqlitebooks.New(session.From(ctx)), nil
	}}
}

// openSQLCPrepared is sqlc with emit_prepared_queries.
func openSQLCPrepared(_ *testing.T, d urututest.Database) library {
	if d == urututest.InPostgres {
		return sqlcPostgres{func(ctx context.Context) (*postgresbooks.Queries, error) {
			return postgresbooks.Prepare(ctx, session.From(ctx))
		}}
	}
	return sqlcSQLite{func(ctx context.Context) (*sqlitebooks.Queries, error) {
		return sqlitebooks.Prepare(ctx, session.From(ctx))
	}}
}

func (l sqlcPostgres) insert(ctx context.Context, isbn, title string) error {
	q, err := l.queries(ctx)
	if err != nil {
		return err
	}
	_, err = q.InsertBook(ctx, postgresbooks.InsertBookParams{Isbn: isbn, Title: title})
	return err
}

func (l sqlcPostgres) retitle(ctx context.Context, isbn, title string) error {
	q, err := l.queries(ctx)
	if err != nil {
		return err
	}
	_, err = q.RetitleBook(ctx, postgresbooks.RetitleBookParams{Isbn: isbn, Title: title})
	return err
}

func (l sqlcPostgres) titles(ctx context.Context) ([]string, error) {
	q, err := l.queries(ctx)
	if err != nil {
		return nil, err
	}
	return q.Titles(ctx)
}

func (sqlcPostgres) rows(ctx context.Context) (func() error, error) { return plainRows(ctx) }
func (sqlcPostgres) commit(ctx context.Context) error               { return plainCommit(ctx) }

func (l sqlcSQLite) insert(ctx context.Context, isbn, title string) error {
	q, err := l.queries(ctx)
	if err != nil {
		return err
	}
	_, err = q.InsertBook(ctx, sqlitebooks.InsertBookParams{Isbn: isbn, Title: title})
	return err
}

func (l sqlcSQLite) retitle(ctx context.Context, isbn, title string) error {
	q, err := l.queries(ctx)
	if err != nil {
		return err
	}
	_, err = q.RetitleBook(ctx, sqlitebooks.RetitleBookParams{Isbn: isbn, Title: title})
	return err
}

func (l sqlcSQLite) titles(ctx context.Context) ([]string, error) {
	q, err := l.queries(ctx)
	if err != nil {
		return nil, err
	}
	return q.Titles(ctx)
}

func (sqlcSQLite) rows(ctx context.Context) (func() error, error) { return plainRows(ctx) }
func (sqlcSQLite) commit(ctx context.Context) error               { return plainCommit(ctx) }

// sqlcPgx is sqlc's code for pgx. It gets the connection of pgx for the time of a function, and may do as much in one as
// it likes.
type sqlcPgx struct{}

func openSQLCPgx(_ *testing.T, d urututest.Database) library {
	if d != urututest.InPostgres {
		return nil
	}
	return sqlcPgx{}
}

// withPgx runs f with sqlc's queries on the connection of pgx below the session's.
func withPgx(ctx context.Context, f func(q *pgxbooks.Queries) error) error {
	return session.From(ctx).Raw(ctx, func(conn any) error { return f(pgxbooks.New(conn.(*stdlib.Conn).Conn())) })
}

func (sqlcPgx) insert(ctx context.Context, isbn, title string) error {
	return withPgx(ctx, func(q *pgxbooks.Queries) error {
		_, err := q.InsertBook(ctx, pgxbooks.InsertBookParams{Isbn: isbn, Title: title})
		return err
	})
}

func (sqlcPgx) retitle(ctx context.Context, isbn, title string) error {
	return withPgx(ctx, func(q *pgxbooks.Queries) error {
		_, err := q.RetitleBook(ctx, pgxbooks.RetitleBookParams{Isbn: isbn, Title: title})
		return err
	})
}

func (sqlcPgx) titles(ctx context.Context) (titles []string, err error) {
	err = withPgx(ctx, func(q *pgxbooks.Queries) error {
		titles, err = q.Titles(ctx)
		return err
	})
	return titles, err
}

func (sqlcPgx) rows(ctx context.Context) (func() error, error) { return plainRows(ctx) }
func (sqlcPgx) commit(ctx context.Context) error               { return plainCommit(ctx) }

// TestPgxIsInTheTransaction: what only pgx can do is a part of the unit like everything else.
func TestPgxIsInTheTransaction(t *testing.T) {
	t.Parallel()
	f := &fixture{openDB(t, urututest.InPostgres, 1), sqlcPgx{}, urututest.InPostgres}
	copyBooks := func(ctx context.Context) error {
		must(t, session.Add(ctx, &Book{ISBN: "1", Title: "session"}))
		return session.From(ctx).Raw(ctx, func(conn any) error {
			rows := pgx.CopyFromRows([][]any{{"2", "copied"}, {"3", "copied too"}})
			_, err := conn.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{"books"}, []string{"isbn", "title"}, rows)
			return err
		})
	}
	f.undo(t, copyBooks)
	f.wantDurable(t)
	f.do(t, copyBooks)
	f.wantDurable(t, "session", "copied", "copied too")
}

// TestPgxCommitIsFound: pgx's Begin inside of a transaction begins nothing, and its Commit ends the session's. That cannot
// be prevented, but neither is it taken for success.
func TestPgxCommitIsFound(t *testing.T) {
	t.Parallel()
	f := &fixture{openDB(t, urututest.InPostgres, 1), sqlcPgx{}, urututest.InPostgres}
	err := f.Do(t.Context(), func(ctx context.Context) error {
		must(t, session.From(ctx).Raw(ctx, func(conn any) error {
			return pgx.BeginFunc(ctx, conn.(*stdlib.Conn).Conn(), func(tx pgx.Tx) error {
				_, err := pgxbooks.New(tx).InsertBook(ctx, pgxbooks.InsertBookParams{Isbn: "1", Title: "gone its own way"})
				return err
			})
		}))
		wantFault(t, f.insert(ctx, "2", "by itself"), fault.SessionFailed)
		return nil
	})
	wantFault(t, err, fault.SessionFailed)
	f.wantDurable(t, "gone its own way")
}
