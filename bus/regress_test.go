package bus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/internal/faultdriver"
	"github.com/urutu-go/urutu/internal/testdb"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/urututest"
)

// exec runs statements, each in a unit of its own.
func (f *fixture) exec(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		f.do(t, func(ctx context.Context) error {
			_, err := session.From(ctx).ExecContext(ctx, text)
			return err
		})
	}
}

// waitFor waits until reached returns n. It gives up where nothing happens any more.
func waitFor(t *testing.T, n int64, reached func() int64) {
	t.Helper()
	last, since := int64(-1), time.Now()
	for time.Since(since) < patience {
		got := reached()
		if got >= n {
			return
		}
		if got != last {
			last, since = got, time.Now()
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%d of %d, and nothing happens", last, n)
}

// slowCommits has some commits take long after their messages have got their numbers.
const slowCommits = `CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF random() < 0.15 THEN PERFORM pg_sleep(0.02 * random()); END IF;
	RETURN NULL;
END $$`

const slowTrigger = `CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON urutu_message DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()`

// TestLowerNumbersCommitLater: many units at once, of which some get the numbers of their messages long before they commit.
// Nothing is passed over, and no message of a key overtakes another one.
func TestLowerNumbersCommitLater(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		if f.writesLock(t) {
			f.exec(t, slowCommits, slowTrigger)
		}
		const keys, n = 6, 150
		o := newOrders()
		var loose atomic.Int64
		for _, p := range []*fixture{f.another(t), f.another(t)} {
			b := p.bus()
			bus.Handle(b, func(ctx context.Context, m Ship) error {
				if m.Order == "" {
					return uow.AfterCommit(ctx, func(context.Context) error { loose.Add(1); return nil })
				}
				defer o.hand(t, m.Order)()
				return o.done(ctx, m.Order, m.N)
			}, bus.Handler{Retry: brief})
			start(t, b)
		}
		var work sync.WaitGroup
		for k := range keys {
			work.Go(func() {
				for i := range n {
					f.publish(t, Ship{fmt.Sprint("key", k), i}, Ship{"", i})
				}
			})
		}
		work.Wait()
		waitFor(t, keys*n, func() int64 { return int64(len(o.all())) })
		waitFor(t, keys*n, loose.Load)
		o.check(t, keys, n)
		if loose.Load() != keys*n {
			t.Errorf("%d messages without a key were handled, of %d", loose.Load(), keys*n)
		}
	})
}

// hold keeps a transaction open until the test ends.
func hold(t *testing.T, url, text string, opts uow.Options) {
	t.Helper()
	db, err := session.Open(t.Context(), session.Config{URL: url, Drivers: []driver.Driver{driverOf(url)}, Logger: quiet()})
	must(t, err)
	open, end, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		ended <- db.Do(context.WithoutCancel(t.Context()), func(ctx context.Context) error {
			var answer string
			err := session.From(ctx).QueryRowContext(ctx, text).Scan(&answer)
			close(open)
			<-end
			return err
		}, opts)
	}()
	<-open
	t.Cleanup(func() {
		close(end)
		must(t, errors.Join(<-ended, db.Close()))
	})
}

// TestOpenTransactionsHoldUpNothing: a transaction that writes is open in another database of the server, one in this
// database, and a reader that holds back the clean-up. Messages flow all the same.
func TestOpenTransactionsHoldUpNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		if f.database == urututest.InPostgres {
			hold(t, testdb.Postgres(t), "SELECT pg_current_xact_id()::text", uow.Options{})
			hold(t, f.url, "SELECT pg_current_xact_id()::text", uow.Options{})
			hold(t, f.url, "SELECT count(*)::text FROM urutu_message", uow.Options{Isolation: uow.RepeatableRead})
		} else {
			hold(t, f.url, "SELECT count(*) FROM urutu_message", uow.Options{ReadOnly: true})
		}
		seen := newEvents()
		for _, p := range []*fixture{f, f.another(t)} {
			b := p.bus()
			bus.Handle(b, func(ctx context.Context, m Ship) error {
				return uow.AfterCommit(ctx, func(context.Context) error { seen.add("%s %d", m.Order, m.N); return nil })
			}, bus.Handler{})
			start(t, b)
		}
		for i := range 100 {
			f.publish(t, Ship{"a", i}, Ship{"", i})
			if i%10 == 0 {
				seen.wait(t, 2*i) // also while it goes on
			}
		}
		seen.wait(t, 200)
	})
}

