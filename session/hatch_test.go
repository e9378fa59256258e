package session_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
)

// hatchCases are what the escape hatches do beyond the numbered cases. The libraries that use them are tested in
// conformance/.
var hatchCases = []testCase{
	{"an_error_has_its_kind", withFixture(hatchKinds)},
	{"an_error_of_the_caller_stays_as_it_is", withFixture(hatchOwnError)},
	{"an_error_while_rows_are_read", withFixture(hatchLateError)},
	{"a_row_that_nobody_scans", withFixture(hatchUnscanned)},
	{"many_rows_of_one", withFixture(hatchManyRows)},
	{"a_context_that_is_done", withFixture(hatchDone)},
	{"statements_that_control_the_transaction", withFixture(hatchControl)},
	{"a_transaction_ended_by_the_driver", withFixture(hatchEnded)},
	{"several_statements_in_one_text", withFixture(hatchSeveral)},
	{"prepared_statements_flush", withFixture(preparedFlushes)},
	{"prepared_statements_fail_the_session", withFixture(preparedFails)},
	{"prepared_rows", withFixture(preparedRows)},
	{"prepared_rows_are_like_others", withFixture(preparedAlike)},
	{"prepared_statements_end_with_the_session", withFixture(preparedEnds)},
}

func TestHatch(t *testing.T) {
	t.Parallel()
	runCases(t, hatchCases)
}

func onPostgres(f *fixture) bool { return f.backend.name == "postgres" }

// insertUser is a statement by hand with three parameters.
func insertUser(f *fixture) string {
	if onPostgres(f) {
		return "INSERT INTO users (id, name, email, age, admin, created_at, updated_at) VALUES ($1, $2, $3, 0, false, now(), now())"
	}
	return "INSERT INTO users (id, name, email, age, admin, created_at, updated_at) VALUES (?, ?, ?, 0, 0, 0, 0)"
}

// one is a key of a user by hand.
const one = "01890000-0000-7000-8000-000000000001"

func hatchKinds(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, ann()) })
	insert := insertUser(f) + " RETURNING id"
	args := []any{one, "Ann", "ann@example.com"}
	for name, run := range map[string]func(ctx context.Context, s *session.Session) error{
		"ExecContext": func(ctx context.Context, s *session.Session) error {
			return second(s.ExecContext(ctx, insert, args...))
		},
		"QueryContext": func(ctx context.Context, s *session.Session) error {
			return second(s.QueryContext(ctx, insert, args...))
		},
		"QueryRowContext": func(ctx context.Context, s *session.Session) error {
			return s.QueryRowContext(ctx, insert, args...).Err()
		},
		"Raw": func(ctx context.Context, s *session.Session) error {
			return s.Raw(ctx, func(conn any) error {
				return second(conn.(sqldriver.ExecerContext).ExecContext(ctx, strings.NewReplacer(
					"$1", "'"+one+"'", "$2", "'Ann'", "$3", "'ann@example.com'", "(?, ?, ?", "('"+one+"', 'Ann', 'ann@example.com'",
				).Replace(insert), nil))
			})
		},
	} {
		err := f.Do(t.Context(), func(ctx context.Context) error {
			err := run(ctx, session.From(ctx))
			var e *fault.Error
			if !errors.Is(err, fault.Unique) || !errors.As(err, &e) || e.Op != "session."+name || e.Connection != "default" || e.Code == "" || e.Err == nil {
				t.Errorf("%s: %#v", name, err)
			}
			wantFault(t, second(session.Find[User](ctx)), fault.SessionFailed)
			return nil
		})
		wantFault(t, err, fault.SessionFailed)
		wantFault(t, err, fault.Unique)
	}
	wantRows[User](t, f, 1)
	wantIdle(t, f.DB)
}

