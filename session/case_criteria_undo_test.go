package session_test

import (
	"context"
	"errors"
	"testing"

	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

func case074Savepoint(t *testing.T, f *fixture) {
	a, b := &Account{Balance: 1}, &Account{Balance: 2}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, a, b) })
	f.do(t, func(ctx context.Context) error {
		a, b := get[Account](t, ctx, a.ID), get[Account](t, ctx, b.ID)
		err := session.Nested(ctx, func(ctx context.Context) error {
			must(t, second(session.DeleteAll[Account](ctx, query.Eq(&accounts.ID, b.ID))))
			return errInner
		})
		if !errors.Is(err, errInner) || get[Account](t, ctx, b.ID) != b {
			t.Errorf("error %v", err)
		}
		must(t, second(session.UpdateAll[Account](ctx, query.Add(&accounts.Balance, 10), query.AllRows)))
		err = session.Nested(ctx, func(ctx context.Context) error {
			must(t, second(session.UpdateAll[Account](ctx, query.Add(&accounts.Balance, 100), query.AllRows)))
			must(t, second(session.DeleteAll[Account](ctx, query.Eq(&accounts.ID, b.ID))))
			if a.Balance != 111 || a.Version != 3 {
				t.Errorf("inside the object is %+v", a)
			}
			wantState(t, ctx, b, session.Deleted)
			return errInner
		})
		if !errors.Is(err, errInner) {
			t.Errorf("error %v", err)
		}
		wantState(t, ctx, b, session.Persistent)
		if a.Balance != 11 || b.Balance != 12 || a.Version != 2 || b.Version != 2 {
			t.Errorf("the objects are %+v and %+v", a, b)
		}
		must(t, session.Nested(ctx, func(ctx context.Context) error { // and what is released stays
			return second(session.DeleteAll[Account](ctx, query.Eq(&accounts.ID, b.ID)))
		}))
		wantState(t, ctx, b, session.Deleted)
		a.Balance++
		return nil
	})
	if got := row[Account](t, f, a.ID); got.Balance != 12 || got.Version != 3 {
		t.Errorf("stored is %+v", got)
	}
	wantRows[Account](t, f, 1)
}

func case074Rollback(t *testing.T, f *fixture) {
	a, b := &Account{Balance: 1, Tags: []string{"x"}}, &Account{Balance: 2}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, a, b) })
	f.do(t, func(ctx context.Context) error {
		a, b := get[Account](t, ctx, a.ID), get[Account](t, ctx, b.ID)
		must(t, second(session.UpdateAll[Account](ctx, query.Add(&accounts.Balance, 10), query.Set(&accounts.Tags, nil), query.AllRows)))
		must(t, session.Nested(ctx, func(ctx context.Context) error {
			return second(session.DeleteAll[Account](ctx, query.Eq(&accounts.ID, b.ID)))
		}))
		must(t, session.Rollback(ctx))
		wantState(t, ctx, a, session.Persistent)
		wantState(t, ctx, b, session.Persistent)
		if a.Balance != 1 || a.Version != 1 || len(a.Tags) != 1 || b.Balance != 2 {
			t.Errorf("the objects are %+v and %+v", a, b)
		}
		f.reset()
		must(t, session.Flush(ctx))
		wantTrips(t, f, 0)
		b.Balance = 5
		return nil
	})
	if got := row[Account](t, f, b.ID); got.Balance != 5 || got.Version != 2 {
		t.Errorf("stored is %+v", got)
	}
	err := f.Do(t.Context(), func(ctx context.Context) error {
		a = get[Account](t, ctx, a.ID)
		must(t, second(session.UpdateAll[Account](ctx, query.Add(&accounts.Balance, 10), query.AllRows)))
		return errInner
	})
	if !errors.Is(err, errInner) || a.Balance != 1 {
		t.Errorf("error %v, the object is %+v", err, a)
	}
}

