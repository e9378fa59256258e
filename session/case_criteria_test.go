package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

var criteriaCases = []testCase{
	{"case_074_update_by_criteria", withFixture(case074Update)},
	{"case_074_delete_by_criteria", withFixture(case074Delete)},
	{"case_074_soft_delete_by_criteria", withFixture(case074SoftDelete)},
	{"case_074_flushes_first_in_the_same_trip", withFixture(case074Flush)},
	{"case_074_trips", case074Trips},
	{"case_074_keys_that_the_database_makes", withFixture(case074Serial)},
	{"case_074_composite_keys", withFixture(case074Composite)},
	{"case_074_evict", withFixture(case074Evict)},
	{"case_074_refuse", withFixture(case074Refuse)},
	{"case_074_rows_that_foreign_keys_take_along", withFixture(case074Cascade)},
	{"case_074_relations", case074Relations},
	{"case_074_undone_by_a_savepoint", withFixture(case074Savepoint)},
	{"case_074_undone_by_a_rollback", withFixture(case074Rollback)},
	{"case_074_objects_read_behind_it_do_not_outlive_it", withFixture(case074ReadBehind)},
	{"case_074_kept_by_a_commit_by_hand", withFixture(case074Commit)},
	{"case_074_every_row_only_when_it_is_said", withFixture(case074AllRows)},
	{"case_074_columns_that_cannot_be_set", withFixture(case074Refused)},
	{"case_074_read_only", withFixture(case074ReadOnly)},
	{"case_074_constraint", withFixture(case074Constraint)},
	{"case_074_failing_flush", withFixture(case074FailingFlush)},
	{"case_074_inside_a_hook", withFixture(case074Hook)},
}

var accounts = entity.Columns[Account]()

func case074Update(t *testing.T, f *fixture) {
	rich, poor := &Account{Balance: 100, Meta: map[string]any{"a": 1.0}}, &Account{Balance: 1, Tags: []string{"x"}}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, rich, poor, &Account{Balance: 70}) })
	f.clock.advance(time.Hour)
	f.reset()
	var hit, left *Account
	f.do(t, func(ctx context.Context) error {
		must(t, session.Batch(ctx, session.GetInto(&hit, rich.ID), session.GetInto(&left, poor.ID)))
		owner, tag := uuid.New(), &left.Tags[0]
		f.reset()
		n, err := session.UpdateAll[Account](ctx,
			query.Add(&accounts.Balance, -50), query.Set(&accounts.Owner, owner), query.Ge(&accounts.Balance, 70))
		must(t, err)
		if n != 2 {
			t.Errorf("%d rows, want 2", n)
		}
		if trips := f.trips(); len(trips) != 1 || strings.Count(trips[0], "; UPDATE") != 1 || strings.Count(trips[0], "; SELECT") != 1 {
			t.Errorf("sent %q, want the update and one query for what is tracked in one", trips)
		}
		if hit.Balance != 50 || hit.Owner != owner || hit.Version != 2 || !hit.UpdatedAt.Equal(rich.CreatedAt.Add(time.Hour)) {
			t.Errorf("the object is %+v", hit)
		}
		if &left.Tags[0] != tag || left.Balance != 1 || left.Version != 1 || !left.UpdatedAt.Equal(poor.CreatedAt) {
			t.Errorf("an object that was not meant is %+v", left)
		}
		hit.Balance++ // its own update goes on from what the criteria made of it
		return nil
	})
	if hit.Balance != 51 || hit.Version != 3 || hit.Meta["a"] != 1.0 {
		t.Errorf("after the commit the object is %+v", hit)
	}
	if got := row[Account](t, f, rich.ID); got.Balance != 51 || got.Version != 3 || !got.UpdatedAt.Equal(hit.UpdatedAt) {
		t.Errorf("stored is %+v", got)
	}

	f.reset()
	f.do(t, func(ctx context.Context) error { // nothing is tracked: nothing is asked
		n, err := session.UpdateAll[Account](ctx, query.Set(&accounts.Balance, 0), query.In(&accounts.ID, rich.ID, poor.ID))
		if n != 2 || f.sent("; SELECT") {
			t.Errorf("%d rows, sent %q", n, f.trips())
		}
		return err
	})
	wantTrips(t, f, 2) // the other one is the commit
	f.do(t, func(ctx context.Context) error {
		n, err := session.UpdateAll[User](ctx, query.SetTo(&users.Name, &users.Email), query.Set(&users.Nick, nil), query.AllRows)
		if n != 0 {
			t.Errorf("%d rows of none", n)
		}
		return err
	})
}

