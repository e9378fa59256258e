package main

import (
	"context"
	"errors"
	"sync"

	"github.com/google/uuid"
)

// peer does the workloads in the way of one library. Insert is called by several goroutines at once, everything else by
// one at a time.
type peer interface {
	// Insert is a unit that writes a customer, and a message about it.
	Insert(ctx context.Context) error
	// Get reads one product by its key.
	Get(ctx context.Context, id uuid.UUID) error
	// Modify is a unit that reads a product, takes one off its stock if nobody else has changed it, and writes a message.
	Modify(ctx context.Context, id uuid.UUID) error
	// Order is a unit that reads the products, writes an order with a line for each, and takes one off each stock.
	Order(ctx context.Context, customer uuid.UUID, products []uuid.UUID) error
	// InsertMany is a unit that writes n customers.
	InsertMany(ctx context.Context, n int) error
	// UpdateMany is a unit that reads every product and changes each stock by an amount of its own.
	UpdateMany(ctx context.Context) error
	// Read reads every product.
	Read(ctx context.Context) error
	// Close gives up the connections.
	Close() error
}

// untracking is a peer that can read without following what it has read.
type untracking interface {
	GetUntracked(ctx context.Context, id uuid.UUID) error
	ReadUntracked(ctx context.Context) error
}

// errStale says that somebody else has changed a row, and errCount that a read did not bring every row.
var (
	errStale = errors.New("the row has another version")
	errCount = errors.New("not every row came back")
)

// products is the number of rows that are read and updated, and of those that are inserted together.
const products = 1000

// workload is what is measured.
type workload struct {
	name string
	kind kind
	// batch is how often it is done in one turn where there is no delay: enough for each peer to pay for what the garbage
	// collector does with its own garbage, and not for that of others.
	batch int
	run   func(ctx context.Context, p peer, d *data) error
}

// kind says which bars a workload has to reach.
type kind uint8

const (
	unit    kind = iota // a unit that writes
	bulk                // a unit that inserts many rows
	tracked             // a read whose rows are followed
	plain               // a read whose rows are not
)

// data is what workloads pick their rows from.
type data struct {
	customer uuid.UUID
	products []uuid.UUID
	turn     int // moves on with each use, so that rows are used evenly
}

// next returns the next n products.
func (d *data) next(n int) []uuid.UUID {
	d.turn = (d.turn + n) % (len(d.products) - n)
	return d.products[d.turn : d.turn+n]
}

// workloads returns all of them, in the order of the table.
func workloads() []workload {
	return []workload{
		{"insert + message", unit, 32, func(ctx context.Context, p peer, _ *data) error { return p.Insert(ctx) }},
		{"read, change, write + message", unit, 32, func(ctx context.Context, p peer, d *data) error {
			return p.Modify(ctx, d.next(1)[0])
		}},
		{"order, 10 lines, 10 stocks", unit, 8, func(ctx context.Context, p peer, d *data) error {
			return p.Order(ctx, d.customer, d.next(10))
		}},
		{"1,000 updates", unit, 4, func(ctx context.Context, p peer, _ *data) error { return p.UpdateMany(ctx) }},
		{"64 units at once, pool of 8", unit, 2, func(ctx context.Context, p peer, _ *data) error { return atOnce(ctx, p) }},
		{"1,000 inserts", bulk, 4, func(ctx context.Context, p peer, _ *data) error { return p.InsertMany(ctx, products) }},
		{"get by key", tracked, 64, func(ctx context.Context, p peer, d *data) error { return p.Get(ctx, d.next(1)[0]) }},
		{"get by key, untracked", plain, 64, func(ctx context.Context, p peer, d *data) error {
			if u, ok := p.(untracking); ok {
				return u.GetUntracked(ctx, d.next(1)[0])
			}
			return p.Get(ctx, d.next(1)[0])
		}},
		{"1,000 rows", tracked, 16, func(ctx context.Context, p peer, _ *data) error { return p.Read(ctx) }},
		{"1,000 rows, untracked", plain, 16, func(ctx context.Context, p peer, _ *data) error {
			if u, ok := p.(untracking); ok {
				return u.ReadUntracked(ctx)
			}
			return p.Read(ctx)
		}},
	}
}

// atOnce runs 64 units that insert, each in a goroutine of its own.
func atOnce(ctx context.Context, p peer) error {
	errs := make([]error, 64)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = p.Insert(ctx) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// amount is what UpdateMany adds to the stock of row i.
func amount(i int) int64 { return int64(i%7) + 1 }
