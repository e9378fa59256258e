package conformance

import (
	"context"
	"errors"
	"testing"

	"github.com/Masterminds/squirrel"

	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// What squirrel takes for a connection.
var (
	_ squirrel.ExecerContext  = (*session.Session)(nil)
	_ squirrel.QueryerContext = (*session.Session)(nil)
)

type squirrelLibrary struct{ squirrel.StatementBuilderType }

func openSquirrel(_ *testing.T, d urututest.Database) library {
	if d == urututest.InPostgres {
		return squirrelLibrary{squirrel.StatementBuilder.PlaceholderFormat(squirrel.Dollar)}
	}
	return squirrelLibrary{squirrel.StatementBuilder}
}

func (l squirrelLibrary) insert(ctx context.Context, isbn, title string) error {
	_, err := squirrel.ExecContextWith(ctx, session.From(ctx), l.Insert("books").Columns("isbn", "title").Values(isbn, title))
	return err
}

func (l squirrelLibrary) retitle(ctx context.Context, isbn, title string) error {
	_, err := squirrel.ExecContextWith(ctx, session.From(ctx), l.Update("books").Set("title", title).Where(squirrel.Eq{"isbn": isbn}))
	return err
}

func (l squirrelLibrary) titles(ctx context.Context) (titles []string, err error) {
	rows, err := squirrel.QueryContextWith(ctx, session.From(ctx), l.Select("title").From("books").OrderBy("isbn"))
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		titles = append(titles, "")
		err = errors.Join(err, rows.Scan(&titles[len(titles)-1]))
	}
	return titles, errors.Join(err, rows.Err(), rows.Close())
}

func (l squirrelLibrary) rows(ctx context.Context) (func() error, error) {
	rows, err := squirrel.QueryContextWith(ctx, session.From(ctx), l.Select("title").From("books"))
	if err != nil {
		return nil, err
	}
	return rows.Close, rows.Err()
}

func (squirrelLibrary) commit(ctx context.Context) error {
	_, err := squirrel.ExecContextWith(ctx, session.From(ctx), squirrel.Expr("COMMIT"))
	return err
}
