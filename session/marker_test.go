package session_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/faultdriver"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/value"
)

// The marker travels with the rest: a unit is as many exchanges as it is without.
func TestMarkerCostsNoTrip(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := openFaulty(t, b)
		on := uow.Options{Resolve: resolving}
		trips := func(name string, want, markers int, o uow.Options, fn func(ctx context.Context) error) {
			t.Helper()
			f.reset()
			must(t, f.Do(t.Context(), fn, o))
			all := f.trips()
			if n := strings.Count(strings.Join(all, ";"), "urutu_unit"); len(all) != want || n != markers {
				t.Errorf("%s: %d trips with %d markers, want %d with %d: %q", name, len(all), n, want, markers, all)
			}
		}
		write := func(ctx context.Context) error {
			parent := &Parent{Name: "a"}
			must(t, session.Add(ctx, parent, &Parent{Name: "b"}))
			must(t, session.Add(ctx, &Child{ParentID: parent.ID, Name: "c"}))
			must(t, session.Add(ctx, &Account{Balance: 1}))
			return session.Stage(ctx, session.Rows{
				Table: "parents", Columns: []dialect.Column{{Name: "id", Type: value.TypeUUID}, {Name: "name", Type: value.TypeText}},
				Values: []value.Value{value.OfUUID(uuid.New()), value.OfText("staged")},
			})
		}
		trips("writes", 1, 1, on, write)
		if !f.sent("COMMIT") {
			t.Errorf("no commit in %q", f.trips())
		}
		f.clear(t)
		trips("writes without", 1, 0, uow.Options{}, write)
		trips("nothing", 0, 0, on, func(context.Context) error { return nil })
		trips("a read", 1, 0, on, func(ctx context.Context) error {
			_, err := session.Find[User](ctx)
			return err
		})
		ticket := &Ticket{Title: "four"}
		made := 2
		if b.name == "plain" {
			made = 3 // what it cannot return has to be read
		}
		trips("a key that the database makes", made, 1, on, func(ctx context.Context) error { return session.Add(ctx, ticket) })
		if ticket.ID == 0 || ticket.Length != 4 {
			t.Errorf("the ticket is %+v", ticket)
		}
		trips("two commits", 2, 2, on, func(ctx context.Context) error {
			must(t, session.Add(ctx, &Parent{Name: "first"}))
			must(t, session.Commit(ctx))
			return session.Add(ctx, &Parent{Name: "second"})
		})
	})
}

// What the database makes is not lost with the answer to the commit.
func TestGeneratedValuesSurviveALostAnswer(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := openFaulty(t, b, oneConnection)
		ticket := &Ticket{Title: "four"}
		f.breakOnce(driver.Commit, faultdriver.LoseAnswer)
		must(t, f.Do(t.Context(), func(ctx context.Context) error { return session.Add(ctx, ticket) }, uow.Options{Resolve: resolving}))
		if ticket.ID == 0 || ticket.Length != 4 || ticket.Status != "open" {
			t.Errorf("the ticket is %+v", ticket)
		}
	})
}

// Without its table a marked unit says what is missing.
func TestMarkerWithoutItsTable(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		err := f.Do(t.Context(), func(ctx context.Context) error { return session.Add(ctx, ann()) }, uow.Options{Resolve: resolving})
		wantFault(t, err, fault.Misconfigured)
		if !strings.Contains(err.Error(), "DB.Install") {
			t.Errorf("%v does not say what to do", err)
		}
		wantRows[User](t, f, 0)
	})
}

// The options of a unit are those of whoever began it.
func TestResolveIsTheUnitsOwn(t *testing.T) {
	t.Parallel()
	f := open(t, backends[1])
	f.do(t, func(ctx context.Context) error {
		nothing := func(context.Context) error { return nil }
		wantFault(t, f.Do(ctx, nothing, uow.Options{Resolve: time.Second}), fault.Unsupported)
		wantFault(t, session.Nested(ctx, nothing, uow.Options{Resolve: time.Second}), fault.Unsupported)
		wantFault(t, session.ResolveWith(ctx, func(context.Context) (bool, error) { return true, nil }), fault.Unsupported)
		return nil
	})
	wantFault(t, session.ResolveWith(t.Context(), nil), fault.NoSession)
}

// Of two databases each has its own marker, and a failure after the first is durable stays a partial commit.
func TestLostCommitOfTwoDatabases(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		d := faultdriver.New(b.driver())
		b.driver = func() driver.Driver { return d }
		var cfgs []session.Config
		for _, name := range []session.Name{analytics, mainDB} {
			cfg := named(t, b, name, name == mainDB)
			cfg.Logger = slog.New(slog.DiscardHandler)
			cfgs = append(cfgs, cfg)
		}
		db := openConfig(t, cfgs...)
		create := func(ctx context.Context) error { return session.CreateTables(ctx, (*User)(nil)) }
		must(t, errors.Join(db.Do(t.Context(), create), db.Do(session.On(t.Context(), analytics), create)))
		must(t, errors.Join(db.Install(t.Context()), db.Install(session.On(t.Context(), analytics))))
		for lose := 1; lose <= 2; lose++ {
			for _, what := range []faultdriver.Fault{faultdriver.LoseAnswer, faultdriver.LoseEnd} {
				name, commits, runs := fmt.Sprintf("%d-%p", lose, what), 0, 0
				d.Inject(func(s *driver.Script) faultdriver.Fault {
					if s.End != driver.Commit || commits >= lose {
						return nil
					}
					if commits++; commits == lose {
						return what
					}
					return nil
				})
				err := db.Do(t.Context(), func(ctx context.Context) error {
					runs++
					user := func() *User { return &User{Name: name, Email: name + uuid.NewString()} }
					return errors.Join(session.Add(ctx, user()), session.Add(session.On(ctx, analytics), user()))
				}, uow.Options{Resolve: resolving})
				d.Inject(nil)
				wantTwo(t, db, name, lose, runs, err)
			}
		}
	})
}

// wantTwo fails the test unless what the databases hold is what was reported.
func wantTwo(t *testing.T, db *session.DB, name string, lose, runs int, err error) {
	t.Helper()
	n := func(on session.Name) (n int) {
		must(t, db.Do(t.Context(), func(ctx context.Context) error {
			found, err := session.Find[User](session.On(ctx, on))
			for _, u := range found {
				if u.Name == name {
					n++
				}
			}
			return err
		}))
		return n
	}
	main, other := n(mainDB), n(analytics)
	switch {
	case err == nil:
		if main != 1 || other != 1 {
			t.Errorf("commit %d lost, success after %d runs: %d and %d rows", lose, runs, main, other)
		}
	case errors.Is(err, fault.PartialCommit):
		if lose != 2 || runs != 1 || main != 0 || other != 1 {
			t.Errorf("commit %d lost, %v after %d runs: %d and %d rows", lose, err, runs, main, other)
		}
	default:
		t.Errorf("commit %d lost: %v", lose, err)
	}
}
