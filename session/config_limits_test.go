package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
)

// Slow is a view that takes longer than any test waits.
type Slow struct {
	entity.Table `db:"table:slow"`
	ID           int64  `db:"id,pk"`
	Name         string `db:"name"`
}

// Slept is the same for one that is fast enough.
type Slept struct {
	entity.Table `db:"table:slept"`
	ID           int64  `db:"id,pk"`
	Name         string `db:"name"`
}

// both calls test with options that are those of the operation, and with a connection whose own options are the same.
func both(t *testing.T, f *fixture, c session.Config, o uow.Options, test func(t *testing.T, what string, db *session.DB, o uow.Options)) {
	t.Helper()
	test(t, "per operation", f.DB, o)
	cfg := f.config()
	cfg.Drivers = []driver.Driver{f.backend.driver()}
	cfg.StatementTimeout, cfg.LockTimeout, cfg.Isolation, cfg.ReadOnly = c.StatementTimeout, c.LockTimeout, c.Isolation, c.ReadOnly
	test(t, "per connection", openConfig(t, cfg), uow.Options{})
}

func TestPromise37_statement_timeout(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f := open(t, b)
		slow, fast := "SELECT 1 AS id, pg_sleep(%)::text AS name", "SELECT 1::bigint AS id, 'x' AS name"
		if b.name == "sqlite" {
			slow = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < %000000000) SELECT count(*) AS id, 'x' AS name FROM c"
			fast = "SELECT 1 AS id, 'x' AS name"
		}
		f.do(t, func(ctx context.Context) error {
			_, err1 := session.From(ctx).ExecContext(ctx, "CREATE VIEW slow AS "+strings.Replace(slow, "%", "100", 1))
			_, err2 := session.From(ctx).ExecContext(ctx, "CREATE VIEW slept AS "+fast)
			return errors.Join(err1, err2)
		})
		const limit = 50 * time.Millisecond
		limited := func(t *testing.T, what string, db *session.DB, o uow.Options) {
			for where, unit := range map[string]func(ctx context.Context) error{
				"by itself": func(ctx context.Context) error { return ignore(session.Find[Slow](ctx)) },
				"in a transaction": func(ctx context.Context) error {
					return errors.Join(session.Add(ctx, &Parent{}), session.Flush(ctx), ignore(session.Find[Slow](ctx)))
				},
				"in a savepoint": func(ctx context.Context) error {
					return session.Nested(ctx, func(ctx context.Context) error {
						return errors.Join(session.Add(ctx, &Parent{}), session.Flush(ctx), ignore(session.Find[Slow](ctx)))
					})
				},
			} {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				start := time.Now()
				err := db.Do(ctx, unit, o)
				if !errors.Is(err, fault.StatementTimeout) || time.Since(start) < limit || ctx.Err() != nil {
					t.Errorf("%s, %s: after %s: %v", what, where, time.Since(start), err)
				}
				cancel()
			}
			// Each statement has the time for itself, and the connection has none of it left behind.
			must(t, db.Do(t.Context(), func(ctx context.Context) error { return ignore(session.Find[Slept](ctx)) }, o))
		}
		both(t, f, session.Config{StatementTimeout: limit}, uow.Options{StatementTimeout: limit}, limited)
		if n := count[Parent](t, f); n > 0 {
			t.Errorf("%d rows are left", n)
		}
		expectUnlimited(t, f)
	})
}

// expectUnlimited checks that no timeout of an operation is left on the connections of the pool.
func expectUnlimited(t *testing.T, f *fixture) {
	t.Helper()
	if f.backend.name != "postgres" {
		return // the driver keeps them, and knows when a transaction ends
	}
	f.do(t, func(ctx context.Context) error {
		var statement, lock, isolation, readOnly string
		err := session.From(ctx).QueryRowContext(ctx, "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'), "+
			"current_setting('transaction_isolation'), current_setting('transaction_read_only')").
			Scan(&statement, &lock, &isolation, &readOnly)
		if statement != "0" || lock != "0" || isolation != "read committed" || readOnly != "off" {
			t.Errorf("left behind: %s %s %s %s", statement, lock, isolation, readOnly)
		}
		return err
	})
}

