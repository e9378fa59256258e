package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// Engine moves messages from the tables of one connection to their consumers. Several processes share the work: each
// lane of a destination is looked after by one of them at a time. It is safe for concurrent use.
type Engine struct {
	db       *session.DB
	name     session.Name
	logger   *slog.Logger
	timing   timing
	observer Observer // nil for none
	sql      *statements
	home     *state
	owner    [16]byte
	ordered  bool // messages become visible in the order of their numbers

	mu    sync.Mutex // protects what follows, and everything in the destinations and their lanes
	dests []*destination
	trial *destination    // it has a suspect in hand
	ctx   context.Context // ended by Stop's deadline: breaks off what is in hand

	sweepAt time.Time // no whole lane is swept before because of time alone; it is the poll loop's

	waker     chan struct{}
	all       atomic.Bool               // it looks at all lanes when it is woken, not only at those it has heard of
	byTopic   map[string][]*destination // as they have subscribed; it does not change
	later     atomic.Bool               // there may be more messages that wait for their time
	listening atomic.Bool               // other processes wake this one

	intake  context.Context // ended by StopIntake
	close   context.CancelFunc
	stopped atomic.Bool
	abort   context.CancelFunc
	loops   sync.WaitGroup // the poll, the lease and what is beside them
	hands   sync.WaitGroup // the workers
}

// timing is how long things take; tests shorten it.
type timing struct {
	lease, margin, renew, tick time.Duration
	pollMin, pollMax           time.Duration
	pollAlone                  time.Duration // instead of pollMax where nobody wakes this process
	due, sweep                 time.Duration
	scout                      time.Duration // the first message of each lane is looked for so often
	inbox, purge               time.Duration // what came from elsewhere is remembered for so long, and looked at so often
}

var defaults = timing{
	lease: 4500 * time.Millisecond, margin: time.Second, renew: 1500 * time.Millisecond, tick: 500 * time.Millisecond,
	pollMin: 2 * time.Millisecond, pollMax: 250 * time.Millisecond, pollAlone: 50 * time.Millisecond,
	due: 500 * time.Millisecond, sweep: 30 * time.Second, scout: 2 * time.Second, inbox: 7 * 24 * time.Hour, purge: time.Minute,
}

// destination is a consumer and what this process has of its lanes.
type destination struct {
	Consumer
	id     int32
	lanes  map[int16]*lane
	seen   map[int16]sighting // lanes of others
	topics map[string]*topic  // those with a limit
	ready  []*Delivery
	// suspects are ready, and were in hand when their process died.
	suspects []*Delivery
	hands    int           // messages in hand
	some     *sync.Cond    // something is ready, or the engine stops
	held     int           // messages in memory
	room     int           // how many there may be
	brim     int           // with more than this, no others are looked for
	reopened bool          // a topic has room again
	news     uint64        // parts of the slots in which there is something to look for
	heard    atomic.Uint64 // the same, since the last look; it needs no lock
	moveAt   time.Time     // when messages that wait for their time are looked for
	paused   time.Time     // nothing is handed out before, since the database or the broker does not answer
	outage   time.Duration
	counts   Counts
	// seenLanes, unowned and workers are those of all processes, as this one last saw them.
	seenLanes, unowned, workers int
}

// Config is how an engine is made.
type Config struct {
	// Connection is the name of the connection whose tables it works on. Defaults to the default connection.
	Connection session.Name
	// Logger takes failures. Defaults to slog.Default().
	Logger *slog.Logger
	// Observer is told of what was done. Defaults to none.
	Observer Observer
}

// NewEngine returns an engine that has not started.
func NewEngine(db *session.DB, cfg Config, consumers ...Consumer) *Engine {
	e := &Engine{
		db: db, name: cfg.Connection, logger: cmp.Or(cfg.Logger, slog.Default()), timing: defaults,
		observer: cfg.Observer, owner: uuid.New(), waker: make(chan struct{}, 1), byTopic: map[string][]*destination{},
	}
	for _, c := range consumers {
		d := newDestination(c)
		for _, topic := range c.Topics {
			e.byTopic[topic] = append(e.byTopic[topic], d)
		}
		d.some = sync.NewCond(&e.mu)
		e.dests = append(e.dests, d)
	}
	// All processes lock the rows of their destinations in this order.
	slices.SortStableFunc(e.dests, func(a, b *destination) int { return cmp.Compare(a.Destination, b.Destination) })
	return e
}

