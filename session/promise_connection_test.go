package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
)

// The connections of these tests.
const (
	mainDB    session.Name = "main"
	analytics session.Name = "analytics"
)

// onBoth runs a test on PostgreSQL and on SQLite.
func onBoth(t *testing.T, run func(t *testing.T, b backend)) {
	t.Parallel()
	for _, b := range backends {
		if b.name == "plain" { // SQLite again
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			run(t, b)
		})
	}
}

// named returns the configuration of a database of its own.
func named(t testing.TB, b backend, name session.Name, isDefault bool) session.Config {
	return session.Config{Name: name, URL: b.url(t), Drivers: []driver.Driver{b.driver()}, Default: isDefault}
}

// openTwo opens two databases that both have the table of users. The default one is named last.
func openTwo(t testing.TB, b backend) *session.DB {
	t.Helper()
	db := openConfig(t, named(t, b, analytics, false), named(t, b, mainDB, true))
	must(t, db.Do(t.Context(), func(ctx context.Context) error {
		return errors.Join(
			session.CreateTables(ctx, (*User)(nil)),
			session.CreateTables(session.On(ctx, analytics), (*User)(nil)),
		)
	}))
	return db
}

// wantUsers fails the test unless a connection has exactly these users.
func wantUsers(t testing.TB, db *session.DB, on session.Name, want ...string) {
	t.Helper()
	must(t, db.Do(t.Context(), func(ctx context.Context) error {
		found, err := session.Find[User](session.On(ctx, on))
		var names []string
		for _, u := range found {
			names = append(names, u.Name)
		}
		if got := strings.Join(names, " "); got != strings.Join(want, " ") {
			t.Errorf("%s has %q, want %q", on, got, want)
		}
		return err
	}))
}

func newUser(name string) *User { return &User{Name: name, Email: uuid.NewString()} }

// TestPromise08_current_session_from_anywhere: the same session through the whole unit, and a clear error outside one.
func TestPromise08_current_session_from_anywhere(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f := open(t, b)
		deep := func(ctx context.Context) *session.Session {
			return session.From(context.WithValue(ctx, contextKey{}, 1))
		}
		f.do(t, func(ctx context.Context) error {
			u := ann()
			must(t, session.Add(ctx, u))
			before := deep(ctx)
			must(t, session.Flush(ctx))
			must(t, session.Commit(ctx))
			must(t, session.Rollback(ctx))
			if deep(ctx) != before || get[User](t, ctx, u.ID) != u {
				t.Error("the session changed in the course of the unit")
			}
			return nil
		})
		err := session.Add(t.Context(), ann())
		wantFault(t, err, fault.NoSession)
		if text := err.Error(); !strings.Contains(text, "session.Add") || !strings.Contains(text, "db.Do") {
			t.Errorf("the error does not help: %v", err)
		}
		wantFault(t, second(session.From(t.Context()).ExecContext(t.Context(), "SELECT 1")), fault.NoSession)
		wantRows[User](t, f, 1)
	})
}

// TestPromise10_a_goroutine_that_outlives_its_unit: a goroutine that outlives the unit gets an error, and writes nothing.
func TestPromise10_a_goroutine_that_outlives_its_unit(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f := open(t, b)
		ended, late := make(chan struct{}), make(chan error, 1)
		u := ann()
		f.do(t, func(ctx context.Context) error {
			must(t, session.Add(ctx, u))
			go func() {
				<-ended
				u.Name = "late"
				late <- errors.Join(session.Add(ctx, newUser("late")), session.Flush(ctx), session.Commit(ctx))
			}()
			return nil
		})
		f.reset()
		close(ended)
		wantFault(t, <-late, fault.SessionClosed)
		wantTrips(t, f, 0)
		wantUsers(t, f.DB, session.Default, "Ann")
	})
}

// TestPromise17_session_manager: an unmanaged session on a named connection, which its owner commits and closes.
func TestPromise17_session_manager(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		db := openTwo(t, b)
		var manager session.Manager = db
		s, err := manager.Spawn(t.Context(), analytics)
		must(t, err)
		ctx := s.Context(t.Context())
		if s.Session(t.Context()) != session.From(ctx) {
			t.Error("its context has another session")
		}
		u := newUser("first")
		must(t, session.Add(ctx, u))
		must(t, s.Commit(t.Context()))
		wantUsers(t, db, analytics, "first")
		u.Name = "second" // it goes on, with the objects that it has
		must(t, s.Commit(t.Context()))
		wantUsers(t, db, analytics, "second")
		u.Name = "third"
		must(t, session.Flush(ctx))
		must(t, s.Rollback(t.Context()))
		if u.Name != "second" {
			t.Errorf("after a rollback: %s", u.Name)
		}
		must(t, session.Add(ctx, newUser("never")))
		must(t, session.Flush(ctx))
		must(t, s.Close(t.Context()))
		wantFault(t, session.Flush(ctx), fault.SessionClosed)
		wantFault(t, s.Commit(t.Context()), fault.SessionClosed)
		wantIdle(t, db)
		wantUsers(t, db, analytics, "second")
		wantUsers(t, db, session.Default)
	})
}

// TestPromise17_independent_of_the_unit_in_the_context: a spawned session is no part of the unit it was spawned in.
func TestPromise17_independent_of_the_unit_in_the_context(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		db := openTwo(t, b)
		err := db.Do(t.Context(), func(ctx context.Context) error {
			must(t, session.Add(ctx, newUser("outer")))
			s, err := db.Spawn(ctx, session.Default)
			must(t, err)
			defer func() { must(t, s.Close(ctx)) }()
			must(t, session.Add(s.Context(ctx), newUser("spawned")))
			must(t, s.Commit(ctx))
			return errStop
		})
		if !errors.Is(err, errStop) {
			t.Error(err)
		}
		wantUsers(t, db, session.Default, "spawned")
		unused, err := db.Spawn(t.Context(), analytics)
		must(t, err)
		must(t, unused.Close(t.Context()))
		wantFault(t, unused.Commit(t.Context()), fault.SessionClosed)
	})
}

