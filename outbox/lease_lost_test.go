package outbox_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// TestLaneWhoseClaimWasNotAnswered: a process has taken its lanes and does not know, since the connection was cut before the
// answer. It finds out, and works on them.
func TestLaneWhoseClaimWasNotAnswered(t *testing.T) {
	t.Parallel()
	urututest.Each(t, urututest.Config{Session: session.Config{PoolSize: 6}}, func(t *testing.T, db *session.DB) {
		if err := db.Install(t.Context(), outbox.Component()); err != nil {
			t.Fatal(err)
		}
		handled := make(chan string, 8)
		e := outbox.NewEngine(db, outbox.Config{Logger: slog.New(slog.DiscardHandler)}, outbox.Consumer{
			Destination: "group", Topics: []string{"test.sent"}, Handle: func(ctx context.Context, d *outbox.Delivery) error {
				err := db.Do(ctx, d.Acknowledge)
				if err == nil {
					handled <- string(d.Payload)
				}
				return err
			},
		})
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, payload := range []string{"before", "after"} {
			urututest.Do(t, db, func(ctx context.Context) error {
				return outbox.Put(ctx, outbox.Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.New(), Key: "key", Payload: []byte(payload)})
			})
			select {
			case got := <-handled:
				if got != payload {
					t.Errorf("%s was handled", got)
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("the message %s the claim was not handled", payload)
			}
			// A claim of the same owner, of which the process has no answer.
			urututest.Do(t, db, func(ctx context.Context) error {
				_, err := session.From(ctx).ExecContext(ctx, "UPDATE urutu_message_lane SET epoch = epoch + 1")
				return err
			})
		}
		if err := e.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
