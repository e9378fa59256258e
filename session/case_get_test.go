package session_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

var getCases = []testCase{
	{"case_025_get_twice", withFixture(case025)},
	{"case_026_query_returns_the_tracked_object", withFixture(case026)},
	{"case_027_populate", withFixture(case027)},
	{"case_028_get_of_a_pending_object", withFixture(case028)},
	{"case_029_get_of_an_object_marked_deleted", withFixture(case029)},
	{"case_030_miss", withFixture(case030)},
	{"case_031_get_for_update", withFixture(case031)},
	{"case_031_get_for_update_of_a_locked_row", withFixture(case031Locked)},
	{"case_032_wrong_key", withFixture(case032)},
	{"case_033_key_equality_by_value", withFixture(case033)},
	{"case_034_get_many", withFixture(case034)},
	{"case_034_get_many_of_a_composite_key", withFixture(case034Composite)},
	{"case_035_scalars_enter_no_identity_map", withFixture(case035)},
	{"case_036_no_tracking", withFixture(case036)},
}

// elsewhere changes a stored user in a unit of its own.
func elsewhere(t testing.TB, f *fixture, id uuid.UUID, change func(u *User)) {
	t.Helper()
	f.do(t, func(ctx context.Context) error {
		change(get[User](t, ctx, id))
		return nil
	})
	f.reset()
}

func case025(t *testing.T, f *fixture) {
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		u := get[User](t, ctx, id)
		if get[User](t, ctx, id) != u {
			t.Error("two objects")
		}
		return nil
	})
	wantTrips(t, f, 1)
}

func case026(t *testing.T, f *fixture) {
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		u := get[User](t, ctx, id)
		u.Name = "mine"
		elsewhere(t, f, id, func(u *User) { u.Name, u.Age = "theirs", 40 })
		found, err := session.Find[User](session.NoAutoflush(ctx), query.Eq(&users.Name, "theirs"))
		must(t, err)
		if len(found) != 1 || found[0] != u {
			t.Fatalf("found %v", found)
		}
		if u.Name != "mine" || u.Age != 0 {
			t.Errorf("overwritten: %+v", u)
		}
		return session.Rollback(ctx)
	})
}

func case027(t *testing.T, f *fixture) {
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		u := get[User](t, ctx, id)
		u.Name = "mine"
		elsewhere(t, f, id, func(u *User) { u.Name, u.Age = "theirs", 40 })
		found, err := session.Find[User](session.NoAutoflush(ctx), query.Populate)
		must(t, err)
		if len(found) != 1 || found[0] != u || u.Name != "theirs" || u.Age != 40 {
			t.Fatalf("found %+v", u)
		}
		if modified, err := session.IsModified(ctx, u); modified || err != nil {
			t.Errorf("modified: %t, %v", modified, err)
		}
		return nil
	})
	wantTrips(t, f, 1) // the query; nothing is written
	f.do(t, func(ctx context.Context) error {
		u := get[User](t, ctx, id)
		elsewhere(t, f, id, func(u *User) { u.Name = "again" })
		if get[User](t, ctx, id) != u || u.Name != "theirs" {
			t.Errorf("%+v", u)
		}
		if populated, err := session.Get[User](ctx, id, query.Populate); populated != u || u.Name != "again" {
			t.Errorf("%+v, %v", u, err)
		}
		return nil
	})
}

func case028(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		made, preset := ann(), &User{Email: "preset"}
		preset.ID = uuid.New()
		seat := &Seat{Row: 3, Number: 4}
		must(t, errors.Join(session.Add(ctx, made, preset), session.Add(ctx, seat)))
		if get[User](t, ctx, made.ID) != made || get[User](t, ctx, preset.ID) != preset {
			t.Error("another object")
		}
		if get[Seat](t, ctx, session.Key{3, 4}) != seat {
			t.Error("another seat")
		}
		wantTrips(t, f, 0)
		return nil
	})
}

func case029(t *testing.T, f *fixture) {
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		must(t, session.Delete(ctx, get[User](t, ctx, id)))
		f.reset()
		for _, clauses := range [][]query.Clause{nil, {query.ForUpdate}, {query.Populate}} {
			wantFault(t, second(session.Get[User](ctx, id, clauses...)), fault.NotFound)
		}
		if u, ok, err := session.Lookup[User](ctx, id); u != nil || ok || err != nil {
			t.Errorf("found %v, %t, %v", u, ok, err)
		}
		if _, missing, err := session.GetMany[User](ctx, id); len(missing) != 1 || err != nil {
			t.Errorf("missing %v, %v", missing, err)
		}
		wantTrips(t, f, 0)
		must(t, session.Flush(ctx))
		wantFault(t, second(session.Get[User](ctx, id)), fault.NotFound)
		return nil
	})
}

