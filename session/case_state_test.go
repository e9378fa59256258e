package session_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
)

var stateCases = []testCase{
	{"case_011_never_added", withFixture(case011)},
	{"case_012_add", withFixture(case012)},
	{"case_013_add_of_a_persistent_object", withFixture(case013)},
	{"case_014_add_of_a_second_object_with_a_tracked_key", withFixture(case014)},
	{"case_015_add_of_a_preset_key_inserts", withFixture(case015)},
	{"case_016_flush_of_a_pending_object", withFixture(case016)},
	{"case_017_delete_of_a_persistent_object", withFixture(case017)},
	{"case_018_delete_of_a_pending_object", withFixture(case018)},
	{"case_019_delete_of_an_untracked_object", withFixture(case019)},
	{"case_020_add_after_delete", withFixture(case020)},
	{"case_021_add_after_a_flushed_delete", withFixture(case021)},
	{"case_022_commit_and_rollback_after_delete", withFixture(case022)},
	{"case_023_expunge", withFixture(case023)},
	{"case_023_expunge_and_load_again", withFixture(case023Again)},
	{"case_024_one_state_at_every_step", withFixture(case024)},
}

// errStop ends a unit that is to be rolled back.
var errStop = errors.New("stop")

// stored adds a user in a unit of its own and returns its key. Nothing is noted of it.
func stored(t testing.TB, f *fixture) uuid.UUID {
	t.Helper()
	u := &User{Name: "Ann", Email: uuid.NewString()}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, u) })
	f.reset()
	return u.ID
}

func get[T any](t testing.TB, ctx context.Context, key any) *T {
	t.Helper()
	obj, err := session.Get[T](ctx, key)
	must(t, err)
	return obj
}

func wantContains(t testing.TB, ctx context.Context, obj *User, want bool) {
	t.Helper()
	if got, err := session.Contains(ctx, obj); err != nil || got != want {
		t.Errorf("contained: %t, %v", got, err)
	}
}

func case011(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		u := ann()
		u.Name = "Bob"
		wantState(t, ctx, u, session.Transient)
		wantContains(t, ctx, u, false)
		return nil
	})
	wantTrips(t, f, 0)
	wantRows[User](t, f, 0)
}

func case012(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		u := ann()
		must(t, session.Add(ctx, u))
		must(t, session.Add(ctx, u, u))
		wantState(t, ctx, u, session.Pending)
		wantContains(t, ctx, u, true)
		if u.ID == uuid.Nil {
			t.Error("no key")
		}
		wantTrips(t, f, 0)
		must(t, session.Flush(ctx))
		wantTrips(t, f, 1)
		return nil
	})
	wantRows[User](t, f, 1)
}

func case013(t *testing.T, f *fixture) {
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		u := get[User](t, ctx, id)
		before := *u
		must(t, session.Add(ctx, u))
		wantState(t, ctx, u, session.Persistent)
		if *u != before {
			t.Errorf("changed from %+v to %+v", before, *u)
		}
		return nil
	})
	wantTrips(t, f, 1) // the query
	wantRows[User](t, f, 1)
}

func case014(t *testing.T, f *fixture) {
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		persistent, pending := get[User](t, ctx, id), ann()
		must(t, session.Add(ctx, pending))
		f.reset()
		for _, tracked := range []*User{persistent, pending} {
			other := &User{Email: "other"}
			other.ID = tracked.ID
			before := *other
			err := session.Add(ctx, other)
			wantFault(t, err, fault.IdentityConflict)
			var e *fault.Error
			if !errors.As(err, &e) || e.Key != tracked.ID.String() || e.Entity != "session_test.User" {
				t.Errorf("the error does not say which: %v", err)
			}
			wantState(t, ctx, other, session.Transient)
			if *other != before {
				t.Errorf("a refused object was changed: %+v", other)
			}
		}
		must(t, session.Add(ctx, &Seat{Row: 1, Number: 2}))
		wantFault(t, session.Add(ctx, &Seat{Row: 1, Number: 2}), fault.IdentityConflict)
		wantTrips(t, f, 0)
		return nil
	})
	wantRows[User](t, f, 2)
}

func case015(t *testing.T, f *fixture) {
	preset := ann()
	preset.ID = uuid.New()
	id := preset.ID
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, preset) })
	if row[User](t, f, id).Email != preset.Email {
		t.Error("not inserted under its key")
	}
	f.reset()
	err := f.Do(t.Context(), func(ctx context.Context) error {
		detached := *preset
		detached.Name, detached.Email = "Bob", "bob"
		must(t, session.Add(ctx, &detached))
		return session.Flush(ctx)
	})
	wantFault(t, err, fault.Unique)
	var e *fault.Error
	if !errors.As(err, &e) || e.Key != id.String() || e.Constraint != "users_pkey" {
		t.Errorf("the error does not say which: %+v", e)
	}
	if f.sent("UPDATE") || f.sent("SELECT") || !f.sent("INSERT") {
		t.Errorf("sent %q", f.trips())
	}
	if row[User](t, f, id).Name != "Ann" {
		t.Error("the row was changed")
	}
}

