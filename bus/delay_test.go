package bus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // zones, also on a machine without them

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
)

// Remind is an event that most tests of delayed messages use.
type Remind struct{ Text string }

func (Remind) MessageType() message.Type { return message.Type{Topic: "test.remind"} }

// onRemind has a group's handler note the texts.
func onRemind(b *bus.Bus, group string, seen *events) {
	bus.Handle(b, func(_ context.Context, m Remind) error {
		seen.add("%s %s", group, m.Text)
		return nil
	}, bus.Handler{Group: group})
}

// subscribe makes groups known, whose worker does not run.
func (f *fixture) subscribe(t *testing.T, groups ...string) {
	t.Helper()
	b := f.bus()
	for _, g := range groups {
		onRemind(b, g, nil)
	}
	w := b.Worker()
	must(t, w.Start(t.Context()))
	stop(t, w)
}

// TestDelayedIsNotEarly: neither with a delay nor with a time, which is an instant in whatever zone.
func TestDelayedIsNotEarly(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		type arrival struct {
			text string
			at   time.Time
		}
		arrivals := make(chan arrival, 10)
		b := f.bus()
		bus.Handle(b, func(_ context.Context, m Remind) error {
			arrivals <- arrival{m.Text, time.Now()}
			return nil
		}, bus.Handler{Group: "reminders"})
		w := start(t, b)
		now := time.Now()
		due := map[string]time.Time{
			"delay": now.Add(60 * time.Millisecond),
			"east":  now.Add(40 * time.Millisecond).In(time.FixedZone("east", 14*3600)),
			"west":  now.Add(80 * time.Millisecond).In(time.FixedZone("west", -12*3600)),
		}
		f.do(t, func(ctx context.Context) error {
			return errors.Join(
				bus.Publish(ctx, Remind{"delay"}, bus.Options{Delay: 60 * time.Millisecond}),
				bus.Publish(ctx, Remind{"east"}, bus.Options{At: due["east"]}),
				bus.Publish(ctx, Remind{"west"}, bus.Options{At: due["west"]}),
				bus.Publish(ctx, Remind{"tomorrow"}, bus.Options{Delay: 24 * time.Hour}),
			)
		})
		for range due {
			a := <-arrivals
			// The database keeps microseconds.
			if early := due[a.text].Sub(a.at); early > time.Microsecond || a.at.Sub(now) > patience {
				t.Errorf("%s: early by %s", a.text, early)
			}
		}
		stop(t, w)
		if len(arrivals) > 0 {
			t.Errorf("too early is %v", <-arrivals)
		}
		f.want(t, "0 0 1")
	})
}

// TestDelayedAt: a time of day in a zone is stored as the instant that it is, on either side of a change of clocks, and
// a time that has passed is no reason to wait.
func TestDelayedAt(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	must(t, err)
	each(t, func(t *testing.T, f *fixture) {
		f.subscribe(t, "reminders")
		for _, at := range []time.Time{
			time.Date(2031, 3, 30, 1, 59, 0, 0, berlin), time.Date(2031, 3, 30, 3, 1, 0, 0, berlin),
			time.Date(2031, 10, 26, 1, 59, 0, 0, berlin), time.Date(2031, 10, 26, 3, 1, 0, 0, berlin),
			time.Date(9999, 12, 31, 0, 0, 0, 123456789, time.UTC),
		} {
			f.do(t, func(ctx context.Context) error { return bus.Publish(ctx, Remind{"x"}, bus.Options{At: at}) })
			if got := f.waiting(t); len(got) != 1 || !got[0].at.Equal(at.Truncate(time.Microsecond)) {
				t.Errorf("%s is stored as %v", at, got)
			}
			f.forget(t)
		}
		seen := newEvents()
		b := f.bus()
		onRemind(b, "reminders", seen)
		start(t, b)
		f.do(t, func(ctx context.Context) error {
			return bus.Publish(ctx, Remind{"past"}, bus.Options{At: time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)})
		})
		seen.want(t, "reminders past")
	})
}

