package session_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/faultdriver"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
)

// eventually waits for a condition that only the server, or a pool, can tell.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Error("it never came to that: " + what)
			return
		}
	}
}

// waiter returns a function that waits until somebody waits for what the transaction of ctx holds: its locks, or the one
// writer.
func (f *faulty) waiter(t *testing.T, ctx context.Context) (wait func()) {
	if f.backend.name != "postgres" {
		before := f.Stats()["default"].WaitCount
		return func() {
			eventually(t, "a wait for the writer", func() bool { return f.Stats()["default"].WaitCount > before })
		}
	}
	var pid int
	must(t, session.From(ctx).QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&pid))
	return func() {
		eventually(t, "a wait for the transaction", func() bool {
			var waits bool
			err := admin.db.QueryRow("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid)))", pid).Scan(&waits)
			return err != nil || waits
		})
	}
}

// The server may be at work on the lost transaction still: whoever asks waits for its end, which decides.
func TestServerStillAtWork(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		for _, end := range []string{"commits", "rolls back"} {
			t.Run(end, func(t *testing.T) {
				t.Parallel()
				f := openFaulty(t, b)
				proceed, abort := make(chan struct{}), make(chan struct{})
				f.breakOnce(driver.Commit, faultdriver.Late(proceed, abort))
				runs := 0
				must(t, f.Do(t.Context(), func(ctx context.Context) error {
					runs++
					must(t, session.Add(ctx, ann()))
					if runs > 1 {
						return nil
					}
					must(t, session.Flush(ctx))
					wait := f.waiter(t, ctx)
					go func() {
						wait()
						if end == "commits" {
							close(proceed)
						} else {
							close(abort)
						}
					}()
					return nil
				}, uow.Options{Resolve: resolving}))
				f.faults.Wait()
				if want := map[string]int{"commits": 1, "rolls back": 2}[end]; runs != want {
					t.Errorf("%d runs, want %d", runs, want)
				}
				wantRows[User](t, f.fixture, 1)
			})
		}
	})
}

// Whoever asks does not wait for ever: what cannot be known in time stays unknown, and is not run again.
func TestServerAtWorkForTooLong(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := openFaulty(t, b, func(c *session.Config) { c.PoolTimeout = 50 * time.Millisecond })
		proceed := make(chan struct{})
		f.breakOnce(driver.Commit, faultdriver.Late(proceed, nil))
		r := f.add(t, lostCommit{}, uow.Options{Resolve: 200 * time.Millisecond})
		close(proceed)
		f.faults.Wait()
		r.want(t, f, fault.OutcomeUnknown, 1, 0, 0, 1)
		if !strings.Contains(r.err.Error(), "was not found out") {
			t.Errorf("%v does not say that it was looked into", r.err)
		}
	})
}

// A commit that is still on its way when the question is asked, in the memory of some router, finds its marker taken as it
// arrives. SQLite has no way on which a commit could be.
func TestCommitThatArrivesAfterTheQuestion(t *testing.T) {
	t.Parallel()
	f := openFaulty(t, backends[0])
	deliver := make(chan struct{})
	var arrived error
	f.breakOnce(driver.Commit, faultdriver.Delay(deliver, func(err error) { arrived = err }))
	r := f.add(t, lostCommit{}, uow.Options{Resolve: resolving, Retry: once.Retry})
	close(deliver)
	f.faults.Wait()
	wantFault(t, arrived, fault.Unique)
	if !strings.Contains(arrived.Error(), "urutu_unit") {
		t.Errorf("it met %v", arrived)
	}
	r.want(t, f, fault.ConnectionLost, 1, 0, 1, 0)
}

// The lines of those who ask break too. A second question finds the answer to the first, and not a marker that the first
// has taken for one of the unit's.
func TestLostQuestion(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		for name, p := range map[string]lostCommit{"committed": lostCommits[2], "not committed": lostCommits[1]} {
			for _, question := range []faultdriver.Fault{faultdriver.LoseScript, faultdriver.LoseEnd, faultdriver.LoseAnswer} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					f := openFaulty(t, b, oneConnection)
					commits := 0
					f.faults.Inject(func(s *driver.Script) faultdriver.Fault {
						if s.End != driver.Commit {
							return nil
						}
						switch commits++; commits {
						case 1:
							return p.fault
						case 2, 3:
							return question
						}
						return nil
					})
					r := f.add(t, p, uow.Options{Resolve: resolving, Retry: once.Retry})
					if p.durable {
						r.want(t, f, "", 1, 1, 0, 1)
					} else {
						r.want(t, f, fault.ConnectionLost, 1, 0, 1, 0)
					}
				})
			}
		}
	})
}

// With the database gone nothing is found out, and nothing is claimed.
func TestDatabaseGoneAfterTheCommit(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		for _, p := range lostCommits[1:4] {
			f := openFaulty(t, b)
			var gone atomic.Bool
			f.faults.Inject(func(s *driver.Script) faultdriver.Fault {
				switch {
				case gone.Load():
					return faultdriver.LoseScript
				case s.End == driver.Commit:
					gone.Store(true)
					return p.fault
				}
				return nil
			})
			users := int64(0)
			if p.durable {
				users = 1
			}
			f.add(t, p, uow.Options{Resolve: 50 * time.Millisecond}).want(t, f, fault.OutcomeUnknown, 1, 0, 0, users)
		}
	})
}

