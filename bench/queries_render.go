package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/Masterminds/squirrel"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/query"
)

// builder makes the text of a query for a page of sales, and its arguments, without a database.
type builder interface {
	// Short is the latest sales of a country, and Long those that a filter of ten conditions finds.
	Short(country string) (string, []any, error)
	Long(f *saleFilter) (string, []any, error)
}

// maker is a builder that takes part in a comparison. The first one is urutu.
type maker struct {
	name string
	open func(pool *sql.DB) (builder, error)
}

func makers() []maker {
	return []maker{{"urutu", openUrutuBuilder}, {"bun", openBunBuilder}, {"gorm", openGormBuilder}, {"squirrel", openSquirrel}}
}

// urutuBuilder renders as a session does, which has the list of columns of each entity rendered once.
type urutuBuilder struct {
	m       *model.Model
	columns string
}

func openUrutuBuilder(*sql.DB) (builder, error) {
	m, err := model.For[Sale]()
	if err != nil {
		return nil, err
	}
	var list strings.Builder
	for i, f := range m.Fields {
		list.WriteString([...]string{"", ", "}[min(i, 1)])
		dialect.Postgres().Ident(&list, f.Column)
	}
	return &urutuBuilder{m, list.String()}, nil
}

// render renders what session.Page of the clauses sends. The arguments are no []any: they are in t, for urutu's driver.
func (b *urutuBuilder) render(clauses ...query.Clause) (string, []any, error) {
	q := query.Compile(b.m, clauses...)
	q.Part(query.Window{Size: pageOf})
	t, err := q.Rows(dialect.Postgres(), b.columns)
	return t.SQL, nil, err
}

func (b *urutuBuilder) Short(country string) (string, []any, error) {
	return b.render(query.Eq(&sales.Country, country), query.Desc(&sales.CreatedAt), query.CountNone)
}

func (b *urutuBuilder) Long(f *saleFilter) (string, []any, error) {
	return b.render(f.clauses()...)
}

type bunSale struct {
	bun.BaseModel                      `bun:"table:sales,alias:s"`
	ID                                 uuid.UUID `bun:"id,pk,type:uuid"`
	CreatedAt                          time.Time
	Country, Status, Channel, Customer string
	Note                               *string
	Express                            bool
	Quantity, Total                    int64
}

// bunBuilder is Bun, which puts the arguments into the text.
type bunBuilder struct{ db *bun.DB }

func openBunBuilder(pool *sql.DB) (builder, error) {
	return &bunBuilder{bun.NewDB(pool, pgdialect.New())}, nil
}

func (b *bunBuilder) render(q *bun.SelectQuery) (string, []any, error) {
	text, err := q.OrderExpr("s.created_at DESC, s.id DESC").Limit(pageOf).Offset(0).AppendQuery(b.db.Formatter(), nil)
	return string(text), nil, err
}

func (b *bunBuilder) Short(country string) (string, []any, error) {
	return b.render(b.db.NewSelect().Model((*bunSale)(nil)).Where("s.country = ?", country))
}

func (b *bunBuilder) Long(f *saleFilter) (string, []any, error) {
	return b.render(b.db.NewSelect().Model((*bunSale)(nil)).
		Where("s.country = ?", f.country).Where("s.status IN (?)", bun.In(f.statuses[:])).Where("s.channel <> ?", f.notBy).
		Where("s.total >= ?", f.least).Where("s.total <= ?", f.most).Where("s.quantity > ?", f.more).
		Where("s.express = ?", f.express).Where("s.note IS NOT NULL").
		Where("s.created_at >= ?", f.begin).Where("s.created_at < ?", f.end))
}

type gormSale struct {
	ID                                 uuid.UUID `gorm:"type:uuid"`
	CreatedAt                          time.Time
	Country, Status, Channel, Customer string
	Note                               *string
	Express                            bool
	Quantity, Total                    int64
}

func (gormSale) TableName() string { return "sales" }

// gormBuilder is GORM that sends nothing.
type gormBuilder struct{ db *gorm.DB }

func openGormBuilder(pool *sql.DB) (builder, error) {
	db, err := gorm.Open(postgres.New(postgres.Config{Conn: pool}), &gorm.Config{
		DryRun: true, SkipDefaultTransaction: true, DisableAutomaticPing: true, Logger: logger.Discard,
	})
	return &gormBuilder{db}, err
}

