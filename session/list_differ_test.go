package session_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// TestLists_as_documented asks random questions of random tables: grids, filter structs, sort strings, pages by their numbers
// and by cursors, in every mode of counting. The answers are those of a model that is written from what is documented, on
// every database. How many tables is said by -rapid.checks (or URUTU_MODEL_PROGRAMS), and -rapid.seed chooses others.
func TestLists_as_documented(t *testing.T) {
	moreChecks(t)
	onBoth(t, func(t *testing.T, b backend) {
		f := openPieces(t, b)
		asked, tables := 0, 0
		rapid.Check(t, func(t *rapid.T) {
			if tables++; tables%100 == 0 && b.name == "postgres" { // rows that were undone are there still
				if err := f.Do(context.Background(), func(ctx context.Context) error {
					return second(session.From(ctx).ExecContext(ctx, "TRUNCATE pieces"))
				}); err != nil {
					t.Fatal(err)
				}
			}
			c := lCases.Draw(t, "table")
			err := f.Do(context.Background(), func(ctx context.Context) error {
				for _, p := range c.rows {
					if err := session.Add(ctx, new(*p)); err != nil {
						return err
					}
				}
				if err := session.Flush(ctx); err != nil {
					return err
				}
				for _, q := range c.questions {
					asked++
					if wrong := (&lAnswer{q: q, ctx: ctx, rows: c.rows, plans: b.name == "postgres"}).wrong(); wrong != "" {
						return errors.New(wrong)
					}
				}
				return errUndone
			})
			if !errors.Is(err, errUndone) {
				t.Fatalf("on %s: %v", b.name, err)
			}
		})
		t.Logf("%d questions of %d tables", asked, tables)
	})
}

var errUndone = errors.New("the rows are not to stay")

// openPieces opens a database with the tables that lists are asked of. Texts are in the order of their characters there,
// which is the only one that all databases have.
func openPieces(t *testing.T, b backend) *fixture {
	t.Helper()
	url := b.url
	if b.name != "postgres" {
		b.url = func(t testing.TB) string { return url(t) + "?synchronous=off" }
	}
	f := open(t, b, sealed)
	f.do(t, func(ctx context.Context) error {
		must(t, session.CreateTables(ctx, (*Piece)(nil), (*Maker)(nil)))
		if b.name == "postgres" {
			must(t, second(session.From(ctx).ExecContext(ctx, `ALTER TABLE pieces ALTER name TYPE text COLLATE "C",
				ALTER note TYPE text COLLATE "C", ALTER status TYPE text COLLATE "C"`)))
			must(t, second(session.From(ctx).ExecContext(ctx, `ALTER TABLE makers ALTER name TYPE text COLLATE "C"`)))
		}
		for _, m := range pieceMakers {
			must(t, session.Add(ctx, new(*m)))
		}
		return nil
	})
	return f
}

// lAnswer is a question and what the database says.
type lAnswer struct {
	q     *lQuestion
	ctx   context.Context
	rows  []*Piece
	plans bool // the database estimates how many rows there are
}

// wrong asks, and says what is wrong with the answer: "" where nothing is.
func (a *lAnswer) wrong() string {
	ask := map[string]func() (got, want string, err error){
		"page": a.page, "grid": a.gridPage, "walk": a.walk, "scroll": a.scroll, "find": a.find,
	}[a.q.verb]
	got, want, err := ask()
	if a.q.refused {
		want = "refused"
		if fault.KindOf(err) == fault.BadRequest {
			got, err = want, nil
		}
	}
	switch {
	case err != nil:
		got = "error: " + err.Error()
	case got == want:
		return ""
	}
	return fmt.Sprintf("%s of %d, page %d, mode %d, zone %s, steps back %v: %s\n got %s\nwant %s",
		a.q.verb, a.q.size, a.q.page, a.q.mode, a.q.zone, a.q.back, a.q.text, got, want)
}

// scope is who may see what, and how many rows there are to be told.
func (a *lAnswer) scope() []query.Clause {
	scope := []query.Clause{query.Eq(&pieces.Tenant, 0)}
	if a.q.mode > 0 {
		scope = append(scope, a.q.mode)
	}
	return scope
}

