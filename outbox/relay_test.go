package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// broker takes messages, unless it is told otherwise for a batch.
type broker struct {
	mu   sync.Mutex
	got  []string
	more chan struct{}
	next func(batch []*outbox.Delivery) []error // for the next batch only
}

func (b *broker) Send(_ context.Context, batch []*outbox.Delivery) []error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if next := b.next; next != nil {
		b.next = nil
		return next(batch)
	}
	for _, d := range batch {
		b.got = append(b.got, d.Key+string(d.Payload))
	}
	select {
	case b.more <- struct{}{}:
	default:
	}
	return nil
}

// wait waits for n messages.
func (b *broker) wait(t *testing.T, n int) []string {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		b.mu.Lock()
		got := slices.Clone(b.got)
		b.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-b.more:
		case <-timeout:
			t.Fatalf("%d of %d: %v", len(got), n, got)
		}
	}
}

// left counts the messages and their failures.
func left(t *testing.T, db *session.DB) (n int) {
	t.Helper()
	urututest.Do(t, db, func(ctx context.Context) error {
		return session.From(ctx).QueryRowContext(ctx,
			"SELECT (SELECT count(*) FROM urutu_message) + (SELECT count(*) FROM urutu_message_retry)").Scan(&n)
	})
	return n
}

// TestRelay: what a broker does not take, takes in part, or panics over is sent again, in order within its key, and
// nothing is left in the end.
func TestRelay(t *testing.T) {
	t.Parallel()
	refuse := func(match func(d *outbox.Delivery) bool, cause error) func([]*outbox.Delivery) []error {
		return func(batch []*outbox.Delivery) []error {
			results := make([]error, len(batch))
			for i, d := range batch {
				if match(d) {
					results[i] = cause
				}
			}
			return results
		}
	}
	ofA := func(d *outbox.Delivery) bool { return d.Key == "a" }
	for name, next := range map[string]func(batch []*outbox.Delivery) []error{
		"all is well":      nil,
		"a key is refused": refuse(ofA, errors.New("not now")),
		"all is refused":   refuse(func(*outbox.Delivery) bool { return true }, errors.New("not now")),
		"a panic":          func([]*outbox.Delivery) []error { panic("broken") },
		"too few results":  func(batch []*outbox.Delivery) []error { return make([]error, 0, 1)[:0] },
	} {
		urututest.Each(t, urututest.Config{Session: session.Config{PoolSize: 6}}, func(t *testing.T, db *session.DB) {
			t.Run(name, func(t *testing.T) {
				if err := db.Install(t.Context(), outbox.Component()); err != nil {
					t.Fatal(err)
				}
				b := &broker{more: make(chan struct{}, 1), next: next}
				e := outbox.NewEngine(db, outbox.Config{Logger: slog.New(slog.DiscardHandler)}, outbox.Consumer{
					Destination: "broker", Topics: []string{"test.sent"}, Send: b.Send,
					Retry: func(string) outbox.Retry { return outbox.Retry{Pause: time.Millisecond, MaxPause: time.Millisecond} },
				})
				if err := e.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				urututest.Do(t, db, func(ctx context.Context) error {
					for i := range 30 {
						m := outbox.Outgoing{
							Type: message.Type{Topic: "test.sent"}, ID: uuid.New(), Key: []string{"a", "b", ""}[i%3], Payload: fmt.Appendf(nil, "%02d", i),
						}
						if err := outbox.Put(ctx, m); err != nil {
							return err
						}
					}
					return nil
				})
				want := 30
				if name == "a key is refused" {
					want = 10 // the others were taken by the batch that is not counted, or by later ones
				}
				got := b.wait(t, want)
				for deadline := time.Now().Add(20 * time.Second); left(t, db) > 0; time.Sleep(5 * time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatalf("%d messages and failures are left", left(t, db))
					}
				}
				if err := e.Stop(t.Context()); err != nil {
					t.Error(err)
				}
				for _, key := range []string{"a", "b"} {
					of := slices.DeleteFunc(slices.Clone(got), func(s string) bool { return s[:1] != key })
					if !slices.IsSorted(of) || key == "a" && len(of) != 10 {
						t.Errorf("key %s: %v", key, of)
					}
				}
			})
		})
	}
}