// TestBacklogAfterAnOutage: nobody reaches the database from where the messages are handled, until 10,000 wait. Then all are
// handled, in order, and none has failed.
func TestBacklogAfterAnOutage(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const keys, each = 40, 250
		var done, wrong atomic.Int64
		var next [keys]atomic.Int64
		inHand, outage := newEvents(), make(chan struct{})
		worker := f.another(t)
		b := worker.bus()
		bus.Handle(b, func(ctx context.Context, m Ship) error {
			if i, _ := bus.Current(ctx); i.Failures > 0 {
				wrong.Add(1)
			}
			if m.Order == "first" { // it is in hand as the outage begins, and cannot be committed
				inHand.add("first")
				<-outage
				return uow.AfterCommit(ctx, func(context.Context) error { done.Add(1); return nil })
			}
			return uow.AfterCommit(ctx, func(context.Context) error {
				var k int
				if _, err := fmt.Sscanf(m.Order, "key%d", &k); err != nil || next[k].Swap(int64(m.N)+1) != int64(m.N) {
					wrong.Add(1)
				}
				done.Add(1)
				return nil
			})
		}, bus.Handler{Retry: outbox.Retry{Attempts: 1}})
		start(t, b)
		f.publish(t, Ship{"first", 0})
		inHand.want(t, "first")
		var tried atomic.Int64
		worker.faults.Inject(func(*driver.Script) faultdriver.Fault {
			tried.Add(1)
			return faultdriver.LoseScript
		})
		close(outage)
		for i := range each {
			var list []Ship
			for k := range keys {
				list = append(list, Ship{fmt.Sprint("key", k), i})
			}
			f.do(t, func(ctx context.Context) error {
				for _, m := range list {
					if err := bus.Publish(ctx, m); err != nil {
						return err
					}
				}
				return nil
			})
		}
		waitFor(t, 3, tried.Load)
		if done.Load() > 0 {
			t.Fatalf("%d messages were handled without a database", done.Load())
		}
		worker.faults.Inject(nil)
		waitFor(t, keys*each+1, done.Load)
		if wrong.Load() > 0 {
			t.Errorf("%d messages were out of order, or had failed", wrong.Load())
		}
	})
}

// TestTwoOwnersOfOneLane: while a process handles a message another one takes its lane, and the message. Whichever ends
// first, only what the owner of the lane has done is committed.
func TestTwoOwnersOfOneLane(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		inHand := newEvents()
		process := func(name string) (*bus.Worker, chan struct{}) {
			b, goOn := f.another(t).bus(), make(chan struct{})
			bus.Handle(b, func(ctx context.Context, m Ship) error {
				inHand.add("%s", name)
				<-goOn
				return errors.Join(session.Add(ctx, &Note{Text: name}), bus.Publish(ctx, Charge{name}))
			}, bus.Handler{Retry: brief})
			return start(t, b), goOn
		}
		first, firstGoesOn := process("first")
		f.publish(t, Ship{"a", 1})
		inHand.want(t, "first")
		first.StopIntake() // it keeps what it has in hand, and takes no lane
		// Its lease is over, and a third process that took the lane has died.
		someone := "gen_random_uuid()"
		if f.database == urututest.InSQLite {
			someone = "randomblob(16)"
		}
		const inUse = " WHERE (dest, lane) IN (SELECT m.dest, m.lane FROM urutu_message m)"
		f.exec(t, "UPDATE urutu_message_lane SET owner = "+someone+", epoch = epoch + 1"+inUse)
		f.exec(t, "UPDATE urutu_message_lease SET until = 1"+inUse)
		second, secondGoesOn := process("second")
		inHand.want(t, "first", "second")
		close(firstGoesOn)
		stop(t, first)
		f.want(t, "1 0 0")
		if got := f.notes(t); got != "" {
			t.Errorf("who has lost the lane has written %q", got)
		}
		close(secondGoesOn)
		stop(t, second)
		f.want(t, "1 0 0") // what the second one has published
		if got := f.notes(t); got != "second" {
			t.Errorf("the notes are %q", got)
		}
	})
}

