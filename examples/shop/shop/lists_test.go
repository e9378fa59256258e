package shop_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// named returns a member of each item of a list, in their order.
func named(list any, name string) string {
	var all []string
	for _, item := range list.([]any) {
		all = append(all, fmt.Sprint(item.(object)[name]))
	}
	return strings.Join(all, " ")
}

// grid sends a request as a data grid's data source makes it.
func (c *client) grid(path, filter, sort string) object {
	c.Helper()
	body := json.RawMessage(`{"paginationModel":{"page":0,"pageSize":25},"start":0,"end":24,"groupKeys":[],
		"sortModel":[` + sort + `],"filterModel":{` + filter + `}}`)
	return c.want(200, "POST", path, body)
}

func TestLists(t *testing.T) {
	t.Parallel()
	onEach(t, func(c *client) {
		ann, bob := c.user("ann@example.com"), c.user("bob@example.com")
		a, b := c.product("A", 250, 30), c.product("B", 100, 10)
		c.product("C_1", 100, 0)
		for _, o := range []object{order(ann, a, 2), order(bob, b, 5), order(ann, a, 1, b, 1)} {
			c.want(201, "POST", "/orders", o)
		}

		for target, want := range map[string]string{
			"/products":                              "A B C_1",
			"/products?sort=-price_cents,-sku":       "A C_1 B",
			"/products?sort=stock&page_size=2":       "C_1 B",
			"/products?stock[gt]=0&sort=price_cents": "B A",
			"/products?name=THING&page=1":            "",
		} {
			if got := named(c.want(200, "GET", target, nil)["items"], "sku"); got != want {
				c.Errorf("%s: %q, want %q", target, got, want)
			}
		}
		for target, want := range map[string]string{
			"/orders?page=0&page_size=20":                    "350 500 500",
			"/orders?page=1&page_size=2":                     "500",
			"/orders?sort=total_cents,-created_at":           "350 500 500",
			"/orders?total_cents[gte]=400":                   "500 500",
			"/orders?user_id=" + bob:                         "500",
			"/orders?user_id=" + bob + "&created=1999-01-01": "",
		} {
			if got := named(c.want(200, "GET", target, nil)["items"], "total_cents"); got != want {
				c.Errorf("%s: %q, want %q", target, got, want)
			}
		}
		for target, field := range map[string]string{
			"/products?sort=version": "version", "/products?colour=red": "colour", "/orders?status[like]=p": "status[like]",
			"/orders?user_id=ann": "user_id", "/orders?page=100000": "page", "/orders?page_size=1000": "page_size", "/audit?who=ann": "who",
			"/products?page[gte]=1": "page[gte]", "/orders?sort[x]=id": "sort[x]", "/orders/walk?cursor[ne]=x": "cursor[ne]", "/users?page[]=1": "page[]",
			"/orders?status[eq=paid": "status[eq", "/orders?page=0&page=1": "page", "/products?sort=sku&sort=name": "sort",
		} {
			if problem := c.want(400, "GET", target, nil); !strings.Contains(fmt.Sprint(problem["errors"]), field) {
				c.Errorf("%s: %v", target, problem)
			}
		}
	})
}

// TestListsRefuseQueryStringsThatCannotBeRead: a filter that is misspelled for the query string itself shows no rows, and not
// all of them.
func TestListsRefuseQueryStringsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	onEach(t, func(c *client) {
		c.product("A", 250, 30)
		for _, target := range []string{
			"GET /products?name=50%", "GET /products?stock[gt]=0;name=x", "GET /orders?total_cents[gte]=1;status=paid", "GET /orders?page=0&%zz=1",
			"GET /orders/walk?user_id=%ZZ", "GET /orders/walk?page_size=2;sort=id", "GET /users?page=%", "GET /audit?;", "POST /orders/grid?status=%f",
			"POST /products/grid?a;b",
		} {
			method, path, _ := strings.Cut(target, " ")
			problem := c.want(400, method, path, object{})
			if fmt.Sprint(problem["errors"]) != "[map[message:has the wrong form name:query]]" || problem["detail"] != "the query string cannot be read" {
				c.Errorf("%s: %v", target, problem)
			}
		}
		if got := named(c.want(200, "GET", "/products?name=THING&stock%5Bgt%5D=0", nil)["items"], "sku"); got != "A" {
			c.Errorf("what can be read finds %s", got)
		}
	})
}

