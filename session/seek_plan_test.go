package session_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// Trek is a row of a large table with indexes.
type Trek struct {
	entity.Serial
	At   time.Time `db:"at"`
	Nick *string   `db:"nick"`
	Kind int       `db:"kind"`
}

var treks = entity.Columns[Trek]()

// trekOrders are orders that an index of the table serves.
var trekOrders = map[string][]query.Clause{
	"the key":                          nil,
	"a column":                         {query.Asc(&treks.At)},
	"a column, greatest first":         {query.Desc(&treks.At)},
	"a column, and the key against it": {query.Desc(&treks.At), query.Asc(&treks.ID)},
	"behind a filter":                  {query.Eq(&treks.Kind, 3), query.Asc(&treks.At)},
	"what is NULL in every other row":  {query.Asc(&treks.Nick)},
	"the same with NULL first":         {query.Desc(&treks.Nick).NullsFirst()},
	"the same with NULL last":          {query.Desc(&treks.Nick)},
}

const trekRows = 20_000

func openTreks(t *testing.T) *fixture {
	t.Helper()
	f := open(t, backends[0], sealed)
	f.do(t, func(ctx context.Context) error {
		must(t, session.CreateTables(ctx, (*Trek)(nil)))
		for _, sql := range []string{
			fmt.Sprintf("INSERT INTO treks (at, nick, kind) SELECT '2026-01-01'::timestamptz + i * interval '1 second', "+
				"CASE WHEN i %% 2 = 0 THEN 'nick' || i END, i %% 5 FROM generate_series(1, %d) AS i", trekRows),
			"CREATE INDEX ON treks (at, id)", "CREATE INDEX ON treks (kind, at, id)", "CREATE INDEX ON treks (nick, id)",
			"CREATE INDEX ON treks (nick DESC NULLS LAST, id DESC)",
		} {
			must(t, second(session.From(ctx).ExecContext(ctx, sql)))
		}
		return nil
	})
	f.do(t, func(ctx context.Context) error { return second(session.From(ctx).ExecContext(ctx, "ANALYZE treks")) })
	return f
}

// However far a page is from the first one, the server reads it from an index, and no more rows than there could be on some
// pages: where a few hundred are left it may find it cheaper to sort those.
func TestSeek_every_page_is_read_from_an_index(t *testing.T) {
	t.Parallel()
	f := openTreks(t)
	plans := openPlans(t, f)
	for name, clauses := range trekOrders {
		places := trekPlaces(t, f, clauses)
		n := len(places)
		for _, i := range []int{0, 2, 3, n/2 - 2, n/2 - 1, n / 2, n/2 + 1, n - 2, n - 1} {
			plans.record(func() { seekTreks(t, f, clauses, places[i], 20) })
			if touched, wrong := plans.look(t); touched > 500 || wrong != "" {
				t.Errorf("ordered by %s, page %d of %d: %.0f rows are touched %s\n%s", name, i, n, touched, wrong, plans.text)
			}
		}
	}
}

func seekTreks(t *testing.T, f *fixture, clauses []query.Clause, cursor string, size int) (page query.CursorPage[*Trek]) {
	t.Helper()
	f.do(t, func(ctx context.Context) (err error) {
		page, err = session.Seek[Trek](ctx, query.CursorRequest{Cursor: cursor, PageSize: size}, append(slices.Clone(clauses), query.NoTracking)...)
		return err
	})
	return page
}

// trekPlaces walks through treks, and returns the cursors of pages on the way: onward at even places, and back at odd ones.
func trekPlaces(t *testing.T, f *fixture, clauses []query.Clause) []string {
	t.Helper()
	places := []string{""}
	for at := seekTreks(t, f, clauses, "", query.MaxPageSize); ; at = seekTreks(t, f, clauses, at.Next, query.MaxPageSize) {
		places = append(places, at.Prev)
		if at.Next == "" {
			return places
		}
		places = append(places, at.Next)
	}
}

// What can be NULL and comes greatest first has an index that says so: with it no page is sorted, by a cursor or by its
// number. Where a few rows are left, at an end of either, the server may sort those: that they are no more, the
// test above says.
func TestNULLs_behind_the_greatest_are_read_from_an_index(t *testing.T) {
	t.Parallel()
	f := openTreks(t)
	plans := openPlans(t, f)
	order := []query.Clause{query.Desc(&treks.Nick)}
	look := func(page string, most float64) {
		touched, wrong := plans.look(t)
		if touched > most || wrong != "" || strings.Contains(plans.text, "Sort") {
			t.Errorf("page %s: %.0f rows are touched %s\n%s", page, touched, wrong, plans.text)
		}
	}
	places := trekPlaces(t, f, order)
	n := len(places)
	for _, i := range []int{0, n / 4, n/4 + 1, 3 * n / 4, 3*n/4 + 1} { // among those that have a value, and those that have none
		plans.record(func() { seekTreks(t, f, order, places[i], 20) })
		look(fmt.Sprint(i, " of ", n), 50)
	}
	for _, number := range []int{0, 7, 600} {
		plans.record(func() { pageTreks(t, f, order, number) })
		look(fmt.Sprint("number ", number), float64((number+1)*query.DefaultPageSize))
	}
}

