package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/web"
)

// TenantGrid is a grid's request with a field of the application's own.
type TenantGrid struct {
	query.GridRequest
	Archived bool `json:"archived,omitempty"`
}

const gridBody = `{"paginationModel":{"page":0,"pageSize":25,"x":1},"start":0,"end":24,"groupKeys":[],"groupFields":[],
	"sortModel":[{"field":"createdAt","sort":"desc","y":2},{"field":"name","sort":null}],
	"filterModel":{"items":[{"field":"name","operator":"contains","id":48213,"value":"ann","fromInput":":r5:"},
		{"field":"n","operator":"isAnyOf","id":"x","value":[1,2.50,12345678901234567890]},{"field":"e","operator":"isEmpty"}],
	"logicOperator":"and","quickFilterValues":["foo",7],"quickFilterLogicOperator":"or","quickFilterExcludeHiddenColumns":true}}`

// TestGridRequestsAreRead: a grid's own JSON is an input as it is; what it sends besides is no mistake, and numbers keep
// their digits.
func TestGridRequestsAreRead(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(web.Config{})
	var got query.GridRequest
	web.Post(api, "/grid", func(_ context.Context, in query.GridRequest) (query.GridPage[*user], error) {
		got = in
		return query.GridPage[*user]{Rows: []*user{{ID: 3, Name: "Cy"}}, RowCount: 21, PageInfo: query.GridPageInfo{HasNextPage: new(true)}}, nil
	}, web.As[userSchema]())
	web.Post(api, "/empty", func(context.Context, query.GridRequest) (query.GridPage[*user], error) {
		return query.GridPage[*user]{}, nil
	}, web.As[userSchema]())
	var own TenantGrid
	web.Post(api, "/own", func(_ context.Context, in TenantGrid) (none, error) {
		own = in
		return none{}, nil
	})
	ok(t, api)

	send(t, api, nil, "POST", "/grid", gridBody).body(t, 200, `{"rows":[{"id":3,"name":"Cy"}],"rowCount":21,"pageInfo":{"hasNextPage":true}}`)
	if f := got.FilterModel; f == nil || len(f.Items) != 3 || string(f.Items[1].Value) != "[1,2.50,12345678901234567890]" || len(f.QuickFilterValues) != 2 ||
		*got.SortModel[0].Sort != "desc" || got.SortModel[1].Sort != nil || *got.End != 24 {
		t.Errorf("read %+v", got)
	}
	nulls := `{"paginationModel":null,"start":null,"end":null,"groupKeys":null,"sortModel":null,"filterModel":null}`
	for _, body := range []string{`{}`, nulls, `{"filterModel":{"items":null,"quickFilterValues":null}}`, `{"paginationModel":{}}`} {
		send(t, api, nil, "POST", "/empty", body).body(t, 200, `{"rows":[],"rowCount":0,"pageInfo":{}}`)
	}
	send(t, api, nil, "POST", "/own", `{"archived":true,"start":1,"end":2}`).body(t, 204, "")
	if !own.Archived || *own.End != 2 {
		t.Errorf("read %+v", own)
	}

	for body, field := range map[string]string{
		`{"sortModel":"name"}`:                         "sortModel",
		`{"sortModel":[{"sort":"asc"}]}`:               "sortModel[0].field",
		`{"filterModel":[]}`:                           "filterModel",
		`{"filterModel":{"items":{}}}`:                 "filterModel.items",
		`{"filterModel":{"items":[7]}}`:                "filterModel.items[0]",
		`{"filterModel":{"items":[{"field":"x"}]}}`:    "filterModel.items[0].operator",
		`{"filterModel":{"items":[{"operator":"x"}]}}`: "filterModel.items[0].field",
		`{"filterModel":{"logicOperator":7}}`:          "filterModel.logicOperator",
		`{"paginationModel":{"pageSize":201}}`:         "paginationModel.pageSize",
		`{"paginationModel":{"page":-1}}`:              "paginationModel.page",
		`{"paginationModel":{"page":"1"}}`:             "paginationModel.page",
		`{"paginationModel":{"page":1e30}}`:            "paginationModel.page",
		`{"end":"x"}`:                                  "end",
		`{"end":1.5}`:                                  "end",
		`{"groupKeys":["a"]}`:                          "groupKeys",
		`{"filterModel":{"items":[` + strings.Repeat(`{"field":"x","operator":"y"},`, query.MaxItems) + `{"field":"x","operator":"y"}]}}`: "filterModel.items",
		`[]`: "body", `7`: "body", `"x"`: "body", `null`: "body", `{`: "body", ``: "body", `{"end":1e400}`: "end",
		strings.Repeat(`{"x":`, 20_000) + `1` + strings.Repeat(`}`, 20_000): "body",
	} {
		p := send(t, api, nil, "POST", "/grid", body).problem(t, 400)
		if text := fmt.Sprint(p.Errors, p.Detail); !strings.Contains(text, field) {
			t.Errorf("%.100s: %s", body, text)
		}
	}
	send(t, api, nil, "POST", "/grid?tenant=1", `{}`).problem(t, 400)
	send(t, api, nil, "POST", "/grid", `{"x":"`+strings.Repeat("x", 2<<20)+`"}`).problem(t, 413)
}

// FilteredGrid is a grid's request beside filters of the application's own.
type FilteredGrid struct {
	query.GridRequest
	Size query.Criteria[int64] `json:"size"`
	Name query.StringCriteria  `json:"name"`
	Kind *string               `json:"kind"`
}

