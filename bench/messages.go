package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// load says how much is done to measure messages.
type load struct {
	filter  string        // only measures whose name has this in it
	dir     string        // for files
	rounds  int           // of a comparison
	batch   int           // messages in a turn of a comparison
	backlog int           // messages that wait when a drain begins
	pace    time.Duration // how long messages are sent at one pace
	turn    time.Duration // for how long the clients do one kind of unit when it is measured what publishing costs
	kills   int           // processes that are killed
	say     func(format string, args ...any)
}

func fullLoad() load {
	return load{rounds: 5, batch: 1000, backlog: 50_000, pace: 8 * time.Second, turn: 1500 * time.Millisecond, kills: 3}
}

func quickLoad() load {
	return load{rounds: 2, batch: 40, backlog: 500, pace: 200 * time.Millisecond, turn: 10 * time.Millisecond, kills: 1}
}

// goal is a bar that is not a ratio of times.
type goal struct {
	Text    string  `json:"text"`
	Is      float64 `json:"is"`
	Reached bool    `json:"reached"`
}

// String prints the goal as the table shows it.
func (g goal) String() string {
	return g.Text + map[bool]string{true: " ✓", false: " ✗"}[g.Reached]
}

// atLeast and atMost are the two kinds of goals. The text has a verb for the bar, which is printed like other figures.
func atLeast(text string, is, bar float64) goal {
	return goal{fmt.Sprintf(text, number(bar)), is, is >= bar}
}
func atMost(text string, is, bar float64) goal {
	return goal{fmt.Sprintf(text, number(bar)), is, is <= bar}
}

// number prints a bar.
func number(v float64) string {
	if v == float64(int(v)) {
		return thousands(v)
	}
	return fmt.Sprint(v)
}

// table is what was measured of one matter.
type table struct {
	Title   string   `json:"title"`
	Columns []string `json:"columns"`
	Rows    []row    `json:"rows"`
}

type row struct {
	Name    string   `json:"name"`
	Figures []string `json:"figures"`
	Goals   []goal   `json:"goals,omitempty"`
}

// messages is what was measured of messages.
type messages struct {
	Version string  `json:"postgres"`
	Tables  []table `json:"tables"`
}

// measureMessages runs everything that concerns messages.
func measureMessages(ctx context.Context, l *load) (_ *messages, err error) {
	measures := []struct {
		name string
		run  func(context.Context, *load, *database) (table, error)
	}{
		{"queue", measureQueues}, {"drain", measureDrains}, {"latency", measureLatencies},
		{"cost", measureCosts}, {"takeover", measureTakeovers},
	}
	out := &messages{}
	for _, m := range measures {
		if l.filter != "" && l.filter != m.name {
			continue
		}
		t, version, err := inDatabase(ctx, func(ctx context.Context, db *database) (table, error) { return m.run(ctx, l, db) })
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		out.Version, out.Tables = version, append(out.Tables, t)
	}
	return out, nil
}

// inDatabase gives a measure a database of its own.
func inDatabase(ctx context.Context, run func(context.Context, *database) (table, error)) (t table, version string, err error) {
	db, err := makeDatabase(ctx, nil)
	if err != nil {
		return t, "", err
	}
	defer func() { err = errors.Join(err, db.drop()) }()
	t, err = run(ctx, db)
	return t, db.version, err
}

// player is a queue that takes part in a comparison, in a schema of its own.
type player struct {
	name string
	open func(ctx context.Context, url string, d *desk) (queue, error)

	queue
	desk
}

// start opens the players' queues. What it returns closes them.
func start(ctx context.Context, db *database, players []*player) (stop func() error, err error) {
	stop = func() error {
		var errs []error
		for _, p := range players {
			if p.queue != nil {
				errs = append(errs, p.Close())
			}
		}
		return errors.Join(errs...)
	}
	for i, p := range players {
		schema := fmt.Sprintf("player%d", i)
		if err := db.addSchema(ctx, schema); err != nil {
			return nil, errors.Join(err, stop())
		}
		if p.queue, err = p.open(ctx, db.url(schema, true), &p.desk); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", p.name, err), stop())
		}
	}
	return stop, nil
}

