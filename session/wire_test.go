package session_test

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/wireproxy"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
)

var wireCases = []testCase{
	{"case_075_write_only_unit_is_one_trip", case075},
}

// case075 counts exchanges on every database, and on PostgreSQL round trips on the wire too. TestTripsOnTheWire has the
// other kinds of units, and idling.
func case075(t *testing.T, b backend) {
	f, trips := openCounted(t, b)
	var ids []uuid.UUID
	for _, warmth := range []string{"cold", "warm"} {
		people := []*User{{Email: warmth + "1"}, {Email: warmth + "2"}}
		n := trips(func(ctx context.Context) error {
			seat := &Seat{Row: len(ids) + 1, Number: 1}
			return errors.Join(session.Add(ctx, people...), session.Add(ctx, seat), stage(ctx, "staged"))
		})
		if n != 1 {
			t.Errorf("%s: writes took %d trips: %q", warmth, n, f.trips())
		}
		ids = append(ids, people[0].ID, people[1].ID)
	}
	for _, warmth := range []string{"cold", "warm"} {
		n := trips(func(ctx context.Context) error {
			for _, id := range ids {
				get[User](t, ctx, id).Name += "!"
			}
			return stage(ctx, "staged")
		})
		if n != len(ids)+1 {
			t.Errorf("%s: %d reads, then writes took %d trips: %q", warmth, len(ids), n, f.trips())
		}
	}
	wantRows[User](t, f, int64(len(ids)))
	wantRows[Parent](t, f, 4)
	wantIdle(t, f.DB)
}

// openCounted opens a database with one connection, and returns a function that runs a unit and counts its trips.
func openCounted(t *testing.T, b backend) (f *fixture, trips func(unit func(ctx context.Context) error) int) {
	t.Helper()
	exchanges := func(unit func(ctx context.Context) error) int {
		f.reset()
		f.do(t, unit)
		return len(f.trips())
	}
	if b.name != "postgres" {
		f = open(t, b, oneConnection)
		return f, exchanges
	}
	f, p := openThrough(t)
	return f, func(unit func(ctx context.Context) error) int {
		before := p.Trips()
		n := exchanges(unit)
		if onWire := p.Trips() - before; onWire != n {
			t.Errorf("%d exchanges are %d trips on the wire: %q", n, onWire, f.trips())
		}
		return n
	}
}

// wire is a database with one connection through a proxy. The connection is open, and has seen no statement yet.
type wire struct {
	*session.DB
	*spy
	proxy  *wireproxy.Proxy
	direct *fixture // another way to the same database
	name   string   // of the connection, for the server
	pooled bool     // a pooler is in between: the server does not know which connection is whose

	given given
	from  int // the trips that do not count
	began atomic.Bool
}

// given are rows for a unit to work on, made by somebody else.
type given struct {
	person, leaver uuid.UUID // users
	account        uuid.UUID
	note           uuid.UUID
}

func openWire(t *testing.T, direct *fixture, change ...func(*session.Config)) *wire {
	t.Helper()
	u, err := url.Parse(direct.url)
	must(t, err)
	w := &wire{
		proxy: wireproxy.Start(t, u.Host), direct: direct, name: "wire_" + uuid.NewString(), spy: &spy{Driver: direct.backend.driver()},
	}
	cfg := direct.config()
	cfg.URL, cfg.Drivers = w.proxy.URL(direct.url)+"&application_name="+w.name, []driver.Driver{w.spy}
	oneConnection(&cfg)
	for _, c := range change {
		c(&cfg)
	}
	w.pooled = cfg.Pooler
	w.DB = openConfig(t, cfg)
	w.proxy.OnSent(func(b []byte) wireproxy.Verdict {
		if bytes.Contains(b, []byte("BEGIN")) {
			w.began.Store(true)
		}
		return wireproxy.Pass
	})
	return w
}

// start has only what comes from now on count.
func (w *wire) start() { w.from = w.proxy.Trips() }

func (w *wire) trips() int { return w.proxy.Trips() - w.from }

