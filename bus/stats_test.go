package bus_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

// toldOf is an observer for whom what became of each message is an event.
type toldOf struct{ *events }

func (o toldOf) Observe(_ context.Context, w outbox.Work) {
	for _, r := range w.Results {
		o.add("%s %s %s: %s", w.Kind, w.Destination, r.Message.Topic, r.Outcome)
	}
}

// TestWorkerStats: who holds a worker can ask what it has done at any time, also while it starts and stops, and is told of
// each message.
func TestWorkerStats(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen := toldOf{newEvents()}
		b := bus.New(f.DB, bus.Config{Logger: quiet(), Observer: seen})
		bus.Handle(b, func(context.Context, Placed) error { return nil }, bus.Handler{Group: "billing"})
		bus.Handle(b, func(context.Context, Charge) error { return bus.Permanent(errors.New("no")) }, bus.Handler{})
		one := incoming("b", 1)
		b.Receive("billing", &fakeBroker{acked: newEvents(), batches: [][]outbox.Incoming{{one}, {one}}})
		w := b.Worker()
		if s := w.Stats(); s.Destinations != nil {
			t.Errorf("before it starts: %+v", s)
		}
		var asking sync.WaitGroup
		done := make(chan bool)
		asking.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					w.Stats()
				}
			}
		})
		must(t, w.Start(t.Context()))
		f.publish(t, Placed{"a", 1}, Charge{"a"})
		seen.wantAny(t, "handle billing test.placed: done", "handle billing test.placed: done", "handle test.charge test.charge: parked")
		waitFor(t, 1, func() int64 { return w.Stats().Destinations[0].Duplicates })
		stop(t, w)
		close(done)
		asking.Wait()
		s := w.Stats()
		billing, charge := s.Destinations[0], s.Destinations[1]
		if billing.Destination != "billing" || billing.Handled != 2 || billing.Received != 1 || billing.Duplicates != 1 || billing.Held != 0 {
			t.Errorf("%+v", billing)
		}
		if charge.Destination != "test.charge" || charge.Handled != 0 || charge.Failed != 1 || charge.Parked != 1 || len(charge.Lanes) != 0 {
			t.Errorf("%+v", charge)
		}
	})
}

// tracer does what an adapter for a tracing library does: each unit is a span, whose parent is what flows into it, and
// which flows into what it publishes. A span is the path to it.
type tracer struct{ *events }

func (o tracer) Start(ctx context.Context, s uow.Span) (context.Context, func(uow.Result)) {
	parent := message.Flowing(ctx)[message.TraceParent]
	if s.Kind != uow.SpanUnit || parent == "" {
		return ctx, func(uow.Result) {}
	}
	span := parent + ", " + s.Name
	return message.WithHeaders(ctx, message.Headers{message.TraceParent: span}), func(uow.Result) { o.add("%s", span) }
}

// TestTraceLinksUnitsByTheirMessages: an observer of units that puts its span into the context finds it again around the
// handlers of what was published in the unit, and around the handlers of what those publish.
func TestTraceLinksUnitsByTheirMessages(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		spans := tracer{newEvents()}
		f = f.another(t, func(c *session.Config) { c.Observer = spans })
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, m Placed) error { return bus.Publish(ctx, Charge{m.Order}) }, bus.Handler{Group: "billing"})
		bus.Handle(b, func(context.Context, Charge) error { return nil }, bus.Handler{})
		start(t, b)
		ctx := message.WithHeaders(t.Context(), message.Headers{message.TraceParent: "request"})
		must(t, f.Do(ctx, func(ctx context.Context) error { return bus.Publish(ctx, Placed{"a", 1}) }))
		spans.wantAny(t, "request, unit", "request, unit, billing test.placed", "request, unit, billing test.placed, test.charge test.charge")
	})
}