func TestPromise37_lock_timeout(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f := open(t, b)
		cfg := f.config()
		cfg.Drivers = []driver.Driver{b.driver()}
		holder := openConfig(t, cfg) // another program, as it were
		u := &User{Name: "Ann"}
		f.do(t, func(ctx context.Context) error { return session.Add(ctx, u) })
		rename := func(ctx context.Context) error {
			loaded, err := session.Get[User](ctx, u.ID)
			if err == nil {
				loaded.Name += "!"
			}
			return errors.Join(err, session.Flush(ctx))
		}
		const limit = 50 * time.Millisecond
		limited := func(t *testing.T, what string, db *session.DB, o uow.Options) {
			must(t, holder.Do(t.Context(), func(ctx context.Context) error {
				if err := rename(ctx); err != nil {
					return err
				}
				start := time.Now()
				bounded, cancel := context.WithTimeout(t.Context(), 20*time.Second) // its lock is not freed before it ends
				defer cancel()
				err := db.Do(bounded, rename, o)
				if took := time.Since(start); !errors.Is(err, fault.LockTimeout) || took < limit || took > 5*time.Second {
					t.Errorf("%s: after %s: %v", what, took, err)
				}
				return nil
			}))
			must(t, db.Do(t.Context(), rename, o)) // now that it is free
		}
		both(t, f, session.Config{LockTimeout: limit}, uow.Options{LockTimeout: limit}, limited)
		if now := row[User](t, f, u.ID); now.Name != "Ann!!!!" {
			t.Errorf("the name is %q", now.Name)
		}
		expectUnlimited(t, f)
	})
}

// TestPromise37_isolation: under REPEATABLE READ and above a unit sees one state of the database, under READ COMMITTED each
// statement its own.
func TestPromise37_isolation(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f := open(t, b)
		for level, snapshot := range map[uow.Isolation]bool{
			uow.DefaultIsolation: false, uow.ReadCommitted: false, uow.RepeatableRead: true, uow.Serializable: true,
		} {
			sees := func(t *testing.T, what string, db *session.DB, o uow.Options) {
				o.ReadOnly = true // SQLite's other transactions would wait for one that may write
				must(t, db.Do(t.Context(), func(ctx context.Context) error {
					before, err1 := session.Count[Parent](ctx)
					f.do(t, func(ctx context.Context) error { return session.Add(ctx, &Parent{}) })
					after, err2 := session.Count[Parent](ctx)
					if (before == after) != snapshot {
						t.Errorf("%s, %s: %d rows, then %d", level, what, before, after)
					}
					expectIsolation(t, ctx, b, what, level)
					return errors.Join(err1, err2)
				}, o))
			}
			both(t, f, session.Config{Isolation: level}, uow.Options{Isolation: level}, sees)
		}
		// An operation's level wins over the connection's.
		f = open(t, b, func(c *session.Config) { c.Isolation = uow.Serializable })
		must(t, f.Do(t.Context(), func(ctx context.Context) error {
			expectIsolation(t, ctx, b, "both", uow.RepeatableRead)
			return nil
		}, uow.Options{Isolation: uow.RepeatableRead}))
		expectUnlimited(t, open(t, b))
	})
}

// expectIsolation asks PostgreSQL which level the transaction has.
func expectIsolation(t *testing.T, ctx context.Context, b backend, what string, want uow.Isolation) {
	t.Helper()
	if b.name != "postgres" {
		return
	}
	var level string
	must(t, session.From(ctx).QueryRowContext(ctx, "SHOW transaction_isolation").Scan(&level))
	if !strings.EqualFold(level, want.String()) {
		t.Errorf("%s: the level is %s, not %s", what, level, want)
	}
}

// TestPromise37_read_only: the session refuses to write before any SQL, and the database whatever gets past it.
func TestPromise37_read_only(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f := open(t, b)
		u := &User{Name: "Ann", Email: "ann"}
		f.do(t, func(ctx context.Context) error { return session.Add(ctx, u) })
		refused := func(t *testing.T, what string, db *session.DB, o uow.Options) {
			loaded := func(ctx context.Context) *User {
				loaded, err := session.Get[User](ctx, u.ID)
				must(t, err)
				return loaded
			}
			for how, write := range map[string]func(ctx context.Context) error{
				"add":    func(ctx context.Context) error { return session.Add(ctx, &User{Email: "new"}) },
				"change": func(ctx context.Context) error { loaded(ctx).Name = "changed"; return nil },
				"delete": func(ctx context.Context) error { return session.Delete(ctx, loaded(ctx)) },
			} {
				if err := db.Do(t.Context(), write, o); !errors.Is(err, fault.ReadOnly) {
					t.Errorf("%s, %s: %v", what, how, err)
				}
			}
			err := db.Do(t.Context(), func(ctx context.Context) error {
				_, err := session.From(ctx).ExecContext(ctx, "DELETE FROM users")
				return err
			}, o)
			if err == nil {
				t.Errorf("%s: raw SQL has written", what)
			}
			must(t, db.Do(t.Context(), func(ctx context.Context) error { // reading is all right
				_, err := session.Find[User](ctx)
				return errors.Join(err, session.From(ctx).QueryRowContext(ctx, "SELECT count(*) FROM users").Scan(new(int)))
			}, o))
		}
		both(t, f, session.Config{ReadOnly: true}, uow.Options{ReadOnly: true}, refused)
		if now := row[User](t, f, u.ID); count[User](t, f) != 1 || now.Name != "Ann" {
			t.Errorf("left %d rows, and %+v", count[User](t, f), now)
		}
		f.do(t, func(ctx context.Context) error { return session.Add(ctx, &User{Email: "afterwards"}) })
		expectUnlimited(t, f)
	})
}
