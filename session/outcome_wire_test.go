package session_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/wireproxy"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

// openThrough opens PostgreSQL behind a proxy, with one connection in the pool.
func openThrough(t *testing.T) (*fixture, *wireproxy.Proxy) {
	t.Helper()
	u, err := url.Parse(serverURL())
	must(t, err)
	p := wireproxy.Start(t, u.Host)
	b := backends[0]
	direct := b.url
	b.url = func(t testing.TB) string { return p.URL(direct(t)) }
	f := open(t, b, oneConnection, func(c *session.Config) { c.Logger = slog.New(slog.DiscardHandler) })
	must(t, f.Install(t.Context()))
	return f, p
}

// The marker of a commit costs no round trip on the wire, on a connection that knows the statements and on one that does
// not.
func TestMarkerOnTheWire(t *testing.T) {
	t.Parallel()
	f, p := openThrough(t)
	for range 2 {
		p.Sever()
		_ = f.Ping(t.Context())      // which a connection that was used just now notices here
		must(t, f.Ping(t.Context())) // a new connection, whose handshake does not count
		for _, what := range []string{"cold", "warm"} {
			before := p.Trips()
			must(t, f.Do(t.Context(), func(ctx context.Context) error {
				return session.Add(ctx, &Parent{Name: what}, &Parent{Name: what})
			}, uow.Options{Resolve: resolving}))
			if n := p.Trips() - before; n != 1 {
				t.Errorf("%s: %d round trips", what, n)
			}
		}
	}
}

// lineBreak is a point at which the wire breaks as a unit commits.
type lineBreak struct {
	name    string
	arm     func(p *wireproxy.Proxy)
	durable bool
	timeout time.Duration
	block   bool // BEGIN and COMMIT are sent; a unit of one burst can do without
}

var lineBreaks = []lineBreak{
	{name: "the burst is lost", arm: func(p *wireproxy.Proxy) { p.CutBeforeSent([]byte(userInsert)) }},
	{name: "the burst with a COMMIT is lost", arm: func(p *wireproxy.Proxy) { p.CutBeforeSent([]byte("COMMIT")) }, block: true},
	{name: "the answer is lost", arm: func(p *wireproxy.Proxy) { p.CutBeforeReply([]byte("INSERT 0 1")) }, durable: true},
	{name: "the answer to a COMMIT is lost", arm: func(p *wireproxy.Proxy) { p.CutBeforeReply([]byte("COMMIT")) }, durable: true, block: true},
	// The driver waits ten seconds for an answer that may be on its way before it gives the connection up.
	{name: "the answer is held", arm: func(p *wireproxy.Proxy) {
		ended := p.Connections() + 1 // the request to cancel is one
		release := p.HoldReplies()
		go func() {
			p.AwaitEnded(ended)
			release()
		}()
	}, durable: true, timeout: 50 * time.Millisecond},
}

// userInsert is in what is sent as a connection inserts its first user.
const userInsert = `INSERT INTO "users"`

// options returns those of a unit that is to meet the break.
func (l lineBreak) options(resolve time.Duration) (o uow.Options) {
	o.Resolve = resolve
	if l.block {
		o.LockTimeout = time.Minute // which only a transaction block can have
	}
	return o
}

// Cases 77 to 82 on the wire.
func TestCase081OnTheWire(t *testing.T) {
	t.Parallel()
	for _, l := range lineBreaks {
		for _, resolve := range []time.Duration{0, resolving} {
			t.Run(fmt.Sprintf("%s, looked into for %s", l.name, resolve), func(t *testing.T) {
				t.Parallel()
				f, p := openThrough(t)
				runs, commits := 0, 0
				runner := uow.NewRunner(uow.Config{Context: f.Context, CommitTimeout: l.timeout})
				err := runner.Do(t.Context(), uow.Op{Options: l.options(resolve)}, func(ctx context.Context) error {
					if runs++; runs == 1 {
						l.arm(p)
					}
					must(t, uow.AfterCommit(ctx, func(context.Context) error { commits++; return nil }))
					return session.Add(ctx, ann())
				})
				wantRuns, wantCommits, wantUsers := 1, 1, int64(1)
				switch {
				case resolve == 0:
					wantFault(t, err, fault.OutcomeUnknown)
					wantCommits = 0
					if !l.durable {
						wantUsers = 0
					}
				case !l.durable:
					wantRuns = 2
					fallthrough
				default:
					must(t, err)
				}
				if runs != wantRuns || commits != wantCommits {
					t.Errorf("%d runs and %d hooks, want %d and %d", runs, commits, wantRuns, wantCommits)
				}
				wantRows[User](t, f, wantUsers)
				wantIdle(t, f.DB)
			})
		}
	}
}