// measure runs a kind of unit, and checks what it took and left.
func (w *wire) measure(t *testing.T, k wireUnit) {
	t.Helper()
	w.given = give(t, w.direct)
	var before string
	w.spy.reset()
	w.began.Store(false)
	w.start()
	err := w.Do(t.Context(), func(ctx context.Context) error {
		err := k.run(t, ctx, w)
		before = w.rows(t) // what others have changed meanwhile is theirs
		return err
	}, once)
	if n := w.trips(); n != k.trips {
		t.Errorf("%d trips, want %d: %q", n, k.trips, w.spy.trips())
	}
	if k.want != "" {
		wantFault(t, err, k.want)
		if after := w.rows(t); after != before {
			t.Errorf("a failed unit left something: %s instead of %s", after, before)
		}
	} else {
		must(t, err)
	}
	w.wantIdle(t)
}

// rows counts the rows of all tables that the units write, and says in which versions the given ones are.
func (w *wire) rows(t *testing.T) (s string) {
	t.Helper()
	w.direct.do(t, func(ctx context.Context) error {
		return session.From(ctx).QueryRowContext(ctx, `SELECT concat_ws(' ',
			(SELECT count(*) FROM users), (SELECT count(*) FROM accounts), (SELECT count(*) FROM parents), (SELECT count(*) FROM childs),
			(SELECT count(*) FROM seats), (SELECT count(*) FROM tickets), (SELECT count(*) FROM hookeds), (SELECT count(*) FROM lates),
			(SELECT md5(string_agg(n::text, '' ORDER BY id)) FROM notes n), (SELECT md5(string_agg(u::text, '' ORDER BY id)) FROM users u),
			(SELECT md5(string_agg(a::text, '' ORDER BY id)) FROM accounts a))`).Scan(&s)
	})
	return s
}

// wantIdle checks that the one connection is in the pool, and in no transaction.
func (w *wire) wantIdle(t *testing.T) {
	t.Helper()
	wantIdle(t, w.DB)
	if n := w.proxy.Connections(); n != 1 {
		t.Errorf("%d connections were made", n)
	}
	if w.pooled {
		return
	}
	var state string
	w.direct.do(t, func(ctx context.Context) error {
		return session.From(ctx).QueryRowContext(ctx, "SELECT state FROM pg_stat_activity WHERE application_name = $1", w.name).Scan(&state)
	})
	if state != "idle" {
		t.Errorf("the server says that the connection is %q", state)
	}
}

func give(t *testing.T, f *fixture) given {
	t.Helper()
	person, leaver := &User{Name: "Ann", Email: uuid.NewString()}, &User{Name: "Bob", Email: uuid.NewString()}
	account, note := &Account{Balance: 100}, &Note{Text: "x"}
	f.do(t, func(ctx context.Context) error {
		return errors.Join(session.Add(ctx, person, leaver), session.Add(ctx, account), session.Add(ctx, note))
	})
	return given{person.ID, leaver.ID, account.ID, note.ID}
}

// wireUnit is a kind of unit and the round trips that it takes, whether the connection knows its statements or not.
type wireUnit struct {
	name  string
	trips int
	want  fault.Kind
	run   func(t *testing.T, ctx context.Context, w *wire) error
}

