package bus_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/bus/driver"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/outbox"
)

// fakeBroker brings batches, each again until it is taken.
type fakeBroker struct {
	batches [][]outbox.Incoming
	acked   *events
	crash   bool // between the first store and its acknowledgement
}

var _ driver.Receiver = (*fakeBroker)(nil)

func (f *fakeBroker) Receive(ctx context.Context, store func(ctx context.Context, batch []outbox.Incoming) error) error {
	for len(f.batches) > 0 {
		if err := store(ctx, f.batches[0]); err != nil {
			return err
		}
		if f.crash {
			f.crash = false
			return errors.New("the connection to the broker broke before the acknowledgement")
		}
		f.acked.add("ack of %d", len(f.batches[0]))
		f.batches = f.batches[1:]
	}
	<-ctx.Done()
	return nil
}

func incoming(order string, n int) outbox.Incoming {
	return outbox.Incoming{ID: uuid.New(), Topic: "test.placed", Key: order, Payload: fmt.Appendf(nil, `{"Order":%q,"N":%d}`, order, n)}
}

// TestPromise45_OneEffect: what a broker brings twice, in one batch, in two, or since its acknowledgement was lost, is
// handled once, and in order.
func TestPromise45_OneEffect(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen, acked := newEvents(), newEvents()
		b := f.bus()
		bus.Handle(b, func(_ context.Context, m Placed) error {
			seen.add("%s %d", m.Order, m.N)
			return nil
		}, bus.Handler{Group: "billing"})
		one, two, three := incoming("a", 1), incoming("a", 2), incoming("a", 3)
		b.Receive("billing", &fakeBroker{acked: acked, crash: true, batches: [][]outbox.Incoming{{one, one, two}, {two, one, three}}})
		start(t, b)
		acked.want(t, "ack of 3", "ack of 3")
		seen.want(t, "a 1", "a 2", "a 3")
		n, err := outbox.Receive(f.Context(t.Context()), "billing", []outbox.Incoming{three, one, incoming("a", 4)})
		if n != 1 || err != nil {
			t.Errorf("%d new, %v", n, err)
		}
		seen.want(t, "a 1", "a 2", "a 3", "a 4")
	})
}

func TestReceiveRefusesWhatCannotBeStored(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := f.Context(t.Context())
		if _, err := outbox.Receive(ctx, "nobody", []outbox.Incoming{incoming("a", 1)}); !errors.Is(err, fault.Misconfigured) {
			t.Error(err)
		}
		bad := incoming("a\x00b", 1)
		if _, err := outbox.Receive(ctx, "nobody", []outbox.Incoming{bad}); !errors.Is(err, fault.Invalid) {
			t.Error(err)
		}
	})
}

func TestReceiveForNobody(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		b := f.bus()
		b.Receive("nobody", &fakeBroker{acked: newEvents()})
		wantFault(t, b.Worker().Start(t.Context()), fault.Misconfigured)
	})
}
