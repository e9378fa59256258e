package shop_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/urututest"
)

// TestListsAreDocumented: /openapi.json says of each list what it may be asked and how it answers.
func TestListsAreDocumented(t *testing.T) {
	t.Parallel()
	c := open(t, urututest.URL(t, urututest.InSQLite))
	doc := c.want(200, "GET", "/openapi.json", nil)
	for _, l := range []struct{ method, path, params, body, page, list, rows string }{
		{"get", "/products", "name page page_size price_cents sort stock", "", "PaginatedProductView", "items", "ProductView"},
		{"get", "/orders", "created page page_size sort status total_cents user_id", "", "PaginatedOrderSummary", "items", "OrderSummary"},
		{"get", "/orders/walk", "created cursor page_size sort status total_cents user_id", "", "CursorPageOrderSummary", "items", "OrderSummary"},
		{"post", "/products/grid", "", "GridRequest", "GridPageProductView", "rows", "ProductView"},
		{"post", "/orders/grid", "", "GridRequest", "GridPageOrderSummary", "rows", "OrderSummary"},
	} {
		operation := c.at(doc, "paths", l.path, l.method).(object)
		if got := params(operation); got != l.params {
			c.Errorf("%s %s takes %q, want %q", l.method, l.path, got, l.params)
		}
		if l.body != "" {
			c.refers(c.at(operation, "requestBody", "content", "application/json", "schema"), l.body)
		} else if operation["requestBody"] != nil {
			c.Errorf("%s %s takes the body %v", l.method, l.path, operation["requestBody"])
		}
		c.refers(c.at(operation, "responses", "200", "content", "application/json", "schema"), l.page)
		c.refers(c.at(doc, "components", "schemas", l.page, "properties", l.list, "items"), l.rows)
	}
	for schema, want := range map[string]string{
		"GridRequest":            "end filterModel groupKeys paginationModel sortModel start",
		"GridPageOrderSummary":   "pageInfo rowCount rows",
		"GridPageProductView":    "pageInfo rowCount rows",
		"CursorPageOrderSummary": "items next page_size precision prev total",
		"PaginatedOrderSummary":  "has_next items page page_size precision total",
		"PaginatedProductView":   "has_next items page page_size precision total",
		"OrderSummary":           "created_at id status total_cents user_id",
		"ProductView":            "id name price_cents sku stock",
		"CriteriaStatus":         "eq gt gte in lt lte ne null",
	} {
		if got := keys(c.at(doc, "components", "schemas", schema, "properties").(object)); got != want {
			c.Errorf("a %s has %q, want %q", schema, got, want)
		}
	}
}

// at returns what is at a path in an object.
func (c *client) at(v any, path ...string) any {
	c.Helper()
	for i, name := range path {
		m, _ := v.(object)
		if v = m[name]; v == nil {
			c.Fatalf("there is no %s: %v has %s", strings.Join(path, " "), path[:i], keys(m))
		}
	}
	return v
}

// refers checks that a schema is the one of that name.
func (c *client) refers(schema any, name string) {
	c.Helper()
	if got := c.at(schema, "$ref"); got != "#/components/schemas/"+name {
		c.Errorf("the schema is %v, want %s", got, name)
	}
}

// params are the names of an operation's parameters, in their order.
func params(operation object) string {
	all, _ := operation["parameters"].([]any)
	names := map[string]bool{}
	for _, p := range all {
		names[p.(object)["name"].(string)] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), " ")
}
