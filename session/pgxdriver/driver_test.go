package pgxdriver

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// one is a read that every connection can answer.
func one() driver.Statement { return query([]value.Type{value.TypeInt64}, "SELECT 1") }

func TestURLs(t *testing.T) {
	t.Parallel()
	_, rest, _ := strings.Cut(address("", nil), "://")
	for _, scheme := range []string{"postgres", "postgresql", "postgresql+asyncpg", "POSTGRES"} {
		f := &fixture{t: t}
		p, err := New().Open(t.Context(), driver.Config{URL: scheme + "://" + rest, MaxOpen: 1, MaxIdle: 1})
		if err != nil {
			t.Fatalf("%s: %v", scheme, err)
		}
		if err := p.Ping(t.Context()); err != nil {
			t.Errorf("%s: %v", scheme, err)
		}
		f.pool = p
		c := f.acquire()
		f.must(c, nil, driver.Stay, one())
		c.Release()
		if p.Stats().OpenConnections != 1 || p.Dialect().Name() != "postgres" {
			t.Errorf("%+v", p.Stats())
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// No error of a URL holds the password, however wrong the URL is.
func TestPasswordsAreNotInErrors(t *testing.T) {
	t.Parallel()
	for _, u := range []string{
		"postgres://app:hunter2@db:port/x", "postgres://app:hun/hunter2@db:99999/x",
		"postgres://app:hunter2@[db/x", "postgres://app:%zzhunter2@db/x", "postgres://app:hunter2@db/x?sslmode=never",
		"postgres://db/x?password=hunter2&sslmode=never", "hunter2", "mysql://app:hunter2@db/x", "app:hunter2@db/x",
		"postgres://app:hunter2@db/x?sslrootcert=/nowhere&sslmode=verify-full",
	} {
		_, err := New().Open(t.Context(), driver.Config{Name: "main", URL: u})
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(e.Error(), "hunter2") || strings.Contains(e.Error(), "hun") {
				t.Errorf("%s: %v", u, e)
			}
		}
		if !errors.Is(err, fault.Misconfigured) || !strings.Contains(err.Error(), "URL") {
			t.Errorf("%s: %v", u, err)
		}
	}
	p, err := New().Open(t.Context(), driver.Config{URL: "postgres://app:hunter2@127.0.0.1:1/x", MaxOpen: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Ping(t.Context()); !errors.Is(err, fault.ConnectionLost) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("no server: %v", err)
	}
	if _, err := p.Acquire(t.Context(), driver.Read); !errors.Is(err, fault.ConnectionLost) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("no server: %v", err)
	}
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	cfg, err := pgx.ParseConfig(address("", map[string]string{"datestyle": "German", "search_path": "adopted"}))
	if err != nil {
		t.Fatal(err)
	}
	db := stdlib.OpenDB(*cfg)
	defer db.Close()
	for _, source := range []any{db, cfg} {
		p, err := New().Open(t.Context(), driver.Config{Name: "main", Adopt: source, MaxOpen: 2, MaxIdle: 2})
		if err != nil {
			t.Fatal(err)
		}
		f := &fixture{t: t, pool: p}
		c := f.acquire()
		day := query([]value.Type{value.TypeTime, value.TypeText}, "SELECT '2026-02-03'::date, current_setting('search_path')")
		for range 2 {
			got := f.must(c, begin, driver.Commit, day)[0]
			if got[0].Time().Format("2006-01-02") != "2026-02-03" || got[1].Str() != "adopted" {
				t.Errorf("%T: read %v", source, got)
			}
		}
		c.Release()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := db.PingContext(t.Context()); err != nil {
		t.Errorf("the adopted *sql.DB was closed: %v", err)
	}
	if cfg.BuildContextWatcherHandler == nil || cfg.RuntimeParams["datestyle"] != "German" {
		t.Error("the adopted configuration was changed")
	}
	other := sql.OpenDB(otherConnector{})
	defer other.Close()
	for _, source := range []any{other, (*sql.DB)(nil), (*pgx.ConnConfig)(nil), "text"} {
		if _, err := New().Open(t.Context(), driver.Config{Adopt: source}); !errors.Is(err, fault.Misconfigured) {
			t.Errorf("%T: %v", source, err)
		}
	}
}

// otherConnector is a connector of another product.
type otherConnector struct{}

func (otherConnector) Connect(context.Context) (sqldriver.Conn, error) {
	return nil, errors.New("no")
}
func (otherConnector) Driver() sqldriver.Driver { return nil }

// Rows that are left open on the escape hatch are told from a broken connection.
func TestOpenRowsAreConcurrentUse(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := f.lend()
	open, err := c.(driver.SQLConn).SQLConn().QueryContext(t.Context(), "SELECT generate_series(1, 100)")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.run(c, nil, driver.Stay, one()); !errors.Is(err, fault.ConcurrentUse) {
		t.Errorf("a script while rows are open: %v", err)
	}
	if err := open.Close(); err != nil {
		t.Error(err)
	}
	f.must(c, nil, driver.Stay, one())
}

// The dialect folds all of Unicode, whatever the locale of the database is.
func TestFold(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := f.lend()
	var b strings.Builder
	f.pool.Dialect().Fold(&b, func(b *strings.Builder) { b.WriteString("$1") })
	got := f.must(c, nil, driver.Stay, query([]value.Type{value.TypeText}, "SELECT "+b.String(), value.OfText("ÄÖÜ Ž ΑΒΓ ДЖ")))
	if got[0][0].Str() != "äöü ž αβγ дж" {
		t.Errorf("folded to %s", got[0][0].Str())
	}
}