func hatchOwnError(t *testing.T, f *fixture) {
	own := errors.New("own")
	for _, want := range []error{own, fault.New(fault.Conflict, "own"), fmt.Errorf("wrapped: %w", fault.New(fault.Conflict, "own"))} {
		err := f.Do(t.Context(), func(ctx context.Context) error {
			must(t, session.Add(ctx, ann()))
			err := session.From(ctx).Raw(ctx, func(any) error { return want })
			if err != want { //nolint:errorlint // it has to be the same
				t.Errorf("Raw returns %v, not %v", err, want)
			}
			return nil
		})
		wantFault(t, err, fault.SessionFailed)
	}
	wantRows[User](t, f, 0)
}

// breaking is a query whose third row cannot be computed.
func breaking(f *fixture) string {
	if onPostgres(f) {
		return "SELECT 1 / (3 - i) FROM generate_series(1, 5) i"
	}
	return "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) " +
		"SELECT abs(CASE i WHEN 3 THEN -9223372036854775807 - 1 ELSE i END) FROM n"
}

func hatchLateError(t *testing.T, f *fixture) {
	read := func(ctx context.Context) {
		rows, err := session.From(ctx).QueryContext(ctx, breaking(f))
		must(t, err)
		n := 0
		for rows.Next() {
			n++
		}
		if n != 2 || rows.Err() == nil {
			t.Errorf("%d rows, then %v", n, rows.Err())
		}
	}
	for name, next := range map[string]func(ctx context.Context) error{
		"the end":     func(context.Context) error { return nil },
		"a statement": func(ctx context.Context) error { return second(session.From(ctx).ExecContext(ctx, "SELECT 1")) },
		"a query":     func(ctx context.Context) error { return second(session.Find[User](ctx)) },
	} {
		err := f.Do(t.Context(), func(ctx context.Context) error {
			must(t, session.Add(ctx, ann()))
			read(ctx)
			if err := next(ctx); name != "the end" {
				wantFault(t, err, fault.SessionFailed)
			}
			return nil
		})
		if !errors.Is(err, fault.SessionFailed) {
			t.Errorf("%s: the unit ended with %v", name, err)
		}
	}
	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, ann()))
		wantFault(t, session.Nested(ctx, func(ctx context.Context) error {
			must(t, session.Add(ctx, &User{Email: "undone"}))
			read(ctx)
			return nil
		}), fault.SessionFailed)
		return nil
	})
	wantRows[User](t, f, 1)
	wantIdle(t, f.DB)
}

// On PostgreSQL the next statement waited for ever, and no context ended it.
func hatchUnscanned(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, ann()) })
	_ = f.Do(t.Context(), func(ctx context.Context) error {
		row := session.From(ctx).QueryRowContext(ctx, "SELECT name FROM users")
		_, err := session.From(ctx).ExecContext(ctx, "DELETE FROM users")
		if !onPostgres(f) {
			must(t, err)
			return errors.New("undo")
		}
		wantFault(t, err, fault.ConcurrentUse)
		var name string
		must(t, row.Scan(&name)) // nothing is broken
		must(t, second(session.From(ctx).ExecContext(ctx, "DELETE FROM users")))
		return errors.New("undo")
	})
	wantIdle(t, f.DB)
	wantRows[User](t, f, 1)
}

// watched is a context that counts who listens to it.
type watched struct {
	context.Context
	listeners int
}

func (w *watched) AfterFunc(func()) (stop func() bool) {
	w.listeners++
	return func() bool { w.listeners--; return true }
}

func (w *watched) Done() <-chan struct{} { return make(chan struct{}) }

// A unit that reads a million rows one by one keeps nothing of them.
func hatchManyRows(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		w := &watched{Context: ctx}
		for range 20 {
			must(t, session.From(ctx).QueryRowContext(w, "SELECT 1").Scan(new(int)))
		}
		if w.listeners > 2 {
			t.Errorf("%d of 20 rows are still watched", w.listeners)
		}
		return nil
	})
}

