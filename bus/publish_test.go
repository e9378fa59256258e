package bus_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/urututest"
)

// Noted is an event about an entity.
type Noted struct{ ID uuid.UUID }

func (Noted) MessageType() message.Type { return message.Type{Topic: "test.noted"} }

// TestPromise38_TheEntityIsThere: the id of a new entity can be published before it is written, and whoever handles the
// message finds it.
func TestPromise38_TheEntityIsThere(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen := newEvents()
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, m Noted) error {
			n, err := session.Get[Note](ctx, m.ID)
			if err == nil {
				seen.add("%s", n.Text)
			}
			return err
		}, bus.Handler{Group: "readers"})
		start(t, b)
		f.do(t, func(ctx context.Context) error {
			n := &Note{Text: "x"}
			return errors.Join(session.Add(ctx, n), bus.Publish(ctx, Noted{n.ID}))
		})
		seen.want(t, "x")
	})
}

// TestPromise39_NothingLeavesAFailedUnit: however a unit fails, and whatever it published before and after.
func TestPromise39_NothingLeavesAFailedUnit(t *testing.T) {
	failed := errors.New("no")
	cases := map[string]func(ctx context.Context) error{
		"an error":                   func(context.Context) error { return failed },
		"a panic":                    func(context.Context) error { panic(failed) },
		"an error from the database": func(ctx context.Context) error { return errors.Join(twins(ctx), session.Flush(ctx)) },
		"an error at the commit":     twins,
		"a hook of the last flush": func(ctx context.Context) error {
			return errors.Join(session.Add(ctx, &Note{Text: "x"}),
				session.OnFlush(ctx, session.FlushHooks{Before: func(context.Context) error { return failed }}))
		},
		"its caller has gone": func(ctx context.Context) error {
			cancel, _ := ctx.Value(cancelKey{}).(context.CancelFunc)
			cancel()
			return nil
		},
	}
	each(t, func(t *testing.T, f *fixture) {
		for name, fail := range cases {
			t.Run(name, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ctx = context.WithValue(ctx, cancelKey{}, cancel)
				func() {
					defer func() { _ = recover() }()
					err := f.Do(ctx, func(ctx context.Context) error {
						return errors.Join(publishAll(ctx, Charge{"before"}, Ship{Order: "before"}), fail(ctx), bus.Publish(ctx, Charge{"after"}))
					})
					if err == nil {
						t.Error("the unit succeeded")
					}
				}()
				f.want(t, "0 0 0")
			})
		}
	})
}

type cancelKey struct{}

// twins adds two notes of which the database takes one.
func twins(ctx context.Context) error {
	return session.Add(ctx, &Note{Text: "twin"}, &Note{Text: "twin"})
}

// TestPromise39_WhateverTheOrderOfInterceptors: one that fails after the handler, outside or inside of one that
// publishes, and nothing is sent.
func TestPromise39_WhateverTheOrderOfInterceptors(t *testing.T) {
	publishes := func(next uow.Handler) uow.Handler {
		return func(ctx context.Context, op uow.Op) error {
			return errors.Join(bus.Publish(ctx, Charge{"early"}), next(ctx, op), bus.Publish(ctx, Charge{"late"}))
		}
	}
	fails := func(next uow.Handler) uow.Handler {
		return func(ctx context.Context, op uow.Op) error { return errors.Join(next(ctx, op), errors.New("no")) }
	}
	each(t, func(t *testing.T, f *fixture) {
		for _, list := range [][]uow.Interceptor{{publishes, fails}, {fails, publishes}} {
			err := f.Runner(list...).Do(t.Context(), uow.Op{}, func(ctx context.Context) error { return bus.Publish(ctx, Charge{"x"}) })
			if err == nil {
				t.Error("the unit succeeded")
			}
			f.want(t, "0 0 0")
		}
		must(t, f.Runner(publishes).Do(t.Context(), uow.Op{}, func(ctx context.Context) error { return bus.Publish(ctx, Charge{"x"}) }))
		f.want(t, "3 0 0")
	})
}

