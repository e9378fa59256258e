package session_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// Sale is of a gift, or of something that nobody wrote down.
type Sale struct {
	ID     int64 `db:"id,pk"`
	Shop   string
	Till   int64
	GiftID *int64 `db:"gift_id,ref=gifts"`
	Gift   *Gift  `rel:"gift_id"`
}

type Gift struct {
	ID    int64 `db:"id,pk"`
	Price int64
	Cost  int64
}

var (
	sales = entity.Columns[Sale]()
	gifts = entity.Columns[Gift]()

	// What a sale brought in, and what it cost: NULL where it has no gift.
	price, cost = query.Col(&gifts.Price), query.Col(&gifts.Cost)
)

// openSales opens a database with what three shops have sold: a has sold gifts and something else at two tills, b nothing
// that is known, and c the same gift twice.
func openSales(t *testing.T, b backend) *fixture {
	t.Helper()
	f := open(t, b)
	f.do(t, func(ctx context.Context) error {
		must(t, session.CreateTables(ctx, (*Gift)(nil), (*Sale)(nil)))
		must(t, session.Add(ctx, &Gift{1, 5, 2}, &Gift{2, 9, 9}, &Gift{3, 5, 7}))
		must(t, session.Flush(ctx))
		for i, s := range []Sale{
			{Shop: "a", Till: 1, GiftID: new(int64(1))}, {Shop: "a", Till: 1, GiftID: new(int64(3))}, {Shop: "a", Till: 2, GiftID: new(int64(2))},
			{Shop: "a", Till: 2}, {Shop: "b", Till: 1}, {Shop: "b", Till: 1},
			{Shop: "c", Till: 1, GiftID: new(int64(1))}, {Shop: "c", Till: 1, GiftID: new(int64(1))},
		} {
			s.ID = int64(i + 1)
			must(t, session.Add(ctx, &s))
		}
		return nil
	})
	f.reset()
	return f
}

// Takings are what a group of sales brought in.
type Takings struct {
	Shop    string
	Sold    int64
	Kinds   int64
	Least   *int64
	Average *float64
	Profit  int64
	Span    *int64
}

func (s Takings) String() string {
	return fmt.Sprintf("%s %d %d %s %s %d %s", s.Shop, s.Sold, s.Kinds, orNone(s.Least, "%d"), orNone(s.Average, "%.3f"), s.Profit, orNone(s.Span, "%d"))
}

// orNone prints what a pointer points to, and a dash for nil.
func orNone[V any](p *V, format string) string {
	if p == nil {
		return "-"
	}
	return fmt.Sprintf(format, *p)
}

// joined prints rows with commas between them.
func joined[D any](rows []D) string {
	parts := make([]string, len(rows))
	for i, r := range rows {
		parts[i] = fmt.Sprint(r)
	}
	return strings.Join(parts, ", ")
}

