package bus_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/faultdriver"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
)

var errNotYet = errors.New("not yet")

// TestPromise42_AFailingHandler: what it wrote and published is undone each time, it is tried again, and after as many
// attempts as it has the message is parked, with everything that is known of it.
func TestPromise42_AFailingHandler(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen := newEvents()
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, m Charge) error {
			i, _ := bus.Current(ctx)
			defer seen.add("%d", i.Failures)
			return errors.Join(session.Add(ctx, &Note{Text: fmt.Sprint(i.Failures)}), bus.Publish(ctx, Ship{Order: m.Order}),
				session.Flush(ctx), errNotYet)
		}, bus.Handler{Retry: outbox.Retry{Attempts: 3, Pause: time.Millisecond}})
		w := start(t, b)
		f.publish(t, Charge{"a"})
		seen.want(t, "0", "1", "2")
		stop(t, w)
		f.want(t, "1 1 0")
		if got := f.failures(t); got != "test.charge 3 error parked: not yet" {
			t.Errorf("written down is %q", got)
		}
		if got := f.notes(t); got != "" {
			t.Errorf("the notes are %q", got)
		}
	})
}

// TestPromise42_TheTraceOfAFailure: a rollback, then one statement that writes the failure down; nothing of the message
// is touched.
func TestPromise42_TheTraceOfAFailure(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen := newEvents()
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, m Charge) error {
			defer seen.add("tried")
			return errors.Join(session.Add(ctx, &Note{Text: m.Order}), session.Flush(ctx), bus.Permanent(errNotYet))
		}, bus.Handler{})
		f.publish(t, Charge{"the destination is known"})
		f.clear(t)
		writes := f.writes()
		w := start(t, b)
		f.publish(t, Charge{"a"})
		seen.wait(t, 1)
		stop(t, w)
		got, want := writes.all(), []string{"insert urutu_message, commit", "insert notes, stay", "rollback", "insert urutu_message_retry, stay"}
		if !slices.Equal(got, want) {
			t.Errorf("the scripts are %q, want %q", got, want)
		}
		f.want(t, "1 1 0")
	})
}

// TestRetrySucceeds: a message that succeeds in the end leaves nothing.
func TestRetrySucceeds(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen := newEvents()
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, m Charge) error {
			i, _ := bus.Current(ctx)
			seen.add("%d", i.Failures)
			if i.Failures < 14 {
				return errNotYet
			}
			return session.Add(ctx, &Note{Text: m.Order})
		}, bus.Handler{Retry: outbox.Retry{Attempts: -1, Pause: time.Millisecond, MaxPause: 2 * time.Millisecond}})
		w := start(t, b)
		f.publish(t, Charge{"a"})
		var want []string
		for i := range 15 {
			want = append(want, fmt.Sprint(i))
		}
		seen.want(t, want...)
		stop(t, w)
		f.want(t, "0 0 0")
		if got := f.notes(t); got != "a" {
			t.Errorf("the notes are %q", got)
		}
	})
}

// TestRetryDefaults: a message is parked after twelve attempts where nothing else is said.
func TestRetryDefaults(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen := newEvents()
		b := f.bus()
		bus.Handle(b, func(context.Context, Charge) error {
			seen.add("tried")
			return errNotYet
		}, bus.Handler{Retry: brief})
		w := start(t, b)
		f.publish(t, Charge{"a"})
		seen.wait(t, 12)
		stop(t, w)
		if got := f.failures(t); got != "test.charge 12 error parked: not yet" {
			t.Errorf("written down is %q", got)
		}
	})
}

// TestAnotherProcessTriesAgain: failures are counted in the database.
func TestAnotherProcessTriesAgain(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen := newEvents()
		process := func(name string) *bus.Worker {
			b := f.another(t).bus()
			bus.Handle(b, func(ctx context.Context, _ Charge) error {
				i, _ := bus.Current(ctx)
				seen.add("%s %d", name, i.Failures)
				return bus.RetryAfter(10*time.Millisecond, errNotYet)
			}, bus.Handler{Retry: outbox.Retry{Attempts: 2}})
			return start(t, b)
		}
		f.publish(t, Charge{"a"})
		w := process("first")
		seen.wait(t, 1)
		w.StopIntake()
		stop(t, w)
		tried := len(seen.all())
		w = process("second")
		got := seen.wait(t, 2)
		stop(t, w)
		if tried == 1 && got[1] != "second 1" {
			t.Errorf("the attempts are %q", got)
		}
		if got := f.failures(t); got != "test.charge 2 error parked: not yet" {
			t.Errorf("written down is %q", got)
		}
	})
}