func case074ReadBehind(t *testing.T, f *fixture) {
	a := &Account{Balance: 1}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, a) })
	change := func(ctx context.Context) {
		t.Helper()
		must(t, second(session.UpdateAll[Account](ctx, query.Add(&accounts.Balance, 10), query.AllRows)))
	}
	fresh := func(ctx context.Context, stale *Account) *Account {
		t.Helper()
		wantState(t, ctx, stale, session.Detached)
		again := get[Account](t, ctx, a.ID)
		if again == stale || again.Balance != 1 || again.Version != 1 {
			t.Errorf("the object is %+v", again)
		}
		return again
	}
	f.do(t, func(ctx context.Context) error { // of the savepoint
		var behind *Account
		err := session.Nested(ctx, func(ctx context.Context) error {
			change(ctx)
			behind = get[Account](t, ctx, a.ID)
			return errInner
		})
		if !errors.Is(err, errInner) {
			t.Errorf("error %v", err)
		}
		fresh(ctx, behind).Balance = 1
		return nil
	})
	f.do(t, func(ctx context.Context) error { // of an enclosing one, and not of one inside
		var behind *Account
		_ = session.Nested(ctx, func(ctx context.Context) error {
			must(t, session.Nested(ctx, func(ctx context.Context) error { change(ctx); return nil }))
			_ = session.Nested(ctx, func(ctx context.Context) error {
				behind = get[Account](t, ctx, a.ID)
				behind.Balance = 7
				must(t, session.Flush(ctx))
				return errInner
			})
			wantState(t, ctx, behind, session.Persistent)
			if behind.Balance != 11 {
				t.Errorf("the object is %+v", behind)
			}
			return errInner
		})
		fresh(ctx, behind)
		change(ctx)
		must(t, session.Expunge(ctx, get[Account](t, ctx, a.ID)))
		behind = get[Account](t, ctx, a.ID)
		must(t, session.Rollback(ctx))
		fresh(ctx, behind)
		return nil
	})
	guest, friend := &Guest{}, &Friend{} // and rows that foreign keys change
	f.do(t, func(ctx context.Context) error {
		must(t, session.CreateTables(ctx, (*Friend)(nil), (*Guest)(nil), (*Host)(nil)))
		host := &Host{}
		must(t, session.Add(ctx, host))
		guest.HostID = host.ID
		must(t, session.Add(ctx, guest))
		friend.GuestID = &guest.ID
		return session.Add(ctx, friend)
	})
	f.do(t, func(ctx context.Context) error {
		var behind *Friend
		_ = session.Nested(ctx, func(ctx context.Context) error {
			must(t, second(session.DeleteAll[Guest](ctx, query.Eq(&guests.ID, guest.ID))))
			behind = get[Friend](t, ctx, friend.ID)
			return errInner
		})
		if again := get[Friend](t, ctx, friend.ID); again == behind || again.GuestID == nil {
			t.Errorf("the friend is %+v", again)
		}
		return nil
	})
}

func case074Commit(t *testing.T, f *fixture) {
	id, gone := stored(t, f), stored(t, f)
	f.do(t, func(ctx context.Context) error {
		u, deleted := get[User](t, ctx, id), get[User](t, ctx, gone)
		must(t, second(session.UpdateAll[User](ctx, query.Set(&users.Age, 7), query.AllRows)))
		must(t, second(session.DeleteAll[User](ctx, query.Eq(&users.ID, gone))))
		must(t, session.Commit(ctx))
		wantState(t, ctx, deleted, session.Detached)
		other := stored(t, f)
		read := get[User](t, ctx, other)
		must(t, session.Rollback(ctx)) // what was committed stays, and what was read since too
		wantState(t, ctx, u, session.Persistent)
		wantState(t, ctx, read, session.Persistent)
		if u.Age != 7 {
			t.Errorf("the object is %+v", u)
		}
		return nil
	})
}
