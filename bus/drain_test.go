package bus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/urutu-go/urutu"
	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

var _ urutu.Component = (*bus.Worker)(nil)

// TestDrain: what is in hand ends well, what is not is left to whoever comes next.
func TestDrain(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const inHand, n = 3, 20
		started, gate := make(chan bool, n), make(chan bool)
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, m Charge) error {
			started <- true
			<-gate
			return errors.Join(session.Add(ctx, &Note{Text: m.Order}), bus.Publish(ctx, Ship{Order: m.Order}))
		}, bus.Handler{Concurrency: inHand})
		w := start(t, b)
		f.publish(t, charges(n)...)
		for range inHand {
			<-started
		}
		w.StopIntake() // returns at once
		stopped := make(chan error, 1)
		go func() { stopped <- w.Stop(context.WithoutCancel(t.Context())) }()
		select {
		case err := <-stopped:
			t.Fatalf("it stopped with messages in hand: %v", err)
		default:
		}
		close(gate)
		must(t, <-stopped)
		if len(started) != 0 {
			t.Errorf("%d more were taken", len(started))
		}
		f.want(t, fmt.Sprint(n-inHand+inHand, " 0 0")) // those left, and those that were published
		if got := f.ask(t, "SELECT count(*) FROM notes"); got != fmt.Sprint(inHand) {
			t.Errorf("%s were handled", got)
		}

		seen := newEvents()
		next := f.another(t).bus()
		bus.Handle(next, func(_ context.Context, m Charge) error {
			seen.add("%s", m.Order)
			return nil
		}, bus.Handler{})
		start(t, next)
		seen.wait(t, n-inHand)
	})
}

func charges(n int) (list []message.Message) {
	for i := range n {
		list = append(list, Charge{fmt.Sprint(i)})
	}
	return list
}

// TestDrainDeadline: what is in hand at the deadline is broken off and rolled back, and handled again, which is no
// failure.
func TestDrainDeadline(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		started, failures := make(chan bool, 10), make(chan int, 10)
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, m Charge) error {
			if err := errors.Join(session.Add(ctx, &Note{Text: m.Order}), bus.Publish(ctx, Ship{Order: m.Order}), session.Flush(ctx)); err != nil {
				return err
			}
			started <- true
			<-ctx.Done()
			return ctx.Err()
		}, bus.Handler{Concurrency: 1, Retry: outbox.Retry{Attempts: 1}})
		w := start(t, b)
		f.publish(t, charges(2)...)
		<-started
		err := w.Stop(ended(t))
		wantFault(t, err, fault.StatementTimeout)
		if !errors.Is(err, errTooLate) {
			t.Errorf("the error does not say why: %v", err)
		}
		f.want(t, "2 0 0")
		if got := f.notes(t); got != "" {
			t.Errorf("the notes are %q", got)
		}
		must(t, w.Stop(t.Context())) // once more

		next := f.bus()
		bus.Handle(next, func(ctx context.Context, m Charge) error {
			i, _ := bus.Current(ctx)
			failures <- i.Failures
			return session.Add(ctx, &Note{Text: m.Order})
		}, bus.Handler{})
		start(t, next)
		for range 2 {
			if n := <-failures; n != 0 {
				t.Errorf("%d failures were counted", n)
			}
		}
	})
}

var errTooLate = errors.New("too late")

// ended returns a context that has ended.
func ended(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(t.Context()))
	cancel(errTooLate)
	return ctx
}

// TestDrainOfADeafHandler: one that does not hear of the deadline holds nobody up, and what it does comes to nothing.
func TestDrainOfADeafHandler(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		started, gate, done := make(chan bool), make(chan bool), newEvents()
		b := f.bus()
		bus.Handle(b, func(ctx context.Context, m Charge) error {
			close(started)
			<-gate
			return errors.Join(session.Add(ctx, &Note{Text: m.Order}), uow.AfterRollback(ctx, func(context.Context) error {
				done.add("rolled back")
				return nil
			}))
		}, bus.Handler{})
		w := b.Worker()
		must(t, w.Start(t.Context()))
		f.publish(t, Charge{"a"})
		<-started
		wantFault(t, w.Stop(ended(t)), fault.StatementTimeout)
		close(gate)
		done.want(t, "rolled back")
		f.want(t, "1 0 0")
		if got := f.notes(t); got != "" {
			t.Errorf("the notes are %q", got)
		}
	})
}

