package outbox

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// TestRelaneAndBack: the number of lanes becomes smaller and then what it was, which a process does not notice. The lanes
// that were gone meanwhile and belong to another one now are not taken for those that it had.
func TestRelaneAndBack(t *testing.T) {
	t.Parallel()
	urututest.Each(t, urututest.Config{Session: session.Config{PoolSize: 6}}, func(t *testing.T, db *session.DB) {
		if err := db.Install(t.Context(), Component()); err != nil {
			t.Fatal(err)
		}
		const lanes = 16
		engine := func(tick time.Duration, send func(context.Context, []*Delivery) []error) *Engine {
			e := NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)},
				Consumer{Destination: "broker", Topics: []string{"test.sent"}, Send: send})
			e.timing.tick = tick
			if err := e.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := e.Stop(context.WithoutCancel(t.Context())); err != nil {
					t.Error(err)
				}
			})
			return e
		}
		put := func() {
			urututest.Do(t, db, func(ctx context.Context) error {
				for slot := range lanes {
					m := Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.New(), Key: keyIn(slot, lanes), Payload: []byte("{}")}
					if err := Put(ctx, m); err != nil {
						return err
					}
				}
				return nil
			})
		}
		relane := func(n int) {
			if err := Relane(db.Context(t.Context()), "broker", n); err != nil {
				t.Fatal(err)
			}
		}
		d, err := db.Dialect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := NewEngine(db, Config{}, relayed(nil)).register(db.Context(t.Context()), "test", d); err != nil {
			t.Fatal(err)
		}
		relane(1)
		relane(lanes)
		old := engine(time.Hour, func(_ context.Context, batch []*Delivery) []error { // it takes the lanes, and does not look at them again
			t.Errorf("whoever had the lanes before sends %d messages", len(batch))
			return nil
		})
		await(t, "it has all lanes", func() bool { return old.lanes() == lanes })
		relane(1)
		relane(lanes)
		sent, release := make(chan int, lanes), make(chan struct{})
		next := engine(10*time.Millisecond, func(_ context.Context, batch []*Delivery) []error {
			sent <- len(batch)
			<-release
			return nil
		})
		defer close(release)
		await(t, "the other one has its share", func() bool { return next.lanes() == lanes/2 })
		put()
		<-sent
		for range 2 { // the second one is heard when the first one has led to a look
			old.wake()
			await(t, "it has looked", func() bool { return len(old.waker) == 0 })
		}
	})
}

// keyIn returns a key of a lane.
func keyIn(lane, lanes int) string {
	for i := 0; ; i++ {
		if key := uuid.NewSHA1(uuid.Nil, []byte{byte(i), byte(i >> 8)}).String(); message.Slot(key)*lanes/message.Slots == lane {
			return key
		}
	}
}

func (e *Engine) lanes() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.dests[0].lanes)
}
