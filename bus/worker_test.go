package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/faultdriver"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/urututest"
)

// writes notes the statements of each script from now on that writes, or ends a transaction; but for those of the lanes.
func (f *fixture) writes() *events {
	seen := newEvents()
	f.faults.Inject(func(s *driver.Script) faultdriver.Fault {
		var list []string
		for _, st := range s.Statements {
			list = append(list, st.Query)
		}
		text := strings.Join(append(list, s.End.String()), ", ")
		if s.End == driver.Stay && !strings.HasPrefix(text, "insert ") || strings.HasPrefix(text, "move ") || strings.HasPrefix(text, "delete urutu_message_inbox") || // what is over
			strings.Contains(text, "urutu_message_lane") || strings.Contains(text, "urutu_message_lease") || strings.Contains(text, "urutu_message_worker") {
			return nil
		}
		seen.add("%s", text)
		return nil
	})
	return seen
}

// TestPromise02_OneUnitForEachMessage: the handler's writes, its messages and the end of the message it handles are one
// commit, and the unit says what it is.
func TestPromise02_OneUnitForEachMessage(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen := newEvents()
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, m Placed) error {
			u, _ := uow.Current(ctx)
			seen.add("%s %q attempt %d", u.Op().Kind, u.Op().Name, u.Attempt())
			n := &Note{Text: m.Order}
			if err := session.Add(ctx, n); err != nil {
				return err
			}
			same, err := session.Get[Note](ctx, n.ID)
			if same != n {
				t.Errorf("the session does not know %v", n)
			}
			return errors.Join(err, bus.Publish(ctx, Charge{m.Order}))
		}, bus.Handler{Group: "billing"})
		f.publish(t, Charge{"0"}) // the destination is known
		writes := f.writes()
		w := start(t, b)
		f.publish(t, Placed{"a", 1})
		seen.want(t, `message "billing test.placed" attempt 1`)
		stop(t, w)
		got := writes.all()
		insert := "insert urutu_message, commit"
		if f.writesLock(t) {
			insert = "lock urutu_message, " + insert
		}
		want := []string{insert, "insert notes, delete urutu_message, insert urutu_message, commit"}
		if !slices.Equal(got, want) {
			t.Errorf("the transactions are\n%q, want\n%q", got, want)
		}
		f.want(t, "2 0 0")
	})
}

// writesLock reports whether units that publish messages with keys take turns by a lock.
func (f *fixture) writesLock(t *testing.T) bool {
	t.Helper()
	d, err := f.Dialect(t.Context())
	must(t, err)
	return !d.Features().OneWriter
}

// TestPromise43_AcknowledgedByTheCommit: where the commit fails, the message is handled again.
func TestPromise43_AcknowledgedByTheCommit(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.do(t, func(ctx context.Context) error { return session.Add(ctx, &Note{Text: "0"}) })
		seen := newEvents()
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, m Charge) error {
			i, _ := bus.Current(ctx)
			seen.add("%d", i.Failures)
			return errors.Join(bus.Publish(ctx, Ship{Order: m.Order}), session.Add(ctx, &Note{Text: fmt.Sprint(i.Failures)}))
		}, bus.Handler{Retry: brief})
		w := start(t, b)
		f.publish(t, Charge{"a"})
		seen.want(t, "0", "1")
		stop(t, w)
		f.want(t, "1 0 0")
		if got := f.notes(t); got != "0 1" {
			t.Errorf("the notes are %q", got)
		}
	})
}