// TestWhatAFailureIs: reason, text and whether it is tried again, by what a handler does.
func TestWhatAFailureIs(t *testing.T) {
	cases := map[string]struct {
		fail func(ctx context.Context) error
		want string
	}{
		"an error":        {func(context.Context) error { return errNotYet }, "1 error: not yet"},
		"a permanent one": {func(context.Context) error { return bus.Permanent(errNotYet) }, "1 permanent parked: not yet"},
		"a permanent one, wrapped": {
			func(context.Context) error { return fmt.Errorf("charge: %w", bus.Permanent(errNotYet)) }, "1 permanent parked: ",
		},
		"one for later": {func(context.Context) error { return bus.RetryAfter(time.Hour, errNotYet) }, "1 error: not yet"},
		"a panic":       {func(context.Context) error { panic("boom") }, "1 panic: panic: boom"},
		"a panic with an error": {
			func(context.Context) error { panic(io.ErrUnexpectedEOF) }, "1 panic: panic: unexpected EOF",
		},
		"the end of the goroutine": {func(context.Context) error { runtime.Goexit(); return nil }, "1 panic: "},
		"a timeout": {func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}, "1 timeout: "},
		"a timeout that it does not notice": {func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		}, "1 timeout: "},
		"a timeout that it wraps": {func(ctx context.Context) error {
			<-ctx.Done()
			return fmt.Errorf("ask the provider: %w", ctx.Err())
		}, "1 timeout: ask the provider: "},
		"a statement that takes too long": {func(ctx context.Context) error {
			endless := "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n WHERE i < 0"
			var n int
			return session.From(ctx).QueryRowContext(ctx, endless).Scan(&n)
		}, "1 timeout: "},
		"an error at the commit": {twins, "1 error: "},
		"an error nobody returned": {func(ctx context.Context) error {
			_ = errors.Join(twins(ctx), session.Flush(ctx))
			return nil
		}, "1 error: "},
		"a text that no column takes": {func(context.Context) error {
			return errors.New("a\x00b\xff" + strings.Repeat("ä", 5000))
		}, "1 error: ab\uFFFDää"},
		"a kind that the application asks for": {func(context.Context) error { return fault.New(fault.Conflict, "taken") }, "1 error: conflict: taken"},
	}
	each(t, func(t *testing.T, f *fixture) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				failures := newEvents()
				var handled atomic.Int64
				b := bus.New(f.DB, bus.Config{Logger: failures.failureLog()})
				bus.Handle(b, func(ctx context.Context, m Charge) error {
					if m.Order == "next" {
						handled.Add(1)
						return nil
					}
					return errors.Join(session.Add(ctx, &Note{Text: "undone"}), c.fail(ctx))
				}, bus.Handler{Concurrency: 1, Timeout: 100 * time.Millisecond, Retry: outbox.Retry{Pause: time.Hour, MaxPause: time.Hour}})
				w := start(t, b)
				f.publish(t, Charge{"a"})
				failures.wait(t, 1)
				f.publish(t, Charge{"next"}) // the one place is free again
				stop(t, w)
				want, _, _ := strings.Cut(c.want, ":")
				if got := f.failures(t); !strings.HasPrefix(got, "test.charge "+c.want) {
					t.Errorf("written down is %.200q, want %q", got, want)
				}
				if got := f.notes(t); got != "" {
					t.Errorf("the notes are %q", got)
				}
				f.clear(t)
			})
		}
	})
}

// clear deletes all messages.
func (f *fixture) clear(t *testing.T) {
	t.Helper()
	f.do(t, func(ctx context.Context) error {
		for _, table := range []string{"urutu_message", "urutu_message_retry", "urutu_message_delayed"} {
			if _, err := session.From(ctx).ExecContext(ctx, "DELETE FROM "+table); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestNilIsNoFailure: the functions that wrap errors leave success as it is.
func TestNilIsNoFailure(t *testing.T) {
	t.Parallel()
	if bus.Permanent(nil) != nil || bus.RetryAfter(time.Second, nil) != nil {
		t.Error("nil is a failure")
	}
	for _, err := range []error{bus.Permanent(errNotYet), bus.RetryAfter(0, errNotYet)} {
		if !errors.Is(err, errNotYet) || err.Error() != "not yet" {
			t.Errorf("the error is %v", err)
		}
	}
}

// TestRetryAfter: the pause is the handler's, whatever the policy says, and it is not over early.
func TestRetryAfter(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const pause = 30 * time.Millisecond
		tries := make(chan time.Time, 2)
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, _ Charge) error {
			if i, _ := bus.Current(ctx); i.Failures == 0 {
				tries <- time.Now()
				return fmt.Errorf("charge: %w", bus.RetryAfter(pause, errNotYet))
			}
			tries <- time.Now()
			return nil
		}, bus.Handler{Retry: outbox.Retry{Pause: time.Hour, MaxPause: time.Hour}})
		start(t, b)
		f.publish(t, Charge{"a"})
		first := <-tries
		if waited := (<-tries).Sub(first); waited < pause-time.Microsecond || waited > patience {
			t.Errorf("it was tried again after %s", waited)
		}
	})
}

