package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/bus/driver"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

// Config is how a Bus is made. The zero value is usable.
type Config struct {
	// Connection is the name of the connection whose tables hold the messages. Defaults to the default connection.
	Connection session.Name
	// Interceptors wrap every handler, inside its unit of work; the first is the outermost.
	Interceptors []uow.Interceptor
	// Logger takes failures. Defaults to slog.Default().
	Logger *slog.Logger
	// Observer is told of each message that a worker has handled. Defaults to none.
	Observer outbox.Observer
}

// Bus knows the handlers of a service. It is safe for concurrent use.
type Bus struct {
	db     *session.DB
	cfg    Config
	runner *uow.Runner

	mu     sync.Mutex // protects what follows
	groups map[string]map[string]*handler
	wrong  []error
	inward []inward
}

// inward is what brings messages to a group from elsewhere.
type inward struct {
	group string
	from  driver.Receiver
}

// New returns a bus without handlers.
func New(db *session.DB, cfg Config) *Bus {
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	return &Bus{db: db, cfg: cfg, runner: db.Runner(cfg.Interceptors...), groups: map[string]map[string]*handler{}}
}

func (b *Bus) register(h *handler) {
	if err := h.typ.Validate(); err != nil {
		b.refuse("%v", err)
		return
	}
	if h.typ.Kind == message.Task {
		if h.Group != "" && h.Group != h.typ.Topic {
			b.refuse("the task %q has the group %q: a task is handled by the group of its topic", h.typ.Topic, h.Group)
			return
		}
		h.Group = h.typ.Topic
	}
	if err := message.ValidateGroup(h.Group); err != nil {
		b.refuse("the handler of %q: %v", h.typ.Topic, err)
		return
	}
	if h.Unit.ReadOnly {
		b.refuse("the handler of %q is read-only: the end of its message is a write", h.typ.Topic)
		return
	}
	h.Concurrency = cmp.Or(max(h.Concurrency, 0), 8)
	h.Unit.Timeout = cmp.Or(h.Timeout, h.Unit.Timeout, time.Minute)
	if h.Unit.Timeout < 0 {
		h.Unit.Timeout = 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.groups[h.Group] == nil {
		b.groups[h.Group] = map[string]*handler{}
	}
	if b.groups[h.Group][h.typ.Topic] != nil {
		b.mu.Unlock()
		b.refuse("the group %q handles the topic %q twice", h.Group, h.typ.Topic)
		b.mu.Lock()
		return
	}
	b.groups[h.Group][h.typ.Topic] = h
}

// Receive has the worker take messages from elsewhere for a group: each is put into the group's queue and then
// acknowledged, and handled from there. One that comes twice is handled once.
func (b *Bus) Receive(group string, from driver.Receiver) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inward = append(b.inward, inward{group, from})
}

// Worker returns a component that handles the messages of the registered handlers. Its role is "worker".
func (b *Bus) Worker() *Worker { return &Worker{bus: b} }

// Worker handles messages from its start until it is stopped. It may be started again.
type Worker struct {
	bus       *Bus
	engine    atomic.Pointer[outbox.Engine] // Stats may be asked for at any time
	close     context.CancelFunc
	receiving []receiving
}

// receiving is a receiver at work.
type receiving struct {
	group string
	over  chan struct{} // closed when it has returned
}

// Name returns "worker".
func (w *Worker) Name() string { return "worker" }

// Role returns "worker".
func (w *Worker) Role() string { return "worker" }

// Start registers the groups with the database and begins to handle messages. Wrong registrations are
// fault.Misconfigured, as is a database without the tables of outbox.Component.
func (w *Worker) Start(ctx context.Context) error {
	ctx = message.WithoutHeaders(ctx)
	consumers, err := w.bus.consumers(ctx)
	if err != nil {
		return err
	}
	cfg := outbox.Config{Connection: w.bus.cfg.Connection, Logger: w.bus.cfg.Logger, Observer: w.bus.cfg.Observer}
	engine := outbox.NewEngine(w.bus.db, cfg, consumers...)
	w.engine.Store(engine)
	if err := engine.Start(ctx); err != nil {
		return err
	}
	ctx, w.close = context.WithCancel(session.On(w.bus.db.Context(context.WithoutCancel(ctx)), w.bus.cfg.Connection))
	w.receive(ctx)
	return nil
}

// receive sets the receivers to work. One that has not returned since the worker was stopped is waited for: each is called
// from one goroutine at a time.
func (w *Worker) receive(ctx context.Context) {
	before := w.receiving
	w.receiving = nil
	for i, in := range w.bus.inward {
		r := receiving{in.group, make(chan struct{})}
		w.receiving = append(w.receiving, r)
		go func() {
			defer close(r.over)
			if i < len(before) {
				<-before[i].over
			}
			w.bus.receive(ctx, in, outbox.Receive)
		}()
	}
}

// The pauses before a receiver is called again.
const (
	shortPause = 100 * time.Millisecond
	longPause  = 10 * time.Second
)

