package session_test

import (
	"context"
	"database/sql"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// Stop is what lists are walked of: columns of every type, some of which can be NULL, and a relation that can be missing.
type Stop struct {
	entity.Identifiable
	Number   int64      `db:"number"`
	Small    *int16     `db:"small"`
	Count    uint64     `db:"count"`
	Name     string     `db:"name"`
	Nick     *string    `db:"nick"`
	Size     float64    `db:"size"`
	Weight   *float32   `db:"weight"`
	Open     bool       `db:"open"`
	At       time.Time  `db:"at"`
	Until    *time.Time `db:"until"`
	Blob     []byte     `db:"blob"`
	Other    *uuid.UUID `db:"other"`
	Price    decimal    `db:"price,type=numeric"`
	NextID   *uuid.UUID `db:"next_id"`
	Next     *Stop      `rel:"next_id"`
	Reserved sql.NullInt64
	Kept     bool `db:"kept"`
}

var (
	stops    = entity.Columns[Stop]()
	nextStop Stop
)

// stopSorts are what lists of stops can be ordered by.
var stopSorts = map[string]func(desc bool) query.Sort{
	"number":   by(query.Col(&stops.Number)),
	"small":    by(query.Col(&stops.Small)),
	"count":    by(query.Col(&stops.Count)),
	"name":     by(query.Col(&stops.Name)),
	"nick":     by(query.Col(&stops.Nick)),
	"size":     by(query.Col(&stops.Size)),
	"weight":   by(query.Col(&stops.Weight)),
	"open":     by(query.Col(&stops.Open)),
	"at":       by(query.Col(&stops.At)),
	"until":    by(query.Col(&stops.Until)),
	"blob":     by(query.Col(&stops.Blob)),
	"other":    by(query.Col(&stops.Other)),
	"reserved": by(query.Col(&stops.Reserved)),
	"price":    by(query.Col(&stops.Price)),
	"id":       by(query.Col(&stops.ID)),
	"folded":   by(query.Folded(query.Col(&stops.Name))),
	"sum":      by(query.Plus(query.Col(&stops.Number), query.Value(int64(3)))),
	"raw":      by(query.RawExpr[*int16]("coalesce(?, ?)", query.Col(&stops.Small), 2)),
	"next":     by(query.Col(&nextStop.Name)),
	"next at":  by(query.Col(&nextStop.At)),
}

func by[V any](e query.Expr[V]) func(desc bool) query.Sort {
	return func(desc bool) query.Sort {
		if desc {
			return e.Desc()
		}
		return e.Asc()
	}
}

// walk is a list that is walked while rows come and go.
type walk struct {
	t       *rapid.T
	f       *fixture
	clauses []query.Clause
	order   []uuid.UUID // of the rows that stay
	staying []uuid.UUID // the same rows, in the order in which they were made
	passing []uuid.UUID // the rows that do not stay
	size    int
	lo, hi  int // the rows that stay and are on the page
	changes int
	page    query.CursorPage[*Stop]
}

// TestSeek_walks: whichever way a list is walked, in whatever order, and whatever rows come and go meanwhile, a row that stays
// is on the page that follows from where one is, and on no other. How many lists is said as for TestLists_as_documented.
func TestSeek_walks(t *testing.T) {
	moreChecks(t)
	t.Parallel()
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			url := b.url
			if b.name != "postgres" {
				b.url = func(t testing.TB) string { return url(t) + "?synchronous=off" }
			}
			f := open(t, b, sealed)
			f.do(t, func(ctx context.Context) error { return session.CreateTables(ctx, (*Stop)(nil)) })
			rapid.Check(t, func(t *rapid.T) { (&walk{t: t, f: f}).run() })
		})
	}
}

func sealed(c *session.Config) { c.CursorKeys = []string{strings.Repeat("k", query.MinCursorKey)} }

func (w *walk) run() {
	w.size = rapid.IntRange(1, 4).Draw(w.t, "page size")
	w.do(func(ctx context.Context) error {
		_, err := session.DeleteAll[Stop](ctx, query.AllRows)
		for range rapid.IntRange(0, 9).Draw(w.t, "rows") {
			s, err := w.add(ctx)
			if err != nil {
				return err
			}
			w.staying = append(w.staying, s.ID)
		}
		return err
	})
	w.choose()
	w.move("")
	w.hi = len(w.page.Items)
	w.onPage()
	w.check(w.page.Prev == "", "the first page has something before it")
	for range rapid.IntRange(0, 8).Draw(w.t, "steps") {
		w.disturb()
		w.step(rapid.Bool().Draw(w.t, "back"))
	}
	for w.page.Next != "" {
		w.disturb()
		w.step(false)
	}
	w.check(w.hi == len(w.order), "the end is behind row %d of %d", w.hi, len(w.order))
	for w.page.Prev != "" {
		w.disturb()
		w.step(true)
	}
	w.check(w.lo == 0, "the beginning is before row %d", w.lo)
}