// TestDuplicateWhileTheFirstIsInHand: a broker brings a message again while it is handled, and two connections bring one at
// the same time.
func TestDuplicateWhileTheFirstIsInHand(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen, goOn := newEvents(), make(chan struct{})
		b := f.bus()
		bus.Handle(b, func(_ context.Context, m Placed) error {
			seen.add("%s %d", m.Order, m.N)
			<-goOn
			return nil
		}, bus.Handler{Group: "billing"})
		w := start(t, b)
		receive := func(list ...outbox.Incoming) int {
			n, err := outbox.Receive(f.Context(t.Context()), "billing", list)
			if err != nil {
				t.Error(err)
			}
			return n
		}
		first := incoming("a", 1)
		if n := receive(first); n != 1 {
			t.Errorf("%d were new", n)
		}
		seen.want(t, "a 1")
		if n := receive(first); n != 0 {
			t.Errorf("%d were new while the first was in hand", n)
		}
		second := incoming("a", 2)
		var fresh atomic.Int64
		var both sync.WaitGroup
		for range 4 {
			both.Go(func() { fresh.Add(int64(receive(second, first))) })
		}
		both.Wait()
		if fresh.Load() != 1 {
			t.Errorf("%d were new of one that came four times at once", fresh.Load())
		}
		close(goOn)
		seen.want(t, "a 1", "a 2")
		stop(t, w)
		f.want(t, "0 0 0")
		if n := receive(first, second); n != 0 {
			t.Errorf("%d were new after they were handled", n)
		}
	})
}

// TestUnitOfTwentyThousandKeys: one unit publishes 20,000 messages, each with a key of its own, which is more than a server
// has locks for.
func TestUnitOfTwentyThousandKeys(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const n = 20_000
		patient := uow.NewRunner(uow.Config{Context: f.Context, CommitTimeout: time.Minute})
		must(t, patient.Do(t.Context(), uow.Op{Name: "publish"}, func(ctx context.Context) error {
			for i := range n {
				if err := bus.Publish(ctx, Ship{fmt.Sprint("key", i), i}); err != nil {
					return err
				}
			}
			return nil
		}))
		f.want(t, fmt.Sprint(n, " 0 0"))
		var sent atomic.Int64
		e := outbox.NewEngine(f.DB, outbox.Config{Logger: quiet()}, outbox.Consumer{
			Destination: "test.ship", Topics: []string{"test.ship"},
			Send: func(_ context.Context, batch []*outbox.Delivery) []error {
				sent.Add(int64(len(batch)))
				return nil
			},
		})
		must(t, e.Start(t.Context()))
		waitFor(t, n, sent.Load)
		must(t, e.Stop(t.Context()))
		f.want(t, "0 0 0")
	})
}

// newer is the outbox of a later version of the program, which has added to the tables.
func newer() session.Component {
	c := outbox.Component()
	tables := []string{"", "_retry", "_delayed", "_lane", "_worker", "_destination", "_subscription", "_inbox"}
	c.Steps = append(c.Steps, func(dialect.Dialect) (list []string) {
		for _, table := range tables {
			list = append(list, "ALTER TABLE urutu_message"+table+" ADD COLUMN later INT NOT NULL DEFAULT 7")
		}
		return list
	})
	return c
}