func case074Delete(t *testing.T, f *fixture) {
	gone, kept := stored(t, f), stored(t, f)
	for range 3 {
		stored(t, f)
	}
	var a, b *User
	f.do(t, func(ctx context.Context) error {
		must(t, session.Batch(ctx, session.GetInto(&a, gone), session.GetInto(&b, kept)))
		f.reset()
		n, err := session.DeleteAll[User](ctx, query.Ne(&users.ID, kept))
		must(t, err)
		if n != 4 {
			t.Errorf("%d rows, want 4", n)
		}
		wantTrips(t, f, 1)
		wantState(t, ctx, a, session.Deleted)
		wantState(t, ctx, b, session.Persistent)
		f.reset()
		wantFault(t, second(session.Get[User](session.NoAutoflush(ctx), gone)), fault.NotFound)
		wantFault(t, session.Add(ctx, a), fault.Deleted)
		successor := &User{Email: "successor@example.com"}
		successor.ID = gone
		must(t, session.Add(ctx, successor))
		must(t, session.Flush(ctx))
		must(t, second(session.DeleteAll[User](ctx, query.Eq(&users.Email, successor.Email))))
		a.Name = "changed in vain"
		b.Name = "changed"
		return nil
	})
	wantRows[User](t, f, 1)
	if got := row[User](t, f, kept); got.Name != "changed" {
		t.Errorf("stored is %+v", got)
	}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, a) }) // detached by the commit
	wantRows[User](t, f, 2)
}

func case074SoftDelete(t *testing.T, f *fixture) {
	old, hit, left := &Note{Text: "old"}, &Note{Text: "hit"}, &Note{Text: "left"}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, old, hit, left) })
	f.do(t, func(ctx context.Context) error { return session.Delete(ctx, get[Note](t, ctx, old.ID)) })
	was := noteOf(t, f, old.ID)
	f.clock.advance(time.Hour)
	var a, b, c *Note
	f.do(t, func(ctx context.Context) error {
		must(t, session.Batch(ctx, session.GetInto(&a, hit.ID), session.GetInto(&b, left.ID),
			session.GetInto(&c, old.ID, query.WithDeleted)))
		f.reset()
		n, err := session.DeleteAll[Note](ctx, query.Ne(&notes.Text, "left"))
		must(t, err)
		if n != 1 || f.wrote("DELETE") {
			t.Errorf("%d rows and sent %q, want one row marked", n, f.trips())
		}
		wantTrips(t, f, 1)
		wantState(t, ctx, a, session.Deleted)
		wantState(t, ctx, b, session.Persistent)
		wantState(t, ctx, c, session.Persistent) // it was deleted before, and is not again
		wantFault(t, second(session.Get[Note](ctx, hit.ID)), fault.NotFound)
		return nil
	})
	if at := was.UpdatedAt.Add(time.Hour); a.DeletedAt == nil || !a.DeletedAt.Equal(at) || !a.UpdatedAt.Equal(at) || a.Version != 2 {
		t.Errorf("the object is %+v", a)
	}
	if got := noteOf(t, f, hit.ID); !got.DeletedAt.Equal(*a.DeletedAt) || got.Version != 2 {
		t.Errorf("stored is %+v", got)
	}
	if got := noteOf(t, f, old.ID); !got.DeletedAt.Equal(*was.DeletedAt) || got.Version != was.Version {
		t.Errorf("what was deleted before is %+v", got)
	}

	f.do(t, func(ctx context.Context) error { // updates leave deleted rows alone, or bring them back
		n, err := session.UpdateAll[Note](ctx, query.Set(&notes.Text, "all"), query.AllRows)
		if n != 1 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		n, err = session.UpdateAll[Note](ctx, query.WithDeleted, query.Set(&notes.DeletedAt, nil), query.NotNull(&notes.DeletedAt))
		if n != 2 || err != nil {
			t.Errorf("%d rows brought back, %v", n, err)
		}
		return nil
	})
	wantRows[Note](t, f, 3)
}

// noteOf reads a note, deleted or not.
func noteOf(t testing.TB, f *fixture, id uuid.UUID) (n *Note) {
	t.Helper()
	f.do(t, func(ctx context.Context) (err error) {
		n, err = session.Get[Note](ctx, id, query.WithDeleted)
		return err
	})
	return n
}

func case074Flush(t *testing.T, f *fixture) {
	id, doomed := stored(t, f), stored(t, f)
	f.do(t, func(ctx context.Context) error {
		changed, added := get[User](t, ctx, id), ann()
		changed.Age = 30
		must(t, session.Delete(ctx, get[User](t, ctx, doomed)))
		must(t, session.Add(ctx, added))
		must(t, session.Add(ctx, &Parent{Name: "unrelated"}))
		f.reset()
		n, err := session.UpdateAll[User](session.NoAutoflush(ctx), query.Add(&users.Age, 1), query.AllRows)
		must(t, err)
		if n != 2 {
			t.Errorf("%d rows, want 2: the changes were not flushed first", n)
		}
		wantTrips(t, f, 1)
		if changed.Age != 31 || added.Age != 1 {
			t.Errorf("the objects are %+v and %+v", changed, added)
		}
		if !f.wrote("INSERT INTO parents") {
			t.Errorf("not everything was flushed: %q", f.trips())
		}
		f.reset()
		must(t, session.Flush(ctx))
		wantTrips(t, f, 0)
		return nil
	})
}

