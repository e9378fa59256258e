package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/web"
)

// Listing is the input of a list endpoint.
type Listing struct {
	query.PageRequest
	Name  query.StringCriteria      `json:"name"`
	Total query.Criteria[int64]     `json:"total"`
	Owner query.Criteria[uuid.UUID] `json:"owner"`
	Day   query.DateCriteria        `json:"day" filter:"created_at"`
}

// Search is a filter that is sent as a body.
type Search struct {
	query.PageRequest
	Name  query.StringCriteria      `json:"name"`
	Total query.Criteria[int64]     `json:"total"`
	Day   query.DateCriteria        `json:"day"`
	Kind  *string                   `json:"kind"`
	IDs   []int64                   `json:"ids"`
	Note  entity.Opt[string]        `json:"note"`
	Owner query.Criteria[uuid.UUID] // whose name is its own
	Scope string                    `json:"scope" filter:"-"`
	Group *string                   `json:"group" required:"true" filter:"-"`
}

// TestFiltersInABody: what says nothing may be left out of it, whatever the type; the rest of a body has to be there, and
// what is not known is refused by its name.
func TestFiltersInABody(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(web.Config{})
	var got Search
	web.Post(api, "/search", func(_ context.Context, in struct{ Body Search }) (none, error) {
		got = in.Body
		return none{}, nil
	})
	web.Post(api, "/inline", handler[struct {
		Body struct {
			query.PageRequest
			Name query.StringCriteria `json:"name"`
			Day  query.DateCriteria   `json:"day"`
		}
	}, none])
	web.Post(api, "/other", handler[struct {
		Body struct {
			Name query.StringCriteria `json:"name"`
			Kind *string              `json:"kind"`
		}
	}, none])
	ok(t, api)
	send(t, api, nil, "POST", "/inline", `{}`).body(t, 204, "")
	send(t, api, nil, "POST", "/search", `{"scope":"all","group":null}`).body(t, 204, "")
	if !reflect.DeepEqual(got, Search{Scope: "all"}) {
		t.Errorf("read %+v", got)
	}
	send(t, api, nil, "POST", "/search", `{"page":1,"page_size":5,"name":{"value":"ann","is_exact":true},"total":{"gte":3,"in":[4,5]},"day":{"lt":"2026-11-29"},
		"kind":"a","ids":[1,2],"note":null,"Owner":{"eq":"`+id+`"},"scope":"","group":"g"}`).body(t, 204, "")
	if got.Page != 1 || got.PageSize != 5 || got.Name.Value != "ann" || !got.Name.IsExact || *got.Total.Gte != 3 || len(got.Total.In) != 2 ||
		got.Day.Lt.Day != 29 || *got.Kind != "a" || len(got.IDs) != 2 || !got.Note.IsNull() || got.Owner.Eq.String() != id {
		t.Errorf("read %+v", got)
	}
	for _, c := range []struct{ path, body, fields string }{
		{"/search", `{}`, "group scope"},
		{"/search", `{"scope":"","group":"","colour":"red"}`, "colour"},
		{"/search", `{"scope":"","group":"","total":{"between":3}}`, "total.between"},
		{"/search", `{"scope":"","group":"","total":{"gt":"x"}}`, "total.gt"},
		{"/search", `{"scope":"","group":"","total":3}`, "total"},
		{"/search", `{"scope":"","group":"","page_size":201}`, "page_size"},
		{"/inline", `{"name":{"like":"a"}}`, "name.like"},
		{"/inline", `{"total":{}}`, "total"},
	} {
		p := send(t, api, nil, "POST", c.path, c.body).problem(t, 400)
		var names []string
		for _, e := range p.Errors {
			names = append(names, e.Name)
		}
		if slices.Sort(names); strings.Join(names, " ") != c.fields {
			t.Errorf("%s %s: %+v, want %s", c.path, c.body, p, c.fields)
		}
	}
	// What is no list is as strict as ever about what is no criteria.
	if p := send(t, api, nil, "POST", "/other", `{}`).problem(t, 422); len(p.Errors) != 1 || p.Errors[0].Name != "kind" {
		t.Errorf("%+v", p)
	}

	text, err := api.Document()
	var doc any
	if err != nil || json.Unmarshal(text, &doc) != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(node(t, doc, "components", "schemas", "Search", "required")); got != "[scope group]" {
		t.Errorf("the document requires %s", got)
	}
}