func newDestination(c Consumer) *destination {
	d := &destination{Consumer: c, lanes: map[int16]*lane{}, seen: map[int16]sighting{}, topics: map[string]*topic{}}
	d.Concurrency = cmp.Or(max(c.Concurrency, 0), 8)
	d.room = min(max(32*d.Concurrency, 256), 4096)
	if c.Send != nil {
		d.Concurrency, d.room = 1, 4096
	}
	if d.Retry == nil {
		d.Retry = func(string) Retry { return Retry{} }
	}
	d.makeRoom()
	return d
}

// Start registers the destinations and their subscriptions and begins to work. The work has the values of ctx and
// outlives it.
func (e *Engine) Start(ctx context.Context) error {
	const op = "outbox.Start"
	ctx = session.On(e.db.Context(ctx), e.name)
	home, err := stateOf(ctx, op)
	if err != nil {
		return err
	}
	d, err := e.db.Dialect(ctx)
	if err != nil {
		return err
	}
	e.mu.Lock() // Stats may be asked for
	e.home = home
	e.mu.Unlock()
	e.sql, e.ordered = newStatements(d), d.Features().OneWriter
	if err := e.register(ctx, op, d); err != nil {
		return err
	}
	base := context.WithoutCancel(ctx)
	e.ctx, e.abort = context.WithCancel(base)
	e.intake, e.close = context.WithCancel(base)
	home.join(e)
	e.loops.Go(e.leaseLoop)
	e.loops.Go(e.pollLoop)
	e.loops.Go(e.purgeLoop)
	e.loops.Go(e.scoutLoop)
	if !e.ordered {
		e.loops.Go(e.listenLoop)
	}
	for _, d := range e.dests {
		for range d.Concurrency {
			e.hands.Go(func() {
				if d.Send != nil {
					e.relay(d)
				} else {
					e.work(d)
				}
			})
		}
	}
	return nil
}

// register stores the destinations and what they subscribe to, in order, as other processes do, and reads their numbers.
func (e *Engine) register(ctx context.Context, op string, d dialect.Dialect) error {
	destinations, subscriptions, lanes, leases := registerDestination(d), registerSubscription(d), registerLanes(d), registerLeases(d)
	number := prepare(d, "select urutu_message_destination", "SELECT id FROM urutu_message_destination WHERE name = ?1", types(tText), tInt)
	script := &driver.Script{Begin: &driver.TxOptions{}, End: driver.Commit}
	var results collect
	add := func(st driver.Statement, f func([]value.Value)) {
		script.Statements = append(script.Statements, st)
		results = append(results, f)
	}
	for _, dest := range e.dests {
		if err := message.ValidateGroup(dest.Destination); err != nil {
			return fault.Wrap(fault.Misconfigured, op, err)
		}
		name := value.OfText(dest.Destination)
		add(destinations.with(name, value.OfInt(int64(lanesOf(d)))), nil)
		add(lanes.with(name), nil)
		add(leases.with(name), nil)
		add(number.with(name), func(row []value.Value) { dest.id = int32(row[0].Int()) })
	}
	// Behind all lanes: [Relane] locks those first, and then a destination.
	for _, dest := range e.dests {
		for _, topic := range slices.Sorted(slices.Values(dest.Topics)) {
			add(subscriptions.with(value.OfText(dest.Destination), value.OfText(topic)), nil)
		}
	}
	return e.db.Run(ctx, op, driver.Write, script, results)
}

// wake has the engine look for messages now, in all lanes.
func (e *Engine) wake() {
	e.all.Store(true)
	e.signal()
}

func (e *Engine) signal() {
	select {
	case e.waker <- struct{}{}:
	default:
	}
}

// StopIntake takes no new messages, and returns at once.
func (e *Engine) StopIntake() {
	if e.close == nil {
		return
	}
	e.close()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, d := range e.dests {
		d.some.Broadcast()
	}
}

