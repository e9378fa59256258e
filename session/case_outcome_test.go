package session_test

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
)

var outcomeCases = []testCase{
	{"case_076_stale_version_in_one_trip_commit", case076},
	{"case_077_constraint_or_serialization_error_at_commit", case077},
	{"case_078_commit_answered_with_rollback", case078},
	{"case_079_swallowed_statement_error", withFixture(case079)},
	{"case_080_context_done_before_sending", withFixture(case080)},
	{"case_081_context_done_after_the_commit_was_sent", withFixture(case081)},
	{"case_082_rollback_with_a_canceled_context", withFixture(case082)},
	{"case_083_rollback_without_a_transaction", withFixture(case083)},
	{"case_084_objects_after_rollback", withFixture(case084)},
	{"case_085_failing_unit_reuses_its_connection", case085},
	{"case_086_panic_or_goexit_in_the_unit", withFixture(case086)},
	{"case_087_objects_after_commit", withFixture(case087)},
	{"case_088_outcomes_with_one_connection", case088},
}

func withFixture(run func(t *testing.T, f *fixture)) func(t *testing.T, b backend) {
	return func(t *testing.T, b backend) { run(t, open(t, b)) }
}

// oneConnection leaves a pool a single connection: on SQLite one to read and one to write.
func oneConnection(c *session.Config) {
	c.PoolSize, c.MaxOverflow, c.PoolTimeout = 1, -1, 2*time.Second
}

// wantFault fails the test unless err is of the kind, which a context's own error is without saying so.
func wantFault(t testing.TB, err error, kind fault.Kind) {
	t.Helper()
	if !errors.Is(err, kind) && fault.KindOf(err) != kind {
		t.Fatalf("error %v, want %s", err, kind)
	}
}

// wantState fails the test unless the session has the object in the state.
func wantState[T any](t testing.TB, ctx context.Context, obj *T, want session.State) {
	t.Helper()
	got, err := session.StateOf(ctx, obj)
	must(t, err)
	if got != want {
		t.Fatalf("state %s, want %s", got, want)
	}
}

// wantRows fails the test unless there are n rows of T.
func wantRows[T any](t testing.TB, f *fixture, n int64) {
	t.Helper()
	if got := count[T](t, f); got != n {
		t.Fatalf("%d rows of %T, want %d", got, *new(T), n)
	}
}

// wantIdle fails the test unless every connection is back in the pool.
func wantIdle(t testing.TB, db *session.DB) {
	t.Helper()
	for name, st := range db.Stats() {
		if st.InUse != 0 {
			t.Fatalf("connection %s: %d in use", name, st.InUse)
		}
	}
}

// wrote reports whether part was sent; part has no quotes.
func (f *fixture) wrote(part string) bool {
	return strings.Contains(strings.NewReplacer(`"`, "", "`", "").Replace(strings.Join(f.trips(), "; ")), part)
}

// onEnd makes do run instead of each script that ends a transaction that way.
func (f *fixture) onEnd(end driver.End, do func(run func() error) error) {
	f.intercept(func(sc *driver.Script, run func() error) error {
		if sc.End != end {
			return run()
		}
		return do(run)
	})
}

// lost is what a driver says of a commit whose answer did not come.
func lost(cause error) error {
	return &driver.ScriptError{Statement: driver.AtEnd, Row: -1, Err: &fault.Error{Kind: fault.OutcomeUnknown, Op: "driver.Run", Err: cause}}
}

// once is options for a unit that is not run again.
var once = uow.Options{Retry: uow.Retry{Attempts: -1}}

func ann() *User { return &User{Name: "Ann", Email: "ann@example.com"} }

// duplicate writes a second user with Ann's address.
func duplicate(ctx context.Context) error {
	if err := session.Add(ctx, ann()); err != nil {
		return err
	}
	return session.Flush(ctx)
}

// Late refers to a parent that need not exist before the commit.
type Late struct {
	entity.Table `db:"table:lates"`
	entity.Identifiable
	ParentID uuid.UUID `db:"parent_id"`
}

const createLates = `CREATE TABLE lates (id UUID PRIMARY KEY, parent_id UUID NOT NULL
	CONSTRAINT lates_parent_id_fkey REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)`

