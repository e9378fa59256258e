package session_test

import (
	"context"
	"database/sql"
	"errors"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
)

// recorder is a driver that notes what it is configured with, and how long each connection may be waited for.
type recorder struct {
	driver.Driver
	mu    sync.Mutex
	cfg   driver.Config
	waits []time.Duration // 0 for no limit
}

func (r *recorder) Open(ctx context.Context, cfg driver.Config) (driver.Pool, error) {
	r.cfg = cfg
	p, err := r.Driver.Open(ctx, cfg)
	return recordedPool{p, r}, err
}

type recordedPool struct {
	driver.Pool
	*recorder
}

func (p recordedPool) Acquire(ctx context.Context, access driver.Access) (driver.Conn, error) {
	wait := time.Duration(0)
	if deadline, ok := ctx.Deadline(); ok {
		wait = time.Until(deadline).Round(time.Second)
	}
	p.mu.Lock()
	p.waits = append(p.waits, wait)
	p.mu.Unlock()
	return p.Pool.Acquire(ctx, access)
}

// TestPromise50_defaults: a zero field means its default, a negative one means none.
func TestPromise50_defaults(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		for what, c := range map[string]struct {
			cfg  session.Config
			want driver.Config
			wait time.Duration
		}{
			"zero": {
				session.Config{}, driver.Config{Name: "default", MaxIdle: 5, MaxOpen: 15, MaxLifetime: time.Hour}, 30 * time.Second,
			},
			"set": {
				session.Config{
					Name: "shop", PoolSize: 2, MaxOverflow: 3, PoolTimeout: 7 * time.Second, PoolRecycle: time.Minute, Pooler: true,
				},
				driver.Config{Name: "shop", MaxIdle: 2, MaxOpen: 5, MaxLifetime: time.Minute, Pooler: true}, 7 * time.Second,
			},
			"negative": {
				session.Config{MaxOverflow: -1, PoolTimeout: -1, PoolRecycle: -1}, driver.Config{Name: "default", MaxIdle: 5, MaxOpen: 5}, 0,
			},
		} {
			r := &recorder{Driver: b.driver()}
			c.cfg.URL, c.cfg.Drivers = b.url(t), []driver.Driver{r}
			db := openConfig(t, c.cfg)
			must(t, db.Do(t.Context(), func(ctx context.Context) error { // a read: the commit has a deadline of its own
				_, err := session.From(session.NoAutoflush(ctx)).QueryContext(ctx, "SELECT 1")
				return err
			}))
			if r.cfg.Logger == nil || r.cfg.URL != c.cfg.URL {
				t.Errorf("%s: the driver got %+v", what, r.cfg)
			}
			r.cfg.Logger, r.cfg.URL = nil, ""
			if r.cfg != c.want {
				t.Errorf("%s: the driver got %+v, not %+v", what, r.cfg, c.want)
			}
			if !slices.Equal(r.waits, []time.Duration{c.wait}) {
				t.Errorf("%s: connections are waited for %v, not %s", what, r.waits, c.wait)
			}
		}
		for what, cfg := range map[string]session.Config{
			"PoolSize": {PoolSize: -1}, "StatementTimeout": {StatementTimeout: -1}, "LockTimeout": {LockTimeout: -1},
			"Isolation": {Isolation: 9}, "Name": {Name: "a name"}, "Drivers": {},
		} {
			if cfg.URL = b.url(t); what != "Drivers" {
				cfg.Drivers = []driver.Driver{b.driver()}
			}
			if _, err := session.Open(t.Context(), cfg); !errors.Is(err, fault.Misconfigured) || !strings.Contains(err.Error(), what) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

// hold keeps n connections of the pool that reads use, until the returned function is called.
func hold(t *testing.T, db *session.DB, n int) (release func()) {
	t.Helper()
	var held sync.WaitGroup
	done := make(chan struct{})
	holding := make(chan error, n)
	for range n {
		held.Go(func() {
			err := db.Do(context.Background(), func(ctx context.Context) error {
				err := session.From(ctx).Raw(ctx, func(any) error { return nil })
				holding <- err
				<-done
				return err
			}, uow.Options{ReadOnly: true})
			if err != nil {
				t.Error(err)
			}
		})
	}
	release = func() {
		close(done)
		held.Wait()
	}
	for range n {
		if err := <-holding; err != nil {
			release() // or the pool could not be closed
			t.Fatal(err)
		}
	}
	return release
}

// TestPromise50_pool_size: PoolSize connections are kept, MaxOverflow more are opened under load and closed after it, and
// who finds none waits PoolTimeout.
func TestPromise50_pool_size(t *testing.T) {
	const timeout = 2 * time.Second // enough to connect within it on a busy machine
	onBoth(t, func(t *testing.T, b backend) {
		db := openConfig(t, session.Config{
			URL: b.url(t), Drivers: []driver.Driver{b.driver()}, PoolSize: 2, MaxOverflow: 1, PoolTimeout: timeout,
		})
		writers := 0
		if b.name == "sqlite" {
			writers = 1 // beside the pool
		}
		release := hold(t, db, 3)
		st := db.Stats()["default"]
		if st.MaxOpenConnections != 3+writers || st.InUse != 3 {
			t.Errorf("with three in use: %+v", st)
		}
		start := time.Now()
		err := db.Do(t.Context(), func(ctx context.Context) error {
			return ignore(session.From(ctx).QueryContext(ctx, "SELECT 1"))
		}, uow.Options{ReadOnly: true})
		var fe *fault.Error
		if !errors.Is(err, fault.PoolTimeout) || time.Since(start) < timeout || !errors.As(err, &fe) || fe.Connection != "default" {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		release()
		if st := db.Stats()["default"]; st.InUse != 0 || st.Idle != 2 || st.MaxIdleClosed != 1 {
			t.Errorf("with none in use: %+v", st)
		}
	})
}

// TestPromise50_pool_timeout_none: without a timeout a connection is waited for as long as the context lives.
func TestPromise50_pool_timeout_none(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		db := openConfig(t, session.Config{
			URL: b.url(t), Drivers: []driver.Driver{b.driver()}, PoolSize: 1, MaxOverflow: -1, PoolTimeout: -1,
		})
		release := hold(t, db, 1)
		ctx, cancel := context.WithCancelCause(t.Context())
		waited := make(chan error, 1)
		go func() {
			waited <- db.Do(ctx, func(ctx context.Context) error {
				return ignore(session.From(ctx).QueryContext(ctx, "SELECT 1"))
			}, uow.Options{ReadOnly: true})
		}()
		for db.Stats()["default"].WaitCount == 0 {
			runtime.Gosched()
		}
		gone := errors.New("the client is gone")
		cancel(gone)
		if err := <-waited; !errors.Is(err, gone) || errors.Is(err, fault.PoolTimeout) {
			t.Errorf("got %v", err)
		}
		release()
	})
}

// TestPromise50_pool_recycle: a connection is closed once it has the age, and kept where there is none.
func TestPromise50_pool_recycle(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		closed := func(recycle time.Duration, enough func(closed int64, use int) bool) (n int64) {
			db := openConfig(t, session.Config{URL: b.url(t), Drivers: []driver.Driver{b.driver()}, PoolRecycle: recycle})
			for use := 0; !enough(n, use); use++ {
				must(t, db.Do(t.Context(), func(ctx context.Context) error {
					return session.From(ctx).QueryRowContext(ctx, "SELECT 1").Scan(new(int))
				}))
				n = db.Stats()["default"].MaxLifetimeClosed
			}
			return n
		}
		if n := closed(time.Millisecond, func(closed int64, _ int) bool { return closed > 2 }); n < 3 {
			t.Errorf("%d connections were closed", n)
		}
		for _, recycle := range []time.Duration{0, -1} {
			if n := closed(recycle, func(_ int64, use int) bool { return use == 50 }); n > 0 {
				t.Errorf("recycled at %s: %d connections were closed", recycle, n)
			}
		}
	})
}

