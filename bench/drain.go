package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
)

// outward is an outbox: it publishes messages and sends what waits to a broker that takes everything.
type outward interface {
	// Fill publishes n messages; keys says of how many keys, 0 for none.
	Fill(ctx context.Context, n, keys int) error
	// Drain sends all n messages, and returns how long that takes, to its end. Package outbox begins with the start of its
	// engine. Watermill, whose start makes tables and a router, begins with the first message that arrives.
	Drain(ctx context.Context, n int) (time.Duration, error)
	Close() error
}

// sinkGroup is the destination of what is sent to a broker.
const sinkGroup = "bench.sink"

// news is the event that is sent to a broker.
type news struct {
	Number int
	Key    string `json:",omitempty"`
}

func (news) MessageType() message.Type { return message.Type{Topic: "bench.news"} }

func (m news) MessageKey() string { return m.Key }

// urutuOutbox is package outbox.
type urutuOutbox struct{ db *session.DB }

func openUrutuOutbox(ctx context.Context, url string) (outward, error) {
	db, err := openMessages(ctx, url, false)
	if err != nil {
		return nil, err
	}
	o := &urutuOutbox{db}
	// Once it has run, its destination is known: what is published is kept for it.
	e := o.engine(func(context.Context, []*outbox.Delivery) []error { return nil })
	if err := e.Start(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return o, e.Stop(ctx)
}

func (o *urutuOutbox) engine(send func(context.Context, []*outbox.Delivery) []error) *outbox.Engine {
	return outbox.NewEngine(o.db, outbox.Config{Logger: silent()}, outbox.Consumer{
		Destination: sinkGroup, Topics: []string{news{}.MessageType().Topic}, Send: send,
	})
}

func (o *urutuOutbox) Fill(ctx context.Context, n, keys int) error {
	for done := 0; done < n; {
		err := o.db.Do(ctx, func(ctx context.Context) error {
			for range min(1000, n-done) {
				m := news{Number: done}
				if keys > 0 {
					m.Key = fmt.Sprint("key ", done%keys)
				}
				if err := bus.Publish(ctx, m); err != nil {
					return err
				}
				done++
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *urutuOutbox) Drain(ctx context.Context, n int) (time.Duration, error) {
	var sent atomic.Int64
	all := make(chan struct{})
	e := o.engine(func(_ context.Context, batch []*outbox.Delivery) []error {
		if sent.Add(int64(len(batch))) == int64(n) {
			close(all)
		}
		return nil
	})
	begin := time.Now()
	if err := e.Start(ctx); err != nil {
		return 0, err
	}
	select {
	case <-all:
	case <-ctx.Done():
	}
	err := e.Stop(ctx) // the rows are deleted
	return time.Since(begin), errors.Join(err, ctx.Err())
}

func (o *urutuOutbox) Close() error { return o.db.Close() }

// drains drains an outbox in rounds, after one that does not count, and returns messages in a second.
func drains(ctx context.Context, l *load, o outward, n, keys int) ([]float64, error) {
	var out []float64
	for round := -1; round < max(l.rounds/2, 1); round++ {
		if err := o.Fill(ctx, n, keys); err != nil {
			return nil, err
		}
		took, err := o.Drain(ctx, n)
		if err != nil {
			return nil, err
		}
		if round >= 0 {
			out = append(out, float64(n)/took.Seconds())
		}
	}
	return out, nil
}

// drainKeys is how many keys the messages of the drain in order have.
const drainKeys = 10_000

// drained is an outbox whose drain is measured.
type drained struct {
	name string
	open func(context.Context, string) (outward, error)
	url  string
	keys int
}

// measureDrains measures how fast what waits leaves for a broker that takes everything at once.
func measureDrains(ctx context.Context, l *load, db *database) (t table, err error) {
	for i := range 3 {
		if err := db.addSchema(ctx, fmt.Sprintf("drain%d", i)); err != nil {
			return t, err
		}
	}
	t = table{
		Title:   fmt.Sprintf("A backlog of %s messages sent to a broker that takes everything, and deleted", thousands(float64(l.backlog))),
		Columns: []string{"messages in a second"},
	}
	var ours, theirs float64
	for _, d := range []drained{
		{"PostgreSQL", openUrutuOutbox, db.url("drain0", true), 0},
		{fmt.Sprintf("PostgreSQL, %s keys", thousands(drainKeys)), openUrutuOutbox, db.url("drain1", true), drainKeys},
		{"Watermill's forwarder, PostgreSQL", openWatermill, db.url("drain2", true), 0},
		{"SQLite", openUrutuOutbox, "sqlite:///" + filepath.Join(l.dir, "drain.db"), 0},
	} {
		l.say("drain: %s", d.name)
		median, err := d.measure(ctx, l)
		if err != nil {
			return t, fmt.Errorf("%s: %w", d.name, err)
		}
		switch len(t.Rows) {
		case 0:
			ours = median
		case 2:
			theirs = median
		}
		t.Rows = append(t.Rows, row{Name: d.name, Figures: []string{thousands(median)}})
	}
	t.Rows[0].Goals = []goal{
		atLeast("≥ %s", ours, 150_000), atLeast("Watermill ≥ %s", ours/theirs, 3),
	}
	return t, nil
}

func (d *drained) measure(ctx context.Context, l *load) (median float64, err error) {
	o, err := d.open(ctx, d.url)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	list, err := drains(ctx, l, o, l.backlog, d.keys)
	if err != nil {
		return 0, err
	}
	return quartilesOf(list).Median, nil
}
