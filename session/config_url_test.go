package session_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/pgxdriver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
)

// bothDrivers returns the drivers that an application has which leaves the choice to the URL.
func bothDrivers() []driver.Driver { return []driver.Driver{pgxdriver.New(), sqlitedriver.New()} }

// TestPromise06_pools: opened and pinged at the start, readable while they live, closed at the end.
func TestPromise06_pools(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f := open(t, b)
		must(t, f.Ping(t.Context()))
		f.do(t, func(ctx context.Context) error {
			if err := session.Add(ctx, &User{}); err != nil {
				return err
			}
			if err := session.Flush(ctx); err != nil {
				return err
			}
			if n := f.Stats()["default"].InUse; n != 1 {
				t.Errorf("%d connections are in use inside a unit that has flushed", n)
			}
			return nil
		})
		if st := f.Stats()["default"]; st.InUse != 0 || st.OpenConnections == 0 || st.Idle != st.OpenConnections {
			t.Errorf("after the unit: %+v", st)
		}
		must(t, f.Close())
		must(t, f.Close())
		if st := f.Stats()["default"]; st.OpenConnections != 0 {
			t.Errorf("after Close: %+v", st)
		}
		if err := f.Ping(t.Context()); !errors.Is(err, fault.ConnectionLost) {
			t.Errorf("a ping after Close: %v", err)
		}
		err := f.Do(t.Context(), func(ctx context.Context) error { return ignore(session.Find[User](ctx)) })
		if !errors.Is(err, fault.ConnectionLost) {
			t.Errorf("a unit after Close: %v", err)
		}
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		if err := open(t, b).Ping(canceled); !errors.Is(err, context.Canceled) {
			t.Errorf("a ping with a canceled context: %v", err)
		}
	})
}

// TestPromise06_fails_fast: an address that does not work is an error of Open, which names the connection and closes those
// that it has opened.
func TestPromise06_fails_fast(t *testing.T) {
	t.Parallel()
	server := strings.Replace(serverURL(), "/postgres?", "/no_such_database?", 1)
	for what, c := range map[string]struct {
		url  string
		kind fault.Kind
	}{
		"nobody listens":    {"postgres://u:s3cr3t@127.0.0.1:1/db", fault.ConnectionLost},
		"no such host":      {"postgres://u:s3cr3t@host.invalid/db?connect_timeout=5", fault.ConnectionLost},
		"no such database":  {server, fault.Misconfigured},
		"no such directory": {"sqlite:///" + filepath.Join(t.TempDir(), "none", "test.db"), fault.Misconfigured},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		first := session.Config{Name: "first", URL: "sqlite:///:memory:", Drivers: bothDrivers(), Default: true}
		_, err := session.Open(ctx, first, session.Config{Name: "second", URL: c.url, Drivers: bothDrivers()})
		cancel()
		if fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), "second") || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestPromise51_urls: every form of an address, that of the page included, leads to its database.
