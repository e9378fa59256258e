package session_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

var parents = entity.Columns[Parent]()

var mergeCases = []testCase{
	{"case_096_merge", withFixture(case096)},
	{"case_097_absent_null_and_value", withFixture(case097)},
	{"case_098_refresh", withFixture(case098)},
	{"case_099_versions", withFixture(case099)},
	{"case_100_retries", withFixture(case100)},
	{"case_101_object_of_an_enclosing_session", withFixture(case101)},
	{"case_102_staged_rows", withFixture(case102)},
}

func case096(t *testing.T, f *fixture) {
	stored := &Account{Balance: 1, Tags: []string{"a"}}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, stored) })
	src := *stored
	src.Balance, src.Tags = 2, []string{"b"}
	was := src
	f.do(t, func(ctx context.Context) error {
		f.reset()
		managed, err := session.Merge(ctx, &src)
		must(t, err)
		if len(f.trips()) != 1 || !f.sent("SELECT") {
			t.Errorf("a merge of an unknown object sent %q, want one SELECT", f.trips())
		}
		if managed == &src || managed.Balance != 2 || !slices.Equal(managed.Tags, src.Tags) {
			t.Errorf("managed is %+v", managed)
		}
		wantState(t, ctx, managed, session.Persistent)
		wantState(t, ctx, &src, session.Transient)
		if src.Balance != was.Balance || src.Version != was.Version || !src.UpdatedAt.Equal(was.UpdatedAt) {
			t.Errorf("the source is %+v, want it untouched", src)
		}
		f.reset()
		src.Balance = 3
		again, err := session.Merge(ctx, &src)
		must(t, err)
		if again != managed || again.Balance != 3 || len(f.trips()) != 0 {
			t.Errorf("a merge of a known object gave %+v and sent %q", again, f.trips())
		}
		again, err = session.Merge(ctx, managed) // the session's own object is itself
		must(t, err)
		if again != managed {
			t.Error("a merge of the managed object gave another one")
		}

		fresh := &Account{Balance: 7}
		added, err := session.Merge(ctx, fresh)
		must(t, err)
		wantState(t, ctx, added, session.Pending)
		if added == fresh || fresh.ID != uuid.Nil || added.ID == uuid.Nil || added.Balance != 7 {
			t.Errorf("no row: %+v of %+v", added, fresh)
		}
		keyed := &Account{Identifiable: entity.Identifiable{ID: uuid.New()}, Balance: 8}
		added, err = session.Merge(ctx, keyed)
		must(t, err)
		wantState(t, ctx, added, session.Pending)
		if added.ID != keyed.ID {
			t.Errorf("the key is %s, want %s", added.ID, keyed.ID)
		}
		return nil
	})
	if got := row[Account](t, f, stored.ID); got.Balance != 3 || got.Version != 2 {
		t.Errorf("stored is %+v", got)
	}
	wantRows[Account](t, f, 3)

	src.Version = 1 // the row has 2 by now
	f.do(t, func(ctx context.Context) error {
		_, err := session.Merge(ctx, &src)
		wantFault(t, err, fault.Stale)
		f.reset()
		must(t, session.Flush(ctx))
		if len(f.trips()) != 0 {
			t.Errorf("%q was written", f.trips())
		}
		return nil
	})
}

