package session_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

// Tally is a row of a table that has many.
type Tally struct {
	entity.Serial
	Even bool `db:"even"`
}

var tallies = entity.Columns[Tally]()

// openTallies opens a database with n tallies, made by the database itself.
func openTallies(t *testing.T, b backend, n int) *fixture {
	t.Helper()
	f := open(t, b, sealed)
	f.do(t, func(ctx context.Context) error {
		if err := session.CreateTables(ctx, (*Tally)(nil)); err != nil {
			return err
		}
		numbers := fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT i %% 2 = 0 FROM n", n)
		_, err := session.From(ctx).ExecContext(ctx, "INSERT INTO tallies (even) "+numbers)
		return err
	})
	if b.name == "postgres" {
		f.do(t, func(ctx context.Context) error { return second(session.From(ctx).ExecContext(ctx, "ANALYZE tallies")) })
	}
	f.reset()
	return f
}

// tells prints what a page says of the number of rows.
func tells[T any](p query.Paginated[T]) string {
	s := fmt.Sprint(len(p.Items), " of ", p.Total, " ", p.Precision)
	if p.HasNext != nil {
		s += fmt.Sprint(" next ", *p.HasNext)
	}
	return strings.Join(strings.Fields(s), " ")
}

// TestPromise49_counts: what is asked for is told, and where the page tells the number by itself it is exact in every mode.
func TestPromise49_counts(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, b backend) {
		const n = query.CountCap + 10
		f := openTallies(t, b, n)
		none, even := query.Eq(&tallies.ID, -1), query.Eq(&tallies.Even, true)
		few := query.Le(&tallies.ID, 30)
		planned := "10 of 10010 estimated next true"
		if b.name != "postgres" {
			planned = "10 of 10000 at_least next true"
		}
		for _, c := range []struct {
			name    string
			page    int
			clauses []query.Clause
			want    string
		}{
			{"exact without asking", 0, nil, "10 of 10010"},
			{"exact", 3, []query.Clause{query.CountExact}, "10 of 10010"},
			{"exact, on the last page", 1000, []query.Clause{query.CountExact}, "10 of 10010"},
			{"exact, past the end", 2000, []query.Clause{query.CountExact}, "0 of 10010"},
			{"exact, of nothing", 0, []query.Clause{query.CountExact, none}, "0 of 0"},
			{"none", 0, []query.Clause{query.CountNone}, "10 of -1 unknown"},
			{"none, on a short page", 0, []query.Clause{query.CountNone, query.Le(&tallies.ID, 4)}, "4 of 4"},
			{"none, past the end", 2000, []query.Clause{query.CountNone}, "0 of -1 unknown"},
			{"has next", 0, []query.Clause{query.CountHasNext}, "10 of -1 unknown next true"},
			{"has next, on the last page, which is full", 2, []query.Clause{query.CountHasNext, few}, "10 of 30 next false"},
			{"has next, past the end", 7, []query.Clause{query.CountHasNext, few}, "0 of -1 unknown next false"},
			{"has next, of nothing", 0, []query.Clause{query.CountHasNext, none}, "0 of 0 next false"},
			{"capped, and more", 0, []query.Clause{query.CountCapped}, "10 of 10000 at_least next true"},
			{"capped, and fewer", 0, []query.Clause{query.CountCapped, even}, "10 of 5005 next true"},
			{"capped, past the end", 7, []query.Clause{query.CountCapped, few}, "0 of 30 next false"},
			{"estimated", 0, []query.Clause{query.CountEstimated}, planned},
			{"estimated, on a short page", 0, []query.Clause{query.CountEstimated, query.Le(&tallies.ID, 4)}, "4 of 4 next false"},
			{"the last clause counts", 0, []query.Clause{query.CountNone, query.CountExact}, "10 of 10010"},
		} {
			f.do(t, func(ctx context.Context) error {
				got, err := session.Page[Tally](ctx, query.PageRequest{Page: c.page, PageSize: 10}, append(c.clauses, query.Desc(&tallies.ID))...)
				must(t, err)
				if tells(got) != c.want {
					t.Errorf("%s: %s, want %s", c.name, tells(got), c.want)
				}
				return nil
			})
		}
	})
}