// TestPromise15_MessagesBelongToTheNestedTransaction: a message shares the fate of the savepoint or the independent unit
// that it was published in.
func TestPromise15_MessagesBelongToTheNestedTransaction(t *testing.T) {
	failed := errors.New("no")
	publish := func(order string, err error) func(ctx context.Context) error {
		return func(ctx context.Context) error { return errors.Join(bus.Publish(ctx, Charge{order}), err) }
	}
	ignore := func(error) error { return nil }
	cases := map[string]struct {
		unit func(ctx context.Context) error
		want string // what is left
	}{
		"a savepoint that is kept": {func(ctx context.Context) error {
			return session.Nested(ctx, publish("in", nil))
		}, "in out"},
		"a savepoint that is rolled back": {func(ctx context.Context) error {
			return ignore(session.Nested(ctx, publish("in", failed)))
		}, "out"},
		"a savepoint with a write that fails": {func(ctx context.Context) error {
			return ignore(session.Nested(ctx, func(ctx context.Context) error { return errors.Join(publish("in", nil)(ctx), twins(ctx)) }))
		}, "out"},
		"a savepoint that is kept, inside of one that is not": {func(ctx context.Context) error {
			return ignore(session.Nested(ctx, func(ctx context.Context) error {
				return errors.Join(session.Nested(ctx, publish("in", nil)), failed)
			}))
		}, "out"},
		"a savepoint that is not kept, inside of one that is": {func(ctx context.Context) error {
			return session.Nested(ctx, func(ctx context.Context) error {
				return errors.Join(ignore(session.Nested(ctx, publish("in", failed))), publish("between", nil)(ctx))
			})
		}, "between out"},
		"a savepoint in a unit that fails": {func(ctx context.Context) error {
			return errors.Join(session.Nested(ctx, publish("in", nil)), failed)
		}, ""},
		"an independent unit": {func(ctx context.Context) error {
			return session.New(ctx, publish("in", nil))
		}, "in out"},
		"an independent unit that fails": {func(ctx context.Context) error {
			return ignore(session.New(ctx, publish("in", failed)))
		}, "out"},
		"an independent unit in a unit that fails": {func(ctx context.Context) error {
			return errors.Join(session.New(ctx, publish("in", nil)), failed)
		}, "in"},
		"a rollback by hand": {func(ctx context.Context) error {
			return errors.Join(publish("in", nil)(ctx), session.Rollback(ctx))
		}, "out"},
		"a commit by hand, and a failure later": {func(ctx context.Context) error {
			return errors.Join(publish("in", nil)(ctx), session.Commit(ctx), publish("late", nil)(ctx), failed)
		}, "in"},
	}
	each(t, func(t *testing.T, f *fixture) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				_ = f.Do(t.Context(), func(ctx context.Context) error {
					if err := c.unit(ctx); err != nil {
						return err
					}
					return publish("out", nil)(ctx)
				})
				if got := f.take(t); got != c.want {
					t.Errorf("stored are the messages %q, want %q", got, c.want)
				}
			})
		}
	})
}

// take returns the orders of the charges that are stored, sorted, and deletes them.
func (f *fixture) take(t *testing.T) string {
	t.Helper()
	var orders []string
	f.do(t, func(ctx context.Context) error {
		rows, err := session.From(ctx).QueryContext(ctx, "SELECT payload FROM urutu_message")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var payload []byte
			if err := rows.Scan(&payload); err != nil {
				return err
			}
			orders = append(orders, strings.TrimSuffix(strings.TrimPrefix(string(payload), `{"Order":"`), `"}`))
		}
		return rows.Err()
	})
	f.do(t, func(ctx context.Context) error {
		_, err := session.From(ctx).ExecContext(ctx, "DELETE FROM urutu_message")
		return err
	})
	slices.Sort(orders)
	return strings.Join(orders, " ")
}

