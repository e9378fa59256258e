package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// TestKeysKeepTheirOrderForABroker: several processes share a destination whose number of lanes changes now and then, and
// the broker refuses some messages. What it gets of a key for the first time comes in order.
func TestKeysKeepTheirOrderForABroker(t *testing.T) {
	t.Parallel()
	const total, each = 3000, 150 // messages, and those after which the number of lanes may change
	urututest.Each(t, urututest.Config{Session: session.Config{PoolSize: 20, Logger: slog.New(slog.DiscardHandler)}}, func(t *testing.T, db *session.DB) {
		if err := db.Install(t.Context(), Component()); err != nil {
			t.Fatal(err)
		}
		b := &broker{t: t, got: map[string]int{}, all: make(chan struct{}), total: total}
		for range 3 {
			e := NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)}, Consumer{
				Destination: "broker", Topics: []string{"test.sent"}, Send: b.send,
				Retry: func(string) Retry {
					return Retry{Pause: 5 * time.Millisecond, MaxPause: 50 * time.Millisecond, Attempts: -1}
				},
			})
			e.timing.tick, e.timing.renew = 30*time.Millisecond, 60*time.Millisecond
			if err := e.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := e.Stop(context.WithoutCancel(t.Context())); err != nil {
					t.Error(err)
				}
			}()
		}
		var others sync.WaitGroup
		defer others.Wait()
		others.Go(func() {
			for sent := -each; ; {
				select {
				case <-b.all:
					return
				case <-time.After(rand.N(300 * time.Millisecond)):
				}
				n := b.count()
				if n < sent+each { // slow machines get somewhere too
					continue
				}
				sent = n
				if err := Relane(db.Context(t.Context()), "broker", 1+rand.N(MaxLanes)); err != nil {
					t.Log(err) // others were in the way
				}
			}
		})
		for n := 0; n < total; {
			urututest.Do(t, db, func(ctx context.Context) error {
				for range 5 {
					n++
					key := fmt.Sprint("key-", n*7919%24)
					m := Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.New(), Key: key, Payload: []byte(strconv.Itoa(n))}
					if err := Put(ctx, m); err != nil {
						return err
					}
				}
				return nil
			})
		}
		select {
		case <-b.all:
		case <-time.After(2 * time.Minute):
			t.Error("not all of them are sent")
			close(b.all)
		}
	})
}

// broker takes numbers.
type broker struct {
	t *testing.T

	mu    sync.Mutex
	got   map[string]int // the last of each key
	n     int
	total int
	all   chan struct{}
}

func (b *broker) send(_ context.Context, batch []*Delivery) []error {
	results, refused := make([]error, len(batch)), map[string]bool{}
	for i, d := range batch {
		if refused[d.Key] || rand.IntN(20) == 0 {
			results[i], refused[d.Key] = errors.New("not now"), true
			continue
		}
		results[i] = b.take(d)
	}
	return results
}

func (b *broker) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.n
}

func (b *broker) take(d *Delivery) error {
	n, err := strconv.Atoi(string(d.Payload))
	b.mu.Lock()
	defer b.mu.Unlock()
	last := b.got[d.Key]
	switch {
	case n <= last || b.n >= b.total: // again
		return err
	case last > 0 && n != last+24:
		b.t.Errorf("%d of %s is sent after %d", n, d.Key, last)
		b.n = b.total - 1 // that is enough
	}
	b.got[d.Key] = n
	if b.n++; b.n == b.total {
		close(b.all)
	}
	return err
}