// A grid that asks for an estimate is told by the rows whether there are more: not by an estimate that is too high, which would
// have it ask for page after page of nothing.
func TestGrid_estimates_do_not_make_pages(t *testing.T) {
	t.Parallel()
	list := query.NewList[Tally](query.Field("id", &tallies.ID), query.Asc(&tallies.ID))
	onEach(t, func(t *testing.T, b backend) {
		f := openTallies(t, b, 1000)
		f.do(t, func(ctx context.Context) error {
			must(t, second(session.From(ctx).ExecContext(ctx, "DELETE FROM tallies WHERE id > 30")))
			for _, c := range []struct {
				start string
				rows  int
				more  bool
			}{{"0", 10, true}, {"20", 10, false}, {"25", 5, false}, {"500", 0, false}} {
				page, err := session.Grid(ctx, list, query.GridRequest{Start: []byte(c.start), PaginationModel: &query.GridPagination{PageSize: 10}}, query.CountEstimated)
				must(t, err)
				if len(page.Rows) != c.rows || knownNext(page.PageInfo) != fmt.Sprint(c.more) {
					t.Errorf("from %s: %d rows of %d, next %s", c.start, len(page.Rows), page.RowCount, knownNext(page.PageInfo))
				}
			}
			return nil
		})
	})
}

// What is not known of a grid's next page is not told: a grid that is told that there is none asks no further.
func TestGrid_tells_what_it_knows_of_the_next_page(t *testing.T) {
	t.Parallel()
	list := query.NewList[Tally](query.Field("id", &tallies.ID), query.Asc(&tallies.ID))
	onEach(t, func(t *testing.T, b backend) {
		f := openTallies(t, b, 30)
		for _, c := range []struct {
			start string
			mode  query.Counting
			want  string
		}{
			{"0", query.CountNone, `-1 {}`},
			{"20", query.CountNone, `-1 {}`},
			{"25", query.CountNone, `30 {"hasNextPage":false}`},
			{"500", query.CountNone, `-1 {"hasNextPage":false}`},
			{"0", query.CountHasNext, `-1 {"hasNextPage":true}`},
			{"20", query.CountHasNext, `30 {"hasNextPage":false}`},
			{"0", query.CountExact, `30 {"hasNextPage":true}`},
			{"20", query.CountExact, `30 {"hasNextPage":false}`},
		} {
			f.do(t, func(ctx context.Context) error {
				page, err := session.Grid(ctx, list, query.GridRequest{Start: []byte(c.start), PaginationModel: &query.GridPagination{PageSize: 10}}, c.mode)
				must(t, err)
				info, err := json.Marshal(page.PageInfo)
				if got := fmt.Sprint(page.RowCount, " ", string(info)); got != c.want || err != nil {
					t.Errorf("from %s, mode %d: %s, want %s", c.start, c.mode, got, c.want)
				}
				return err
			})
		}
	})
}

func TestSeek_counts_where_it_is_asked(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, b backend) {
		const n = query.CountCap + 10
		f := openTallies(t, b, n)
		total := func(cursor string, clauses ...query.Clause) (string, string) {
			var page query.CursorPage[*Tally]
			f.do(t, func(ctx context.Context) (err error) {
				page, err = session.Seek[Tally](ctx, query.CursorRequest{Cursor: cursor, PageSize: 10}, clauses...)
				return err
			})
			if page.Total == nil {
				return "none", page.Next
			}
			return strings.TrimSpace(fmt.Sprint(*page.Total, " ", page.Precision)), page.Next
		}
		planned := "10010 estimated"
		if b.name != "postgres" {
			planned = "10000 at_least"
		}
		for _, c := range []struct {
			name, want string
			clauses    []query.Clause
		}{
			{"nothing", "none", nil},
			{"exact", "10010", []query.Clause{query.CountExact}},
			{"capped", "10000 at_least", []query.Clause{query.CountCapped}},
			{"estimated", planned, []query.Clause{query.CountEstimated}},
		} {
			first, next := total("", c.clauses...)
			then, _ := total(next, c.clauses...)
			if first != c.want || then != c.want {
				t.Errorf("%s: %s, then %s, want %s", c.name, first, then, c.want)
			}
		}
		if got, _ := total("", query.CountEstimated, query.Le(&tallies.ID, 4)); got != "4" {
			t.Errorf("a page that is the whole list: %s", got)
		}
	})
}