// TestBoundsOfLists: who asks for too much is told of what, and how much there may be.
func TestBoundsOfLists(t *testing.T) {
	t.Parallel()
	times := func(n int, one string) string { return strings.TrimSuffix(strings.Repeat(one+",", n), ",") }
	items := func(item string) string { return `{"filterModel":{"items":[` + item + `]}}` }
	of := func(field, operator, value string) string {
		return items(`{"field":"` + field + `","operator":"` + operator + `","value":` + value + `}`)
	}
	long, number := strings.Repeat("x", 1001), strings.Repeat("1", 101)
	onEach(t, func(c *client) {
		for _, b := range []struct {
			target, body string // a GET without a body
			field, bound string
		}{
			{"/orders?page=5001", "", "page", "100000"},
			{"/orders?page=-1", "", "page", "0"},
			{"/orders?page_size=201", "", "page_size", "200"},
			{"/orders?page_size=-1", "", "page_size", "0"},
			{"/orders?sort=" + long, "", "sort", "500"},
			{"/orders?sort=" + times(11, "id"), "", "sort", "10"},
			{"/orders/walk?page_size=201", "", "page_size", "200"},
			{"/orders/walk?cursor=" + strings.Repeat("x", 4097), "", "cursor", "4096"},
			{"/orders/walk?sort=" + long, "", "sort", "500"},
			{"/orders?total_cents=1" + strings.Repeat("&total_cents[in]=1", 501), "", "total_cents.in", "500"},
			{"/products?name=" + long, "", "name.value", "1000"},
			{"/products?name[in]=" + long, "", "name.in", "1000"},
			{"/products?name[in]=a" + strings.Repeat("&name[in]=a", 500), "", "name.in", "500"},
			{"/orders/grid", items(times(51, `{"field":"id","operator":"isEmpty"}`)), "filterModel.items", "50"},
			{"/orders/grid", of("total_cents", "isAnyOf", "["+times(501, "1")+"]"), "filterModel.items[0].value", "500"},
			{"/orders/grid", of("status", "isAnyOf", "["+times(501, `"paid"`)+"]"), "filterModel.items[0].value", "500"},
			{"/orders/grid", of("customer", "contains", `"`+long+`"`), "filterModel.items[0].value", "1000"},
			{"/orders/grid", of("total_cents", "=", number), "filterModel.items[0].value", "100"},
			{"/orders/grid", `{"filterModel":{"quickFilterValues":[` + times(21, `"a"`) + `]}}`, "filterModel.quickFilterValues", "20"},
			{"/orders/grid", `{"filterModel":{"quickFilterValues":["` + long + `"]}}`, "filterModel.quickFilterValues[0]", "1000"},
			{"/orders/grid", `{"sortModel":[` + times(11, `{"field":"id","sort":"asc"}`) + `]}`, "sortModel", "10"},
			{"/orders/grid", `{"paginationModel":{"page":1001,"pageSize":100}}`, "paginationModel.page", "100000"},
			{"/orders/grid", `{"paginationModel":{"pageSize":201}}`, "paginationModel.pageSize", "200"},
			{"/orders/grid", `{"start":100001}`, "start", "100000"},
			{"/orders/grid", `{"start":0,"end":200}`, "end", "200"},
			{"/orders/grid", `{"start":"` + strings.Repeat("x", 4097) + `"}`, "start", "4096"},
			{"/orders/grid", `{"groupKeys":["a"]}`, "groupKeys", "0"},
		} {
			method, body := "GET", any(nil)
			if b.body != "" {
				method, body = "POST", json.RawMessage(b.body)
			}
			status, problem := c.call(method, b.target, body)
			errors, _ := problem["errors"].([]any)
			if status != 400 || len(errors) != 1 || errors[0].(object)["name"] != b.field ||
				!regexp.MustCompile(`\b`+b.bound+`\b`).MatchString(errors[0].(object)["message"].(string)) {
				c.Errorf("%.60s %.60s: %d %v, not of %s and %s", b.target, b.body, status, problem, b.field, b.bound)
			}
		}
	})
}

// placeOrders has two users place orders of 100 to 700 cents, and returns the users. The totals are in no order.
func (c *client) placeOrders() (ann, bob string) {
	c.Helper()
	ann, bob = c.user("ann@example.com"), c.user("bob@example.com")
	product := c.product("A", 100, 100)
	for _, n := range []int{3, 7, 1, 5, 2, 6, 4} {
		c.want(201, "POST", "/orders", order([]string{ann, bob}[n%2], product, n))
	}
	return ann, bob
}