// TestAggregates: NULL is not counted, not averaged and never the least; a group that has nothing else has no average and
// no least value, kinds 0 and sum 0. An average of whole numbers is not cut to one.
func TestAggregates(t *testing.T) {
	takings := query.Fields[Takings]()
	average, least := query.Avg(price), query.Min(price)
	outputs := []query.Clause{
		query.Join(&sales.Gift),
		query.Put(&takings.Sold, query.CountOf(price)),
		query.Put(&takings.Kinds, query.CountDistinct(price)),
		query.PutNull(&takings.Least, least),
		query.PutNull(&takings.Average, average),
		query.Put(&takings.Profit, query.Sum(query.Minus(price, cost))),
		query.PutNull(&takings.Span, query.RawAggregate[int64]("max(?) - min(?)", price, price)),
	}
	const a, b, c = "a 3 2 5 6.333 1 4", "b 0 0 - - 0 -", "c 2 1 5 5.000 6 0"
	const all = a + ", " + b + ", " + c
	byShop := query.Asc(&sales.Shop)
	onBoth(t, func(t *testing.T, backend backend) {
		f := openSales(t, backend)
		for _, tc := range []struct {
			name    string
			clauses []query.Clause
			want    string
		}{
			{"groups", []query.Clause{byShop}, all},
			{"groups of no rows", []query.Clause{byShop, query.Eq(&sales.Shop, "x")}, ""},
			{"of some rows", []query.Clause{byShop, cost.LtTo(price)}, "a 1 1 5 5.000 3 0, " + c},
			{"by the average, NULL last", []query.Clause{average.Asc()}, c + ", " + a + ", " + b},
			{"the greatest first, NULL last", []query.Clause{average.Desc()}, a + ", " + c + ", " + b},
			{"by the least, NULL last", []query.Clause{least.Desc(), query.Desc(&sales.Shop)}, c + ", " + a + ", " + b},
			{"an average above", []query.Clause{query.Having(average.Gt(5))}, a},
			{"no average", []query.Clause{query.Having(average.IsNull())}, b},
			{"an average where there is none", []query.Clause{query.Having(query.Coalesce(average, 7).Ge(7))}, b},
			{"no kinds", []query.Clause{query.Having(query.CountDistinct(price).Eq(0))}, b},
			{"a least value", []query.Clause{byShop, query.Having(least.NotNull())}, a + ", " + c},
			{"several prices", []query.Clause{query.Having(least.NeTo(query.Max(price)))}, a},
			{"a range of prices", []query.Clause{query.Having(least.LtTo(query.Max(price)))}, a},
			{"any price", []query.Clause{byShop, query.Having(least.LeTo(query.Max(price)))}, a + ", " + c},
			{"SQL of a group", []query.Clause{query.Having(query.RawAggregate[int64]("max(?) - ?", price, int64(5)).Eq(0))}, c},
			{"by a column that is not shown", []query.Clause{byShop, query.Asc(&sales.Till), query.GroupBy(query.Col(&sales.Till))},
				"a 2 1 5 5.000 1 0, a 1 1 9 9.000 0 0, " + b + ", " + c},
			{"by an expression, and NULL is a group", []query.Clause{query.GroupBy(query.Minus(price, cost)), query.Minus(price, cost).Asc(), byShop},
				"a 1 1 5 5.000 -2 0, a 1 1 9 9.000 0 0, a 1 1 5 5.000 3 0, " + c + ", a 0 0 - - 0 -, " + b},
		} {
			f.do(t, func(ctx context.Context) error {
				rows, err := session.Select[Takings, Sale](ctx, append(tc.clauses, outputs...)...)
				if got := joined(rows); got != tc.want {
					t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
				}
				return err
			})
		}
		f.do(t, func(ctx context.Context) error { // the groups are counted, and not the shops
			page, err := session.SelectPage[Takings, Sale](ctx, query.PageRequest{Page: 1, PageSize: 2},
				append(outputs, byShop, query.GroupBy(query.Col(&sales.Till)), query.Desc(&sales.Till))...)
			if got := fmt.Sprint(joined(page.Items), " of ", page.Total); got != b+", "+c+" of 4" {
				t.Errorf("the second page: %s", got)
			}
			return err
		})
	})
}

// Totals are what all rows of a query bring in.
type Totals struct {
	Rows     int64
	Kinds    int64
	Least    *int64
	Average  *float64
	Product  int64
	Expected float64
	First    *string
}

func (s Totals) String() string {
	return fmt.Sprintf("%d %d %s %s %d %.3f %s", s.Rows, s.Kinds, orNone(s.Least, "%d"), orNone(s.Average, "%.3f"), s.Product, s.Expected, orNone(s.First, "%s"))
}

// TestAggregatesOfAllRows: a query without groups has one row, even of no rows.
func TestAggregatesOfAllRows(t *testing.T) {
	totals := query.Fields[Totals]()
	outputs := []query.Clause{
		query.Join(&sales.Gift),
		query.Put(&totals.Rows, query.Rows()),
		query.Put(&totals.Kinds, query.CountDistinct(price)),
		query.PutNull(&totals.Least, query.Min(query.Minus(price, cost))),
		query.PutNull(&totals.Average, query.Avg(price)),
		query.Put(&totals.Product, query.Sum(query.Times(price, cost))),
		query.Put(&totals.Expected, query.Coalesce(query.Avg(query.Times(price, query.Value(int64(2)))), -1)),
		query.PutNull(&totals.First, query.Min(query.Col(&sales.Shop))),
	}
	onBoth(t, func(t *testing.T, b backend) {
		f := openSales(t, b)
		for _, c := range []struct {
			name  string
			where query.Predicate
			want  string
		}{
			{"all", query.Predicate{}, "8 2 -2 5.800 146 11.600 a"},
			{"those without a price", query.Eq(&sales.Shop, "b"), "2 0 - - 0 -1.000 b"},
			{"none", query.Eq(&sales.Shop, "x"), "0 0 - - 0 -1.000 -"},
		} {
			f.do(t, func(ctx context.Context) error {
				rows, err := session.Select[Totals, Sale](ctx, append(outputs, c.where)...)
				if got := joined(rows); got != c.want {
					t.Errorf("%s: %s, want %s", c.name, got, c.want)
				}
				return err
			})
		}
	})
}

// Spread is what SQL of the program's own says of a shop.
type Spread struct {
	Shop string
	Span *int64
	Dear int64
}

func (s Spread) String() string { return fmt.Sprintf("%s %s %d", s.Shop, orNone(s.Span, "%d"), s.Dear) }

