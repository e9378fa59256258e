package conformance

import (
	"context"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// What sqlx takes for a connection. Of its statements Get and Select are at hand, of its functions those that need no
// more than that: Named, In, Rebind, StructScan.
var (
	_ sqlx.ExecerContext   = (*session.Session)(nil)
	_ sqlx.PreparerContext = (*session.Session)(nil)
)

type sqlxLibrary struct{ bindType int }

type sqlxBook struct {
	ISBN  string `db:"isbn"`
	Title string `db:"title"`
}

func openSqlx(_ *testing.T, d urututest.Database) library {
	if d == urututest.InPostgres {
		return sqlxLibrary{sqlx.DOLLAR}
	}
	return sqlxLibrary{sqlx.QUESTION}
}

// named runs a statement with named parameters.
func (l sqlxLibrary) named(ctx context.Context, query string, book sqlxBook) error {
	query, args, err := sqlx.Named(query, book)
	if err != nil {
		return err
	}
	_, err = session.From(ctx).ExecContext(ctx, sqlx.Rebind(l.bindType, query), args...)
	return err
}

func (l sqlxLibrary) insert(ctx context.Context, isbn, title string) error {
	return l.named(ctx, "INSERT INTO books (isbn, title) VALUES (:isbn, :title)", sqlxBook{isbn, title})
}

func (l sqlxLibrary) retitle(ctx context.Context, isbn, title string) error {
	return l.named(ctx, "UPDATE books SET title = :title WHERE isbn = :isbn", sqlxBook{isbn, title})
}

func (sqlxLibrary) titles(ctx context.Context) (titles []string, err error) {
	stmt, err := sqlx.PreparexContext(ctx, session.From(ctx), "SELECT title FROM books ORDER BY isbn")
	if err != nil {
		return nil, err
	}
	err = stmt.SelectContext(ctx, &titles)
	return titles, err
}

func (sqlxLibrary) rows(ctx context.Context) (func() error, error) {
	stmt, err := sqlx.PreparexContext(ctx, session.From(ctx), "SELECT isbn, title FROM books")
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryxContext(ctx)
	if err != nil {
		return nil, err
	}
	if !rows.Next() {
		return rows.Close, rows.Err()
	}
	return rows.Close, rows.StructScan(new(sqlxBook))
}

func (sqlxLibrary) commit(ctx context.Context) error { return plainCommit(ctx) }

// TestSqlxScansRowsOfTheSession: rows of the session's are scanned into structs.
func TestSqlxScansRowsOfTheSession(t *testing.T) {
	t.Parallel()
	for _, d := range urututest.Databases() {
		db := openDB(t, d, 1)
		urututest.Do(t, db, func(ctx context.Context) error {
			if err := session.Add(ctx, &Book{ISBN: "1", Title: "one"}, &Book{ISBN: "2", Title: "two"}); err != nil {
				return err
			}
			rows, err := session.From(ctx).QueryContext(ctx, "SELECT isbn, title FROM books ORDER BY isbn")
			if err != nil {
				return err
			}
			var all []sqlxBook
			if err := sqlx.StructScan(rows, &all); err != nil {
				return err
			}
			if len(all) != 2 || all[0] != (sqlxBook{"1", "one"}) || all[1] != (sqlxBook{"2", "two"}) {
				t.Errorf("%s: %v", d, all)
			}
			return nil
		})
	}
}
