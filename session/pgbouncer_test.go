package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/testdb"
	"github.com/urutu-go/urutu/internal/testpooler"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
)

// openPooled opens PostgreSQL behind a PgBouncer that pools transactions on two connections to the server.
func openPooled(t *testing.T, change ...func(*session.Config)) *fixture {
	t.Helper()
	b := backends[0]
	b.url = func(t testing.TB) string { return testpooler.Start(t, testdb.Postgres(t)) }
	return open(t, b, append([]func(*session.Config){pooled}, change...)...)
}

// pooled says that there is a pooler, and has enough connections to it that they have to share those to the server.
func pooled(c *session.Config) { c.Pooler, c.PoolSize, c.MaxOverflow = true, 8, -1 }

// servers says which connections to the server were behind each connection of the pool.
type servers struct {
	mu   sync.Mutex
	seen map[uint32]map[int]bool
}

// note notes the connections that the transaction of ctx is on, and that nothing is prepared there.
func (s *servers) note(t testing.TB, ctx context.Context) error {
	return session.From(ctx).Raw(ctx, func(conn any) error {
		c := conn.(*stdlib.Conn).Conn()
		var pid, prepared int
		err := c.QueryRow(ctx, "SELECT pg_backend_pid(), (SELECT count(*) FROM pg_prepared_statements)").Scan(&pid, &prepared)
		if prepared > 0 {
			t.Errorf("%d statements are prepared on a connection that others use", prepared)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		client := c.PgConn().PID()
		if s.seen[client] == nil {
			s.seen[client] = map[int]bool{}
		}
		s.seen[client][pid] = true
		return err
	})
}

// Units of many clients take turns on two connections to the server, each client on both of them.
func TestPgBouncer_concurrent_units(t *testing.T) {
	t.Parallel()
	f := openPooled(t)
	accounts := []*Account{{Balance: 1000}, {Balance: 1000}, {Balance: 1000}}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, accounts...) })
	s := &servers{seen: map[uint32]map[int]bool{}}
	const clients, units = 8, 25
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			for i := range units {
				from, to := accounts[(c+i)%3].ID, accounts[(c+i+1)%3].ID
				if err := f.Do(t.Context(), func(ctx context.Context) error { return s.transfer(t, ctx, from, to) }, patient); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	var sum int64
	for _, a := range accounts {
		sum += row[Account](t, f, a.ID).Balance
	}
	if sum != 3000 {
		t.Errorf("the accounts hold %d", sum)
	}
	wantRows[User](t, f, clients*units)
	wantRows[Parent](t, f, clients*units)
	wantIdle(t, f.DB)
	pids, both := map[int]bool{}, 0
	for _, on := range s.seen {
		for pid := range on {
			pids[pid] = true
		}
		both += len(on) / 2
	}
	if len(pids) != 2 || len(s.seen) < 2 || both == 0 {
		t.Errorf("%d clients were on %d connections to the server, %d on both", len(s.seen), len(pids), both)
	}
}

// patient runs a unit again until nobody else is in its way.
var patient = uow.Options{Retry: uow.Retry{Kinds: []fault.Kind{fault.Stale}, Attempts: 100, Backoff: time.Millisecond}}

// transfer is a unit with reads, checked writes of several kinds, staged rows and plain SQL.
func (s *servers) transfer(t *testing.T, ctx context.Context, from, to uuid.UUID) error {
	payer, err := session.Get[Account](ctx, from)
	if err != nil {
		return err
	}
	payee, err := session.Get[Account](ctx, to)
	if err != nil {
		return err
	}
	payer.Balance--
	payee.Balance++
	errs := errors.Join(session.Add(ctx, &User{Email: uuid.NewString()}), stage(ctx, "transfer"))
	if payer.Balance%2 == 0 {
		errs = errors.Join(errs, s.note(t, ctx))
	}
	return errs
}

// The kinds of units take the same round trips as without a pooler.
func TestPgBouncer_trips(t *testing.T) {
	t.Parallel()
	direct := openPooled(t)
	createTable(t, direct, createLates)
	for _, k := range wireUnits {
		w := openWire(t, direct, pooled, oneConnection)
		for _, warmth := range []string{"cold", "warm", "warmer"} {
			t.Run(k.name+"/"+warmth, func(t *testing.T) { w.measure(t, k) })
		}
	}
}

