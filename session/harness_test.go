package session_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/goleak"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/drivertest"
	"github.com/urutu-go/urutu/session/pgxdriver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(closing{m}) }

// closing closes the tests' own connection before the goroutines are counted.
type closing struct{ *testing.M }

func (c closing) Run() int {
	code := c.M.Run()
	if admin.db != nil {
		_ = admin.db.Close()
	}
	return code
}

// The entities that the cases use.

type User struct {
	entity.Identifiable
	entity.Dated
	Name  string
	Email string  `db:"email,unique"`
	Nick  *string `db:"nick"`
	Age   int     `db:"age"`
	Admin bool    `db:"admin"`
}

type Account struct {
	entity.Identifiable
	entity.Versioned
	entity.Dated
	Owner   uuid.UUID      `db:"owner"`
	Balance int64          `db:"balance"`
	Tags    []string       `db:"tags"`
	Meta    map[string]any `db:"meta"`
	Blob    []byte         `db:"blob"`
}

// Ticket has everything that only the database knows.
type Ticket struct {
	entity.Serial
	Title  string `db:"title"`
	Status string `db:"status,default='open'"`
	Length int64  `db:"length,generated=length(title)"`
	Origin string `db:"origin,readonly"`
}

type Parent struct {
	entity.Identifiable
	Name string
}

type Child struct {
	entity.Identifiable
	ParentID uuid.UUID `db:"parent_id,ref=parents"`
	Name     string
}

type Seat struct {
	Row    int    `db:"row,pk"`
	Number int    `db:"number,pk"`
	Holder string `db:"holder"`
}

type Note struct {
	entity.Identifiable
	entity.Dated
	entity.Versioned
	entity.SoftDeleted
	Text string
}

var (
	users   = entity.Columns[User]()
	tickets = entity.Columns[Ticket]()
	notes   = entity.Columns[Note]()
)

var allEntities = []any{
	(*User)(nil), (*Account)(nil), (*Ticket)(nil), (*Child)(nil), (*Parent)(nil), (*Seat)(nil), (*Note)(nil), (*Hooked)(nil),
}

// backend is one kind of database that the cases run on.
type backend struct {
	name   string
	driver func() driver.Driver
	url    func(t testing.TB) string
}

var backends = []backend{
	{"postgres", pgxdriver.New, postgresURL},
	{"sqlite", sqlitedriver.New, sqliteURL("sqlite")},
	{"plain", func() driver.Driver { return drivertest.Plain(sqlitedriver.New()) }, sqliteURL("plain")},
}

func sqliteURL(scheme string) func(t testing.TB) string {
	return func(t testing.TB) string { return scheme + ":///" + filepath.Join(t.TempDir(), "test.db") }
}

// admin is the one connection that makes schemas.
var admin struct {
	once sync.Once
	db   *sql.DB
	err  error
}

func serverURL() string {
	if u := os.Getenv("URUTU_TEST_POSTGRES"); u != "" {
		return u
	}
	return "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable"
}

// postgresURL makes a schema of the test's own and returns the address of a server that sees only that. The server is
// required: there is no test of these that may be left out.
func postgresURL(t testing.TB) string {
	t.Helper()
	admin.once.Do(func() { admin.db, admin.err = sql.Open("pgx", serverURL()) })
	if admin.err != nil {
		t.Fatal(admin.err)
	}
	schema := fmt.Sprintf("urutu_%016x", rand.Uint64())
	if _, err := admin.db.Exec("CREATE SCHEMA " + schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.db.Exec("DROP SCHEMA " + schema + " CASCADE"); err != nil {
			t.Error(err)
		}
	})
	sep := "?"
	if strings.Contains(serverURL(), "?") {
		sep = "&"
	}
	return serverURL() + sep + "search_path=" + schema
}

// fixture is a database with the tables of the entities, and what the seam below the session saw.
type fixture struct {
	*session.DB
	*spy
	backend backend
	clock   *clock
	url     string
}

// open opens a database of the test's own. The configuration's URL, drivers and clock are filled in.
func open(t testing.TB, b backend, change ...func(*session.Config)) *fixture {
	t.Helper()
	f := &fixture{backend: b, clock: &clock{now: time.Date(2026, 11, 22, 12, 0, 0, 123456789, time.UTC)}, url: b.url(t)}
	f.spy = &spy{Driver: b.driver()}
	cfg := f.config()
	for _, c := range change {
		c(&cfg)
	}
	f.DB = openConfig(t, cfg)
	readOnly := cfg.ReadOnly
	if readOnly {
		return f
	}
	must(t, f.Do(t.Context(), func(ctx context.Context) error { return session.CreateTables(ctx, allEntities...) }))
	f.reset()
	return f
}