// Stop takes no new messages, waits for those in hand, and gives the lanes to others. When ctx ends first it breaks off
// what is in hand, whose messages are handled again. A second Stop does nothing.
func (e *Engine) Stop(ctx context.Context) error {
	if e.close == nil || e.stopped.Swap(true) {
		return nil
	}
	e.StopIntake()
	done := make(chan struct{})
	go func() {
		e.hands.Wait()
		close(done)
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = &fault.Error{Kind: fault.StatementTimeout, Op: "outbox.Stop", Message: "messages were in hand and are handled again", Err: context.Cause(ctx)}
	}
	e.abort()
	e.loops.Wait()
	e.home.part(e)
	if err != nil && !e.brokenOff(done) {
		return err // a consumer goes on with a message: nobody is to have its lane before the lease is over
	}
	return errors.Join(err, e.giveBack(context.WithoutCancel(ctx)))
}

// brokenOff waits a little for consumers that were told to end.
func (e *Engine) brokenOff(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-time.After(e.timing.margin):
		return false
	}
}

// work hands the ready messages of a destination to its consumer, one after the other.
func (e *Engine) work(d *destination) {
	var m *Delivery
	var w *watch
	stopped := false
	defer func() {
		if stopped {
			return
		}
		// The handler has ended its goroutine, as what fails a test does, or the observer. Another one goes on.
		e.hands.Go(func() { e.work(d) })
		if m != nil {
			e.conclude(d, m, w, &Failure{Reason: Panicked, Err: errors.New("the handler ended its goroutine")})
		}
	}()
	for m = e.next(d); m != nil; m = e.next(d) {
		w = e.watch(WorkHandle, d)
		err := e.attempt(d, m)
		last := m
		m = nil
		e.conclude(d, last, w, err)
	}
	stopped = true
}

// conclude does what follows from an attempt.
func (e *Engine) conclude(d *destination, m *Delivery, w *watch, err error) {
	w.over()
	e.finished(d, m)
	w.add(m, e.settle(m, err), err)
	w.tell()
}

// next waits for a message that is ready; nil where the engine takes no more.
func (e *Engine) next(d *destination) *Delivery {
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		if e.intake.Err() != nil {
			return nil
		}
		if m := e.pick(d, time.Now()); m != nil {
			return m
		}
		d.some.Wait()
	}
}

// pick takes the first message that is ready and whose topic has not reached its limit.
func (e *Engine) pick(d *destination, now time.Time) *Delivery {
	if now.Before(d.paused) {
		return nil
	}
	if m := e.pickSuspect(d, now); m != nil || e.trial == d || len(d.suspects) > 0 {
		return m
	}
	for i := 0; i < len(d.ready); i++ {
		m := d.ready[i]
		safe := m.lane.safe(now)
		if t := d.topics[m.Topic]; safe && t != nil && t.running >= t.limit {
			continue
		}
		d.ready = slices.Delete(d.ready, i, i+1)
		if safe {
			if m.doubtful() {
				m.lane.suspect(m)
			} else if m.probe {
				m.probe, m.lane.whole = false, true // what was held back for it may go
			}
			d.take(m)
			return m
		}
		m.lane.drop(m)
		i--
	}
	return nil
}

// overtakes reports whether messages of a topic go on while an earlier one of their key has failed.
func (d *destination) overtakes(topic string) bool { return d.Retry(topic).Skip }

// take has a message in hand.
func (d *destination) take(m *Delivery) {
	m.started = true
	d.hands++
	if t := d.topics[m.Topic]; t != nil {
		t.running++
	}
}

// finished says that a message is in hand no more.
func (e *Engine) finished(d *destination, m *Delivery) {
	e.mu.Lock()
	defer e.mu.Unlock()
	d.hands--
	e.adjourn(d)
	if t := d.topics[m.Topic]; t != nil {
		if t.running--; len(d.ready) > 0 {
			d.some.Broadcast()
		}
	}
}

func (e *Engine) handle(d *destination, m *Delivery) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &Failure{Reason: Panicked, Err: fmt.Errorf("panic: %v", p)}
		}
	}()
	return d.Handle(e.ctx, m)
}
