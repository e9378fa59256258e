package bus

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/uow"
)

// Handler is how one handler is run. The zero value is right for most tasks; an event needs a Group.
type Handler struct {
	// Group is whose messages these are: each group gets every event of the topics that its handlers have, once. The
	// processes of one service share a group, and its work. A task's group is its topic, and is not set here.
	Group string
	// Concurrency is how many messages this handler has in hand at once, in each process. Defaults to 8. Where it is slower
	// than its messages come, they stay in the database, and the group's other handlers go on, except with messages of keys
	// of which an earlier one waits there.
	Concurrency int
	// Timeout bounds one attempt: the context ends, and the unit is rolled back, whatever the function returns. One that does
	// not return keeps its message and its place until it does. Defaults to 1 minute; a negative duration means none.
	Timeout time.Duration
	// Retry says how failures are dealt with.
	Retry outbox.Retry
	// Unit are the options of the unit of work: isolation, the connections that it may use.
	Unit uow.Options
}

// handler is a handler as it was registered.
type handler struct {
	Handler
	typ    message.Type
	handle func(ctx context.Context, version int, payload []byte) error
}

// Handle registers the handler of messages of type T. Each message is handled in a unit of work of its own, whose commit
// holds the handler's writes, the messages that it publishes and the end of this one: all of it happens, or none. The
// message is handled again, after a pause, where the handler returns an error, panics, or takes too long.
//
// Handle is called before the worker starts, which reports what is wrong with a registration.
func Handle[T message.Message](b *Bus, fn func(ctx context.Context, m T) error, opts Handler) {
	var zero T
	if reflect.TypeFor[T]().Kind() != reflect.Struct {
		b.refuse("%v is no struct: handle the message by value", reflect.TypeFor[T]())
		return
	}
	h := &handler{Handler: opts, typ: zero.MessageType()}
	if fn == nil {
		b.refuse("the handler of %q is nil", h.typ.Topic)
		return
	}
	h.typ.Version = cmp.Or(h.typ.Version, 1)
	h.handle = func(ctx context.Context, version int, payload []byte) error {
		var m T
		if err := decode(&m, h.typ.Version, version, payload); err != nil {
			return &outbox.Failure{Reason: outbox.Undecodable, Park: true, Err: err}
		}
		return fn(ctx, m)
	}
	b.register(h)
}

// decode reads a payload, an older one by the type's own means where it has any.
func decode(to any, own, version int, payload []byte) error {
	if u, ok := to.(message.Upgrader); ok && version < own {
		return u.UpgradeMessage(version, payload)
	}
	return json.Unmarshal(payload, to)
}

// Permanent says that trying again is useless: the message is parked with err as the reason, until an operator decides.
// Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &outbox.Failure{Reason: outbox.Permanent, Park: true, Err: err}
}

// RetryAfter asks for the next attempt after a pause that the handler knows: a provider said when. It counts as a
// failure. RetryAfter(d, nil) is nil.
func RetryAfter(pause time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &outbox.Failure{Reason: outbox.Failed, After: max(pause, time.Millisecond), Err: err}
}

// Info is what a handler can know of the message in its hand.
type Info struct {
	// ID is the same wherever the message goes: two deliveries of one message have one ID.
	ID [16]byte
	// Topic and Key are the message's own.
	Topic, Key string
	// Headers are those that it was published with.
	Headers message.Headers
	// CreatedAt is when it was published.
	CreatedAt time.Time
	// Failures is how often it has failed before.
	Failures int
}

type infoKey struct{}

// Current returns what is known of the message that ctx is handling.
func Current(ctx context.Context) (Info, bool) {
	i, ok := ctx.Value(infoKey{}).(*Info)
	if !ok {
		return Info{}, false
	}
	return *i, true
}

// reason says what a unit's error is to the queue.
func reason(err error) error {
	var f *outbox.Failure
	switch {
	case err == nil || errors.As(err, &f):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return &outbox.Failure{Reason: outbox.TimedOut, Err: err}
	}
	return err
}

func (b *Bus) refuse(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = append(b.wrong, misconfigured(format, args...))
}

func misconfigured(format string, args ...any) error {
	return &fault.Error{Kind: fault.Misconfigured, Op: "bus.Handle", Message: fmt.Sprintf(format, args...)}
}