// Work plays a queue: a unit that handles an item deletes its row with its only commit.
type Work struct {
	entity.Table `db:"table:works"`
	entity.Identifiable
	entity.Versioned
	Payload string
}

// handled resolves the unit that handles an item. Where the row is there still, its version is raised, so that a commit
// that comes later finds another one than it checks.
func handled(item *Work) session.Resolver {
	return func(ctx context.Context) (bool, error) {
		w, ok, err := session.Lookup[Work](ctx, item.ID, query.ForUpdate)
		if err != nil || !ok {
			return err == nil, err
		}
		w.Payload += "."
		return false, nil
	}
}

// ResolveWith takes the place of the marker, and is called in units of their own until one of them commits.
func TestResolveWith(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		for _, p := range lostCommits[1:4] {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				f := openFaulty(t, b, oneConnection)
				item := &Work{Payload: "work"}
				f.do(t, func(ctx context.Context) error {
					must(t, session.CreateTables(ctx, (*Work)(nil)))
					return session.Add(ctx, item)
				})
				runs, asked := 0, 0
				f.breakOnce(driver.Commit, p.fault)
				f.reset()
				must(t, f.Do(t.Context(), func(ctx context.Context) error {
					runs++
					w, err := session.Get[Work](ctx, item.ID)
					must(t, err)
					must(t, session.ResolveWith(ctx, func(inner context.Context) (bool, error) {
						if asked++; asked == 1 {
							return true, errors.New("not yet")
						}
						unit, _ := uow.Current(inner)
						if outer, _ := uow.Current(ctx); unit == nil || unit == outer || unit.Parent() != nil {
							t.Error("it is not asked in a unit of its own")
						}
						return handled(item)(inner)
					}))
					must(t, session.Add(ctx, ann()))
					return session.Delete(ctx, w)
				}, uow.Options{Resolve: resolving}))
				if f.wrote("urutu_unit") {
					t.Errorf("a marker is written all the same: %q", f.trips())
				}
				want := 2
				if p.durable {
					want = 1
				}
				if runs != want || asked != 2 {
					t.Errorf("%d runs, want %d; asked %d times", runs, want, asked)
				}
				wantRows[User](t, f.fixture, 1)
				wantRows[Work](t, f.fixture, 0)
			})
		}
	})
}

// A resolver is for one transaction; the next one has its marker again.
func TestResolveWithHoldsForOneCommit(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := openFaulty(t, b)
		never := func(context.Context) (bool, error) {
			t.Error("nothing was lost")
			return false, nil
		}
		must(t, f.Do(t.Context(), func(ctx context.Context) error {
			must(t, session.ResolveWith(ctx, never))
			must(t, session.Add(ctx, &Parent{Name: "first"}))
			must(t, session.Commit(ctx))
			if f.wrote("urutu_unit") {
				t.Errorf("the first commit has a marker: %q", f.trips())
			}
			return session.Add(ctx, &Parent{Name: "second"})
		}, uow.Options{Resolve: resolving}))
		if !f.wrote("urutu_unit") {
			t.Errorf("the second commit has none: %q", f.trips())
		}
	})
}

// A commit of the queue's that arrives late does nothing: the version that it checks is gone.
func TestLateCommitOfAQueueUnit(t *testing.T) {
	t.Parallel()
	f := openFaulty(t, backends[0])
	item := &Work{Payload: "work"}
	f.do(t, func(ctx context.Context) error {
		must(t, session.CreateTables(ctx, (*Work)(nil)))
		return session.Add(ctx, item)
	})
	deliver := make(chan struct{})
	var arrived error
	f.breakOnce(driver.Commit, faultdriver.Delay(deliver, func(err error) { arrived = err }))
	err := f.Do(t.Context(), func(ctx context.Context) error {
		w, err := session.Get[Work](ctx, item.ID)
		must(t, err)
		must(t, session.ResolveWith(ctx, handled(item)))
		must(t, session.Add(ctx, ann()))
		return session.Delete(ctx, w)
	}, uow.Options{Resolve: resolving, Retry: once.Retry})
	wantFault(t, err, fault.ConnectionLost)
	close(deliver)
	f.faults.Wait()
	wantFault(t, arrived, fault.Stale)
	wantRows[User](t, f.fixture, 0)
	wantRows[Work](t, f.fixture, 1)
}

// A function that resolves and panics takes nothing down but its unit.
func TestResolverThatPanics(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := openFaulty(t, b, oneConnection)
		f.breakOnce(driver.Commit, faultdriver.LoseAnswer)
		var said any
		var wg sync.WaitGroup
		wg.Go(func() {
			defer func() { said = recover() }()
			_ = f.Do(t.Context(), func(ctx context.Context) error {
				must(t, session.ResolveWith(ctx, func(context.Context) (bool, error) { panic("a bug") }))
				return session.Add(ctx, ann())
			}, uow.Options{Resolve: resolving})
		})
		wg.Wait()
		if said != "a bug" {
			t.Errorf("the panic is %v", said)
		}
		wantIdle(t, f.DB)
		wantRows[User](t, f.fixture, 1)
	})
}