var wireUnits = []wireUnit{
	{name: "touches nothing", trips: 0, run: func(*testing.T, context.Context, *wire) error { return nil }},
	{name: "three plain reads", trips: 3, run: reads},
	{name: "writes", trips: 1, run: writes},
	{name: "changes what is known", trips: 1, run: func(t *testing.T, ctx context.Context, w *wire) error {
		changeAll := w.load(t, ctx)
		must(t, session.Commit(ctx))
		w.start()
		changeAll()
		return writes(t, ctx, w)
	}},
	{name: "four reads, then changes and writes", trips: 5, run: changes},
	{name: "a query with pending changes, and the commit", trips: 2, run: func(t *testing.T, ctx context.Context, w *wire) error {
		must(t, writes(t, ctx, w))
		found, err := session.Find[User](ctx, query.Eq(&users.Name, "new"))
		if len(found) < 3 || w.trips() != 1 {
			t.Errorf("flush and query took %d trips, %d are found", w.trips(), len(found))
		}
		return err
	}},
	{name: "independent reads together", trips: 1, run: func(_ *testing.T, ctx context.Context, w *wire) error {
		var (
			person  *User
			account *Account
			found   []*User
			n       int
		)
		return session.Batch(ctx, session.GetInto(&person, w.given.person), session.GetInto(&account, w.given.account),
			session.FindInto(&found, query.Eq(&users.Name, "nobody")), session.CountInto[Note](&n))
	}},
	{name: "a stream", trips: 2, run: func(t *testing.T, ctx context.Context, _ *wire) error {
		n := 0
		for _, err := range session.Stream[User](ctx, query.Limit(100)) {
			must(t, err)
			n++
		}
		if n < 2 {
			t.Errorf("%d rows", n)
		}
		return nil
	}},
	{name: "upserts behind what is pending, and the commit", trips: 2, run: func(t *testing.T, ctx context.Context, w *wire) error {
		must(t, writes(t, ctx, w))
		must(t, second(session.UpsertMany(ctx, []*User{{Name: "a", Email: "a"}, {Name: "b", Email: "b"}}, query.OnConflict(&users.Email))))
		if w.trips() != 1 {
			t.Errorf("the upserts took %d trips", w.trips())
		}
		return nil
	}},
	{name: "which of many keys there are", trips: 1, run: func(t *testing.T, ctx context.Context, w *wire) error {
		ok, err := userRepo.ExistsAll(ctx, w.given.person, w.given.leaver, w.given.person)
		if !ok {
			t.Error("they are not there")
		}
		return err
	}},
	{name: "a deletion by keys, and the commit", trips: 2, run: func(_ *testing.T, ctx context.Context, w *wire) error {
		return second(userRepo.DeleteByID(ctx, w.given.person, w.given.leaver))
	}},
	{name: "keys of the database", trips: 1, run: func(_ *testing.T, ctx context.Context, _ *wire) error {
		return session.Add(ctx, &Ticket{Title: "a"}, &Ticket{Title: "bc"})
	}},
	{name: "hooks of the flush", trips: 2, run: func(t *testing.T, ctx context.Context, w *wire) error {
		must(t, session.OnFlush(ctx, session.FlushHooks{After: func(context.Context) error { return nil }}))
		return writes(t, ctx, w)
	}},

	{name: "a stale version", trips: 5, want: fault.Stale, run: func(t *testing.T, ctx context.Context, w *wire) error {
		must(t, changes(t, ctx, w))
		w.direct.do(t, func(ctx context.Context) error {
			get[Account](t, ctx, w.given.account).Balance++
			return nil
		})
		return nil
	}},
	{name: "a row that is gone", trips: 5, want: fault.Stale, run: func(t *testing.T, ctx context.Context, w *wire) error {
		must(t, changes(t, ctx, w))
		w.direct.do(t, func(ctx context.Context) error { return session.Delete(ctx, get[User](t, ctx, w.given.leaver)) })
		return nil
	}},
	{name: "a duplicate key", trips: 1, want: fault.Unique, run: twin},
	{name: "a duplicate key, after reads and changes", trips: 5, want: fault.Unique, run: func(t *testing.T, ctx context.Context, w *wire) error {
		return errors.Join(changes(t, ctx, w), twin(t, ctx, w))
	}},
	{name: "a deferred constraint", trips: 1, want: fault.ForeignKey, run: func(t *testing.T, ctx context.Context, w *wire) error {
		return errors.Join(writes(t, ctx, w), session.Add(ctx, &Late{ParentID: uuid.New()}))
	}},
	// The rollback is in place of the commit.
	{name: "a query with pending changes that fail", trips: 2, want: fault.Unique, run: func(t *testing.T, ctx context.Context, w *wire) error {
		must(t, twin(t, ctx, w))
		return ignore(session.Find[User](ctx))
	}},
	{name: "a function that fails", trips: 3, want: fault.Conflict, run: func(t *testing.T, ctx context.Context, w *wire) error {
		return errors.Join(reads(t, ctx, w), writes(t, ctx, w), fault.New(fault.Conflict, "no"))
	}},
}

