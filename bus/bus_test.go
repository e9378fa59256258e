package bus_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

type Placed struct {
	Order string
	N     int
}

func (Placed) MessageType() message.Type { return message.Type{Topic: "test.placed"} }
func (m Placed) MessageKey() string      { return m.Order }

type Charge struct{ Order string }

func (Charge) MessageType() message.Type { return message.Type{Topic: "test.charge", Kind: message.Task} }

type Note struct {
	entity.Identifiable
	Text string
}

func each(t *testing.T, f func(t *testing.T, db *session.DB)) {
	urututest.Each(t, urututest.Config{Entities: []any{(*Note)(nil)}}, func(t *testing.T, db *session.DB) {
		if err := db.Install(t.Context(), outbox.Component()); err != nil {
			t.Fatal(err)
		}
		f(t, db)
	})
}

// start starts a worker until the test ends.
func start(t *testing.T, b *bus.Bus) *bus.Worker {
	t.Helper()
	w := b.Worker()
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := w.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return w
}

// events collects what happens.
type events struct {
	mu   sync.Mutex
	list []string
	more chan struct{}
}

func newEvents() *events { return &events{more: make(chan struct{}, 10000)} }

func (e *events) add(format string, args ...any) {
	e.mu.Lock()
	e.list = append(e.list, fmt.Sprintf(format, args...))
	e.mu.Unlock()
	e.more <- struct{}{}
}

// wait waits for n of them.
func (e *events) wait(t *testing.T, n int) []string {
	t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		e.mu.Lock()
		list := e.list
		e.mu.Unlock()
		if len(list) >= n {
			return list
		}
		select {
		case <-e.more:
		case <-timeout:
			t.Fatalf("%d of %d events: %v", len(list), n, list)
		}
	}
}

func TestPromise38_PublishAndHandle(t *testing.T) {
	each(t, func(t *testing.T, db *session.DB) {
		seen := newEvents()
		b := bus.New(db, bus.Config{})
		bus.Handle(b, func(ctx context.Context, m Placed) error {
			seen.add("billing %s %d", m.Order, m.N)
			return bus.Publish(ctx, Charge{m.Order})
		}, bus.Handler{Group: "billing"})
		bus.Handle(b, func(ctx context.Context, m Placed) error {
			seen.add("mail %s %d", m.Order, m.N)
			return nil
		}, bus.Handler{Group: "mail"})
		bus.Handle(b, func(ctx context.Context, m Charge) error {
			seen.add("charge %s", m.Order)
			return session.Add(ctx, &Note{Text: m.Order})
		}, bus.Handler{})
		start(t, b)
		if err := db.Do(t.Context(), func(ctx context.Context) error {
			for i := range 5 {
				if err := bus.Publish(ctx, Placed{"a", i}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		list := seen.wait(t, 15)
		t.Log(list)
	})
}

func TestPromise42_FailingHandlerIsTriedAgain(t *testing.T) {
	each(t, func(t *testing.T, db *session.DB) {
		seen := newEvents()
		b := bus.New(db, bus.Config{})
		bus.Handle(b, func(ctx context.Context, m Placed) error {
			i, _ := bus.Current(ctx)
			seen.add("%s %d %d", m.Order, m.N, i.Failures)
			if m.N == 0 && i.Failures < 2 {
				return errors.New("not yet")
			}
			return nil
		}, bus.Handler{Group: "billing", Retry: outbox.Retry{Pause: 10 * time.Millisecond}})
		start(t, b)
		if err := db.Do(t.Context(), func(ctx context.Context) error {
			for i := range 5 {
				if err := bus.Publish(ctx, Placed{"a", i}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		list := seen.wait(t, 7)
		if got, want := fmt.Sprint(list), "[a 0 0 a 0 1 a 0 2 a 1 0 a 2 0 a 3 0 a 4 0]"; got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	})
}