func (b *gormBuilder) render(q *gorm.DB) (string, []any, error) {
	var list []gormSale
	q = q.Order("created_at DESC, id DESC").Limit(pageOf).Find(&list)
	return q.Statement.SQL.String(), q.Statement.Vars, q.Error
}

func (b *gormBuilder) Short(country string) (string, []any, error) {
	return b.render(b.db.Where("country = ?", country))
}

func (b *gormBuilder) Long(f *saleFilter) (string, []any, error) {
	return b.render(b.db.
		Where("country = ?", f.country).Where("status IN ?", f.statuses[:]).Where("channel <> ?", f.notBy).
		Where("total >= ?", f.least).Where("total <= ?", f.most).Where("quantity > ?", f.more).
		Where("express = ?", f.express).Where("note IS NOT NULL").
		Where("created_at >= ?", f.begin).Where("created_at < ?", f.end))
}

// squirrelBuilder is squirrel, which has nothing to prepare.
type squirrelBuilder struct{}

func openSquirrel(*sql.DB) (builder, error) { return squirrelBuilder{}, nil }

func (squirrelBuilder) render(q squirrel.SelectBuilder) (string, []any, error) {
	return q.OrderBy("created_at DESC, id DESC").Limit(pageOf).Offset(0).PlaceholderFormat(squirrel.Dollar).ToSql()
}

func (b squirrelBuilder) Short(country string) (string, []any, error) {
	return b.render(squirrel.Select(saleColumns...).From("sales").Where("country = ?", country))
}

func (b squirrelBuilder) Long(f *saleFilter) (string, []any, error) {
	return b.render(squirrel.Select(saleColumns...).From("sales").
		Where("country = ?", f.country).Where(squirrel.Eq{"status": f.statuses[:]}).Where("channel <> ?", f.notBy).
		Where("total >= ?", f.least).Where("total <= ?", f.most).Where("quantity > ?", f.more).
		Where("express = ?", f.express).Where("note IS NOT NULL").
		Where("created_at >= ?", f.begin).Where("created_at < ?", f.end))
}

// openBuilders opens all builders.
func openBuilders(pool *sql.DB) ([]builder, error) {
	var out []builder
	for _, m := range makers() {
		b, err := m.open(pool)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		out = append(out, b)
	}
	return out, nil
}

// measureRendering compares what it takes to make the text of a query. Two of the libraries want a pool for it.
func measureRendering(_ context.Context, r *reading, db *database) (_ []table, err error) {
	cfg, err := pgx.ParseConfig(db.url("public", false))
	if err != nil {
		return nil, err
	}
	pool := openSQL(*cfg)
	defer func() { err = errors.Join(err, pool.Close()) }()
	bs, err := openBuilders(pool)
	if err != nil {
		return nil, err
	}
	f := tenConditions(r.sales)
	t := table{Title: "Rendering a query"}
	for _, m := range makers() {
		t.Columns = append(t.Columns, m.name)
	}
	for _, w := range []struct {
		name   string
		render func(b builder) (string, []any, error)
	}{
		{"1 condition, an order and a limit", func(b builder) (string, []any, error) { return b.Short(f.country) }},
		{"10 conditions, an order and a limit", func(b builder) (string, []any, error) { return b.Long(&f) }},
	} {
		r.say("rendering: %s", w.name)
		render := func(i int) error {
			_, _, err := w.render(bs[i])
			return err
		}
		times, err := takeTurns(len(bs), always(r.renders), r.limits, render)
		if err != nil {
			return nil, err
		}
		line := row{Name: w.name}
		for i := range bs {
			n, err := mallocs(100, func() error { return render(i) })
			if err != nil {
				return nil, err
			}
			text := fmt.Sprintf("%s ns, %d allocations", thousands(float64(medianOf(times[i]).Nanoseconds())), n)
			if i > 0 {
				q := over(times[0], times[i])
				text += fmt.Sprintf("; %.2f (%.2f–%.2f)", q.Median, q.Low, q.High)
				line.Goals = append(line.Goals, atMost(t.Columns[i]+" ≤ %s", q.Median, 1))
			}
			line.Figures = append(line.Figures, text)
		}
		t.Rows = append(t.Rows, line)
	}
	return []table{t}, nil
}