func case097(t *testing.T, f *fixture) {
	type patch struct {
		Name entity.Opt[string]
		Nick entity.Opt[string]
		Age  entity.Opt[int]
	}
	nick := "Annie"
	user := &User{Name: "Ann", Email: "ann@example.com", Nick: &nick, Age: 30}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, user) })
	apply := func(p patch) *User {
		f.do(t, func(ctx context.Context) error {
			u, err := session.Get[User](ctx, user.ID)
			must(t, err)
			must(t, entity.Apply(u, p))
			return nil
		})
		return row[User](t, f, user.ID)
	}
	if u := apply(patch{Age: entity.Some(0)}); u.Name != "Ann" || u.Nick == nil || *u.Nick != nick || u.Age != 0 {
		t.Errorf("absent fields: %+v", u)
	}
	other := "Nan"
	if u := apply(patch{Nick: entity.Some(other)}); u.Nick == nil || *u.Nick != other {
		t.Errorf("a value: %+v", u)
	}
	if u := apply(patch{Nick: entity.Null[string]()}); u.Nick != nil || u.Name != "Ann" {
		t.Errorf("null: %+v", u)
	}

	// A merged struct has no absent fields: its nil is NULL.
	src := row[User](t, f, user.ID)
	src.Nick, src.Name = &nick, ""
	f.do(t, func(ctx context.Context) error { _, err := session.Merge(ctx, src); return err })
	if u := row[User](t, f, user.ID); u.Nick == nil || u.Name != "" {
		t.Errorf("merged: %+v", u)
	}
	src.Nick = nil
	f.do(t, func(ctx context.Context) error { _, err := session.Merge(ctx, src); return err })
	if u := row[User](t, f, user.ID); u.Nick != nil {
		t.Errorf("merged nil: %+v", u)
	}
}

func case098(t *testing.T, f *fixture) {
	user, other := ann(), &User{Name: "Bob", Email: "bob@example.com"}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, user, other) })
	f.do(t, func(ctx context.Context) error {
		user, err := session.Get[User](ctx, user.ID)
		must(t, err)
		other, err := session.Get[User](ctx, other.ID)
		must(t, err)
		must(t, session.New(ctx, func(ctx context.Context) error {
			theirs, err := session.Get[User](ctx, user.ID)
			must(t, err)
			theirs.Age = 50
			return nil
		}))
		user.Name, other.Name = "mine, unflushed", "Bobby"
		f.reset()
		must(t, session.Refresh(ctx, user))
		if user.Name != "Ann" || user.Age != 50 {
			t.Errorf("refreshed is %+v", user)
		}
		if !f.wrote("UPDATE users") || other.Name != "Bobby" {
			t.Errorf("the other object was not flushed: %q", f.trips())
		}
		f.reset()
		must(t, session.Flush(ctx))
		if len(f.trips()) != 0 {
			t.Errorf("the discarded changes were sent: %q", f.trips())
		}
		pending := &User{Name: "Pat", Email: "pat@example.com"}
		must(t, session.Add(ctx, pending))
		wantFault(t, session.Refresh(ctx, pending), fault.NotPersistent)
		wantFault(t, session.Refresh(ctx, ann()), fault.NotPersistent)
		_, err = session.From(ctx).ExecContext(ctx, "DELETE FROM users WHERE name = 'Ann'")
		must(t, err)
		wantFault(t, session.Refresh(ctx, user), fault.NotFound)
		return nil
	})
	if got := row[User](t, f, other.ID); got.Name != "Bobby" {
		t.Errorf("stored is %+v", got)
	}
}