func (a *lAnswer) clauses() []query.Clause { return append(a.scope(), a.q.clauses...) }

// all are the rows that the question is about, as the model has them.
func (a *lAnswer) all(keyDesc bool) []*Piece { return listed(a.rows, a.q.holds, a.q.levels, keyDesc) }

// keyDesc says which way the key goes behind the order: that of the last level. A column that comes again is none.
func (a *lAnswer) keyDesc() (desc bool) {
	seen := map[string]bool{}
	for _, l := range a.q.levels {
		if column := cmp.Or(l.field.twin, l.field.name); !seen[column] {
			seen[column], desc = true, l.desc
		}
	}
	return desc
}

func (a *lAnswer) find() (got, want string, err error) {
	found, err := session.Find[Piece](a.ctx, append(a.clauses(), query.Asc(&pieces.ID))...)
	if err != nil {
		return "", "", err
	}
	n, err := session.Count[Piece](a.ctx, a.clauses()...)
	if err != nil {
		return "", "", err
	}
	some, err := session.Exists[Piece](a.ctx, a.clauses()...)
	all := a.all(false)
	return fmt.Sprint(ids(found), " ", n, some), fmt.Sprint(ids(all), " ", len(all), len(all) > 0), err
}

// page asks for a page by its number.
func (a *lAnswer) page() (got, want string, err error) {
	page, err := session.Page[Piece](a.ctx, query.PageRequest{Page: a.q.page, PageSize: a.q.size}, a.clauses()...)
	if err != nil {
		return "", "", err
	}
	all := a.all(a.keyDesc())
	items, more := window(all, a.q.page*a.q.size, a.q.size)
	got = fmt.Sprint(ids(page.Items), " of ", totalOf(page.Total, page.Precision))
	if page.HasNext != nil {
		got += fmt.Sprint(", next ", *page.HasNext)
	}
	want = fmt.Sprint(ids(items), " of ", a.total(all, a.q.page*a.q.size, a.q.size))
	if a.peeks() {
		want += fmt.Sprint(", next ", more)
	}
	return got, want, nil
}

// gridPage asks for a page as a grid does, by its number or by its rows.
func (a *lAnswer) gridPage() (got, want string, err error) {
	req := *a.q.grid
	from := a.q.page * a.q.size
	if a.q.start {
		from = a.q.page
		end := from + a.q.size - 1
		req.Start, req.End = []byte(strconv.Itoa(from)), &end
	} else {
		req.PaginationModel = &query.GridPagination{Page: a.q.page, PageSize: a.q.size}
	}
	page, err := session.Grid(a.ctx, a.list(), req, a.scope()...)
	if err != nil {
		return "", "", err
	}
	all := a.all(a.keyDesc())
	items, more := window(all, from, a.q.size)
	total := a.total(all, from, a.q.size)
	got, want = fmt.Sprint(ids(page.Rows), " of ", page.RowCount), fmt.Sprint(ids(items), " of ", total.n)
	if total.precision == query.Estimated {
		got, want = ids(page.Rows), ids(items)
	}
	got += ", next " + knownNext(page.PageInfo)
	if a.q.mode == query.CountNone && len(items) == a.q.size { // which does not look behind a full page
		return got, want + ", next unknown", nil
	}
	return got, fmt.Sprint(want, ", next ", more), nil
}

func (a *lAnswer) list() *query.List[Piece] {
	zone, err := time.LoadLocation(a.q.zone)
	if err != nil {
		panic(err)
	}
	return pieceList.In(zone)
}

// scroll asks for one page after the other by cursors, as a grid does.
func (a *lAnswer) scroll() (got, want string, err error) {
	req := *a.q.grid
	req.PaginationModel = &query.GridPagination{PageSize: a.q.size}
	all := a.all(a.keyDesc())
	start := ""
	for from := 0; ; from += a.q.size {
		req.Start = []byte(lJSON(start))
		page, err := session.Grid(a.ctx, a.list(), req, a.scope()...)
		if err != nil {
			return "", "", err
		}
		items, more := window(all, from, a.q.size)
		total := a.walkTotal(all, start == "" && !more)
		got += fmt.Sprint(ids(page.Rows), " next ", knownNext(page.PageInfo), " ", page.PageInfo.NextCursor != "", "; ")
		want += fmt.Sprint(ids(items), " next ", more, " ", more, "; ")
		if total.precision != query.Estimated {
			got, want = fmt.Sprint(got, "of ", page.RowCount, "; "), fmt.Sprint(want, "of ", total.n, "; ")
		}
		if start = page.PageInfo.NextCursor; start == "" || got != want {
			return got, want, nil
		}
	}
}

