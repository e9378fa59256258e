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

// TestDelayedMessagesWakeTheEngine: nobody looks for them in between. The engine knows when the first one is due, and of
// those that came since it looked: from its own process, and from others where the database notifies.
func TestDelayedMessagesWakeTheEngine(t *testing.T) {
	t.Parallel()
	for _, d := range urututest.Databases() {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			url := urututest.URL(t, d)
			db, other := openAt(t, url), openAt(t, url)
			if err := db.Install(t.Context(), Component()); err != nil {
				t.Fatal(err)
			}
			arrived := make(chan string, 10)
			e := NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)}, Consumer{
				Destination: "group", Topics: []string{"test.delayed"}, Handle: func(ctx context.Context, d *Delivery) error {
					if err := db.Do(ctx, d.Acknowledge); err != nil {
						return err
					}
					arrived <- string(d.Payload)
					return nil
				},
			})
			e.timing.due, e.timing.pollMax, e.timing.pollAlone = time.Hour, time.Hour, time.Hour
			if err := e.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			send := func(db *session.DB, text string, delay time.Duration) {
				urututest.Do(t, db, func(ctx context.Context) error {
					return Put(ctx, Outgoing{Type: message.Type{Topic: "test.delayed"}, ID: uuid.New(), Payload: []byte(text), Delay: delay})
				})
			}
			want := func(text string) {
				t.Helper()
				select {
				case got := <-arrived:
					if got != text {
						t.Errorf("%s came, not %s", got, text)
					}
				case <-time.After(20 * time.Second):
					t.Fatalf("%s did not come", text)
				}
			}
			send(db, "never", 24*time.Hour)
			send(db, "second", 400*time.Millisecond)
			send(db, "first", 50*time.Millisecond)
			want("first")
			want("second")
			if d == urututest.InPostgres {
				await(t, "it listens", e.listening.Load)
				send(other, "from elsewhere", 100*time.Millisecond)
				want("from elsewhere")
			}
			if err := e.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}