// onBothServers runs fn in two transactions at once, which are on both connections to the server.
func onBothServers(t *testing.T, f *fixture, fn func(ctx context.Context, pid int) error) {
	t.Helper()
	pid := func(ctx context.Context) (n int) {
		must(t, session.From(ctx).QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&n))
		return n
	}
	f.do(t, func(ctx context.Context) error {
		outer := pid(ctx)
		return errors.Join(fn(ctx, outer), session.New(ctx, func(ctx context.Context) error {
			inner := pid(ctx)
			if inner == outer {
				t.Error("two transactions are on one connection")
			}
			return fn(ctx, inner)
		}))
	})
}

// What a unit sets for its transaction is gone with it, and the next client on the connection does not see it.
func TestPgBouncer_settings_do_not_leak(t *testing.T) {
	t.Parallel()
	f := openPooled(t)
	limits := uow.Options{StatementTimeout: 200 * time.Millisecond, LockTimeout: time.Minute, Isolation: uow.Serializable}
	for range 4 {
		must(t, f.Do(t.Context(), func(ctx context.Context) error {
			must(t, session.New(ctx, func(ctx context.Context) error { return session.Add(ctx, &User{Email: uuid.NewString()}) }, limits))
			return session.Add(ctx, &User{Email: uuid.NewString()})
		}, limits))
	}
	err := f.Do(t.Context(), func(ctx context.Context) error {
		return ignore(session.From(ctx).ExecContext(ctx, "SELECT pg_sleep(20)"))
	}, limits)
	wantFault(t, err, fault.StatementTimeout)
	onBothServers(t, f, func(ctx context.Context, pid int) error {
		var all string
		err := session.From(ctx).QueryRowContext(ctx, `SELECT concat_ws(' ', current_setting('statement_timeout'),
			current_setting('lock_timeout'), current_setting('transaction_isolation'), current_setting('transaction_read_only'))`).Scan(&all)
		if all != "0 0 read committed off" {
			t.Errorf("connection %d has %s", pid, all)
		}
		return err
	})
}

// Units that fail give the connection to the server back: otherwise the third one would wait for ever.
func TestPgBouncer_failing_units(t *testing.T) {
	t.Parallel()
	f := openPooled(t)
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, ann()) })
	for range 5 {
		err := f.Do(t.Context(), func(ctx context.Context) error {
			return errors.Join(session.Add(ctx, &Account{}), session.Add(ctx, ann()))
		})
		wantFault(t, err, fault.Unique)
		err = f.Do(t.Context(), func(ctx context.Context) error {
			must(t, session.Add(ctx, &Account{}))
			return errors.Join(session.Flush(ctx), errInner)
		})
		if !errors.Is(err, errInner) {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err = f.Do(ctx, func(ctx context.Context) error {
			return ignore(session.From(ctx).ExecContext(ctx, "SELECT pg_sleep(20)"))
		})
		cancel()
		wantFault(t, err, fault.StatementTimeout)
	}
	onBothServers(t, f, func(context.Context, int) error { return nil })
	wantRows[Account](t, f, 0)
	wantRows[User](t, f, 1)
}

func TestPgBouncer_savepoints(t *testing.T) {
	t.Parallel()
	f := openPooled(t)
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, ann()) })
	f.do(t, func(ctx context.Context) error {
		err := session.Nested(ctx, func(ctx context.Context) error { return session.Add(ctx, ann()) })
		wantFault(t, err, fault.Unique)
		must(t, session.Nested(ctx, func(ctx context.Context) error { return session.Add(ctx, &Seat{Row: 1}) }))
		return session.Add(ctx, &Seat{Row: 2})
	})
	wantRows[Seat](t, f, 2)
	wantRows[User](t, f, 1)
}

// The escape hatches are on the connection of the transaction, and keep nothing prepared there.
func TestPgBouncer_escape_hatches(t *testing.T) {
	t.Parallel()
	f := openPooled(t)
	s := &servers{seen: map[uint32]map[int]bool{}}
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			for range 5 {
				f.do(t, func(ctx context.Context) error {
					u := &User{Name: fmt.Sprint(i), Email: uuid.NewString(), Age: i}
					must(t, session.Add(ctx, u))
					sess := session.From(ctx)
					if _, err := sess.ExecContext(ctx, "UPDATE users SET age = age + $1 WHERE id = $2", 1, u.ID); err != nil {
						return err
					}
					st, err := sess.PrepareContext(ctx, "SELECT age FROM users WHERE id = $1")
					if err != nil {
						return err
					}
					var age int
					if err := st.QueryRowContext(ctx, u.ID).Scan(&age); err != nil || age != i+1 {
						t.Errorf("age %d, %v", age, err)
					}
					return errors.Join(st.Close(), s.note(t, ctx))
				})
			}
		})
	}
	all.Wait()
	wantRows[User](t, f, 30)
}

