package bus_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/faultdriver"
	"github.com/urutu-go/urutu/internal/testdb"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/pgxdriver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
	"github.com/urutu-go/urutu/urututest"
)

// Placed is an event with a key.
type Placed struct {
	Order string
	N     int
}

func (Placed) MessageType() message.Type { return message.Type{Topic: "test.placed"} }
func (m Placed) MessageKey() string      { return m.Order }

// Charge is a task without a key.
type Charge struct{ Order string }

func (Charge) MessageType() message.Type {
	return message.Type{Topic: "test.charge", Kind: message.Task}
}

// Ship is a task with a key.
type Ship struct {
	Order string
	N     int
}

func (Ship) MessageType() message.Type {
	return message.Type{Topic: "test.ship", Kind: message.Task}
}
func (m Ship) MessageKey() string { return m.Order }

// Note is what handlers write.
type Note struct {
	entity.Identifiable
	Text string `db:"text,unique"`
}

// fixture is a database with the tables of messages and notes, as one process has it.
type fixture struct {
	*session.DB
	faults   *faultdriver.Driver
	database urututest.Database
	url      string
}

// each runs a test on every database.
func each(t *testing.T, run func(t *testing.T, f *fixture)) {
	t.Helper()
	t.Parallel()
	for _, d := range urututest.Databases() {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			run(t, open(t, d))
		})
	}
}

// open makes a database and opens it.
func open(t *testing.T, d urututest.Database, change ...func(*session.Config)) *fixture {
	t.Helper()
	var url string
	if d == urututest.InSQLite {
		url = urututest.URL(t, d)
	} else {
		url = newSchema(t)
	}
	must(t, prepare(t.Context(), url))
	return openAt(t, d, url, change...)
}

// newSchema makes a schema of the test's own, which is quicker than a database, and returns the address of a server that
// sees only that. Commits do not wait for its disk, as those of SQLite do not: nothing crashes here.
func newSchema(t *testing.T) string {
	t.Helper()
	server := cmp.Or(os.Getenv("URUTU_TEST_POSTGRES"), testdb.DefaultServer)
	schema := fmt.Sprintf("urutu_bus_%016x", rand.Uint64())
	admin := func(ctx context.Context, text string) {
		db, err := session.Open(ctx, session.Config{URL: server, Drivers: []driver.Driver{driverOf(server)}})
		if err != nil && os.Getenv("URUTU_TEST_POSTGRES") == "" {
			testdb.Missing(t, "PostgreSQL", err)
		}
		must(t, err)
		err = db.Do(ctx, func(ctx context.Context) error {
			_, err := session.From(ctx).ExecContext(ctx, text)
			return err
		})
		must(t, errors.Join(err, db.Close()))
	}
	admin(t.Context(), "CREATE SCHEMA "+schema)
	t.Cleanup(func() { admin(context.WithoutCancel(t.Context()), "DROP SCHEMA "+schema+" CASCADE") })
	sep := "?"
	if strings.Contains(server, "?") {
		sep = "&"
	}
	return server + sep + "synchronous_commit=off&search_path=" + schema
}

// another opens the same database once more, as another process does.
func (f *fixture) another(t *testing.T, change ...func(*session.Config)) *fixture {
	t.Helper()
	return openAt(t, f.database, f.url, change...)
}

func openAt(t *testing.T, d urututest.Database, url string, change ...func(*session.Config)) *fixture {
	t.Helper()
	f := &fixture{database: d, url: url, faults: faultdriver.New(driverOf(url))}
	cfg := session.Config{URL: url, Drivers: []driver.Driver{f.faults}, PoolSize: 8, MaxOverflow: -1, Logger: quiet()}
	for _, c := range change {
		c(&cfg)
	}
	db, err := session.Open(t.Context(), cfg)
	must(t, err)
	f.DB = db
	t.Cleanup(func() {
		f.faults.Wait()
		must(t, db.Close())
	})
	return f
}

func driverOf(url string) driver.Driver {
	if strings.HasPrefix(url, "sqlite") {
		return sqlitedriver.New()
	}
	return pgxdriver.New()
}

// prepare makes the tables in an empty database.
func prepare(ctx context.Context, url string) error {
	db, err := session.Open(ctx, session.Config{URL: url, Drivers: []driver.Driver{driverOf(url)}})
	if err != nil {
		return err
	}
	err = db.Do(ctx, func(ctx context.Context) error { return session.CreateTables(ctx, (*Note)(nil)) })
	return errors.Join(err, db.Install(ctx, outbox.Component()), db.Close())
}

// config returns how the database is opened as one of several connections.
func (f *fixture) config(name session.Name, isDefault bool) session.Config {
	return session.Config{Name: name, URL: f.url, Drivers: []driver.Driver{driverOf(f.url)}, Default: isDefault, Logger: quiet()}
}

// do runs fn as a unit and fails the test on an error.
func (f *fixture) do(t *testing.T, fn func(ctx context.Context) error) {
	t.Helper()
	must(t, f.Do(t.Context(), fn))
}

