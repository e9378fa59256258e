package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

// Options are how one message is published. The zero value delivers it at once.
type Options struct {
	// Delay is how long after the unit's commit it is delivered, at the earliest, by the database's clock. Not together
	// with At.
	Delay time.Duration
	// At is when it is delivered, at the earliest, by the database's clock. It is an instant: a time of day in a zone is made
	// one with time.Date.
	At time.Time
	// Once identifies a message that waits for its time: of those with the same Once, one waits for each destination.
	// It needs Delay or At.
	Once string
	// Again says what publishing with the same Once does to the message that waits. Defaults to nothing.
	Again outbox.Again
	// Headers travel with it, besides those that flow from the context.
	Headers message.Headers
}

// Publish adds a message to the unit of work in ctx: it leaves if, and always when, the unit commits on the connection
// that ctx chose. Published in a savepoint or an independent unit, it shares their fate. The messages of one unit become
// visible together, those with one key in the order in which they were published. Outside of a unit, in a context that
// knows the connections (session.DB.Context), publishing is a unit of its own.
//
// What cannot be published is an error here, of kind fault.Invalid, and nothing of the unit has failed. A connection
// without the tables of outbox.Component is fault.Misconfigured.
func Publish(ctx context.Context, m message.Message, opts ...Options) error {
	const op = "bus.Publish"
	var o Options
	if len(opts) > 0 {
		o = opts[0]
	}
	out, err := outgoing(ctx, m, o)
	if err != nil {
		return fault.Wrap(fault.Invalid, op, err)
	}
	if _, inside := uow.Current(ctx); inside {
		return outbox.Put(ctx, out)
	}
	return session.New(ctx, func(ctx context.Context) error { return outbox.Put(ctx, out) })
}

// outgoing makes of a message what is stored.
func outgoing(ctx context.Context, m message.Message, o Options) (out outbox.Outgoing, err error) {
	if v := reflect.ValueOf(m); m == nil || v.Kind() == reflect.Pointer && v.IsNil() {
		return out, fault.New(fault.Invalid, "there is no message")
	}
	if out.ID, err = uuid.NewV7(); err != nil {
		return out, err
	}
	out.Type, out.At, out.Delay, out.Once, out.Again = m.MessageType(), o.At, o.Delay, o.Once, o.Again
	if k, ok := m.(message.Keyed); ok {
		out.Key = k.MessageKey()
	}
	if out.Payload, err = json.Marshal(m); err != nil {
		return out, fmt.Errorf("encode a message of topic %q: %w", out.Type.Topic, err)
	}
	out.Headers = message.Flowing(ctx)
	if len(o.Headers) > 0 {
		all := maps.Clone(o.Headers)
		for name, v := range out.Headers {
			if _, ok := all[name]; !ok {
				all[name] = v
			}
		}
		out.Headers = all
	}
	return out, nil
}
