package session_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
)

// texts is a step of fixed statements.
func texts(stmts ...string) session.Step {
	return func(dialect.Dialect) []string { return stmts }
}

// parcel is a component of the first n versions. Each step leaves a row, so that one which was taken twice is seen.
func parcel(n int) session.Component {
	steps := []session.Step{
		texts("CREATE TABLE parcel (step INTEGER NOT NULL)", "INSERT INTO parcel VALUES (1)"),
		texts("ALTER TABLE parcel ADD COLUMN note VARCHAR(20)", "INSERT INTO parcel VALUES (2, 'two')"),
		texts("INSERT INTO parcel VALUES (3, 'three')"),
	}
	return session.Component{Name: "parcel", Steps: steps[:n]}
}

// column reads the one column of a query.
func column[T any](t testing.TB, db *session.DB, query string) (all []T) {
	t.Helper()
	must(t, db.Do(t.Context(), func(ctx context.Context) error {
		rows, err := session.From(ctx).QueryContext(ctx, query)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var v T
			must(t, rows.Scan(&v))
			all = append(all, v)
		}
		return rows.Err()
	}))
	return all
}

// wantColumn fails the test unless the query returns these.
func wantColumn(t testing.TB, db *session.DB, query string, want ...any) {
	t.Helper()
	if got := column[any](t, db, query); fmt.Sprint(got...) != fmt.Sprint(want...) {
		t.Errorf("%s: %v, want %v", query, got, want)
	}
}

// A component goes from version to version, one at a time and each once, and a program that is older than the database
// leaves it as it is.
func TestInstallGoesFromVersionToVersion(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		ctx := t.Context()
		must(t, f.Install(ctx, parcel(0)))
		must(t, f.Install(ctx, parcel(1)))
		must(t, f.Install(ctx, parcel(1)))
		wantColumn(t, f.DB, "SELECT step FROM parcel ORDER BY step", 1)
		must(t, f.Install(ctx, parcel(3)))
		must(t, f.Install(ctx, parcel(2)))
		wantColumn(t, f.DB, "SELECT step FROM parcel ORDER BY step", 1, 2, 3)
		wantColumn(t, f.DB, "SELECT version FROM urutu_schema ORDER BY component", 3, 1)

		f.reset()
		must(t, f.Install(ctx, parcel(3)))
		if f.wrote("CREATE") || f.wrote("INSERT") || f.wrote("BEGIN") {
			t.Errorf("nothing was to be done, and %q was sent", f.trips())
		}
	})
}

// A step that fails leaves its version out, and what came before it in place; its error says which it was.
func TestInstallStopsAtAStepThatFails(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		bad := parcel(3)
		bad.Steps[1] = texts("INSERT INTO parcel VALUES (2)", "INSERT INTO there_is_none VALUES (1)")
		err := f.Install(t.Context(), bad)
		if err == nil || !strings.Contains(err.Error(), `component "parcel": step 2`) {
			t.Errorf("the error is %v", err)
		}
		wantColumn(t, f.DB, "SELECT step FROM parcel", 1)
		must(t, f.Install(t.Context(), parcel(3)))
		wantColumn(t, f.DB, "SELECT step FROM parcel ORDER BY step", 1, 2, 3)
		wantIdle(t, f.DB)
	})
}

func TestInstallRefuses(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		wantFault(t, f.Install(t.Context(), session.Component{}), fault.Misconfigured)
		wantFault(t, f.Install(session.On(t.Context(), "elsewhere")), fault.Misconfigured)
		dead, cancel := context.WithCancel(t.Context())
		cancel()
		wantFault(t, f.Install(dead, parcel(1)), fault.Canceled)
	})
}

