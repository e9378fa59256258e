package session_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/testdb"
	"github.com/urutu-go/urutu/internal/testpooler"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
)

// crashing is a relay that does what PgBouncer does when the server's side of a connection breaks: it tells the client so
// in the server's own words, a FATAL error, wherever the client is.
type crashing struct {
	net.Listener
	target  string
	armed   atomic.Bool // the next answers are lost, up to one to a COMMIT
	running sync.WaitGroup
}

func startCrashing(t *testing.T, target string) *crashing {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	r := &crashing{Listener: l, target: target}
	r.running.Go(r.accept)
	t.Cleanup(func() {
		_ = l.Close()
		r.running.Wait()
	})
	return r
}

func (r *crashing) accept() {
	for {
		client, err := r.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", r.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		end := func() { _ = client.Close(); _ = server.Close() }
		r.running.Go(func() { defer end(); _, _ = io.Copy(server, client) })
		r.running.Go(func() { defer end(); r.answer(client, server) })
	}
}

// answer passes on what the server says, until it is to break.
func (r *crashing) answer(client io.Writer, server io.Reader) {
	buf := make([]byte, 1<<16)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		b := buf[:n]
		if r.armed.Load() {
			if !bytes.Contains(b, []byte("COMMIT\x00")) {
				continue
			}
			r.armed.Store(false)
			_, _ = client.Write(fatal("08P01", "server conn crashed?"))
			return
		}
		if _, err := client.Write(b); err != nil {
			return
		}
	}
}

// fatal is an ErrorResponse of the protocol.
func fatal(code, message string) []byte {
	body := "SFATAL\x00VFATAL\x00C" + code + "\x00M" + message + "\x00\x00"
	return append(binary.BigEndian.AppendUint32([]byte{'E'}, uint32(len(body)+4)), body...)
}

// A pooler's word that the server's connection crashed is not the server's word that it did nothing.
func TestPoolerLosesTheServer(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(serverURL())
	must(t, err)
	r := startCrashing(t, u.Host)
	b := backends[0]
	direct := b.url
	b.url = func(t testing.TB) string {
		u, err := url.Parse(direct(t))
		must(t, err)
		u.Host = r.Addr().String()
		return u.String()
	}
	f := open(t, b, oneConnection, func(c *session.Config) { c.Pooler, c.Logger = true, slog.New(slog.DiscardHandler) })
	must(t, f.Install(t.Context()))
	add := func(ctx context.Context) error { return session.Add(ctx, &Parent{Name: "a"}) }

	r.armed.Store(true)
	wantFault(t, f.Do(t.Context(), add), fault.OutcomeUnknown)
	wantRows[Parent](t, f, 1)
	r.armed.Store(true)
	must(t, f.Do(t.Context(), add, uow.Options{Resolve: resolving}))
	wantRows[Parent](t, f, 2)
}

// Behind a real pooler, and without one: while an administrator ends the server's processes one after the other, whatever
// they are at, every unit is applied once.
func TestAppliedOnceByADyingServer(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"direct", "pgbouncer"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testdb.Postgres(t)
			b := backends[0]
			b.url = func(t testing.TB) string {
				if name == "direct" {
					return server
				}
				return testpooler.Start(t, server)
			}
			f := &faulty{fixture: open(t, b, func(c *session.Config) {
				c.Pooler, c.PoolSize, c.MaxOverflow, c.Logger = name != "direct", 4, -1, slog.New(slog.DiscardHandler)
			})}
			must(t, f.Install(t.Context()))
			f.do(t, func(ctx context.Context) error { return session.CreateTables(ctx, (*Entry)(nil)) })
			createTable(t, f.fixture, "CREATE TABLE counter (n INTEGER NOT NULL)")
			createTable(t, f.fixture, "INSERT INTO counter VALUES (0)")

			const workers, kills, most = 4, 50, 10_000
			ended := make(chan struct{}, 1)
			killed, stop := killing(t, server, ended)
			errs := make([]error, most)
			var next atomic.Int64
			var wg sync.WaitGroup
			for range workers {
				wg.Go(func() {
					for killed.Load() < kills {
						i := int(next.Add(1) - 1)
						errs[i] = f.Do(t.Context(), func(ctx context.Context) error { return applyOnce(ctx, i) }, onceOptions(1))
						select {
						case ended <- struct{}{}:
						default:
						}
					}
				})
			}
			wg.Wait()
			stop()
			t.Logf("%d units, %d processes ended", next.Load(), killed.Load())
			f.wantAppliedOnce(t, errs[:next.Load()], func(int) uow.Options { return onceOptions(1) })
		})
	}
}

// killing ends a process of a database after each unit that has ended, until stop is called, so that units get done however
// slow the machine is. It counts the processes.
func killing(t *testing.T, server string, ended <-chan struct{}) (killed *atomic.Int64, stop func()) {
	t.Helper()
	killer, err := pgx.Connect(t.Context(), server)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	killed = new(atomic.Int64)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer func() { _ = killer.Close(context.WithoutCancel(ctx)) }()
		for {
			select {
			case <-ended:
			case <-ctx.Done():
				return
			}
			tag, err := killer.Exec(context.WithoutCancel(ctx), "SELECT pg_sleep(0.01 * random()), pg_terminate_backend(pid) FROM pg_stat_activity"+
				" WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' ORDER BY random() LIMIT 1")
			if err != nil {
				t.Error(err)
				killed.Add(1 << 20) // which ends the test
				return
			}
			killed.Add(tag.RowsAffected())
		}
	})
	return killed, func() { cancel(); wg.Wait() }
}

// Any number of programs install at once behind a pooler.
func TestPgBouncer_install(t *testing.T) {
	t.Parallel()
	address := testpooler.Start(t, testdb.Postgres(t))
	cfg := session.Config{URL: address, Drivers: []driver.Driver{backends[0].driver()}, PoolSize: 1, MaxOverflow: -1, Pooler: true}
	errs := make([]error, 6)
	var wg sync.WaitGroup
	for i := range errs {
		db := openConfig(t, cfg)
		wg.Go(func() { errs[i] = db.Install(t.Context(), parcel(1+i%3)) })
	}
	wg.Wait()
	must(t, errors.Join(errs...))
	wantColumn(t, openConfig(t, cfg), "SELECT step FROM parcel ORDER BY step", 1, 2, 3)
}
