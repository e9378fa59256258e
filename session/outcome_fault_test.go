package session_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/faultdriver"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
)

// faulty is a fixture whose connections break where a test says. The tables of DB.Install are there.
type faulty struct {
	*fixture
	faults *faultdriver.Driver
}

func openFaulty(t testing.TB, b backend, change ...func(*session.Config)) *faulty {
	t.Helper()
	d := faultdriver.New(b.driver())
	b.driver = func() driver.Driver { return d }
	change = append(change, func(c *session.Config) { c.Logger = slog.New(slog.DiscardHandler) })
	f := &faulty{fixture: open(t, b, change...), faults: d}
	must(t, f.Install(t.Context()))
	f.reset()
	return f
}

// breakOnce makes the first script that ends that way meet the fault.
func (f *faulty) breakOnce(end driver.End, what faultdriver.Fault) {
	var met atomic.Bool
	f.faults.Inject(func(s *driver.Script) faultdriver.Fault {
		if s.End == end && !met.Swap(true) {
			return what
		}
		return nil
	})
}

// markers returns the number of markers that commits have left, and of those that resolvers have.
func (f *faulty) markers(t testing.TB) (committed, not int) {
	t.Helper()
	f.do(t, func(ctx context.Context) error {
		rows, err := session.From(ctx).QueryContext(ctx, "SELECT committed FROM urutu_unit")
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var c bool
			must(t, rows.Scan(&c))
			if c {
				committed++
			} else {
				not++
			}
		}
		return rows.Err()
	})
	return committed, not
}

// resolving is how long the outcome of a commit is looked for where a test expects that it is found.
const resolving = 30 * time.Second

// lostCommit is a point at which the line breaks during a commit.
type lostCommit struct {
	name    string
	fault   faultdriver.Fault
	sent    bool // as far as the client can tell, the server may have got the COMMIT
	durable bool // and it has
	// timeout is the commit's deadline, where the point is that it passes.
	timeout time.Duration
}

var lostCommits = []lostCommit{
	{name: "before anything was sent", fault: faultdriver.LoseScript},
	{name: "between the statements and COMMIT", fault: faultdriver.LoseEnd, sent: true},
	{name: "before the answers to the statements", fault: faultdriver.LoseAnswer, sent: true, durable: true},
	{name: "before the answer to COMMIT", fault: faultdriver.LoseLastAnswer, sent: true, durable: true},
	{name: "the server hangs until the deadline", fault: faultdriver.Hang, sent: true, timeout: time.Second},
}

// report is what a unit has done, as its caller and its hooks saw it.
type report struct {
	err                         error
	runs, committed, rolledBack int
	users                       []*User // one for each run
}

// add runs a unit that adds Ann.
func (f *faulty) add(t testing.TB, p lostCommit, o uow.Options) *report {
	r := &report{}
	runner := uow.NewRunner(uow.Config{Context: f.Context, CommitTimeout: p.timeout})
	r.err = runner.Do(t.Context(), uow.Op{Options: o}, func(ctx context.Context) error {
		r.runs++
		must(t, uow.AfterCommit(ctx, func(context.Context) error { r.committed++; return nil }))
		must(t, uow.AfterRollback(ctx, func(context.Context) error { r.rolledBack++; return nil }))
		user := ann()
		r.users = append(r.users, user)
		return session.Add(ctx, user)
	})
	return r
}

// want fails the test unless the unit has ended that way, and the database holds that many users.
func (r *report) want(t testing.TB, f *faulty, kind fault.Kind, runs, committed, rolledBack int, users int64) {
	t.Helper()
	f.faults.Inject(nil)
	if got := fault.KindOf(r.err); got != kind {
		t.Errorf("the unit ended with %q (%v), want %q", got, r.err, kind)
	}
	if r.runs != runs || r.committed != committed || r.rolledBack != rolledBack {
		t.Errorf("%d runs, %d hooks after the commit, %d after a rollback; want %d, %d, %d",
			r.runs, r.committed, r.rolledBack, runs, committed, rolledBack)
	}
	wantRows[User](t, f.fixture, users)
	wantIdle(t, f.DB)
	last := r.users[len(r.users)-1]
	if reverted := kind == fault.ConnectionLost; reverted != (last.ID == uuid.Nil) || reverted != last.CreatedAt.IsZero() {
		t.Errorf("the object has the key %s and was made at %s", last.ID, last.CreatedAt)
	}
}