// wait is a message that waits for its time.
type wait struct {
	dest        int
	topic, text string
	at          time.Time
}

// waiting returns the messages that wait, in the order of their times.
func (f *fixture) waiting(t *testing.T) (list []wait) {
	t.Helper()
	f.do(t, func(ctx context.Context) error {
		rows, err := session.From(ctx).QueryContext(ctx,
			"SELECT dest, topic, payload, deliver_at FROM urutu_message_delayed ORDER BY deliver_at, id")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var w wait
			var payload []byte
			if err := rows.Scan(&w.dest, &w.topic, &payload, instant{&w.at}); err != nil {
				return err
			}
			w.text = strings.TrimSuffix(strings.TrimPrefix(string(payload), `{"Text":"`), `"}`)
			list = append(list, w)
		}
		return rows.Err()
	})
	return list
}

// instant reads a time: PostgreSQL has a type for it, SQLite a number of microseconds.
type instant struct{ to *time.Time }

func (i instant) Scan(v any) error {
	switch v := v.(type) {
	case time.Time:
		*i.to = v
	case int64:
		*i.to = time.UnixMicro(v)
	default:
		return fmt.Errorf("%T is no time", v)
	}
	return nil
}

// forget deletes the messages that wait.
func (f *fixture) forget(t *testing.T) {
	t.Helper()
	f.do(t, func(ctx context.Context) error {
		_, err := session.From(ctx).ExecContext(ctx, "DELETE FROM urutu_message_delayed")
		return err
	})
}

// TestDelayedOnce: what a second publication does to the payload and the time of the first, in one unit or in two.
func TestDelayedOnce(t *testing.T) {
	times := map[outbox.Time]func(a, b time.Time) time.Time{
		outbox.FirstTime: func(a, _ time.Time) time.Time { return a },
		outbox.LastTime:  func(_, b time.Time) time.Time { return b },
		outbox.EarlierTime: func(a, b time.Time) time.Time {
			if a.Before(b) {
				return a
			}
			return b
		},
		outbox.LaterTime: func(a, b time.Time) time.Time {
			if a.After(b) {
				return a
			}
			return b
		},
	}
	each(t, func(t *testing.T, f *fixture) {
		f.subscribe(t, "reminders")
		noon := time.Date(2100, 1, 1, 12, 0, 0, 0, time.UTC)
		for _, replace := range []bool{false, true} {
			for which, of := range times {
				for _, second := range []time.Time{noon.Add(-time.Hour), noon.Add(time.Hour)} {
					for _, together := range []bool{true, false} {
						one := func(ctx context.Context) error {
							return bus.Publish(ctx, Remind{"one"}, bus.Options{At: noon, Once: "x"})
						}
						two := func(ctx context.Context) error {
							o := bus.Options{At: second, Once: "x", Again: outbox.Again{Payload: replace, Time: which}}
							return bus.Publish(ctx, Remind{"two"}, o)
						}
						if together {
							f.do(t, func(ctx context.Context) error { return errors.Join(one(ctx), two(ctx)) })
						} else {
							f.do(t, one)
							f.do(t, two)
						}
						want := wait{text: "one", at: of(noon, second)}
						if replace {
							want.text = "two"
						}
						got := f.waiting(t)
						if len(got) != 1 || got[0].text != want.text || !got[0].at.Equal(want.at) {
							t.Errorf("payload %t, time %d, at %s, together %t: got %v, want %v", replace, which, second, together, got, want)
						}
						f.forget(t)
					}
				}
			}
		}
	})
}

