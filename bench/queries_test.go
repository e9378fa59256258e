package main

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/urutu-go/urutu/internal/faultdriver"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/pgxdriver"
)

// shelf is a table of sales, and who reads it.
type shelf struct {
	db      *database
	reading reading
	places  *places
	urutu   *urutuLister
	sent    []driver.Statement // by urutu
}

// newShelf loads a table of n sales until the test ends.
func newShelf(tb testing.TB, n int) *shelf {
	tb.Helper()
	s := &shelf{db: forTest(tb, nil), reading: quickReading()}
	s.reading.sales = n
	if err := loadSales(tb.Context(), s.db.conn, s.reading.sales); err != nil {
		tb.Fatal(err)
	}
	d := faultdriver.New(pgxdriver.New())
	d.Inject(func(script *driver.Script) faultdriver.Fault {
		for _, st := range script.Statements {
			st.Args = slices.Clone(st.Args)
			s.sent = append(s.sent, st)
		}
		return nil
	})
	var err error
	if s.urutu, err = openUrutuLister(tb.Context(), s.url(), d, query.NoTracking); err != nil {
		tb.Fatal(err)
	}
	closeAfter(tb, s.urutu)
	if s.places, err = findPlaces(tb.Context(), s.urutu, &s.reading); err != nil {
		tb.Fatal(err)
	}
	return s
}

func (s *shelf) url() string { return s.db.url("public", false) }

func closeAfter(tb testing.TB, c interface{ Close() error }) {
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	})
}

// questions are all of them.
func (s *shelf) questions() []question {
	return slices.Concat(s.places.offsets(), s.places.keysets(), s.places.filters(), s.places.counts())
}

// TestListersAgree: what is compared finds the same: the same sales in the same order, and the same of what is behind them.
func TestListersAgree(t *testing.T) {
	t.Parallel()
	s := newShelf(t, quickReading().sales)
	var listers []lister
	for _, e := range entrants() {
		l, err := e.open(t.Context(), s.url())
		if err != nil {
			t.Fatal(err)
		}
		closeAfter(t, l)
		listers = append(listers, l)
	}
	seen := map[uuid.UUID]bool{}
	for _, q := range s.questions() {
		want, err := q.ask(t.Context(), listers[len(listers)-1])
		if err != nil || want.size() != pageOf {
			t.Fatalf("%s: %d, %v", q.name, want.size(), err)
		}
		seen[want.ids()[0]] = true
		for i, l := range listers[:len(listers)-1] {
			got, err := q.ask(t.Context(), l)
			if err != nil || !slices.Equal(got.ids(), want.ids()) || got.more != want.more || got.total != want.total {
				t.Errorf("%s: %s finds other sales than pgx: %v, %d, %t, want %d, %t", q.name, entrants()[i].name, err,
					got.total, got.more, want.total, want.more)
			}
			for k := range got.pointers {
				a, b := *got.pointers[k], want.rows[k]
				a.CreatedAt, b.CreatedAt = a.CreatedAt.UTC(), b.CreatedAt.UTC()
				if (a.Note == nil) != (b.Note == nil) {
					t.Fatalf("%s: %+v, want %+v", q.name, a, b)
				}
				a.Note, b.Note = nil, nil
				if a != b {
					t.Fatalf("%s: %+v, want %+v", q.name, a, b)
				}
			}
		}
	}
	if len(seen) != 6 { // the first, the one of a number, the middle, the last, the filter's, the country's
		t.Errorf("the questions have %d pages, want 6", len(seen))
	}
}

// TestBuildersAgree: urutu's text is the one that a session sends, and every other one finds the same sales.
func TestBuildersAgree(t *testing.T) {
	t.Parallel()
	s := newShelf(t, quickReading().sales)
	pool, bs := buildersForTest(t, s.url())
	f := &s.places.filter
	for name, c := range map[string]struct {
		render func(b builder) (string, []any, error)
		ask    func() (found, error)
	}{
		"short": {
			func(b builder) (string, []any, error) { return b.Short(s.places.country) },
			func() (found, error) { return s.urutu.Count(t.Context(), s.places.country, query.CountNone) },
		},
		"long": {
			func(b builder) (string, []any, error) { return b.Long(f) },
			func() (found, error) { return s.urutu.Filter(t.Context(), f) },
		},
	} {
		s.sent = nil
		want, err := c.ask()
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range bs {
			text, args, err := c.render(b)
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				if text != s.sent[0].SQL {
					t.Errorf("%s: urutu renders\n%s\nand sends\n%s", name, text, s.sent[0].SQL)
				}
				continue
			}
			if got := salesOf(t, pool, text, args); !slices.Equal(got, want.ids()) {
				t.Errorf("%s: %s finds other sales by\n%s", name, makers()[i].name, text)
			}
		}
	}
}