// publish publishes messages in one unit.
func (f *fixture) publish(t *testing.T, list ...message.Message) {
	t.Helper()
	f.do(t, func(ctx context.Context) error { return publishAll(ctx, list...) })
}

func publishAll(ctx context.Context, list ...message.Message) error {
	for _, m := range list {
		if err := bus.Publish(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// ask returns the first row of a query, its columns as one text.
func (f *fixture) ask(t *testing.T, query string) (answer string) {
	t.Helper()
	f.do(t, func(ctx context.Context) error {
		return session.From(ctx).QueryRowContext(ctx, "SELECT CAST(("+query+") AS TEXT)").Scan(&answer)
	})
	return answer
}

// stored counts the rows of the tables of messages: those to be handled, those that failed, those that wait.
func (f *fixture) stored(t *testing.T) string {
	t.Helper()
	const count = "(SELECT count(*) FROM urutu_message"
	return f.ask(t, count+") || ' ' || "+count+"_retry) || ' ' || "+count+"_delayed)")
}

// want checks what stored returns.
func (f *fixture) want(t *testing.T, stored string) {
	t.Helper()
	if got := f.stored(t); got != stored {
		t.Errorf("messages, failed ones and waiting ones: %s, want %s", got, stored)
	}
}

// failures returns what is written down of failures, in the order of the messages.
func (f *fixture) failures(t *testing.T) string {
	t.Helper()
	concat := "group_concat(line, '; ')"
	if f.database == urututest.InPostgres {
		concat = "string_agg(line, '; ')"
	}
	return f.ask(t, "SELECT coalesce("+concat+", '') FROM (SELECT topic || ' ' || attempts || ' ' || reason ||"+
		" CASE WHEN parked THEN ' parked: ' ELSE ': ' END || last_error AS line FROM urutu_message_retry ORDER BY id) AS lines")
}

// notes returns the texts of the notes, in order.
func (f *fixture) notes(t *testing.T) string {
	t.Helper()
	var texts []string
	f.do(t, func(ctx context.Context) error {
		list, err := session.Find[Note](ctx)
		for _, n := range list {
			texts = append(texts, n.Text)
		}
		return err
	})
	slices.Sort(texts)
	return strings.Join(texts, " ")
}

// bus returns a bus that logs nothing.
func (f *fixture) bus() *bus.Bus { return bus.New(f.DB, bus.Config{Logger: quiet()}) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// start starts a worker until the test ends.
func start(t *testing.T, b *bus.Bus) *bus.Worker {
	t.Helper()
	w := b.Worker()
	must(t, w.Start(t.Context()))
	t.Cleanup(func() { stop(t, w) })
	return w
}

// stop drains a worker: what follows from the messages that it had in hand is in the database afterwards.
func stop(t *testing.T, w *bus.Worker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	must(t, w.Stop(ctx))
}

// patience is for how long something is waited for that should happen soon.
const patience = 20 * time.Second

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantFault checks the kind of an error.
func wantFault(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("got the error %v, want one of kind %q", err, kind)
	}
}

// events collects what happens.
type events struct {
	mu   sync.Mutex
	list []string
	more chan struct{}
}

func newEvents() *events { return &events{more: make(chan struct{}, 1)} }

func (e *events) add(format string, args ...any) {
	e.mu.Lock()
	e.list = append(e.list, fmt.Sprintf(format, args...))
	e.mu.Unlock()
	select {
	case e.more <- struct{}{}:
	default:
	}
}

func (e *events) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.list)
}

// wait waits for n of them.
func (e *events) wait(t *testing.T, n int) []string {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		list := e.all()
		if len(list) >= n {
			return list
		}
		select {
		case <-e.more:
		case <-timeout.C:
			t.Fatalf("%d of %d events: %q", len(list), n, list)
		}
	}
}

// want waits for these events, and checks that there are no others so far.
func (e *events) want(t *testing.T, want ...string) {
	t.Helper()
	if got := e.wait(t, len(want)); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// wantAny is want in any order.
func (e *events) wantAny(t *testing.T, want ...string) {
	t.Helper()
	got := e.wait(t, len(want))
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// failureLog is a log of which the failures of messages are events: reason and topic. They are written down by then.
type failureLog struct {
	slog.Handler
	seen *events
}

func (e *events) failureLog() *slog.Logger {
	return slog.New(failureLog{slog.DiscardHandler, e})
}

func (l failureLog) Enabled(context.Context, slog.Level) bool { return true }

func (l failureLog) Handle(_ context.Context, r slog.Record) error {
	var reason, topic string
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "reason":
			reason = a.Value.String()
		case "topic":
			topic = a.Value.String()
		}
		return true
	})
	if reason != "" {
		l.seen.add("%s %s", reason, topic)
	}
	return nil
}

// brief has a message tried again at once.
var brief = outbox.Retry{Pause: time.Millisecond, MaxPause: 5 * time.Millisecond}