// Processes that start at once install at once: each finds everything there, and every step was taken once. They share
// nothing but the database.
func TestInstallAtOnce(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		const rounds, processes = 5, 6
		for range rounds {
			address := b.url(t)
			cfg := func() session.Config {
				return session.Config{URL: address, Drivers: []driver.Driver{b.driver()}, PoolSize: 1, MaxOverflow: -1, Pooler: true}
			}
			errs := make([]error, processes)
			start := make(chan struct{})
			var wg sync.WaitGroup
			for i := range processes {
				db := openConfig(t, cfg())
				wg.Go(func() {
					<-start
					errs[i] = errors.Join(db.Install(t.Context(), parcel(1+i%3)), db.Close())
				})
			}
			close(start)
			wg.Wait()
			must(t, errors.Join(errs...))
			wantColumn(t, openConfig(t, cfg()), "SELECT step FROM parcel ORDER BY step", 1, 2, 3)
		}
	})
}

// Installing takes the right to create tables and no more, and none of that where everything is there.
func TestInstallNeedsNoSuperuser(t *testing.T) {
	t.Parallel()
	f := open(t, backends[0])
	u, err := url.Parse(f.url)
	must(t, err)
	schema := u.Query().Get("search_path")
	asRole := func(privileges string) *session.DB {
		role := fmt.Sprintf("urutu_role_%08x", rand.Uint32())
		exec := func(stmt string) {
			_, err := admin.db.Exec(fmt.Sprintf(stmt, role, schema))
			must(t, err)
		}
		exec("CREATE ROLE %[1]s LOGIN NOSUPERUSER")
		t.Cleanup(func() { exec("DROP OWNED BY %[1]s"); exec("DROP ROLE %[1]s") })
		exec(privileges)
		own := *u
		own.User = url.User(role)
		return openConfig(t, session.Config{URL: own.String(), Drivers: []driver.Driver{backends[0].driver()}})
	}

	installs := asRole("GRANT USAGE, CREATE ON SCHEMA %[2]s TO %[1]s")
	nothing := asRole("GRANT USAGE ON SCHEMA %[2]s TO %[1]s")
	if err := nothing.Install(t.Context()); err == nil {
		t.Error("a user without rights has installed")
	}
	must(t, installs.Install(t.Context(), parcel(3)))
	uses := asRole("GRANT USAGE ON SCHEMA %[2]s TO %[1]s; GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA %[2]s TO %[1]s")
	must(t, uses.Install(t.Context(), parcel(3)))
	must(t, uses.Do(t.Context(), func(ctx context.Context) error { return session.Add(ctx, &Parent{Name: "a"}) },
		uow.Options{Resolve: resolving}))
	_, err = uses.PurgeUnits(t.Context(), time.Hour)
	must(t, err)
}

// Markers are deleted a thousand at a time, by the age that is in their keys.
func TestPurgeUnits(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := openFaulty(t, b)
		mark := func() {
			f.do(t, func(ctx context.Context) error {
				for range 1500 {
					must(t, session.Add(ctx, &Parent{Name: "key"}))
				}
				must(t, session.Flush(ctx))
				_, err := session.From(ctx).ExecContext(ctx,
					"INSERT INTO urutu_unit (id, committed, at) SELECT id, true, '2026-11-22' FROM parents WHERE true ON CONFLICT DO NOTHING")
				return err
			})
		}
		purge := func(age time.Duration, want int64) {
			t.Helper()
			f.reset()
			n, err := f.PurgeUnits(t.Context(), age)
			must(t, err)
			if trips := 1 + int(want)/1000; n != want || strings.Count(strings.Join(f.trips(), ";"), "DELETE") != trips {
				t.Errorf("%d were purged, want %d in %d transactions: %q", n, want, trips, f.trips())
			}
		}
		mark()
		f.clock.advance(2 * time.Hour)
		mark()
		purge(3*time.Hour, 0)
		purge(time.Hour, 1500)
		if left, _ := f.markers(t); left != 1500 {
			t.Errorf("%d are left", left)
		}
		f.clock.advance(time.Hour + time.Millisecond)
		purge(time.Hour, 1500)
		_, err := f.PurgeUnits(t.Context(), time.Hour-1)
		wantFault(t, err, fault.Invalid)
		_, err = f.PurgeUnits(session.On(t.Context(), "elsewhere"), time.Hour)
		wantFault(t, err, fault.Misconfigured)
	})
}
