package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/query"
)

// Sale is a row of the table that pages are read from.
type Sale struct {
	entity.Identifiable
	CreatedAt time.Time
	Country   string
	Status    string
	Channel   string
	Customer  string
	Note      *string
	Express   bool
	Quantity  int64
	Total     int64
}

var sales = entity.Columns[Sale]()

// saleTable is the table, and saleIndexes what its users would have for a list by date, and for one of a country.
const (
	saleTable = `CREATE TABLE sales (
		id uuid PRIMARY KEY, created_at timestamptz NOT NULL, country text NOT NULL, status text NOT NULL, channel text NOT NULL,
		customer text NOT NULL, note text, express boolean NOT NULL, quantity bigint NOT NULL, total bigint NOT NULL)`
	saleIndexes = `CREATE INDEX sales_by_date ON sales (created_at, id);
		CREATE INDEX sales_of_country ON sales (country, created_at, id)`
)

var saleColumns = []string{
	"id", "created_at", "country", "status", "channel", "customer", "note", "express", "quantity", "total",
}

// targets are where a sale's columns are scanned to.
func (s *Sale) targets() []any {
	return []any{
		(*[16]byte)(&s.ID), &s.CreatedAt, &s.Country, &s.Status, &s.Channel, &s.Customer, &s.Note, &s.Express, &s.Quantity, &s.Total,
	}
}

// What is in the columns of a sale, each as often as the others.
const saleCountries = 20

var (
	saleStatuses = []string{"open", "paid", "sent", "returned"}
	saleChannels = []string{"shop", "app", "phone", "partner"}
	firstSale    = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

// salesPerSecond are sales of one second, which only their keys tell apart.
const salesPerSecond = 3

func countryName(i int) string { return string([]byte{'A' + byte(i/8), 'A' + byte(i%8)}) }

// newSale returns sale number i. Whatever else is in it is decided by the dice.
func newSale(i int, dice *rand.Rand) Sale {
	s := Sale{
		CreatedAt: firstSale.Add(time.Duration(i/salesPerSecond) * time.Second),
		Country:   countryName(dice.IntN(saleCountries)), Status: saleStatuses[dice.IntN(len(saleStatuses))],
		Channel: saleChannels[dice.IntN(len(saleChannels))], Customer: "customer " + countryName(dice.IntN(saleCountries)),
		Express: dice.IntN(2) == 0, Quantity: 1 + dice.Int64N(9), Total: dice.Int64N(100_000),
	}
	if dice.IntN(2) == 0 {
		note := "leave it with neighbor " + countryName(dice.IntN(saleCountries)) // one text alone would tell the planner much
		s.Note = &note
	}
	s.ID = newID()
	return s
}

// loadSales makes the table in the schema that the connection is in, with n rows.
func loadSales(ctx context.Context, conn *pgx.Conn, n int) error {
	if _, err := conn.Exec(ctx, saleTable); err != nil {
		return err
	}
	dice, i := rand.New(rand.NewPCG(1, 2)), 0
	_, err := conn.CopyFrom(ctx, pgx.Identifier{"sales"}, saleColumns, pgx.CopyFromFunc(func() ([]any, error) {
		if i == n {
			return nil, nil
		}
		s := newSale(i, dice)
		i++
		return []any{
			key(s.ID), s.CreatedAt, s.Country, s.Status, s.Channel, s.Customer, s.Note, s.Express, s.Quantity, s.Total,
		}, nil
	}))
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, saleIndexes); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "VACUUM ANALYZE sales")
	return err
}

// saleFilter is a filter of ten conditions upon sales.
type saleFilter struct {
	country     string
	statuses    [2]string
	notBy       string // channel
	least, most int64  // total
	more        int64  // quantity
	express     bool
	begin, end  time.Time
}

// tenConditions is one that every list has pages of, in a table of n sales.
func tenConditions(n int) saleFilter {
	last := time.Duration(n/salesPerSecond) * time.Second
	return saleFilter{
		country: countryName(7), statuses: [2]string{"open", "paid"}, notBy: "phone", least: 1000, most: 95_000, more: 1,
		express: true, begin: firstSale.Add(last / 100), end: firstSale.Add(last - last/100),
	}
}

// clauses are the filter as a program says it, the latest sales first and not counted.
func (f *saleFilter) clauses() []query.Clause {
	return []query.Clause{
		query.Desc(&sales.CreatedAt), query.CountNone,
		query.Eq(&sales.Country, f.country), query.In(&sales.Status, f.statuses[:]...), query.Ne(&sales.Channel, f.notBy),
		query.Ge(&sales.Total, f.least), query.Le(&sales.Total, f.most), query.Gt(&sales.Quantity, f.more),
		query.Eq(&sales.Express, f.express), query.NotNull(&sales.Note),
		query.Ge(&sales.CreatedAt, f.begin), query.Lt(&sales.CreatedAt, f.end),
	}
}
