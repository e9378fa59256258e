package session_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
)

var contextCases = []testCase{
	{"case_001_no_session_in_the_context", withFixture(case001)},
	{"case_002_one_session_per_unit", withFixture(case002)},
	{"case_003_nothing_used_nothing_taken", withFixture(case003)},
	{"case_004_derived_context_governs_the_statement", case004},
	{"case_005_independent_session", withFixture(case005)},
	{"case_006_independent_session_with_the_pool_exhausted", case006},
	{"case_007_two_goroutines", withFixture(case007Goroutines)},
	{"case_007_two_goroutines_from_the_first_verb_on", withFixture(case007First)},
	{"case_007_open_rows", withFixture(case007Rows)},
	{"case_008_use_after_the_end", withFixture(case008)},
	{"case_008_managed_session_after_close", withFixture(case008Managed)},
	{"case_009_options_that_differ_from_the_root", withFixture(case009)},
	{"case_010_read_only", case010},
}

func case001(t *testing.T, f *fixture) {
	allFail(t, f, t.Context(), fault.NoSession)
	allFail(t, f, f.Context(t.Context()), fault.NoSession)
	wantFault(t, session.New(t.Context(), unreachable), fault.NoSession)
	wantFault(t, uow.AfterCommit(t.Context(), unreachable), fault.NoSession)
}

func case002(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		first := session.From(ctx)
		u := ann()
		must(t, session.Add(ctx, u))
		if session.From(ctx) != first {
			t.Error("another session after a verb")
		}
		must(t, f.Do(ctx, func(ctx context.Context) error {
			if session.From(ctx) != first {
				t.Error("another session in a function that joined the unit")
			}
			return nil
		}))
		return session.Nested(ctx, func(ctx context.Context) error {
			if session.From(ctx) != first {
				t.Error("another session in a savepoint")
			}
			return nil
		})
	})
}

func case003(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		_ = session.From(ctx)
		must(t, session.Flush(ctx))
		return second(session.Contains(ctx, ann()))
	})
	wantTrips(t, f, 0)
	if n := f.connections(); n != 0 {
		t.Errorf("an unused session borrowed %d connections", n)
	}

	f.do(t, func(ctx context.Context) error {
		for i := range 3 {
			must(t, second(session.Find[User](ctx)))
			wantIdle(t, f.DB)
			wantTrips(t, f, i+1)
		}
		return nil
	})
	wantTrips(t, f, 3) // the end of the unit is none
	if f.sent("BEGIN") || f.sent("COMMIT") || f.connections() != 3 {
		t.Errorf("plain reads sent %q on %d borrowed connections", f.trips(), f.connections())
	}

	f.reset()
	f.do(t, func(ctx context.Context) error {
		must(t, second(session.Find[User](ctx)))
		must(t, session.Add(ctx, ann()))
		return session.Flush(ctx)
	})
	if trips := f.trips(); len(trips) != 3 || strings.Contains(trips[0], "BEGIN") || !strings.HasPrefix(trips[1], "BEGIN; INSERT") {
		t.Errorf("a read and a write sent %q", trips)
	}
}

// contextSpy notes the context that each exchange ran in.
type contextSpy struct {
	mu   sync.Mutex
	last context.Context
}

func (s *contextSpy) Start(ctx context.Context, span uow.Span) (context.Context, func(uow.Result)) {
	if span.Kind == uow.SpanScript {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.last = ctx
	}
	return ctx, func(uow.Result) {}
}

type contextKey struct{}

