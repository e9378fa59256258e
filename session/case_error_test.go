package session_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/value"
)

func case063(t *testing.T, b backend) {
	f := open(t, b)
	taken := &User{Email: "taken"}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, taken) })
	good := &User{Email: "free"}
	failFlush := func(ctx context.Context) error {
		loaded, err := session.Get[User](ctx, taken.ID)
		if err != nil {
			return err
		}
		loaded.Name = "changed"
		if err := session.Add(ctx, good, &User{Email: "taken"}); err != nil {
			return err
		}
		if err := session.Flush(ctx); !errors.Is(err, fault.Unique) {
			t.Errorf("the flush: %v", err)
		}
		return nil
	}
	err := f.Do(t.Context(), func(ctx context.Context) error {
		if err := failFlush(ctx); err != nil {
			return err
		}
		f.reset()
		for verb, err := range everyVerb(ctx, taken) {
			if !errors.Is(err, fault.SessionFailed) || !errors.Is(err, fault.Unique) {
				t.Errorf("%s in a failed session: %v", verb, err)
			}
		}
		if len(f.trips()) > 0 {
			t.Errorf("a failed session sent %v", f.trips())
		}
		return nil // the error is swallowed
	})
	if !errors.Is(err, fault.SessionFailed) || !errors.Is(err, fault.Unique) {
		t.Errorf("the unit: %v", err)
	}
	if now := row[User](t, f, taken.ID); count[User](t, f) != 1 || now.Name != "" {
		t.Errorf("the failed flush left %d rows, and %+v", count[User](t, f), now)
	}
	f.do(t, func(ctx context.Context) error { // a rollback makes it usable again
		if err := failFlush(ctx); err != nil {
			return err
		}
		return errors.Join(session.Rollback(ctx), session.Add(ctx, good))
	})
	if n := count[User](t, f); n != 2 {
		t.Errorf("%d rows", n)
	}
}

// everyVerb calls every verb but Rollback.
func everyVerb(ctx context.Context, u *User) map[string]error {
	errs := map[string]error{}
	only := func(_ any, err error) error { return err }
	s := session.From(ctx)
	errs["Add"] = session.Add(ctx, &User{})
	errs["Delete"] = session.Delete(ctx, u)
	errs["Expunge"] = session.Expunge(ctx, u)
	errs["Get"] = only(session.Get[User](ctx, u.ID))
	_, _, errs["Lookup"] = session.Lookup[User](ctx, u.ID)
	_, _, errs["GetMany"] = session.GetMany[User](ctx, u.ID)
	errs["Find"] = only(session.Find[User](ctx))
	errs["First"] = only(session.First[User](ctx))
	errs["Count"] = only(session.Count[User](ctx))
	errs["Exists"] = only(session.Exists[User](ctx))
	errs["Page"] = only(session.Page[User](ctx, query.PageRequest{}))
	errs["Merge"] = only(session.Merge(ctx, &User{}))
	errs["Refresh"] = session.Refresh(ctx, u)
	errs["Contains"] = only(session.Contains(ctx, u))
	errs["StateOf"] = only(session.StateOf(ctx, u))
	errs["IsModified"] = only(session.IsModified(ctx, u))
	errs["Flush"] = session.Flush(ctx)
	errs["Commit"] = session.Commit(ctx)
	errs["Nested"] = session.Nested(ctx, func(context.Context) error { return nil })
	errs["Stage"] = session.Stage(ctx, session.Rows{Table: "users", Columns: []dialect.Column{{Name: "id", Type: value.TypeUUID}}})
	errs["OnFlush"] = session.OnFlush(ctx, session.FlushHooks{})
	errs["CreateTables"] = session.CreateTables(ctx, (*User)(nil))
	errs["ExecContext"] = only(s.ExecContext(ctx, "SELECT 1"))
	errs["QueryContext"] = only(s.QueryContext(ctx, "SELECT 1"))
	errs["QueryRowContext"] = s.QueryRowContext(ctx, "SELECT 1").Scan(new(int))
	errs["PrepareContext"] = only(s.PrepareContext(ctx, "SELECT 1"))
	errs["Raw"] = s.Raw(ctx, func(any) error { return nil })
	return errs
}