// TestPromise50_pooler: behind a transaction pooler nothing is kept prepared on a connection.
func TestPromise50_pooler(t *testing.T) {
	t.Parallel()
	for _, pooler := range []bool{false, true} {
		f := open(t, backends[0], func(c *session.Config) { c.Pooler = pooler })
		f.do(t, func(ctx context.Context) error {
			_, err := session.Find[User](ctx)
			var n int
			err = errors.Join(err, session.Add(ctx, &User{}), session.Flush(ctx),
				session.From(ctx).QueryRowContext(ctx, "SELECT count(*) FROM pg_prepared_statements").Scan(&n))
			if (n == 0) != pooler {
				t.Errorf("with a pooler: %t: %d prepared statements", pooler, n)
			}
			return err
		})
	}
}

// TestPromise50_connector: an existing *sql.DB is adopted instead of a URL, and stays its owner's.
func TestPromise50_connector(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		name, address := "pgx", b.url(t)
		if b.name == "sqlite" {
			name, address = "sqlite", "file:"+strings.TrimPrefix(address, "sqlite:///")+"?_pragma=foreign_keys(1)"
		}
		own, err := sql.Open(name, address)
		must(t, err)
		t.Cleanup(func() { must(t, own.Close()) })
		db, err := session.Open(t.Context(), session.Config{Connector: own, Drivers: []driver.Driver{b.driver()}})
		must(t, err)
		must(t, db.Do(t.Context(), func(ctx context.Context) error {
			return errors.Join(session.CreateTables(ctx, (*User)(nil)), session.Add(ctx, &User{Name: "Ann"}))
		}))
		must(t, db.Close())
		var found string
		must(t, own.QueryRow("SELECT name FROM users").Scan(&found))
		if found != "Ann" {
			t.Errorf("found %q", found)
		}
	})
}

