package conformance

import (
	"context"
	"database/sql"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// What Bun takes for a connection.
var (
	_ bun.IConn = (*session.Session)(nil)
	_ bun.IConn = bunConn{}
)

type bunBook struct {
	bun.BaseModel `bun:"table:books"`
	ID            int64  `bun:",pk,autoincrement"`
	ISBN          string `bun:"isbn"`
	Title         string
}

// bunConn is the session for Bun on PostgreSQL. Bun writes the arguments into its statements, so that each is a new text,
// and pgx would prepare every one of them.
type bunConn struct{ *session.Session }

func (c bunConn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return c.Session.QueryContext(ctx, query, append([]any{pgx.QueryExecModeExec}, args...)...)
}

func (c bunConn) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return c.Session.QueryRowContext(ctx, query, append([]any{pgx.QueryExecModeExec}, args...)...)
}

// bunLibrary is Bun, whose own pool is never asked for a connection.
type bunLibrary struct {
	db   *bun.DB
	conn func(ctx context.Context) bun.IConn
}

func openBun(t *testing.T, d urututest.Database) library {
	if d == urututest.InPostgres {
		return bunLibrary{
			bun.NewDB(unusedPool(t), pgdialect.New()),
			func(ctx context.Context) bun.IConn { return bunConn{session.From(ctx)} },
		}
	}
	return bunLibrary{
		bun.NewDB(unusedPool(t), sqlitedialect.New()),
		func(ctx context.Context) bun.IConn { return session.From(ctx) },
	}
}

func (l bunLibrary) insert(ctx context.Context, isbn, title string) error {
	_, err := l.db.NewInsert().Conn(l.conn(ctx)).Model(&bunBook{ISBN: isbn, Title: title}).Exec(ctx)
	return err
}

func (l bunLibrary) retitle(ctx context.Context, isbn, title string) error {
	_, err := l.db.NewUpdate().Conn(l.conn(ctx)).Model((*bunBook)(nil)).Set("title = ?", title).Where("isbn = ?", isbn).Exec(ctx)
	return err
}

func (l bunLibrary) titles(ctx context.Context) (titles []string, err error) {
	err = l.db.NewSelect().Conn(l.conn(ctx)).Model((*bunBook)(nil)).Column("title").Order("isbn").Scan(ctx, &titles)
	return titles, err
}

func (l bunLibrary) rows(ctx context.Context) (func() error, error) {
	rows, err := l.db.NewSelect().Conn(l.conn(ctx)).Model((*bunBook)(nil)).Rows(ctx)
	if err != nil {
		return nil, err
	}
	return rows.Close, rows.Err()
}

func (l bunLibrary) commit(ctx context.Context) error {
	_, err := l.db.NewRaw("COMMIT").Conn(l.conn(ctx)).Exec(ctx)
	return err
}

// TestBunPreparesNothing: the statements of Bun, which are all different, leave nothing on PostgreSQL's connection.
func TestBunPreparesNothing(t *testing.T) {
	t.Parallel()
	db := openDB(t, urututest.InPostgres, 1)
	l := openBun(t, urututest.InPostgres)
	urututest.Do(t, db, func(ctx context.Context) error {
		prepared := func() (n int) {
			if err := session.From(ctx).QueryRowContext(ctx, "SELECT count(*) FROM pg_prepared_statements").Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		prepared() // prepares itself
		before := prepared()
		for i := range 10 {
			isbn := strconv.Itoa(i)
			if err := l.insert(ctx, isbn, "title"); err != nil {
				return err
			}
			if err := l.retitle(ctx, isbn, "title "+isbn); err != nil {
				return err
			}
			if _, err := l.titles(ctx); err != nil {
				return err
			}
		}
		if n := prepared(); n != before {
			t.Errorf("%d statements are prepared, %d before", n, before)
		}
		return nil
	})
}