func case004(t *testing.T, b backend) {
	seen := &contextSpy{}
	f := open(t, b, func(c *session.Config) { c.Observer = seen })
	f.do(t, func(ctx context.Context) error {
		derived := context.WithValue(ctx, contextKey{}, "derived")
		derived, cancel := context.WithTimeout(derived, time.Hour)
		defer cancel()
		if session.From(derived) != session.From(ctx) {
			t.Error("a derived context has another session")
		}
		must(t, second(session.Find[User](derived)))
		deadline, ok := seen.last.Deadline()
		if want, _ := derived.Deadline(); !ok || !deadline.Equal(want) || seen.last.Value(contextKey{}) != "derived" {
			t.Errorf("the statement ran until %v with the value %v", deadline, seen.last.Value(contextKey{}))
		}
		must(t, second(session.Find[User](ctx)))
		if _, ok := seen.last.Deadline(); ok || seen.last.Value(contextKey{}) != nil {
			t.Error("the unit's own context got what a derived one has")
		}
		return nil
	})
	// The deadline ends a statement that would run for ever, and only that: the unit goes on.
	const forever = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i % 7 + 1 FROM n) SELECT count(*) FROM n`
	f.do(t, func(ctx context.Context) error {
		derived, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		err := session.Nested(ctx, func(context.Context) error {
			return session.From(derived).QueryRowContext(derived, forever).Scan(new(int))
		})
		if err == nil || !errors.Is(derived.Err(), context.DeadlineExceeded) || ctx.Err() != nil {
			t.Errorf("error %v; derived: %v, unit: %v", err, derived.Err(), ctx.Err())
		}
		return session.Rollback(ctx)
	})
}

func case005(t *testing.T, f *fixture) {
	shared := ann()
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, shared) })
	err := f.Do(t.Context(), func(ctx context.Context) error {
		outer := session.From(ctx)
		mine, err := session.Get[User](ctx, shared.ID)
		must(t, err)
		must(t, session.New(ctx, func(ctx context.Context) error {
			if session.From(ctx) == outer {
				t.Error("the independent unit has the session of the outer one")
			}
			theirs, err := session.Get[User](ctx, shared.ID)
			if theirs == mine {
				t.Error("the independent unit has the identity map of the outer one")
			}
			must(t, session.Add(ctx, &User{Name: "inner", Email: "inner"}))
			return err
		}))
		must(t, session.Add(ctx, &User{Name: "outer", Email: "outer"}))
		must(t, session.Flush(ctx))
		return errors.Join(errors.New("stop"), session.New(ctx, func(ctx context.Context) error {
			f.reset()
			n, err := session.Count[User](ctx, query.Eq(&users.Name, "outer"))
			if n != 0 || f.connections() != 1 {
				t.Errorf("%d uncommitted rows seen on %d further connections", n, f.connections())
			}
			return err
		}))
	})
	if err == nil || err.Error() != "stop" {
		t.Fatal(err)
	}
	f.do(t, func(ctx context.Context) error {
		left, err := session.Find[User](ctx, query.Asc(&users.Name))
		if len(left) != 2 || left[0].Name != "Ann" || left[1].Name != "inner" {
			t.Errorf("left: %v", left)
		}
		return err
	})
}

func case006(t *testing.T, b backend) {
	// exhaust returns the error of an independent unit inside of one whose transaction holds the only connection.
	exhaust := func(poolTimeout, deadline time.Duration) (err error) {
		f := open(t, b, oneConnection, func(c *session.Config) { c.PoolTimeout = poolTimeout })
		must(t, f.Do(t.Context(), func(ctx context.Context) error {
			must(t, second(session.Find[User](ctx)))
			inner, cancel := context.WithTimeout(ctx, deadline)
			defer cancel()
			err = session.New(inner, func(ctx context.Context) error { return second(session.Count[User](ctx)) })
			return nil
		}, uow.Options{ReadOnly: true, Isolation: uow.RepeatableRead}))
		return err
	}
	const soon, never = 20 * time.Millisecond, time.Hour
	err := exhaust(soon, never)
	if !errors.Is(err, fault.PoolTimeout) || !strings.Contains(err.Error(), "nested in a unit of work") {
		t.Errorf("the pool's timeout: %v", err)
	}
	err = exhaust(never, soon)
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, fault.PoolTimeout) || !strings.Contains(err.Error(), "nested in a unit of work") {
		t.Errorf("the context's deadline: %v", err)
	}
}

func case007Goroutines(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		inside, proceed := make(chan struct{}), make(chan struct{})
		f.intercept(func(_ *driver.Script, run func() error) error {
			close(inside)
			<-proceed
			return run()
		})
		done := make(chan error, 1)
		go func() { done <- second(session.Find[User](ctx)) }()
		<-inside
		f.intercept(nil)
		for name, verb := range verbs {
			err := verb(ctx)
			if !errors.Is(err, fault.ConcurrentUse) || !strings.Contains(err.Error(), "session.New") {
				t.Errorf("%s beside another goroutine's query: %v", name, err)
			}
		}
		close(proceed)
		must(t, <-done)
		must(t, session.Add(ctx, ann())) // nothing is broken
		return session.Flush(ctx)
	})
	wantRows[User](t, f, 1)
}

// Two goroutines that both use the session for the first time get one session, not one each.
func case007First(t *testing.T, f *fixture) {
	for range 50 {
		f.do(t, func(ctx context.Context) error {
			got := make(chan *session.Session)
			start := make(chan struct{})
			for range 4 {
				go func() {
					<-start
					got <- session.From(ctx)
				}()
			}
			close(start)
			first := <-got
			for range 3 {
				if s := <-got; s != first {
					t.Fatal("two sessions for one connection of one unit")
				}
			}
			return nil
		})
	}
}

func case007Rows(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, ann(), &User{Email: "b"}) })
	statements := []string{"Find", "Get", "Count", "ExecContext", "QueryContext", "QueryRowContext", "PrepareContext", "Raw", "CreateTables", "Commit"}
	f.do(t, func(ctx context.Context) error {
		rows, err := session.From(ctx).QueryContext(ctx, "SELECT name FROM users")
		must(t, err)
		if !rows.Next() {
			t.Fatal("no row")
		}
		must(t, session.Add(ctx, &User{Email: "c"})) // no statement
		for _, name := range statements {
			err := verbs[name](ctx)
			if !errors.Is(err, fault.ConcurrentUse) || !strings.Contains(err.Error(), "session.New") {
				t.Errorf("%s while rows are open: %v", name, err)
			}
		}
		if !rows.Next() || rows.Next() {
			t.Error("the rows did not survive")
		}
		must(t, errors.Join(rows.Err(), rows.Close()))
		n, err := session.Count[User](ctx)
		if n != 3 {
			t.Errorf("%d users", n)
		}
		return err
	})
	// Rows and a row that nobody closes end with the unit, and keep neither it nor the connection.
	for _, failure := range []error{nil, errors.New("stop")} {
		err := f.Do(t.Context(), func(ctx context.Context) error {
			must(t, session.Add(ctx, &User{Email: uuid.NewString()}))
			must(t, second(session.From(ctx).QueryContext(ctx, "SELECT name FROM users")))
			return failure
		})
		if err != failure { //nolint:errorlint // it has to be the same
			t.Errorf("error %v, want %v", err, failure)
		}
		wantIdle(t, f.DB)
	}
	wantRows[User](t, f, 4)
	_ = f.Do(t.Context(), func(ctx context.Context) error {
		_ = session.From(ctx).QueryRowContext(ctx, "SELECT name FROM users")
		return nil
	})
	wantIdle(t, f.DB)
	wantRows[User](t, f, 4)
}

func case008(t *testing.T, f *fixture) {
	for _, used := range []bool{true, false} {
		var kept context.Context
		var s *session.Session
		f.do(t, func(ctx context.Context) error {
			kept = ctx
			if !used {
				return nil
			}
			s = session.From(ctx)
			return second(session.Find[User](ctx))
		})
		done := make(chan struct{})
		go func() { // as one that a handler started and left behind
			defer close(done)
			allFail(t, f, kept, fault.SessionClosed)
		}()
		<-done
		if used {
			_, err := s.ExecContext(t.Context(), "SELECT 1")
			wantFault(t, err, fault.SessionClosed)
		}
		wantFault(t, uow.AfterCommit(kept, unreachable), fault.SessionClosed)
	}
	wantIdle(t, f.DB)
}

func case008Managed(t *testing.T, f *fixture) {
	m, err := f.Spawn(t.Context(), session.Default)
	must(t, err)
	ctx := m.Context(t.Context())
	must(t, session.Add(ctx, ann()))
	must(t, session.Flush(ctx))
	must(t, m.Close(t.Context()))
	must(t, m.Close(t.Context()))
	allFail(t, f, ctx, fault.SessionClosed)
	wantRows[User](t, f, 0)
}

func case009(t *testing.T, f *fixture) {
	differ := []uow.Options{
		{ReadOnly: true},
		{Isolation: uow.Serializable},
		{StatementTimeout: time.Second},
		{LockTimeout: time.Second},
	}
	f.do(t, func(ctx context.Context) error {
		for _, o := range differ {
			wantFault(t, f.Do(ctx, unreachable, o), fault.Unsupported)
			wantFault(t, session.Nested(ctx, unreachable, o), fault.Unsupported)
		}
		return session.Add(ctx, ann()) // asking did no harm
	})
	wantRows[User](t, f, 1)
	for _, o := range differ {
		ran := 0
		must(t, f.Do(t.Context(), func(ctx context.Context) error {
			run := func(context.Context) error { ran++; return nil }
			must(t, f.Do(ctx, run, o))
			return session.Nested(ctx, run, o)
		}, o))
		if ran != 2 {
			t.Errorf("%+v: the same options were not taken", o)
		}
	}
}

func case010(t *testing.T, b backend) {
	f := open(t, b)
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, ann()) })
	f.reset()
	changes := map[string]func(ctx context.Context, u *User) error{
		"insert": func(ctx context.Context, _ *User) error { return session.Add(ctx, &User{Email: "new"}) },
		"update": func(_ context.Context, u *User) error { u.Name = "Bob"; return nil },
		"delete": func(ctx context.Context, u *User) error { return session.Delete(ctx, u) },
	}
	flushes := map[string]func(ctx context.Context) error{
		"commit":    func(context.Context) error { return nil },
		"flush":     session.Flush,
		"autoflush": func(ctx context.Context) error { return second(session.Find[User](ctx)) },
		"by hand":   session.Commit,
		"nested":    func(ctx context.Context) error { return session.Nested(ctx, unreachable) },
	}
	for what, change := range changes {
		for how, flush := range flushes {
			err := f.Do(t.Context(), func(ctx context.Context) error {
				u, err := session.First[User](ctx, query.Eq(&users.Name, "Ann"))
				must(t, err)
				must(t, change(ctx, u))
				f.reset()
				return flush(ctx)
			}, uow.Options{ReadOnly: true})
			if !errors.Is(err, fault.ReadOnly) {
				t.Errorf("%s, %s: %v", what, how, err)
			}
			if slices.ContainsFunc(f.trips(), func(s string) bool { return s != "ROLLBACK" }) {
				t.Errorf("%s, %s: sent %q", what, how, f.trips())
			}
		}
	}
	err := f.Do(t.Context(), func(ctx context.Context) error { return session.Stage(ctx, oneStagedRow) }, uow.Options{ReadOnly: true})
	wantFault(t, err, fault.ReadOnly)
	if u := row[User](t, f, firstID(t, f)); u.Name != "Ann" {
		t.Errorf("written: %v", u)
	}
	wantRows[User](t, f, 1)
}

// firstID returns the key of the only user.
func firstID(t testing.TB, f *fixture) (id uuid.UUID) {
	t.Helper()
	f.do(t, func(ctx context.Context) error {
		u, err := session.First[User](ctx)
		if err == nil {
			id = u.ID
		}
		return err
	})
	return id
}
