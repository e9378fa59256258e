package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// TestPromise19_dates: equal on insert, from one reading of the clock; updated_at moves on every real update and only then;
// created_at never changes; both are UTC.
func TestPromise19_dates(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f := open(t, b)
		f.clock.now = f.clock.now.In(time.FixedZone("there", 5*3600))
		born := f.clock.Now().UTC().Truncate(time.Microsecond)
		u := &User{Name: "Ann"}
		f.do(t, func(ctx context.Context) error { return session.Add(ctx, u) })
		dates := func(what string, updated time.Time) {
			t.Helper()
			for where, d := range map[string]entity.Dated{"the object": u.Dated, "the row": row[User](t, f, u.ID).Dated} {
				if d.CreatedAt != born || d.UpdatedAt != updated { // with ==, so that both are UTC
					t.Errorf("%s, %s: created %s, updated %s", what, where, d.CreatedAt, d.UpdatedAt)
				}
			}
		}
		dates("inserted", born)
		edit := func(change func(*User)) time.Time {
			f.clock.advance(time.Hour)
			f.do(t, func(ctx context.Context) (err error) {
				if u, err = session.Get[User](ctx, u.ID); err == nil {
					change(u)
				}
				return err
			})
			return f.clock.Now().UTC().Truncate(time.Microsecond)
		}
		edit(func(*User) {})
		dates("loaded", born)
		edit(func(u *User) { u.Name = "Bea"; u.Name = "Ann" })
		dates("changed and changed back", born)
		second := edit(func(u *User) { u.Name = "Bea" })
		dates("changed", second)
		edit(func(u *User) { u.Name = "Bea" })
		dates("set to what it was", second)
		third := edit(func(u *User) { u.Age, u.CreatedAt, u.UpdatedAt = 9, time.Time{}, time.Time{} })
		u.CreatedAt = born // nothing is written over what the program put there, nor is it read back
		dates("changed together with its dates", third)
	})
}

// TestPromise19_dates_of_clients: a DTO does not set them unless it is allowed to.
func TestPromise19_dates_of_clients(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f := open(t, b)
		then, now := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC), f.clock.Now().Truncate(time.Microsecond)
		dto := struct {
			Name      string
			Email     string
			CreatedAt time.Time
			UpdatedAt time.Time
		}{"Ann", "", then, then}
		refused, err := entity.From[User](dto)
		must(t, err)
		dto.Email = "allowed"
		allowed, err := entity.From[User](dto, entity.FromOptions{Allow: []string{"CreatedAt"}})
		must(t, err)
		f.do(t, func(ctx context.Context) error { return session.Add(ctx, refused, allowed) })
		if d := row[User](t, f, refused.ID).Dated; d.CreatedAt != now || d.UpdatedAt != now {
			t.Errorf("a client has set %+v", d)
		}
		if d := row[User](t, f, allowed.ID).Dated; d.CreatedAt != then || d.UpdatedAt != now {
			t.Errorf("an import has set %+v", d)
		}
	})
}