// choose draws an order, and notes which rows stay in it: as a query without cursors has them.
func (w *walk) choose() {
	w.clauses = []query.Clause{query.JoinAs(&stops.Next, &nextStop), query.Eq(&stops.Kept, true)}
	sorts := rapid.SliceOfNDistinct(rapid.SampledFrom(slices.Sorted(maps.Keys(stopSorts))), 0, 3, rapid.ID).Draw(w.t, "order")
	desc := false
	for _, name := range sorts {
		desc = rapid.Bool().Draw(w.t, "desc")
		s := stopSorts[name](desc)
		if rapid.Bool().Draw(w.t, "nulls first") {
			s = s.NullsFirst()
		}
		w.clauses = append(w.clauses, s)
	}
	w.do(func(ctx context.Context) error {
		found, err := session.Find[Stop](ctx, append(slices.Clone(w.clauses), by(query.Col(&stops.ID))(desc))...)
		for _, s := range found {
			w.order = append(w.order, s.ID)
		}
		return err
	})
}

// disturb adds a row, or removes one that does not stay.
func (w *walk) disturb() {
	if w.changes > 12 {
		return
	}
	w.changes++
	w.do(func(ctx context.Context) error {
		switch n := len(w.passing); rapid.IntRange(0, 2).Draw(w.t, "change") {
		case 0:
			s, err := w.add(ctx)
			w.passing = append(w.passing, s.ID)
			return err
		case 1:
			if n == 0 {
				return nil
			}
			i := rapid.IntRange(0, n-1).Draw(w.t, "which")
			_, err := session.DeleteAll[Stop](ctx, query.Eq(&stops.ID, w.passing[i]))
			w.passing = slices.Delete(w.passing, i, i+1)
			return err
		default:
			return nil
		}
	})
}

// add adds a row of values that are few, extreme and strange.
func (w *walk) add(ctx context.Context) (*Stop, error) {
	day := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	us := time.Microsecond
	s := &Stop{
		Number: pick(w, int64(1), 2, math.MinInt64, math.MaxInt64-3),
		Small:  pick(w, nil, nil, new(int16(1)), new(int16(-32768))),
		Count:  pick(w, uint64(0), 1, math.MaxInt64+1, math.MaxUint64),
		Name:   pick(w, "", "a", "A", "ä", "b'\"\\%_", "\u2028\x01\U0001F600", "Ж", "ж"),
		Nick:   pick(w, nil, nil, new(""), new("x"), new("y")),
		Size:   pick(w, 0.1, 0.1+0.2, -math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1)),
		Weight: pick(w, nil, new(float32(0.1)), new(float32(1.1))),
		Open:   pick(w, true, false),
		At:     pick(w, day, day.Add(us), day.Add(-us), time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC)),
		Until:  pick(w, nil, nil, &day, new(day.Add(us))),
		Blob:   pick(w, nil, []byte{}, []byte{0}, []byte{0xff, 0}, []byte("a")),
		Other:  pick(w, nil, &uuid.UUID{}, &uuid.Max, &uuid.NameSpaceDNS),
		Price:  pick(w, decimal("1.5"), "1.50", "-0.1", "12345678901234567890.000000000000000001"),
		Kept:   true,
	}
	s.Reserved = pick(w, sql.NullInt64{}, sql.NullInt64{Int64: 1, Valid: true})
	if len(w.staying) > 0 && rapid.Bool().Draw(w.t, "has a next") {
		s.NextID = new(pick(w, w.staying...)) // one that stays, so that removing others changes nothing of it
	}
	return s, session.Add(ctx, s)
}

func pick[V any](w *walk, vs ...V) V { return rapid.SampledFrom(vs).Draw(w.t, "value") }

// step goes to the page behind or before this one, if there is one.
func (w *walk) step(back bool) {
	cursor := w.page.Next
	if back {
		cursor = w.page.Prev
	}
	if cursor == "" {
		w.check(back && w.lo == 0 || !back && w.hi == len(w.order), "row %d to %d of %d: there should be a page", w.lo, w.hi, len(w.order))
		return
	}
	w.move(cursor)
	n := 0
	for _, s := range w.page.Items {
		if slices.Contains(w.order, s.ID) {
			n++
		}
	}
	if back {
		w.lo, w.hi = w.lo-n, w.lo
	} else {
		w.lo, w.hi = w.hi, w.hi+n
	}
	w.onPage()
}

// move reads a page.
func (w *walk) move(cursor string) {
	w.do(func(ctx context.Context) (err error) {
		w.page, err = session.Seek[Stop](ctx, query.CursorRequest{Cursor: cursor, PageSize: w.size}, w.clauses...)
		return err
	})
}

// onPage checks that the rows that stay and are on the page are those that it should have.
func (w *walk) onPage() {
	var got []uuid.UUID
	for _, s := range w.page.Items {
		if slices.Contains(w.order, s.ID) {
			got = append(got, s.ID)
		}
	}
	w.check(len(w.page.Items) <= w.size, "%d rows on a page of %d", len(w.page.Items), w.size)
	w.check(w.lo >= 0 && w.hi <= len(w.order) && slices.Equal(got, w.order[w.lo:w.hi]), "rows %v, want %d to %d of %v", got, w.lo, w.hi, w.order)
}

func (w *walk) do(fn func(ctx context.Context) error) {
	if err := w.f.Do(context.Background(), fn); err != nil {
		w.t.Fatal(err)
	}
}

func (w *walk) check(ok bool, format string, args ...any) {
	if !ok {
		w.t.Fatalf(format, args...)
	}
}