// TestDelayedOnceInOrder: of those that mix what they do, each does it to what the ones before have made.
func TestDelayedOnceInOrder(t *testing.T) {
	type publication struct {
		text  string
		hours int
		again outbox.Again
	}
	for name, c := range map[string]struct {
		list  []publication
		text  string
		hours int
	}{
		"the last one changes nothing": {[]publication{
			{"one", 1, outbox.Again{}}, {"two", 5, outbox.Again{Payload: true, Time: outbox.LastTime}}, {"three", 3, outbox.Again{}},
		}, "two", 5},
		"the last one says what the first one does": {[]publication{
			{"one", 1, outbox.Again{Payload: true}}, {"two", 5, outbox.Again{Payload: true, Time: outbox.LastTime}}, {"three", 3, outbox.Again{Payload: true}},
		}, "three", 5},
		"earlier, later, earlier": {[]publication{
			{"one", 12, outbox.Again{Time: outbox.EarlierTime}}, {"two", 15, outbox.Again{Time: outbox.LaterTime}},
			{"three", 13, outbox.Again{Time: outbox.EarlierTime}},
		}, "one", 13},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, f *fixture) {
				f.subscribe(t, "reminders")
				noon := time.Date(2100, 1, 1, 12, 0, 0, 0, time.UTC)
				f.do(t, func(ctx context.Context) (err error) {
					for _, p := range c.list {
						at := noon.Add(time.Duration(p.hours) * time.Hour)
						err = errors.Join(err, bus.Publish(ctx, Remind{p.text}, bus.Options{At: at, Once: "x", Again: p.again}))
					}
					return err
				})
				if got := f.waiting(t); len(got) != 1 || got[0].text != c.text || !got[0].at.Equal(noon.Add(time.Duration(c.hours)*time.Hour)) {
					t.Errorf("what waits is %v", got)
				}
			})
		})
	}
}

// TestDelayedOnceForEachDestination: one waits for each group, and a group that comes later gets its own.
func TestDelayedOnceForEachDestination(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.subscribe(t, "one", "two")
		noon := time.Date(2100, 1, 1, 12, 0, 0, 0, time.UTC)
		publish := func(text string) {
			t.Helper()
			f.do(t, func(ctx context.Context) error {
				return bus.Publish(ctx, Remind{text}, bus.Options{At: noon, Once: "x"})
			})
		}
		publish("first")
		publish("second")
		f.want(t, "0 0 2")
		f.subscribe(t, "three")
		publish("third")
		var texts []string
		for _, w := range f.waiting(t) {
			texts = append(texts, w.text)
		}
		if got := strings.Join(texts, " "); got != "first first third" {
			t.Errorf("what waits is %s", got)
		}
		f.do(t, func(ctx context.Context) error {
			return bus.Publish(ctx, Remind{"other"}, bus.Options{At: noon, Once: "y"})
		})
		f.want(t, "0 0 6")
	})
}

// Recall is another topic of the group of Remind.
type Recall struct{ Why string }

func (Recall) MessageType() message.Type { return message.Type{Topic: "test.recall", Version: 3} }

// TestDelayedOnceOfAnotherTopic: a message that replaces one of another topic replaces all of it.
func TestDelayedOnceOfAnotherTopic(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen := newEvents()
		b := f.bus()
		onRemind(b, "reminders", seen)
		bus.Handle(b, func(_ context.Context, m Recall) error {
			seen.add("recall %s", m.Why)
			return nil
		}, bus.Handler{Group: "reminders"})
		start(t, b)
		f.do(t, func(ctx context.Context) error {
			return bus.Publish(ctx, Remind{"x"}, bus.Options{Delay: time.Hour, Once: "x"})
		})
		f.do(t, func(ctx context.Context) error {
			o := bus.Options{At: time.Now(), Once: "x", Again: outbox.Again{Payload: true, Time: outbox.EarlierTime}}
			return bus.Publish(ctx, Recall{"y"}, o)
		})
		seen.want(t, "recall y")
	})
}

