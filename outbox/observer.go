package outbox

import (
	"context"
	"time"
)

// Observer is told of each piece of work as it is over: the seam for metrics, spans and tests, beside [Engine.Stats] and
// uow.Observer, which sees the units. It is called from the goroutine that has done the work, outside of every lock and
// unit, and several at a time: while it takes its time, that goroutine handles nothing, and nothing else waits. A panic is
// logged and changes nothing.
type Observer interface {
	// Observe is told of work that is over. The counts of [Engine.Stats] have its results. ctx is the engine's: it ends as
	// messages in hand are broken off.
	Observe(ctx context.Context, w Work)
}

// Work is what an engine has done with messages of one destination.
type Work struct {
	// Kind says what.
	Kind WorkKind
	// Destination is whose messages they are.
	Destination string
	// Began is when it began, and Took how long it has taken: the handler and the commit of its unit, or the exchange with
	// the broker or the database. Writing a failure down is not part of it.
	Began time.Time
	Took  time.Duration
	// Results are what became of the messages, in their order: one of them where they are handled.
	Results []Result
}

// Result is what became of a message.
type Result struct {
	// Message is not to be changed, nor acknowledged. Its CreatedAt says since when it has waited, its Envelope has the
	// trace context that it was published with: see message.Unseal.
	Message *Delivery
	// Outcome says what became of it, and Err why where that is not Done.
	Outcome Outcome
	Err     error
}

// WorkKind is what was done.
type WorkKind string

// The kinds of work.
const (
	WorkHandle WorkKind = "handle" // a consumer has handled a message, in a unit that deletes it
	WorkSend   WorkKind = "send"   // a broker was handed a batch
	WorkDelete WorkKind = "delete" // what a broker has taken was deleted
)

// Outcome is what became of a message.
type Outcome string

// What can become of a message.
const (
	Done       Outcome = "done"       // it is handled, with the broker, or deleted
	TriedAgain Outcome = "retry"      // it has failed, and is tried again after a pause
	GivenUp    Outcome = "parked"     // it has failed, and is parked
	PutBack    Outcome = "put_back"   // nobody has looked at it, since the database or the broker does not answer: it is handed out again
	Superseded Outcome = "superseded" // it is not this process's any more, or was broken off
)

// watch collects work for the observer. It is nil where there is none, which costs nothing.
type watch struct {
	Work
	engine *Engine
}

// watch begins work of which the observer is told.
func (e *Engine) watch(kind WorkKind, d *destination) *watch {
	if e.observer == nil {
		return nil
	}
	return &watch{Work{Kind: kind, Destination: d.Destination, Began: time.Now()}, e}
}

// over stops the clock.
func (w *watch) over() {
	if w != nil {
		w.Took = time.Since(w.Began)
	}
}

func (w *watch) add(m *Delivery, o Outcome, err error) {
	if w != nil {
		w.Results = append(w.Results, Result{m, o, err})
	}
}

// tell tells the observer.
func (w *watch) tell() {
	if w == nil {
		return
	}
	e := w.engine
	defer func() {
		if p := recover(); p != nil {
			e.logger.ErrorContext(e.ctx, "an observer of messages panicked", "destination", w.Destination, "panic", p)
		}
	}()
	e.observer.Observe(e.ctx, w.Work)
}
