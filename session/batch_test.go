package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
)

// TestBatch: several independent reads asked for together, on every database.
func TestBatch(t *testing.T) {
	t.Parallel()
	runCases(t, []testCase{
		{"one_trip", withFixture(batchOneTrip)},
		{"what_the_session_has_costs_none", withFixture(batchHeld)},
		{"misses", withFixture(batchMisses)},
		{"pending_changes_are_flushed_in_the_same_trip", withFixture(batchAutoflush)},
		{"a_failing_autoflush_says_so", withFixture(batchAutoflushFails)},
		{"an_error_says_which_read_and_assigns_nothing", withFixture(batchErrors)},
		{"a_failing_statement_says_which_read", withFixture(batchStatementFails)},
		{"locks_begin_the_transaction", withFixture(batchLocks)},
		{"one_row_is_one_object", withFixture(batchIdentity)},
		{"one_snapshot_under_a_higher_isolation", withFixture(batchSnapshot)},
	})
}

var seats = entity.Columns[Seat]()

func batchOneTrip(t *testing.T, f *fixture) {
	id, other := stored(t, f), stored(t, f)
	f.do(t, func(ctx context.Context) error {
		return session.Add(ctx, &Seat{Row: 1, Number: 1}, &Seat{Row: 1, Number: 2})
	})
	f.reset()
	var (
		user, found, first *User
		row                []*Seat
		many               []*User
		missing            []any
		n                  int
		all                int64
		exists             bool
	)
	f.do(t, func(ctx context.Context) error {
		must(t, session.Batch(ctx,
			session.GetInto(&user, id),
			session.LookupInto(&found, other.String()),
			session.FirstInto(&first, query.Desc(&users.ID)),
			session.FindInto(&row, query.Eq(&seats.Row, 1), query.Desc(&seats.Number)),
			session.GetManyInto(&many, &missing, other, uuid.Nil, id),
			session.CountInto[Seat](&n, query.Eq(&seats.Number, 2)),
			session.CountInto[User](&all),
			session.ExistsInto[User](&exists, query.Eq(&users.ID, id)),
		))
		wantTrips(t, f, 1)
		if f.sent("BEGIN") || f.Stats()["default"].InUse != 0 {
			t.Errorf("reads hold a connection: %q", f.trips())
		}
		if get[User](t, ctx, id) != user || get[User](t, ctx, other) != found {
			t.Error("the objects are not the session's")
		}
		return session.Batch(ctx) // of nothing
	})
	wantTrips(t, f, 1)
	if user.ID != id || found.ID != other || first != found && first != user || len(row) != 2 || row[0].Number != 2 {
		t.Errorf("read %v, %v, %v, %v", user, found, first, row)
	}
	if len(many) != 2 || many[0] != found || many[1] != user || len(missing) != 1 || missing[0] != uuid.Nil {
		t.Errorf("read %v without %v", many, missing)
	}
	if n != 1 || all != 2 || !exists {
		t.Errorf("counted %d and %d, exists %t", n, all, exists)
	}
}

func batchHeld(t *testing.T, f *fixture) {
	id, other := stored(t, f), stored(t, f)
	var a, b, c *User
	var many []*User
	f.do(t, func(ctx context.Context) error {
		u, pending := get[User](t, ctx, id), &User{Email: "new@example.com"}
		must(t, session.Add(ctx, pending))
		f.reset()
		must(t, session.Batch(ctx,
			session.GetInto(&a, id), session.LookupInto(&b, pending.ID), session.GetManyInto(&many, nil, pending.ID, id)))
		if a != u || b != pending || len(many) != 2 || many[0] != pending || f.connections() != 0 {
			t.Errorf("read %v, %v, %v and sent %q", a, b, many, f.trips())
		}
		must(t, session.Batch(session.NoAutoflush(ctx), session.GetInto(&b, id), session.GetInto(&c, other)))
		if trips := f.trips(); len(trips) != 1 || strings.Count(trips[0], "SELECT") != 1 || b != u || c.ID != other {
			t.Errorf("read %v, %v and sent %q", b, c, trips)
		}
		return session.Rollback(ctx)
	})
}

func batchMisses(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		found := ann()
		var objs []*User
		var many []*User
		exists, n := true, int64(7)
		must(t, session.Batch(ctx,
			session.LookupInto(&found, uuid.New()), session.FindInto(&objs), session.GetManyInto(&many, nil, uuid.New()),
			session.ExistsInto[User](&exists), session.CountInto[User](&n)))
		if found != nil || objs == nil || len(objs) != 0 || many != nil || exists || n != 0 {
			t.Errorf("read %v, %v, %v, %t, %d", found, objs, many, exists, n)
		}
		doomed := &User{Email: "doomed@example.com"}
		must(t, errors.Join(session.Add(ctx, doomed), session.Flush(ctx), session.Delete(ctx, doomed)))
		wantFault(t, session.Batch(ctx, session.GetInto(&found, doomed.ID)), fault.NotFound)
		return nil
	})
}