// buildersForTest opens all builders, and the pool that two of them want.
func buildersForTest(tb testing.TB, url string) (*sql.DB, []builder) {
	tb.Helper()
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		tb.Fatal(err)
	}
	pool := openSQL(*cfg)
	closeAfter(tb, pool)
	bs, err := openBuilders(pool)
	if err != nil {
		tb.Fatal(err)
	}
	return pool, bs
}

// salesOf returns the keys of what a text finds.
func salesOf(t *testing.T, pool *sql.DB, text string, args []any) (out []uuid.UUID) {
	t.Helper()
	rows, err := pool.QueryContext(t.Context(), text, args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	defer rows.Close()
	for rows.Next() {
		var s Sale
		err := rows.Scan(&s.ID, &s.CreatedAt, &s.Country, &s.Status, &s.Channel, &s.Customer, &s.Note, &s.Express, &s.Quantity, &s.Total)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s.ID)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestPagesUseIndexes: every page, and every count that there is an index for, is read from that index, and nothing is
// sorted.
func TestPagesUseIndexes(t *testing.T) {
	t.Parallel()
	s := newShelf(t, 100_000) // enough for each condition to leave more rows than a page has
	for _, q := range s.questions() {
		s.sent = nil
		if _, err := q.ask(t.Context(), s.urutu); err != nil {
			t.Fatal(err)
		}
		index := "sales_by_date"
		if strings.Contains(q.name, "country") || strings.Contains(q.name, "conditions") {
			index = "sales_of_country"
		}
		for _, st := range s.sent {
			plan := s.plan(t, st)
			for _, node := range []string{"Sort", "Seq Scan"} {
				if strings.Contains(plan, node) {
					t.Errorf("%s: a %s in\n%s\n%s", q.name, node, st.SQL, plan)
				}
			}
			if !strings.Contains(plan, " using "+index+" on sales") && !strings.Contains(plan, "on "+index) {
				t.Errorf("%s: %s is not used in\n%s\n%s", q.name, index, st.SQL, plan)
			}
		}
	}
}

// plan returns how the server runs a statement of urutu's, once it has run it.
func (s *shelf) plan(t *testing.T, st driver.Statement) string {
	t.Helper()
	args := make([]any, len(st.Args))
	for i, v := range st.Args {
		args[i] = v.String()
	}
	for i, list := range st.Lists {
		var texts []string
		for _, v := range list {
			texts = append(texts, v.Str())
		}
		if list != nil {
			args[i] = texts
		}
	}
	rows, err := s.db.conn.Query(t.Context(), "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) "+strings.TrimPrefix(st.SQL, "EXPLAIN (FORMAT JSON) "), args...)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%v in %s", err, st.SQL)
	}
	return strings.Join(lines, "\n")
}

// TestQueriesAreMeasured: every measure works, and says something.
func TestQueriesAreMeasured(t *testing.T) {
	t.Parallel()
	r := quickReading()
	r.say = t.Logf
	m, err := measureQueries(t.Context(), &r)
	if err != nil {
		t.Fatal(err)
	}
	text := m.tables()
	t.Log(text)
	for _, want := range []string{
		"of 20,000 rows", "| page 100 |", "pgx ≤ 1.15 ", "untracked ≤ 1.15 ", "first page ≤ 1.3 ", "bun ≤ 1 ", "gorm ≤ 1 ", "squirrel ≤ 1 ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the tables lack %q", want)
		}
	}
	if n := strings.Count(text, "first page ≤"); n != 1 {
		t.Errorf("%d pages are compared with the first one, want the last one", n)
	}
}

// TestSalesDiffer: ten conditions leave something out each, and find a page.
func TestSalesDiffer(t *testing.T) {
	t.Parallel()
	dice, values := rand.New(rand.NewPCG(1, 2)), map[string]map[string]bool{}
	for i := range 1000 {
		s := newSale(i, dice)
		for column, v := range map[string]any{
			"country": s.Country, "status": s.Status, "channel": s.Channel, "express": s.Express, "quantity": s.Quantity, "note": s.Note == nil,
		} {
			if values[column] == nil {
				values[column] = map[string]bool{}
			}
			values[column][fmt.Sprint(v)] = true
		}
	}
	for column, want := range map[string]int{"country": saleCountries, "status": 4, "channel": 4, "express": 2, "quantity": 9, "note": 2} {
		if got := len(values[column]); got != want {
			t.Errorf("%s has %d values, want %d", column, got, want)
		}
	}
}
