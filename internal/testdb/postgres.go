package testdb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// DefaultServer is where PostgreSQL is looked for when URUTU_TEST_POSTGRES does not say.
const DefaultServer = "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable"

// patience bounds everything that is asked of the server outside of a test's own work.
const patience = 30 * time.Second

// Postgres returns the URL of a new, empty database that is dropped when the test ends. Where there is no server, see
// [Missing].
func Postgres(t testing.TB) string {
	t.Helper()
	return create(t, demand(t), "template1")
}

// Template prepares a database once for each key in a process and returns, for each call, the URL of a new copy of it.
// Prepare gets the URL of the database to fill, and must leave no connection to it open.
func Template(t testing.TB, key string, prepare func(ctx context.Context, url string) error) string {
	t.Helper()
	s := demand(t)
	tpl, err := s.template(key, prepare)
	if err != nil {
		t.Fatalf("prepare the template database: %v", err)
	}
	return create(t, s, tpl)
}

// demand returns the server, or ends the test.
func demand(t testing.TB) *server {
	t.Helper()
	s, err := connected()
	if err == nil {
		return s
	}
	if os.Getenv("URUTU_TEST_POSTGRES") != "" {
		t.Fatalf("the server that URUTU_TEST_POSTGRES names: %v", err)
	}
	Missing(t, "PostgreSQL", err)
	return nil
}

func create(t testing.TB, s *server, template string) string {
	t.Helper()
	name := s.name("t")
	if err := s.exec("CREATE DATABASE " + name + " TEMPLATE " + template); err != nil {
		t.Fatalf("create a test database: %v", err)
	}
	t.Cleanup(func() {
		if err := s.exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("drop the test database: %v", err)
		}
	})
	return s.urlOf(name)
}

// server is the process's own connection to the server that holds the test databases.
type server struct {
	base *url.URL
	mark int64 // the number of the advisory lock that says that this process lives

	mu    sync.Mutex // protects conn and count: statements run one at a time
	conn  *pgx.Conn
	count int

	templates sync.Map // key string -> *template
}

type template struct {
	once sync.Once
	name string
	err  error
}

// connected makes the process's server once: all tests of a process share it, and its lock, until the process ends.
var connected = sync.OnceValues(connect)

func connect() (*server, error) {
	address := os.Getenv("URUTU_TEST_POSTGRES")
	if address == "" {
		address = DefaultServer
	}
	base, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("URUTU_TEST_POSTGRES is not a URL")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return nil, err
	}
	s := &server{base: base, conn: conn, mark: 1<<32 + rand.Int64N(1<<31)}
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", s.mark); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	if err := s.sweep(ctx); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return s, nil
}

// name returns a database name that nobody else uses: urutu_<lock>_<kind><number>.
func (s *server) name(kind string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	return fmt.Sprintf("urutu_%d_%s%d", s.mark, kind, s.count)
}

func (s *server) urlOf(database string) string {
	u := *s.base
	u.Path = "/" + database
	return u.String()
}

// exec runs one statement, whatever became of the test that wants it.
func (s *server) exec(sql string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := s.conn.Exec(ctx, sql)
	return err
}

func (s *server) template(key string, prepare func(ctx context.Context, url string) error) (string, error) {
	found, _ := s.templates.LoadOrStore(key, &template{})
	tpl := found.(*template)
	tpl.once.Do(func() {
		tpl.name = s.name("tpl")
		if tpl.err = s.exec("CREATE DATABASE " + tpl.name); tpl.err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		tpl.err = prepare(ctx, s.urlOf(tpl.name))
	})
	return tpl.name, tpl.err
}

// sweep drops the databases of processes that are gone: those whose lock is to be had.
func (s *server) sweep(ctx context.Context) error {
	rows, err := s.conn.Query(ctx, `SELECT datname FROM pg_database WHERE datname ~ '^urutu_[0-9]+_(t|tpl)[0-9]+$'`)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		mark, err := strconv.ParseInt(strings.Split(name, "_")[1], 10, 64)
		if err != nil || mark == s.mark {
			continue
		}
		if err := s.reap(ctx, name, mark); err != nil {
			return err
		}
	}
	return nil
}

// reap drops one database unless its process lives. Another process may do the same at this moment, and drop it first.
func (s *server) reap(ctx context.Context, name string, mark int64) error {
	var dead bool
	if err := s.conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", mark).Scan(&dead); err != nil || !dead {
		return err
	}
	_, dropErr := s.conn.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
	_, unlockErr := s.conn.Exec(ctx, "SELECT pg_advisory_unlock($1)", mark)
	return errors.Join(dropErr, unlockErr)
}
