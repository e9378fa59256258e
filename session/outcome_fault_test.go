package session_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
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