// TestPromise49_groups: what is counted of a report are its rows, in every mode.
func TestPromise49_groups(t *testing.T) {
	t.Parallel()
	type half struct {
		Even bool
		N    int64
	}
	halves := query.Fields[half]()
	onEach(t, func(t *testing.T, b backend) {
		f := openTallies(t, b, 100)
		for mode, want := range map[query.Counting]string{
			query.CountExact: "1 of 2", query.CountNone: "1 of -1 unknown", query.CountHasNext: "1 of -1 unknown next true",
			query.CountCapped: "1 of 2 next true",
		} {
			f.do(t, func(ctx context.Context) error {
				got, err := session.SelectPage[half, Tally](ctx, query.PageRequest{PageSize: 1}, query.Put(&halves.N, query.Rows()), mode)
				must(t, err)
				if tells(got) != want {
					t.Errorf("mode %d: %s, want %s", mode, tells(got), want)
				}
				return nil
			})
		}
		f.do(t, func(ctx context.Context) error {
			got, err := session.SelectPage[half, Tally](ctx, query.PageRequest{PageSize: 1}, query.Put(&halves.N, query.Rows()), query.CountEstimated)
			must(t, err)
			if got.Total < 2 || !*got.HasNext {
				t.Errorf("estimated: %s", tells(got))
			}
			return nil
		})
	})
}

// A count is not ordered, and does not join what only the order needs.
func TestCountsLeaveOutWhatMakesNoDifference(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, b backend) {
		f := openShelf(t, b)
		for _, mode := range []query.Counting{query.CountExact, query.CountCapped, query.CountEstimated} {
			f.reset()
			f.do(t, func(ctx context.Context) error {
				_, err := session.Page[Book](ctx, query.PageRequest{PageSize: 1}, query.Join(&bookCols.Writer), query.Asc(&writerCols.Name), mode)
				return err
			})
			var counts int
			for _, st := range strings.Split(strings.Join(f.trips(), "; "), "; ") {
				if !strings.Contains(st, "count(*)") && !strings.Contains(st, "EXPLAIN") {
					continue
				}
				counts++
				if strings.Contains(st, "JOIN") || strings.Contains(st, "ORDER") {
					t.Errorf("sent %s", st)
				}
			}
			if counts != 1 {
				t.Errorf("mode %d: %d counts in %q", mode, counts, f.trips())
			}
		}
	})
}