// StrictGrid is one whose other members are known.
type StrictGrid struct {
	_ struct{} `additionalProperties:"false"`
	FilteredGrid
}

// TestGridsWithFiltersOfTheirOwn: criteria beside a grid's request are members of the same JSON.
func TestGridsWithFiltersOfTheirOwn(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(web.Config{})
	var got FilteredGrid
	web.Post(api, "/grid", func(_ context.Context, in FilteredGrid) (none, error) {
		got = in
		return none{}, nil
	})
	web.Post(api, "/of/{id}", func(_ context.Context, in struct {
		ID   int `path:"id"`
		Body FilteredGrid
	}) (none, error) {
		got = in.Body
		return none{}, nil
	})
	web.Post(api, "/strict", handler[StrictGrid, none])
	ok(t, api)
	for _, path := range []string{"/grid", "/of/3", "/strict"} {
		got = FilteredGrid{}
		send(t, api, nil, "POST", path, `{}`).body(t, 204, "")
		send(t, api, nil, "POST", path, `{"start":0,"end":9,"size":{"gte":3},"name":{"value":"ann"}}`).body(t, 204, "")
		if path != "/strict" && (*got.End != 9 || *got.Size.Gte != 3 || got.Name.Value != "ann" || got.Kind != nil) {
			t.Errorf("%s: read %+v", path, got)
		}
		for body, field := range map[string]string{
			`{"size":{"between":3}}`: "size.between", `{"size":{"gt":"x"}}`: "size.gt", `{"name":"ann"}`: "name", `{"end":"x"}`: "end",
		} {
			if p := send(t, api, nil, "POST", path, body).problem(t, 400); len(p.Errors) != 1 || p.Errors[0].Name != field {
				t.Errorf("%s %s: %+v", path, body, p)
			}
		}
		send(t, api, nil, "POST", path+"?size=3", `{}`).problem(t, 400)
	}
	send(t, api, nil, "POST", "/grid", `{"aggregationModel":{}}`).body(t, 204, "")
	if p := send(t, api, nil, "POST", "/strict", `{"siez":{"gt":3}}`).problem(t, 400); len(p.Errors) != 1 || p.Errors[0].Name != "siez" {
		t.Errorf("%+v", p)
	}
	text, err := api.Document()
	var doc any
	if err != nil || json.Unmarshal(text, &doc) != nil {
		t.Fatal(err)
	}
	post := node(t, doc, "paths", "/grid", "post").(map[string]any)
	if node(t, post, "requestBody", "content", "application/json", "schema", "$ref") != "#/components/schemas/FilteredGrid" || post["parameters"] != nil {
		t.Errorf("documented as %v", post)
	}
	node(t, doc, "components", "schemas", "FilteredGrid", "properties", "size")
}

// TestListsAreDocumented: the request and the page of a grid, and the order of a list.
func TestListsAreDocumented(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(web.Config{})
	web.Post(api, "/grid", handler[query.GridRequest, query.GridPage[*user]], web.As[userSchema]())
	web.Get(api, "/list", handler[query.ListRequest, query.Paginated[*user]], web.As[userSchema]())
	ok(t, api)
	text, err := api.Document()
	var doc any
	if err != nil || json.Unmarshal(text, &doc) != nil {
		t.Fatal(err)
	}
	post := node(t, doc, "paths", "/grid", "post")
	for want, path := range map[string][]string{
		"#/components/schemas/GridRequest":        {"requestBody", "content", "application/json", "schema", "$ref"},
		"#/components/schemas/GridPageUserSchema": {"responses", "200", "content", "application/json", "schema", "$ref"},
	} {
		if got := node(t, post, path...); got != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
	schemas := node(t, doc, "components", "schemas")
	if got := node(t, schemas, "GridItem", "additionalProperties"); got != true {
		t.Errorf("an item may have other properties: %v", got)
	}
	if got := fmt.Sprint(node(t, schemas, "GridFilter", "properties", "items", "maxItems"), node(t, schemas, "GridPagination", "properties", "pageSize", "maximum"),
		node(t, schemas, "GridRequest", "properties", "sortModel", "maxItems"), node(t, schemas, "GridFilter", "properties", "quickFilterValues", "maxItems")); got != fmt.Sprint(query.MaxItems, query.MaxPageSize, query.MaxSorts, query.MaxSearch) {
		t.Errorf("the bounds are %s", got)
	}
	params := fmt.Sprint(node(t, doc, "paths", "/list", "get", "parameters"))
	for _, name := range []string{"name:page ", "name:page_size ", "name:sort "} {
		if !strings.Contains(params, name) {
			t.Errorf("no %s among %s", name, params)
		}
	}
}

// A list endpoint that takes nothing but a page refuses filters as well: it has no rule for them.
func TestListsOfPagesAloneRefuseFilters(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(web.Config{})
	web.Get(api, "/page", handler[query.PageRequest, none])
	web.Get(api, "/sorted", handler[query.ListRequest, none])
	ok(t, api)
	send(t, api, nil, "GET", "/page?page=1&page_size=3", nil).body(t, 204, "")
	send(t, api, nil, "GET", "/sorted?page=1&sort=-name", nil).body(t, 204, "")
	for _, target := range []string{"/page?color=red", "/page?sort=name", "/sorted?color=red", "/sorted?sort=" + strings.Repeat("x", 501)} {
		send(t, api, nil, "GET", target, nil).problem(t, 400)
	}
}