// Strict is an entity whose table refuses more than its fields say; openStrict makes that by hand.
type Strict struct {
	entity.Identifiable
	Name *string
	Age  int `db:"age"`
}

func openStrict(t *testing.T, b backend) *fixture {
	t.Helper()
	f := open(t, b)
	id := "TEXT"
	if b.name == "postgres" {
		id = "uuid"
	}
	f.do(t, func(ctx context.Context) error {
		_, err := session.From(ctx).ExecContext(ctx, "CREATE TABLE stricts (id "+id+" PRIMARY KEY, name text NOT NULL, "+
			"age bigint, CONSTRAINT stricts_age_check CHECK (age >= 0))")
		return err
	})
	return f
}

func case064(t *testing.T, b backend) {
	f := openStrict(t, b)
	taken := &User{Email: "taken"}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, taken) })
	name := "Ann"
	for what, c := range map[string]struct {
		add  func(ctx context.Context) (key uuid.UUID, err error)
		want fault.Error
		code string // on PostgreSQL and on SQLite
	}{
		"unique": {
			adding(&User{Email: "taken"}), fault.Error{
				Kind: fault.Unique, Entity: "session_test.User", Table: "users", Constraint: "users_email_key", Columns: []string{"email"},
			}, "23505 2067",
		},
		"primary key": {
			adding(&User{Identifiable: taken.Identifiable, Email: "free"}), fault.Error{
				Kind: fault.Unique, Entity: "session_test.User", Table: "users", Constraint: "users_pkey", Columns: []string{"id"},
			}, "23505 1555",
		},
		"foreign key": {
			adding(&Child{ParentID: uuid.New()}), fault.Error{
				Kind: fault.ForeignKey, Entity: "session_test.Child", Table: "childs",
				Constraint: "childs_parent_id_fkey", Columns: []string{"parent_id"},
			}, "23503 787",
		},
		"not null": {
			adding(&Strict{}), fault.Error{
				Kind: fault.NotNull, Entity: "session_test.Strict", Table: "stricts", Columns: []string{"name"},
			}, "23502 1299",
		},
		"check": {
			adding(&Strict{Name: &name, Age: -1}), fault.Error{
				Kind: fault.Check, Entity: "session_test.Strict", Table: "stricts", Constraint: "stricts_age_check",
			}, "23514 275",
		},
	} {
		var key uuid.UUID
		err := f.Do(t.Context(), func(ctx context.Context) (err error) {
			key, err = c.add(ctx)
			return errors.Join(err, session.Flush(ctx))
		})
		c.want.Op, c.want.Connection, c.want.Key = "session.Flush", "default", key.String()
		postgres, sqlite, _ := strings.Cut(c.code, " ")
		if c.want.Code = sqlite; b.name == "postgres" {
			c.want.Code = postgres
		} else if c.want.Kind == fault.ForeignKey {
			c.want.Constraint, c.want.Columns = "", nil // SQLite does not say which
		}
		expectError(t, what, err, &c.want)
	}
}

// adding adds an object with a new key, unless it has one, and returns the key.
func adding[T any](obj *T) func(ctx context.Context) (uuid.UUID, error) {
	return func(ctx context.Context) (uuid.UUID, error) {
		err := session.Add(ctx, obj)
		return reflect.ValueOf(obj).Elem().FieldByName("ID").Interface().(uuid.UUID), err
	}
}

// expectError compares everything in an error but its message and cause, and looks for the driver's own error.
func expectError(t *testing.T, what string, err error, want *fault.Error) {
	t.Helper()
	var got *fault.Error
	if !errors.As(err, &got) {
		t.Errorf("%s: %v", what, err)
		return
	}
	plain := *got
	plain.Message, plain.Err = "", nil
	if !reflect.DeepEqual(&plain, want) { //nolint:govet // no cause is left in either
		t.Errorf("%s:\n got %#v\nwant %#v", what, plain, *want)
	}
	var pg *pgconn.PgError
	var lite *sqlite.Error
	if !errors.As(err, &pg) && !errors.As(err, &lite) {
		t.Errorf("%s: the driver's error is not in %v", what, err)
	}
	if !errors.Is(err, want.Kind) {
		t.Errorf("%s: errors.Is does not find %s in %v", what, want.Kind, err)
	}
}

