package conformance

import (
	"context"
	"database/sql/driver"
	"errors"
	"testing"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"

	"github.com/urutu-go/urutu/conformance/ent"
	"github.com/urutu-go/urutu/conformance/ent/book"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// What Ent takes for a connection.
var (
	_ entsql.ExecQuerier = (*session.Session)(nil)
	_ dialect.Driver     = entDriver{}
)

// entDriver is Ent's driver over a session. What Ent does in a transaction, it does in the session's: to commit it leaves
// it to the session, and to roll it back fails the session, so that the unit, or the savepoint, is undone as a whole.
type entDriver struct {
	dialect.Driver
	session *session.Session
}

func newEntDriver(dialect string, s *session.Session) entDriver {
	return entDriver{entsql.NewDriver(dialect, entsql.Conn{ExecQuerier: s}), s}
}

func (d entDriver) Tx(ctx context.Context) (dialect.Tx, error) { return entTx{d, ctx}, nil }
func (d entDriver) Close() error                               { return nil }

// entTx is a transaction of Ent's. Ent ends one without a context.
type entTx struct {
	entDriver
	ctx context.Context //nolint:containedctx // driver.Tx has none
}

var (
	_                   driver.Tx = entTx{}
	errEntHasRolledBack           = errors.New("a transaction of Ent's was rolled back")
)

func (entTx) Commit() error { return nil }

func (t entTx) Rollback() error {
	err := t.session.Raw(t.ctx, func(any) error { return errEntHasRolledBack })
	if errors.Is(err, errEntHasRolledBack) || errors.Is(err, fault.SessionFailed) {
		return nil
	}
	return err
}

type entLibrary struct{ dialect string }

func openEnt(_ *testing.T, d urututest.Database) library {
	if d == urututest.InPostgres {
		return entLibrary{dialect.Postgres}
	}
	return entLibrary{dialect.SQLite}
}

func (l entLibrary) client(ctx context.Context) *ent.Client {
	return ent.NewClient(ent.Driver(newEntDriver(l.dialect, session.From(ctx))))
}

func (l entLibrary) insert(ctx context.Context, isbn, title string) error {
	return l.client(ctx).Book.Create().SetIsbn(isbn).SetTitle(title).Exec(ctx)
}

func (l entLibrary) retitle(ctx context.Context, isbn, title string) error {
	return l.client(ctx).Book.Update().Where(book.Isbn(isbn)).SetTitle(title).Exec(ctx)
}

func (l entLibrary) titles(ctx context.Context) ([]string, error) {
	return l.client(ctx).Book.Query().Order(book.ByIsbn()).Select(book.FieldTitle).Strings(ctx)
}

func (l entLibrary) rows(ctx context.Context) (func() error, error) { return plainRows(ctx) }

func (l entLibrary) commit(ctx context.Context) error {
	tx, err := l.client(ctx).Tx(ctx)
	if err != nil {
		return err
	}
	return tx.Commit()
}

// TestEntWritesInATransactionOfItsOwn: several statements that belong together are one transaction to Ent. Here they are
// a part of the session's.
func TestEntWritesInATransactionOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, d := range urututest.Databases() {
		db := openDB(t, d, 1)
		l := openEnt(t, d).(entLibrary)
		graph := func(ctx context.Context) error {
			client := l.client(ctx)
			one, err := client.Book.Create().SetIsbn("1").SetTitle("one").Save(ctx)
			if err != nil {
				return err
			}
			return client.Author.Create().SetName("Ann").AddBooks(one).Exec(ctx)
		}
		stop := errors.New("stop")
		err := db.Do(t.Context(), func(ctx context.Context) error { return errors.Join(graph(ctx), stop) })
		if !errors.Is(err, stop) || errors.Unwrap(err) != nil {
			t.Errorf("%s: %v", d, err)
		}
		urututest.Do(t, db, graph)
		urututest.Do(t, db, func(ctx context.Context) error {
			n, err := l.client(ctx).Book.Query().Where(book.HasAuthor()).Count(ctx)
			if n != 1 {
				t.Errorf("%s: %d books have an author", d, n)
			}
			return err
		})
	}
}

// TestEntRollsBackTheSession: what Ent has rolled back is not committed, also where nobody says that it failed.
func TestEntRollsBackTheSession(t *testing.T) {
	t.Parallel()
	for _, d := range urututest.Databases() {
		db := openDB(t, d, 1)
		l := openEnt(t, d).(entLibrary)
		rolledBack := func(ctx context.Context) error {
			tx, err := l.client(ctx).Tx(ctx)
			if err != nil {
				return err
			}
			return errors.Join(tx.Book.Create().SetIsbn("1").SetTitle("one").Exec(ctx), tx.Rollback())
		}
		if err := db.Do(t.Context(), rolledBack); !errors.Is(err, fault.SessionFailed) {
			t.Errorf("%s: the unit ended with %v", d, err)
		}
		urututest.Do(t, db, func(ctx context.Context) error {
			if err := session.Nested(ctx, rolledBack); !errors.Is(err, fault.SessionFailed) {
				t.Errorf("%s: the savepoint ended with %v", d, err)
			}
			n, err := session.Count[Book](ctx)
			if n != 0 {
				t.Errorf("%s: %d books are left", d, n)
			}
			return err
		})
	}
}
