package web_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/web"
)

// document is an OpenAPI document as its readers have it.
type document struct {
	*testing.T
	root any
}

func documentOf(t *testing.T, api *web.API) document {
	t.Helper()
	text, err := api.Document()
	var root any
	if err != nil || json.Unmarshal(text, &root) != nil {
		t.Fatal(err)
	}
	return document{t, root}
}

// schema follows the reference of what has a schema, and checks which one it is; "" is one without a name.
func (d document) schema(of any, name string) any {
	d.Helper()
	s := node(d.T, of, "schema")
	ref, _ := s.(map[string]any)["$ref"].(string)
	if strings.TrimPrefix(ref, "#/components/schemas/") != name {
		d.Fatalf("the schema is %q, want %q", ref, name)
	}
	if name != "" {
		s = node(d.T, d.root, "components", "schemas", name)
	}
	return s
}

// response and body are the schemas of an operation's answer and of what it is sent.
func (d document) response(operation any, status, name string) any {
	d.Helper()
	return d.schema(node(d.T, operation, "responses", status, "content", "application/json"), name)
}

func (d document) body(operation any, name string) any {
	d.Helper()
	return d.schema(node(d.T, operation, "requestBody", "content", "application/json"), name)
}

// properties checks which properties a schema has, and which of them are required.
func (d document) properties(schema any, want, required string) {
	d.Helper()
	got := slices.Sorted(maps.Keys(node(d.T, schema, "properties").(map[string]any)))
	if strings.Join(got, " ") != want {
		d.Errorf("the properties are %q, want %q", got, want)
	}
	if got := fmt.Sprint(schema.(map[string]any)["required"]); strings.Trim(got, "[]") != required {
		d.Errorf("required are %s, want %s", got, required)
	}
}

// is checks a property of a schema: what it says under names, one after the other.
func (d document) is(schema any, property, names, want string) {
	d.Helper()
	p := node(d.T, schema, "properties", property)
	var got []string
	for name := range strings.FieldsSeq(names) {
		got = append(got, fmt.Sprint(node(d.T, p, strings.Split(name, ".")...)))
	}
	if strings.Join(got, " ") != want {
		d.Errorf("of %s, %s are %q, want %s", property, names, got, want)
	}
}

// parameters returns the parameters of an operation by their names, which have to be those.
func (d document) parameters(operation any, want string) map[string]any {
	d.Helper()
	byName := map[string]any{}
	for _, p := range node(d.T, operation, "parameters").([]any) {
		name := node(d.T, p, "name").(string)
		if byName[name] != nil || node(d.T, p, "in") != "query" || p.(map[string]any)["required"] != nil {
			d.Errorf("a parameter is %v", p)
		}
		byName[name] = p
	}
	if got := strings.Join(slices.Sorted(maps.Keys(byName)), " "); got != want {
		d.Errorf("the parameters are %s, want %s", got, want)
	}
	return byName
}

// TestFiltersAreDocumented: each filter of a list is a parameter whose members are the operators that it takes, and the page
// one with its bounds.
func TestFiltersAreDocumented(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(web.Config{})
	web.Get(api, "/list", handler[Listing, query.Paginated[*user]], web.As[userSchema]())
	ok(t, api)
	d := documentOf(t, api)
	list := node(t, d.root, "paths", "/list", "get")
	params := d.parameters(list, "day name owner page page_size total")
	for name, c := range map[string]struct{ schema, operators string }{
		"name":  {"StringCriteria", "case_sensitive in is_exact null value"},
		"total": {"CriteriaInt64", "eq gt gte in lt lte ne null"},
		"owner": {"CriteriaUUID", "eq gt gte in lt lte ne null"},
		"day":   {"DateCriteria", "eq gt gte lt lte null"},
	} {
		if style, explode := node(t, params[name], "style"), node(t, params[name], "explode"); style != "deepObject" || explode != true {
			t.Errorf("%s is written as %v, %v", name, style, explode)
		}
		d.properties(d.schema(params[name], c.schema), c.operators, "<nil>")
	}
	d.is(d.schema(params["name"], "StringCriteria"), "value", "type maxLength", fmt.Sprint("string ", query.MaxText))
	d.is(d.schema(params["name"], "StringCriteria"), "in", "items.type maxItems", fmt.Sprint("string ", query.MaxValues))
	d.is(d.schema(params["total"], "CriteriaInt64"), "in", "items.type items.format maxItems", fmt.Sprint("integer int64 ", query.MaxValues))
	d.is(d.schema(params["total"], "CriteriaInt64"), "gte", "type format", "integer int64")
	d.is(d.schema(params["owner"], "CriteriaUUID"), "ne", "format", "uuid")
	d.is(d.schema(params["day"], "DateCriteria"), "lt", "format", "date")
	d.bounds(map[string]any{"properties": map[string]any{
		"page": d.schema(params["page"], ""), "page_size": d.schema(params["page_size"], ""),
	}})
	page := d.response(list, "200", "PaginatedUserSchema")
	d.properties(page, "has_next items page page_size precision total", "items total page page_size")
	d.is(page, "items", "type items.$ref", "array #/components/schemas/UserSchema")
}

