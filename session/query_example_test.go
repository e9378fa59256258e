package session_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
)

type Band struct {
	entity.Serial
	Name   string
	Albums []*Album `rel:"albums.band_id"`
}

type Album struct {
	entity.Serial
	BandID int64 `db:"band_id,ref=bands"`
	Band   *Band `rel:"band_id"`
	Title  string
	Sold   int64
}

// BandSales is a row of a report: no entity.
type BandSales struct {
	Band   string
	Albums int64
	Sold   int64
}

var (
	bands     = entity.Columns[Band]()
	albums    = entity.Columns[Album]()
	bandSales = query.Fields[BandSales]()
)

// AlbumFilter is what a list of albums can be asked for.
type AlbumFilter struct {
	query.PageRequest
	Title query.StringCriteria  `json:"title"`
	Sold  query.Criteria[int64] `json:"sold"`
}

func openAlbums(ctx context.Context) *session.DB {
	db, err := session.Open(ctx, session.Config{URL: "sqlite:///:memory:", Drivers: []driver.Driver{sqlitedriver.New()}})
	if err == nil {
		err = db.Do(ctx, func(ctx context.Context) error {
			if err := session.CreateTables(ctx, (*Band)(nil), (*Album)(nil)); err != nil {
				return err
			}
			return session.Add(ctx,
				&Band{Name: "Bees", Albums: []*Album{{Title: "Honey", Sold: 70}, {Title: "Hive", Sold: 5}}},
				&Band{Name: "Ants", Albums: []*Album{{Title: "Hill", Sold: 9}}})
		})
	}
	if err != nil {
		panic(err)
	}
	return db
}

// Rows are found by what other tables hold, and summed up.
func ExampleSelect() {
	ctx := context.Background()
	db := openAlbums(ctx)
	defer func() { _ = db.Close() }()
	err := db.Do(ctx, func(ctx context.Context) error {
		successful, err := session.Find[Band](ctx, query.Any(&bands.Albums, query.Gt(&albums.Sold, 50)))
		if err != nil {
			return err
		}
		fmt.Println(successful[0].Name)
		sold := query.Sum(query.Col(&albums.Sold))
		list, err := session.Select[BandSales, Album](ctx, query.Join(&albums.Band),
			query.Put(&bandSales.Band, query.Col(&bands.Name)),
			query.Put(&bandSales.Albums, query.Rows()),
			query.Put(&bandSales.Sold, sold),
			sold.Desc())
		fmt.Println(list)
		return err
	})
	fmt.Println(err)
	// Output:
	// Bees
	// [{Bees 2 75} {Ants 1 9}]
	// <nil>
}

// A filter struct is what a list endpoint takes from its clients.
func ExamplePage_filter() {
	ctx := context.Background()
	db := openAlbums(ctx)
	defer func() { _ = db.Close() }()
	least := int64(6)
	filter := AlbumFilter{Title: query.StringCriteria{Value: "h"}, Sold: query.Criteria[int64]{Gte: &least}}
	filter.PageSize = 1
	err := db.Do(ctx, func(ctx context.Context) error {
		page, err := session.Page[Album](ctx, filter.PageRequest, query.ApplyFilters(filter), query.Asc(&albums.Title))
		if err == nil {
			fmt.Println(page.Items[0].Title, page.Total)
		}
		return err
	})
	fmt.Println(err)
	// Output:
	// Hill 2
	// <nil>
}

// albumList is what clients may filter, sort and search albums by.
var albumList = query.NewList[Album](
	query.Join(&albums.Band),
	query.Field("title", &albums.Title).Searched(),
	query.Field("sold", &albums.Sold),
	query.Field("band", &bands.Name).AsSelect(),
)

// A data grid's own JSON is answered by the rows of a list.
func ExampleGrid() {
	ctx := context.Background()
	db := openAlbums(ctx)
	defer func() { _ = db.Close() }()
	ask := func(body string) error {
		var req query.GridRequest
		if err := json.Unmarshal([]byte(body), &req); err != nil {
			return err
		}
		return db.Do(ctx, func(ctx context.Context) error {
			page, err := session.Grid(ctx, albumList, req)
			for _, a := range page.Rows {
				fmt.Println(a.Title, a.Sold)
			}
			return err
		})
	}
	fmt.Println(ask(`{"paginationModel":{"page":0,"pageSize":25},"sortModel":[{"field":"sold","sort":"desc"}],
		"filterModel":{"items":[{"field":"band","operator":"is","value":"Bees"}],"quickFilterValues":["h"]}}`))
	err := ask(`{"filterModel":{"items":[{"field":"band_id","operator":"=","value":1}]}}`)
	fmt.Println(fault.KindOf(err), fault.FieldsOf(err))
	// Output:
	// Honey 70
	// Hive 5
	// <nil>
	// bad_request [{filterModel.items[0].field there is no field "band_id" here}]
}

// A sort string of a query string goes through the same list.
func ExamplePage_sort() {
	ctx := context.Background()
	db := openAlbums(ctx)
	defer func() { _ = db.Close() }()
	in := query.ListRequest{Sort: "band,-sold"}
	err := db.Do(ctx, func(ctx context.Context) error {
		page, err := session.Page[Album](ctx, in.PageRequest, albumList.Sort(in.Sort))
		for _, a := range page.Items {
			fmt.Println(a.Title)
		}
		return err
	})
	fmt.Println(err)
	// Output:
	// Hill
	// Honey
	// Hive
	// <nil>
}

// Pages that lead to each other are walked by their cursors, here to the end and a step back.
func ExampleSeek() {
	ctx := context.Background()
	db := openAlbums(ctx)
	defer func() { _ = db.Close() }()
	page := func(cursor string) (page query.CursorPage[*Album]) {
		err := db.Do(ctx, func(ctx context.Context) (err error) {
			page, err = session.Seek[Album](ctx, query.CursorRequest{Cursor: cursor, PageSize: 2}, query.Desc(&albums.Sold), query.CountExact)
			return err
		})
		if err != nil {
			fmt.Println(err)
		}
		for _, a := range page.Items {
			fmt.Println(a.Title, "of", *page.Total)
		}
		return page
	}
	last := page(page("").Next)
	fmt.Println("behind the last page:", last.Next == "")
	page(last.Prev)
	// Output:
	// Hill of 3
	// Honey of 3
	// Hive of 3
	// behind the last page: true
	// Hill of 3
	// Honey of 3
}