// Cases 77 to 82: what is reported of a commit whose line breaks, with one connection in the pool.
func TestCase081LostCommit(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		for _, p := range lostCommits {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				f := openFaulty(t, b, oneConnection)

				f.breakOnce(driver.Commit, p.fault)
				off := f.add(t, p, uow.Options{})
				switch {
				case !p.sent:
					off.want(t, f, fault.ConnectionLost, 1, 0, 1, 0)
				case p.durable:
					off.want(t, f, fault.OutcomeUnknown, 1, 0, 0, 1)
				default:
					off.want(t, f, fault.OutcomeUnknown, 1, 0, 0, 0)
				}
				if p.timeout > 0 && !errors.Is(off.err, context.DeadlineExceeded) {
					t.Errorf("%v does not match the deadline", off.err)
				}
				f.clear(t)

				f.breakOnce(driver.Commit, p.fault)
				on := f.add(t, p, uow.Options{Resolve: resolving})
				if p.durable {
					on.want(t, f, "", 1, 1, 0, 1)
				} else {
					on.want(t, f, "", 2, 1, 1, 1)
				}
				f.clear(t)
				if p.durable {
					return
				}

				f.breakOnce(driver.Commit, p.fault)
				f.add(t, p, uow.Options{Resolve: resolving, Retry: once.Retry}).want(t, f, fault.ConnectionLost, 1, 0, 1, 0)
			})
		}
	})
}

// clear deletes the users.
func (f *faulty) clear(t testing.TB) {
	t.Helper()
	f.do(t, func(ctx context.Context) error {
		_, err := session.From(ctx).ExecContext(ctx, "DELETE FROM users")
		return err
	})
}

// A commit by hand is resolved like the unit's own, and the session goes on with what it has by then.
func TestLostCommitByHand(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := openFaulty(t, b, oneConnection)
		on := uow.Options{Resolve: resolving}

		hooks := 0
		must(t, f.Do(t.Context(), func(ctx context.Context) error {
			user, gone := ann(), &Parent{Name: "gone"}
			must(t, session.Add(ctx, gone))
			must(t, session.Flush(ctx))
			must(t, session.Add(ctx, user))
			must(t, session.Delete(ctx, gone))
			must(t, uow.AfterCommit(ctx, func(context.Context) error { hooks++; return nil }))
			f.breakOnce(driver.Commit, faultdriver.LoseAnswer)
			must(t, session.Commit(ctx))
			wantState(t, ctx, user, session.Persistent)
			wantState(t, ctx, gone, session.Detached)
			if again, err := session.Get[User](ctx, user.ID); err != nil || again != user {
				t.Errorf("the identity map has %v, %v", again, err)
			}
			user.Name = "Anna" // what follows rests on what was committed
			return nil
		}, on))
		if hooks != 1 {
			t.Errorf("the hook has run %d times", hooks)
		}
		if n := count[Parent](t, f.fixture); n != 0 {
			t.Errorf("%d parents", n)
		}
		wantNames(t, f, "Anna")

		f.clear(t)
		runs := 0
		must(t, f.Do(t.Context(), func(ctx context.Context) error {
			runs++
			user := ann()
			must(t, session.Add(ctx, user))
			if runs > 1 {
				return session.Commit(ctx)
			}
			f.breakOnce(driver.Commit, faultdriver.LoseEnd)
			err := session.Commit(ctx)
			wantFault(t, err, fault.ConnectionLost)
			wantFault(t, session.Add(ctx, &Parent{}), fault.SessionFailed)
			must(t, session.Rollback(ctx))
			wantState(t, ctx, user, session.Transient)
			return err
		}, on))
		if runs != 2 {
			t.Errorf("%d runs", runs)
		}
		wantNames(t, f, "Ann")
	})
}

