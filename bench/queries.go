package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urutu-go/urutu/query"
)

// reading says how much is done to measure queries.
type reading struct {
	filter string // only comparisons with this in their name
	sales  int    // rows of the table
	number int    // of the page far from the first
	limits limits
	// renders is how often a text is rendered in a turn, and most is how often a page is read.
	renders, most int
	say           func(format string, args ...any)
}

func fullReading() reading {
	return reading{
		sales: 1_000_000, number: 1000, renders: 500, most: 100,
		limits: limits{budget: 6 * time.Second, least: 6, most: 1000, warm: 8},
	}
}

func quickReading() reading {
	return reading{sales: 20_000, number: 100, renders: 5, most: 2, limits: limits{least: 2, most: 2, warm: 1}}
}

// entrant is a lister that takes part. The last one is who the others are compared with.
type entrant struct {
	name string
	open func(ctx context.Context, url string) (lister, error)
}

func entrants() []entrant {
	return []entrant{{"urutu", openTracked}, {"untracked", openUntracked}, {"pgx", openPgxLister}}
}

// The marks in a page between which the tables about queries stand.
var queryMarks = marks{"<!-- queries:begin -->", "<!-- queries:end -->"}

// What pages are meant to need at most: of the time of the page that is written by hand, and of that of the first page.
const (
	pageBar = 1.15
	lastBar = 1.3
)

// measureQueries measures pages and rendering.
func measureQueries(ctx context.Context, r *reading) (*messages, error) {
	out := &messages{}
	for _, m := range []struct {
		name string
		run  func(context.Context, *reading, *database) ([]table, error)
	}{{"pages", measurePages}, {"rendering", measureRendering}} {
		if r.filter != "" && r.filter != m.name {
			continue
		}
		var tables []table
		_, version, err := inDatabase(ctx, func(ctx context.Context, db *database) (t table, err error) {
			tables, err = m.run(ctx, r, db)
			return t, err
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		out.Version, out.Tables = version, append(out.Tables, tables...)
	}
	return out, nil
}

// measurePages compares pages of a large table.
func measurePages(ctx context.Context, r *reading, db *database) (_ []table, err error) {
	r.say("pages: %s rows are loaded", thousands(float64(r.sales)))
	if err := loadSales(ctx, db.conn, r.sales); err != nil {
		return nil, err
	}
	var listers []lister
	defer func() {
		for _, l := range listers {
			err = errors.Join(err, l.Close())
		}
	}()
	for _, e := range entrants() {
		l, err := e.open(ctx, db.url("public", false))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", e.name, err))
		}
		listers = append(listers, l)
	}
	p, err := findPlaces(ctx, listers[1].(*urutuLister), r)
	if err != nil {
		return nil, err
	}
	b := &book{reading: r, listers: listers}
	for _, questions := range [][]question{p.offsets(), p.keysets(), p.filters(), p.counts()} {
		if err := b.compare(ctx, questions); err != nil {
			return nil, err
		}
	}
	b.keysetBar()
	return b.tables(), nil
}

// findPlaces walks through the whole table, to know where its pages are.
func findPlaces(ctx context.Context, l *urutuLister, r *reading) (*places, error) {
	f := tenConditions(r.sales)
	p := &places{country: countryName(11), number: r.number, filter: f, grid: f.gridRequest()}
	at := position{}
	for walked := 0; walked < r.sales-pageOf; {
		size := min(query.MaxPageSize, r.sales-pageOf-walked)
		page, err := l.seek(ctx, at.cursor, size)
		if err != nil {
			return nil, err
		}
		if len(page.Items) != size || page.Next == "" {
			return nil, errCount
		}
		walked += size
		at = position{before: page.Items[size-1], cursor: page.Next}
		if walked <= r.sales/2 {
			p.middle = at
		}
	}
	p.last = at
	return p, nil
}

// book is what was measured of pages: for each question the times of each lister, of each round.
type book struct {
	*reading
	listers   []lister
	questions []question
	times     [][][]time.Duration
	allocs    [][]int
	goals     [][]goal
}

// compare asks every lister some questions in the same rounds, so that the questions can be compared too.
func (b *book) compare(ctx context.Context, questions []question) error {
	n := len(b.listers)
	ask := func(i int) error {
		q := questions[i/n]
		f, err := q.ask(ctx, b.listers[i%n])
		if err == nil && f.size() != pageOf {
			err = errCount
		}
		if err != nil {
			return fmt.Errorf("%s: %s: %w", q.name, entrants()[i%n].name, err)
		}
		return nil
	}
	warm := limits{least: b.limits.warm, most: b.limits.warm}
	if _, err := takeTurns(n*len(questions), always(1), warm, ask); err != nil {
		return err
	}
	for _, q := range questions {
		b.say("pages: %s", q.name)
	}
	batch := func(i int) int { return min(questions[i/n].batch, b.most) }
	times, err := takeTurns(n*len(questions), batch, b.limits, ask)
	if err != nil {
		return err
	}
	for i, q := range questions {
		own := times[i*n : (i+1)*n]
		allocs := make([]int, n)
		for k := range allocs {
			if allocs[k], err = mallocs(2, func() error { return ask(i*n + k) }); err != nil {
				return err
			}
		}
		b.questions, b.times, b.allocs = append(b.questions, q), append(b.times, own), append(b.allocs, allocs)
		b.goals = append(b.goals, []goal{
			atMost("pgx ≤ %s", over(own[0], own[n-1]).Median, pageBar), atMost("untracked ≤ %s", over(own[1], own[n-1]).Median, pageBar),
		})
	}
	return nil
}

// over is the times of some rounds divided by others of the same rounds.
func over(times, by []time.Duration) quartiles {
	out := make([]float64, len(times))
	for round := range out {
		out[round] = times[round].Seconds() / by[round].Seconds()
	}
	return quartilesOf(out)
}

// keysetBar compares the last page by a cursor with the first one.
func (b *book) keysetBar() {
	at := func(name string) int {
		return slices.IndexFunc(b.questions, func(q question) bool { return strings.HasPrefix(q.name, name) })
	}
	first, last := at("first page by a cursor"), at("the last one by a cursor")
	b.goals[last] = append(b.goals[last], atMost("first page ≤ %s", over(b.times[last][0], b.times[first][0]).Median, lastBar))
}

// tables are the times and the allocations.
func (b *book) tables() []table {
	names := make([]string, len(b.listers))
	for i, e := range entrants() {
		names[i] = e.name
	}
	times := table{Title: fmt.Sprintf("A page of %d of %s rows, PostgreSQL", pageOf, thousands(float64(b.sales))), Columns: names}
	allocs := table{Title: "Allocations of a page", Columns: names}
	for i, q := range b.questions {
		t, a := row{Name: q.name, Goals: b.goals[i]}, row{Name: q.name}
		by := b.times[i][len(names)-1]
		for k := range names {
			text := duration(medianOf(b.times[i][k]))
			if k < len(names)-1 {
				r := over(b.times[i][k], by)
				text += fmt.Sprintf("; %.2f (%.2f–%.2f)", r.Median, r.Low, r.High)
			}
			t.Figures, a.Figures = append(t.Figures, text), append(a.Figures, fmt.Sprint(b.allocs[i][k]))
		}
		times.Rows, allocs.Rows = append(times.Rows, t), append(allocs.Rows, a)
	}
	return []table{times, allocs}
}

func medianOf(times []time.Duration) time.Duration {
	seconds := make([]float64, len(times))
	for i, t := range times {
		seconds[i] = t.Seconds()
	}
	return time.Duration(quartilesOf(seconds).Median * float64(time.Second))
}
