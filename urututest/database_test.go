package urututest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// User is an entity that tests of an application might have.
type User struct {
	entity.Identifiable
	Email string `db:"email,unique"`
}

var config = urututest.Config{Entities: []any{(*User)(nil)}}

// TestPromise52_DatabasePerTest: tests that run in parallel and write the same unique value do not see each other.
func TestPromise52_DatabasePerTest(t *testing.T) {
	t.Parallel()

	for _, name := range []string{"one", "another"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			urututest.Each(t, config, func(t *testing.T, db *session.DB) {
				urututest.Do(t, db, func(ctx context.Context) error {
					return session.Add(ctx, &User{Email: "ann@example.com"})
				})
				urututest.Do(t, db, func(ctx context.Context) error {
					n, err := session.Count[User](ctx)
					if n != 1 {
						t.Errorf("%d users, of other tests too", n)
					}
					return err
				})
			})
		})
	}
}

// TestPromise52_OneLine: the in-memory database of the page's own test is one line.
func TestPromise52_OneLine(t *testing.T) {
	t.Parallel()
	db := urututest.SQLite(t, (*User)(nil))

	urututest.Do(t, db, func(ctx context.Context) error { return session.Add(ctx, &User{Email: "ann@example.com"}) })
	err := db.Do(t.Context(), func(ctx context.Context) error { return session.Add(ctx, &User{Email: "ann@example.com"}) })
	if !errors.Is(err, fault.Unique) {
		t.Fatalf("the second one is answered with %v", err)
	}
}

// TestTypesOfTheSameNameHaveTheirOwnTables: two tests may each declare a type of the same name.
func TestTypesOfTheSameNameHaveTheirOwnTables(t *testing.T) {
	t.Parallel()

	t.Run("one", func(t *testing.T) {
		t.Parallel()
		type Thing struct {
			entity.Serial
			Color string
		}
		db := urututest.Postgres(t, (*Thing)(nil))
		urututest.Do(t, db, func(ctx context.Context) error { return session.Add(ctx, &Thing{Color: "red"}) })
	})
	t.Run("another", func(t *testing.T) {
		t.Parallel()
		type Thing struct {
			entity.Serial
			Weight float64
		}
		db := urututest.Postgres(t, (*Thing)(nil))
		urututest.Do(t, db, func(ctx context.Context) error { return session.Add(ctx, &Thing{Weight: 1.5}) })
	})
}

// TestSessionOptionsApply: the options of the connection reach it.
func TestSessionOptionsApply(t *testing.T) {
	t.Parallel()
	type Note struct {
		entity.Identifiable
		entity.Dated
	}
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	cfg := urututest.Config{Entities: []any{(*Note)(nil)}, Session: session.Config{Clock: func() time.Time { return noon }}}

	urututest.Each(t, cfg, func(t *testing.T, db *session.DB) {
		note := &Note{}
		urututest.Do(t, db, func(ctx context.Context) error { return session.Add(ctx, note) })
		if !note.CreatedAt.Equal(noon) {
			t.Errorf("it was created at %s", note.CreatedAt)
		}
	})
}

// TestURL: code that opens its connections itself gets an empty database.
func TestURL(t *testing.T) {
	t.Parallel()
	for _, d := range urututest.Databases() {
		if a, b := urututest.URL(t, d), urututest.URL(t, d); a == b {
			t.Errorf("%s twice", a)
		}
	}
}
