package bus_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

// TestDelayedOnceInAnyOrder: units that publish the same unique messages, and those of the same keys, in whatever order and at
// the same time, do not wait for each other in a circle. One of each waits in the end.
func TestDelayedOnceInAnyOrder(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.subscribe(t, "reminders")
		f.publish(t, Ship{"a", 0}) // it has a destination
		noon := time.Date(2100, 1, 1, 12, 0, 0, 0, time.UTC)
		var ships atomic.Int64
		var list []func(ctx context.Context) error
		for i := range 4 {
			text := strconv.Itoa(i)
			list = append(list, func(ctx context.Context) error {
				return bus.Publish(ctx, Remind{text}, bus.Options{At: noon, Once: text, Again: outbox.Again{Payload: true}})
			}, func(ctx context.Context) error {
				return errors.Join(bus.Publish(ctx, Ship{text, i}), uow.AfterCommit(ctx, func(context.Context) error {
					ships.Add(1)
					return nil
				}))
			})
		}
		same := bus.Options{At: noon, Once: "same", Again: outbox.Again{Payload: true}} // of two destinations
		list = append(list, func(ctx context.Context) error { return bus.Publish(ctx, Charge{"a"}, same) },
			func(ctx context.Context) error { return bus.Publish(ctx, Ship{"a", 1}, same) })
		const publishers, units = 6, 60
		var all sync.WaitGroup
		for range publishers {
			all.Go(func() {
				for range units {
					some := slices.Clone(list)
					rand.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
					some = some[:1+rand.N(len(some))]
					if err := f.Do(t.Context(), func(ctx context.Context) (err error) {
						for _, publish := range some {
							err = errors.Join(err, publish(ctx))
						}
						return err
					}, uow.Options{Retry: uow.Retry{Attempts: -1}}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		f.want(t, fmt.Sprint(1+ships.Load(), " 0 6"))
	})
}

// TestDelayedOnceAsItBecomesDue: while one with the same Once becomes due again and again, each publication either takes the
// place of the one that still waits or waits itself. What was said last is handled, once, and nothing twice.
func TestDelayedOnceAsItBecomesDue(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, m Remind) error { return session.Add(ctx, &Note{Text: m.Text}) },
			bus.Handler{Group: "reminders"}) // the texts are unique: a second time would fail
		start(t, b)
		const n = 150
		for i := range n {
			f.do(t, func(ctx context.Context) error {
				return bus.Publish(ctx, Remind{fmt.Sprintf("%03d", i)}, bus.Options{
					Delay: rand.N(3 * time.Millisecond), Once: "x", Again: outbox.Again{Payload: true, Time: outbox.Time(rand.N(4))},
				})
			})
		}
		last := fmt.Sprintf("%03d", n-1)
		waitFor(t, 1, func() int64 { return int64(strings.Count(f.notes(t), last)) })
		f.want(t, "0 0 0")
		if handled := len(strings.Fields(f.notes(t))); handled < 2 {
			t.Errorf("%d were handled: they never met", handled)
		}
	})
}

// TestDelayCountsFromTheCommit: however long the unit took before it.
func TestDelayCountsFromTheCommit(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.subscribe(t, "reminders")
		const delay = 50 * time.Millisecond
		var before time.Time
		f.do(t, func(ctx context.Context) error {
			err := errors.Join(session.Add(ctx, &Note{Text: "begun"}), session.Flush(ctx), bus.Publish(ctx, Remind{"x"}, bus.Options{Delay: delay}))
			before = time.Now()
			for time.Since(before) < delay { // it does something else
				var one int
				err = errors.Join(err, session.From(ctx).QueryRowContext(ctx, "SELECT 1").Scan(&one))
			}
			before = time.Now()
			return err
		})
		if list := f.waiting(t); len(list) != 1 || list[0].at.Before(before.Add(delay-time.Microsecond)) {
			t.Errorf("%v waits, but not until %v", list, before.Add(delay))
		}
	})
}
