package outbox

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// TestCovered: what a sweep goes through as transactions end, of those that last and of those that do not.
func TestCovered(t *testing.T) {
	t.Parallel()
	l := newLane(newDestination(Consumer{}), 0, lease{until: time.Now().Add(time.Hour)})
	l.whole, l.hint = false, 10
	now := time.Now()
	for i, s := range []struct {
		after  time.Duration
		hint   int64 // of the lane
		open   []uint64
		begins int64
		forgo  bool
	}{
		{0, 10, []uint64{5, 7, 8}, 0, false},
		{lasting / 2, 20, []uint64{5, 7, 9}, 0, false},
		{lasting, 30, []uint64{5, 7, 9}, 0, false}, // 5 and 7 have lasted since 10 was the hint
		{time.Millisecond, 40, []uint64{5, 7}, 10, false},
		{time.Millisecond, 50, []uint64{5, 8}, 10, true}, // 7 has ended
		{time.Millisecond, 50, []uint64{5, 8}, 0, false},
		{2 * lasting, 60, []uint64{5}, 0, false}, // 5 has lasted since 30 was
		{time.Millisecond, 60, []uint64{5}, 30, false},
		{time.Minute, 70, []uint64{5}, 30, false},
		{lasting, 80, []uint64{5}, 60, false},
		{lasting, 90, []uint64{5}, 60, false}, // the longer, the less often
		{lasting, 100, nil, 60, true},
		{time.Millisecond, 100, nil, 0, false},
	} {
		now = now.Add(s.after)
		l.hint = s.hint
		k := l.begin(now, false)
		k.open, k.ended, k.next = s.open, 1, 100
		if k.floor != s.begins || !k.sweep {
			t.Fatalf("look %d sweeps from %d, not %d", i, k.floor, s.begins)
		}
		if forgo := l.forgo(&k); forgo != s.forgo {
			t.Fatalf("look %d comes to nothing: %t", i, forgo)
		} else if !forgo {
			l.take(&k)
		}
	}
}

// TestOpenOf: which transactions a snapshot says were open.
func TestOpenOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]uint64{
		"10:10:": nil, "10:20:10,14,18446744073709551615": {10, 14, 1<<64 - 1}, "10:11:10": {10}, "": nil, "1:2:x,5": {5},
	} {
		if got := openOf(text); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// TestTransactionsThatStayOpen: while somebody's transaction that has written stays open, looks go through what has come
// of late only, and what it has published is handled when it ends, before what comes behind it.
func TestTransactionsThatStayOpen(t *testing.T) {
	t.Parallel()
	handled := make(chan string, 10)
	var db *session.DB
	db, e, _, _ := notes(t, Consumer{Handle: func(ctx context.Context, d *Delivery) error {
		err := db.Do(ctx, d.Acknowledge)
		if err == nil && d.Key != "" {
			handled <- string(d.Payload)
		}
		return err
	}})
	put := func(ctx context.Context, key, payload string) error {
		return Put(ctx, Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.New(), Key: key, Payload: []byte(payload)})
	}
	subscribes := NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)}, e.dests[0].Consumer)
	if err := errors.Join(subscribes.Start(t.Context()), subscribes.Stop(t.Context())); err != nil {
		t.Fatal(err)
	}
	urututest.Do(t, db, func(ctx context.Context) error { return put(ctx, "key", "before") })
	urututest.Do(t, db, func(ctx context.Context) error {
		_, err := session.From(ctx).ExecContext(ctx, "INSERT INTO urutu_message (dest, lane, "+content+
			") SELECT dest, lane, slot, gen_random_uuid(), topic, key, headers, 'first', created_at FROM urutu_message")
		if err != nil {
			return err
		}
		started(t, e)
		await(t, "sweeps leave out what is covered", func() bool {
			urututest.Do(t, db, func(ctx context.Context) error { return put(ctx, "", "busy") })
			e.mu.Lock()
			defer e.mu.Unlock()
			return slices.ContainsFunc(slices.Collect(maps.Values(e.dests[0].lanes)), func(l *lane) bool { return l.covered.begin(l.floor) > l.floor })
		})
		return nil
	})
	urututest.Do(t, db, func(ctx context.Context) error { return put(ctx, "key", "second") })
	var keyed []string
	for len(keyed) < 3 {
		select {
		case m := <-handled:
			keyed = append(keyed, m)
		case <-time.After(20 * time.Second):
			t.Fatalf("handled were %v", keyed)
		}
	}
	if !slices.Equal(keyed, []string{"before", "first", "second"}) {
		t.Errorf("handled were %v", keyed)
	}
}
