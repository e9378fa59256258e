package outbox

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// keptPlans is part of each statement that is sent for messages all the time.
var keptPlans = []string{
	"INSERT INTO urutu_message ", "AS h(dest, lane, hint)", "AS h(dest, lane, floor, hint)", "AS h(dest, lane, epoch)",
	"WITH u AS (DELETE FROM urutu_message ", "DELETE FROM urutu_message WHERE", "DELETE FROM urutu_message_retry WHERE ctid",
}

// TestPlansAreKept: what is sent for messages all the time, PostgreSQL plans a few times and then no more: planning takes longer
// than what is planned. Also while the table grows, since somebody holds an old snapshot, so that it believes that what it has
// planned before has become dear.
func TestPlansAreKept(t *testing.T) {
	t.Parallel()
	db := urututest.Open(t, urututest.Config{Database: urututest.InPostgres, Session: session.Config{PoolSize: 4}})
	if err := db.Install(t.Context(), Component()); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	custom := map[string]int64{}
	seen := func(ctx context.Context) error { // how often its connection has planned for arguments
		rows, err := session.From(ctx).QueryContext(ctx, "SELECT statement, custom_plans, generic_plans FROM pg_prepared_statements")
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		mu.Lock()
		defer mu.Unlock()
		for rows.Next() {
			var text string
			var n, generic int64
			if err := rows.Scan(&text, &n, &generic); err != nil {
				return err
			}
			for _, part := range keptPlans {
				if strings.Contains(text, part) && n+generic > 0 {
					custom[part] = max(custom[part], n)
				}
			}
		}
		return rows.Err()
	}
	handled, sent := make(chan struct{}, 1000), make(chan struct{}, 1000)
	e := NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)},
		Consumer{Destination: "handled", Topics: []string{"test.kept"}, Concurrency: 2, Handle: func(ctx context.Context, d *Delivery) error {
			return db.Do(ctx, func(ctx context.Context) error {
				if err := seen(ctx); err != nil {
					return err
				}
				handled <- struct{}{}
				return d.Acknowledge(ctx)
			})
		}},
		Consumer{Destination: "sent", Topics: []string{"test.kept"}, Send: func(_ context.Context, batch []*Delivery) []error {
			for range batch {
				sent <- struct{}{}
			}
			return nil
		}})
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop := stopping(t, e)
	work := func() {
		for range 60 {
			urututest.Do(t, db, func(ctx context.Context) error {
				return Put(ctx, Outgoing{Type: message.Type{Topic: "test.kept"}, ID: uuid.New(), Payload: []byte("x")})
			})
			within(t, handled)
			within(t, sent)
		}
	}
	work()
	held, release := make(chan struct{}), make(chan struct{})
	let := sync.OnceFunc(func() { close(release) })
	var holding sync.WaitGroup
	defer holding.Wait()
	defer let()
	holding.Go(func() {
		err := db.Do(t.Context(), func(ctx context.Context) error {
			_, err := session.From(ctx).ExecContext(ctx, "SELECT pg_current_xact_id()")
			close(held)
			<-release
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	within(t, held)
	for i := range 3 {
		exec := func(text string) {
			urututest.Do(t, db, func(ctx context.Context) error {
				_, err := session.From(ctx).ExecContext(ctx, text)
				return err
			})
		}
		exec(fmt.Sprintf("INSERT INTO urutu_message (dest, lane, slot, msg_id, topic, headers, payload, created_at)"+
			" SELECT 0, 0, 0, gen_random_uuid(), '', '', repeat('x', 100)::bytea, now() FROM generate_series(1, %d)", 10_000*(i+1)))
		exec("DELETE FROM urutu_message WHERE dest = 0 AND id % 1000 > 0") // some are on their way at any moment
		exec("ANALYZE urutu_message")
		work()
	}
	let()
	stop()
	for _, part := range keptPlans {
		if n, ok := custom[part]; !ok || n > 5 {
			t.Errorf("%s...: it was planned %d times on one connection", part, n)
		}
	}
}