// TestRawAggregates: rows are grouped where SQL of the program's own is the only aggregate; its arguments may be columns,
// values and other aggregates.
func TestRawAggregates(t *testing.T) {
	spread := query.Fields[Spread]()
	onBoth(t, func(t *testing.T, b backend) {
		f := openSales(t, b)
		f.do(t, func(ctx context.Context) error {
			rows, err := session.Select[Spread, Sale](ctx, query.Join(&sales.Gift), query.Asc(&sales.Shop),
				query.PutNull(&spread.Span, query.RawAggregate[int64]("max(?) - min(?)", price, price)),
				query.Put(&spread.Dear, query.RawAggregate[int64]("count(CASE WHEN ? > ? THEN 1 END)", price, int64(5))))
			if got := joined(rows); got != "a 4 1, b - 0, c 0 0" {
				t.Errorf("by aggregates: %s", got)
			}
			must(t, err)
			rows, err = session.Select[Spread, Sale](ctx, query.Join(&sales.Gift), query.Asc(&sales.Shop),
				query.PutNull(&spread.Span, query.RawExpr[int64]("? * 2", query.Min(price))), query.Put(&spread.Dear, query.Rows()))
			if got := joined(rows); got != "a 10 4, b - 2, c 10 2" {
				t.Errorf("of an aggregate: %s", got)
			}
			return err
		})
	})
}

// TestExpressions: two expressions compare where both have a value; what is computed of NULL is NULL, and what is computed
// first is in parentheses.
func TestExpressions(t *testing.T) {
	profit := query.Minus(price, cost)
	id, till := query.Col(&sales.ID), query.Col(&sales.Till)
	two := query.Value(int64(2))
	onBoth(t, func(t *testing.T, b backend) {
		f := openSales(t, b)
		for _, c := range []struct {
			name  string
			where query.Predicate
			want  string
		}{
			{"equal", price.EqTo(cost), "3"},
			{"not equal", price.NeTo(cost), "1 2 7 8"},
			{"neither", query.Not(price.NeTo(cost)), "3"},
			{"less", price.LtTo(cost), "2"},
			{"more", cost.LtTo(price), "1 7 8"},
			{"not less", query.Not(price.LtTo(cost)), "1 3 7 8"},
			{"at most", price.LeTo(cost), "2 3"},
			{"not at most", query.Not(price.LeTo(cost)), "1 7 8"},
			{"not equal, of one table", id.NeTo(till), "2 3 4 5 6 7 8"},
			{"less, of one table", till.LtTo(id), "2 3 4 5 6 7 8"},
			{"at most, of one table", id.LeTo(till), "1"},
			{"not equal, of two tables", id.NeTo(price), "1 2 3 7 8"},
			{"less, of two tables", id.LtTo(price), "1 2 3"},
			{"less than a value", price.LtTo(query.Value(int64(9))), "1 2 7 8"},
			{"a row of another table", query.Any(&sales.Gift, cost.LtTo(price)), "1 7 8"},
			{"a difference", profit.Eq(3), "1 7 8"},
			{"a difference, the other way round", query.Minus(cost, price).Eq(3), ""},
			{"a difference below zero", profit.Lt(0), "2"},
			{"a difference without a value", profit.IsNull(), "4 5 6"},
			{"which differs from every value", profit.Ne(3), "2 3 4 5 6"},
			{"a product", query.Times(price, cost).Eq(81), "3"},
			{"a product with a value", query.Times(price, two).Le(10), "1 2 7 8"},
			{"a product without a value", query.Times(price, two).IsNull(), "4 5 6"},
			{"the difference first", query.Times(profit, two).Eq(6), "1 7 8"},
			{"the inner difference first", query.Minus(price, query.Minus(cost, two)).Eq(5), "1 7 8"},
			{"the sum first", query.Times(query.Plus(price, two), two).Eq(22), "3"},
			{"a difference and a product", profit.LtTo(query.Times(cost, two)), "1 2 3 7 8"},
		} {
			f.do(t, func(ctx context.Context) error {
				found, err := session.Find[Sale](ctx, query.Join(&sales.Gift), c.where, query.Asc(&sales.ID))
				if got := saleKeys(found); got != c.want {
					t.Errorf("%s: %s, want %s", c.name, got, c.want)
				}
				return err
			})
		}
		f.do(t, func(ctx context.Context) error {
			found, err := session.Find[Sale](ctx, query.Join(&sales.Gift), profit.Desc(), query.Asc(&sales.ID))
			if got := saleKeys(found); got != "1 7 8 3 2 4 5 6" {
				t.Errorf("by a difference: %s", got)
			}
			return err
		})
	})
}

func saleKeys(all []*Sale) string {
	var keys []string
	for _, s := range all {
		keys = append(keys, fmt.Sprint(s.ID))
	}
	return strings.Join(keys, " ")
}
