package outbox

import (
	"context"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// TestLanesOfWhoStops: a process takes no more messages, and one is in hand for long. Its other lanes are looked after by
// others meanwhile.
func TestLanesOfWhoStops(t *testing.T) {
	t.Parallel()
	db := urututest.Open(t, urututest.Config{Database: urututest.InPostgres, Session: session.Config{PoolSize: 10}})
	if err := db.Install(t.Context(), Component()); err != nil {
		t.Fatal(err)
	}
	inHand, goOn := make(chan struct{}), make(chan struct{})
	engine := func() *Engine {
		e := NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)}, Consumer{Destination: "group", Topics: []string{"test.sent"},
			Handle: func(ctx context.Context, d *Delivery) error {
				if string(d.Payload) == "long" {
					close(inHand)
					<-goOn
				}
				return db.Do(ctx, d.Acknowledge)
			}})
		e.timing.tick, e.timing.renew = 20*time.Millisecond, 50*time.Millisecond
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		return e
	}
	put := func(key, payload string) {
		urututest.Do(t, db, func(ctx context.Context) error {
			return Put(ctx, Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.New(), Key: key, Payload: []byte(payload)})
		})
	}
	first := engine()
	await(t, "it has all lanes", func() bool { return first.lanes() == 16 })
	put("key", "long")
	<-inHand
	first.StopIntake()
	other := engine()
	for i := range 64 {
		put("key"+strconv.Itoa(i), "{}")
	}
	await(t, "the other one has all lanes but one", func() bool { return other.lanes() == 15 })
	await(t, "what is left is in that lane", func() bool {
		n := 0
		urututest.Do(t, db, func(ctx context.Context) error {
			return session.From(ctx).QueryRowContext(ctx, "SELECT count(DISTINCT lane) FROM urutu_message").Scan(&n)
		})
		return n == 1
	})
	close(goOn)
	for _, e := range []*Engine{first, other} {
		if err := e.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