// TestPromise46_AllOrNoneInOrder: the messages of one unit become visible together, those of one key in the order in
// which they were published, and after those of units that committed before.
func TestPromise46_AllOrNoneInOrder(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const units, n = 5, 40
		var want []string
		seen := newEvents()
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, m Ship) error {
			if m.N%n == 0 { // the first of its unit: all others are there, and none was handled
				left := 0
				if err := session.From(ctx).QueryRowContext(ctx, "SELECT count(*) FROM urutu_message").Scan(&left); err != nil {
					return err
				}
				seen.add("%d, left %d units", m.N, left/n)
				return nil
			}
			seen.add("%d", m.N)
			return nil
		}, bus.Handler{})
		for u := range units {
			f.do(t, func(ctx context.Context) error {
				for i := range n {
					if err := bus.Publish(ctx, Ship{Order: "a", N: u*n + i}); err != nil {
						return err
					}
				}
				return nil
			})
			want = append(want, fmt.Sprintf("%d, left %d units", u*n, units-u))
			for i := 1; i < n; i++ {
				want = append(want, fmt.Sprint(u*n+i))
			}
		}
		start(t, b)
		seen.want(t, want...)
	})
}

// TestPromise46_AllOrNoneWhileTheyCommit: whoever handles one message of a unit finds all others of it there or handled, while
// units commit and a worker looks for what they have committed.
func TestPromise46_AllOrNoneWhileTheyCommit(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const units, n = 30, 12
		text := "CAST(payload AS TEXT)"
		if f.database == urututest.InPostgres {
			text = "convert_from(payload, 'UTF8')"
		}
		seen := newEvents()
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, m Charge) error {
			there := 0
			err := session.From(ctx).QueryRowContext(ctx, "SELECT (SELECT count(*) FROM urutu_message WHERE "+text+" LIKE '%"+m.Order+"%')"+
				" + (SELECT count(*) FROM notes WHERE text LIKE '"+m.Order+"%')").Scan(&there)
			if err != nil {
				return err
			}
			i, _ := bus.Current(ctx)
			seen.add("%d", there)
			return session.Add(ctx, &Note{Text: fmt.Sprint(m.Order, i.ID)})
		}, bus.Handler{Concurrency: 4})
		start(t, b)
		var want []string
		for u := range units {
			f.do(t, func(ctx context.Context) (err error) {
				for range n {
					want = append(want, fmt.Sprint(n))
					err = errors.Join(err, bus.Publish(ctx, Charge{fmt.Sprintf("unit-%03d-", u)}))
				}
				return err
			})
		}
		seen.want(t, want...)
	})
}

// TestPublishOutsideOfAUnit: it is a unit of its own where the context knows the connections.
func TestPublishOutsideOfAUnit(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		must(t, bus.Publish(f.Context(t.Context()), Charge{"x"}))
		f.want(t, "1 0 0")
		wantFault(t, bus.Publish(t.Context(), Charge{"x"}), fault.NoSession)
		f.do(t, func(ctx context.Context) error {
			return uow.AfterCommit(ctx, func(ctx context.Context) error { return bus.Publish(ctx, Charge{"y"}) })
		})
		if got := f.take(t); got != "x y" {
			t.Errorf("stored are %q", got)
		}
	})
}

// TestPublishOnAConnection: a message is stored where the context says, and only where there are tables for it.
func TestPublishOnAConnection(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		other := open(t, f.database)
		db := openBoth(t, f, other)
		must(t, db.Do(t.Context(), func(ctx context.Context) error {
			return bus.Publish(session.On(ctx, "other"), Charge{"x"})
		}))
		must(t, bus.Publish(session.On(db.Context(t.Context()), "other"), Charge{"y"}))
		f.want(t, "0 0 0")
		if got := other.take(t); got != "x y" {
			t.Errorf("stored are %q", got)
		}
		wantFault(t, bus.Publish(session.On(db.Context(t.Context()), "nowhere"), Charge{"y"}), fault.Misconfigured)
	})
}