func hatchDone(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		dead, cancel := context.WithCancel(ctx)
		cancel()
		s := session.From(ctx)
		must(t, session.Add(ctx, ann()))
		must(t, session.Flush(ctx))
		f.reset()
		wantFault(t, second(s.ExecContext(dead, "DELETE FROM users")), fault.Canceled)
		wantFault(t, second(s.QueryContext(dead, "SELECT 1")), fault.Canceled)
		wantFault(t, s.QueryRowContext(dead, "SELECT 1").Err(), fault.Canceled)
		wantFault(t, s.Raw(dead, func(any) error { return unreachable(ctx) }), fault.Canceled)
		wantTrips(t, f, 0)
		return second(s.ExecContext(ctx, "SELECT 1")) // nothing has failed
	})
	wantRows[User](t, f, 1)
}

func hatchControl(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, ann()))
		s := session.From(ctx)
		for _, text := range []string{
			"COMMIT", "commit;", " \n\tRollback", "END", "abort", "BEGIN", "begin immediate", "START TRANSACTION", "SAVEPOINT a",
			"RELEASE a", "ROLLBACK TO SAVEPOINT a", "-- a comment\n/* and\nanother */ COMMIT", ";COMMIT", "PREPARE TRANSACTION 'a'",
		} {
			wantFault(t, second(s.ExecContext(ctx, text)), fault.Unsupported)
			wantFault(t, second(s.QueryContext(ctx, text)), fault.Unsupported)
			wantFault(t, s.QueryRowContext(ctx, text).Err(), fault.Unsupported)
			wantFault(t, second(s.PrepareContext(ctx, text)), fault.Unsupported)
		}
		return nil
	})
	wantRows[User](t, f, 1)
	f.do(t, func(ctx context.Context) error {
		for _, text := range []string{"SELECT 1 -- COMMIT", "/* COMMIT */ SELECT 1", "SELECT 'COMMIT'", "--\nSELECT 1"} {
			must(t, second(session.From(ctx).ExecContext(ctx, text)))
		}
		return nil
	})
}

func hatchEnded(t *testing.T, f *fixture) {
	for _, text := range []string{"COMMIT", "ROLLBACK"} {
		err := f.Do(t.Context(), func(ctx context.Context) error {
			must(t, session.Add(ctx, &User{Email: text}))
			must(t, session.From(ctx).Raw(ctx, func(conn any) error {
				return second(conn.(sqldriver.ExecerContext).ExecContext(ctx, text, nil))
			}))
			// It would commit by itself.
			wantFault(t, second(session.From(ctx).ExecContext(ctx, insertUser(f), one, "late", "late")), fault.SessionFailed)
			return nil
		})
		wantFault(t, err, fault.SessionFailed)
	}
	wantIdle(t, f.DB)
	wantRows[User](t, f, 1) // what was committed behind the session cannot be taken back
}

func hatchSeveral(t *testing.T, f *fixture) {
	err := f.Do(t.Context(), func(ctx context.Context) error {
		must(t, session.Add(ctx, ann()))
		must(t, second(session.From(ctx).ExecContext(ctx, "DELETE FROM tickets; ROLLBACK")))
		return nil
	})
	wantFault(t, err, fault.SessionFailed)
	wantRows[User](t, f, 0)
}

// prepare prepares a statement of the session's.
func prepare(ctx context.Context, t *testing.T, query string) *sql.Stmt {
	t.Helper()
	st, err := session.From(ctx).PrepareContext(ctx, query)
	must(t, err)
	return st
}

func preparedFlushes(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		f.reset()
		st := prepare(ctx, t, "SELECT count(*) FROM users")
		wantTrips(t, f, 0)
		for n := range 3 {
			must(t, session.Add(ctx, &User{Email: fmt.Sprint(n)}))
			var seen int
			must(t, st.QueryRowContext(ctx).Scan(&seen))
			if seen != n+1 {
				t.Errorf("%d users are seen, not %d", seen, n+1)
			}
		}
		must(t, st.Close())
		insert := prepare(ctx, t, insertUser(f))
		result, err := insert.ExecContext(ctx, one, "Bob", "bob")
		must(t, err)
		if n, err := result.RowsAffected(); n != 1 || err != nil {
			t.Errorf("%d rows written, %v", n, err)
		}
		return nil
	})
	wantRows[User](t, f, 4)
}

