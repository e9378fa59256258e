package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/message"
)

// queue publishes and handles messages in the way of one library. Its worker runs from the moment it is opened, with
// handlers for that many messages at once, and reports to its desk.
type queue interface {
	// Place is a unit that writes a customer and publishes a message about it. It calls committed when it has committed.
	Place(ctx context.Context, m welcome, committed func()) error
	// Fill publishes messages about a customer that is there, as many at once as suits the library.
	Fill(ctx context.Context, list []welcome) error
	// Close stops the worker and gives up the connections.
	Close() error
}

// What every queue has.
const (
	handlers   = 8 // messages in hand at once
	publishers = 8 // units that publish at once
	queuePool  = 20
)

// welcome is the task to greet a customer. Its handler writes an order, of a present.
type welcome struct {
	Number   int // of the message in its turn
	Customer uuid.UUID
	Key      string `json:",omitempty"`
}

func (welcome) MessageType() message.Type {
	return message.Type{Topic: "bench.welcome", Kind: message.Task}
}

func (m welcome) MessageKey() string { return m.Key }

// Kind is the message's type for River.
func (welcome) Kind() string { return "welcome" }

// present is what the handler writes.
func (m welcome) present() Order {
	at := now()
	o := Order{CustomerID: m.Customer, Total: 1}
	o.ID, o.CreatedAt, o.UpdatedAt = newID(), at, at
	return o
}

// desk is where the handlers of a queue report.
type desk struct{ turn atomic.Pointer[turn] }

// turn is a number of messages, and what becomes of them.
type turn struct {
	idle bool          // handlers write nothing
	gate chan struct{} // handlers wait until it is closed
	done chan struct{} // closed as the last message is handled
	left atomic.Int64
	base time.Time
	// committed and handled are when the unit of each message had committed, and its handler began, counted from base.
	committed, handled []atomic.Int64
}

// open begins a turn of n messages.
func (d *desk) open(n int, idle bool) *turn {
	t := &turn{
		idle: idle, gate: make(chan struct{}), done: make(chan struct{}), base: time.Now(),
		committed: make([]atomic.Int64, n), handled: make([]atomic.Int64, n),
	}
	t.left.Store(int64(n))
	d.turn.Store(t)
	return t
}

// enter is what a handler calls first. It waits at the gate.
func (d *desk) enter(number int) *turn {
	t := d.turn.Load()
	t.stamp(t.handled, number)
	<-t.gate
	return t
}

func (t *turn) stamp(list []atomic.Int64, number int) {
	if number < len(list) {
		list[number].Store(int64(time.Since(t.base)))
	}
}

// leave is what a handler calls when its unit has committed.
func (t *turn) leave() {
	if t.left.Add(-1) == 0 {
		close(t.done)
	}
}

// wait waits for the last message.
func (t *turn) wait(ctx context.Context) error {
	select {
	case <-t.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lags are how long after its commit the handler of each message began, in seconds. One that began before its publisher
// had heard of the commit did so at once.
func (t *turn) lags() []float64 {
	out := make([]float64, len(t.handled))
	for i := range out {
		out[i] = max(0, time.Duration(t.handled[i].Load()-t.committed[i].Load()).Seconds())
	}
	return out
}

// publishAll publishes the messages of a turn, each in a unit of its own that writes a row, as many at once as there are publishers. Where
// pause is not 0, one begins after each pause, whatever became of those before.
func publishAll(ctx context.Context, q queue, t *turn, pause time.Duration) error {
	var next atomic.Int64
	errs := make([]error, publishers)
	var all sync.WaitGroup
	for p := range publishers {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(t.handled) || errs[p] != nil {
					return
				}
				if pause > 0 {
					time.Sleep(time.Until(t.base.Add(time.Duration(i) * pause)))
				}
				errs[p] = q.Place(ctx, welcome{Number: i}, func() { t.stamp(t.committed, i) })
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// together has the units of n messages publish while they are handled, and returns how long all of that takes.
func together(ctx context.Context, q queue, d *desk, n int) (time.Duration, error) {
	t := d.open(n, false)
	close(t.gate)
	if err := publishAll(ctx, q, t, 0); err != nil {
		return 0, err
	}
	err := t.wait(ctx)
	return time.Since(t.base), err
}

// backlog publishes n messages, then lets the handlers go on, and returns how long they take.
func backlog(ctx context.Context, q queue, d *desk, n int, idle bool, customer uuid.UUID) (time.Duration, error) {
	t := d.open(n, idle)
	if err := q.Fill(ctx, welcomes(n, customer)); err != nil {
		close(t.gate)
		return 0, err
	}
	begin := time.Now()
	close(t.gate)
	err := t.wait(ctx)
	return time.Since(begin), err
}

// welcomes returns messages about one customer.
func welcomes(n int, customer uuid.UUID) []welcome {
	list := make([]welcome, n)
	for i := range list {
		list[i] = welcome{Number: i, Customer: customer}
	}
	return list
}
