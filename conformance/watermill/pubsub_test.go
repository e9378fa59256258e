package watermill

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	pubsub "github.com/ThreeDotsLabs/watermill/message"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
)

// posted is a message of Watermill's as an event of urutu's. Its metadata are headers.
type posted struct {
	topic, key string

	UUID    string
	Payload []byte
}

// registering is the topic of the handler that is being registered: a type of urutu's knows its topic, while those of
// Watermill are made as the program runs.
var registering struct {
	sync.Mutex
	topic string
}

func (m posted) MessageType() message.Type {
	topic := m.topic
	if topic == "" { // it is the zero value, of which handle asks
		topic = registering.topic
	}
	return message.Type{Topic: topic, Required: true}
}

func (m posted) MessageKey() string { return m.key }

func handle(b *bus.Bus, topic string, fn func(context.Context, posted) error, opts bus.Handler) {
	registering.Lock()
	defer registering.Unlock()
	registering.topic = topic
	bus.Handle(b, fn, opts)
}

// publisher publishes what one call brings as one unit of work.
type publisher struct {
	db    *session.DB
	keyed bool // messages with the same payload have one key

	mu     sync.RWMutex // held for reading while something is published
	closed bool
}

var _ pubsub.Publisher = (*publisher)(nil)

var errClosed = errors.New("it is closed")

func (p *publisher) Publish(topic string, list ...*pubsub.Message) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return errClosed
	}
	if len(list) == 0 {
		return nil
	}
	return p.db.Do(list[0].Context(), func(ctx context.Context) error {
		for _, m := range list {
			event := posted{topic: topic, UUID: m.UUID, Payload: m.Payload}
			if p.keyed {
				event.key = string(m.Payload)
			}
			if err := bus.Publish(ctx, event, bus.Options{Headers: message.Headers(m.Metadata)}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}

// subscriber subscribes for a group of Watermill's, in which every topic is consumed for itself: it is as many groups of
// urutu's.
type subscriber struct {
	db    *session.DB
	group string

	mu     sync.Mutex // protects what follows
	closed bool
	open   []*subscription
}

var (
	_ pubsub.Subscriber           = (*subscriber)(nil)
	_ pubsub.SubscribeInitializer = (*subscriber)(nil)
)

// SubscribeInitialize makes the group known, so that messages are kept for it from now on.
func (s *subscriber) SubscribeInitialize(topic string) error {
	n, err := subscribe(context.Background(), s.db, s.group, topic)
	if err != nil {
		return err
	}
	return n.close()
}

func (s *subscriber) Subscribe(ctx context.Context, topic string) (<-chan *pubsub.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	n, err := subscribe(ctx, s.db, s.group, topic)
	if err != nil {
		return nil, err
	}
	s.open = append(s.open, n)
	context.AfterFunc(ctx, func() { _ = n.close() }) // Close returns the error
	return n.out, nil
}

func (s *subscriber) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var errs []error
	for _, n := range s.open {
		errs = append(errs, n.close())
	}
	return errors.Join(errs...)
}

// subscription is a worker with one handler.
type subscription struct {
	worker  *bus.Worker
	out     chan *pubsub.Message
	closing chan struct{}
	close   func() error
}

// subscribe starts a worker. What its handlers get has the values of ctx.
func subscribe(ctx context.Context, db *session.DB, group, topic string) (*subscription, error) {
	b := bus.New(db, bus.Config{Logger: slog.New(slog.DiscardHandler)})
	s := &subscription{worker: b.Worker(), out: make(chan *pubsub.Message), closing: make(chan struct{})}
	s.close = sync.OnceValue(s.stop)
	handle(b, topic, s.deliver, bus.Handler{
		Group:   group + "." + topic,
		Timeout: -1, // it takes as long as who reads the channel
		Retry:   outbox.Retry{Attempts: -1, Pause: time.Millisecond, MaxPause: 5 * time.Millisecond},
	})
	return s, s.worker.Start(ctx)
}

// stop has the messages in hand that were not acked handled again, waits for the commits of those that were, and closes
// the channel.
func (s *subscription) stop() error {
	close(s.closing)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.worker.Stop(ctx); err != nil {
		return err // a handler may still send
	}
	close(s.out)
	return nil
}

var errNacked = errors.New("the message was nacked")

// deliver is the handler: the message is handled when it is acked. Its context ends then, as Watermill wants it.
func (s *subscription) deliver(ctx context.Context, event posted) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := pubsub.NewMessageWithContext(ctx, event.UUID, event.Payload)
	if info, ok := bus.Current(ctx); ok {
		for name, v := range info.Headers {
			m.Metadata.Set(name, v)
		}
	}
	select {
	case s.out <- m:
	case <-s.closing:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-m.Acked():
		return nil
	case <-m.Nacked():
		return errNacked
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
	}
	select {
	case <-m.Acked(): // just before
		return nil
	default:
		return errClosed
	}
}