// TestPromise45_SomebodyElseWasFaster: what was handled meanwhile is not handled twice, and is no failure.
func TestPromise45_SomebodyElseWasFaster(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		handled, other := newEvents(), f.another(t)
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, m Charge) error {
			if m.Order == "a" {
				err := other.Do(context.WithoutCancel(t.Context()), func(ctx context.Context) error {
					_, err := session.From(ctx).ExecContext(ctx, "DELETE FROM urutu_message")
					return err
				})
				if err != nil {
					return err
				}
			}
			defer handled.add("%s", m.Order)
			return errors.Join(session.Add(ctx, &Note{Text: m.Order}), bus.Publish(ctx, Ship{Order: m.Order}))
		}, bus.Handler{Concurrency: 1})
		w := start(t, b)
		f.publish(t, Charge{"a"})
		handled.want(t, "a")
		f.publish(t, Charge{"b"})
		handled.want(t, "a", "b")
		stop(t, w)
		f.want(t, "1 0 0")
		if got := f.notes(t); got != "b" {
			t.Errorf("the notes are %q", got)
		}
	})
}

// TestPromise45_TheAnswerIsLost: a commit of which nobody knows whether it happened has one effect.
func TestPromise45_TheAnswerIsLost(t *testing.T) {
	faults := map[string]faultdriver.Fault{
		"before the commit": faultdriver.LoseEnd, "after the commit": faultdriver.LoseAnswer, "before everything": faultdriver.LoseScript,
	}
	each(t, func(t *testing.T, f *fixture) {
		for name, broken := range faults {
			t.Run(name, func(t *testing.T) {
				seen := newEvents()
				b := f.bus()
				var failures atomic.Int64
				bus.Handle(b, func(ctx context.Context, m Charge) error {
					i, _ := bus.Current(ctx)
					failures.Add(int64(i.Failures))
					if m.Order == "last" {
						seen.add("last")
					}
					return bus.Publish(ctx, Ship{Order: m.Order})
				}, bus.Handler{Concurrency: 1})
				var once sync.Once
				f.faults.Inject(func(s *driver.Script) (fault faultdriver.Fault) {
					if slices.ContainsFunc(s.Statements, func(st driver.Statement) bool { return st.Query == "delete urutu_message" }) {
						once.Do(func() { fault = broken })
					}
					return fault
				})
				w := start(t, b)
				f.publish(t, Charge{"first"})
				f.publish(t, Charge{"last"})
				seen.wait(t, 1)
				stop(t, w)
				if got := f.take(t); strings.Count(got, "first") != 1 || !strings.Contains(got, "last") || failures.Load() != 0 {
					t.Errorf("stored are %q, %d failures were counted", got, failures.Load())
				}
				f.want(t, "0 0 0")
			})
		}
	})
}

// TestPromise33_OneCommitOnly: a handler cannot commit by hand. It can roll back, and the message is done all the same.
func TestPromise33_OneCommitOnly(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen := newEvents()
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, m Charge) error {
			defer seen.add("handled")
			err := session.New(ctx, func(ctx context.Context) error {
				return errors.Join(session.Add(ctx, &Note{Text: "independent"}), session.Commit(ctx))
			})
			if err != nil {
				return err
			}
			must(t, errors.Join(session.Add(ctx, &Note{Text: "undone"}), bus.Publish(ctx, Ship{Order: "undone"})))
			wantFault(t, session.Commit(ctx), fault.Unsupported)
			return errors.Join(session.Flush(ctx), session.Rollback(ctx), session.Add(ctx, &Note{Text: "kept"}))
		}, bus.Handler{})
		w := start(t, b)
		f.publish(t, Charge{"a"})
		seen.want(t, "handled")
		stop(t, w)
		f.want(t, "0 0 0")
		if got := f.notes(t); got != "independent kept" {
			t.Errorf("the notes are %q", got)
		}
	})
}