// TestPromise21_combined: a key, dates, a version and soft deletion in one entity.
func TestPromise21_combined(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f := open(t, b)
		n := &Note{Text: "first"}
		f.do(t, func(ctx context.Context) error {
			must(t, session.Add(ctx, n))
			if n.ID == uuid.Nil || n.Version != 1 || n.CreatedAt.IsZero() || n.UpdatedAt != n.CreatedAt || n.DeletedAt != nil {
				t.Errorf("added: %+v", n)
			}
			return nil
		})
		edit := func(change func(ctx context.Context, n *Note) error, clauses ...query.Clause) (n2 *Note) {
			t.Helper()
			f.clock.advance(time.Hour)
			f.do(t, func(ctx context.Context) (err error) {
				if n2, err = session.First[Note](ctx, append(clauses, query.Eq(&notes.ID, n.ID))...); err == nil {
					err = change(ctx, n2)
				}
				return err
			})
			return n2
		}
		remove := func(ctx context.Context, n *Note) error { return session.Delete(ctx, n) }
		expect := func(what string, n *Note, version int64, deleted bool) {
			t.Helper()
			now := f.clock.Now().Truncate(time.Microsecond)
			if n.Version != version || n.UpdatedAt != now || (n.DeletedAt != nil) != deleted || deleted && *n.DeletedAt != now {
				t.Errorf("%s: %+v", what, n)
			}
		}
		expect("updated", edit(func(_ context.Context, n *Note) error { n.Text = "second"; return nil }), 2, false)

		f.reset()
		expect("deleted", edit(remove), 3, true)
		if f.sent("DELETE") || !f.sent("UPDATE") {
			t.Errorf("sent %v", f.trips())
		}
		expectDeleted(t, f, n.ID)
		if err := f.Do(t.Context(), func(ctx context.Context) error {
			return session.Add(ctx, &Note{Identifiable: n.Identifiable})
		}); !errors.Is(err, fault.Unique) {
			t.Errorf("the key of a deleted row was free: %v", err)
		}

		restored := edit(func(_ context.Context, n *Note) error {
			if n.Version != 3 || n.DeletedAt == nil {
				t.Errorf("found with the deleted ones: %+v", n)
			}
			n.DeletedAt = nil
			return nil
		}, query.WithDeleted)
		expect("restored", restored, 4, false)
		if count[Note](t, f) != 1 || row[Note](t, f, n.ID).Text != "second" {
			t.Errorf("the restored note is not there")
		}
	})
}

// expectDeleted checks that nothing finds a soft-deleted note but who asks for the deleted ones.
func expectDeleted(t *testing.T, f *fixture, id uuid.UUID) {
	t.Helper()
	f.do(t, func(ctx context.Context) error {
		_, found, err := session.Lookup[Note](ctx, id)
		listed, err2 := session.Find[Note](ctx)
		exists, err3 := session.Exists[Note](ctx, query.Eq(&notes.ID, id))
		many, missing, err4 := session.GetMany[Note](ctx, id)
		if found || len(listed) > 0 || exists || len(many) > 0 || len(missing) != 1 {
			t.Errorf("a deleted note is found: %t %v %t %v", found, listed, exists, many)
		}
		total, err5 := session.Count[Note](ctx, query.WithDeleted)
		if total != 1 {
			t.Errorf("%d notes with the deleted ones", total)
		}
		return errors.Join(err, err2, err3, err4, err5)
	})
}

// TestPromise21_races: a soft deletion checks the version, is taken back by a rollback, and in its transaction the object
// is gone.
func TestPromise21_races(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f := open(t, b)
		n := &Note{Text: "first"}
		f.do(t, func(ctx context.Context) error { return session.Add(ctx, n) })
		err := f.Do(t.Context(), func(ctx context.Context) error {
			loaded, err := session.Get[Note](ctx, n.ID)
			if err != nil {
				return err
			}
			must(t, session.New(ctx, func(ctx context.Context) error {
				other, err := session.Get[Note](ctx, n.ID)
				if err == nil {
					other.Text = "by another"
				}
				return err
			}))
			return session.Delete(ctx, loaded)
		})
		if now := row[Note](t, f, n.ID); !errors.Is(err, fault.Stale) || now.Text != "by another" || now.Version != 2 {
			t.Errorf("deleting a stale note: %v, left %+v", err, now)
		}
		f.do(t, func(ctx context.Context) error {
			loaded, err := session.Get[Note](ctx, n.ID)
			if err != nil {
				return err
			}
			before := *loaded
			f.clock.advance(time.Hour)
			loaded.Text = "changed and deleted"
			must(t, session.Delete(ctx, loaded))
			must(t, session.Flush(ctx))
			expectState(t, ctx, loaded, session.Deleted)
			if _, ok, err := session.Lookup[Note](ctx, n.ID); ok || err != nil {
				t.Errorf("found in its transaction: %t, %v", ok, err)
			}
			must(t, session.Rollback(ctx))
			expectState(t, ctx, loaded, session.Persistent)
			if *loaded != before {
				t.Errorf("rolled back: %+v, not %+v", loaded, before)
			}
			return nil
		})
	})
}