func TestPromise51_urls(t *testing.T) {
	t.Parallel()
	postgres := postgresURL(t)
	_, rest, _ := strings.Cut(postgres, "://")
	dir := t.TempDir()
	relative, err := filepath.Rel(must1(os.Getwd())(t), filepath.Join(dir, "relative.db"))
	must(t, err)
	for _, address := range []string{
		"postgres://" + rest, "postgresql://" + rest, "postgresql+asyncpg://" + rest, "postgres+pgx://" + rest, "PostgreSQL://" + rest,
		"sqlite:///:memory:", "sqlite+aiosqlite:///:memory:", "sqlite://", "sqlite3:///:memory:",
		"sqlite:////" + filepath.Join(dir, "absolute.db"), "sqlite:///" + relative, "sqlite+aiosqlite:///" + relative,
		"sqlite:///" + relative + "?synchronous=normal",
	} {
		db := openConfig(t, session.Config{URL: address, Drivers: bothDrivers()})
		must(t, db.Do(t.Context(), func(ctx context.Context) error {
			if err := session.CreateTables(ctx, (*Parent)(nil)); err != nil {
				return err
			}
			before, err := session.Count[Parent](ctx)
			if known := strings.Contains(address, "memory") || address == "sqlite://"; known && before > 0 {
				t.Errorf("%s: somebody else's rows are in it", address)
			}
			return errors.Join(err, session.Add(ctx, &Parent{}))
		}))
	}
	for _, name := range []string{"absolute.db", "relative.db"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func must1[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// TestPromise51_bad_urls: what is wrong is said, with the missing driver's name where that is it, and never a password.
func TestPromise51_bad_urls(t *testing.T) {
	t.Parallel()
	lite := []driver.Driver{sqlitedriver.New()}
	for _, c := range []struct {
		url     string
		drivers []driver.Driver
		says    string
	}{
		{"mysql://u:s3cr3t@h/db", bothDrivers(), "MySQL driver does not exist yet"},
		{"mysql+aiomysql://u:s3cr3t@h/db", bothDrivers(), "MySQL driver does not exist yet"},
		{"mariadb://u:s3cr3t@h/db", bothDrivers(), "MariaDB and MySQL driver"},
		{"oracle://u:s3cr3t@h/db", bothDrivers(), `"oracle"`},
		{"postgresql+asyncpg://u:s3cr3t@h/db", lite, "session/pgxdriver"},
		{"sqlite:///:memory:", []driver.Driver{pgxdriver.New()}, "session/sqlitedriver"},
		{"u:s3cr3t@h/db", bothDrivers(), `"u"`},
		{"host=h password=s3cr3t", bothDrivers(), "scheme"},
		{"host=h password=s3cr3t:more", bothDrivers(), "scheme"},
		{"s3cr3t", bothDrivers(), "scheme"},
		{"", bothDrivers(), "URL"},
		{"postgres://u:s3cr3t@h:port/db", bothDrivers(), "URL"},
		{"postgres://u:s3cr3t%zz@h/db", bothDrivers(), "percent-encoded"},
		{"postgres://u:s3c/r3t#@h/db", bothDrivers(), "percent-encoded"},
		{"postgres://u@h/db?password=s3cr3t&sslmode=s3cr3t", bothDrivers(), "URL"},
		{"postgres:u:s3cr3t@h/db", bothDrivers(), "postgres://"},
		{"sqlite://s3cr3t", bothDrivers(), "slashes"},
		{"sqlite:///db?key=s3cr3t", bothDrivers(), "key"},
		{"sqlite:///db?synchronous=s3cr3t", bothDrivers(), "synchronous"},
		{"sqlite:///db%zzs3cr3t", bothDrivers(), "URL"},
	} {
		_, err := session.Open(t.Context(), session.Config{Name: "shop", URL: c.url, Drivers: c.drivers})
		if !errors.Is(err, fault.Misconfigured) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "shop") {
			t.Errorf("%s: %v", c.url, err)
		}
		for _, secret := range []string{"s3cr3t", "s3c", "r3t"} {
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the password of %s is in %v", c.url, err)
			}
		}
	}
}

// TestPromise51_passwords: no error of a connection that works holds its password, nor does its cause.
func TestPromise51_passwords(t *testing.T) {
	t.Parallel()
	address, err := url.Parse(postgresURL(t))
	must(t, err)
	password, known := address.User.Password()
	if !known { // a server that trusts us takes any
		password = "s3cr3t"
		address.User = url.UserPassword(address.User.Username(), password)
	}
	db := openConfig(t, session.Config{URL: address.String(), Drivers: bothDrivers()})
	err = db.Do(t.Context(), func(ctx context.Context) error {
		_, err := session.From(ctx).ExecContext(ctx, "SELECT pg_terminate_backend(pg_backend_pid())")
		return errors.Join(err, ignore(session.Find[User](ctx)), ignore(session.From(ctx).QueryContext(ctx, "SELECT 1")))
	})
	for e := err; e != nil; e = errors.Unwrap(e) {
		if strings.Contains(e.Error(), password) {
			t.Errorf("the password is in %v", e)
		}
	}
	if err == nil {
		t.Error("nothing failed")
	}
}