// TestPromise36_AHandlersUnitRunsAgain: a serialization failure is no failure of the message, and what the first run
// has published is not sent.
func TestPromise36_AHandlersUnitRunsAgain(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen := newEvents()
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, m Charge) error {
			u, _ := uow.Current(ctx)
			i, _ := bus.Current(ctx)
			seen.add("attempt %d, failures %d", u.Attempt(), i.Failures)
			err := errors.Join(bus.Publish(ctx, Ship{Order: m.Order}), session.Add(ctx, &Note{Text: m.Order}), session.Flush(ctx))
			if err == nil && u.Attempt() < 3 {
				err = fault.New(fault.Serialization, "another transaction")
			}
			return err
		}, bus.Handler{Unit: uow.Options{Retry: uow.Retry{Backoff: -1}}})
		w := start(t, b)
		f.publish(t, Charge{"a"})
		seen.want(t, "attempt 1, failures 0", "attempt 2, failures 0", "attempt 3, failures 0")
		stop(t, w)
		f.want(t, "1 0 0")
	})
}

// TestPromise36_HandlersThatExcludeEachOther: of two serializable handlers that have both read before either wrote, one runs
// again, which is no failure of its message.
func TestPromise36_HandlersThatExcludeEachOther(t *testing.T) {
	t.Parallel()
	f := open(t, urututest.InPostgres)
	seen := newEvents()
	var both sync.WaitGroup
	both.Add(2)
	b := f.bus()
	bus.Handle(b, func(ctx context.Context, m Charge) error {
		n, err := session.Count[Note](ctx)
		if u, _ := uow.Current(ctx); u.Attempt() == 1 {
			both.Done()
			both.Wait()
		}
		if i, _ := bus.Current(ctx); i.Failures > 0 {
			seen.add("failed")
		}
		return errors.Join(err, session.Add(ctx, &Note{Text: fmt.Sprint(m.Order, n)}), uow.AfterCommit(ctx, func(context.Context) error {
			seen.add("%d", n)
			return nil
		}))
	}, bus.Handler{Concurrency: 2, Unit: uow.Options{Isolation: uow.Serializable, Retry: uow.Retry{Backoff: -1}}})
	w := start(t, b)
	f.publish(t, Charge{"a"}, Charge{"b"})
	seen.want(t, "0", "1")
	stop(t, w)
	f.want(t, "0 0 0")
}

// TestPromise36_AHandlersUnitRunsAgainSoOften: then its message has failed, and is tried later.
func TestPromise36_AHandlersUnitRunsAgainSoOften(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen := newEvents()
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, _ Charge) error {
			u, _ := uow.Current(ctx)
			i, _ := bus.Current(ctx)
			seen.add("attempt %d, failures %d", u.Attempt(), i.Failures)
			if i.Failures == 0 {
				return fault.New(fault.Serialization, "another transaction")
			}
			return nil
		}, bus.Handler{Retry: outbox.Retry{Pause: time.Millisecond}, Unit: uow.Options{Retry: uow.Retry{Attempts: 2, Backoff: -1}}})
		w := start(t, b)
		f.publish(t, Charge{"a"})
		seen.want(t, "attempt 1, failures 0", "attempt 2, failures 0", "attempt 1, failures 1")
		stop(t, w)
		f.want(t, "0 0 0")
	})
}

// TestTimeoutOfADeafHandler: a handler that does not return when its context ends keeps its place, and what it returns too late is
// undone.
func TestTimeoutOfADeafHandler(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen := newEvents()
		release := make(chan struct{})
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, m Ship) error {
			i, _ := bus.Current(ctx)
			err := session.Add(ctx, &Note{Text: fmt.Sprint(m.N, " after ", i.Failures)})
			if m.N == 1 && i.Failures == 0 {
				<-ctx.Done()
				seen.add("too late")
				<-release
			}
			seen.add("%d", m.N)
			return err
		}, bus.Handler{Timeout: time.Second, Concurrency: 1, Retry: outbox.Retry{Pause: time.Millisecond}})
		w := start(t, b)
		f.publish(t, Ship{"a", 1}, Ship{"a", 2})
		seen.want(t, "too late")
		f.want(t, "2 0 0")
		close(release)
		seen.want(t, "too late", "1", "1", "2")
		stop(t, w)
		f.want(t, "0 0 0")
		if got := f.notes(t); got != "1 after 1 2 after 0" {
			t.Errorf("the notes are %q", got)
		}
	})
}

