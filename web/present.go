package web

import (
	"fmt"
	"path"
	"reflect"
	"strings"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/query"
)

// presentAsIs is the presenter of routes without As: the result is its own response.
func presentAsIs(out reflect.Type) (presenter, error) {
	p := presenter{response: out, build: func(out any) (any, error) { return out, nil }}
	if out.Kind() == reflect.Slice && !either(out, jsonMarshaler) && out.Elem().Kind() != reflect.Uint8 {
		p.build = func(v any) (any, error) {
			if s := reflect.ValueOf(v).Elem(); s.IsNil() {
				return reflect.MakeSlice(out, 0, 0).Interface(), nil // no items are [], not null
			}
			return v, nil
		}
	}
	return p, nil
}

// presenterAs is the presenter of routes with As[D].
func presenterAs[D any](out reflect.Type) (presenter, error) {
	switch {
	case out.Kind() == reflect.Slice:
		return presenter{reflect.TypeFor[[]D](), func(v any) (any, error) {
			return mapItems[D](reflect.ValueOf(v).Elem())
		}}, checkEntity[D](out.Elem())
	case isPage(out):
		items, _ := out.FieldByName("Items")
		return presenter{reflect.TypeFor[query.Paginated[D]](), presentPage[D]}, checkEntity[D](items.Type.Elem())
	case isGridPage(out):
		rows, _ := out.FieldByName("Rows")
		return presenter{reflect.TypeFor[query.GridPage[D]](), presentGridPage[D]}, checkEntity[D](rows.Type.Elem())
	}
	return presenter{reflect.TypeFor[D](), func(v any) (any, error) {
		return mapOne[D](reflect.ValueOf(v).Elem())
	}}, checkEntity[D](out)
}

// checkEntity returns an error where a T cannot be mapped to a D.
func checkEntity[D any](t reflect.Type) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return fmt.Errorf("As[%s] needs an entity, a slice or a page of them, not %s", reflect.TypeFor[D](), t)
	}
	return entity.CheckPair(reflect.TypeFor[D](), t)
}

// mapOne maps the entity in v, or returns nil where v is a nil pointer.
func mapOne[D any](v reflect.Value) (any, error) {
	if v.Kind() != reflect.Pointer {
		return entity.To[D](v.Addr().Interface())
	}
	if v.IsNil() {
		return nil, nil
	}
	return entity.To[D](v.Interface())
}

func mapItems[D any](items reflect.Value) ([]D, error) {
	mapped := make([]D, items.Len())
	for i := range mapped {
		item := items.Index(i)
		if item.Kind() != reflect.Pointer {
			item = item.Addr()
		}
		d, err := entity.To[D](item.Interface())
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
		mapped[i] = d
	}
	return mapped, nil
}

// isPage reports whether t is a query.Paginated of anything, and isGridPage whether it is a query.GridPage.
func isPage(t reflect.Type) bool { return isOfQuery(t, "Paginated[") }

func isGridPage(t reflect.Type) bool { return isOfQuery(t, "GridPage[") }

func isOfQuery(t reflect.Type, name string) bool {
	return t.Kind() == reflect.Struct && strings.HasPrefix(t.Name(), name) && path.Base(t.PkgPath()) == "query"
}

func presentPage[D any](v any) (any, error) {
	page := reflect.ValueOf(v).Elem()
	items, err := mapItems[D](page.FieldByName("Items"))
	if err != nil {
		return nil, err
	}
	return query.Paginated[D]{
		Items: items, Total: page.FieldByName("Total").Int(),
		Page: int(page.FieldByName("Page").Int()), PageSize: int(page.FieldByName("PageSize").Int()),
	}, nil
}

func presentGridPage[D any](v any) (any, error) {
	page := reflect.ValueOf(v).Elem()
	rows, err := mapItems[D](page.FieldByName("Rows"))
	if err != nil {
		return nil, err
	}
	return query.GridPage[D]{
		Rows: rows, RowCount: page.FieldByName("RowCount").Int(), PageInfo: page.FieldByName("PageInfo").Interface().(query.GridPageInfo),
	}, nil
}
