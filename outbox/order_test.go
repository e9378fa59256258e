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

// TestKeysKeepTheirOrderWhileHandlersFail: with a backlog, of which one in eight attempts fails, so that sweeps take many
// parts while retries come and go.
func TestKeysKeepTheirOrderWhileHandlersFail(t *testing.T) {
	t.Parallel()
	const backlog, total = 6000, 8000
	urututest.Each(t, urututest.Config{Session: session.Config{PoolSize: 12, Logger: slog.New(slog.DiscardHandler)}}, func(t *testing.T, db *session.DB) {
		if err := db.Install(t.Context(), Component()); err != nil {
			t.Fatal(err)
		}
		h := &inOrder{t: t, db: db, last: map[string]int{}, all: make(chan struct{}), total: total}
		e := NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)}, Consumer{
			Destination: "group", Topics: []string{"test.sent"}, Handle: h.handle,
			Retry: func(string) Retry {
				return Retry{Pause: 20 * time.Millisecond, MaxPause: 200 * time.Millisecond, Attempts: -1}
			},
		})
		// It makes the group known, which is to have a backlog when it starts.
		first := NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)}, Consumer{Destination: "group", Topics: []string{"test.sent"}, Handle: h.handle})
		if err := errors.Join(first.Start(t.Context()), first.Stop(t.Context())); err != nil {
			t.Fatal(err)
		}
		for h.sent < backlog {
			h.put(100)
		}
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for h.sent < total {
			h.put(5)
		}
		select {
		case <-h.all:
		case <-time.After(2 * time.Minute):
			t.Error("not all of them are handled")
		}
		if err := e.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// inOrder publishes numbers, and handles them.
type inOrder struct {
	t    *testing.T
	db   *session.DB
	sent int

	mu             sync.Mutex
	last           map[string]int // of each key
	handled, total int
	all            chan struct{}
}

func (h *inOrder) put(n int) {
	urututest.Do(h.t, h.db, func(ctx context.Context) error {
		for range n {
			h.sent++
			key := ""
			if h.sent%3 > 0 {
				key = fmt.Sprint("key-", h.sent*7919%24)
			}
			m := Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.New(), Key: key, Payload: []byte(strconv.Itoa(h.sent))}
			if err := Put(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})
}

func (h *inOrder) handle(ctx context.Context, d *Delivery) error {
	if rand.IntN(8) == 0 {
		return errors.New("it fails")
	}
	if err := h.db.Do(ctx, d.Acknowledge); err != nil {
		return err
	}
	n, err := strconv.Atoi(string(d.Payload))
	h.mu.Lock()
	defer h.mu.Unlock()
	if d.Key != "" {
		if n < h.last[d.Key] {
			h.t.Errorf("%d of %s is handled after %d", n, d.Key, h.last[d.Key])
		}
		h.last[d.Key] = n
	}
	if h.handled++; h.handled == h.total {
		close(h.all)
	}
	return err
}