// On PostgreSQL a page takes one round trip with whatever is counted, by its number and by a cursor, of objects, of columns
// and of groups, and for a grid, cold and warm; and in a transaction whose isolation makes rows and total those of one moment.
// Elsewhere the first page is read alone, and counted only where it is not the only one.
func TestPagesAndTheirTotalsAreOneTrip(t *testing.T) {
	t.Parallel()
	f, p := openThrough(t)
	f.do(t, func(ctx context.Context) error { return addNumbered(ctx, 0, 30) })
	measure := func(name string, want int, unit func(ctx context.Context) error, opts ...uow.Options) {
		t.Helper()
		for _, warmth := range []string{"cold", "warm"} {
			before := p.Trips()
			must(t, f.Do(t.Context(), unit, opts...))
			if n := p.Trips() - before; n != want {
				t.Errorf("%s, %s: %d trips", name, warmth, n)
			}
		}
	}
	for _, mode := range []query.Counting{query.CountNone, query.CountHasNext, query.CountEstimated, query.CountCapped, query.CountExact} {
		var next string
		measure(fmt.Sprint("a page, mode ", mode), 1, func(ctx context.Context) error {
			return second(session.Page[User](ctx, query.PageRequest{Page: 1, PageSize: 10}, query.Asc(&users.Nick), mode))
		})
		seek := func(ctx context.Context) error {
			page, err := session.Seek[User](ctx, query.CursorRequest{PageSize: 10, Cursor: next}, query.Asc(&users.Nick).NullsFirst(), mode)
			if next == "" {
				next = page.Next
			}
			return err
		}
		measure(fmt.Sprint("the first page by a cursor, mode ", mode), 1, func(ctx context.Context) error {
			next = ""
			return seek(ctx)
		})
		measure(fmt.Sprint("the next one, mode ", mode), 1, seek)
		measure(fmt.Sprint("a page of columns, mode ", mode), 1, func(ctx context.Context) error {
			return second(session.SelectPage[agedRow, User](ctx, query.PageRequest{Page: 1, PageSize: 10}, query.Asc(&users.Nick), mode))
		})
		measure(fmt.Sprint("a page of groups, mode ", mode), 1, func(ctx context.Context) error {
			page, err := session.SelectPage[namesakes, User](ctx, query.PageRequest{PageSize: 2}, query.Put(&namesakeCols.N, query.Rows()), mode)
			if got := fmt.Sprint(page.Items); got != "[{user0 10} {user1 10}]" {
				t.Errorf("mode %d: groups %s", mode, got)
			}
			return err
		})
		grid := func(start string) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				req := query.GridRequest{Start: []byte(start), PaginationModel: &query.GridPagination{PageSize: 10}}
				page, err := session.Grid(ctx, ageList, req, mode)
				if next = page.PageInfo.NextCursor; len(page.Rows) != 10 {
					t.Errorf("mode %d: a grid of %d rows", mode, len(page.Rows))
				}
				return err
			}
		}
		measure(fmt.Sprint("a grid, mode ", mode), 1, grid("0"))
		measure(fmt.Sprint("a grid further on, mode ", mode), 1, grid("10"))
		measure(fmt.Sprint("a grid by a cursor, mode ", mode), 1, grid(`""`))
		measure(fmt.Sprint("the next rows by a cursor, mode ", mode), 1, grid(`"`+next+`"`))
	}
	for name, page := range momentPages {
		measure(name+" of one moment, and the end of its transaction", 2, func(ctx context.Context) error {
			ages, total, err := page(ctx)
			if ages != "[{29} {28} {27}]" || total != 30 {
				t.Errorf("%s: %s of %d", name, ages, total)
			}
			return err
		}, uow.Options{Isolation: uow.RepeatableRead})
	}
}

// namesakes are how many users have a name.
type namesakes struct {
	Name string
	N    int64
}

var namesakeCols = query.Fields[namesakes]()

func TestTheOnlyPageIsNotCounted(t *testing.T) {
	t.Parallel()
	for _, b := range backends[1:] {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			f := openNumbered(t, b, 5)
			for _, c := range []struct {
				size, want int
			}{{10, 0}, {5, 1}, {3, 1}} {
				for name, page := range map[string]func(ctx context.Context) error{
					"by its number": func(ctx context.Context) error {
						got, err := session.Page[User](ctx, query.PageRequest{PageSize: c.size})
						if got.Total != 5 {
							t.Errorf("total %d", got.Total)
						}
						return err
					},
					"by a cursor": func(ctx context.Context) error {
						got, err := session.Seek[User](ctx, query.CursorRequest{PageSize: c.size}, query.CountExact)
						if *got.Total != 5 {
							t.Errorf("total %d", *got.Total)
						}
						return err
					},
				} {
					f.reset()
					f.do(t, page)
					want := c.want
					if name == "by a cursor" && c.size == 5 {
						want = 0 // it has seen that there is no more
					}
					if n := strings.Count(strings.Join(f.trips(), ";"), "count(*)"); n != want {
						t.Errorf("a page of %d, %s: %d counts: %q", c.size, name, n, f.trips())
					}
				}
			}
		})
	}
}
