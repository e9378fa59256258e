package outbox

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/pgxdriver"
	"github.com/urutu-go/urutu/urututest"
)

// TestTableIsRewritten: while messages are in hand, the table is rewritten as a whole (VACUUM FULL), so that they are in other
// places than they were seen in. Those units roll back, and the messages are handled again: each has one effect.
func TestTableIsRewritten(t *testing.T) {
	t.Parallel()
	url := urututest.URL(t, urututest.InPostgres)
	db := openHeard(t, url, false, pgxdriver.New())
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	if _, err := conn.Exec(t.Context(), "CREATE TABLE effect (message uuid NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	const n, hands = 20, 4
	began, rewritten, handled := make(chan struct{}, 10*n), make(chan struct{}), make(chan struct{}, n)
	e := NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)}, Consumer{
		Destination: "group", Topics: []string{"test.rewritten"}, Concurrency: hands,
		Handle: func(ctx context.Context, d *Delivery) error {
			began <- struct{}{}
			<-rewritten
			err := db.Do(ctx, func(ctx context.Context) error {
				if _, err := session.From(ctx).ExecContext(ctx, "INSERT INTO effect VALUES ($1)", uuid.UUID(d.ID)); err != nil {
					return err
				}
				return d.Acknowledge(ctx)
			})
			if err == nil {
				handled <- struct{}{}
			}
			return err
		},
	})
	e.timing.sweep = 100 * time.Millisecond
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	urututest.Do(t, db, func(ctx context.Context) error {
		// Before the messages there are others, which are gone when the table is rewritten.
		_, err := session.From(ctx).ExecContext(ctx, "INSERT INTO urutu_message (dest, lane, slot, msg_id, topic, headers, payload, created_at)"+
			" SELECT 0, 0, 0, gen_random_uuid(), '', '', '', now() FROM generate_series(1, 50)")
		if err != nil {
			return err
		}
		for range n {
			m := Outgoing{Type: message.Type{Topic: "test.rewritten"}, ID: uuid.New(), Payload: []byte("x")}
			if err := Put(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})
	for range hands {
		<-began
	}
	for _, text := range []string{"DELETE FROM urutu_message WHERE dest = 0", "VACUUM FULL urutu_message"} {
		if _, err := conn.Exec(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	close(rewritten)
	for range n {
		select {
		case <-handled:
		case <-time.After(20 * time.Second):
			t.Fatal("a message was not handled")
		}
	}
	if err := e.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if got := e.Stats().Destinations[0].Superseded; got < hands {
		t.Error("every message was found where it was seen")
	}
	var effects, messages int
	if err := conn.QueryRow(t.Context(), "SELECT count(*), count(DISTINCT message) FROM effect").Scan(&effects, &messages); err != nil {
		t.Fatal(err)
	}
	if effects != n || messages != n {
		t.Errorf("%d messages have %d effects", messages, effects)
	}
}