func case016(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		a, b := &Ticket{Title: "door"}, &Ticket{Title: "window", Status: "closed"}
		must(t, session.Add(ctx, a, b))
		must(t, session.Flush(ctx))
		wantState(t, ctx, a, session.Persistent)
		if a.ID == 0 || b.ID == 0 || a.ID == b.ID {
			t.Errorf("keys %d and %d", a.ID, b.ID)
		}
		if a.Status != "open" || a.Length != 4 || b.Status != "closed" || b.Length != 6 {
			t.Errorf("generated: %+v, %+v", a, b)
		}
		f.reset()
		if get[Ticket](t, ctx, a.ID) != a || get[Ticket](t, ctx, b.ID) != b {
			t.Error("not in the identity map under the final key")
		}
		must(t, session.Flush(ctx))
		wantTrips(t, f, 0)
		return nil
	})
	wantRows[Ticket](t, f, 2)
}

func case017(t *testing.T, f *fixture) {
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		u := get[User](t, ctx, id)
		f.reset()
		for range 2 {
			must(t, session.Delete(ctx, u))
			wantState(t, ctx, u, session.Persistent)
			if marked, err := session.IsModified(ctx, u); err != nil || !marked {
				t.Errorf("marked: %t, %v", marked, err)
			}
		}
		wantTrips(t, f, 0)
		must(t, session.Flush(ctx))
		wantState(t, ctx, u, session.Deleted)
		must(t, session.Delete(ctx, u)) // also after the flush
		must(t, session.Flush(ctx))
		wantTrips(t, f, 1)
		return nil
	})
	wantRows[User](t, f, 0)
}

func case018(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		u := ann()
		must(t, session.Add(ctx, u))
		must(t, session.Delete(ctx, u))
		wantState(t, ctx, u, session.Transient)
		wantContains(t, ctx, u, false)
		if *u != *ann() {
			t.Errorf("what Add filled in is still there: %+v", u)
		}
		return nil
	})
	wantTrips(t, f, 0)
	wantRows[User](t, f, 0)
	f.do(t, func(ctx context.Context) error { // it can be added again
		u := ann()
		must(t, session.Add(ctx, u))
		must(t, session.Delete(ctx, u))
		return session.Add(ctx, u)
	})
	wantRows[User](t, f, 1)
}

func case019(t *testing.T, f *fixture) {
	id := stored(t, f)
	var elsewhere *User
	f.do(t, func(ctx context.Context) error {
		elsewhere = get[User](t, ctx, id)
		return nil
	})
	f.reset()
	f.do(t, func(ctx context.Context) error {
		wantFault(t, session.Delete(ctx, ann()), fault.NotPersistent)
		wantFault(t, session.Delete(ctx, elsewhere), fault.NotPersistent)
		wantFault(t, session.Delete[User](ctx, nil), fault.NotPersistent)
		return nil
	})
	wantTrips(t, f, 0)
	wantRows[User](t, f, 1)
}

func case020(t *testing.T, f *fixture) {
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		u := get[User](t, ctx, id)
		must(t, session.Delete(ctx, u))
		must(t, session.Add(ctx, u))
		wantState(t, ctx, u, session.Persistent)
		f.reset()
		if get[User](t, ctx, id) != u {
			t.Error("not found any more")
		}
		u.Name = "Bob"
		return nil
	})
	if f.sent("DELETE") || row[User](t, f, id).Name != "Bob" {
		t.Errorf("sent %q", f.trips())
	}
}

func case021(t *testing.T, f *fixture) {
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		u := get[User](t, ctx, id)
		must(t, session.Delete(ctx, u))
		must(t, session.Flush(ctx))
		wantFault(t, session.Add(ctx, u), fault.Deleted)
		wantState(t, ctx, u, session.Deleted)
		return nil
	})
	wantRows[User](t, f, 0)
}

func case022(t *testing.T, f *fixture) {
	id := stored(t, f)
	for _, flushed := range []bool{false, true} {
		f.do(t, func(ctx context.Context) error {
			u := get[User](t, ctx, id)
			must(t, session.Delete(ctx, u))
			if flushed {
				must(t, session.Flush(ctx))
			}
			must(t, session.Rollback(ctx))
			wantState(t, ctx, u, session.Persistent)
			f.reset()
			if get[User](t, ctx, id) != u {
				t.Error("not in the identity map again")
			}
			wantTrips(t, f, 0)
			return nil
		})
		wantRows[User](t, f, 1)
	}
	f.do(t, func(ctx context.Context) error {
		u := get[User](t, ctx, id)
		must(t, session.Delete(ctx, u))
		must(t, session.Commit(ctx))
		wantState(t, ctx, u, session.Detached)
		wantContains(t, ctx, u, false)
		wantFault(t, session.Delete(ctx, u), fault.NotPersistent)
		return nil
	})
	wantRows[User](t, f, 0)
}