func preparedFails(t *testing.T, f *fixture) {
	err := f.Do(t.Context(), func(ctx context.Context) error {
		must(t, session.Add(ctx, ann()))
		wantFault(t, second(prepare(ctx, t, insertUser(f)).ExecContext(ctx, one, "Ann", "ann@example.com")), fault.Unique)
		return nil
	})
	wantFault(t, err, fault.SessionFailed)
	wantRows[User](t, f, 0)
}

func preparedRows(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, ann(), &User{Email: "b"}) })
	f.do(t, func(ctx context.Context) error {
		st := prepare(ctx, t, "SELECT name FROM users")
		rows, err := st.QueryContext(ctx)
		must(t, err)
		if !rows.Next() {
			t.Fatal("no row")
		}
		wantFault(t, second(st.QueryContext(ctx)), fault.ConcurrentUse)
		wantFault(t, second(session.Find[User](ctx)), fault.ConcurrentUse)
		wantFault(t, second(session.From(ctx).PrepareContext(ctx, "SELECT 1")), fault.ConcurrentUse)
		if !rows.Next() || rows.Next() {
			t.Error("the rows did not survive")
		}
		must(t, errors.Join(rows.Err(), rows.Close()))
		must(t, second(st.QueryContext(ctx))) // nobody closes these
		return nil
	})
	wantIdle(t, f.DB)
}

// preparedAlike: what a prepared statement returns is what the same query returns.
func preparedAlike(t *testing.T, f *fixture) {
	text := "SELECT 1, 1.5, 'text', NULL, id, created_at, admin, nick FROM users"
	var direct, through []any
	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, ann()))
		scan := func(rows *sql.Rows, err error) (cells []any, types []string) {
			must(t, err)
			columns, err := rows.ColumnTypes()
			must(t, err)
			if !rows.Next() {
				t.Fatal(rows.Err())
			}
			into := make([]any, len(columns))
			cells = make([]any, len(columns))
			for i, c := range columns {
				into[i] = &cells[i]
				types = append(types, c.Name()+" "+c.DatabaseTypeName()+" "+fmt.Sprint(c.ScanType()))
			}
			must(t, rows.Scan(into...))
			return cells, append(types, fmt.Sprint(rows.Close()))
		}
		var is, want []string
		direct, want = scan(session.From(ctx).QueryContext(ctx, text))
		through, is = scan(prepare(ctx, t, text).QueryContext(ctx))
		if !reflect.DeepEqual(direct, through) || !reflect.DeepEqual(is, want) {
			t.Errorf("%#v %q\ninstead of\n%#v %q", through, is, direct, want)
		}
		if !onPostgres(f) { // pgx has no named parameters
			var n int
			must(t, prepare(ctx, t, "SELECT @a + @b").QueryRowContext(ctx, sql.Named("b", 2), sql.Named("a", 40)).Scan(&n))
			if n != 42 {
				t.Errorf("named parameters make %d", n)
			}
		}
		var at time.Time
		return prepare(ctx, t, "SELECT created_at FROM users").QueryRowContext(ctx).Scan(&at)
	})
}

func preparedEnds(t *testing.T, f *fixture) {
	var kept *sql.Stmt
	f.do(t, func(ctx context.Context) error {
		kept = prepare(ctx, t, "SELECT 1")
		must(t, session.Commit(ctx))
		must(t, kept.QueryRowContext(ctx).Scan(new(int))) // the session goes on
		if onPostgres(f) {
			var n int
			must(t, session.From(ctx).QueryRowContext(ctx, "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT 1'").Scan(&n))
			if n > 1 {
				t.Errorf("it is prepared %d times", n)
			}
		}
		return nil
	})
	if err := kept.QueryRowContext(t.Context()).Scan(new(int)); err == nil {
		t.Error("a prepared statement outlives its session")
	}
	wantIdle(t, f.DB)
}