// deaf is a receiver that ends when it is told so, and not with its context.
type deaf struct {
	called, end chan bool
	at          atomic.Int64 // how many goroutines are in it
	most        atomic.Int64
}

func (d *deaf) Receive(context.Context, func(context.Context, []outbox.Incoming) error) error {
	d.most.Store(max(d.most.Load(), d.at.Add(1)))
	defer d.at.Add(-1)
	d.called <- true
	<-d.end
	return nil
}

// TestDrainOfADeafReceiver: one that does not hear of the end holds nobody up. The worker stops all the same, and says whose
// it is. Where it is started again meanwhile, the receiver is not called beside itself.
func TestDrainOfADeafReceiver(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		from, seen := &deaf{called: make(chan bool, 10), end: make(chan bool)}, newEvents()
		b := f.bus()
		bus.Handle(b, func(_ context.Context, m Placed) error {
			seen.add("%d", m.N)
			return nil
		}, bus.Handler{Group: "billing"})
		b.Receive("billing", &fakeBroker{acked: newEvents()})
		b.Receive("billing", from)
		w := b.Worker()
		must(t, w.Start(t.Context()))
		<-from.called
		err := w.Stop(ended(t))
		wantFault(t, err, fault.StatementTimeout)
		if !errors.Is(err, errTooLate) || !strings.Contains(err.Error(), "receivers have not returned") {
			t.Errorf("the error does not say why: %v", err)
		}
		must(t, w.Start(t.Context())) // TestMain finds the engine before, where it goes on
		f.publish(t, Placed{"a", 1})
		seen.want(t, "1")
		close(from.end)
		<-from.called
		stop(t, w)
		stop(t, w)
		if n := from.most.Load(); n != 1 {
			t.Errorf("%d goroutines are in the receiver at once", n)
		}
	})
}

// TestDrainRetries: a failure during the drain is written down, and tried again by the next one.
func TestDrainRetries(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		started, gate := make(chan bool, 1), make(chan bool)
		b := f.bus()
		bus.Handle(b, func(context.Context, Ship) error {
			started <- true
			<-gate
			return errNotYet
		}, bus.Handler{Retry: brief})
		w := start(t, b)
		f.publish(t, Ship{"a", 1}, Ship{"a", 2})
		<-started
		w.StopIntake()
		close(gate)
		stop(t, w)
		if got := f.failures(t); got != "test.ship 1 error: not yet" {
			t.Errorf("written down is %q", got)
		}
		seen := newEvents()
		next := f.bus()
		bus.Handle(next, func(ctx context.Context, m Ship) error {
			i, _ := bus.Current(ctx)
			seen.add("%d after %d", m.N, i.Failures)
			return nil
		}, bus.Handler{})
		start(t, next)
		seen.want(t, "1 after 1", "2 after 0")
	})
}

// TestStopWithoutStart: a worker that has not started can be stopped, one that has stopped can be started, and one with
// nothing to do stops at once, in any order of the calls.
func TestStopWithoutStart(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		var handled atomic.Int64
		seen := newEvents()
		b := f.bus()
		bus.Handle(b, func(context.Context, Charge) error {
			handled.Add(1)
			seen.add("handled")
			return nil
		}, bus.Handler{})
		w := b.Worker()
		if w.Name() != "worker" || w.Role() != "worker" {
			t.Errorf("it is %q in the role %q", w.Name(), w.Role())
		}
		w.StopIntake()
		stop(t, w)
		for n := range 3 {
			must(t, w.Start(t.Context()))
			f.publish(t, Charge{"a"})
			seen.wait(t, n+1)
			w.StopIntake()
			w.StopIntake()
			stop(t, w)
			stop(t, w)
			w.StopIntake()
		}
		f.publish(t, Charge{"b"})
		f.want(t, "1 0 0")
		if handled.Load() != 3 {
			t.Errorf("%d were handled", handled.Load())
		}
	})
}

// TestWorkerWithoutHandlers: it starts and stops.
func TestWorkerWithoutHandlers(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) { stop(t, start(t, f.bus())) })
}