// spans is an observer that notes what begins.
type spans struct {
	mu   sync.Mutex
	list []uow.Span
}

func (s *spans) Start(ctx context.Context, span uow.Span) (context.Context, func(uow.Result)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, span)
	return ctx, func(uow.Result) {}
}

// TestPromise50_observer: units, waits for connections and scripts are seen, with the connection's name.
func TestPromise50_observer(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		seen := &spans{}
		f := open(t, b, func(c *session.Config) { c.Name, c.Observer = "shop", seen })
		seen.list = nil
		f.do(t, func(ctx context.Context) error { return session.Add(ctx, &User{}) })
		want := []uow.Span{
			{Kind: uow.SpanUnit, Name: "unit", Op: uow.Job, Attempt: 1},
			{Kind: uow.SpanAcquire, Connection: "shop"},
			{Kind: uow.SpanScript, Name: "session.Commit", Connection: "shop", Statements: 1},
		}
		if !slices.Equal(seen.list, want) {
			t.Errorf("saw %+v", seen.list)
		}
	})
}

// TestPromise50_environment: every option can be set by a variable, for the default connection and a named one.
func TestPromise50_environment(t *testing.T) { // not parallel: it sets the process's environment
	for name, v := range map[string]string{
		"DB_URL": "postgres://localhost/shop", "DB_ECHO": "true", "DB_ECHO_VALUES": "1", "DB_POOL_SIZE": "3", "DB_MAX_OVERFLOW": "-1",
		"DB_POOL_TIMEOUT": "1500ms", "DB_POOL_RECYCLE": "10m", "DB_READ_ONLY": "false", "DB_STATEMENT_TIMEOUT": "2s",
		"DB_LOCK_TIMEOUT": "1s", "DB_POOLER": "true", "DB_DURABLE": "true", "DB_ISOLATION": "repeatable read", "DB_CURSOR_KEYS": "new,old",
		"DB_WEB_STATS_URL": "sqlite:///stats.db", "DB_WEB_STATS_READ_ONLY": "true", "DB_WEB_STATS_POOL_RECYCLE": "-1s",
	} {
		t.Setenv(name, v)
	}
	cfgs, err := session.FromEnv(backends[0].driver(), backends[1].driver())
	must(t, err)
	for i := range cfgs {
		if len(cfgs[i].Drivers) != 2 {
			t.Errorf("%s has %d drivers", cfgs[i].Name, len(cfgs[i].Drivers))
		}
		cfgs[i].Drivers = nil
	}
	want := []session.Config{
		{
			URL: "postgres://localhost/shop", Default: true, Echo: true, EchoValues: true, PoolSize: 3, MaxOverflow: -1,
			PoolTimeout: 1500 * time.Millisecond, PoolRecycle: 10 * time.Minute, StatementTimeout: 2 * time.Second,
			LockTimeout: time.Second, Pooler: true, Durable: true, Isolation: uow.RepeatableRead, CursorKeys: []string{"new", "old"},
		},
		{Name: "web_stats", URL: "sqlite:///stats.db", ReadOnly: true, PoolRecycle: -time.Second},
	}
	if !reflect.DeepEqual(cfgs, want) {
		t.Errorf("read %+v", cfgs)
	}
	for _, name := range []string{"DB_POOL_SIZE", "DB_WEB_STATS_POOL_TIMEOUT", "DB_ISOLATION", "DB_ECHO"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "s3cr3t")
			_, err := session.FromEnv()
			if !errors.Is(err, fault.Misconfigured) || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("got %v", err)
			}
		})
	}
}
