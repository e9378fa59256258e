package pgxdriver

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

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
	proxy  *proxy
	schema string
}

// setup makes a schema and a pool on it.
func setup(t *testing.T, change ...func(*driver.Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, proxy: newProxy(t), schema: "s_" + random()}
	cfg := driver.Config{
		Name: "main", URL: address(f.proxy.addr(), map[string]string{"search_path": f.schema, "sslmode": "disable"}),
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
	before := f.proxy.trips()
	do()
	return f.proxy.trips() - before
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

// proxy passes bytes on between clients and the server and counts round trips: a trip begins with the first bytes of a
// client after an answer.
type proxy struct {
	listener net.Listener
	target   string
	wg       sync.WaitGroup

	mu       sync.Mutex
	count    int                   // guarded by mu
	accepted int                   // guarded by mu
	conns    map[net.Conn]struct{} // guarded by mu
	lines    []chan struct{}       // closed as their lines end; guarded by mu
	onClient func(b []byte) bool   // called with what a client sent; false drops it and cuts the line; guarded by mu
	onServer func(b []byte) bool   // the same for the server; guarded by mu
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	u, err := url.Parse(serverURL())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: u.Host, conns: make(map[net.Conn]struct{})}
	p.wg.Add(1)
	go p.accept()
	t.Cleanup(func() {
		l.Close()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	defer p.wg.Done()
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.accepted++
		p.conns[client], p.conns[server] = struct{}{}, struct{}{}
		done := make(chan struct{})
		p.lines = append(p.lines, done)
		p.mu.Unlock()
		l := &passage{proxy: p, answered: true}
		var both sync.WaitGroup
		both.Go(func() { l.pass(client, server, true) })
		both.Go(func() { l.pass(server, client, false) })
		p.wg.Go(func() {
			both.Wait()
			close(done)
		})
	}
}

// cut breaks all lines.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}

func (p *proxy) trips() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

func (p *proxy) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// hook sets what is called with what passes.
func (p *proxy) hook(onClient, onServer func([]byte) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onClient, p.onServer = onClient, onServer
}

// passage is one connection through the proxy.
type passage struct {
	proxy    *proxy
	answered bool // guarded by proxy.mu
}

func (l *passage) pass(from, to net.Conn, isClient bool) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 1<<16)
	for {
		n, err := from.Read(buf)
		if n > 0 && !l.note(buf[:n], isClient) {
			return
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// note counts, and reports whether the bytes may pass.
func (l *passage) note(b []byte, isClient bool) bool {
	p := l.proxy
	p.mu.Lock()
	hook := p.onServer
	if isClient {
		hook = p.onClient
		if l.answered {
			p.count++
		}
	}
	l.answered = !isClient
	p.mu.Unlock()
	return hook == nil || hook(b)
}

// contains reports whether a burst of a client has the text in it.
func contains(b []byte, text string) bool { return strings.Contains(string(b), text) }

// settle waits until every line that was cut is gone.
func (p *proxy) settle(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	lines := p.lines
	p.mu.Unlock()
	for _, done := range lines {
		<-done
	}
}

// settleOne waits until the first line that was made is gone.
func (p *proxy) settleOne(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	first := p.lines[0]
	p.mu.Unlock()
	<-first
}
