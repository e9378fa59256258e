package pgxdriver

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/urutu-go/urutu/internal/wireproxy"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// serverURL is the server that the tests run against.
func serverURL() string {
	if u := os.Getenv("URUTU_TEST_POSTGRES"); u != "" {
		return u
	}
	return "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable"
}

// serverHost returns the server's host and port.
func serverHost(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(serverURL())
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// database is the database of this run of the tests; every test has a schema of its own in it.
var database = "urutu_pgx_" + random()

func random() string {
	var b [6]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func TestMain(m *testing.M) {
	if err := admin("CREATE DATABASE " + database); err != nil {
		fmt.Fprintln(os.Stderr, "no PostgreSQL server for the tests:", err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := admin("DROP DATABASE " + database + " WITH (FORCE)"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
		os.Exit(code)
	}))
}

// admin runs one statement on the server's own database.
func admin(sql string) error {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, serverURL())
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, sql)
	return err
}

// address returns the URL of the tests' database, with a host and options replaced.
func address(host string, options map[string]string) string {
	u, err := url.Parse(serverURL())
	if err != nil {
		panic(err)
	}
	u.Path = "/" + database
	if host != "" {
		u.Host = host
	}
	q := u.Query()
	for k, v := range options {
		q.Set(k, v)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// fixture is one test's schema, reached through a proxy that counts round trips.
type fixture struct {
	t      *testing.T
	pool   driver.Pool
	proxy  *wireproxy.Proxy
	schema string
}

// setup makes a schema and a pool on it.
func setup(t *testing.T, change ...func(*driver.Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, proxy: wireproxy.Start(t, serverHost(t)), schema: "s_" + random()}
	cfg := driver.Config{
		Name: "main", URL: address(f.proxy.Addr(), map[string]string{"search_path": f.schema, "sslmode": "disable"}),
		MaxOpen: 4, MaxIdle: 4,
	}
	for _, c := range change {
		c(&cfg)
	}
	pool, err := New().Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.pool = pool
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	c := f.acquire()
	f.must(c, nil, driver.Stay, statement("CREATE SCHEMA "+f.schema))
	c.Release()
	return f
}

// acquire lends a connection, which the test releases.
func (f *fixture) acquire() driver.Conn {
	f.t.Helper()
	c, err := f.pool.Acquire(f.t.Context(), driver.Write)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// lend lends a connection until the test ends.
func (f *fixture) lend() driver.Conn {
	f.t.Helper()
	c := f.acquire()
	f.t.Cleanup(c.Release)
	return c
}

// run runs a script.
func (f *fixture) run(c driver.Conn, begin *driver.TxOptions, end driver.End, s ...driver.Statement) ([][]value.Value, error) {
	var r rows
	err := c.Run(f.t.Context(), &driver.Script{Begin: begin, Statements: s, End: end}, &r)
	return r.all, err
}

// must runs a script that succeeds.
func (f *fixture) must(c driver.Conn, begin *driver.TxOptions, end driver.End, s ...driver.Statement) [][]value.Value {
	f.t.Helper()
	all, err := f.run(c, begin, end, s...)
	if err != nil {
		f.t.Fatal(err)
	}
	return all
}

// trips runs f and returns the number of round trips that it took.
func (f *fixture) trips(do func()) int {
	before := f.proxy.Trips()
	do()
	return f.proxy.Trips() - before
}

// begin are the options of a plain transaction.
var begin = &driver.TxOptions{}

// statement makes a statement of a text and arguments, whose types are those of their kinds.
func statement(sql string, args ...value.Value) driver.Statement {
	s := driver.Statement{SQL: sql, Args: args, Query: "test"}
	for _, a := range args {
		s.Types = append(s.Types, typeOf(a.Kind()))
	}
	return s
}

// query is statement with the types of its result.
func query(result []value.Type, sql string, args ...value.Value) driver.Statement {
	s := statement(sql, args...)
	s.Result = result
	return s
}

func typeOf(k value.Kind) value.Type {
	switch k {
	case value.Bool:
		return value.TypeBool
	case value.Int:
		return value.TypeInt64
	case value.Uint:
		return value.TypeUint64
	case value.Float:
		return value.TypeFloat64
	case value.Bytes:
		return value.TypeBytes
	case value.Time:
		return value.TypeTime
	case value.UUID:
		return value.TypeUUID
	case value.JSON:
		return value.TypeJSON
	case value.Decimal:
		return value.TypeDecimal
	default:
		return value.TypeText
	}
}

// rows keeps all rows.
type rows struct {
	all      [][]value.Value
	affected []int64
}

func (r *rows) Row(_ int, row []value.Value) error {
	r.all = append(r.all, append([]value.Value(nil), row...))
	return nil
}

func (r *rows) Done(_ int, affected, _ int64) error {
	r.affected = append(r.affected, affected)
	return nil
}

// scriptError returns err as what Run promises it to be.
func scriptError(t *testing.T, err error) *driver.ScriptError {
	t.Helper()
	var e *driver.ScriptError
	if !errors.As(err, &e) {
		t.Fatalf("%T: %v is not a *driver.ScriptError", err, err)
	}
	return e
}