// TestHandlerOptions: the options of the unit are the handler's, the timeout is its own.
func TestHandlerOptions(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		got := make(chan uow.Options, 4)
		note := func(ctx context.Context) error {
			u, _ := uow.Current(ctx)
			got <- u.Op().Options
			return nil
		}
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, _ Charge) error { return note(ctx) }, bus.Handler{
			Timeout: time.Hour, Unit: uow.Options{Isolation: uow.Serializable, Uses: []string{"default"}},
		})
		bus.Handle(b, func(ctx context.Context, _ Ship) error { return note(ctx) }, bus.Handler{})
		bus.Handle(b, func(ctx context.Context, _ Remind) error { return note(ctx) }, bus.Handler{Group: "reminders", Timeout: -1})
		start(t, b)
		f.publish(t, Charge{"a"})
		if o := <-got; o.Isolation != uow.Serializable || o.Timeout != time.Hour {
			t.Errorf("the options are %+v", o)
		}
		f.publish(t, Ship{"a", 1})
		if o := <-got; o.Timeout != time.Minute {
			t.Errorf("the timeout is %s", o.Timeout)
		}
		f.publish(t, Remind{"a"})
		if o := <-got; o.Timeout != 0 {
			t.Errorf("the timeout is %s", o.Timeout)
		}
	})
}

// TestWorkerInterceptors: they wrap every handler, within its unit.
func TestWorkerInterceptors(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen := newEvents()
		around := func(name string) uow.Interceptor {
			return func(next uow.Handler) uow.Handler {
				return func(ctx context.Context, op uow.Op) error {
					i, _ := bus.Current(ctx)
					seen.add("%s %s %s", name, op.Kind, i.Topic)
					defer seen.add("%s ends", name)
					return errors.Join(session.Add(ctx, &Note{Text: name}), next(ctx, op))
				}
			}
		}
		b := bus.New(f.DB, bus.Config{Logger: quiet(), Interceptors: []uow.Interceptor{around("outer"), around("inner")}})
		bus.Handle(b, func(context.Context, Charge) error {
			seen.add("handler")
			return nil
		}, bus.Handler{})
		w := start(t, b)
		f.publish(t, Charge{"a"})
		seen.want(t, "outer message test.charge", "inner message test.charge", "handler", "inner ends", "outer ends")
		stop(t, w)
		if got := f.notes(t); got != "inner outer" {
			t.Errorf("the notes are %q", got)
		}
	})
}

// TestConcurrency: each handler has as many messages in hand as it may, and no more, whatever the others do.
func TestConcurrency(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const limit, n = 3, 12
		gate, started, quick := make(chan bool), make(chan bool, n), newEvents()
		var running, most atomic.Int64
		b := f.bus()
		bus.Handle(b, func(context.Context, Charge) error {
			now := running.Add(1)
			for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
			}
			started <- true
			<-gate
			running.Add(-1)
			return nil
		}, bus.Handler{Concurrency: limit})
		bus.Handle(b, func(_ context.Context, m Ship) error {
			quick.add("%d", m.N)
			return nil
		}, bus.Handler{Concurrency: 1})
		var list []message.Message
		for i := range n {
			list = append(list, Charge{fmt.Sprint(i)})
		}
		f.publish(t, list...)
		start(t, b)
		defer close(gate)
		for range limit {
			<-started
		}
		f.publish(t, Ship{N: 1}, Ship{N: 2}, Ship{N: 3})
		quick.wait(t, 3)
		for range n - limit {
			gate <- true
			<-started
		}
		if m := most.Load(); m != limit {
			t.Errorf("%d were in hand at once", m)
		}
	})
}