// TestPromise18_connections_map_different_sets: no registry says that every connection has every entity, and one entity
// may live on connections of different databases.
func TestPromise18_connections_map_different_sets(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		embedded := session.Config{Name: analytics, URL: sqliteURL("sqlite")(t), Drivers: []driver.Driver{sqlitedriver.New()}}
		db := openConfig(t, named(t, b, mainDB, true), embedded)
		ticket, there := &Ticket{Title: "door"}, &Ticket{Title: "window"}
		must(t, db.Do(t.Context(), func(ctx context.Context) error {
			there2 := session.On(ctx, analytics)
			must(t, session.CreateTables(ctx, (*User)(nil), (*Ticket)(nil)))
			must(t, session.CreateTables(there2, (*Seat)(nil), (*Ticket)(nil)))
			must(t, errors.Join(session.Add(ctx, newUser("main")), session.Add(ctx, ticket)))
			must(t, errors.Join(session.Add(there2, &Seat{Row: 1, Number: 2, Holder: "x"}), session.Add(there2, there)))
			return nil
		}))
		must(t, db.Do(t.Context(), func(ctx context.Context) error {
			on := session.On(ctx, analytics)
			if here, other := get[Ticket](t, ctx, ticket.ID), get[Ticket](t, on, there.ID); here.Title != "door" || other.Title != "window" {
				t.Errorf("read %+v and %+v", here, other)
			}
			if seat := get[Seat](t, on, session.Key{1, 2}); seat.Holder != "x" {
				t.Errorf("read %+v", seat)
			}
			for _, err := range []error{second(session.Count[Seat](ctx)), second(session.Count[User](on))} {
				var e *fault.Error
				if !errors.As(err, &e) || e.Connection == "" || e.Entity == "" {
					t.Errorf("a table that is not there: %v", err)
				}
			}
			return nil
		}))
	})
}

// TestPromise26_routing_by_name: the default connection without a name, the named one otherwise.
func TestPromise26_routing_by_name(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		db := openTwo(t, b)
		must(t, db.Do(t.Context(), func(ctx context.Context) error {
			named := session.On(ctx, analytics)
			must(t, session.Add(ctx, newUser("default")))
			must(t, session.Add(named, newUser("named")))
			if session.From(ctx) == session.From(named) {
				t.Error("one session for two connections")
			}
			if session.From(session.On(named, mainDB)) != session.From(ctx) || session.From(session.On(named, session.Default)) != session.From(ctx) {
				t.Error("the default connection by its name is another one")
			}
			return nil
		}))
		wantUsers(t, db, session.Default, "default")
		wantUsers(t, db, mainDB, "default")
		wantUsers(t, db, analytics, "named")
		// A context with a name passes it on to the units that begin in it.
		on := session.On(t.Context(), analytics)
		must(t, db.Do(on, func(ctx context.Context) error {
			must(t, session.New(ctx, func(ctx context.Context) error { return session.Add(ctx, newUser("inner")) }))
			found, err := session.Find[User](ctx)
			if len(found) != 2 {
				t.Errorf("found %d", len(found))
			}
			return err
		}))
		wantUsers(t, db, session.Default, "default")
	})
}

// TestPromise27_exactly_one_default: anything else is an error as the program starts.
func TestPromise27_exactly_one_default(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		one := func(name session.Name, isDefault bool) session.Config { return named(t, b, name, isDefault) }
		bad := []struct {
			what string
			cfgs []session.Config
			says []string
		}{
			{"none", []session.Config{one(mainDB, false), one(analytics, false)}, []string{"main", "analytics", "default"}},
			{"two", []session.Config{one(mainDB, true), one("other", false), one(analytics, true)}, []string{"main, analytics", "default"}},
			{"no connection", nil, []string{"default"}},
			{"one name twice", []session.Config{one(mainDB, true), one(mainDB, false)}, []string{"main", "Name"}},
		}
		for _, c := range bad {
			db, err := session.Open(t.Context(), c.cfgs...)
			if db != nil || !errors.Is(err, fault.Misconfigured) {
				t.Errorf("%s: %v", c.what, err)
				continue
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s: %v does not say %s", c.what, err, part)
				}
			}
		}
		openConfig(t, one(mainDB, false)) // the only one is the default
		openConfig(t, one(mainDB, false), one(analytics, true))
	})
}

// TestPromise28_unknown_name: an error that names the known ones, and nothing on the default connection.
func TestPromise28_unknown_name(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		db := openTwo(t, b)
		unknown := func(err error) {
			t.Helper()
			wantFault(t, err, fault.Misconfigured)
			for _, part := range []string{"nowhere", "analytics, main"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v does not say %s", err, part)
				}
			}
		}
		must(t, db.Do(t.Context(), func(ctx context.Context) error {
			on := session.On(ctx, "nowhere")
			unknown(session.Add(on, newUser("lost")))
			unknown(second(session.Find[User](on)))
			unknown(second(session.From(on).ExecContext(on, "DELETE FROM users")))
			unknown(session.New(on, func(ctx context.Context) error { return session.Add(ctx, newUser("lost")) }))
			return nil
		}))
		unknown(second(db.Spawn(t.Context(), "nowhere")))
		wantUsers(t, db, mainDB)
		wantUsers(t, db, analytics)
	})
}
