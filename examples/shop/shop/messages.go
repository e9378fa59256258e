package shop

import (
	"context"
	"time"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

// Bus returns the shop's handlers, with the interceptors around each. Its worker runs beside the web server, in the same
// process or in others.
func Bus(db *session.DB, interceptors ...uow.Interceptor) *bus.Bus {
	b := bus.New(db, bus.Config{Interceptors: interceptors})
	bus.Handle(b, pay, bus.Handler{Group: "payments"})
	return b
}

// FailedMessage is a message that has failed, as the page shows it. A real shop asks who wants to see it.
type FailedMessage struct {
	ID       int64        `json:"id"`
	Topic    string       `json:"topic"`
	Key      string       `json:"key"`
	State    outbox.State `json:"state"`
	Failures int          `json:"failures"`
	NextAt   time.Time    `json:"next_at,omitzero"`
	Error    string       `json:"error"`
}

// FailedMessages are the messages that are tried again, and those that are parked.
type FailedMessages struct {
	Items []FailedMessage `json:"items" nullable:"false"`
}

// listFailed returns the handler that lists them.
func listFailed(operator *outbox.Operator) func(context.Context, struct{}) (FailedMessages, error) {
	return func(ctx context.Context, _ struct{}) (FailedMessages, error) {
		list, _, err := operator.List(ctx, outbox.Filter{}, outbox.Page{Limit: 100})
		out := FailedMessages{Items: make([]FailedMessage, len(list))}
		for i, m := range list {
			out.Items[i] = FailedMessage{m.ID, m.Topic, m.Key, m.State, m.Failures, m.NextAt, m.LastError}
		}
		return out, err
	}
}