func TestListsReadTheirCriteriaFromTheQuery(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(web.Config{})
	var got Listing
	web.Get(api, "/list", func(_ context.Context, in Listing) (struct{}, error) {
		got = in
		return struct{}{}, nil
	})
	ok(t, api)
	send(t, api, nil, "GET", "/list?page=1&name=ann&name[is_exact]=true&total[gte]=3&total[lt]=9&owner[in]="+id+"&owner[in]="+id+"&day=2026-11-29", nil).body(t, 204, "")
	if got.Page != 1 || got.Name.Value != "ann" || !got.Name.IsExact || *got.Total.Gte != 3 || *got.Total.Lt != 9 ||
		len(got.Owner.In) != 2 || got.Day.Eq.String() != "2026-11-29" {
		t.Errorf("%+v", got)
	}
	for target, field := range map[string]string{
		"/list?colour=red":              "colour",
		"/list?page=x":                  "page",
		"/list?total[between]=1":        "total[between]",
		"/list?total=1.5":               "total",
		"/list?total=null":              "total",
		"/list?total[gt]=1&total[gt]=2": "total[gt]",
		"/list?owner=nobody":            "owner",
		"/list?day[gt]=yesterday":       "day[gt]",
		"/list?name=a&name[value]=b":    "name[value]",
		"/list?name[is_exact]=maybe":    "name[is_exact]",
	} {
		p := send(t, api, nil, "GET", target, nil).problem(t, 400)
		if len(p.Errors) != 1 || p.Errors[0].Name != field {
			t.Errorf("%s: %+v", target, p)
		}
	}
}

// TestListRequestsInABody: a page, an order and a cursor are members of a body as they are parameters of a query string, with
// the same bounds, and all may be left out.
func TestListRequestsInABody(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(web.Config{})
	var list query.ListRequest
	web.Post(api, "/list", func(_ context.Context, in struct{ Body query.ListRequest }) (none, error) {
		list = in.Body
		return none{}, nil
	})
	var walk query.CursorRequest
	web.Post(api, "/walk", func(_ context.Context, in struct{ Body query.CursorRequest }) (none, error) {
		walk = in.Body
		return none{}, nil
	})
	ok(t, api)

	send(t, api, nil, "POST", "/list", `{"page":1,"page_size":5,"sort":"-name"}`).body(t, 204, "")
	if want := (query.ListRequest{PageRequest: query.PageRequest{Page: 1, PageSize: 5}, Sort: "-name"}); list != want {
		t.Errorf("read %+v", list)
	}
	send(t, api, nil, "POST", "/walk", `{"cursor":"AQ","page_size":5}`).body(t, 204, "")
	if want := (query.CursorRequest{Cursor: "AQ", PageSize: 5}); walk != want {
		t.Errorf("read %+v", walk)
	}
	send(t, api, nil, "POST", "/list", `{}`).body(t, 204, "")
	send(t, api, nil, "POST", "/walk", `{}`).body(t, 204, "")
	if list != (query.ListRequest{}) || walk != (query.CursorRequest{}) {
		t.Errorf("of nothing was read %+v %+v", list, walk)
	}
	for _, c := range []struct{ path, body, field string }{
		{"/list", `{"page":-1}`, "page"},
		{"/list", `{"page":"1"}`, "page"},
		{"/list", `{"page_size":201}`, "page_size"},
		{"/list", `{"sort":"` + strings.Repeat("x", 501) + `"}`, "sort"},
		{"/list", `{"sort":["name"]}`, "sort"},
		{"/list", `{"cursor":"AQ"}`, "cursor"},
		{"/list", `[]`, "body"},
		{"/list?page=1", `{}`, "page"},
		{"/walk", `{"cursor":"` + strings.Repeat("x", query.MaxCursor+1) + `"}`, "cursor"},
		{"/walk", `{"cursor":7}`, "cursor"},
		{"/walk", `{"page_size":-1}`, "page_size"},
		{"/walk", `{"page":1}`, "page"},
		{"/walk?cursor=AQ", `{}`, "cursor"},
	} {
		p := send(t, api, nil, "POST", c.path, c.body).problem(t, 400)
		if len(p.Errors) != 1 || p.Errors[0].Name != c.field {
			t.Errorf("%s %.40s: %+v", c.path, c.body, p)
		}
	}
}