// walk follows the cursors of a list from its first page to its last and back, and returns what the totals are on each page.
func (c *client) walk(fetch func(cursor string) (rows any, next, prev string)) (forth, back []string) {
	c.Helper()
	cursor := ""
	for {
		rows, next, prev := fetch(cursor)
		forth = append(forth, named(rows, "total_cents"))
		if (prev == "") != (cursor == "") {
			c.Errorf("behind %q, what is before is %q", cursor, prev)
		}
		if cursor = next; next == "" {
			cursor = prev
			break
		}
	}
	for cursor != "" {
		rows, next, prev := fetch(cursor)
		back = append(back, named(rows, "total_cents"))
		if cursor = prev; next == "" {
			c.Errorf("on the way back nothing is behind %v", rows)
		}
	}
	return forth, back
}

// TestWalks: the cursors of answers lead from page to page, forth and back, and nowhere under another order or filter.
func TestWalks(t *testing.T) {
	t.Parallel()
	onEach(t, func(c *client) {
		ann, bob := c.placeOrders()
		path := func(query, cursor string) string {
			return "/orders/walk?page_size=3&" + query + "&cursor=" + url.QueryEscape(cursor)
		}
		for query, want := range map[string][]string{
			"":                                {"400 600 200", "500 100 700", "300"},
			"sort=total_cents":                {"100 200 300", "400 500 600", "700"},
			"sort=customer,-total_cents":      {"700 600 500", "400 300 200", "100"},
			"user_id=" + bob:                  {"500 100 700", "300"},
			"sort=total_cents&user_id=" + ann: {"200 400 600"},
		} {
			forth, back := c.walk(func(cursor string) (any, string, string) {
				page := c.want(200, "GET", path(query, cursor), nil)
				return page["items"], page["next"].(string), page["prev"].(string)
			})
			slices.Reverse(back)
			if !slices.Equal(forth, want) || !slices.Equal(back, want[:len(want)-1]) {
				c.Errorf("%s: %q, and back %q, want %q", query, forth, back, want)
			}
		}

		cursor := c.want(200, "GET", path("total_cents[gte]=200", ""), nil)["next"].(string)
		c.want(200, "GET", strings.Replace(path("total_cents[gte]=200", cursor), "page_size=3", "page_size=1", 1), nil)
		for query, why := range map[string]string{
			"total_cents[gte]=200&sort=total_cents": "another order",
			"total_cents[gte]=201":                  "another filter",
			"total_cents[gt]=200":                   "another filter",
			"":                                      "another filter",
		} {
			c.refuses("cursor", why, "GET", path(query, cursor), nil)
		}
		c.refuses("cursor", "is not a cursor", "GET", path("total_cents[gte]=200", cursor[:len(cursor)-4]+"AAAA"), nil)
	})
}

// refuses sends a request of which one field is wrong.
func (c *client) refuses(field, why, method, path string, body any) {
	c.Helper()
	problem := c.want(400, method, path, body)
	errors, _ := problem["errors"].([]any)
	if len(errors) != 1 || errors[0].(object)["name"] != field || !strings.Contains(fmt.Sprint(errors[0].(object)["message"]), why) {
		c.Errorf("%.99s: %v, not of %s, %s", path, problem, field, why)
	}
}

