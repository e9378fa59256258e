package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

// The two paces at which messages are sent.
const (
	idlePause = 40 * time.Millisecond
	busyPause = time.Millisecond
)

// relayQueue sends what is published to a broker that takes everything.
type relayQueue struct {
	db     *session.DB
	engine *outbox.Engine
}

func openRelay(ctx context.Context, url string, d *desk) (queue, error) {
	db, err := openMessages(ctx, url, false)
	if err != nil {
		return nil, err
	}
	o := &urutuOutbox{db}
	e := o.engine(func(_ context.Context, batch []*outbox.Delivery) []error {
		for _, m := range batch {
			d.enter(numberOf(m.Payload)).leave()
		}
		return nil
	})
	if err := e.Start(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &relayQueue{db, e}, nil
}

// numberOf reads the number of a message: its payload begins with it.
func numberOf(payload []byte) (n int) {
	_, _ = fmt.Sscanf(string(payload), `{"Number":%d`, &n)
	return n
}

func (q *relayQueue) Place(ctx context.Context, m welcome, committed func()) error {
	return q.db.Do(ctx, func(ctx context.Context) error {
		c := newCustomer()
		err := uow.AfterCommit(ctx, func(context.Context) error {
			committed()
			return nil
		})
		return errors.Join(err, session.Add(ctx, &c), bus.Publish(ctx, news{Number: m.Number}))
	})
}

func (q *relayQueue) Fill(context.Context, []welcome) error { return errors.ErrUnsupported }

func (q *relayQueue) Close() error {
	return errors.Join(q.engine.Stop(context.Background()), q.db.Close())
}

// measureLatencies measures from the commit of a message to the beginning of its handler.
func measureLatencies(ctx context.Context, l *load, db *database) (t table, err error) {
	t = table{
		Title:   "From the commit to the handler, PostgreSQL, commits wait for the disk",
		Columns: []string{"idle, p50", "idle, p99", "1,000 in a second, p50", "1,000 in a second, p99"},
	}
	ms := func(d time.Duration) float64 { return d.Seconds() * 1000 }
	for i, p := range []struct {
		name string
		open func(ctx context.Context, url string, d *desk) (queue, error)
		bars func(idle, busy [2]time.Duration) []goal
	}{
		{"urutu, a handler in the same process", openUrutuQueue, nil},
		{"urutu, a broker that takes everything, same process", openRelay, func(idle, busy [2]time.Duration) []goal {
			return []goal{
				atMost("p50 ≤ %s ms", ms(max(idle[0], busy[0])), 3), atMost("p99 ≤ %s ms", ms(max(idle[1], busy[1])), 15),
			}
		}},
		{"urutu, a handler in another process", openApart, nil},
		{"urutu, a handler in another process that only polls", openPolling, func(idle, busy [2]time.Duration) []goal {
			return []goal{atMost("p50 ≤ %s ms", ms(max(idle[0], busy[0])), 30)}
		}},
		{"River", openRiver, nil},
	} {
		l.say("latency: %s", p.name)
		schema := fmt.Sprintf("latency%d", i)
		if err := db.addSchema(ctx, schema); err != nil {
			return t, err
		}
		idle, busy, err := latencies(ctx, l, p.open, db.url(schema, true))
		if err != nil {
			return t, fmt.Errorf("%s: %w", p.name, err)
		}
		r := row{Name: p.name, Figures: []string{duration(idle[0]), duration(idle[1]), duration(busy[0]), duration(busy[1])}}
		if p.bars != nil {
			r.Goals = p.bars(idle, busy)
		}
		t.Rows = append(t.Rows, r)
	}
	return t, nil
}

// latencies returns p50 and p99 at both paces.
func latencies(
	ctx context.Context, l *load, open func(context.Context, string, *desk) (queue, error), url string,
) (idle, busy [2]time.Duration, err error) {
	d := &desk{}
	q, err := open(ctx, url, d)
	if err != nil {
		return idle, busy, err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	if _, err := latency(ctx, q, d, 50, busyPause); err != nil { // connects and prepares
		return idle, busy, err
	}
	if idle, err = latency(ctx, q, d, max(int(l.pace/idlePause), 4), idlePause); err != nil {
		return idle, busy, err
	}
	busy, err = latency(ctx, q, d, int(l.pace/busyPause), busyPause)
	return idle, busy, err
}

func latency(ctx context.Context, q queue, d *desk, n int, pause time.Duration) (out [2]time.Duration, err error) {
	t := d.open(n, true)
	close(t.gate)
	if err := publishAll(ctx, q, t, pause); err != nil {
		return out, err
	}
	if err := t.wait(ctx); err != nil {
		return out, err
	}
	lags := t.lags()
	return [2]time.Duration{percentile(lags, 0.5), percentile(lags, 0.99)}, nil
}
