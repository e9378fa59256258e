package main

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/urutu-go/urutu/examples/shop/shop"
	"github.com/urutu-go/urutu/session"
)

// The products: one that sells out, and some that do not.
const (
	products    = 8
	scarceStock = 500
	plenty      = 1_000_000_000
)

// report is what a run came to.
type report struct {
	placed, short int
	took          time.Duration
	latencies     []time.Duration
}

// String prints the report on one line.
func (r report) String() string {
	if len(r.latencies) == 0 {
		return "no orders"
	}
	slices.Sort(r.latencies)
	at := func(q float64) time.Duration {
		return r.latencies[int(q*float64(len(r.latencies)-1))].Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("%d orders placed, %d short of stock in %s: %.0f/s, p50 %s, p99 %s, max %s",
		r.placed, r.short, r.took.Round(time.Millisecond), float64(len(r.latencies))/r.took.Seconds(), at(.5), at(.99), at(1))
}

// load runs a shop on the database, has the clients place orders for d, and checks the books.
func load(ctx context.Context, on database, clients int, d time.Duration) (report, error) {
	goroutines := runtime.NumGoroutine()
	before, err := on.connections(ctx)
	if err != nil {
		return report{}, err
	}
	r, err := serve(ctx, on.url, func(s *store) (report, error) { return s.sell(ctx, clients, d) })
	if err != nil {
		return r, err
	}
	return r, errors.Join(
		settle("goroutines", goroutines, func() (int, error) { return runtime.NumGoroutine(), nil }),
		settle("connections to the server", before, func() (int, error) { return on.connections(ctx) }),
	)
}

// serve runs use against a shop that listens on the loopback interface, and takes the shop down again.
func serve(ctx context.Context, url string, use func(*store) (report, error)) (r report, err error) {
	db, err := session.Open(ctx, shop.Config(url))
	if err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := shop.CreateTables(ctx, db); err != nil {
		return report{}, err
	}
	worker := shop.Bus(db).Worker()
	if err := worker.Start(ctx); err != nil {
		return report{}, err
	}
	server := httptest.NewServer(shop.API(db, db.Ping))
	defer server.Close()
	s := newStore(server.URL)
	defer s.client.CloseIdleConnections()
	r, err = use(s)
	if err = errors.Join(err, worker.Stop(ctx)); err != nil {
		return r, err
	}
	return r, settle("connections in use", 0, func() (int, error) { return db.Stats()["default"].InUse, nil })
}

// sell opens the store's books, has the clients place orders, and closes the books.
func (s *store) sell(ctx context.Context, clients int, d time.Duration) (report, error) {
	if err := s.stockUp(ctx); err != nil {
		return report{}, err
	}
	begin := time.Now()
	results := make([]sales, clients)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { results[i] = s.buy(ctx, begin.Add(d)) })
	}
	wg.Wait()

	all := sales{sold: map[string]int64{}}
	for _, one := range results {
		all.add(one)
	}
	r := report{placed: all.placed, short: all.short, took: time.Since(begin), latencies: all.latencies}
	return r, errors.Join(all.err, s.audit(ctx, all))
}

// settle waits for a figure to come down to what it was, for it takes a moment until everything has noticed its end.
func settle(what string, want int, figure func() (int, error)) error {
	var got int
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		var err error
		if got, err = figure(); err != nil || got <= want {
			return err
		}
		runtime.Gosched()
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("%d %s are left over", got-want, what)
}