// TestOlderProgramOnNewerTables: a later version of the program has changed the tables while this one works on them. It goes
// on, and so does one that starts after that; installing its own version changes nothing.
func TestOlderProgramOnNewerTables(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen := newEvents()
		work := func(p *fixture) *bus.Worker {
			b := p.bus()
			bus.Handle(b, func(ctx context.Context, m Ship) error {
				if i, _ := bus.Current(ctx); i.Failures == 0 {
					return errNotYet
				}
				return uow.AfterCommit(ctx, func(context.Context) error { seen.add("%s %d", m.Order, m.N); return nil })
			}, bus.Handler{Retry: brief})
			return start(t, b)
		}
		round := func(n int) {
			t.Helper()
			f.publish(t, Ship{"a", n})
			must(t, bus.Publish(f.Context(t.Context()), Ship{"b", n}, bus.Options{Delay: time.Millisecond, Once: "once"}))
			seen.wait(t, 2*n)
		}
		w := work(f)
		round(1)
		must(t, f.another(t).Install(t.Context(), newer()))
		round(2)
		must(t, f.Install(t.Context(), outbox.Component()))
		stop(t, w)
		w = work(f.another(t))
		round(3)
		stop(t, w)
		f.want(t, "0 0 0")
		if got := f.ask(t, "SELECT version FROM urutu_schema WHERE component = 'outbox'"); got != fmt.Sprint(len(newer().Steps)) {
			t.Errorf("the tables are of version %s", got)
		}
	})
}

// TestNewerProgramOnOlderTables: a program whose tables have not been brought to its version says so, and publishes nothing.
func TestNewerProgramOnOlderTables(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.exec(t, "UPDATE urutu_schema SET version = version - 1 WHERE component = 'outbox'")
		p := f.another(t)
		err := p.Do(t.Context(), func(ctx context.Context) error { return bus.Publish(ctx, Ship{"a", 1}) })
		if err == nil || !strings.Contains(err.Error(), "db.Install") {
			t.Errorf("publishing says %v", err)
		}
		b := p.bus()
		bus.Handle(b, func(context.Context, Ship) error { return nil }, bus.Handler{})
		if err := b.Worker().Start(t.Context()); err == nil || !strings.Contains(err.Error(), "db.Install") {
			t.Errorf("the worker says %v", err)
		}
		f.want(t, "0 0 0")
	})
}

// TestDiskFull: where there is no room, a unit publishes nothing; a message that cannot be handled for want of it stays,
// and is handled once there is.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	f := open(t, urututest.InSQLite)
	tried := newEvents()
	worker := f.another(t)
	b := worker.bus()
	bus.Handle(b, func(ctx context.Context, m Ship) error {
		tried.add("%s", m.Order)
		return session.Add(ctx, &Note{Text: m.Order + strings.Repeat("x", 100_000)})
	}, bus.Handler{Concurrency: 1, Retry: outbox.Retry{Attempts: -1, Pause: time.Millisecond, MaxPause: time.Millisecond}})
	start(t, b)
	pages := f.ask(t, "SELECT page_count FROM pragma_page_count")
	worker.exec(t, "PRAGMA max_page_count = "+pages)
	f.publish(t, Ship{"a", 1})
	tried.wait(t, 3)
	if got := f.ask(t, "SELECT count(*) FROM urutu_message"); got != "1" {
		t.Errorf("%s messages are left", got)
	}
	worker.exec(t, "PRAGMA max_page_count = 1000000")
	waitFor(t, 1, func() int64 {
		if f.ask(t, "SELECT count(*) FROM urutu_message") == "0" {
			return 1
		}
		return 0
	})
	if n := f.ask(t, "SELECT count(*) FROM notes"); n != "1" {
		t.Errorf("%s notes", n)
	}

	pages = f.ask(t, "SELECT page_count FROM pragma_page_count")
	f.exec(t, "PRAGMA max_page_count = "+pages)
	err := f.Do(t.Context(), func(ctx context.Context) error {
		return errors.Join(bus.Publish(ctx, Charge{"b"}), session.Add(ctx, &Note{Text: strings.Repeat("y", 200_000)}))
	})
	if err == nil {
		t.Error("there was room")
	}
	f.exec(t, "PRAGMA max_page_count = 1000000")
	f.want(t, "0 0 0")
}
