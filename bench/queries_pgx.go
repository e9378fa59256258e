package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/urutu-go/urutu/query"
)

// pgxLister is pgx by hand, with prepared statements.
type pgxLister struct{ pool *pgxpool.Pool }

func openPgxLister(ctx context.Context, url string) (lister, error) {
	pool, err := openPool(ctx, url)
	if err != nil {
		return nil, err
	}
	return &pgxLister{pool}, nil
}

func (l *pgxLister) Close() error {
	l.pool.Close()
	return nil
}

const latestFirst = ` ORDER BY created_at DESC, id DESC`

var (
	selectSales    = `SELECT ` + strings.Join(saleColumns, ", ") + ` FROM sales`
	salesByOffset  = selectSales + latestFirst + ` LIMIT $1 OFFSET $2`
	firstSales     = selectSales + latestFirst + ` LIMIT $1`
	salesBefore    = selectSales + ` WHERE (created_at, id) < ($1, $2)` + latestFirst + ` LIMIT $3`
	salesOfCountry = selectSales + ` WHERE country = $1` + latestFirst + ` LIMIT $2`
	countOfCountry = `SELECT count(*) FROM sales WHERE country = $1`
	cappedCount    = `SELECT count(*) FROM (SELECT 1 FROM sales WHERE country = $1 LIMIT 10001) AS c`
	planOfCountry  = `EXPLAIN (FORMAT JSON) SELECT 1 FROM sales WHERE country = $1`
	filteredSales  = selectSales + ` WHERE country = $1 AND status = ANY($2) AND channel <> $3 AND total >= $4 AND total <= $5` +
		` AND quantity > $6 AND express = $7 AND note IS NOT NULL AND created_at >= $8 AND created_at < $9` + latestFirst + ` LIMIT $10`
)

// page reads rows, of which one behind the page only says that there is more.
func (l *pgxLister) page(ctx context.Context, sql string, args ...any) (found, error) {
	rows, err := l.pool.Query(ctx, sql, args...)
	if err != nil {
		return found{}, err
	}
	return scanSales(rows)
}

func scanSales(rows pgx.Rows) (found, error) {
	defer rows.Close()
	list := make([]Sale, 0, pageOf+1)
	for rows.Next() {
		var s Sale
		if err := rows.Scan(s.targets()...); err != nil {
			return found{}, err
		}
		list = append(list, s)
	}
	out := found{rows: list[:min(len(list), pageOf)], more: len(list) > pageOf, total: -1}
	return out, rows.Err()
}

func (l *pgxLister) Offset(ctx context.Context, page int) (found, error) {
	return l.page(ctx, salesByOffset, pageOf, page*pageOf)
}

func (l *pgxLister) Seek(ctx context.Context, at position) (found, error) {
	if at.before == nil {
		return l.page(ctx, firstSales, pageOf+1)
	}
	return l.page(ctx, salesBefore, at.before.CreatedAt, key(at.before.ID), pageOf+1)
}

func (l *pgxLister) Filter(ctx context.Context, f *saleFilter) (found, error) {
	return l.page(ctx, filteredSales, f.country, f.statuses[:], f.notBy, f.least, f.most, f.more, f.express, f.begin, f.end, pageOf)
}

func (l *pgxLister) Grid(ctx context.Context, f *saleFilter, _ query.GridRequest) (found, error) {
	return l.Filter(ctx, f)
}

// Count sends what counts together with what reads.
func (l *pgxLister) Count(ctx context.Context, country string, mode query.Counting) (found, error) {
	switch mode {
	case query.CountNone:
		return l.page(ctx, salesOfCountry, country, pageOf)
	case query.CountHasNext:
		return l.page(ctx, salesOfCountry, country, pageOf+1)
	case query.CountCapped:
		out, err := l.both(ctx, pageOf+1, cappedCount, country, scanCount)
		out.total = min(out.total, query.CountCap)
		return out, err
	case query.CountEstimated:
		return l.both(ctx, pageOf+1, planOfCountry, country, scanPlan)
	default:
		return l.both(ctx, pageOf, countOfCountry, country, scanCount)
	}
}

// both reads a page of a country's sales and their number, in one batch.
func (l *pgxLister) both(ctx context.Context, limit int, count, country string, scan func(pgx.Row) (int64, error)) (out found, err error) {
	var b pgx.Batch
	b.Queue(salesOfCountry, country, limit)
	b.Queue(count, country)
	results := l.pool.SendBatch(ctx, &b)
	defer func() { err = errors.Join(err, results.Close()) }()
	rows, err := results.Query()
	if err != nil {
		return found{}, err
	}
	if out, err = scanSales(rows); err != nil {
		return found{}, err
	}
	out.total, err = scan(results.QueryRow())
	return out, err
}

func scanCount(r pgx.Row) (n int64, err error) {
	err = r.Scan(&n)
	return n, err
}

// scanPlan reads the number of rows that the planner expects.
func scanPlan(r pgx.Row) (int64, error) {
	var text []byte
	if err := r.Scan(&text); err != nil {
		return 0, err
	}
	var plans []struct {
		Plan struct {
			Rows float64 `json:"Plan Rows"`
		}
	}
	if err := json.Unmarshal(text, &plans); err != nil || len(plans) != 1 {
		return 0, errors.Join(errCount, err)
	}
	return int64(plans[0].Plan.Rows), nil
}