// TestGridsByCursors: a grid that starts at "" is given the cursor of the next page until there is none.
func TestGridsByCursors(t *testing.T) {
	t.Parallel()
	onEach(t, func(c *client) {
		_, bob := c.placeOrders()
		ask := func(start, models string) json.RawMessage {
			return json.RawMessage(`{"paginationModel":{"page":0,"pageSize":3},"end":24,"groupKeys":[],"start":"` + start + `"` + models + `}`)
		}
		sorted, bobs := `,"sortModel":[{"field":"total_cents","sort":"desc"}]`, `,"filterModel":{"items":[{"field":"user_id","operator":"equals","value":"`+bob+`"}]}`
		for models, want := range map[string][]string{
			"":            {"400 600 200", "500 100 700", "300"},
			sorted:        {"700 600 500", "400 300 200", "100"},
			bobs + sorted: {"700 500 300", "100"},
		} {
			var got []string
			for start, more := "", true; more; {
				page := c.want(200, "POST", "/orders/grid", ask(start, models))
				info := page["pageInfo"].(object)
				got = append(got, named(page["rows"], "total_cents"))
				start, more = fmt.Sprint(info["nextCursor"]), info["hasNextPage"].(bool)
				if _, given := info["nextCursor"]; given != more || page["rowCount"] != -1.0 {
					c.Errorf("%s: %v", models, page)
				}
			}
			if !slices.Equal(got, want) {
				c.Errorf("%s: %q, want %q", models, got, want)
			}
		}
		start := c.want(200, "POST", "/orders/grid", ask("", sorted))["pageInfo"].(object)["nextCursor"].(string)
		c.refuses("start", "another order", "POST", "/orders/grid", ask(start, ""))
		c.refuses("start", "another filter", "POST", "/orders/grid", ask(start, sorted+bobs))
		c.refuses("start", "is not a cursor", "POST", "/orders/grid", ask(start[:len(start)-4]+"AAAA", sorted))
	})
}

func TestGrids(t *testing.T) {
	t.Parallel()
	onEach(t, func(c *client) {
		ann, bob := c.user("ann@example.com"), c.user("bob@example.com")
		a, b := c.product("A", 250, 30), c.product("B", 100, 10)
		c.product("C_1", 100, 0)
		for _, o := range []object{order(ann, a, 2), order(bob, b, 5), order(ann, a, 1, b, 1)} {
			c.want(201, "POST", "/orders", o)
		}

		got := c.grid("/products/grid", `"items":[{"field":"name","operator":"contains","id":48213,"value":"thing","fromInput":":r5:"},
			{"field":"stock","operator":">","id":"x","value":0}],"logicOperator":"and","quickFilterValues":[]`, `{"field":"price_cents","sort":"asc"}`)
		if keys(got) != "pageInfo rowCount rows" || named(got["rows"], "sku") != "B A" || got["rowCount"] != 2.0 {
			c.Errorf("products are %v", got)
		}
		if k := keys(got["rows"].([]any)[0].(object)); k != "id name price_cents sku stock" {
			c.Errorf("a product has %s", k)
		}
		got = c.grid("/products/grid", `"items":[],"quickFilterValues":["c_"]`, "")
		if named(got["rows"], "sku") != "C_1" {
			c.Errorf("a search finds %v", got)
		}
		got = c.grid("/orders/grid", `"items":[{"field":"status","operator":"isAnyOf","value":["placed","paid"]},
			{"field":"customer","operator":"equals","value":"ANN"},{"field":"total_cents","operator":"=","value":500}]`, `{"field":"created_at","sort":"desc"}`)
		if named(got["rows"], "user_id") != bob+" "+ann || got["rowCount"] != 2.0 {
			c.Errorf("orders are %v", got)
		}
		part := c.want(200, "POST", "/orders/grid", object{"start": 1, "end": 1})
		if len(part["rows"].([]any)) != 1 || part["rowCount"] != 3.0 || fmt.Sprint(part["pageInfo"]) != "map[hasNextPage:true]" {
			c.Errorf("a part of the orders is %v", part)
		}

		for body, field := range map[string]string{
			`{"filterModel":{"items":[{"field":"user.email","operator":"contains","value":"a"}]}}`: "user.email",
			`{"filterModel":{"items":[{"field":"status","operator":"contains","value":"a"}]}}`:     "contains",
			`{"filterModel":{"items":[{"field":"user_id","operator":"equals","value":"ann"}]}}`:    "user_id",
			`{"filterModel":{"items":[{"field":"total_cents","operator":">","value":"ten"}]}}`:     "total_cents",
			`{"filterModel":{"items":[{"operator":"isEmpty"}]}}`:                                   "field",
			`{"sortModel":[{"field":"status","sort":"up"}]}`:                                       "sortModel[0].sort",
			`{"sortModel":"status"}`:                "sortModel",
			`{"paginationModel":{"pageSize":1000}}`: "pageSize",
			`{"start":"opaque"}`:                    "start",
			`[]`:                                    "body",
		} {
			problem := c.want(400, "POST", "/orders/grid", json.RawMessage(body))
			if !strings.Contains(fmt.Sprint(problem["errors"], problem["detail"]), field) {
				c.Errorf("%s: %v", body, problem)
			}
		}
	})
}