func createTable(t testing.TB, f *fixture, ddl string) {
	t.Helper()
	f.do(t, func(ctx context.Context) error {
		_, err := session.From(ctx).ExecContext(ctx, ddl)
		return err
	})
}

func case077(t *testing.T, b backend) {
	f := open(t, b)
	createTable(t, f, createLates)

	late, user := &Late{ParentID: uuid.New()}, ann()
	err := f.Do(t.Context(), func(ctx context.Context) error {
		must(t, session.Add(ctx, late))
		must(t, session.Add(ctx, user))
		must(t, session.Flush(ctx)) // nothing is wrong yet
		return nil
	})
	wantFault(t, err, fault.ForeignKey)
	if late.ID != uuid.Nil || !user.CreatedAt.IsZero() {
		t.Error("the objects keep what the commit did not make durable")
	}
	wantRows[Late](t, f, 0)
	wantRows[User](t, f, 0)

	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, late))
		err := session.Commit(ctx)
		wantFault(t, err, fault.ForeignKey)
		wantFault(t, session.Add(ctx, user), fault.SessionFailed)
		must(t, session.Rollback(ctx))
		wantState(t, ctx, late, session.Transient)
		return session.Add(ctx, user)
	})
	wantRows[Late](t, f, 0)
	wantRows[User](t, f, 1)
	wantIdle(t, f.DB)
	if b.name == "postgres" { // SQLite has one writer at a time: a commit finds nothing to conflict with
		serializationAtCommit(t, f)
	}
}

// serializationAtCommit makes a write skew: each of two units reads both accounts and writes the one that the other did
// not. The second to commit finds out only then.
func serializationAtCommit(t *testing.T, f *fixture) {
	a, b := &Account{Balance: 1}, &Account{Balance: 1}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, a, b) })
	serializable := once
	serializable.Isolation = uow.Serializable
	skew := func(ctx context.Context, write uuid.UUID) {
		_, err := session.Find[Account](ctx)
		must(t, err)
		acc, err := session.Get[Account](ctx, write)
		must(t, err)
		acc.Balance = 0
		must(t, session.Flush(ctx))
	}
	err := f.Do(t.Context(), func(ctx context.Context) error {
		skew(ctx, a.ID)
		return session.New(ctx, func(ctx context.Context) error {
			skew(ctx, b.ID)
			return nil
		}, serializable)
	}, serializable)
	wantFault(t, err, fault.Serialization)
	if got := row[Account](t, f, a.ID).Balance; got != 1 {
		t.Errorf("balance %d: the failed commit left something", got)
	}
}

func case078(t *testing.T, b backend) {
	f := open(t, b)
	// Behind the session's back the transaction fails, or ends. A commit is then nothing that makes the user durable.
	behind := func(ctx context.Context, sql string) {
		must(t, session.From(ctx).Raw(ctx, func(conn any) error {
			_, _ = conn.(sqldriver.ExecerContext).ExecContext(ctx, sql, nil)
			return nil
		}))
	}
	for _, sql := range []string{"SELECT * FROM there_is_none", "ROLLBACK"} {
		if b.name != "postgres" && sql != "ROLLBACK" {
			continue // on SQLite a statement's failure leaves the transaction as it was
		}
		for _, byHand := range []bool{false, true} {
			err := f.Do(t.Context(), func(ctx context.Context) error {
				must(t, session.Add(ctx, ann()))
				must(t, session.Flush(ctx))
				behind(ctx, sql)
				if byHand {
					return session.Commit(ctx)
				}
				return nil
			})
			if err == nil {
				t.Errorf("%s behind the session, commit by hand %t: the commit succeeded", sql, byHand)
			}
			wantRows[User](t, f, 0)
		}
	}
	wantIdle(t, f.DB)
}

func case079(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, ann()) })
	err := f.Do(t.Context(), func(ctx context.Context) error {
		must(t, session.Add(ctx, &Parent{Name: "lost"}))
		wantFault(t, duplicate(ctx), fault.Unique)
		return nil
	})
	wantFault(t, err, fault.SessionFailed)
	wantFault(t, err, fault.Unique) // it says why

	err = f.Do(t.Context(), func(ctx context.Context) error {
		must(t, session.Add(ctx, &Parent{Name: "lost"}))
		_, err := session.From(ctx).ExecContext(ctx, "INSERT INTO there_is_none VALUES (1)")
		if err == nil {
			t.Error("the statement succeeded")
		}
		return nil
	})
	wantFault(t, err, fault.SessionFailed)
	wantRows[Parent](t, f, 0)
	wantIdle(t, f.DB)
}

