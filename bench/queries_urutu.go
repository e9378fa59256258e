package main

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/pgxdriver"
)

// urutuLister is a session. What it reads is tracked unless its clauses say otherwise.
type urutuLister struct {
	db      *session.DB
	clauses []query.Clause
}

// saleList is what clients may filter and sort by.
var saleList = query.NewList[Sale](
	query.Field("created_at", &sales.CreatedAt),
	query.Field("country", &sales.Country).AsSelect(),
	query.Field("status", &sales.Status).AsSelect(),
	query.Field("channel", &sales.Channel).AsSelect(),
	query.Field("note", &sales.Note),
	query.Field("express", &sales.Express),
	query.Field("quantity", &sales.Quantity),
	query.Field("total", &sales.Total),
	query.Desc(&sales.CreatedAt),
)

func openUrutuLister(ctx context.Context, url string, d driver.Driver, clauses ...query.Clause) (*urutuLister, error) {
	db, err := session.Open(ctx, session.Config{
		URL: url, Drivers: []driver.Driver{d}, PoolSize: poolSize, MaxOverflow: -1, CursorKeys: []string{strings.Repeat("k", query.MinCursorKey)},
	})
	if err != nil {
		return nil, err
	}
	return &urutuLister{db, clauses}, nil
}

func openTracked(ctx context.Context, url string) (lister, error) {
	return openUrutuLister(ctx, url, pgxdriver.New())
}

func openUntracked(ctx context.Context, url string) (lister, error) {
	return openUrutuLister(ctx, url, pgxdriver.New(), query.NoTracking)
}

func (l *urutuLister) Close() error { return l.db.Close() }

// with is the lister's own clauses and others.
func (l *urutuLister) with(clauses ...query.Clause) []query.Clause {
	return append(clauses, l.clauses...)
}

// page reads a page by its number.
func (l *urutuLister) page(ctx context.Context, number int, clauses ...query.Clause) (out found, err error) {
	err = l.db.Do(ctx, func(ctx context.Context) error {
		p, err := session.Page[Sale](ctx, query.PageRequest{Page: number, PageSize: pageOf}, l.with(clauses...)...)
		out = found{pointers: p.Items, total: p.Total, more: p.HasNext != nil && *p.HasNext}
		return err
	})
	return out, err
}

func (l *urutuLister) Offset(ctx context.Context, page int) (found, error) {
	return l.page(ctx, page, query.Desc(&sales.CreatedAt), query.CountNone)
}

func (l *urutuLister) Seek(ctx context.Context, at position) (found, error) {
	p, err := l.seek(ctx, at.cursor, pageOf)
	return found{pointers: p.Items, total: -1, more: p.Next != ""}, err
}

func (l *urutuLister) seek(ctx context.Context, cursor string, size int) (p query.CursorPage[*Sale], err error) {
	err = l.db.Do(ctx, func(ctx context.Context) error {
		p, err = session.Seek[Sale](ctx, query.CursorRequest{Cursor: cursor, PageSize: size}, l.with(query.Desc(&sales.CreatedAt))...)
		return err
	})
	return p, err
}

func (l *urutuLister) Filter(ctx context.Context, f *saleFilter) (found, error) {
	return l.page(ctx, 0, f.clauses()...)
}

func (l *urutuLister) Grid(ctx context.Context, _ *saleFilter, req query.GridRequest) (out found, err error) {
	err = l.db.Do(ctx, func(ctx context.Context) error {
		p, err := session.Grid(ctx, saleList, req, l.with(query.CountNone)...)
		out = found{pointers: p.Rows, total: p.RowCount}
		return err
	})
	return out, err
}

func (l *urutuLister) Count(ctx context.Context, country string, mode query.Counting) (found, error) {
	return l.page(ctx, 0, query.Eq(&sales.Country, country), query.Desc(&sales.CreatedAt), mode)
}

// gridRequest is the filter as a grid sends it.
func (f *saleFilter) gridRequest() query.GridRequest {
	item := func(field, operator string, v any) query.GridItem {
		raw, _ := json.Marshal(v) // texts, numbers and times
		return query.GridItem{Field: field, Operator: operator, Value: raw}
	}
	at := func(t time.Time) string { return t.Format(time.RFC3339) }
	return query.GridRequest{
		PaginationModel: &query.GridPagination{PageSize: pageOf},
		FilterModel: &query.GridFilter{Items: []query.GridItem{
			item("country", "is", f.country), item("status", "isAnyOf", f.statuses), item("channel", "not", f.notBy),
			item("total", ">=", f.least), item("total", "<=", f.most), item("quantity", ">", f.more),
			item("express", "is", f.express), item("note", "isNotEmpty", nil),
			item("created_at", "onOrAfter", at(f.begin)), item("created_at", "before", at(f.end)),
		}},
	}
}