func batchAutoflush(t *testing.T, f *fixture) {
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		u := get[User](t, ctx, id)
		f.reset()
		u.Name = "changed"
		var again *User
		var rows []*Seat
		must(t, session.Batch(ctx, session.GetInto(&again, id), session.FindInto(&rows)))
		if again != u || f.wrote("UPDATE") || len(f.trips()) != 1 {
			t.Errorf("a table that no query reads was flushed: %q", f.trips())
		}
		f.reset()
		var n int
		var found bool
		must(t, session.Batch(ctx, session.FindInto(&rows), session.CountInto[User](&n, query.Eq(&users.Name, "changed")),
			session.ExistsInto[User](&found)))
		if n != 1 || !found {
			t.Errorf("counted %d, found %t: the change was not flushed", n, found)
		}
		if trips := f.trips(); len(trips) != 1 || strings.Count(trips[0], "UPDATE") != 1 || strings.Count(trips[0], "SELECT") < 3 {
			t.Errorf("sent %q, want the flush and the queries in one", trips)
		}
		return nil
	})
}

func batchAutoflushFails(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, ann()) })
	err := f.Do(t.Context(), func(ctx context.Context) error {
		again := ann()
		must(t, session.Add(ctx, again))
		var rows []*Seat
		var us []*User
		err := session.Batch(ctx, session.FindInto(&rows), session.FindInto(&us), session.FindInto(&us, query.Limit(1)))
		wantFault(t, err, fault.Unique)
		var e *fault.Error
		if errors.As(err, &e); e.Key != again.ID.String() || !strings.HasPrefix(e.Op, "session.Batch: during autoflush before the query of seats, users") {
			t.Errorf("the error says %v", err)
		}
		if rows != nil || us != nil {
			t.Error("something was assigned")
		}
		return err
	})
	wantFault(t, err, fault.Unique)
}

func batchErrors(t *testing.T, f *fixture) {
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		var stray string
		gone := uuid.New()
		for _, c := range []struct {
			name  string
			kind  fault.Kind
			trips int
			read  func(u **User) session.Read
		}{
			{"GetInto", fault.NotFound, 1, func(u **User) session.Read { return session.GetInto(u, gone) }},
			{"FirstInto", fault.NotFound, 1, func(u **User) session.Read { return session.FirstInto(u, query.Eq(&users.ID, gone)) }},
			{"GetInto", fault.BadRequest, 0, func(u **User) session.Read { return session.GetInto(u, 7) }},
			{"LookupInto", fault.BadRequest, 0, func(u **User) session.Read { return session.LookupInto(u, nil) }},
			{"GetManyInto", fault.BadRequest, 0, func(u **User) session.Read {
				return session.GetManyInto(new([]*User), nil, gone, "none")
			}},
			{"FindInto", fault.Misconfigured, 0, func(u **User) session.Read {
				return session.FindInto(new([]*User), query.Eq(&stray, "x"))
			}},
			{"CountInto", fault.Misconfigured, 0, func(u **User) session.Read {
				return session.CountInto[int](new(int))
			}},
			{"GetInto", fault.Invalid, 0, func(u **User) session.Read { return session.GetInto[User](nil, id) }},
			{"", fault.Invalid, 0, func(u **User) session.Read { return session.Read{} }},
		} {
			f.reset()
			var before, failing, after *User
			err := session.Batch(session.NoAutoflush(ctx),
				session.GetInto(&before, id, query.Populate), c.read(&failing), session.LookupInto(&after, id))
			wantFault(t, err, c.kind)
			var e *fault.Error
			if errors.As(err, &e); e.Op != "session.Batch: read 2 ("+c.name+")" {
				t.Errorf("%s: the error says %v", c.name, err)
			}
			if c.kind == fault.NotFound && e.Entity != "session_test.User" || c.trips == 1 && c.name == "GetInto" && e.Key != gone.String() {
				t.Errorf("%s: the error names %s %s", c.name, e.Entity, e.Key)
			}
			if before != nil || failing != nil || after != nil {
				t.Errorf("%s: something was assigned", c.name)
			}
			wantTrips(t, f, c.trips)
		}
		return session.Add(ctx, ann()) // the session is usable
	})
}

type Tableless struct {
	entity.Identifiable
}

