package bus_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/session"
)

// TestProcessClockIsWrong: a process whose clock is an hour ahead, or behind, neither hastens nor delays what waits for its
// time or for its next try. What is published with a time is delivered at that time by the database's clock.
func TestProcessClockIsWrong(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for _, off := range []time.Duration{time.Hour, -time.Hour} {
			for _, who := range []string{"the publisher's", "the worker's"} {
				t.Run(fmt.Sprint(who, " ", off), func(t *testing.T) { f.wrongClock(t, off, who == "the worker's") })
			}
		}
	})
}

func (f *fixture) wrongClock(t *testing.T, off time.Duration, worker bool) {
	t.Helper()
	wrong := f.another(t, func(c *session.Config) { c.Clock = func() time.Time { return time.Now().Add(off) } })
	publisher, consumer := wrong, f
	if worker {
		publisher, consumer = f, wrong
	}
	const pause = 200 * time.Millisecond
	type arrival struct {
		text string
		at   time.Time
	}
	arrivals := make(chan arrival, 10)
	b := consumer.bus()
	bus.Handle(b, func(ctx context.Context, m Remind) error {
		arrivals <- arrival{m.Text, time.Now()}
		if info, _ := bus.Current(ctx); m.Text == "fails" && info.Failures == 0 {
			return bus.RetryAfter(pause, errors.New("no"))
		}
		return nil
	}, bus.Handler{Group: "reminders"})
	w := start(t, b)
	began := time.Now()
	publisher.do(t, func(ctx context.Context) error {
		return errors.Join(
			bus.Publish(ctx, Remind{"delay"}, bus.Options{Delay: pause}),
			bus.Publish(ctx, Remind{"time"}, bus.Options{At: began.Add(pause)}),
			bus.Publish(ctx, Remind{"fails"}),
			bus.Publish(ctx, Remind{"tomorrow"}, bus.Options{Delay: 30 * time.Minute}),
		)
	})
	failed := time.Time{}
	for range 4 {
		select {
		case a := <-arrivals:
			since := began
			switch {
			case a.text == "fails" && failed.IsZero():
				failed = a.at
				continue
			case a.text == "fails":
				since = failed
			}
			// The database keeps microseconds.
			if early := since.Add(pause).Sub(a.at); early > time.Microsecond || a.text == "tomorrow" {
				t.Errorf("%s is early by %s", a.text, early)
			}
		case <-time.After(patience):
			t.Fatal("a message is late")
		}
	}
	stop(t, w)
	f.want(t, "0 0 1")
	f.forget(t)
}
