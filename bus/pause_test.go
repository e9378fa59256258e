package bus

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/urutu-go/urutu/outbox"
)

// moody is a receiver that does what its turns say. It notes how long it was left alone before each.
type moody struct {
	turns []func(store func(batch ...outbox.Incoming) error) error
	end   context.CancelFunc // after the last one

	left   time.Time
	pauses []time.Duration
}

func (m *moody) Receive(ctx context.Context, store func(context.Context, []outbox.Incoming) error) error {
	if !m.left.IsZero() {
		m.pauses = append(m.pauses, time.Since(m.left))
	}
	if len(m.turns) == 0 {
		m.end()
		return ctx.Err()
	}
	turn := m.turns[0]
	m.turns = m.turns[1:]
	err := turn(func(batch ...outbox.Incoming) error { return store(ctx, batch) })
	m.left = time.Now()
	return err
}

// TestReceiverIsLeftAloneForLongerWhileItFails: and not for longer than before once it has worked: it has brought something
// new, or went on for a while. One that only returns is left alone too.
func TestReceiverIsLeftAloneForLongerWhileItFails(t *testing.T) {
	t.Parallel()
	type store = func(batch ...outbox.Incoming) error
	failure := errors.New("the broker is gone")
	fails := func(store) error { return failure }
	returns := func(store) error { return nil }
	lasts := func(d time.Duration) func(store) error {
		return func(store) error {
			time.Sleep(d)
			return failure
		}
	}
	brings := func(batch ...outbox.Incoming) func(store) error {
		return func(store store) error { return errors.Join(store(batch...), failure) }
	}
	known := map[[16]byte]bool{{2}: true}
	put := func(_ context.Context, group string, batch []outbox.Incoming) (fresh int, err error) {
		for _, m := range batch {
			if group == "billing" && !known[m.ID] {
				fresh++
			}
		}
		return fresh, nil
	}
	fresh, again := outbox.Incoming{ID: [16]byte{1}}, outbox.Incoming{ID: [16]byte{2}}
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		m := &moody{end: end, turns: []func(func(...outbox.Incoming) error) error{
			fails, returns, returns, fails, lasts(longPause), fails, fails, fails, fails, // up to the longest one
			lasts(longPause + time.Second), fails, brings(again), brings(again, fresh), fails, returns,
		}}
		b := &Bus{cfg: Config{Logger: slog.New(slog.DiscardHandler)}}
		b.receive(ctx, inward{"billing", m}, put)
		var want []time.Duration
		for _, tenths := range []int{1, 2, 4, 8, 16, 32, 64, 100, 100, 1, 2, 4, 1, 2, 4} {
			want = append(want, time.Duration(100*tenths)*time.Millisecond)
		}
		if !slices.Equal(m.pauses, want) {
			t.Errorf("it is left alone for\n%v, not\n%v", m.pauses, want)
		}
	})
}