// TestConcurrencyWithinAGroup: two handlers of one group have limits of their own.
func TestConcurrencyWithinAGroup(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		gate, started, quick := make(chan bool), make(chan bool, 10), newEvents()
		b := f.bus()
		bus.Handle(b, func(context.Context, Remind) error {
			started <- true
			<-gate
			return nil
		}, bus.Handler{Group: "one", Concurrency: 1})
		bus.Handle(b, func(_ context.Context, m Placed) error {
			quick.add("%d", m.N)
			return nil
		}, bus.Handler{Group: "one", Concurrency: 1})
		start(t, b)
		f.publish(t, Remind{"1"}, Remind{"2"}, Remind{"3"})
		<-started
		f.publish(t, Placed{"a", 1}, Placed{"b", 2}, Placed{"c", 3})
		quick.wait(t, 3)
		close(gate)
		<-started
		<-started
	})
}

// TestKeyOrder: of a key one message is in hand at a time, in the order of the commits, also where some fail. Others
// go on meanwhile, of whatever topic of the group.
func TestKeyOrder(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const keys, n = 6, 20
		o := newOrders()
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, m Placed) error {
			defer o.hand(t, m.Order)()
			if i, _ := bus.Current(ctx); m.N%5 == 3 && i.Failures < 2 {
				return errors.New("not yet")
			}
			return o.done(ctx, m.Order, m.N)
		}, bus.Handler{Group: "billing", Retry: brief})
		bus.Handle(b, func(ctx context.Context, m Moved) error {
			defer o.hand(t, m.Order)()
			return o.done(ctx, m.Order, m.N)
		}, bus.Handler{Group: "billing", Retry: brief})
		w := start(t, b)
		for i := range n {
			f.do(t, func(ctx context.Context) error {
				var errs []error
				for k := range keys {
					order := fmt.Sprintf("key%d", k)
					if i%2 == 0 {
						errs = append(errs, bus.Publish(ctx, Placed{order, i}))
					} else {
						errs = append(errs, bus.Publish(ctx, Moved{order, i}))
					}
				}
				return errors.Join(errs...)
			})
		}
		o.check(t, keys, n)
		stop(t, w)
		f.want(t, "0 0 0")
	})
}

// Moved is another event about what Placed is about.
type Moved struct {
	Order string
	N     int
}

func (Moved) MessageType() message.Type { return message.Type{Topic: "test.moved"} }
func (m Moved) MessageKey() string      { return m.Order }

// orders checks the order in which the messages of each key are handled.
type orders struct {
	*events
	mu     sync.Mutex
	inHand map[string]int   // guarded by mu
	seen   map[string][]int // guarded by mu
}

func newOrders() *orders {
	return &orders{events: newEvents(), inHand: map[string]int{}, seen: map[string][]int{}}
}

// hand has a message of a key in hand until the function that it returns is called.
func (o *orders) hand(t *testing.T, key string) func() {
	add := func(n int) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.inHand[key] += n; o.inHand[key] > 1 {
			t.Errorf("two messages of %s are in hand", key)
		}
	}
	add(1)
	return func() { add(-1) }
}

// done notes the message with the number n once its unit has committed.
func (o *orders) done(ctx context.Context, key string, n int) error {
	return errors.Join(
		session.Add(ctx, &Note{Text: fmt.Sprintf("%s/%d", key, n)}), // which there may be only once
		uow.AfterCommit(ctx, func(context.Context) error {
			o.mu.Lock()
			o.seen[key] = append(o.seen[key], n)
			o.mu.Unlock()
			o.add("%s %d", key, n)
			return nil
		}),
	)
}

// check waits until the first n messages of all keys were handled, and checks their order.
func (o *orders) check(t *testing.T, keys, n int) {
	t.Helper()
	o.wait(t, keys*n)
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, list := range o.seen {
		if len(list) != n || !slices.IsSorted(list) {
			t.Errorf("of %s were handled: %v", key, list)
		}
	}
}