// case064Serialization: a transaction that cannot be ordered among others is told so with the object. SQLite's transactions
// that write exclude each other, so that the other one is refused instead.
func case064Serialization(t *testing.T, b backend) {
	f := open(t, b)
	u := &User{Name: "Ann"}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, u) })
	rename := func(ctx context.Context) error {
		loaded, err := session.Get[User](ctx, u.ID)
		if err == nil {
			loaded.Name += "!"
		}
		return err
	}
	var inner error
	err := f.Do(t.Context(), func(ctx context.Context) error {
		if err := rename(ctx); err != nil {
			return err
		}
		inner = session.New(ctx, rename)
		return session.Flush(ctx)
	}, uow.Options{Isolation: uow.RepeatableRead, Retry: uow.Retry{Attempts: -1}})
	if b.name != "postgres" {
		if err != nil || !errors.Is(inner, fault.LockTimeout) {
			t.Errorf("the outer unit: %v, the inner: %v", err, inner)
		}
		return
	}
	must(t, inner)
	expectError(t, "serialization", err, &fault.Error{
		Kind: fault.Serialization, Op: "session.Flush", Connection: "default", Code: "40001",
		Entity: "session_test.User", Key: u.ID.String(), Table: "users",
	})
}

func case065(t *testing.T, b backend) {
	f := open(t, b)
	taken, stored := &User{Email: "taken"}, &Account{Balance: 1}
	f.do(t, func(ctx context.Context) error {
		return errors.Join(session.Add(ctx, taken), session.Add(ctx, stored))
	})
	given := entity.Identifiable{ID: uuid.New()}
	ticket, closed := &Ticket{Title: "t"}, &Ticket{Title: "t", Status: "closed"}
	account, own, twice := &Account{}, &User{Identifiable: given, Email: "own"}, &User{Email: "taken"}
	add := func(ctx context.Context) error {
		return errors.Join(session.Add(ctx, ticket, closed), session.Add(ctx, account), session.Add(ctx, own, twice))
	}
	f.do(t, func(ctx context.Context) error {
		loaded, err := session.Get[Account](ctx, stored.ID)
		if err != nil {
			return err
		}
		f.clock.advance(time.Hour)
		loaded.Balance = 2
		if err := add(ctx); err != nil {
			return err
		}
		if err := session.Flush(ctx); !errors.Is(err, fault.Unique) {
			t.Errorf("the flush: %v", err)
		}
		must(t, session.Rollback(ctx))

		if *ticket != (Ticket{Title: "t"}) || *closed != (Ticket{Title: "t", Status: "closed"}) {
			t.Errorf("the tickets are %+v and %+v", ticket, closed)
		}
		if !reflect.DeepEqual(account, &Account{}) {
			t.Errorf("the account is %+v", account)
		}
		if *own != (User{Identifiable: given, Email: "own"}) || *twice != (User{Email: "taken"}) {
			t.Errorf("the users are %+v and %+v", own, twice)
		}
		if loaded.Balance != 1 || loaded.Version != 1 || !loaded.UpdatedAt.Equal(stored.UpdatedAt) {
			t.Errorf("the stored account is %+v", loaded)
		}
		twice.Email = "free"
		loaded.Balance = 3
		return add(ctx)
	})
	if ticket.ID == 0 || ticket.Status != "open" || ticket.Length != 1 || closed.Status != "closed" || account.Version != 1 || own.ID != given.ID {
		t.Errorf("added again: %+v %+v %+v %+v", ticket, closed, account, own)
	}
	now := row[Account](t, f, stored.ID)
	if count[Ticket](t, f) != 2 || count[User](t, f) != 3 || now.Balance != 3 || now.Version != 2 {
		t.Errorf("%d tickets, %d users, and %+v", count[Ticket](t, f), count[User](t, f), now)
	}
}
