package outbox_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// TestRefusedMessageIsNotOvertaken: while a broker looks at a message that it refuses, the next ones of its key become
// ready. They wait for it all the same.
func TestRefusedMessageIsNotOvertaken(t *testing.T) {
	t.Parallel()
	urututest.Each(t, urututest.Config{Session: session.Config{PoolSize: 6}}, func(t *testing.T, db *session.DB) {
		if err := db.Install(t.Context(), outbox.Component()); err != nil {
			t.Fatal(err)
		}
		publish := func(payload string) error {
			return db.Do(t.Context(), func(ctx context.Context) error {
				return outbox.Put(ctx, outbox.Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.New(), Key: "key", Payload: []byte(payload)})
			})
		}
		handled, got := make(chan string, 8), make(chan string, 8)
		refused := false
		e := outbox.NewEngine(db, outbox.Config{Logger: slog.New(slog.DiscardHandler)}, outbox.Consumer{
			Destination: "broker", Topics: []string{"test.sent"},
			Retry: func(string) outbox.Retry { return outbox.Retry{Pause: time.Millisecond, MaxPause: time.Millisecond} },
			Send: func(_ context.Context, batch []*outbox.Delivery) []error {
				if !refused {
					refused = true
					// The other group has the second one after a look at the lanes of both, and the third one after a later look.
					for _, payload := range []string{"2", "3"} {
						if err := publish(payload); err != nil {
							t.Error(err)
						}
						for next := ""; next != payload; next = <-handled {
							continue
						}
					}
					return []error{errors.New("not now")}
				}
				for _, d := range batch {
					got <- string(d.Payload)
				}
				return nil
			},
		}, outbox.Consumer{
			Destination: "other", Topics: []string{"test.sent"}, Handle: func(ctx context.Context, d *outbox.Delivery) error {
				err := db.Do(ctx, d.Acknowledge)
				handled <- string(d.Payload)
				return err
			},
		})
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := publish("1"); err != nil {
			t.Fatal(err)
		}
		var order []string
		for range 3 {
			order = append(order, <-got)
		}
		if err := e.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if !slices.Equal(order, []string{"1", "2", "3"}) {
			t.Errorf("the broker got %v", order)
		}
	})
}
