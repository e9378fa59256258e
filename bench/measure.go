package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// contender is a peer that takes part in a comparison. The first one is urutu.
type contender struct {
	name string // also that of its schema
	open func(ctx context.Context, url string) (peer, error)
}

func onPostgres() []contender {
	return []contender{
		{name: "urutu", open: openUrutu},
		{name: "pgx", open: openPgx},
		{name: "pipeline", open: openPipeline},
		{name: "sqlc", open: openSqlc},
		{name: "bun", open: openBun},
		{name: "gorm", open: openGorm},
		{name: "ent", open: openEnt},
	}
}

func onSQLite() []contender {
	return []contender{{name: "urutu", open: openUrutu}, {name: "database/sql", open: openHand}}
}

// limits say how long one comparison goes on: until the budget is spent, but for so many rounds at least and at most.
type limits struct {
	budget      time.Duration
	least, most int
	warm        int // rounds before
}

// result is one comparison: a workload done by each contender in turn, in many rounds.
type result struct {
	Workload string        `json:"workload"`
	Database string        `json:"database"`
	Delay    time.Duration `json:"delay"`
	Sync     bool          `json:"sync"`
	Rounds   int           `json:"rounds"`
	Peers    []figure      `json:"peers"`
	Bars     []bar         `json:"bars"`
	kind     kind
}

// figure is what one contender needed.
type figure struct {
	Name string `json:"name"`
	// Time is the median for one execution.
	Time time.Duration `json:"time"`
	// Ratio is urutu's time divided by the peer's, of each round.
	Ratio quartiles `json:"ratio"`
	// Trips are round trips for one execution, and Allocs objects.
	Trips  int `json:"trips"`
	Allocs int `json:"allocs,omitempty"`
}

// quartiles are the median and what half of all rounds lie between.
type quartiles struct {
	Low    float64 `json:"low"`
	Median float64 `json:"median"`
	High   float64 `json:"high"`
}

func quartilesOf(v []float64) quartiles {
	v = slices.Sorted(slices.Values(v))
	at := func(q float64) float64 {
		x := q * float64(len(v)-1)
		i := int(x)
		return v[i] + (v[min(i+1, len(v)-1)]-v[i])*(x-float64(i))
	}
	return quartiles{at(0.25), at(0.5), at(0.75)}
}

// order returns whose turn it is in a round. Over 2n rounds everybody is in each place and right behind everybody else
// equally often (a Williams square), so that nobody always pays for what the same neighbor leaves behind.
func order(round, n int) []int {
	turns := make([]int, n)
	for i := range turns {
		place := i / 2
		if i%2 == 1 {
			place = n - 1 - place
		}
		turns[i] = (round/2 + place) % n
	}
	if round%2 == 1 {
		slices.Reverse(turns)
	}
	return turns
}

// compare has the peers do a workload in rounds, and returns the time of one execution for each peer and round.
func compare(ctx context.Context, w workload, batch int, peers []peer, d *data, l limits) ([][]time.Duration, error) {
	return takeTurns(len(peers), always(batch), l, func(i int) error {
		if err := w.run(ctx, peers[i], d); err != nil {
			return fmt.Errorf("%s: peer %d: %w", w.name, i, err)
		}
		return nil
	})
}

// takeTurns has n contenders take turns in rounds, and returns the time of one execution for each of them and round. Before
// each turn the garbage of the one before is collected. That empties pools too, and everybody else has been at the caches
// meanwhile: the first execution of a turn is not counted, as little as it would show among the many of a service. batch
// says how many of a contender's are.
func takeTurns(n int, batch func(i int) int, l limits, run func(i int) error) ([][]time.Duration, error) {
	times := make([][]time.Duration, n)
	begin := time.Now()
	for round := 0; round < l.most && (round < l.least || time.Since(begin) < l.budget); round++ {
		for _, i := range order(round, n) {
			runtime.GC()
			var start time.Time
			for k := range 1 + batch(i) {
				if k == 1 {
					start = time.Now()
				}
				if err := run(i); err != nil {
					return nil, err
				}
			}
			times[i] = append(times[i], time.Since(start)/time.Duration(batch(i)))
		}
	}
	return times, nil
}

// always is a batch of the same size for every contender.
func always(batch int) func(int) int { return func(int) int { return batch } }

// figures makes figures of times.
func figures(cs []contender, times [][]time.Duration) []figure {
	out := make([]figure, len(cs))
	for i := range cs {
		seconds, ratios := make([]float64, len(times[i])), make([]float64, len(times[i]))
		for round, t := range times[i] {
			seconds[round] = t.Seconds()
			ratios[round] = times[0][round].Seconds() / t.Seconds()
		}
		out[i] = figure{
			Name: cs[i].name, Ratio: quartilesOf(ratios),
			Time: time.Duration(quartilesOf(seconds).Median * float64(time.Second)),
		}
	}
	return out
}

// allocations returns the number of objects that one execution allocates.
func allocations(ctx context.Context, w workload, p peer, d *data) (int, error) {
	return mallocs(2, func() error { return w.run(ctx, p, d) })
}

// mallocs returns the number of objects that one of n executions allocates.
func mallocs(n int, run func() error) (int, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		if err := run(); err != nil {
			return 0, err
		}
	}
	runtime.ReadMemStats(&after)
	return int(after.Mallocs-before.Mallocs) / n, nil
}
