package session_test

import (
	"context"
	"errors"
	"fmt"
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

// Promise 12: an independent unit has its own connection, transaction and identity map, and its own outcome.
func TestPromise12_independent_session(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		user := ann()
		f.do(t, func(ctx context.Context) error { return session.Add(ctx, user) })
		err := f.Do(t.Context(), func(ctx context.Context) error {
			outer, err := session.Get[User](ctx, user.ID)
			must(t, err)
			outer.Name = "lost with the outer unit"
			must(t, session.New(ctx, func(inner context.Context) error {
				if session.From(inner) == session.From(ctx) {
					t.Error("the current session is still the outer one")
				}
				own, err := session.Get[User](inner, user.ID)
				must(t, err)
				if own == outer || own.Name != "Ann" {
					t.Errorf("the inner unit sees the outer one's object: %+v", own)
				}
				return session.Add(inner, &Parent{Name: "audit"})
			}))
			wantRows[Parent](t, f, 1) // it has committed
			if err := session.New(ctx, func(inner context.Context) error {
				must(t, session.Add(inner, &Parent{Name: "lost with the inner unit"}))
				must(t, session.Flush(inner))
				return errInner
			}); !errors.Is(err, errInner) {
				t.Errorf("error %v", err)
			}
			must(t, session.Flush(ctx)) // the outer unit is none the worse for it
			return errInner
		})
		if !errors.Is(err, errInner) {
			t.Errorf("error %v", err)
		}
		wantRows[Parent](t, f, 1)
		if got := row[User](t, f, user.ID); got.Name != "Ann" {
			t.Errorf("stored is %+v", got)
		}
		// Outside of a unit too.
		must(t, session.New(f.Context(t.Context()), func(ctx context.Context) error {
			return session.Add(ctx, &Parent{Name: "by itself"})
		}))
		wantRows[Parent](t, f, 2)
	})
}

// Promise 13: the same on SQLite, in a file and in memory. Where the outer unit has written, the error comes at once.
func TestPromise13_independent_session_on_sqlite(t *testing.T) {
	t.Parallel()
	memory := backends[1]
	memory.name, memory.url = "memory", func(testing.TB) string { return "sqlite+aiosqlite:///:memory:" }
	for _, b := range append(slices.Clone(backends[1:]), memory) {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			f := open(t, b, func(c *session.Config) { c.PoolTimeout = time.Hour })
			audit := func(ctx context.Context) error { return session.Add(ctx, &Parent{Name: "audit"}) }
			err := f.Do(t.Context(), func(ctx context.Context) error {
				must(t, session.Add(ctx, ann()))
				must(t, session.New(ctx, audit)) // before the outer unit's first flush
				must(t, session.Flush(ctx))
				err := session.New(ctx, audit)
				wantFault(t, err, fault.LockTimeout)
				if !strings.Contains(err.Error(), "enclosing unit of work holds it") {
					t.Errorf("%v does not say who holds the lock", err)
				}
				err = session.New(ctx, func(ctx context.Context) error { // reading is free, and sees no uncommitted row
					n, err := session.Count[User](ctx)
					if n != 0 {
						t.Errorf("%d users", n)
					}
					return err
				})
				must(t, err)
				must(t, session.Commit(ctx)) // so is writing, once the outer unit has committed
				must(t, session.New(ctx, audit))
				must(t, session.Add(ctx, &User{Email: "lost"}))
				return errInner
			})
			if !errors.Is(err, errInner) {
				t.Errorf("error %v", err)
			}
			wantRows[User](t, f, 1)
			wantRows[Parent](t, f, 2)
		})
	}
}

// Promise 14: with the pool exhausted there is an error after the pool's timeout that says why, and an outer unit that
// has not flushed holds no connection.
func TestPromise14_independent_session_under_load(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b, oneConnection, func(c *session.Config) { c.PoolTimeout = 5 * time.Second })
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				err := f.Do(t.Context(), func(ctx context.Context) error {
					if err := session.Add(ctx, &User{Email: fmt.Sprint(i)}); err != nil {
						return err
					}
					return session.New(ctx, func(ctx context.Context) error { return session.Add(ctx, &Parent{Name: fmt.Sprint(i)}) })
				})
				if err != nil {
					t.Errorf("%v", err)
				}
			})
		}
		wg.Wait()
		wantRows[User](t, f, 16)
		wantRows[Parent](t, f, 16)

		f = open(t, b, oneConnection, func(c *session.Config) { c.PoolTimeout = 20 * time.Millisecond })
		holds := uow.Options{Isolation: uow.RepeatableRead, ReadOnly: b.name != "postgres"}
		must(t, f.Do(t.Context(), func(ctx context.Context) error {
			if b.name == "postgres" {
				must(t, session.Add(ctx, ann()))
				must(t, session.Flush(ctx))
			} else { // what writes is promise 13's; here a reader is held
				_, err := session.Find[User](ctx)
				must(t, err)
			}
			err := session.New(ctx, func(ctx context.Context) error { _, err := session.Find[User](ctx); return err })
			wantFault(t, err, fault.PoolTimeout)
			for _, part := range []string{"20ms", "pool of 1", "nested in a unit of work"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v does not say %q", err, part)
				}
			}
			return nil
		}, holds))
		wantIdle(t, f.DB)
	})
}