// TestDelayedOnceIsFreeAgain: once a message has become ready, another one may wait.
func TestDelayedOnceIsFreeAgain(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen := newEvents()
		b := f.bus()
		onRemind(b, "reminders", seen)
		w := start(t, b)
		publish := func(text string, delay time.Duration) {
			t.Helper()
			f.do(t, func(ctx context.Context) error {
				o := bus.Options{Delay: delay, Once: "x", Again: outbox.Again{Time: outbox.EarlierTime}}
				return bus.Publish(ctx, Remind{text}, o)
			})
		}
		publish("one", time.Hour)
		publish("never", time.Millisecond) // has the first one come earlier
		seen.want(t, "reminders one")
		publish("two", time.Millisecond)
		seen.want(t, "reminders one", "reminders two")
		stop(t, w)
		f.want(t, "0 0 0")
	})
}

// TestDelayedKeyOrder: those of one key are handled in the order of their times, and after what is ready already.
func TestDelayedKeyOrder(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen := newEvents()
		b := f.bus()
		bus.Handle(b, func(_ context.Context, m Ship) error {
			seen.add("%d", m.N)
			return nil
		}, bus.Handler{})
		now := time.Now()
		f.do(t, func(ctx context.Context) error {
			var errs []error
			for _, n := range []int{4, 2, 5, 1, 3} {
				at := now.Add(time.Duration(n-10) * time.Millisecond)
				errs = append(errs, bus.Publish(ctx, Ship{"a", n}, bus.Options{At: at}))
			}
			return errors.Join(append(errs, bus.Publish(ctx, Ship{"a", 0}))...)
		})
		start(t, b)
		seen.want(t, "0", "1", "2", "3", "4", "5")
	})
}

// TestDelayedMany: more than become ready at once, looked after by two processes, each is handled once.
func TestDelayedMany(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const n = 700
		counts := make(chan int, n+10)
		for _, p := range []*fixture{f, f.another(t)} {
			b := p.bus()
			bus.Handle(b, func(_ context.Context, m Ship) error {
				counts <- m.N
				return nil
			}, bus.Handler{})
			start(t, b)
		}
		at := time.Now().Add(10 * time.Millisecond)
		f.do(t, func(ctx context.Context) error {
			for i := range n {
				if err := bus.Publish(ctx, Ship{N: i}, bus.Options{At: at}); err != nil {
					return err
				}
			}
			return nil
		})
		times := make([]int, n)
		for range n {
			select {
			case i := <-counts:
				times[i]++
			case <-time.After(patience):
				t.Fatal("not all were handled")
			}
		}
		for i, c := range times {
			if c != 1 {
				t.Errorf("message %d was handled %d times", i, c)
			}
		}
	})
}

// TestDelayedOfAFailedUnit: it waits no more than others leave.
func TestDelayedOfAFailedUnit(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.subscribe(t, "reminders")
		err := f.Do(t.Context(), func(ctx context.Context) error {
			return errors.Join(bus.Publish(ctx, Remind{"x"}, bus.Options{Delay: time.Hour}), errors.New("no"))
		})
		if err == nil {
			t.Error("the unit succeeded")
		}
		f.do(t, func(ctx context.Context) error {
			err := session.Nested(ctx, func(ctx context.Context) error {
				return errors.Join(bus.Publish(ctx, Remind{"x"}, bus.Options{Delay: time.Hour}), errors.New("no"))
			})
			if err == nil {
				t.Error("the savepoint was kept")
			}
			return nil
		})
		f.want(t, "0 0 0")
	})
}

// TestDelayedWithoutDestination: an event is dropped as others are, a task waits for its worker.
func TestDelayedWithoutDestination(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.do(t, func(ctx context.Context) error {
			o := bus.Options{At: time.Now(), Once: "x"}
			return errors.Join(bus.Publish(ctx, Remind{"x"}, o), bus.Publish(ctx, Charge{"y"}, o))
		})
		f.want(t, "0 0 1")
		seen := newEvents()
		b := f.bus()
		bus.Handle(b, func(_ context.Context, m Charge) error {
			seen.add("%s", m.Order)
			return nil
		}, bus.Handler{})
		start(t, b)
		seen.want(t, "y")
	})
}