// reads makes three plain reads, and checks that they leave nothing open.
func reads(t *testing.T, ctx context.Context, w *wire) error {
	for i, read := range []func() error{
		func() error { return ignore(session.Get[User](ctx, w.given.person)) },
		func() error { return ignore(session.Find[Note](ctx, query.Eq(&notes.Text, "y"))) },
		func() error { return ignore(session.Count[Account](ctx)) },
	} {
		if err := read(); err != nil {
			return err
		}
		if held := w.Stats()["default"].InUse; held != 0 || w.spy.connections() != i+1 || w.began.Load() {
			t.Errorf("after %d reads %d connections are held; %d were borrowed, began: %t", i+1, held, w.spy.connections(), w.began.Load())
		}
	}
	return nil
}

// writes adds rows of several tables, and stages some of another package's.
func writes(_ *testing.T, ctx context.Context, _ *wire) error {
	parent := &Parent{Name: "p"}
	errs := []error{session.Add(ctx, parent), session.Add(ctx, &Account{Balance: 1}, &Account{Balance: 2})}
	for range 3 {
		errs = append(errs, session.Add(ctx, &User{Name: "new", Email: uuid.NewString()}))
	}
	errs = append(errs, session.Add(ctx, &Child{ParentID: parent.ID}), stage(ctx, "one"), stage(ctx, "two"))
	return errors.Join(errs...)
}

// load reads what was given, in four trips, and returns a function that changes and deletes it.
func (w *wire) load(t *testing.T, ctx context.Context) func() {
	t.Helper()
	person, leaver := get[User](t, ctx, w.given.person), get[User](t, ctx, w.given.leaver)
	account, note := get[Account](t, ctx, w.given.account), get[Note](t, ctx, w.given.note)
	return func() {
		person.Name += "!"
		account.Balance--
		must(t, session.Delete(ctx, leaver))
		must(t, session.Delete(ctx, note)) // softly, and versioned
	}
}

// changes reads four rows, changes and deletes them, and writes others.
func changes(t *testing.T, ctx context.Context, w *wire) error {
	w.load(t, ctx)()
	return writes(t, ctx, w)
}

// twin writes, and adds a user with an address that is taken.
func twin(t *testing.T, ctx context.Context, w *wire) error {
	taken := row[User](t, w.direct, w.given.person).Email
	return errors.Join(writes(t, ctx, w), session.Add(ctx, &User{Email: taken}))
}

// TestTripsOnTheWire counts the round trips of each kind of unit exactly: on a connection that has never seen its
// statements, on one that knows them, and on one that was idle for five seconds, which nobody checks by asking.
func TestTripsOnTheWire(t *testing.T) {
	t.Parallel()
	direct := open(t, backends[0])
	createTable(t, direct, createLates)
	wires := make([]*wire, len(wireUnits))
	for i, k := range wireUnits {
		wires[i] = openWire(t, direct)
		t.Run(k.name+"/cold", func(t *testing.T) { wires[i].measure(t, k) })
		t.Run(k.name+"/warm", func(t *testing.T) {
			for range 5 { // five that fail leave the connection as it is
				wires[i].measure(t, k)
			}
		})
	}
	time.Sleep(5 * time.Second)
	for i, k := range wireUnits {
		t.Run(k.name+"/idle", func(t *testing.T) { wires[i].measure(t, k) })
	}
}

// A unit that touches nothing takes no connection, where none is open as little as elsewhere.
func TestNoConnectionForNothing(t *testing.T) {
	t.Parallel()
	w := openWire(t, open(t, backends[0]))
	w.proxy.Sever()
	before := w.proxy.Connections()
	w.start()
	must(t, w.Do(t.Context(), func(ctx context.Context) error {
		_, err := session.Contains(ctx, ann())
		return err
	}))
	if n := w.proxy.Connections() - before; n != 0 || w.spy.connections() != 0 || w.trips() != 0 {
		t.Errorf("%d connections were made, %d borrowed; %d trips", n, w.spy.connections(), w.trips())
	}
}