// openBoth opens two databases as the connections "default" and "other".
func openBoth(t *testing.T, f, other *fixture) *session.DB {
	t.Helper()
	db, err := session.Open(t.Context(), f.config("default", true), other.config("other", false))
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return db
}

// TestPublishWithoutTables: it is known when the message is published, not when the unit commits.
func TestPublishWithoutTables(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for _, drop := range []string{"UPDATE urutu_schema SET version = 0 WHERE component = 'outbox'", "DROP TABLE urutu_schema"} {
			f.do(t, func(ctx context.Context) error {
				_, err := session.From(ctx).ExecContext(ctx, drop)
				return err
			})
			p := f.another(t)
			p.do(t, func(ctx context.Context) error {
				err := bus.Publish(ctx, Charge{"x"})
				wantFault(t, err, fault.Misconfigured)
				if !strings.Contains(err.Error(), "outbox.Component()") {
					t.Errorf("the error does not say what to do: %v", err)
				}
				return session.Add(ctx, &Note{Text: drop}) // nothing of the unit has failed
			})
		}
	})
}

// Odd is a message whose type, key and payload a test chooses.
type Odd struct {
	Type message.Type `json:"-"`
	Key  string       `json:"-"`
	Any  any
}

func (m Odd) MessageType() message.Type { return m.Type }
func (m Odd) MessageKey() string        { return m.Key }

// TestPublishRefuses: what cannot be stored is an error of Publish, and the unit goes on.
func TestPublishRefuses(t *testing.T) {
	fine := message.Type{Topic: "test.odd", Kind: message.Task}
	noon := time.Date(2100, 1, 1, 12, 0, 0, 0, time.UTC)
	cases := map[string]struct {
		m message.Message
		o bus.Options
	}{
		"nil":                       {m: nil},
		"a nil pointer":             {m: (*Charge)(nil)},
		"no topic":                  {m: Odd{}},
		"a topic in capitals":       {m: Odd{Type: message.Type{Topic: "Odd"}}},
		"a long topic":              {m: Odd{Type: message.Type{Topic: strings.Repeat("x", 201)}}},
		"an unknown kind":           {m: Odd{Type: message.Type{Topic: "test.odd", Kind: 7}}},
		"a negative version":        {m: Odd{Type: message.Type{Topic: "test.odd", Version: -1}}},
		"a long key":                {m: Odd{Type: fine, Key: strings.Repeat("k", 513)}},
		"a key with NUL":            {m: Odd{Type: fine, Key: "a\x00b"}},
		"a key that is no text":     {m: Odd{Type: fine, Key: "\xff"}},
		"a payload without JSON":    {m: Odd{Type: fine, Any: func() {}}},
		"a header without name":     {Charge{}, bus.Options{Headers: message.Headers{"": "x"}}},
		"a header in capitals":      {Charge{}, bus.Options{Headers: message.Headers{"X-Y": "x"}}},
		"a header with line breaks": {Charge{}, bus.Options{Headers: message.Headers{"x": "a\r\nb"}}},
		"a delay and a time":        {Charge{}, bus.Options{Delay: time.Hour, At: noon}},
		"a negative delay":          {Charge{}, bus.Options{Delay: -time.Second}},
		"a time before 1970":        {Charge{}, bus.Options{At: time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC)}},
		"a time after 9999":         {Charge{}, bus.Options{At: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}},
		"once, and at once":         {Charge{}, bus.Options{Once: "x"}},
		"a long once":               {Charge{}, bus.Options{Once: strings.Repeat("k", 513), At: noon}},
	}
	each(t, func(t *testing.T, f *fixture) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				f.do(t, func(ctx context.Context) error {
					err := bus.Publish(ctx, c.m, c.o)
					wantFault(t, err, fault.Invalid)
					if c.m != nil && err != nil && !strings.Contains(err.Error(), "bus.Publish") && !strings.Contains(err.Error(), "outbox.Put") {
						t.Errorf("the error does not name the operation: %v", err)
					}
					return bus.Publish(ctx, Charge{"fine"})
				})
				if got := f.take(t); got != "fine" {
					t.Errorf("stored are %q", got)
				}
			})
		}
	})
}