// wantNames fails the test unless these are the users' names.
func wantNames(t testing.TB, f *faulty, want ...string) {
	t.Helper()
	f.do(t, func(ctx context.Context) error {
		var names []string
		found, err := session.Find[User](ctx)
		for _, u := range found {
			names = append(names, u.Name)
		}
		if strings.Join(names, ", ") != strings.Join(want, ", ") {
			t.Errorf("there is %v, want %v", names, want)
		}
		return err
	})
}

// A commit by hand that nobody knows the outcome of leaves the unit unable to say what its hooks are good for.
func TestUnknownCommitByHandDropsItsHooks(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := openFaulty(t, b)
		var ran []string
		note := func(what string) uow.Hook {
			return func(context.Context) error { ran = append(ran, what); return nil }
		}
		runs := 0
		err := f.Do(t.Context(), func(ctx context.Context) error {
			runs++
			must(t, session.Add(ctx, ann()))
			must(t, uow.AfterCommit(ctx, note("committed")))
			must(t, uow.AfterRollback(ctx, note("rolled back")))
			f.breakOnce(driver.Commit, faultdriver.LoseAnswer)
			wantFault(t, session.Commit(ctx), fault.OutcomeUnknown)
			must(t, session.Rollback(ctx))
			must(t, uow.AfterRollback(ctx, note("what came later")))
			return fault.Deadlock
		})
		wantFault(t, err, fault.Deadlock)
		if runs != 1 || len(ran) != 1 || ran[0] != "what came later" {
			t.Errorf("%d runs, hooks %q", runs, ran)
		}
		wantRows[User](t, f.fixture, 1)
	})
}

// A connection that is lost before the commit is nothing that has to be resolved, and is retried where that was asked
// for.
func TestLostFlush(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		for _, what := range []faultdriver.Fault{faultdriver.LoseScript, faultdriver.LoseEnd, faultdriver.LoseAnswer} {
			f := openFaulty(t, b, oneConnection)
			for _, o := range []uow.Options{{}, {Resolve: resolving}} {
				runs := 0
				f.breakOnce(driver.Stay, what)
				err := f.Do(t.Context(), func(ctx context.Context) error {
					runs++
					must(t, session.Add(ctx, ann()))
					return session.Flush(ctx)
				}, o)
				f.faults.Inject(nil)
				if o.Resolve > 0 {
					must(t, err)
				} else {
					wantFault(t, err, fault.ConnectionLost)
					wantRows[User](t, f.fixture, 0)
				}
				if want := 1 + min(1, int(o.Resolve)); runs != want {
					t.Errorf("%d runs, want %d", runs, want)
				}
			}
			wantRows[User](t, f.fixture, 1)
			if committed, not := f.markers(t); committed != 1 || not != 0 {
				t.Errorf("%d and %d markers", committed, not)
			}
		}
	})
}

// A plain read under a statement timeout is a transaction of its own. There is nothing in it that could be committed.
func TestLostReadIsNoUnknownCommit(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := openFaulty(t, b)
		f.breakOnce(driver.Commit, faultdriver.LoseAnswer)
		err := f.Do(t.Context(), func(ctx context.Context) error {
			_, err := session.Find[User](ctx)
			return err
		}, uow.Options{StatementTimeout: time.Minute})
		wantFault(t, err, fault.ConnectionLost)

		f.breakOnce(driver.Commit, faultdriver.LoseAnswer)
		runs := 0
		must(t, f.Do(t.Context(), func(ctx context.Context) error {
			runs++
			_, err := session.Find[User](ctx)
			return err
		}, uow.Options{ReadOnly: true, Isolation: uow.Serializable, Resolve: resolving}))
		if runs != 2 {
			t.Errorf("a read-only unit has run %d times", runs)
		}
		if committed, not := f.markers(t); committed+not != 0 {
			t.Errorf("reads have left %d markers", committed+not)
		}
	})
}
