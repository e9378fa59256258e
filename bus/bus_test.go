package bus_test

import (
	"context"
	"testing"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/session"
)

// TestPromise38_PublishAndHandle: an event reaches every group once, a task whoever handles it, and what a handler
// writes and publishes goes with the message.
func TestPromise38_PublishAndHandle(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		seen := newEvents()
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, m Placed) error {
			seen.add("billing %s", m.Order)
			return bus.Publish(ctx, Charge{m.Order})
		}, bus.Handler{Group: "billing"})
		bus.Handle(b, func(ctx context.Context, m Placed) error {
			seen.add("mail %s", m.Order)
			return nil
		}, bus.Handler{Group: "mail"})
		bus.Handle(b, func(ctx context.Context, m Charge) error {
			seen.add("charge %s", m.Order)
			return session.Add(ctx, &Note{Text: m.Order})
		}, bus.Handler{})
		w := start(t, b)
		f.publish(t, Placed{Order: "a"}, Placed{Order: "b"})
		seen.wantAny(t, "billing a", "billing b", "mail a", "mail b", "charge a", "charge b")
		stop(t, w)
		f.want(t, "0 0 0")
		if got := f.notes(t); got != "a b" {
			t.Errorf("the notes are %q", got)
		}
	})
}