// Promise 15: what is staged inside an independent unit is written if and only if that one commits.
func TestPromise15_staged_inside_an_independent_session(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		for _, c := range []struct {
			outer, inner error
			rows         int64
		}{{nil, nil, 2}, {errInner, nil, 3}, {nil, errInner, 4}, {errInner, errInner, 4}} {
			err := f.Do(t.Context(), func(ctx context.Context) error {
				must(t, stage(ctx, "outer"))
				err := session.New(ctx, func(ctx context.Context) error { return errors.Join(stage(ctx, "inner"), c.inner) })
				if !errors.Is(err, c.inner) {
					t.Errorf("error %v, want %v", err, c.inner)
				}
				return c.outer
			})
			if !errors.Is(err, c.outer) {
				t.Errorf("error %v, want %v", err, c.outer)
			}
			wantRows[Parent](t, f, c.rows)
		}
	})
}

// Promise 16: N independent units are N transactions: one that fails loses its own batch only.
func TestPromise16_batches(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		f.reset()
		f.do(t, func(ctx context.Context) error {
			for batch := range 5 {
				err := session.New(ctx, func(ctx context.Context) error {
					for i := range 10 {
						must(t, session.Add(ctx, &Parent{Name: fmt.Sprint(batch, i)}))
					}
					if batch == 3 {
						return errInner
					}
					return nil
				})
				if (err != nil) != (batch == 3) {
					t.Errorf("batch %d: %v", batch, err)
				}
			}
			return nil
		})
		if n := strings.Count(strings.Join(f.trips(), "; "), "COMMIT"); n != 4 {
			t.Errorf("%d commits: %q", n, f.trips())
		}
		wantRows[Parent](t, f, 40)
	})
}

// pair is two databases: main, the default, and analytics.
type pair struct {
	*session.DB
	main, analytics *spy
}

func openPair(t *testing.T, b backend) *pair {
	t.Helper()
	p := &pair{main: &spy{Driver: b.driver()}, analytics: &spy{Driver: b.driver()}}
	p.DB = openConfig(t,
		session.Config{Name: "main", Default: true, URL: b.url(t), Drivers: []driver.Driver{p.main}},
		session.Config{Name: "analytics", URL: b.url(t), Drivers: []driver.Driver{p.analytics}},
	)
	for _, name := range []session.Name{"main", "analytics"} {
		must(t, p.Do(t.Context(), func(ctx context.Context) error {
			return session.CreateTables(session.On(ctx, name), (*Parent)(nil))
		}))
	}
	return p
}

// wantNames fails the test unless the connection's parents have these names.
func (p *pair) wantNames(t *testing.T, name session.Name, want ...string) {
	t.Helper()
	var got []string
	must(t, p.Do(t.Context(), func(ctx context.Context) error {
		found, err := session.Find[Parent](session.On(ctx, name), query.Asc(&parents.Name))
		for _, parent := range found {
			got = append(got, parent.Name)
		}
		return err
	}))
	if !slices.Equal(got, want) {
		t.Errorf("%s has %q, want %q", name, got, want)
	}
}

// Promise 29: of two connections that a unit has written, the default commits last, and an error says which one is
// durable.
func TestPromise29_two_connections_in_one_unit(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		p := openPair(t, b)
		both := func(name string) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				must(t, session.Add(ctx, &Parent{Name: name})) // the default is written first, and commits last all the same
				must(t, stage(ctx, name+", staged"))
				return session.Add(session.On(ctx, "analytics"), &Parent{Name: name})
			}
		}
		must(t, p.Do(t.Context(), both("fine")))
		p.wantNames(t, "main", "fine", "fine, staged")
		p.wantNames(t, "analytics", "fine")

		// The commit of the default fails, when the other one is durable.
		fixture := &fixture{spy: p.main}
		fixture.onEnd(driver.Commit, func(func() error) error {
			return &driver.ScriptError{Statement: driver.AtEnd, Row: -1, Err: fault.Wrap(fault.ConnectionLost, "driver.Run", errors.New("broken pipe"))}
		})
		runs := 0
		err := p.Do(t.Context(), func(ctx context.Context) error { runs++; return both("half")(ctx) }, uow.Options{
			Retry: uow.Retry{Kinds: []fault.Kind{fault.ConnectionLost, fault.PartialCommit}},
		})
		fixture.intercept(nil)
		wantFault(t, err, fault.PartialCommit)
		wantFault(t, err, fault.ConnectionLost)
		var partial *uow.PartialCommitError
		if !errors.As(err, &partial) || !slices.Equal(partial.Durable, []string{"analytics"}) || partial.Failed != "main" {
			t.Errorf("%+v", partial)
		}
		if fault.KindOf(err) != fault.PartialCommit || runs != 1 {
			t.Errorf("kind %s; %d runs", fault.KindOf(err), runs)
		}
		p.wantNames(t, "main", "fine", "fine, staged")
		p.wantNames(t, "analytics", "fine", "half")

		// What the databases refuse is found out before either commits: nothing is durable.
		for _, bad := range []session.Name{"main", "analytics"} {
			err = p.Do(t.Context(), func(ctx context.Context) error {
				must(t, both("none")(ctx))
				id := uuid.New()
				must(t, session.New(ctx, func(ctx context.Context) error {
					o := &Parent{Name: "taken"}
					o.ID = id
					return session.Add(session.On(ctx, bad), o)
				}))
				o := &Parent{Name: "none"}
				o.ID = id
				return session.Add(session.On(ctx, bad), o)
			})
			wantFault(t, err, fault.Unique)
			if errors.Is(err, fault.PartialCommit) {
				t.Errorf("%v", err)
			}
		}
		p.wantNames(t, "main", "fine", "fine, staged", "taken")
		p.wantNames(t, "analytics", "fine", "half", "taken")
	})
}