// TestSeveralProcesses: they share the work, whoever comes and goes, and each message has one effect, in the order of its
// key.
func TestSeveralProcesses(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const keys = 12
		o := newOrders()
		var mu sync.Mutex
		by := map[string]int{}
		process := func(name string) *bus.Worker {
			b := f.another(t).bus()
			bus.Handle(b, func(ctx context.Context, m Ship) error {
				defer o.hand(t, m.Order)()
				mu.Lock()
				by[name]++
				mu.Unlock()
				return o.done(ctx, m.Order, m.N)
			}, bus.Handler{Retry: brief})
			return start(t, b)
		}
		n := 0
		more := func() {
			t.Helper()
			for k := range keys {
				f.publish(t, Ship{fmt.Sprintf("key%d", k), n})
			}
			n++
		}
		works := func(name string) bool {
			mu.Lock()
			defer mu.Unlock()
			return by[name] > 0
		}
		first := process("first")
		more()
		o.check(t, keys, n)
		second := process("second")
		if f.writesLock(t) { // it has lanes to share
			for deadline := time.Now().Add(patience); !works("second") && time.Now().Before(deadline); {
				more()
				o.check(t, keys, n)
			}
		}
		more()
		stop(t, first)
		more()
		o.check(t, keys, n)
		third := process("third")
		more()
		stop(t, second)
		more()
		o.check(t, keys, n)
		stop(t, third)
		mu.Lock()
		defer mu.Unlock()
		if len(by) != 3 && f.writesLock(t) || by["first"] == 0 || by["second"] == 0 {
			t.Errorf("the work was done by %v", by)
		}
		f.want(t, "0 0 0")
	})
}

// TestWorkerOnAConnection: the messages may be in another database than the default one, which handlers use.
func TestWorkerOnAConnection(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		other := open(t, f.database)
		db := openBoth(t, f, other)
		seen := newEvents()
		b := bus.New(db, bus.Config{Connection: "other", Logger: quiet()})
		bus.Handle(b, func(ctx context.Context, m Charge) error {
			defer seen.add("handled")
			return session.Add(ctx, &Note{Text: m.Order})
		}, bus.Handler{})
		w := start(t, b)
		must(t, bus.Publish(session.On(db.Context(t.Context()), "other"), Charge{"x"}))
		seen.want(t, "handled")
		stop(t, w)
		other.want(t, "0 0 0")
		if got := f.notes(t); got != "x" {
			t.Errorf("the notes are %q", got)
		}
	})
}

// TestWrongRegistrations: the worker does not start, and says what is wrong.
func TestWrongRegistrations(t *testing.T) {
	nothing := func(context.Context, Placed) error { return nil }
	cases := map[string]struct {
		register func(b *bus.Bus)
		want     string
	}{
		"an event without a group": {func(b *bus.Bus) { bus.Handle(b, nothing, bus.Handler{}) }, "test.placed"},
		"a wrong group":            {func(b *bus.Bus) { bus.Handle(b, nothing, bus.Handler{Group: "Mail"}) }, "Mail"},
		"a topic twice": {func(b *bus.Bus) {
			bus.Handle(b, nothing, bus.Handler{Group: "mail"})
			bus.Handle(b, nothing, bus.Handler{Group: "mail"})
		}, "twice"},
		"a task with a group": {func(b *bus.Bus) {
			bus.Handle(b, func(context.Context, Charge) error { return nil }, bus.Handler{Group: "mail"})
		}, "mail"},
		"a pointer": {func(b *bus.Bus) {
			bus.Handle(b, func(context.Context, *Placed) error { return nil }, bus.Handler{Group: "mail"})
		}, "*bus_test.Placed"},
		"an interface": {func(b *bus.Bus) {
			bus.Handle(b, func(context.Context, message.Message) error { return nil }, bus.Handler{Group: "mail"})
		}, "message.Message"},
		"a wrong topic": {func(b *bus.Bus) {
			bus.Handle(b, func(context.Context, Odd) error { return nil }, bus.Handler{Group: "mail"})
		}, "topic"},
		"no function": {func(b *bus.Bus) { bus.Handle[Placed](b, nil, bus.Handler{Group: "mail"}) }, "test.placed"},
		"a read-only unit": {func(b *bus.Bus) {
			bus.Handle(b, nothing, bus.Handler{Group: "mail", Unit: uow.Options{ReadOnly: true}})
		}, "read-only"},
		"a unit that may not use the connection": {func(b *bus.Bus) {
			bus.Handle(b, nothing, bus.Handler{Group: "mail", Unit: uow.Options{Skip: []string{"default"}}})
		}, "default"},
	}
	each(t, func(t *testing.T, f *fixture) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				b := f.bus()
				c.register(b)
				err := b.Worker().Start(t.Context())
				wantFault(t, err, fault.Misconfigured)
				if err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("the error does not say what it is about, %s: %v", c.want, err)
				}
			})
		}
	})
}