// A line that breaks right after the burst went out may leave the unit committed or not, as the server is fast or slow.
// Whichever it is, the unit is applied once.
func TestLineCutBehindTheBurst(t *testing.T) {
	t.Parallel()
	f, p := openThrough(t)
	const units = 50
	cuts := 0
	for i := range units {
		p.Sever() // so that the statement is sent with its text
		var cut atomic.Bool
		p.OnSent(func(b []byte) wireproxy.Verdict {
			if bytes.Contains(b, []byte(userInsert)) && !cut.Swap(true) {
				return wireproxy.PassAndCut
			}
			return wireproxy.Pass
		})
		must(t, f.Do(t.Context(), func(ctx context.Context) error {
			return session.Add(ctx, &User{Email: fmt.Sprint(i)})
		}, lineBreak{block: i%2 == 0}.options(resolving)))
		if cut.Load() {
			cuts++
		}
	}
	if cuts < units {
		t.Errorf("only %d lines were cut", cuts)
	}
	wantRows[User](t, f, units)
}

// An administrator ends the session's process, in a statement or in the middle of its COMMIT. Neither is committed.
func TestBackendIsTerminated(t *testing.T) {
	t.Parallel()
	for name, when := range map[string]string{"in a statement": "NOT DEFERRABLE", "in the COMMIT": "DEFERRABLE INITIALLY DEFERRED"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := openFaulty(t, backends[0], oneConnection)
			key := rand.Int32()
			createTable(t, f.fixture, `CREATE FUNCTION wait_for_lock() RETURNS trigger LANGUAGE plpgsql AS
				$$ BEGIN PERFORM pg_advisory_xact_lock_shared(tg_argv[0]::bigint); RETURN NULL; END $$`)
			createTable(t, f.fixture, fmt.Sprintf("CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON users %s"+
				" FOR EACH ROW EXECUTE FUNCTION wait_for_lock(%d)", when, key))
			locker, err := admin.db.Conn(t.Context())
			must(t, err)
			defer func() { _ = locker.Close() }()
			_, err = locker.ExecContext(t.Context(), "SELECT pg_advisory_lock($1)", key)
			must(t, err)

			runs, terminated := 0, make(chan error, 1)
			must(t, f.Do(t.Context(), func(ctx context.Context) error {
				if runs++; runs == 1 {
					go func() { terminated <- terminateWaiting(t, locker, key) }()
				}
				return session.Add(ctx, ann())
			}, uow.Options{Resolve: resolving}))
			must(t, <-terminated)
			if runs != 2 {
				t.Errorf("%d runs", runs)
			}
			wantRows[User](t, f.fixture, 1)
			_, not := f.markers(t)
			if want := map[string]int{"in a statement": 0, "in the COMMIT": 1}[name]; not != want {
				t.Errorf("%d questions, want %d", not, want)
			}
		})
	}
}

// terminateWaiting ends the process that waits for the advisory lock, and lets the lock go.
func terminateWaiting(t *testing.T, locker *sql.Conn, key int32) (err error) {
	eventually(t, "a wait for the lock", func() bool {
		var ended bool
		err = locker.QueryRowContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_locks"+
			" WHERE locktype = 'advisory' AND objid = $1 AND NOT granted", key).Scan(&ended)
		return !errors.Is(err, sql.ErrNoRows)
	})
	_, unlockErr := locker.ExecContext(t.Context(), "SELECT pg_advisory_unlock($1)", key)
	return errors.Join(err, unlockErr)
}
