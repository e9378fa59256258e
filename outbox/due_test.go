package outbox

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// TestManyRetriesAreDueAtOnce: more of one lane than a look takes, as after an operator has had all of them tried again.
func TestManyRetriesAreDueAtOnce(t *testing.T) {
	t.Parallel()
	urututest.Each(t, urututest.Config{Session: session.Config{PoolSize: 4, Logger: slog.New(slog.DiscardHandler)}}, func(t *testing.T, db *session.DB) {
		if err := db.Install(t.Context(), Component()); err != nil {
			t.Fatal(err)
		}
		const n = 300
		var broken atomic.Bool
		broken.Store(true)
		seen := make(chan struct{}, 2*n)
		e := NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)}, Consumer{
			Destination: "group", Topics: []string{"test.sent"}, Concurrency: 4, Handle: func(ctx context.Context, d *Delivery) error {
				if broken.Load() {
					return &Failure{Reason: Permanent, Park: true, Err: errors.New("it is broken")}
				}
				err := db.Do(ctx, d.Acknowledge)
				if err == nil {
					seen <- struct{}{}
				}
				return err
			},
		})
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		urututest.Do(t, db, func(ctx context.Context) error {
			for range n {
				id := uuid.New()
				id[14], id[15] = 0, 0 // all in the first lane
				if err := Put(ctx, Outgoing{Type: message.Type{Topic: "test.sent"}, ID: id, Payload: []byte("x")}); err != nil {
					return err
				}
			}
			return nil
		})
		deadline := time.Now().Add(20 * time.Second)
		for askFor(t, db, "SELECT count(*) FROM urutu_message_retry WHERE parked") != "300" && time.Now().Before(deadline) {
			time.Sleep(10 * time.Millisecond)
		}
		broken.Store(false)
		operator := NewOperator(db, OperatorConfig{Logger: slog.New(slog.DiscardHandler)})
		if changed, err := operator.Retry(t.Context(), Filter{State: AnyState}); changed != n || err != nil {
			t.Error(changed, err)
		}
		late := time.After(20 * time.Second)
		for i := range n {
			select {
			case <-seen:
			case <-late:
				t.Fatalf("%d of %d were tried again", i, n)
			}
		}
		if err := e.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
