package outbox

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/urututest"
)

// TestMessageWithoutPayload: a message that says nothing but its topic has an empty payload, at once and delayed.
func TestMessageWithoutPayload(t *testing.T) {
	eachWatched(t, acknowledging, func(w *watched) {
		for _, delay := range []time.Duration{0, time.Millisecond} {
			urututest.Do(w, w.db, func(ctx context.Context) error {
				return Put(ctx, Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.New(), Delay: delay})
			})
			w.expect(WorkHandle, ": done")
		}
		w.counts(Counts{Handled: 2})
	})
}