func case023(t *testing.T, f *fixture) {
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		u, fresh := get[User](t, ctx, id), ann()
		must(t, session.Add(ctx, fresh))
		u.Name = "Bob"
		must(t, session.Expunge(ctx, u, fresh))
		wantState(t, ctx, u, session.Detached)
		wantState(t, ctx, fresh, session.Transient)
		wantContains(t, ctx, u, false)
		wantFault(t, session.Expunge(ctx, u), fault.NotPersistent)
		wantFault(t, session.Expunge(ctx, ann()), fault.NotPersistent)
		u.Name = "Cid"
		return nil
	})
	wantTrips(t, f, 1) // the query
	if got := row[User](t, f, id).Name; got != "Ann" {
		t.Errorf("%s was written", got)
	}
	wantRows[User](t, f, 1)
}

// An object that was expunged leaves its place in the identity map to the next one with its key, also where a rollback
// brings the rest of the transaction back.
func case023Again(t *testing.T, f *fixture) {
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		first := get[User](t, ctx, id)
		must(t, session.Expunge(ctx, first))
		second := get[User](t, ctx, id)
		if second == first {
			t.Error("the expunged object came back")
		}
		must(t, session.Rollback(ctx))
		tracked := get[User](t, ctx, id)
		for _, u := range []*User{first, second} {
			want := session.Detached
			if u == tracked {
				want = session.Persistent
			}
			wantState(t, ctx, u, want)
			u.Name = "Bob"
		}
		f.reset()
		return nil
	})
	if trips := f.trips(); len(trips) != 1 {
		t.Errorf("two objects for one row: %q", trips)
	}
	f.do(t, func(ctx context.Context) error { // and Add makes a new row of it
		u := get[User](t, ctx, id)
		must(t, session.Expunge(ctx, u))
		u.ID, u.Email = uuid.Nil, "again"
		must(t, session.Add(ctx, u))
		wantState(t, ctx, u, session.Pending)
		return nil
	})
	wantRows[User](t, f, 2)
}

// case024 walks every road through the states and asks at each step.
func case024(t *testing.T, f *fixture) {
	add := func(ctx context.Context, u *User) error { return session.Add(ctx, u) }
	del := func(ctx context.Context, u *User) error { return session.Delete(ctx, u) }
	expunge := func(ctx context.Context, u *User) error { return session.Expunge(ctx, u) }
	flush := func(ctx context.Context, _ *User) error { return session.Flush(ctx) }
	commit := func(ctx context.Context, _ *User) error { return session.Commit(ctx) }
	rollback := func(ctx context.Context, _ *User) error { return session.Rollback(ctx) }
	type step struct {
		do   func(context.Context, *User) error
		want session.State
	}
	const (
		transient, pending, persistent = session.Transient, session.Pending, session.Persistent
		deleted, detached              = session.Deleted, session.Detached
	)
	roads := map[string][]step{
		"to the end of its life": {
			{add, pending}, {add, pending}, {flush, persistent}, {add, persistent}, {commit, persistent}, {del, persistent},
			{del, persistent}, {flush, deleted}, {commit, detached}, {add, pending}, {commit, persistent},
		},
		"never written":               {{flush, transient}, {add, pending}, {del, transient}, {flush, transient}, {commit, transient}},
		"added and rolled back":       {{add, pending}, {rollback, transient}, {add, pending}, {flush, persistent}, {rollback, transient}},
		"deletion taken back":         {{add, pending}, {commit, persistent}, {del, persistent}, {add, persistent}, {flush, persistent}, {commit, persistent}},
		"deletion rolled back":        {{add, pending}, {commit, persistent}, {del, persistent}, {flush, deleted}, {rollback, persistent}, {del, persistent}, {rollback, persistent}},
		"deleted where it was added":  {{add, pending}, {flush, persistent}, {del, persistent}, {flush, deleted}, {commit, detached}},
		"all of it rolled back":       {{add, pending}, {flush, persistent}, {del, persistent}, {flush, deleted}, {rollback, transient}},
		"expunged while pending":      {{add, pending}, {expunge, transient}, {flush, transient}, {add, pending}},
		"expunged":                    {{add, pending}, {commit, persistent}, {expunge, detached}, {flush, detached}, {commit, detached}},
		"expunged where it was added": {{add, pending}, {flush, persistent}, {expunge, detached}, {rollback, transient}},
		"expunged when deleted":       {{add, pending}, {commit, persistent}, {del, persistent}, {flush, deleted}, {expunge, detached}, {commit, detached}},
	}
	for name, road := range roads {
		_ = f.Do(t.Context(), func(ctx context.Context) error {
			u := &User{Name: name, Email: name}
			wantState(t, ctx, u, transient)
			for i, s := range road {
				if err := s.do(ctx, u); err != nil {
					t.Errorf("%s, step %d: %v", name, i+1, err)
				}
				if got, err := session.StateOf(ctx, u); err != nil || got != s.want {
					t.Errorf("%s, step %d: %s, want %s (%v)", name, i+1, got, s.want, err)
				}
				if held, err := session.Contains(ctx, u); err != nil || held != (s.want == pending || s.want == persistent) {
					t.Errorf("%s, step %d: contained: %t (%v)", name, i+1, held, err)
				}
			}
			return errStop
		})
	}
}