func case099(t *testing.T, f *fixture) {
	acc := &Account{Balance: 1}
	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, acc))
		if acc.Version != 1 {
			t.Errorf("version %d after Add", acc.Version)
		}
		return nil
	})
	f.do(t, func(ctx context.Context) error {
		mine, err := session.Get[Account](ctx, acc.ID)
		must(t, err)
		mine.Balance = 2
		must(t, session.Flush(ctx))
		if mine.Version != 2 {
			t.Errorf("version %d after the update", mine.Version)
		}
		must(t, session.Rollback(ctx))
		if mine.Version != 1 || mine.Balance != 1 {
			t.Errorf("after the rollback: %+v", mine)
		}
		mine.Balance = 3
		return nil
	})
	if got := row[Account](t, f, acc.ID); got.Version != 2 || got.Balance != 3 {
		t.Errorf("stored is %+v", got)
	}

	// Of two sessions that have read the same version, the first to commit wins: over an update and over a delete.
	for _, write := range []func(ctx context.Context, mine *Account) error{
		func(_ context.Context, mine *Account) error { mine.Balance += 100; return nil },
		func(ctx context.Context, mine *Account) error { return session.Delete(ctx, mine) },
	} {
		err := f.Do(t.Context(), func(ctx context.Context) error {
			mine, err := session.Get[Account](ctx, acc.ID)
			must(t, err)
			must(t, session.New(ctx, func(ctx context.Context) error {
				theirs, err := session.Get[Account](ctx, acc.ID)
				must(t, err)
				theirs.Balance++
				return nil
			}))
			return write(ctx, mine)
		})
		wantFault(t, err, fault.Stale)
		var e *fault.Error
		if !errors.As(err, &e) || e.Key != acc.ID.String() || e.Table != "accounts" {
			t.Errorf("%+v does not name the account", e)
		}
	}
	if got := row[Account](t, f, acc.ID); got.Version != 4 || got.Balance != 5 {
		t.Errorf("stored is %+v, want the two updates that came first", got)
	}
}

func case100(t *testing.T, f *fixture) {
	acc := &Account{Balance: 1}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, acc) })
	stale := uow.Options{Retry: uow.Retry{Kinds: []fault.Kind{fault.Stale}, Backoff: -1}}
	// interfere updates the account in another unit, so that what ctx's unit has read is stale.
	interfere := func(ctx context.Context) {
		must(t, session.New(f.Context(context.Background()), func(ctx context.Context) error {
			theirs, err := session.Get[Account](ctx, acc.ID)
			must(t, err)
			theirs.Balance++
			return nil
		}))
	}
	var seen []*Account
	var hooks []int
	attempt := func(ctx context.Context, failures int) error {
		u, _ := uow.Current(ctx)
		mine, err := session.Get[Account](ctx, acc.ID)
		must(t, err)
		seen = append(seen, mine)
		must(t, uow.AfterCommit(ctx, func(context.Context) error { hooks = append(hooks, u.Attempt()); return nil }))
		if u.Attempt() <= failures {
			interfere(ctx)
		}
		mine.Balance += 100
		return nil
	}
	must(t, f.Do(t.Context(), func(ctx context.Context) error { return attempt(ctx, 2) }, stale))
	if len(seen) != 3 || seen[0] == seen[1] || seen[1] == seen[2] {
		t.Errorf("%d attempts, each with an object of its own: %v", len(seen), seen)
	}
	if !slices.Equal(hooks, []int{3}) {
		t.Errorf("the hooks of attempts %v ran, want those of the third", hooks)
	}
	if got := row[Account](t, f, acc.ID).Balance; got != 103 {
		t.Errorf("balance %d, want 103: one attempt took effect", got)
	}

	seen = nil // bounded
	wantFault(t, f.Do(t.Context(), func(ctx context.Context) error { return attempt(ctx, 99) }, stale), fault.Stale)
	if len(seen) != 3 {
		t.Errorf("%d attempts, want 3", len(seen))
	}
	seen = nil // only what is asked for
	wantFault(t, f.Do(t.Context(), func(ctx context.Context) error { return attempt(ctx, 99) }), fault.Stale)
	if len(seen) != 1 {
		t.Errorf("%d attempts, want 1", len(seen))
	}

	for _, kind := range []fault.Kind{fault.Serialization, fault.Deadlock} { // these without being asked
		runs := 0
		must(t, f.Do(t.Context(), func(ctx context.Context) error {
			if runs++; runs == 1 {
				return fault.New(kind, "")
			}
			return nil
		}))
		if runs != 2 {
			t.Errorf("%s: %d runs", kind, runs)
		}
	}

	outer, inner := 0, 0 // only at the root
	err := f.Do(t.Context(), func(ctx context.Context) error {
		outer++
		return session.New(ctx, func(context.Context) error {
			inner++
			return fault.New(fault.Deadlock, "")
		})
	}, uow.Options{Retry: uow.Retry{Backoff: -1}})
	wantFault(t, err, fault.Deadlock)
	if outer != 3 || inner != 3 {
		t.Errorf("the root ran %d times, the nested unit %d times", outer, inner)
	}

	ctx, cancel := context.WithCancelCause(t.Context()) // the pause ends with the context
	err = f.Do(ctx, func(context.Context) error {
		cancel(errInner)
		return fault.New(fault.Deadlock, "")
	}, uow.Options{Retry: uow.Retry{Backoff: time.Hour}})
	wantFault(t, err, fault.Deadlock)
	if !errors.Is(err, errInner) {
		t.Errorf("%v does not say why it was not run again", err)
	}
}

