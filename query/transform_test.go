package query_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/query"
)

// A page of each kind, with all that it can say.
var (
	fullPage = query.Paginated[int]{Items: []int{1, 2, 3}, Total: 9, Page: 3, PageSize: 3, Precision: query.AtLeast, HasNext: new(true)}
	fullWalk = query.CursorPage[int]{Items: []int{1, 2, 3}, Next: "n", Prev: "p", PageSize: 3, Total: new(int64(9)), Precision: query.AtLeast}
	fullGrid = query.GridPage[int]{
		Rows: []int{1, 2, 3}, RowCount: 9, PageInfo: query.GridPageInfo{HasNextPage: new(true), NextCursor: "n"},
	}
)

// transforms checks a transformation of a full page, which is to come to want, of one without items, and where an item is
// refused. list returns a page's items.
func transforms[P, Q any](t *testing.T, full P, want Q, list func(*Q) []string, f func(P, func(int) (string, error)) (Q, error)) {
	t.Helper()
	for v, i := reflect.ValueOf(full), 0; i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("the full %T has no %s", full, v.Type().Field(i).Name)
		}
	}
	xs := func(i int) (string, error) { return strings.Repeat("x", i), nil }
	if got, err := f(full, xs); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v becomes %+v, %v", full, got, err)
	}
	var none P
	if got, err := f(none, xs); err != nil || list(&got) == nil || len(list(&got)) > 0 {
		t.Errorf("no items become %+v, %v", got, err)
	}
	second := errors.New("the second item")
	var seen []int
	got, err := f(full, func(i int) (string, error) {
		if seen = append(seen, i); i > 1 {
			return "", second
		}
		return "x", nil
	})
	if !errors.Is(err, second) || len(seen) != 2 || !reflect.ValueOf(got).IsZero() {
		t.Errorf("an error of the second item: %+v, %v, after %v", got, err, seen)
	}
}

// TestTransformsKeepThePage: items are mapped in their order, and all else is as it was; the first error ends it.
func TestTransformsKeepThePage(t *testing.T) {
	t.Parallel()
	xs := []string{"x", "xx", "xxx"}
	transforms(t, fullPage, query.Paginated[string]{
		Items: xs, Total: 9, Page: 3, PageSize: 3, Precision: query.AtLeast, HasNext: new(true),
	}, func(p *query.Paginated[string]) []string { return p.Items }, query.Transform)
	transforms(t, fullWalk, query.CursorPage[string]{
		Items: xs, Next: "n", Prev: "p", PageSize: 3, Total: new(int64(9)), Precision: query.AtLeast,
	}, func(p *query.CursorPage[string]) []string { return p.Items }, query.TransformCursorPage)
	transforms(t, fullGrid, query.GridPage[string]{
		Rows: xs, RowCount: 9, PageInfo: fullGrid.PageInfo,
	}, func(p *query.GridPage[string]) []string { return p.Rows }, query.TransformGrid)
}