func case080(t *testing.T, f *fixture) {
	user := ann()
	f.do(t, func(ctx context.Context) error {
		dead, cancel := context.WithCancel(ctx)
		cancel()
		must(t, session.Add(ctx, user))
		f.reset()
		wantFault(t, session.Flush(dead), fault.Canceled)
		_, err := session.Find[Parent](dead)
		wantFault(t, err, fault.Canceled)
		wantFault(t, session.Commit(dead), fault.Canceled)
		if n := f.connections(); n != 0 || len(f.trips()) != 0 {
			t.Errorf("%d connections were borrowed, and %q sent", n, f.trips())
		}
		must(t, session.Flush(ctx)) // nothing has failed
		f.reset()
		must(t, session.Flush(dead)) // nothing is pending: nothing to give up
		_, err = session.Find[Parent](dead)
		wantFault(t, err, fault.Canceled)
		if len(f.trips()) != 0 {
			t.Errorf("%q was sent", f.trips())
		}
		_, err = session.Find[Parent](ctx)
		return err
	})
	wantRows[User](t, f, 1)

	ctx, cancel := context.WithCancel(t.Context())
	f.reset()
	err := f.Do(ctx, func(ctx context.Context) error {
		must(t, session.Add(ctx, &Parent{Name: "never"}))
		cancel()
		return nil
	})
	wantFault(t, err, fault.Canceled)
	if f.connections() != 0 {
		t.Errorf("%q was sent", f.trips())
	}
	wantRows[Parent](t, f, 0)
	wantIdle(t, f.DB)
}

func case081(t *testing.T, f *fixture) {
	add := func(ctx context.Context) error { return session.Add(ctx, ann()) }
	ctx, cancel := context.WithCancel(t.Context())
	f.onEnd(driver.Commit, func(run func() error) error {
		cancel() // the caller is gone, and the commit goes on
		return run()
	})
	must(t, f.Do(ctx, add))
	wantRows[User](t, f, 1)

	ctx, cancel = context.WithCancel(t.Context())
	f.onEnd(driver.Commit, func(run func() error) error {
		cancel()
		return run()
	})
	err := f.Do(ctx, add)
	wantFault(t, err, fault.Unique) // the true result, not the context's
	if errors.Is(err, context.Canceled) {
		t.Errorf("%v says that the context was the reason", err)
	}

	for _, byHand := range []bool{false, true} {
		f.onEnd(driver.Commit, func(run func() error) error {
			must(t, run())
			return lost(context.DeadlineExceeded)
		})
		runs, parent := 0, &Parent{Name: "who knows"}
		err = f.Do(t.Context(), func(ctx context.Context) error {
			runs++
			must(t, session.Add(ctx, parent))
			if byHand {
				return session.Commit(ctx)
			}
			return nil
		}, uow.Options{Retry: uow.Retry{Kinds: []fault.Kind{fault.OutcomeUnknown, fault.StatementTimeout}}})
		f.intercept(nil)
		wantFault(t, err, fault.OutcomeUnknown)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v does not match the context's error", err)
		}
		if kind := fault.KindOf(err); kind != fault.OutcomeUnknown {
			t.Errorf("the kind is %s", kind)
		}
		if runs != 1 {
			t.Errorf("run %d times", runs)
		}
	}
	wantRows[Parent](t, f, 2)
	wantIdle(t, f.DB)
}

func case082(t *testing.T, f *fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	f.reset()
	err := f.Do(ctx, func(ctx context.Context) error {
		must(t, session.Add(ctx, ann()))
		must(t, session.Flush(ctx))
		cancel()
		return ctx.Err()
	})
	wantFault(t, err, fault.Canceled)
	if !f.sent("ROLLBACK") {
		t.Errorf("no rollback in %q", f.trips())
	}
	wantIdle(t, f.DB)

	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, ann()))
		must(t, session.Flush(ctx))
		dead, cancel := context.WithCancel(ctx)
		cancel()
		must(t, session.Rollback(dead))
		wantIdle(t, f.DB)
		return nil
	})
	wantRows[User](t, f, 0)
}
