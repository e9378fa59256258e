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

// TestLanesThatAStoppingEngineDoesNotKnow: an engine that stops gives back all lanes that are its own by the tables: a claim may
// not have been answered, and a release may have been broken off by the end.
func TestLanesThatAStoppingEngineDoesNotKnow(t *testing.T) {
	t.Parallel()
	_, e, _, ask := notes(t, Consumer{Handle: func(context.Context, *Delivery) error { return nil }})
	e.timing.tick = time.Hour // it looks at its lanes once
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	owned := func() int { return ask("SELECT count(*) FROM urutu_message_lease WHERE until > 0") }
	await(t, "it has all lanes", func() bool { return owned() == 16 })
	e.mu.Lock()
	for _, l := range e.dests[0].lanes {
		e.lose(l)
	}
	e.mu.Unlock()
	if err := e.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := owned(); n != 0 {
		t.Errorf("%d lanes are still the engine's", n)
	}
}