// TestPublishReadOnly: a unit that must not write cannot publish.
func TestPublishReadOnly(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		err := f.Do(t.Context(), func(ctx context.Context) error { return bus.Publish(ctx, Charge{"x"}) }, uow.Options{ReadOnly: true})
		wantFault(t, err, fault.ReadOnly)
		f.want(t, "0 0 0")
	})
}

// TestPublishAPointer: a message can be given as a pointer too.
func TestPublishAPointer(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen := newEvents()
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, m Ship) error {
			i, _ := bus.Current(ctx)
			seen.add("%s %d %s", m.Order, m.N, i.Key)
			return nil
		}, bus.Handler{})
		start(t, b)
		f.publish(t, &Ship{"a", 1})
		seen.want(t, "a 1 a")
	})
}

// Needed is an event that needs somebody who hears it.
type Needed struct{}

func (Needed) MessageType() message.Type { return message.Type{Topic: "test.needed", Required: true} }

// TestRequiredEvent: publishing it fails as long as nobody has subscribed.
func TestRequiredEvent(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.do(t, func(ctx context.Context) error {
			err := bus.Publish(ctx, Needed{})
			wantFault(t, err, fault.Misconfigured)
			if err != nil && !strings.Contains(err.Error(), "test.needed") {
				t.Errorf("the error does not name the topic: %v", err)
			}
			return nil
		})
		seen := newEvents()
		b := f.another(t).bus()
		bus.Handle(b, func(context.Context, Needed) error {
			seen.add("needed")
			return nil
		}, bus.Handler{Group: "late"})
		start(t, b)
		f.publish(t, Needed{})
		seen.want(t, "needed")
	})
}

// TestNobodySubscribed: an event is dropped, a task waits for its first worker, published by whichever process.
func TestNobodySubscribed(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.publish(t, Placed{"a", 1})
		f.want(t, "0 0 0")
		f.publish(t, Charge{"1"}, Ship{"2", 2}, Charge{"3"})
		f.another(t).publish(t, Charge{"4"})
		f.want(t, "4 0 0")
		seen := newEvents()
		b := f.another(t).bus()
		bus.Handle(b, func(_ context.Context, m Charge) error {
			seen.add("charge %s", m.Order)
			return nil
		}, bus.Handler{})
		bus.Handle(b, func(_ context.Context, m Ship) error {
			seen.add("ship %s", m.Order)
			return nil
		}, bus.Handler{})
		bus.Handle(b, func(_ context.Context, m Placed) error {
			seen.add("placed %s", m.Order)
			return nil
		}, bus.Handler{Group: "late"})
		w := start(t, b)
		seen.wantAny(t, "charge 1", "ship 2", "charge 3", "charge 4")
		f.publish(t, Placed{"b", 1})
		seen.wantAny(t, "charge 1", "ship 2", "charge 3", "charge 4", "placed b")
		stop(t, w)
		f.publish(t, Placed{"c", 1}) // the group is known, although nobody works for it now
		f.want(t, "1 0 0")
	})
}

// TestTaskAfterARollbackByHand: the first publication of a task, which also makes its destination, may be undone.
func TestTaskAfterARollbackByHand(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.do(t, func(ctx context.Context) error {
			err := session.Nested(ctx, func(ctx context.Context) error { return errors.Join(bus.Publish(ctx, Charge{"0"}), errors.New("no")) })
			if err == nil {
				t.Error("the savepoint was kept")
			}
			return errors.Join(bus.Publish(ctx, Charge{"1"}), session.Rollback(ctx), bus.Publish(ctx, Charge{"2"}))
		})
		if got := f.take(t); got != "2" {
			t.Errorf("stored are %q", got)
		}
	})
}