// receive takes messages from elsewhere until ctx ends; put stores them. The pauses get longer while nothing comes of the
// calls. One that has brought something new, or went on for longer than the longest pause, is followed by the shortest.
func (b *Bus) receive(ctx context.Context, in inward, put func(context.Context, string, []outbox.Incoming) (int, error)) {
	var fresh atomic.Bool
	store := func(ctx context.Context, batch []outbox.Incoming) error {
		n, err := put(ctx, in.group, batch)
		if n > 0 {
			fresh.Store(true)
		}
		return err
	}
	for pause := shortPause; ctx.Err() == nil; pause = min(2*pause, longPause) {
		began := time.Now()
		err := in.from.Receive(ctx, store)
		if ctx.Err() != nil {
			return
		}
		if fresh.Swap(false) || time.Since(began) > longPause {
			pause = shortPause
		}
		if err != nil {
			b.cfg.Logger.WarnContext(ctx, "messages cannot be received", "group", in.group, "error", err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// StopIntake takes no new messages, and returns at once.
func (w *Worker) StopIntake() {
	if w.close != nil {
		w.close()
		w.engine.Load().StopIntake()
	}
}

// Stop takes no new messages and waits for those in hand, and for the receivers. When ctx ends first the units are broken
// off, and their messages are handled again later. A receiver that does not return holds nobody up: it is in the error.
func (w *Worker) Stop(ctx context.Context) error {
	engine := w.engine.Load()
	if engine == nil {
		return nil
	}
	w.StopIntake()
	err := engine.Stop(ctx) // what the receivers store meanwhile is handled by others, or later
	return errors.Join(err, w.receiversOver(ctx))
}

// receiversOver waits for the receivers to return, and says which have not when ctx ends.
func (w *Worker) receiversOver(ctx context.Context) error {
	var deaf []string
	for _, r := range w.receiving {
		select {
		case <-r.over:
			continue
		case <-ctx.Done():
		}
		select {
		case <-r.over:
		default:
			deaf = append(deaf, r.group)
		}
	}
	if deaf == nil {
		return nil
	}
	return &fault.Error{
		Kind: fault.StatementTimeout, Op: "bus.Stop", Err: context.Cause(ctx),
		Message: "receivers have not returned although their context has ended: those of " + strings.Join(deaf, ", "),
	}
}

// Stats returns where the worker stands and what it has done since it was last started. It takes a moment, asks no database
// and may be called at any time, from any goroutine; before the first start it is empty.
func (w *Worker) Stats() outbox.Stats {
	if engine := w.engine.Load(); engine != nil {
		return engine.Stats()
	}
	return outbox.Stats{}
}

// consumers returns one consumer for each group.
func (b *Bus) consumers(ctx context.Context) ([]outbox.Consumer, error) {
	_, connection, err := session.Home(session.On(b.db.Context(ctx), b.cfg.Connection))
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.wrong) > 0 {
		return nil, errors.Join(b.wrong...)
	}
	for _, in := range b.inward {
		if b.groups[in.group] == nil {
			return nil, misconfigured("messages are received for the group %q, which has no handlers", in.group)
		}
	}
	var list []outbox.Consumer
	for group, handlers := range b.groups {
		c := outbox.Consumer{Destination: group, Limits: map[string]int{}}
		for topic, h := range handlers {
			if !h.Unit.Allows(string(connection)) {
				return nil, misconfigured("the unit of the handler of %q may not use the connection %q, which has its messages", topic, connection)
			}
			c.Topics = append(c.Topics, topic)
			c.Concurrency += h.Concurrency
			c.Limits[topic] = h.Concurrency
		}
		slices.Sort(c.Topics)
		c.Handle = func(ctx context.Context, d *outbox.Delivery) error { return b.handle(ctx, group, handlers[d.Topic], d) }
		c.Retry = func(topic string) outbox.Retry {
			if h := handlers[topic]; h != nil {
				return h.Retry
			}
			return outbox.Retry{}
		}
		list = append(list, c)
	}
	return list, nil
}

// handle runs a handler as one unit of work, which acknowledges the message with its commit.
func (b *Bus) handle(ctx context.Context, group string, h *handler, d *outbox.Delivery) error {
	if h == nil {
		return &outbox.Failure{Reason: outbox.Unknown, Park: true, Err: fmt.Errorf("the group %s has no handler for the topic %s", group, d.Topic)}
	}
	env, err := message.Unseal(d.Envelope)
	switch {
	case errors.Is(err, message.ErrNewer):
		return &outbox.Failure{Reason: outbox.Newer, Park: true, Err: err}
	case err != nil:
		return &outbox.Failure{Reason: outbox.Undecodable, Park: true, Err: err}
	case env.Version > h.typ.Version:
		return &outbox.Failure{Reason: outbox.Newer, Park: true, Err: fmt.Errorf("it has version %d, the handler knows up to %d", env.Version, h.typ.Version)}
	}
	info := &Info{ID: d.ID, Topic: d.Topic, Key: d.Key, Headers: env.Headers, CreatedAt: d.CreatedAt, Failures: d.Failures}
	flow := env.Headers.Flow()
	flow[message.CausationID] = uuid.UUID(d.ID).String()
	if flow[message.CorrelationID] == "" {
		flow[message.CorrelationID] = flow[message.CausationID]
	}
	ctx = message.WithHeaders(context.WithValue(session.On(ctx, session.Default), infoKey{}, info), flow)
	op := uow.Op{Kind: uow.Message, Name: group + " " + d.Topic, Options: h.Unit}
	return reason(b.runner.Do(ctx, op, func(ctx context.Context) error {
		if err := d.Acknowledge(ctx); err != nil {
			return err
		}
		return h.handle(ctx, env.Version, d.Payload)
	}))
}
