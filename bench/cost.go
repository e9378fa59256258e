package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/session"
)

// clients is how many units are under way at once while it is measured what publishing adds to them.
const clients = 8

// business is a unit, with and without a message.
type business struct {
	name string
	unit func(ctx context.Context, customer uuid.UUID, products []uuid.UUID) error
}

func businesses() []business {
	return []business{
		{"an insert of one row", func(ctx context.Context, _ uuid.UUID, _ []uuid.UUID) error {
			c := newCustomer()
			return session.Add(ctx, &c)
		}},
		{"an order of 10 lines that takes from 10 stocks", placeOrder},
	}
}

// publication is what is published beside: the variants of a unit. What is lost to the first one is not to exceed the bar,
// where there is one.
type publication struct {
	name string
	add  func(ctx context.Context, customer uuid.UUID) error
	goal string
	bar  float64
}

func publications() []publication {
	keyed := fmt.Sprintf("with one of %s keys", thousands(drainKeys))
	return []publication{
		{name: "without a message", add: func(context.Context, uuid.UUID) error { return nil }},
		// What any outbox costs: one more INSERT in the same round trip, into a table that nobody subscribes to.
		{name: "with a row of a plain table", add: func(ctx context.Context, customer uuid.UUID) error {
			return stage(ctx, "customers", customer)
		}},
		{name: "with one", goal: "≤ %s %%", bar: 10, add: func(ctx context.Context, customer uuid.UUID) error {
			return bus.Publish(ctx, welcome{Customer: customer})
		}},
		{name: keyed, goal: "with a key ≤ %s %%", bar: 15, add: func(ctx context.Context, customer uuid.UUID) error {
			return bus.Publish(ctx, welcome{Customer: customer, Key: fmt.Sprint("key ", rand.IntN(drainKeys))})
		}},
	}
}

// measureCosts measures what a message adds to the unit that publishes it, while nobody handles any.
func measureCosts(ctx context.Context, l *load, db *database) (t table, err error) {
	if err := db.addSchema(ctx, "cost"); err != nil {
		return t, err
	}
	sdb, err := openMessages(ctx, db.url("cost", true), false)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, sdb.Close()) }()
	t = table{Title: fmt.Sprintf("What publishing costs: units in a second, %d at once, PostgreSQL, commits wait for the disk", clients)}
	for _, p := range publications() {
		t.Columns = append(t.Columns, p.name)
	}
	for _, b := range businesses() {
		l.say("cost: %s", b.name)
		r, err := b.compete(ctx, l, db, sdb)
		if err != nil {
			return t, fmt.Errorf("%s: %w", b.name, err)
		}
		line := row{Name: b.name, Figures: []string{thousands(r.median(0))}}
		for i, p := range publications()[1:] {
			q := r.over(i + 1)
			line.Figures = append(line.Figures, fmt.Sprintf("%s; %+.0f %% (%+.0f–%+.0f)", thousands(r.median(i+1)), q.Median, q.Low, q.High))
			if p.bar > 0 {
				line.Goals = append(line.Goals, atMost(p.goal, -q.Median, p.bar))
			}
		}
		t.Rows = append(t.Rows, line)
	}
	return t, nil
}

// over is by how many per cent a player's rate is more than the first one's.
func (r rates) over(i int) quartiles {
	out := make([]float64, len(r[i]))
	for round := range out {
		out[round] = 100 * (r[i][round]/r[0][round] - 1)
	}
	return quartilesOf(out)
}

// compete does the unit in each variant in turn.
func (b *business) compete(ctx context.Context, l *load, db *database, sdb *session.DB) (rates, error) {
	ps := publications()
	out := make(rates, len(ps))
	for round := -1; round < 3*l.rounds; round++ {
		for _, i := range order(max(round, 0), len(ps)) {
			if err := db.tidy(ctx, "cost"); err != nil {
				return nil, err
			}
			if _, err := db.conn.Exec(ctx, "TRUNCATE urutu_message"); err != nil {
				return nil, err
			}
			rate, err := b.run(ctx, l.turn, db, sdb, ps[i])
			if err != nil {
				return nil, err
			}
			if round >= 0 {
				out[i] = append(out[i], rate)
			}
		}
	}
	return out, nil
}

// settled is how many units each client does before they count. The tables were emptied before the turn, so that the server
// plans for them anew.
const settled = 10

// run has all clients do units for a time, each with products that no other one takes, and returns how many a second.
func (b *business) run(ctx context.Context, turn time.Duration, db *database, sdb *session.DB, p publication) (float64, error) {
	var before, all sync.WaitGroup
	before.Add(clients)
	errs, done := make([]error, clients), make([]int, clients)
	var begin time.Time
	started := make(chan struct{})
	for c := range clients {
		all.Go(func() {
			own := &data{products: db.products[c*len(db.products)/clients : (c+1)*len(db.products)/clients]}
			unit := func() error {
				return sdb.Do(ctx, func(ctx context.Context) error {
					return errors.Join(b.unit(ctx, db.customer, own.next(10)), p.add(ctx, db.customer))
				})
			}
			for range settled {
				errs[c] = errors.Join(errs[c], unit())
			}
			before.Done()
			<-started
			for errs[c] == nil && time.Since(begin) < turn {
				errs[c] = unit()
				done[c]++
			}
		})
	}
	before.Wait()
	begin = time.Now()
	close(started)
	all.Wait()
	units := 0
	for _, n := range done {
		units += n
	}
	return float64(units) / time.Since(begin).Seconds(), errors.Join(errs...)
}