// TestHeadersFlow: what a transport trusts travels with every message, and from each message to those that its handler
// publishes.
func TestHeadersFlow(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		var first, second, third bus.Info
		seen := newEvents()
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, m Placed) error {
			first, _ = bus.Current(ctx)
			return bus.Publish(ctx, Charge{m.Order}, bus.Options{Headers: message.Headers{message.Tenant: "inner", "extra": "2"}})
		}, bus.Handler{Group: "billing"})
		bus.Handle(b, func(ctx context.Context, m Charge) error {
			second, _ = bus.Current(ctx)
			return bus.Publish(ctx, Ship{Order: m.Order})
		}, bus.Handler{})
		bus.Handle(b, func(ctx context.Context, _ Ship) error {
			third, _ = bus.Current(ctx)
			seen.add("done")
			return nil
		}, bus.Handler{})
		start(t, b)
		trace := message.Headers{message.TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", message.TraceState: "a=b"}
		request := maps.Clone(trace)
		maps.Copy(request, message.Headers{message.Tenant: "outer", "request-id": "7"})
		must(t, f.Do(message.WithHeaders(t.Context(), request), func(ctx context.Context) error {
			return bus.Publish(ctx, Placed{"a", 1}, bus.Options{Headers: message.Headers{"extra": "1"}})
		}))
		seen.want(t, "done")

		id := func(i bus.Info) string { return uuid.UUID(i.ID).String() }
		with := func(more message.Headers) message.Headers {
			all := maps.Clone(trace)
			maps.Copy(all, more)
			return all
		}
		for _, c := range []struct {
			got  bus.Info
			want message.Headers
		}{
			{first, with(message.Headers{message.Tenant: "outer", "request-id": "7", "extra": "1"})},
			{second, with(message.Headers{
				message.Tenant: "inner", "extra": "2", message.CorrelationID: id(first), message.CausationID: id(first),
			})},
			{third, with(message.Headers{
				message.Tenant: "inner", message.CorrelationID: id(first), message.CausationID: id(second),
			})},
		} {
			if !maps.Equal(c.got.Headers, c.want) {
				t.Errorf("%s has the headers\n%q, want\n%q", c.got.Topic, c.got.Headers, c.want)
			}
		}
	})
}

// TestCurrent: what a handler can know of its message.
func TestCurrent(t *testing.T) {
	if _, ok := bus.Current(t.Context()); ok {
		t.Error("there is a message outside of a handler")
	}
	each(t, func(t *testing.T, f *fixture) {
		infos := make(chan bus.Info, 2)
		b := f.bus()
		for _, group := range []string{"one", "two"} {
			bus.Handle(b, func(ctx context.Context, _ Placed) error {
				i, ok := bus.Current(ctx)
				if !ok {
					t.Error("there is no message in a handler")
				}
				infos <- i
				return nil
			}, bus.Handler{Group: group})
		}
		start(t, b)
		before := time.Now()
		f.publish(t, Placed{"a", 1})
		one, two := <-infos, <-infos
		if one.ID != two.ID || one.ID == [16]byte{} {
			t.Errorf("two deliveries of a message have the ids %x and %x", one.ID, two.ID)
		}
		for _, i := range []bus.Info{one, two} {
			if i.Topic != "test.placed" || i.Key != "a" || i.Failures != 0 || len(i.Headers) != 0 ||
				i.CreatedAt.Before(before.Add(-time.Millisecond)) || i.CreatedAt.After(time.Now()) {
				t.Errorf("the message is %+v", i)
			}
		}
	})
}

// TestPublishMany: a unit may publish thousands of messages, each with another key. That one more costs no more is
// tested with the session, whose commit they travel with.
func TestPublishMany(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const n = 3000
		f.do(t, func(ctx context.Context) error {
			for i := range n {
				if err := bus.Publish(ctx, Ship{fmt.Sprint(i), i}); err != nil {
					return err
				}
			}
			return nil
		})
		f.want(t, fmt.Sprint(n, " 0 0"))
		if got := f.ask(t, "SELECT count(DISTINCT key) FROM urutu_message"); got != fmt.Sprint(n) {
			t.Errorf("they have %s keys", got)
		}
	})
}