// rates are messages in a second, of each player and round.
type rates [][]float64

// compete has the players do the same in turn, in rounds, after one that does not count: after that one the planner is
// told what the tables are like, as it is of those of a service that has run for a while.
func (l *load) compete(
	ctx context.Context, db *database, players []*player, n int, do func(*player) (time.Duration, error),
) (rates, error) {
	out := make(rates, len(players))
	for round := -1; round < l.rounds; round++ {
		if round == 0 {
			if _, err := db.conn.Exec(ctx, "VACUUM ANALYZE"); err != nil {
				return nil, err
			}
		}
		for _, i := range order(max(round, 0), len(players)) {
			took, err := do(players[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", players[i].name, err)
			}
			if round >= 0 {
				out[i] = append(out[i], float64(n)/took.Seconds())
			}
		}
	}
	return out, nil
}

// median is that of one player.
func (r rates) median(i int) float64 { return quartilesOf(r[i]).Median }

// ratio is the first player's rate divided by that of another one, of each round.
func (r rates) ratio(i int) quartiles {
	out := make([]float64, len(r[i]))
	for round := range out {
		out[round] = r[0][round] / r[i][round]
	}
	return quartilesOf(out)
}

// figures are the first player's rate, and those of the others with the ratio.
func (r rates) figures() []string {
	out := []string{thousands(r.median(0))}
	for i := 1; i < len(r); i++ {
		q := r.ratio(i)
		out = append(out, fmt.Sprintf("%s; %.2f (%.2f–%.2f)", thousands(r.median(i)), q.Median, q.Low, q.High))
	}
	return out
}

// thousands prints a number with commas.
func thousands(v float64) string {
	text := strconv.Itoa(int(v + 0.5))
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// percentile is a quantile of times in seconds.
func percentile(seconds []float64, q float64) time.Duration {
	v := slices.Sorted(slices.Values(seconds))
	if len(v) == 0 {
		return 0
	}
	return time.Duration(v[min(int(q*float64(len(v))), len(v)-1)] * float64(time.Second))
}

// measureQueues compares the queue with River.
func measureQueues(ctx context.Context, l *load, db *database) (t table, err error) {
	players := []*player{
		{name: "urutu", open: openUrutuQueue},
		{name: "River, completed with the handler's writes", open: openRiver},
		{name: "River, completed later", open: openRiverLater},
	}
	stop, err := start(ctx, db, players)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	t = table{Title: fmt.Sprintf("Messages handled in a second, PostgreSQL, %d handlers at once, commits wait for the disk", handlers)}
	for _, p := range players {
		t.Columns = append(t.Columns, p.name)
	}
	for _, w := range []struct {
		name string
		do   func(*player) (time.Duration, error)
	}{
		{"published one by one with a row, and handled with a row, by 8 at once", func(p *player) (time.Duration, error) {
			return together(ctx, p, &p.desk, l.batch)
		}},
		{"a backlog, handled with a row", func(p *player) (time.Duration, error) {
			return backlog(ctx, p, &p.desk, l.batch, false, db.customer)
		}},
		{"a backlog, and handlers that do nothing", func(p *player) (time.Duration, error) {
			return backlog(ctx, p, &p.desk, l.batch, true, db.customer)
		}},
	} {
		l.say("queue: %s", w.name)
		r, err := l.compete(ctx, db, players, l.batch, w.do)
		if err != nil {
			return t, err
		}
		t.Rows = append(t.Rows, row{w.name, r.figures(), []goal{
			atLeast("River ≥ %s", r.ratio(1).Median, 1.5), atLeast("later ≥ %s", r.ratio(2).Median, 1.5),
		}})
	}
	return t, nil
}