// TestWorkerWithoutTables: it does not start, and may be started once they are there.
func TestWorkerWithoutTables(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		set := func(version string) {
			t.Helper()
			f.do(t, func(ctx context.Context) error {
				_, err := session.From(ctx).ExecContext(ctx, "UPDATE urutu_schema SET version = "+version+" WHERE component = 'outbox'")
				return err
			})
		}
		installed := f.ask(t, "SELECT version FROM urutu_schema WHERE component = 'outbox'")
		set("0")
		seen := newEvents()
		b := f.bus()
		bus.Handle(b, func(context.Context, Charge) error {
			seen.add("handled")
			return nil
		}, bus.Handler{})
		w := b.Worker()
		wantFault(t, w.Start(t.Context()), fault.Misconfigured)
		stop(t, w)
		set(installed)
		must(t, w.Start(t.Context()))
		f.publish(t, Charge{"a"})
		seen.want(t, "handled")
		stop(t, w)
	})
}

// V2 is the second version of a message, which reads the first one.
type V2 struct{ Cents int64 }

func (V2) MessageType() message.Type {
	return message.Type{Topic: "test.price", Kind: message.Task, Version: 2}
}

func (m *V2) UpgradeMessage(version int, payload []byte) error {
	var old V1
	if version != 1 {
		return fmt.Errorf("version %d", version)
	}
	err := json.Unmarshal(payload, &old)
	m.Cents = 100 * old.Euros
	return err
}

// V1 is the first version of V2.
type V1 struct{ Euros int64 }

func (V1) MessageType() message.Type {
	return message.Type{Topic: "test.price", Kind: message.Task}
}

// TestOlderVersions: they are read by the type's own means.
func TestOlderVersions(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen := newEvents()
		b := f.bus()
		bus.Handle(b, func(_ context.Context, m V2) error {
			seen.add("%d", m.Cents)
			return nil
		}, bus.Handler{})
		start(t, b)
		f.publish(t, V1{7}, V2{50})
		seen.wantAny(t, "700", "50")
	})
}

// TestHeadersOfAWorkersContext: what the worker was started with is no message's business.
func TestHeadersOfAWorkersContext(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		got := make(chan message.Headers, 1)
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, m Charge) error { return bus.Publish(ctx, Ship{Order: m.Order}) }, bus.Handler{})
		bus.Handle(b, func(ctx context.Context, _ Ship) error {
			i, _ := bus.Current(ctx)
			got <- i.Headers
			return nil
		}, bus.Handler{})
		w := b.Worker()
		must(t, w.Start(message.WithHeaders(t.Context(), message.Headers{message.Tenant: "starter"})))
		t.Cleanup(func() { stop(t, w) })
		f.publish(t, Charge{"a"})
		if h := <-got; h[message.Tenant] != "" {
			t.Errorf("the headers are %q", slices.Collect(maps.Keys(h)))
		}
	})
}