func case101(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		user := ann()
		must(t, session.Add(ctx, user))
		must(t, session.New(ctx, func(ctx context.Context) error {
			return session.New(ctx, func(ctx context.Context) error {
				err := session.Add(ctx, user)
				wantFault(t, err, fault.IdentityConflict)
				var e *fault.Error
				if !errors.As(err, &e) || e.Entity != "session_test.User" || e.Key != user.ID.String() {
					t.Errorf("%v does not name the object", err)
				}
				return nil
			})
		}))
		must(t, session.Expunge(ctx, user)) // and now it is free
		return session.New(ctx, func(ctx context.Context) error { return session.Add(ctx, user) })
	})
	wantRows[User](t, f, 1)
	f.do(t, func(ctx context.Context) error { // a stored one is free too: that its row is there is for the database to say
		user, err := session.First[User](ctx)
		must(t, err)
		must(t, session.Expunge(ctx, user))
		wantFault(t, session.New(ctx, func(ctx context.Context) error { return session.Add(ctx, user) }), fault.Unique)
		return nil
	})
}

func case102(t *testing.T, f *fixture) {
	f.reset()
	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, ann()))
		must(t, stage(ctx, "staged"))
		must(t, session.Nested(ctx, func(ctx context.Context) error { return stage(ctx, "staged inside") }))
		_ = session.Nested(ctx, func(ctx context.Context) error {
			must(t, stage(ctx, "dropped"))
			must(t, session.Nested(ctx, func(ctx context.Context) error { return stage(ctx, "dropped too") }))
			return errInner
		})
		if err := session.New(ctx, func(ctx context.Context) error {
			return errors.Join(stage(ctx, "dropped with its unit"), errInner)
		}); !errors.Is(err, errInner) {
			t.Errorf("error %v", err)
		}
		must(t, session.Flush(ctx))
		n, err := session.Count[Parent](ctx) // a query of the same table
		must(t, err)
		if n != 0 || f.wrote("INSERT INTO parents") {
			t.Errorf("%d staged rows were flushed: %q", n, f.trips())
		}
		return nil
	})
	var got []string
	f.do(t, func(ctx context.Context) error {
		found, err := session.Find[Parent](ctx, query.Asc(&parents.Name))
		for _, p := range found {
			got = append(got, p.Name)
		}
		return err
	})
	if want := []string{"staged", "staged inside"}; !slices.Equal(got, want) {
		t.Errorf("stored are %q, want %q", got, want)
	}

	f.do(t, func(ctx context.Context) error { // a rollback by hand drops them, a commit by hand writes them
		must(t, stage(ctx, "rolled back"))
		must(t, session.Rollback(ctx))
		must(t, stage(ctx, "committed by hand"))
		must(t, session.Commit(ctx))
		wantRows[Parent](t, f, 3)
		return nil
	})
	wantRows[Parent](t, f, 3)

	f.reset() // nothing but staged rows is a unit too
	f.do(t, func(ctx context.Context) error { return stage(ctx, "alone") })
	if n := len(f.trips()); n != 1 {
		t.Errorf("%d trips: %q", n, f.trips())
	}
	wantRows[Parent](t, f, 4)
}