// case074Trips counts exchanges, and round trips on PostgreSQL's wire.
func case074Trips(t *testing.T, b backend) {
	f, trips := openCounted(t, b)
	u := ann()
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, u) })
	for unit, c := range map[string]struct {
		want int
		run  func(ctx context.Context) error
	}{
		"nothing is tracked": {2, func(ctx context.Context) error { // the statement, the commit
			return second(session.UpdateAll[User](ctx, query.Add(&users.Age, 1), query.AllRows))
		}},
		"an object is read, changed, and changed by criteria": {3, func(ctx context.Context) error {
			get[User](t, ctx, u.ID).Name = "changed"
			return second(session.UpdateAll[User](ctx, query.Add(&users.Age, 1), query.AllRows))
		}},
		"further writes": {2, func(ctx context.Context) error { // they are the commit's
			err := second(session.DeleteAll[Seat](ctx, query.Eq(&seats.Row, 7)))
			return errors.Join(err, session.Add(ctx, &Parent{}), stage(ctx, "staged"))
		}},
	} {
		for _, warmth := range []string{"cold", "warm"} {
			if n := trips(c.run); n != c.want {
				t.Errorf("%s, %s: %d trips, want %d: %q", unit, warmth, n, c.want, f.trips())
			}
		}
	}
	if got := row[User](t, f, u.ID); got.Age != 4 || got.Name != "changed" {
		t.Errorf("stored is %+v", got)
	}
	wantIdle(t, f.DB)
}

func case074Serial(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		a, b := &Ticket{Title: "a"}, &Ticket{Title: "b"}
		must(t, session.Add(ctx, a, b))
		f.reset()
		n, err := session.UpdateAll[Ticket](ctx, query.Set(&tickets.Title, "longer"), query.Eq(&tickets.Title, "a"))
		must(t, err)
		if n != 1 || a.Title != "longer" || a.Length != 6 || b.Title != "b" || b.Status != "open" {
			t.Errorf("%d rows; the objects are %+v and %+v", n, a, b)
		}
		if f.backend.name == "postgres" {
			wantTrips(t, f, 2) // who they are is known only then
		}
		f.reset()
		n, err = session.DeleteAll[Ticket](ctx, query.Eq(&tickets.ID, a.ID))
		must(t, err)
		wantState(t, ctx, a, session.Deleted)
		wantTrips(t, f, 1)
		if n != 1 {
			t.Errorf("%d rows deleted", n)
		}
		return nil
	})
	wantRows[Ticket](t, f, 1)
}

func case074Composite(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		a, b := &Seat{Row: 1, Number: 1}, &Seat{Row: 1, Number: 2}
		must(t, session.Add(ctx, a, b, &Seat{Row: 2, Number: 1}))
		f.reset()
		n, err := session.UpdateAll[Seat](ctx, query.Set(&seats.Holder, "Ann"), query.Eq(&seats.Number, 1))
		if n != 2 || err != nil || a.Holder != "Ann" || b.Holder != "" {
			t.Errorf("%d rows, %v: %+v, %+v", n, err, a, b)
		}
		n, err = session.DeleteAll[Seat](ctx, query.Eq(&seats.Row, 1), query.Eq(&seats.Number, 2))
		if n != 1 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		wantTrips(t, f, 2)
		wantState(t, ctx, a, session.Persistent)
		wantState(t, ctx, b, session.Deleted)
		return nil
	})
}

// TestUpdateAll_follows_many: what is tracked is read again in lists that every database takes.
func TestUpdateAll_follows_many(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		const n = 6000
		f := open(t, b)
		f.do(t, func(ctx context.Context) error {
			all := make([]*User, n)
			for i := range all {
				all[i] = &User{Email: fmt.Sprint(i)}
			}
			must(t, session.Add(ctx, all...))
			f.reset()
			got, err := session.UpdateAll[User](ctx, query.Add(&users.Age, 2), query.AllRows)
			if got != n || err != nil {
				t.Errorf("%d rows, %v", got, err)
			}
			wantTrips(t, f, 1)
			for _, u := range all {
				if u.Age != 2 {
					t.Fatalf("the object is %+v", u)
				}
			}
			return session.Rollback(ctx)
		})
	})
}
