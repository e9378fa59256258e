package session_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// What queries of several tables find is compared on every backend with what is written here.

var (
	writerCols = entity.Columns[Writer]()
	bookCols   = entity.Columns[Book]()
	pageCols   = entity.Columns[Page]()
	genreCols  = entity.Columns[Genre]()
)

// openShelf fills a library: Ann has a muse, Bob, and two books; Bob has one book and no muse; Cid has none of either.
func openShelf(t *testing.T, b backend) *fixture {
	t.Helper()
	f := openLibrary(t, b)
	f.do(t, func(ctx context.Context) error {
		ann, bob, cid := &Writer{Name: "Ann"}, &Writer{Name: "Bob"}, &Writer{Name: "Cid"}
		ann.Muse = bob
		poem, song := &Genre{Name: "poem"}, &Genre{Name: "song"}
		ann.Books = []*Book{
			{Title: "Alpha", Genres: []*Genre{poem, song}, Pages: []*Page{{Number: 1}, {Number: 2}, {Number: 3}}},
			{Title: "Beta", Genres: []*Genre{song}},
		}
		bob.Books = []*Book{{Title: "Gamma", Pages: []*Page{{Number: 1}}}}
		return session.Add(ctx, ann, bob, cid)
	})
	f.reset()
	return f
}

func bookTitles(books []*Book) string {
	var out []string
	for _, b := range books {
		out = append(out, b.Title)
	}
	return strings.Join(out, " ")
}

func TestQueriesOfSeveralTables(t *testing.T) {
	t.Parallel()
	var muse Writer
	byTitle := query.Asc(&bookCols.Title)
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			f := openShelf(t, b)
			for _, c := range []struct {
				name    string
				clauses []query.Clause
				want    string
			}{
				{"a joined column in a predicate", []query.Clause{query.Join(&bookCols.Writer), query.Eq(&writerCols.Name, "Ann"), byTitle}, "Alpha Beta"},
				{"and in an order", []query.Clause{query.Join(&bookCols.Writer), query.Desc(&writerCols.Name), byTitle}, "Gamma Alpha Beta"},
				{"a join of a join", []query.Clause{query.Join(&bookCols.Writer), query.JoinAs(&writerCols.Muse, &muse), query.Eq(&muse.Name, "Bob"), byTitle}, "Alpha Beta"},
				{"a row without the other end stays", []query.Clause{
					query.Join(&bookCols.Writer), query.JoinAs(&writerCols.Muse, &muse), query.Asc(&muse.Name), byTitle,
				}, "Alpha Beta Gamma"},
				{"and differs from every value", []query.Clause{
					query.Join(&bookCols.Writer), query.JoinAs(&writerCols.Muse, &muse), query.Ne(&muse.Name, "Bob"),
				}, "Gamma"},
				{"a join that nothing needs", []query.Clause{query.Join(&bookCols.Writer), byTitle}, "Alpha Beta Gamma"},
				{"any of a list", []query.Clause{query.Any(&bookCols.Pages, query.Ge(&pageCols.Number, 2))}, "Alpha"},
				{"any at all", []query.Clause{query.Any(&bookCols.Pages), byTitle}, "Alpha Gamma"},
				{"none of a list", []query.Clause{query.None(&bookCols.Pages)}, "Beta"},
				{"any through a table in between", []query.Clause{query.Any(&bookCols.Genres, query.Eq(&genreCols.Name, "song")), byTitle}, "Alpha Beta"},
				{"any of any", []query.Clause{query.Any(&bookCols.Writer, query.Any(&writerCols.Books, query.Eq(&bookCols.Title, "Beta"))), byTitle}, "Alpha Beta"},
				{"or reaches over nothing", []query.Clause{
					query.Eq(&bookCols.Title, "Gamma"), query.Or(query.Any(&bookCols.Pages), query.Eq(&bookCols.Title, "Beta")),
				}, "Gamma"},
				{"a subquery", []query.Clause{query.InQuery(&bookCols.WriterID, query.Values[Writer](&writerCols.ID, query.Eq(&writerCols.Name, "Bob")))}, "Gamma"},
				{"not in a subquery", []query.Clause{query.NotInQuery(&bookCols.WriterID, query.Values[Writer](&writerCols.ID, query.Eq(&writerCols.Name, "Bob"))), byTitle}, "Alpha Beta"},
				{"exists, with a column of the query around it", []query.Clause{
					query.Exists[Page](query.Col(&pageCols.BookID).EqTo(query.Col(&bookCols.ID)), query.Eq(&pageCols.Number, 3)),
				}, "Alpha"},
				{"an aggregate of a list", []query.Clause{query.Over(&bookCols.Pages, query.Rows()).Gt(0), query.Over(&bookCols.Pages, query.Rows()).Desc()}, "Alpha Gamma"},
				{"a sum of nothing is zero", []query.Clause{query.Over(&bookCols.Pages, query.Sum(query.Col(&pageCols.Number))).Eq(0)}, "Beta"},
				{"raw SQL", []query.Clause{query.Raw("length(?) = ? OR ? IS NULL", query.Col(&bookCols.Title), 4, query.Col(&bookCols.Title)), byTitle}, "Beta"},
				{"raw SQL in an order", []query.Clause{query.RawExpr[int]("length(?) * -1", query.Col(&bookCols.Title)).Asc(), byTitle}, "Alpha Gamma Beta"},
				{"ignoring case", []query.Clause{query.ContainsFold(&bookCols.Title, "AMM")}, "Gamma"},
				{"prefix ignoring case", []query.Clause{query.HasPrefixFold(&bookCols.Title, "aL")}, "Alpha"},
				{"suffix ignoring case", []query.Clause{query.HasSuffixFold(&bookCols.Title, "TA")}, "Beta"},
				{"a text folded", []query.Clause{query.Folded(query.Col(&bookCols.Title)).Eq("beta")}, "Beta"},
			} {
				t.Run(c.name, func(t *testing.T) {
					f.do(t, func(ctx context.Context) error {
						got, err := session.Find[Book](ctx, c.clauses...)
						must(t, err)
						if bookTitles(got) != c.want {
							t.Errorf("found %q, want %q", bookTitles(got), c.want)
						}
						n, err := session.Count[Book](ctx, c.clauses...)
						must(t, err)
						if int(n) != len(got) {
							t.Errorf("counted %d of %d", n, len(got))
						}
						ok, err := session.Exists[Book](ctx, c.clauses...)
						must(t, err)
						if ok != (n > 0) {
							t.Errorf("exists: %v", ok)
						}
						return nil
					})
				})
			}
		})
	}
}