// walk goes through the list by cursors: some steps to and fro, then to its end, and back to its beginning.
func (a *lAnswer) walk() (got, want string, err error) {
	all := a.all(a.keyDesc())
	cursor, from, back := "", 0, false
	steps := a.q.back
	end := false
	for {
		page, err := session.Seek[Piece](a.ctx, query.CursorRequest{Cursor: cursor, PageSize: a.q.size}, a.clauses()...)
		if err != nil {
			return "", "", err
		}
		items, more := window(all, from, a.q.size)
		got += fmt.Sprint(ids(page.Items), " next ", page.Next != "", " prev ", page.Prev != "")
		want += fmt.Sprint(ids(items), " next ", more || back, " prev ", from > 0 || cursor != "" && !back)
		switch total := a.walkTotal(all, cursor == "" && !more); {
		case page.Total != nil && a.q.mode.Asks() && total.precision != query.Estimated:
			got += fmt.Sprint(" of ", totalOf(*page.Total, page.Precision))
			want += fmt.Sprint(" of ", total)
		case (page.Total != nil) != a.q.mode.Asks():
			got += " of a total that was asked for or not"
		}
		got, want = got+"; ", want+"; "
		if got != want {
			return got, want, nil
		}
		back = end
		if len(steps) > 0 {
			back, steps = steps[0], steps[1:]
		}
		if !back && page.Next == "" {
			back, end, steps = true, true, nil
		}
		cursor = page.Next
		if back {
			cursor = page.Prev
		}
		if back && cursor == "" {
			if end {
				return got, want, nil
			}
			back, cursor = false, page.Next
			if cursor == "" {
				return got, want, nil
			}
		}
		if back {
			from -= a.q.size
		} else {
			from += a.q.size
		}
	}
}

// window is a part of rows, and whether there are more behind it.
func window(all []*Piece, from, size int) (part []*Piece, more bool) {
	return all[min(from, len(all)):min(from+size, len(all))], from+size < len(all)
}

// lTotal is what is told of the number of rows.
type lTotal struct {
	n         int64
	precision query.Precision
}

func (t lTotal) String() string {
	if t.precision == query.Estimated {
		return "some, estimated"
	}
	return fmt.Sprint(t.n, t.precision)
}

func totalOf(n int64, precision query.Precision) lTotal { return lTotal{n, precision} }

// peeks reports whether a page tells whether there is one behind it.
func (a *lAnswer) peeks() bool { return a.q.mode > query.CountNone && a.q.mode < query.CountExact }

// total is what is told by a page that is found by its number: docs/queries.md, "How many there are".
func (a *lAnswer) total(all []*Piece, from, size int) lTotal {
	n := int64(len(all))
	if tells := len(all) > from || from == 0; tells && (len(all) < from+size || a.peeks() && len(all) == from+size) {
		return lTotal{n, query.Exact}
	}
	return a.counted(n)
}

// walkTotal is what is told by a page that is found by a cursor.
func (a *lAnswer) walkTotal(all []*Piece, whole bool) lTotal {
	switch {
	case whole:
		return lTotal{int64(len(all)), query.Exact}
	case a.q.mode == 0:
		return lTotal{-1, query.Unknown} // which is not counted without a clause
	default:
		return a.counted(int64(len(all)))
	}
}

func (a *lAnswer) counted(n int64) lTotal {
	switch a.q.mode {
	case query.CountNone, query.CountHasNext:
		return lTotal{-1, query.Unknown}
	case query.CountEstimated:
		if a.plans {
			return lTotal{n, query.Estimated}
		}
	}
	return lTotal{n, query.Exact}
}