// TestOutageIsNoFailure: where the database does not answer, nothing is said about the message.
func TestOutageIsNoFailure(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		var calls atomic.Int64
		seen := newEvents()
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, m Ship) error {
			i, _ := bus.Current(ctx)
			seen.add("%d, failures %d", m.N, i.Failures)
			if calls.Add(1) < 4 {
				return &fault.Error{Kind: fault.ConnectionLost, Op: "session.Get"}
			}
			return nil
		}, bus.Handler{Concurrency: 1, Retry: outbox.Retry{Attempts: 1}})
		w := start(t, b)
		f.publish(t, Ship{"a", 1}, Ship{"a", 2})
		seen.want(t, "1, failures 0", "1, failures 0", "1, failures 0", "1, failures 0", "2, failures 0")
		stop(t, w)
		f.want(t, "0 0 0")
	})
}

// TestPromise44_ATimeoutSettles: more messages than places, each takes too long, and all of them are parked.
func TestPromise44_ATimeoutSettles(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		failures := newEvents()
		b := bus.New(f.DB, bus.Config{Logger: failures.failureLog()})
		bus.Handle(b, func(ctx context.Context, _ Charge) error {
			if err := errors.Join(session.Add(ctx, &Note{Text: "x"}), session.Flush(ctx)); err != nil {
				return err
			}
			<-ctx.Done()
			return nil
		}, bus.Handler{Concurrency: 1, Timeout: 5 * time.Millisecond, Retry: outbox.Retry{Attempts: 1}})
		w := start(t, b)
		f.publish(t, Charge{"a"}, Charge{"b"}, Charge{"c"})
		failures.want(t, "timeout test.charge", "timeout test.charge", "timeout test.charge")
		stop(t, w)
		f.want(t, "3 3 0")
		if got := f.notes(t); got != "" {
			t.Errorf("the notes are %q", got)
		}
	})
}

// TestUnknownTopic: a message of the group whose handler is not in this program is parked.
func TestUnknownTopic(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.subscribe(t, "one")
		failures, seen := newEvents(), newEvents()
		b := bus.New(f.DB, bus.Config{Logger: failures.failureLog()})
		bus.Handle(b, func(_ context.Context, m Placed) error {
			seen.add("%s", m.Order)
			return nil
		}, bus.Handler{Group: "one"})
		w := start(t, b)
		f.publish(t, Remind{"x"}, Placed{"y", 1})
		failures.want(t, "unknown_topic test.remind")
		seen.want(t, "y")
		stop(t, w)
		f.want(t, "1 1 0")
		if got := f.failures(t); got != "test.remind 1 unknown_topic parked: the group one has no handler for the topic test.remind" {
			t.Errorf("written down is %q", got)
		}
	})
}

// TestUndecodable: what nobody here can read is parked as it is, and those after it go on.
func TestUndecodable(t *testing.T) {
	text := func(s string) func(m *rawMessage) { return func(m *rawMessage) { m.payload = []byte(s) } }
	envelope := func(s string) func(m *rawMessage) { return func(m *rawMessage) { m.envelope = []byte(s) } }
	cases := map[string]struct {
		change func(m *rawMessage)
		reason outbox.Reason
	}{
		"no JSON":                {text("x"), outbox.Undecodable},
		"nothing":                {text(""), outbox.Undecodable},
		"another type":           {text(`{"Cents":"many"}`), outbox.Undecodable},
		"an older version":       {envelope(`{"e":1,"v":1}`), outbox.Undecodable},
		"a newer version":        {envelope(`{"e":1,"v":3}`), outbox.Newer},
		"a newer envelope":       {envelope(`{"e":2,"v":1,"h":"another form"}`), outbox.Newer},
		"an envelope without":    {envelope(`{}`), outbox.Undecodable},
		"an envelope of nothing": {envelope(``), outbox.Undecodable},
		"another envelope":       {envelope(`\x00\xff`), outbox.Undecodable},
	}
	each(t, func(t *testing.T, f *fixture) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				failures, seen := newEvents(), newEvents()
				b := bus.New(f.DB, bus.Config{Logger: failures.failureLog()})
				bus.Handle(b, func(_ context.Context, m V2) error {
					seen.add("%d", m.Cents)
					return nil
				}, bus.Handler{})
				f.publish(t, V2{1})
				m := rawMessage{[]byte(`{"e":1,"v":2}`), []byte(`{"Cents":"none"}`)}
				if c.change(&m); name == "an older version" {
					m.payload = []byte(`{"Euros":"many"}`)
				}
				f.overwrite(t, m)
				f.publish(t, V2{2})
				w := start(t, b)
				failures.want(t, string(c.reason)+" test.price")
				seen.want(t, "2")
				stop(t, w)
				f.want(t, "1 1 0")
				if got := f.failures(t); !strings.HasPrefix(got, "test.price 1 "+string(c.reason)+" parked: ") {
					t.Errorf("written down is %q", got)
				}
				if got := f.ask(t, "SELECT count(*) FROM urutu_message WHERE length(payload) = "+fmt.Sprint(len(m.payload))); got != "1" {
					t.Error("the message is not what it was")
				}
				f.clear(t)
			})
		}
	})
}