func TestAJoinThatNothingNeedsIsNotSent(t *testing.T) {
	t.Parallel()
	f := openShelf(t, backends[0])
	f.do(t, func(ctx context.Context) error {
		_, err := session.Count[Book](ctx, query.Join(&bookCols.Writer), query.Asc(&writerCols.Name))
		return err
	})
	if trips := f.trips(); len(trips) != 1 || strings.Contains(trips[0], "JOIN") {
		t.Errorf("sent %q", trips)
	}
}

// A lock with a join locks the query's own rows: PostgreSQL refuses to lock the side of a join that can be missing.
func TestALockWithAJoin(t *testing.T) {
	t.Parallel()
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			f := openShelf(t, b)
			f.do(t, func(ctx context.Context) error {
				got, err := session.Find[Book](ctx, query.Join(&bookCols.Writer), query.Eq(&writerCols.Name, "Bob"), query.ForUpdateNoWait)
				must(t, err)
				if bookTitles(got) != "Gamma" {
					t.Errorf("found %q", bookTitles(got))
				}
				return nil
			})
		})
	}
}

func TestWritesByWhatOtherTablesHold(t *testing.T) {
	t.Parallel()
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			f := openShelf(t, b)
			f.do(t, func(ctx context.Context) error {
				n, err := session.UpdateAll[Book](ctx, query.Set(&bookCols.Title, "Delta"), query.Any(&bookCols.Pages, query.Eq(&pageCols.Number, 3)))
				must(t, err)
				if n != 1 {
					t.Errorf("updated %d", n)
				}
				n, err = session.DeleteAll[Page](ctx, query.Any(&pageCols.Book, query.Eq(&bookCols.Title, "Delta")))
				must(t, err)
				if n != 3 {
					t.Errorf("deleted %d", n)
				}
				n, err = session.DeleteAll[Writer](ctx, query.None(&writerCols.Books), query.Not(query.Exists[Book](query.Col(&bookCols.WriterID).EqTo(query.Col(&writerCols.ID)))))
				must(t, err)
				if n != 1 {
					t.Errorf("deleted %d writers", n)
				}
				return nil
			})
		})
	}
}

