package outbox

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// TestOnlyOneMoves: a process that has lost a destination's first lane, and does not know, moves nothing of what is due: two
// of them would put the messages of a key in another order.
func TestOnlyOneMoves(t *testing.T) {
	t.Parallel()
	urututest.Each(t, urututest.Config{Session: session.Config{PoolSize: 6}}, func(t *testing.T, db *session.DB) {
		if err := db.Install(t.Context(), Component()); err != nil {
			t.Fatal(err)
		}
		e := NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)}, Consumer{
			Destination: "group", Topics: []string{"test.sent"}, Handle: func(context.Context, *Delivery) error { return nil },
		})
		if err := errors.Join(e.Start(t.Context()), e.Stop(t.Context())); err != nil {
			t.Fatal(err)
		}
		ask := func(text string) (n int64) {
			urututest.Do(t, db, func(ctx context.Context) error { return session.From(ctx).QueryRowContext(ctx, text).Scan(&n) })
			return n
		}
		urututest.Do(t, db, func(ctx context.Context) error {
			return Put(ctx, Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.New(), Payload: []byte("{}"), At: time.Now().Add(-time.Minute)})
		})
		epoch := ask("SELECT epoch FROM urutu_message_lane WHERE lane = 0")
		for _, m := range []struct{ epoch, waiting, ready int64 }{{epoch - 1, 1, 0}, {epoch, 0, 1}} {
			if err := e.move(session.On(db.Context(t.Context()), ""), &round{}, []moving{{e.dests[0], m.epoch}}); err != nil {
				t.Fatal(err)
			}
			waiting, ready := ask("SELECT count(*) FROM urutu_message_delayed"), ask("SELECT count(*) FROM urutu_message")
			if waiting != m.waiting || ready != m.ready {
				t.Errorf("with the epoch %d, of which %d is right: %d wait and %d are ready", m.epoch, epoch, waiting, ready)
			}
		}
	})
}