// bounds checks those of a page's number, where there is one, and size.
func (d document) bounds(schema any) {
	d.Helper()
	if node(d.T, schema, "properties").(map[string]any)["page"] != nil {
		d.is(schema, "page", "type minimum", "integer 0")
	}
	d.is(schema, "page_size", "type minimum maximum", fmt.Sprint("integer 0 ", query.MaxPageSize))
}

// TestListRequestsAreDocumented: what lists are asked by cursors, by grids and in bodies, and how they answer.
func TestListRequestsAreDocumented(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(web.Config{})
	web.Get(api, "/walk", handler[query.CursorRequest, query.CursorPage[*user]], web.As[userSchema]())
	web.Post(api, "/walk", handler[struct{ Body query.CursorRequest }, query.CursorPage[*user]], web.As[userSchema]())
	web.Post(api, "/list", handler[struct{ Body query.ListRequest }, query.Paginated[*user]], web.As[userSchema]())
	web.Post(api, "/grid", handler[query.GridRequest, query.GridPage[*user]], web.As[userSchema]())
	web.Post(api, "/body", handler[struct{ Body query.GridRequest }, query.GridPage[*user]], web.As[userSchema]())
	ok(t, api)
	d := documentOf(t, api)
	operation := func(method, path string) any { return node(t, d.root, "paths", path, method) }

	params := d.parameters(operation("get", "/walk"), "cursor page_size")
	asParams := map[string]any{"properties": map[string]any{
		"cursor": d.schema(params["cursor"], ""), "page_size": d.schema(params["page_size"], ""),
	}}
	walk := d.body(operation("post", "/walk"), "CursorRequest")
	d.properties(walk, "cursor page_size", "<nil>")
	for _, s := range []any{asParams, walk} {
		d.is(s, "cursor", "type maxLength", fmt.Sprint("string ", query.MaxCursor))
		d.bounds(s)
	}
	list := d.body(operation("post", "/list"), "ListRequest")
	d.properties(list, "page page_size sort", "<nil>")
	d.is(list, "sort", "type maxLength", "string 500")
	d.bounds(list)

	for _, method := range []string{"get", "post"} {
		page := d.response(operation(method, "/walk"), "200", "CursorPageUserSchema")
		d.properties(page, "items next page_size precision prev total", "items next prev page_size")
		d.is(page, "items", "type items.$ref", "array #/components/schemas/UserSchema")
	}
	d.properties(d.response(operation("post", "/list"), "200", "PaginatedUserSchema"),
		"has_next items page page_size precision total", "items total page page_size")
	for _, path := range []string{"/grid", "/body"} {
		grid := d.body(operation("post", path), "GridRequest")
		d.properties(grid, "end filterModel groupKeys paginationModel sortModel start", "<nil>")
		page := d.response(operation("post", path), "200", "GridPageUserSchema")
		d.properties(page, "pageInfo rowCount rows", "rows rowCount pageInfo")
		d.is(page, "rows", "type items.$ref", "array #/components/schemas/UserSchema")
		d.is(page, "pageInfo", "$ref", "#/components/schemas/GridPageInfo")
	}
	if got := node(t, d.root, "components", "schemas", "GridRequest", "additionalProperties"); got != true {
		t.Errorf("a grid may send more: %v", got)
	}
}