func case030(t *testing.T, f *fixture) {
	late := ann()
	late.ID = uuid.New()
	f.do(t, func(ctx context.Context) error {
		for i := range 2 {
			err := second(session.Get[User](ctx, late.ID))
			wantFault(t, err, fault.NotFound)
			var e *fault.Error
			if !errors.As(err, &e) || e.Entity != "session_test.User" || e.Key != late.ID.String() {
				t.Errorf("the error does not say which: %v", err)
			}
			if u, ok, err := session.Lookup[User](ctx, late.ID); u != nil || ok || err != nil {
				t.Errorf("found %v, %t, %v", u, ok, err)
			}
			wantTrips(t, f, 2*(i+1)) // a miss is not cached
		}
		f.do(t, func(ctx context.Context) error { return session.Add(ctx, late) })
		if u := get[User](t, ctx, late.ID); u.Name != "Ann" {
			t.Errorf("found %v", u)
		}
		err := second(session.Get[Seat](ctx, session.Key{1, 2}))
		wantFault(t, err, fault.NotFound)
		if !strings.Contains(err.Error(), "session_test.Seat 1,2") {
			t.Errorf("the error does not say which: %v", err)
		}
		return nil
	})
}

func case031(t *testing.T, f *fixture) {
	id := stored(t, f)
	for _, lock := range []query.Lock{query.ForUpdate, query.ForUpdateNoWait, query.ForUpdateSkipLocked, query.ForShare} {
		f.do(t, func(ctx context.Context) error {
			u := get[User](t, ctx, id)
			elsewhere(t, f, id, func(u *User) { u.Age++ })
			age := u.Age
			locked, err := session.Get[User](ctx, id, lock)
			must(t, err)
			if locked != u || u.Age != age+1 {
				t.Errorf("lock %d: age %d, want %d", lock, u.Age, age+1)
			}
			if trips := f.trips(); len(trips) != 1 || !strings.HasPrefix(trips[0], "BEGIN; SELECT") {
				t.Errorf("lock %d: sent %q", lock, trips)
			}
			if inUse := f.Stats()["default"].InUse; inUse != 1 {
				t.Errorf("lock %d: %d connections hold its transaction", lock, inUse)
			}
			must(t, second(session.Get[User](ctx, id, lock))) // again: always a SELECT
			wantTrips(t, f, 2)
			return nil
		})
	}
	// Changes that nothing has flushed are no match for a lock: they are flushed first, or else they stay.
	f.do(t, func(ctx context.Context) error {
		u := get[User](t, ctx, id)
		u.Name = "mine"
		must(t, second(session.Get[User](session.NoAutoflush(ctx), id, query.ForUpdate)))
		if u.Name != "mine" {
			t.Error("an unflushed change was overwritten")
		}
		must(t, second(session.Get[User](ctx, id, query.ForUpdate)))
		return nil
	})
	if got := row[User](t, f, id).Name; got != "mine" {
		t.Errorf("%s was written", got)
	}
}

func case031Locked(t *testing.T, f *fixture) {
	id := stored(t, f)
	lock := func(ctx context.Context, l query.Lock) error {
		return session.New(ctx, func(ctx context.Context) error { return second(session.Get[User](ctx, id, l)) })
	}
	f.do(t, func(ctx context.Context) error {
		must(t, second(session.Get[User](ctx, id, query.ForUpdate)))
		wantFault(t, lock(ctx, query.ForUpdateNoWait), fault.LockTimeout)
		skipped := lock(ctx, query.ForUpdateSkipLocked)
		if f.backend.name != "postgres" { // the lock is that of the one writer, for which nobody waits
			wantFault(t, skipped, fault.LockTimeout)
			return nil
		}
		wantFault(t, skipped, fault.NotFound)
		err := session.New(ctx, func(ctx context.Context) error {
			return second(session.Get[User](ctx, id, query.ForShare))
		}, uow.Options{LockTimeout: 1})
		wantFault(t, err, fault.LockTimeout)
		return nil
	})
}

func case032(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		wrong := []error{
			second(session.Get[User](ctx, nil)),
			second(session.Get[User](ctx, 7)),
			second(session.Get[User](ctx, "no uuid")),
			second(session.Get[User](ctx, []byte("short"))),
			second(session.Get[User](ctx, (*uuid.UUID)(nil))),
			second(session.Get[User](ctx, pgtype.UUID{})),
			second(session.Get[User](ctx, struct{}{})),
			second(session.Get[User](ctx, session.Key{})),
			second(session.Get[User](ctx, session.Key{uuid.New(), uuid.New()})),
			second(session.Get[Seat](ctx, 1)),
			second(session.Get[Seat](ctx, session.Key{1})),
			second(session.Get[Seat](ctx, session.Key{1, "2"})),
			second(session.Get[Seat](ctx, session.Key{1, 2, 3})),
			second(session.Get[Seat](ctx, session.Key{1, uint64(1) << 63})),
			second(session.Get[Ticket](ctx, 1.5)),
			second(session.Get[Ticket](ctx, true)),
			second(session.Get[Ticket](ctx, "1")),
		}
		_, _, err := session.Lookup[User](ctx, 7)
		wrong = append(wrong, err)
		_, _, err = session.GetMany[User](ctx, uuid.New(), 7)
		wrong = append(wrong, err)
		for i, err := range wrong {
			if !errors.Is(err, fault.BadRequest) {
				t.Errorf("key %d: %v", i, err)
			}
		}
		return nil
	})
	wantTrips(t, f, 0)
}

