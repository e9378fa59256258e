package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

// The marks in a page between which the table about a held snapshot stands.
var xminMarks = marks{"<!-- xmin:begin -->", "<!-- xmin:end -->"}

// What is published while a snapshot is held: units with one message for a handler, and units with many for a broker.
const (
	handledRate = 500 // units in a second
	sentRate    = 250 // units in a second
	sentEach    = 10  // messages of such a unit
	xminWindows = 10  // parts of the time
	plainRate   = 20  // INSERTs in a second that have nothing to do with messages
)

// measureXmin has messages published and handled at one pace, first as it is, and then while an idle transaction holds
// its snapshot, so that nothing that was deleted since can be cleaned up.
func measureXmin(ctx context.Context, hold time.Duration, db *database, say func(string, ...any)) (t table, err error) {
	if err := db.addSchema(ctx, "xmin"); err != nil {
		return t, err
	}
	x, err := openXmin(ctx, db.url("xmin", true))
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, x.close()) }()
	ctx, cancel := context.WithCancel(ctx)
	var publishing sync.WaitGroup
	publishing.Go(func() { x.publish(ctx, &x.handled, handledRate, 1) })
	publishing.Go(func() { x.publish(ctx, &x.sent, sentRate, sentEach) })
	publishing.Go(func() { x.insert(ctx, db) })
	t, err = x.watch(ctx, hold, db, say)
	cancel()
	publishing.Wait()
	return t, errors.Join(err, x.failure())
}

// xmin is a worker and a relay, and what they have seen.
type xmin struct {
	db            *session.DB
	stop          []func(context.Context) error
	handled, sent lagging
	plain         lagging    // how long an INSERT takes: what the machine is like
	mu            sync.Mutex // protects failed
	failed        error
}

// lagging takes down how long after their commits messages come.
type lagging struct {
	committed [1 << 16]atomic.Int64 // when the last units were, in nanoseconds
	mu        sync.Mutex            // protects lags
	lags      []float64             // in seconds, since they were taken
}

// came is called as a message of a unit comes.
func (l *lagging) came(unit int) {
	lag := 0.0
	if at := l.committed[unit%len(l.committed)].Load(); at > 0 {
		lag = time.Duration(time.Now().UnixNano() - at).Seconds()
	}
	l.took(lag)
}

func (l *lagging) took(seconds float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lags = append(l.lags, seconds)
}

// take returns what came since the last time.
func (l *lagging) take() []float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	lags := l.lags
	l.lags = nil
	return lags
}

func openXmin(ctx context.Context, url string) (*xmin, error) {
	db, err := openMessages(ctx, url, false)
	if err != nil {
		return nil, err
	}
	x := &xmin{db: db}
	b := bus.New(db, bus.Config{Logger: silent()})
	bus.Handle(b, func(_ context.Context, m welcome) error {
		x.handled.came(m.Number)
		return nil
	}, bus.Handler{Concurrency: handlers})
	o := &urutuOutbox{db}
	relay := o.engine(func(_ context.Context, batch []*outbox.Delivery) []error {
		for _, m := range batch {
			x.sent.came(numberOf(m.Payload))
		}
		return nil
	})
	worker := b.Worker()
	if err := errors.Join(worker.Start(ctx), relay.Start(ctx)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	x.stop = append(x.stop, worker.Stop, relay.Stop)
	return x, nil
}

func (x *xmin) close() error {
	var errs []error
	for _, stop := range x.stop {
		errs = append(errs, stop(context.Background()))
	}
	return errors.Join(append(errs, x.db.Close())...)
}

func (x *xmin) fail(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.failed = errors.Join(x.failed, err)
}

func (x *xmin) failure() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.failed
}