func batchStatementFails(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		var us []*User
		var none int
		err := session.Batch(ctx, session.FindInto(&us), session.CountInto[Tableless](&none))
		var e *fault.Error
		if !errors.As(err, &e) || e.Op != "session.Batch: read 2 (CountInto)" || e.Entity != "session_test.Tableless" || us != nil {
			t.Errorf("the error says %v", err)
		}
		return session.Add(ctx, ann()) // nothing was begun, so that nothing has failed
	})
	err := f.Do(t.Context(), func(ctx context.Context) error {
		must(t, session.Add(ctx, &Parent{}))
		must(t, session.Flush(ctx))
		var none int
		if err := session.Batch(ctx, session.CountInto[Tableless](&none)); err == nil {
			t.Error("no error")
		}
		return nil
	})
	wantFault(t, err, fault.SessionFailed)
}

func batchLocks(t *testing.T, f *fixture) {
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		u := get[User](t, ctx, id)
		elsewhere(t, f, id, func(u *User) { u.Age = 9 })
		var locked *User
		var n int
		must(t, session.Batch(ctx, session.CountInto[Seat](&n), session.GetInto(&locked, id, query.ForUpdate)))
		if trips := f.trips(); len(trips) != 1 || !strings.HasPrefix(trips[0], "BEGIN; SELECT") {
			t.Errorf("sent %q", trips)
		}
		if locked != u || u.Age != 9 || f.Stats()["default"].InUse != 1 {
			t.Errorf("read %+v", locked)
		}
		return nil
	})
	f.do(t, func(ctx context.Context) error { // a hook takes the only change back: the lock wants its transaction all the same
		u := get[User](t, ctx, id)
		must(t, session.OnFlush(ctx, session.FlushHooks{Before: func(context.Context) error { u.Name = "Ann"; return nil }}))
		u.Name = "changed"
		f.reset()
		var locked *User
		must(t, session.Batch(ctx, session.GetInto(&locked, id, query.ForUpdate)))
		if trips := f.trips(); len(trips) != 1 || !strings.HasPrefix(trips[0], "BEGIN; SELECT") {
			t.Errorf("sent %q", trips)
		}
		return nil
	})
}

func batchIdentity(t *testing.T, f *fixture) {
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		var a, b *User
		var found, untracked []*User
		must(t, session.Batch(ctx, session.GetInto(&a, id), session.FindInto(&found), session.GetInto(&b, id.String()),
			session.FindInto(&untracked, query.NoTracking)))
		if a != b || len(found) != 1 || found[0] != a || len(untracked) != 1 || untracked[0] == a {
			t.Errorf("read %p, %p, %v, %v", a, b, found, untracked)
		}
		a.Name = "mine"
		must(t, session.Batch(session.NoAutoflush(ctx), session.FindInto(&found), session.FindInto(&untracked, query.NoTracking)))
		if a.Name != "mine" {
			t.Error("a read overwrote an object")
		}
		must(t, session.Batch(session.NoAutoflush(ctx), session.FindInto(&found), session.FirstInto(&b, query.Populate)))
		if a.Name != "Ann" {
			t.Error("Populate was not followed")
		}
		return nil
	})
}

func batchSnapshot(t *testing.T, f *fixture) {
	id := stored(t, f)
	err := f.Do(t.Context(), func(ctx context.Context) error {
		var u *User
		var n int
		must(t, session.Batch(ctx, session.GetInto(&u, id), session.CountInto[User](&n)))
		if trips := f.trips(); len(trips) != 1 || !strings.HasPrefix(trips[0], "BEGIN; SELECT") {
			t.Errorf("sent %q", trips)
		}
		return nil
	}, uow.Options{Isolation: uow.RepeatableRead})
	must(t, err)
}

// The error of a goroutine that finds the session in use names the ways out.
func TestBatch_is_the_way_out_of_concurrent_use(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		id := stored(t, f)
		f.do(t, func(ctx context.Context) error {
			inside, release, done := make(chan struct{}), make(chan struct{}), make(chan error)
			f.intercept(func(_ *driver.Script, run func() error) error {
				close(inside)
				<-release
				return run()
			})
			go func() {
				var u *User
				done <- session.Batch(ctx, session.GetInto(&u, id))
			}()
			<-inside
			_, err := session.Find[Seat](ctx)
			wantFault(t, err, fault.ConcurrentUse)
			if !strings.Contains(err.Error(), "session.Batch") || !strings.Contains(err.Error(), "session.New") {
				t.Errorf("the error names no way out: %v", err)
			}
			close(release)
			f.intercept(nil)
			return <-done
		})
	})
}