func TestPendingRowsOfAllTablesAreSeen(t *testing.T) {
	t.Parallel()
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			f := openShelf(t, b)
			f.do(t, func(ctx context.Context) error {
				w, err := session.First[Writer](ctx, query.Eq(&writerCols.Name, "Bob"))
				must(t, err)
				w.Name = "Bea"
				got, err := session.Find[Book](ctx, query.Join(&bookCols.Writer), query.Eq(&writerCols.Name, "Bea"))
				must(t, err)
				if bookTitles(got) != "Gamma" {
					t.Errorf("found %q", bookTitles(got))
				}
				w.Name = "Bel"
				got, err = session.Find[Book](ctx, query.Any(&bookCols.Writer, query.Eq(&writerCols.Name, "Bel")))
				must(t, err)
				if bookTitles(got) != "Gamma" {
					t.Errorf("found %q", bookTitles(got))
				}
				return nil
			})
		})
	}
}

// Shelf is what is selected: no entity.
type Shelf struct {
	Writer string
	Books  int64
	Pages  int64
	Last   *string
}

var shelf = query.Fields[Shelf]()

func (s Shelf) String() string {
	last := "-"
	if s.Last != nil {
		last = *s.Last
	}
	return fmt.Sprintf("%s:%d:%d:%s", s.Writer, s.Books, s.Pages, last)
}

func TestSelect(t *testing.T) {
	t.Parallel()
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			f := openShelf(t, b)
			outputs := []query.Clause{
				query.Join(&writerCols.Books),
				query.Put(&shelf.Writer, query.Col(&writerCols.Name)),
				query.Put(&shelf.Books, query.CountOf(query.Col(&bookCols.ID))),
				query.Put(&shelf.Pages, query.Sum(query.Over(&bookCols.Pages, query.Rows()))),
				query.PutNull(&shelf.Last, query.Max(query.Col(&bookCols.Title))),
			}
			sel := func(more ...query.Clause) string {
				var out string
				f.do(t, func(ctx context.Context) error {
					list, err := session.Select[Shelf, Writer](ctx, slices.Concat(outputs, more)...)
					must(t, err)
					out = strings.Trim(fmt.Sprint(list), "[]")
					return nil
				})
				return out
			}
			for _, c := range []struct {
				name string
				got  string
				want string
			}{
				{"groups", sel(query.Asc(&writerCols.Name)), "Ann:2:3:Beta Bob:1:1:Gamma Cid:0:0:-"},
				{"by an aggregate", sel(query.CountOf(query.Col(&bookCols.ID)).Asc()), "Cid:0:0:- Bob:1:1:Gamma Ann:2:3:Beta"},
				{"of some rows", sel(query.Ne(&bookCols.Title, "Beta"), query.NotNull(&bookCols.Title), query.Asc(&writerCols.Name)), "Ann:1:3:Alpha Bob:1:1:Gamma"},
				{"of some groups", sel(query.Having(query.CountOf(query.Col(&bookCols.ID)).Gt(1))), "Ann:2:3:Beta"},
				{"a page of them", sel(query.Asc(&writerCols.Name), query.Limit(1), query.Offset(1)), "Bob:1:1:Gamma"},
			} {
				if c.got != c.want {
					t.Errorf("%s: %s, want %s", c.name, c.got, c.want)
				}
			}
			f.do(t, func(ctx context.Context) error {
				page, err := session.SelectPage[Shelf, Writer](ctx, query.PageRequest{Page: 1, PageSize: 2}, append(outputs, query.Desc(&writerCols.Name))...)
				must(t, err)
				if got := fmt.Sprint(page.Items, page.Total); got != "[Ann:2:3:Beta] 3" {
					t.Errorf("the second page: %s", got)
				}
				return nil
			})
		})
	}
}

