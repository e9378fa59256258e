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

// TestTableIsRewritten: while messages are in memory, the table is rewritten as a whole (VACUUM FULL), so that they are in other
// places than they were seen in. Their units roll back, and the messages are handled again: each has one effect.
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
			select {
			case <-rewritten:
			case <-ctx.Done():
			}
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
	stop := stopping(t, e)
	urututest.Do(t, db, func(ctx context.Context) error {
		for range n {
			m := Outgoing{Type: message.Type{Topic: "test.rewritten"}, ID: uuid.New(), Payload: []byte("x")}
			if err := Put(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})
	for range hands {
		within(t, began)
	}
	before := places(t, conn)
	if _, err := conn.Exec(t.Context(), "VACUUM FULL urutu_message"); err != nil {
		t.Fatal(err)
	}
	for same := true; same; { // those that were at its beginning are there again, and move as they are changed
		same = false
		for id, place := range places(t, conn) {
			same = same || before[id] == place
		}
		if same {
			if _, err := conn.Exec(t.Context(), "UPDATE urutu_message SET slot = slot"); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(rewritten)
	for range n {
		within(t, handled)
	}
	stop()
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

// places returns where the messages are in their table.
func places(t *testing.T, conn *pgx.Conn) map[int64]string {
	t.Helper()
	rows, err := conn.Query(t.Context(), "SELECT id, ctid::text FROM urutu_message")
	if err != nil {
		t.Fatal(err)
	}
	list := map[int64]string{}
	var id int64
	var place string
	if _, err := pgx.ForEachRow(rows, []any{&id, &place}, func() error {
		list[id] = place
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return list
}