func case033(t *testing.T, f *fixture) {
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		u := get[User](t, ctx, id)
		type text string
		forms := []any{
			id, &id, [16]byte(id), id[:], id.String(), strings.ToUpper(id.String()), text(id.String()),
			pgtype.UUID{Bytes: id, Valid: true}, &pgtype.UUID{Bytes: id, Valid: true}, session.Key{id}, session.Key{id.String()},
		}
		for _, key := range forms {
			if get[User](t, ctx, key) != u {
				t.Errorf("%T addresses another entry", key)
			}
		}
		wantTrips(t, f, 1)
		return nil
	})
	seat := &Seat{Row: 1, Number: 2}
	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, seat))
		for _, key := range []session.Key{{1, 2}, {int8(1), int64(2)}, {uint(1), uint8(2)}} {
			if get[Seat](t, ctx, key) != seat {
				t.Errorf("%T %T addresses another entry", key[0], key[1])
			}
		}
		wantFault(t, second(session.Get[Seat](ctx, session.Key{2, 1})), fault.NotFound)
		return nil
	})
}

func case034(t *testing.T, f *fixture) {
	a, b, c, d := stored(t, f), stored(t, f), stored(t, f), stored(t, f)
	none := uuid.New()
	f.do(t, func(ctx context.Context) error {
		held, marked := get[User](t, ctx, c), get[User](t, ctx, d)
		must(t, session.Delete(ctx, marked))
		f.reset()
		found, missing, err := session.GetMany[User](session.NoAutoflush(ctx), c, none, b, a.String(), d, c, b, none)
		must(t, err)
		var ids []uuid.UUID
		for _, u := range found {
			ids = append(ids, u.ID)
		}
		if !slices.Equal(ids, []uuid.UUID{c, b, a, c, b}) {
			t.Errorf("found %v", ids)
		}
		if found[0] != held || found[3] != held || found[1] != found[4] {
			t.Error("a key has several objects")
		}
		if !slices.Equal(missing, []any{none, d, none}) {
			t.Errorf("missing %v", missing)
		}
		if trips := f.trips(); len(trips) != 1 || strings.Contains(trips[0], "; ") {
			t.Errorf("sent %q", trips)
		}
		f.reset()
		found, missing, err = session.GetMany[User](ctx, a, b, c)
		if len(found) != 3 || missing != nil || err != nil {
			t.Errorf("found %v, missing %v, %v", found, missing, err)
		}
		found, missing, err = session.GetMany[User](ctx)
		if found != nil || missing != nil || err != nil {
			t.Errorf("found %v, missing %v, %v", found, missing, err)
		}
		wantTrips(t, f, 0)
		return nil
	})
}

func case034Composite(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		return session.Add(ctx, &Seat{Row: 1, Number: 2}, &Seat{Row: 2, Number: 1})
	})
	f.reset()
	f.do(t, func(ctx context.Context) error {
		found, missing, err := session.GetMany[Seat](ctx, session.Key{2, 1}, session.Key{1, 1}, session.Key{1, 2})
		must(t, err)
		if len(found) != 2 || found[0].Row != 2 || found[1].Row != 1 || len(missing) != 1 {
			t.Errorf("found %v, missing %v", found, missing)
		}
		wantTrips(t, f, 1) // one exchange; the statements in it are one for each key
		return nil
	})
}

func case035(t *testing.T, f *fixture) {
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		var name string
		err := session.From(ctx).QueryRowContext(ctx, "SELECT name FROM users").Scan(&name)
		if err != nil || name != "Ann" {
			t.Errorf("scanned %q, %v", name, err)
		}
		if n, err := session.Count[User](ctx, query.Eq(&users.ID, id)); n != 1 || err != nil {
			t.Errorf("counted %d, %v", n, err)
		}
		if ok, err := session.Exists[User](ctx, query.Eq(&users.ID, id)); !ok || err != nil {
			t.Errorf("exists: %t, %v", ok, err)
		}
		f.reset()
		must(t, second(session.Get[User](ctx, id)))
		wantTrips(t, f, 1) // none of them brought the object in
		return nil
	})
}

func case036(t *testing.T, f *fixture) {
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		tracked := get[User](t, ctx, id)
		found, err := session.Find[User](ctx, query.NoTracking)
		must(t, err)
		first, err := session.First[User](ctx, query.NoTracking)
		must(t, err)
		got, err := session.Get[User](ctx, id, query.NoTracking)
		must(t, err)
		if len(found) != 1 || found[0] == tracked || first == tracked || got == tracked || got == first {
			t.Error("an object is shared")
		}
		for _, u := range []*User{found[0], first, got} {
			wantState(t, ctx, u, session.Transient)
			if u.ID != id || u.Name != "Ann" {
				t.Errorf("read %+v", u)
			}
			u.Name = "Bob"
		}
		f.reset()
		return nil
	})
	wantTrips(t, f, 0)
	if got := row[User](t, f, id).Name; got != "Ann" {
		t.Errorf("%s was written", got)
	}
}