func pageTreks(t *testing.T, f *fixture, clauses []query.Clause, number int) {
	t.Helper()
	f.do(t, func(ctx context.Context) error {
		return second(session.Page[Trek](ctx, query.PageRequest{Page: number}, append(slices.Clone(clauses), query.CountNone)...))
	})
}

// A page by its number is read from the same index, and nothing is sorted on the way: an index in the order of a list has
// its rows in that order already.
func TestPage_by_number_is_not_sorted(t *testing.T) {
	t.Parallel()
	f := openTreks(t)
	plans := openPlans(t, f)
	for name, clauses := range map[string][]query.Clause{
		"the key":                 nil,
		"a column":                {query.Asc(&treks.At)},
		"a column, from its end":  {query.Desc(&treks.At)},
		"the same behind filters": {query.Eq(&treks.Kind, 3), query.Desc(&treks.At)},
	} {
		for _, number := range []int{0, 7} {
			plans.record(func() { pageTreks(t, f, clauses, number) })
			touched, wrong := plans.look(t)
			if want := float64((number + 1) * query.DefaultPageSize); touched != want || wrong != "" || strings.Contains(plans.text, "Sort") {
				t.Errorf("ordered by %s, page %d: %.0f rows are touched, want %.0f %s\n%s", name, number, touched, want, wrong, plans.text)
			}
		}
	}
}

// plans shows how the server runs what a fixture sends.
type plans struct {
	f    *fixture
	conn driver.Conn
	mu   sync.Mutex
	sent []driver.Statement
	text string
}

func openPlans(t *testing.T, f *fixture) *plans {
	t.Helper()
	pool, err := f.backend.driver().Open(t.Context(), driver.Config{Name: "plans", URL: f.url, MaxOpen: 1, MaxIdle: 1})
	must(t, err)
	conn, err := pool.Acquire(t.Context(), driver.Read)
	must(t, err)
	t.Cleanup(func() {
		conn.Release()
		must(t, pool.Close())
	})
	return &plans{f: f, conn: conn}
}

// record keeps the statements that are sent while fn runs.
func (p *plans) record(fn func()) {
	p.sent, p.text = nil, ""
	p.f.intercept(func(s *driver.Script, run func() error) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, st := range s.Statements {
			st.Args = slices.Clone(st.Args)
			p.sent = append(p.sent, st)
		}
		return run()
	})
	fn()
	p.f.intercept(nil)
}

// look runs what was recorded again, and returns how many rows the server has touched for it, and what else is wrong.
func (p *plans) look(t *testing.T) (touched float64, wrong string) {
	t.Helper()
	for _, st := range p.sent {
		st.SQL, st.Result = "EXPLAIN (ANALYZE, FORMAT JSON) "+st.SQL, []value.Type{value.TypeText}
		must(t, p.conn.Run(t.Context(), &driver.Script{Statements: []driver.Statement{st}}, p))
	}
	for _, text := range strings.Split(strings.TrimSuffix(p.text, "\x00"), "\x00") {
		var parsed []struct{ Plan planNode }
		if err := json.Unmarshal([]byte(text), &parsed); err != nil || len(parsed) != 1 {
			t.Fatalf("%q: %v", text, err)
		}
		n, w := parsed[0].Plan.cost()
		touched, wrong = touched+n, wrong+w
	}
	return touched, wrong
}

// Row implements driver.Results.
func (p *plans) Row(_ int, cells []driver.Cell) error {
	p.text += cells[0].Str() + "\x00"
	return nil
}

// Done implements driver.Results.
func (p *plans) Done(int, int64, int64) error { return nil }

// planNode is a node of a plan.
type planNode struct {
	Type      string  `json:"Node Type"`
	Rows      float64 `json:"Actual Rows"`
	Filtered  float64 `json:"Rows Removed by Filter"`
	Rechecked float64 `json:"Rows Removed by Index Recheck"`
	Plans     []planNode
}

// cost returns how many rows the scans of a plan touch, and which of them use no index.
func (n *planNode) cost() (touched float64, wrong string) {
	if strings.HasSuffix(n.Type, "Scan") {
		touched = n.Rows + n.Filtered + n.Rechecked
	}
	if n.Type == "Seq Scan" {
		wrong = "by a sequential scan"
	}
	for i := range n.Plans {
		t, w := n.Plans[i].cost()
		touched, wrong = touched+t, wrong+w
	}
	return touched, wrong
}