// rawMessage is what is stored of a message.
type rawMessage struct{ envelope, payload []byte }

// overwrite replaces what is stored of all messages.
func (f *fixture) overwrite(t *testing.T, m rawMessage) {
	t.Helper()
	text := "UPDATE urutu_message SET headers = ?, payload = ?"
	if f.writesLock(t) {
		text = "UPDATE urutu_message SET headers = $1, payload = $2"
	}
	f.do(t, func(ctx context.Context) error {
		_, err := session.From(ctx).ExecContext(ctx, text, m.envelope, m.payload)
		return err
	})
}

// TestAKeyWaitsForItsFailure: messages of a key wait for one that failed, also while it is parked and in another process;
// others do not.
func TestAKeyWaitsForItsFailure(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen := newEvents()
		handle := func(p *fixture) *bus.Worker {
			b := p.bus()
			bus.Handle(b, func(ctx context.Context, m Ship) error {
				defer seen.add("%s %d", m.Order, m.N)
				if m.Order == "a" && m.N == 1 {
					return bus.Permanent(errNotYet)
				}
				return nil
			}, bus.Handler{Concurrency: 1})
			return start(t, b)
		}
		w := handle(f)
		f.publish(t, Ship{"a", 1})
		seen.want(t, "a 1")
		f.publish(t, Ship{"a", 2}, Ship{"b", 1}, Ship{"a", 3}, Ship{"", 1})
		seen.wait(t, 3)
		f.publish(t, Ship{"b", 2})
		seen.wait(t, 4)
		stop(t, w)
		f.want(t, "3 1 0")

		w = handle(f.another(t))
		f.publish(t, Ship{"a", 4}, Ship{"b", 3})
		seen.wait(t, 5)
		stop(t, w)
		f.want(t, "4 1 0")
		for _, s := range seen.all()[1:] {
			if strings.HasPrefix(s, "a ") {
				t.Errorf("%q went before what is parked", s)
			}
		}
	})
}

// TestSkip: where the handler says so, messages of a key overtake one that failed.
func TestSkip(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen := newEvents()
		b := f.bus()
		bus.Handle(b, func(_ context.Context, m Ship) error {
			defer seen.add("%d", m.N)
			if m.N == 1 {
				return errNotYet
			}
			return nil
		}, bus.Handler{Retry: outbox.Retry{Skip: true, Attempts: 2, Pause: time.Millisecond}})
		w := start(t, b)
		f.publish(t, Ship{"a", 1}, Ship{"a", 2}, Ship{"a", 3})
		seen.wantAny(t, "1", "1", "2", "3")
		stop(t, w)
		f.want(t, "1 1 0")
	})
}

// TestTwoDatabases: where a message is in one database and what its handler writes in another, the message goes last, so
// that it is handled again where the other commit was lost.
func TestTwoDatabases(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		other := open(t, f.database)
		cfg, theirs := f.config("default", true), other.config("other", false)
		seen := newEvents()
		// The first time, the line to the default database breaks before the COMMIT.
		lossy, once := faultdriver.New(driverOf(f.url)), sync.Once{}
		cfg.Drivers = []driver.Driver{lossy}
		lossy.Inject(func(s *driver.Script) (broken faultdriver.Fault) {
			if s.End == driver.Commit {
				once.Do(func() { broken = faultdriver.LoseEnd })
			}
			return broken
		})
		db, err := session.Open(t.Context(), cfg, theirs)
		must(t, err)
		t.Cleanup(func() { must(t, db.Close()) })
		b := bus.New(db, bus.Config{Connection: "other", Logger: quiet()})
		bus.Handle(b, func(ctx context.Context, m Charge) error {
			defer seen.add("tried")
			return session.Add(ctx, &Note{Text: m.Order})
		}, bus.Handler{Retry: brief})
		w := start(t, b)
		must(t, bus.Publish(session.On(db.Context(t.Context()), "other"), Charge{"x"}))
		seen.want(t, "tried", "tried")
		stop(t, w)
		other.want(t, "0 0 0")
		if got := f.notes(t); got != "x" {
			t.Errorf("the notes are %q", got)
		}
	})
}