// publish runs units at a pace until ctx ends.
func (x *xmin) publish(ctx context.Context, l *lagging, rate, each int) {
	begin, pause := time.Now(), time.Second/time.Duration(rate)
	var next atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				unit := int(next.Add(1))
				select {
				case <-time.After(time.Until(begin.Add(time.Duration(unit) * pause))):
				case <-ctx.Done():
					return
				}
				if err := x.unit(context.WithoutCancel(ctx), l, unit, each); err != nil {
					x.fail(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// insert stores a row of a plain table, by itself and on a connection of its own, at a pace until ctx ends. It gets slower as
// the machine does, and not by what is in the way of messages.
func (x *xmin) insert(ctx context.Context, db *database) {
	conn, err := pgx.Connect(ctx, db.url("xmin", true))
	if err == nil {
		defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
		_, err = conn.Exec(ctx, "CREATE TABLE plain (at timestamptz NOT NULL)")
	}
	ticker := time.NewTicker(time.Second / plainRate)
	defer ticker.Stop()
	for err == nil {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		begin := time.Now()
		_, err = conn.Exec(context.WithoutCancel(ctx), "INSERT INTO plain VALUES (now())")
		x.plain.took(time.Since(begin).Seconds())
	}
	if ctx.Err() == nil {
		x.fail(err)
	}
}

func (x *xmin) unit(ctx context.Context, l *lagging, unit, each int) error {
	at := &l.committed[unit%len(l.committed)]
	at.Store(0)
	return x.db.Do(ctx, func(ctx context.Context) error {
		err := uow.AfterCommit(ctx, func(context.Context) error {
			at.Store(time.Now().UnixNano())
			return nil
		})
		for range each {
			if l == &x.handled {
				err = errors.Join(err, bus.Publish(ctx, welcome{Number: unit}))
			} else {
				err = errors.Join(err, bus.Publish(ctx, news{Number: unit}))
			}
		}
		return err
	})
}

// watch looks at the lags in parts of the time: one before, and then while the snapshot is held.
func (x *xmin) watch(ctx context.Context, hold time.Duration, db *database, say func(string, ...any)) (t table, err error) {
	t = table{
		Title: fmt.Sprintf("%s messages in a second while an idle transaction holds its snapshot for %v",
			thousands(handledRate+sentRate*sentEach), hold),
		Columns: []string{"messages in a second", "to the handler, p50", "p99", "to the broker, p50", "p99", "a plain INSERT, p99", "table and index"},
	}
	part := hold / xminWindows
	if err := x.idle(ctx, min(part, 5*time.Second)); err != nil { // begins, connects and prepares
		return t, err
	}
	before, first, err := x.part(ctx, "before", part, db, say)
	if err != nil {
		return t, err
	}
	t.Rows = append(t.Rows, first)
	release, err := holdSnapshot(ctx, db)
	if err != nil {
		return t, err
	}
	released := sync.OnceValue(release)
	defer func() { err = errors.Join(err, released()) }()
	var last p99
	worst := 0.0
	for i := range xminWindows {
		var r row
		last, r, err = x.part(ctx, fmt.Sprintf("until %v", part*time.Duration(i+1)), part, db, say)
		if err != nil {
			return t, err
		}
		worst = max(worst, last.since(before))
		t.Rows = append(t.Rows, r)
	}
	t.Rows[xminWindows].Goals = []goal{
		atMost("p99 of handlers ≤ %sx", last.handled.Seconds()/before.handled.Seconds(), 2),
		atMost("of the broker ≤ %sx", last.sent.Seconds()/before.sent.Seconds(), 2),
		atMost("of both in each part, beside an INSERT's, ≤ %sx", worst, 2),
	}
	if err := released(); err != nil {
		return t, err
	}
	_, r, err := x.part(ctx, "once it is released", part, db, say) // what else has changed meanwhile
	t.Rows = append(t.Rows, r)
	return t, err
}

func (x *xmin) idle(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
	case <-ctx.Done():
		return ctx.Err()
	}
	x.handled.take()
	x.sent.take()
	x.plain.take()
	return x.failure()
}

// part measures for a while. It returns the slowest hundredths.
func (x *xmin) part(ctx context.Context, name string, d time.Duration, db *database, say func(string, ...any)) (p p99, r row, err error) {
	begin := time.Now()
	select {
	case <-time.After(d):
	case <-ctx.Done():
		return p, r, ctx.Err()
	}
	handled, sent := x.handled.take(), x.sent.take()
	rate := float64(len(handled)+len(sent)) / time.Since(begin).Seconds()
	p = p99{percentile(handled, 0.99), percentile(sent, 0.99), percentile(x.plain.take(), 0.99)}
	var size int64
	if err := db.conn.QueryRow(ctx, "SELECT pg_total_relation_size('urutu_message')").Scan(&size); err != nil {
		return p, r, err
	}
	r = row{Name: name, Figures: []string{
		thousands(rate), duration(percentile(handled, 0.5)), duration(p.handled), duration(percentile(sent, 0.5)), duration(p.sent),
		duration(p.plain), fmt.Sprintf("%d MB", size>>20),
	}}
	say("xmin: %s: %v", name, r.Figures)
	return p, r, x.failure()
}

// p99 are the slowest hundredths of what was measured side by side.
type p99 struct{ handled, sent, plain time.Duration }

// since returns how much slower handling or sending has become than a plain INSERT has, which waits for the same disk.
func (p p99) since(before p99) float64 {
	machine := p.plain.Seconds() / before.plain.Seconds()
	return max(p.handled.Seconds()/before.handled.Seconds(), p.sent.Seconds()/before.sent.Seconds()) / machine
}

// holdSnapshot opens a transaction that does nothing more than keep its snapshot, until it is released.
func holdSnapshot(ctx context.Context, db *database) (release func() error, err error) {
	conn, err := pgx.Connect(ctx, db.url("xmin", true))
	if err != nil {
		return nil, err
	}
	release = func() error { return conn.Close(context.WithoutCancel(ctx)) }
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err == nil {
		_, err = tx.Exec(ctx, "SELECT count(*) FROM customers")
	}
	if err != nil {
		return nil, errors.Join(err, release())
	}
	return release, nil
}