// Name has the fields of a column's name.
type Name struct{ Name string }

func TestSelectByName(t *testing.T) {
	t.Parallel()
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			f := openShelf(t, b)
			f.do(t, func(ctx context.Context) error {
				must(t, session.Add(ctx, &Writer{Name: "Ann"}))
				all, err := session.Select[Name, Writer](ctx, query.Asc(&writerCols.Name))
				must(t, err)
				once, err := session.Select[Name, Writer](ctx, query.Asc(&writerCols.Name), query.Distinct)
				must(t, err)
				page, err := session.SelectPage[Name, Writer](ctx, query.PageRequest{}, query.Distinct)
				must(t, err)
				if got := fmt.Sprint(all, once, page.Total); got != "[{Ann} {Ann} {Bob} {Cid}] [{Ann} {Bob} {Cid}] 3" {
					t.Errorf("selected %s", got)
				}
				return nil
			})
		})
	}
}

// NoteAge can hold no NULL.
type NoteAge struct{ Gone string }

func TestQueriesThatAreWrong(t *testing.T) {
	t.Parallel()
	f := openShelf(t, backends[1])
	var other Genre
	gone := query.Fields[NoteAge]()
	find := func(clauses ...query.Clause) func(context.Context) error {
		return func(ctx context.Context) error { _, err := session.Find[Book](ctx, clauses...); return err }
	}
	sel := func(clauses ...query.Clause) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := session.Select[NoteAge, Writer](ctx, clauses...)
			return err
		}
	}
	for _, c := range []struct {
		name string
		run  func(context.Context) error
		kind fault.Kind
		text string
	}{
		{"a column of a table that is not joined", find(query.Eq(&writerCols.Name, "Ann")), fault.Misconfigured, "join the table"},
		{"a join to many", find(query.Join(&bookCols.Pages)), fault.Misconfigured, "query.Any"},
		{"a join of a column", find(query.Join(&bookCols.Title)), fault.Misconfigured, "not the address of one of its relations"},
		{"a join as something else", find(query.JoinAs(&bookCols.Writer, &other)), fault.Misconfigured, "needs a prototype of type session_test.Writer"},
		{"any of a column", find(query.Any(&bookCols.Title)), fault.Misconfigured, "not the address of one of its relations"},
		{"a projection's clause", find(query.Distinct), fault.Misconfigured, "session.Select"},
		{"too few arguments", find(query.Raw("? = ?", 1)), fault.Misconfigured, "more ? than arguments"},
		{"too many", find(query.Raw("1 = 1", 1)), fault.Misconfigured, "more arguments than ?"},
		{"the zero expression", find(query.Expr[int]{}.Eq(1)), fault.Misconfigured, "zero query.Expr"},
		{"a field without a value", sel(), fault.Misconfigured, "session_test.NoteAge.Gone has no value"},
		{"a field of another struct", sel(query.Put(&shelf.Writer, query.Col(&writerCols.Name))), fault.Misconfigured, "query.Fields"},
		{"a NULL", sel(query.Put(&gone.Gone, query.RawExpr[string]("NULL"))), fault.Internal, "Gone"},
		{"twice", sel(query.Put(&gone.Gone, query.Col(&writerCols.Name)), query.Put(&gone.Gone, query.Col(&writerCols.Name))), fault.Misconfigured, "twice"},
		{"a lock", sel(query.ForUpdate, query.Put(&gone.Gone, query.Col(&writerCols.Name))), fault.Misconfigured, "locks"},
		{"distinct in another order", sel(query.Distinct, query.Put(&gone.Gone, query.Col(&writerCols.Name)), query.Asc(&writerCols.ID)), fault.Misconfigured, "Distinct"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := f.Do(t.Context(), c.run)
			if fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v", err)
			}
		})
	}
}