func (f *fixture) config() session.Config {
	return session.Config{
		URL: f.url, Drivers: []driver.Driver{f.spy}, PoolSize: 2, MaxOverflow: 2, PoolTimeout: 5 * time.Second,
		Clock: f.clock.Now,
	}
}

func openConfig(t testing.TB, cfgs ...session.Config) *session.DB {
	t.Helper()
	db, err := session.Open(context.Background(), cfgs...)
	must(t, err)
	t.Cleanup(func() {
		for name, st := range db.Stats() {
			if st.InUse > 0 {
				t.Errorf("connection %s: %d still in use", name, st.InUse)
			}
		}
		must(t, db.Close())
	})
	return db
}

// do runs fn as a unit and fails the test on an error.
func (f *fixture) do(t testing.TB, fn func(ctx context.Context) error) {
	t.Helper()
	must(t, f.Do(t.Context(), fn))
}

// count returns the number of rows of T, from a unit of its own.
func count[T any](t testing.TB, f *fixture) int64 {
	t.Helper()
	var n int64
	f.do(t, func(ctx context.Context) (err error) {
		n, err = session.Count[T](ctx)
		return err
	})
	return n
}

// row reads an object's row anew.
func row[T any](t testing.TB, f *fixture, key any) *T {
	t.Helper()
	var obj *T
	f.do(t, func(ctx context.Context) (err error) {
		obj, err = session.Get[T](ctx, key)
		return err
	})
	return obj
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// clock is a clock that moves when it is told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// spy is a driver that notes every script that a session runs, and can fail them.
type spy struct {
	driver.Driver
	mu       sync.Mutex
	scripts  []string // each script's statements, BEGIN and COMMIT, joined by "; "
	acquired int
	fail     func(s *driver.Script, run func() error) error // replaces a script's run
}

func (s *spy) Open(ctx context.Context, cfg driver.Config) (driver.Pool, error) {
	p, err := s.Driver.Open(ctx, cfg)
	return spyPool{p, s}, err
}

// trips returns the scripts since the last reset: each is one exchange.
func (s *spy) trips() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.scripts)
}

// sent reports whether a script since the last reset contains part.
func (s *spy) sent(part string) bool {
	return slices.ContainsFunc(s.trips(), func(sc string) bool { return strings.Contains(sc, part) })
}

// connections returns how often a connection was borrowed since the last reset.
func (s *spy) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acquired
}

func (s *spy) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts, s.acquired = nil, 0
}

// intercept makes f run instead of each script; f may call run to let it through.
func (s *spy) intercept(f func(s *driver.Script, run func() error) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

type spyPool struct {
	driver.Pool
	*spy
}

func (p spyPool) Acquire(ctx context.Context, access driver.Access) (driver.Conn, error) {
	c, err := p.Pool.Acquire(ctx, access)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.acquired++
	p.mu.Unlock()
	return spyConn{c, p.spy}, nil
}

type spyConn struct {
	driver.Conn
	*spy
}

func (c spyConn) SQLConn() *sql.Conn { return c.Conn.(driver.SQLConn).SQLConn() }
func (c spyConn) SQLReady() error    { return c.Conn.(driver.SQLGuard).SQLReady() }
func (c spyConn) SQLError(ctx context.Context, err error) error {
	return c.Conn.(driver.SQLGuard).SQLError(ctx, err)
}

func (c spyConn) Run(ctx context.Context, sc *driver.Script, r driver.Results) error {
	var parts []string
	if sc.Begin != nil {
		parts = append(parts, "BEGIN")
	}
	for _, st := range sc.Statements {
		parts = append(parts, st.SQL)
	}
	if sc.End != driver.Stay {
		parts = append(parts, strings.ToUpper(sc.End.String()))
	}
	c.mu.Lock()
	c.scripts = append(c.scripts, strings.Join(parts, "; "))
	fail := c.fail
	c.mu.Unlock()
	run := func() error { return c.Conn.Run(ctx, sc, r) }
	if fail != nil {
		return fail(sc, run)
	}
	return run()
}

// testCase is one behaviour, by its number and name in the list of session cases.
type testCase struct {
	name string
	run  func(t *testing.T, b backend)
}

// runCases runs each case on every database.
func runCases(t *testing.T, cases []testCase) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, b := range backends {
				t.Run(b.name, func(t *testing.T) {
					t.Parallel()
					c.run(t, b)
				})
			}
		})
	}
}

// TestSession runs the numbered behaviors on every database.
func TestSession(t *testing.T) {
	t.Parallel()
	runCases(t, slices.Concat(contextCases, stateCases, getCases, dirtyCases, flushCases, outcomeCases, nestedCases, mergeCases, autoflushCases, criteriaCases, wireCases, orderCases, relateCases, withCases))
}