// What else a unit can do.
func TestPgBouncer_everything_else(t *testing.T) {
	t.Parallel()
	f := openPooled(t)
	must(t, f.Install(t.Context()))
	f.do(t, func(ctx context.Context) error { return session.CreateTables(ctx, (*Leaf)(nil)) })
	people := make([]*User, 100)
	for i := range people {
		people[i] = &User{Name: fmt.Sprint(i), Email: uuid.NewString()}
	}
	parent := entity.New[Parent]()
	ticket := &Ticket{Title: "four"}
	must(t, f.Do(t.Context(), func(ctx context.Context) error {
		return errors.Join(session.Add(ctx, people...), session.Add(ctx, ticket), session.Add(ctx, parent))
	}, uow.Options{Resolve: resolving}))
	if ticket.ID == 0 || ticket.Length != 4 || ticket.Status != "open" {
		t.Errorf("%+v", ticket)
	}
	f.do(t, func(ctx context.Context) error {
		var n int
		var locked *User
		must(t, session.Batch(ctx, session.CountInto[User](&n), session.GetInto(&locked, people[7].ID, query.ForUpdate)))
		found, err := session.Find[User](ctx, query.In(&users.Name, "1", "2", "3"))
		if n != 100 || locked.Name != "7" || len(found) != 3 {
			t.Errorf("%d users, %+v, %d found", n, locked, len(found))
		}
		return err
	})
}

// Nephew has a table like that of parents.
type Nephew struct {
	entity.Identifiable
	Name string
}

// Without Pooler a client meets what others have prepared, or does not meet what it has prepared itself. Each time it
// either gets what it has asked for, or an error that says what to do; never what somebody else has asked for.
func TestPgBouncer_that_nobody_told_us_of(t *testing.T) {
	t.Parallel()
	f := openPooled(t)
	parents, nephews := entity.Columns[Parent](), entity.Columns[Nephew]()
	f.do(t, func(ctx context.Context) error { return session.CreateTables(ctx, (*Nephew)(nil)) })
	f.do(t, func(ctx context.Context) error {
		return errors.Join(session.Add(ctx, &Parent{Name: "x"}), session.Add(ctx, &Nephew{Name: "x"}))
	})
	client := func() *session.DB {
		cfg := f.config()
		cfg.Drivers = []driver.Driver{f.backend.driver()}
		oneConnection(&cfg)
		return openConfig(t, cfg)
	}
	findParent := func(db *session.DB) error {
		return db.Do(t.Context(), func(ctx context.Context) error {
			p, err := session.First[Parent](ctx, query.Eq(&parents.Name, "x"))
			if err == nil {
				_, err = session.Get[Parent](ctx, p.ID, query.Populate) // it is a parent, and no nephew
			}
			return err
		})
	}
	a, b, c := client(), client(), client()
	must(t, findParent(a))
	f.do(t, func(ctx context.Context) error {
		// This transaction has the connection on which the parents' query is prepared: the others meet on the second one.
		must(t, ignore(session.From(ctx).ExecContext(ctx, "SELECT 1")))
		must(t, b.Do(t.Context(), func(ctx context.Context) error {
			return ignore(session.First[Nephew](ctx, query.Eq(&nephews.Name, "x")))
		}))
		must(t, findParent(a)) // what is not there is prepared again
		must(t, findParent(b))
		err := findParent(c)
		wantFault(t, err, fault.Misconfigured)
		if !strings.Contains(err.Error(), "set Pooler") {
			t.Error(err)
		}
		return nil
	})
}

// A parameter of the connection that the pooler does not know is said to be the configuration's mistake.
func TestPgBouncer_startup_parameter(t *testing.T) {
	t.Parallel()
	f := openPooled(t)
	cfg := f.config()
	pooled(&cfg)
	cfg.URL += "&search_path=elsewhere"
	_, err := session.Open(t.Context(), cfg)
	wantFault(t, err, fault.Misconfigured)
}
