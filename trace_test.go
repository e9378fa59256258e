package urutu_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
	"github.com/urutu-go/urutu/web"
)

// charge is a task that a request publishes.
type charge struct{ Order string }

func (charge) MessageType() message.Type {
	return message.Type{Topic: "test.charge", Kind: message.Task}
}

// TestTraceOfARequestReachesItsHandlers: the trace and the id of an HTTP request are in the context of the handler that handles
// what it has published.
func TestTraceOfARequestReachesItsHandlers(t *testing.T) {
	t.Parallel()
	quiet := slog.New(slog.DiscardHandler)
	urututest.Each(t, urututest.Config{Session: session.Config{Logger: quiet}}, func(t *testing.T, db *session.DB) {
		if err := db.Install(t.Context(), outbox.Component()); err != nil {
			t.Fatal(err)
		}
		seen := make(chan message.Headers, 1)
		b := bus.New(db, bus.Config{Logger: quiet})
		bus.Handle(b, func(ctx context.Context, _ charge) error {
			seen <- message.Flowing(ctx)
			return nil
		}, bus.Handler{})
		worker := b.Worker()
		if err := worker.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		h := web.Middleware(web.MiddlewareConfig{Runner: db.Runner()})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if err := bus.Publish(r.Context(), charge{"a"}); err != nil {
				t.Error(err)
			}
		}))
		const trace, id = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "the-request"
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/orders", nil)
		r.Header.Set(message.TraceParent, trace)
		r.Header.Set(web.RequestIDHeader, id)
		h.ServeHTTP(httptest.NewRecorder(), r)
		if got := <-seen; got[message.TraceParent] != trace || got[message.CorrelationID] != id {
			t.Errorf("the handler's headers are %q", got)
		}
		if err := worker.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
