package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// gridCase is one request's filter, by what it shows.
type gridCase struct {
	name                   string
	field, operator, value string
	want                   string
}

// TestPromise48_grid_operators: every operator of every column type, with the grid's own rules for NULL, case and trimming.
func TestPromise48_grid_operators(t *testing.T) {
	cases := []gridCase{
		{"contains, in any case", "name", "contains", `"aNN"`, "1"},
		{"contains is trimmed", "name", "contains", `"  ann "`, "1"},
		{"wildcards are letters: percent", "name", "contains", `"0%"`, "1"},
		{"wildcards are letters: percent alone", "name", "contains", `"%"`, "1"},
		{"wildcards are letters: underscore", "note", "contains", `"_"`, "2"},
		{"wildcards are letters: backslash", "name", "contains", `"\\"`, "3"},
		{"Latin-1 folds", "name", "contains", `"éclair"`, "2"},
		{"accents matter", "name", "contains", `"eclair"`, ""},
		{"Cyrillic folds", "name", "startsWith", `"ЖИЗ"`, "3"},
		{"equals, in any case", "name", "equals", `" éCLAIR"`, "2"},
		{"equals is the whole text", "name", "equals", `"ann"`, ""},
		{"equals folds Cyrillic", "name", "equals", `"жИЗНЬ\\"`, "3"},
		{"ends with", "name", "endsWith", `"0%"`, "1"},
		{"doesNotContain finds NULL", "name", "doesNotContain", `"ANN"`, "2 3 4 5"},
		{"doesNotContain without NULLs", "note", "doesNotContain", `"ann"`, "1 2 3 4"},
		{"doesNotEqual finds NULL", "name", "doesNotEqual", `"éclair"`, "1 3 4 5"},
		{"isEmpty is NULL or empty", "name", "isEmpty", "", "4 5"},
		{"isEmpty needs no value and heeds none", "name", "isEmpty", `{"odd":[1]}`, "4 5"},
		{"isNotEmpty", "name", "isNotEmpty", `null`, "1 2 3"},
		{"isEmpty without NULLs", "note", "isEmpty", "", "3 4"},
		{"isAnyOf, in any case", "name", "isAnyOf", `["éclair"," ANN 50% ","nobody"]`, "1 2"},
		{"isAnyOf one", "name", "isAnyOf", `["ЖИЗНЬ\\"]`, "3"},
		{"isAnyOf may have an empty text", "name", "isAnyOf", `[""]`, "5"},

		{"number equals", "size", "=", `9`, "1 5"},
		{"number differs, and finds NULL", "size", "!=", `9`, "2 3 4"},
		{"number greater", "size", ">", `9`, "2"},
		{"number at least", "size", ">=", `9`, "1 2 5"},
		{"number less finds no NULL", "size", "<", `9`, "3"},
		{"number at most", "size", "<=", `9`, "1 3 5"},
		{"number is empty", "size", "isEmpty", "", "4"},
		{"number is not empty", "size", "isNotEmpty", "", "1 2 3 5"},
		{"number is any of", "size", "isAnyOf", `[10, -3, 77]`, "2 3"},
		{"zero is a value", "weight", "=", `0`, "5"},
		{"whole numbers equal no fraction", "size", "=", `9.5`, ""},
		{"and differ from each", "size", "!=", `9.5`, "1 2 3 4 5"},
		{"above a fraction", "size", ">", `9.5`, "2"},
		{"at least a fraction", "size", ">=", `9.5`, "2"},
		{"below a fraction", "size", "<", `9.5`, "1 3 5"},
		{"at most a negative fraction", "size", "<=", `-2.5`, "3"},
		{"any of fractions", "size", "isAnyOf", `[9.5]`, ""},
		{"any of fractions and others", "size", "isAnyOf", `[9.5, 10.0]`, "2"},
		{"exponents", "size", "=", `1e1`, "2"},
		{"the largest unsigned number", "big", "=", `18446744073709551615`, "1"},
		{"unsigned numbers are ordered", "big", ">=", `9223372036854775808`, "1 2"},
		{"float", "weight", ">", `0.25`, "1 2"},
		{"a float of half the size", "ratio", "=", `0.1`, "1"},
		{"decimals are equal as numbers", "price", "=", `10.5`, "2"},
		{"decimals compare as numbers", "price", ">", `9`, "2 3"},
		{"decimals below", "price", "<", `9`, "5"},
		{"decimals differ, and find NULL", "price", "!=", `9.00`, "2 3 4 5"},
		{"decimals any of", "price", "isAnyOf", `[9.0, "1e2"]`, "1 3"},
		{"decimals as texts", "price", "=", `" -0.1250"`, "5"},

		{"boolean is true", "on", "is", `true`, "1 3"},
		{"boolean is false finds NULL", "on", "is", `false`, "2 4 5"},

		{"select is, by the whole value", "status", "is", `"open"`, "1"},
		{"select not finds NULL", "status", "not", `"open"`, "2 3 4 5"},
		{"select takes an option", "status", "is", `{"value":"Open","label":"Offen"}`, "2"},
		{"select any of values and options", "status", "isAnyOf", `["done",{"value":"open"}]`, "1 5"},
		{"select is not trimmed", "status", "is", `" open"`, ""},
		{"select in its own JSON form", "grade", "is", `"AA"`, "2 3"},
		{"select any of, in its own form", "grade", "isAnyOf", `["A","AAA"]`, "1 5"},
		{"select any of, in its own form, which may be an empty text", "grade", "isAnyOf", `["","A"]`, "1 4"},
		{"select not, in its own form", "grade", "not", `{"value":"AA"}`, "1 4 5"},

		{"UUID equals, trimmed", "owner", "equals", `" 01920000-0000-7000-8000-0000000000AA "`, "1"},
		{"UUID differs, and finds NULL", "owner", "doesNotEqual", `"01920000-0000-7000-8000-0000000000aa"`, "2 3 4 5"},
		{"UUID is any of", "owner", "isAnyOf", `["01920000-0000-7000-8000-0000000000aa"]`, "1"},
		{"UUID is empty", "owner", "isEmpty", "", "2 3 4 5"},

		{"a joined column", "maker", "contains", `"ACM"`, "1 5"},
		{"a joined column of no row is NULL", "maker", "doesNotContain", `"acm"`, "2 3 4"},
		{"a joined column that is empty", "maker", "isEmpty", "", "3 4"},
		{"a joined column with NULL", "country", "isNotEmpty", "", "2"},
		{"an expression", "parts", ">=", `5`, "1 5"},
		{"an expression differs", "parts", "!=", `5`, "2 3 4 5"},
		{"an expression is any of", "parts", "isAnyOf", `[7,0]`, "2 3 4 5"},
		{"an expression with parameters", "label", "contains", `"ON"`, "4 5"},
		{"an expression with parameters, any of", "label", "isAnyOf", `["NONE","open"]`, "1 2 4"},
		{"an expression with parameters, empty", "label", "isEmpty", "", "3"},
		{"an expression with parameters, not", "label", "doesNotEqual", `"OPEN"`, "3 4 5"},
		{"a secret column that is listed", "password", "contains", `"HID"`, "4"},
		{"a secret column, any of", "password", "isAnyOf", `["HIDDEN", "b"]`, "4"},
	}
	onGear(t, gearList, cases)
}

// TestPromise48_grid_dates: days as they were picked, half-open, in the zone of the list; times by the minute.
func TestPromise48_grid_dates(t *testing.T) {
	const day = `"2026-11-29T00:00:00.000Z"`
	cases := []gridCase{
		{"on the day, both ends", "madeOn", "is", day, "2 3"},
		{"a day by itself", "madeOn", "is", `"2026-11-29"`, "2 3"},
		{"the UTC day counts, wherever it was sent from", "madeOn", "is", `"2026-11-28T21:00:00-03:00"`, "2 3"},
		{"not on the day finds no NULL", "madeOn", "not", day, "1 5"},
		{"after the day", "madeOn", "after", day, "5"},
		{"on the day or after", "madeOn", "onOrAfter", day, "2 3 5"},
		{"before the day", "madeOn", "before", day, "1"},
		{"on the day or before", "madeOn", "onOrBefore", day, "1 2 3"},
		{"no day", "madeOn", "isEmpty", "", "4"},
		{"a day at all", "madeOn", "isNotEmpty", "", "1 2 3 5"},
		{"a column of days", "day", "is", day, "2 3"},
		{"after, in a column of days", "day", "after", day, "5"},

		{"within the minute", "made", "is", `"2026-11-29T10:20:00.000Z"`, "3"},
		{"within the minute, whatever the second", "made", "is", `"2026-11-29T10:20:59.000Z"`, "3"},
		{"another minute", "made", "is", `"2026-11-29T10:21:00.000Z"`, ""},
		{"not within the minute finds no NULL", "made", "not", `"2026-11-29T10:20:00.000Z"`, "1 2 5"},
		{"after an instant", "made", "after", day, "3 5"},
		{"at an instant or after", "made", "onOrAfter", day, "2 3 5"},
		{"before an instant", "made", "before", day, "1"},
		{"at an instant or before", "made", "onOrBefore", `"2026-11-28T21:00:00-03:00"`, "1 2"},
	}
	onGear(t, gearList, cases)
	tokyo, err := time.LoadLocation("Asia/Tokyo") // in which it is the 29th from 15:00 of the 28th, UTC
	must(t, err)
	onGear(t, gearList.In(tokyo), []gridCase{
		{"the zone's day", "madeOn", "is", day, "1 2 3"},
		{"after the zone's day", "madeOn", "after", day, "5"},
		{"up to the zone's day", "madeOn", "onOrBefore", `"2026-11-28"`, ""},
		{"a column of days has no zone", "day", "is", day, "2 3"},
		{"instants have none either", "made", "onOrAfter", day, "2 3 5"},
	})
	onGear(t, gearList.In(nil), []gridCase{{"no zone is UTC", "madeOn", "is", day, "2 3"}})
}

// TestPromise48_grid_incomplete_items: what is still being typed asks nothing, in an OR as well.
func TestPromise48_grid_incomplete_items(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f := openGear(t, b)
		for _, c := range []struct{ field, operator string }{
			{"name", "contains"}, {"name", "doesNotEqual"}, {"name", "isAnyOf"}, {"size", "="}, {"size", "isAnyOf"}, {"price", ">"},
			{"made", "after"}, {"madeOn", "is"}, {"on", "is"}, {"status", "not"}, {"status", "isAnyOf"}, {"owner", "equals"}, {"maker", "contains"},
		} {
			for _, value := range []string{"", `""`, `null`, `[]`, ` [ ] `, `"  "`} {
				if got := f.asked(t, gearList, item(c.field, c.operator, value)); got != "1 2 3 4 5" {
					t.Errorf("%s %s %s: %s", c.field, c.operator, value, got)
				}
				or := `{"filterModel":{"logicOperator":"or","items":[` + itemOf(c.field, c.operator, value) + `,` + itemOf("id", "=", "3") + `]}}`
				if got := f.asked(t, gearList, or); got != "3" {
					t.Errorf("%s %s %s or 3: %s", c.field, c.operator, value, got)
				}
			}
		}
		for _, value := range []string{`{"value":""}`, `{"value":null}`} {
			if got := f.asked(t, gearList, item("status", "is", value)); got != "1 2 3 4 5" {
				t.Errorf("an option %s: %s", value, got)
			}
		}
	})
}

// TestPromise48_grid_quick_filter: each value, or one, in some field that is searched; ANDed with the items.
func TestPromise48_grid_quick_filter(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f := openGear(t, b)
		for _, c := range []struct{ filter, want string }{
			{`"quickFilterValues":["aNN"]`, "1"},
			{`"quickFilterValues":["ann","acme"]`, "1"},
			{`"quickFilterValues":["ann","zeta"]`, ""},
			{`"quickFilterValues":["ann","zeta"],"quickFilterLogicOperator":"or"`, "1 2"},
			{`"quickFilterValues":["ACME"],"quickFilterExcludeHiddenColumns":true`, "1 5"},
			{`"quickFilterValues":["10"]`, "2"},
			{`"quickFilterValues":[10]`, "2"},
			{`"quickFilterValues":["10.5"]`, "2"},
			{`"quickFilterValues":["true"]`, ""},
			{`"quickFilterValues":[true]`, ""},
			{`"quickFilterValues":["open"]`, ""},
			{`"quickFilterValues":["2026"]`, ""},
			{`"quickFilterValues":["99999999999999999999999999"]`, ""},
			{`"quickFilterValues":["1e999999999"]`, ""},
			{`"quickFilterValues":["01920000-0000-7000-8000-0000000000aa"]`, "1"},
			{`"quickFilterValues":["%"]`, "1"},
			{`"quickFilterValues":[""," ",null]`, "1 2 3 4 5"},
			{`"quickFilterValues":[]`, "1 2 3 4 5"},
			{`"quickFilterValues":null,"items":null`, "1 2 3 4 5"},
			{`"quickFilterValues":["acme"],"logicOperator":"or","items":[` + itemOf("id", "=", "1") + "," + itemOf("id", "=", "2") + `]`, "1"},
			{`"quickFilterValues":["ann","zeta"],"quickFilterLogicOperator":"or","items":[` + itemOf("id", "=", "2") + `]`, "2"},
		} {
			if got := f.asked(t, gearList, `{"filterModel":{`+c.filter+`}}`); got != c.want {
				t.Errorf("%s: %q, want %q", c.filter, got, c.want)
			}
		}
	})
}

// TestPromise48_grid_scopes: no OR of a client reaches over what it may see: tenants, and rows that are deleted.
func TestPromise48_grid_scopes(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f := openGear(t, b)
		items := itemOf("name", "contains", `"ann"`) + "," + itemOf("name", "isEmpty", "") + "," + itemOf("name", "isNotEmpty", "") + "," + itemOf("on", "is", "false")
		for _, filter := range []string{
			`"logicOperator":"or","items":[` + items + `]`,
			`"quickFilterLogicOperator":"or","quickFilterValues":["ann","e","0"],"logicOperator":"or","items":[` + items + `]`,
		} {
			page, err := f.ask(t, gearList, `{"filterModel":{`+filter+`}}`)
			must(t, err)
			for _, g := range page.Rows {
				if g.ID > 5 {
					t.Errorf("%s: %d is found", filter, g.ID)
				}
			}
			if len(page.Rows) == 0 {
				t.Errorf("%s: nothing is found", filter)
			}
		}
		if !f.sent(" OR ") {
			t.Error("no OR was sent")
		}
	})
}

// TestPromise48_grid_order: by several fields in mixed directions, NULL last, the key behind all of it, in the direction of the last field: as where a cursor says which page.
func TestPromise48_grid_order(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f := openGear(t, b)
		byList := query.NewList[Gear](query.Join(&gears.Maker), query.Field("id", &gears.ID), query.Field("size", &gears.Size),
			query.Desc(&makers.Name), query.Desc(&gears.ID))
		for _, c := range []struct {
			list  *query.List[Gear]
			model string
			want  string
		}{
			{gearList, `[{"field":"size","sort":"asc"}]`, "3 1 5 2 4"},
			{gearList, `[{"field":"size","sort":"desc"}]`, "2 5 1 3 4"},
			{gearList, `[{"field":"size","sort":"asc"},{"field":"id","sort":"desc"}]`, "3 5 1 2 4"},
			{gearList, `[{"field":"price","sort":"asc"}]`, "5 1 2 3 4"},
			{gearList, `[{"field":"price","sort":"desc"}]`, "3 2 1 5 4"},
			{gearList, `[{"field":"big","sort":"desc"}]`, "1 2 5 3 4"},
			{gearList, `[{"field":"maker","sort":"desc"}]`, "2 5 1 4 3"},
			{gearList, `[{"field":"parts","sort":"desc"}]`, "5 1 4 3 2"},
			{gearList, `[{"field":"onlySorted","sort":"asc"}]`, "3 1 5 2 4"},
			{gearList, `[{"field":"size","sort":null}]`, "1 2 3 4 5"},
			{gearList, `[{"field":"size"},{"field":"id","sort":"desc"}]`, "5 4 3 2 1"},
			{gearList, `[]`, "1 2 3 4 5"},
			{gearList, `null`, "1 2 3 4 5"},
			{byList, `[]`, "2 5 1 4 3"},
			{byList, `[{"field":"size","sort":"asc"}]`, "3 1 5 2 4"},
		} {
			if got := f.asked(t, c.list, `{"sortModel":`+c.model+`}`); got != c.want {
				t.Errorf("%s: %s, want %s", c.model, got, c.want)
			}
		}
		if !f.sent("NULLS LAST") || f.sent("ORDER BY `id` LIMIT") != (b.name == "sqlite") && b.name == "sqlite" {
			t.Errorf("sent %v", f.trips())
		}
	})
}

// TestPromise48_grid_pages: by the page, by the rows, and both totals right on all of them, past the end too.
func TestPromise48_grid_pages(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f := openGear(t, b)
		for _, c := range []struct {
			body, want string
			more       bool
		}{
			{`{"paginationModel":{"page":0,"pageSize":2}}`, "1 2", true},
			{`{"paginationModel":{"page":2,"pageSize":2},"start":4,"end":5,"groupKeys":[]}`, "5", false},
			{`{"paginationModel":{"page":9,"pageSize":2}}`, "", false},
			{`{"paginationModel":{"page":0,"pageSize":2},"start":1,"end":3}`, "2 3 4", true},
			{`{"start":3,"end":3}`, "4", true},
			{`{"start":3}`, "4 5", false},
			{`{"start":null,"end":null,"paginationModel":null,"sortModel":null,"filterModel":null,"groupKeys":null}`, "1 2 3 4 5", false},
			{`{}`, "1 2 3 4 5", false},
			{`{"paginationModel":{},"aggregationModel":{"size":"sum"},"start":0}`, "1 2 3 4 5", false},
		} {
			f.reset()
			page, err := f.ask(t, gearList, c.body)
			if got := gearKeys(page.Rows); err != nil || got != c.want || page.RowCount != 5 || knownNext(page.PageInfo) != fmt.Sprint(c.more) {
				t.Errorf("%s: %s of %d, more: %s, %v, want %s", c.body, got, page.RowCount, knownNext(page.PageInfo), err, c.want)
			}
			if page.Rows == nil {
				t.Errorf("%s: rows are null", c.body)
			}
			trips := 1
			if b.name == "sqlite" && c.more && strings.HasPrefix(c.want, "1 ") {
				trips = 2 // without a pipeline, what is counted is counted where the first page is not the only one
			}
			wantTrips(t, f, trips)
		}
	})
}

// Filters of one's own beside the grid's request hold together with what it asks.
func TestGrid_beside_filters(t *testing.T) {
	type filter struct {
		query.GridRequest
		Size query.Criteria[int32] `json:"size"`
	}
	onBoth(t, func(t *testing.T, b backend) {
		f := openGear(t, b)
		for body, item := range map[string]string{
			`{"size":{"eq":9}}`: `{"field":"size","operator":"=","value":9}`,
			`{"size":{"gt":0},"filterModel":{"items":[{"field":"on","operator":"is","value":true}]}}`: `{"field":"size","operator":">","value":0},{"field":"on","operator":"is","value":true}`,
			`{"size":{"gt":100000}}`: `{"field":"size","operator":">","value":100000}`,
		} {
			var in filter
			must(t, json.Unmarshal([]byte(body), &in))
			want := f.asked(t, gearList, `{"filterModel":{"items":[`+item+`]}}`)
			f.do(t, func(ctx context.Context) error {
				page, err := session.Grid(ctx, gearList, in.GridRequest, query.Eq(&gears.Tenant, 0), query.ApplyFilters(in))
				if gearKeys(page.Rows) != want {
					t.Errorf("%s: %s, %v, want %s", body, gearKeys(page.Rows), err, want)
				}
				return err
			})
		}
	})
}

// TestPromise49_grid_cursors: a grid that walks by cursors sees each row once, in the order of one that does not, whatever it
// sorts by; and a cursor of another order or filter is refused as its start.
func TestPromise49_grid_cursors(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f := openGear(t, b)
		body := func(start, models string) string {
			return `{"paginationModel":{"page":99999,"pageSize":2},"end":0,"start":` + strconv.Quote(start) + models + `}`
		}
		for _, field := range []string{"id", "name", "note", "size", "big", "weight", "ratio", "price", "made", "day", "on", "status", "grade", "owner", "maker", "parts", "onlySorted"} {
			for _, way := range []string{"asc", "desc"} {
				models := `,"sortModel":[{"field":"` + field + `","sort":"` + way + `"}]`
				if field != "id" {
					models = strings.TrimSuffix(models, "]") + `,{"field":"id","sort":"desc"}]`
				}
				start, walked := "", []string{}
				for range 4 {
					page, err := f.ask(t, gearList, body(start, models))
					must(t, err)
					walked = append(walked, gearKeys(page.Rows))
					start = page.PageInfo.NextCursor
					if knownNext(page.PageInfo) != fmt.Sprint(start != "") || page.RowCount != -1 {
						t.Errorf("by %s: %+v of %d", field, page.PageInfo, page.RowCount)
					}
					if start == "" {
						break
					}
				}
				if got, want := strings.Join(walked, " "), f.asked(t, gearList, "{"+models[1:]+"}"); got != want {
					t.Errorf("by %s %s: walked %s, want %s", field, way, got, want)
				}
			}
		}
		page, err := f.ask(t, gearList, body("", ""))
		must(t, err)
		for models, want := range map[string]string{
			`,"sortModel":[{"field":"size","sort":"asc"}]`:                                  "start was made for another list",
			`,"filterModel":{"items":[{"field":"size","operator":"isNotEmpty"}]}`:           "start was made under another filter",
			`,"filterModel":{"items":[{"field":"secret","operator":"contains","value":1}]}`: "filterModel.items[0].field there is no field",
		} {
			_, err := f.ask(t, gearList, body(page.PageInfo.NextCursor, models))
			if !errors.Is(err, fault.BadRequest) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", models, err, want)
			}
		}
		if all, err := f.ask(t, gearList, `{"start":""}`); err != nil || all.RowCount != 5 || knownNext(all.PageInfo) != "false" {
			t.Errorf("all on one page: %d, %+v, %v", all.RowCount, all.PageInfo, err)
		}
	})
}

// TestPromise48_grid_refusals: what a list does not have, and what is more than its bounds, is a BadRequest that names it.
func TestPromise48_grid_refusals(t *testing.T) {
	list := func(n int, one string) string { return "[" + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + "]" }
	long := `"` + strings.Repeat("x", query.MaxText+1) + `"`
	cases := []struct{ body, want string }{
		{item("secret", "contains", `"x"`), `filterModel.items[0].field there is no field "secret" here`},
		{item("Name", "contains", `"x"`), `there is no field "Name"`},
		{item("password; DROP TABLE gears", "contains", `"x"`), `there is no field "password; DROP TABLE gears"`},
		{item("", "contains", `"x"`), `there is no field ""`},
		{item("tenant", "=", `2`), `there is no field "tenant"`},
		{item("name", "like", `"x"`), `filterModel.items[0].operator "name" has no operator "like"`},
		{item("name", ">", `"x"`), `"name" has no operator ">"`},
		{item("size", "contains", `9`), `"size" has no operator "contains"`},
		{item("on", "isEmpty", ""), `"on" has no operator "isEmpty"`},
		{item("status", "isEmpty", ""), `"status" has no operator "isEmpty"`},
		{item("owner", "contains", `"0192"`), `"owner" has no operator "contains"`},
		{item("name", "", ""), `"name" has no operator ""`},
		{item("onlySorted", "=", "1"), `"onlySorted" cannot be filtered by`},
		{item("name", "contains", `7`), `filterModel.items[0].value of "name" must be a text`},
		{item("name", "contains", `["x"]`), `must be a text`},
		{item("name", "contains", `{"value":"x"}`), `must be a text`},
		{item("name", "isAnyOf", `"x"`), `must be a list`},
		{item("name", "isAnyOf", `["x",7]`), `filterModel.items[0].value[1] of "name" must be a text`},
		{item("name", "isAnyOf", `["x",null]`), `value[1] of "name" must be a text`},
		{item("name", "contains", `"a\u0000b"`), `has a character that no text has`},
		{item("name", "contains", long), `is longer than 1000 bytes`},
		{item("name", "isAnyOf", list(query.MaxValues+1, `"x"`)), `has more than 500 values`},
		{item("size", "=", `"9"`), `of "size" must be a number`},
		{item("size", "=", `"NaN"`), `must be a number`},
		{item("size", "=", `true`), `must be a number`},
		{item("size", "=", `2147483648`), `is a number out of range`},
		{item("size", "isAnyOf", `[1,1e30]`), `value[1] of "size" is a number out of range`},
		{item("big", "=", `-1`), `is a number out of range`},
		{item("big", "<", `18446744073709551616`), `is a number out of range`},
		{item("weight", "=", `1e309`), `is a number out of range`},
		{item("ratio", "=", `1e39`), `is a number out of range`},
		{item("price", "=", `1e1000000`), `is a number out of range`},
		{item("size", "=", `1e-1000000`), `is a number out of range`},
		{item("price", "=", `"abc"`), `must be a number`},
		{item("price", "=", `"Infinity"`), `must be a number`},
		{item("price", "=", strings.Repeat("9", 101)), `is a number of more than 100 characters`},
		{item("on", "is", `"yes"`), `must be true or false`},
		{item("on", "is", `1`), `must be true or false`},
		{item("owner", "equals", `"nobody"`), `of "owner" must be a UUID`},
		{item("owner", "equals", `7`), `must be a UUID`},
		{item("owner", "isAnyOf", `["01920000-0000-7000-8000-0000000000aa","x"]`), `value[1] of "owner" must be a UUID`},
		{item("made", "after", `"yesterday"`), `must be a time like`},
		{item("made", "after", `1764374400000`), `must be a time like`},
		{item("made", "after", `"2026-11-29"`), `must be a time like`},
		{item("made", "is", `"+012026-11-29T00:00:00.000Z"`), `must be a time like`},
		{item("made", "after", `"9999-12-31T23:59:59-01:00"`), `is outside of the years 0 to 9999`},
		{item("madeOn", "is", `"2026-02-30"`), `must be a day like`},
		{item("madeOn", "onOrBefore", `"9999-12-31T23:00:00-02:00"`), `is outside of the years 0 to 9999`},
		{item("status", "is", `7`), `must be a text`},
		{item("status", "is", `{"label":"x"}`), `must be an option`},
		{item("status", "is", `{"value":{"value":"open"}}`), `must be a text`},
		{item("grade", "is", `"B"`), `of "grade" is not one of its values`},
		{item("grade", "is", `2`), `is not one of its values`},
		{item("grade", "isAnyOf", `["A",null]`), `is not one of its values`},
		{`{"filterModel":{"items":[],"logicOperator":"xor"}}`, `filterModel.logicOperator must be and, or or`},
		{`{"filterModel":{"quickFilterLogicOperator":"AND"}}`, `filterModel.quickFilterLogicOperator must be and, or or`},
		{`{"filterModel":{"items":` + list(query.MaxItems+1, itemOf("id", "=", "1")) + `}}`, `filterModel.items has more than 50 items`},
		{`{"filterModel":{"quickFilterValues":` + list(query.MaxSearch+1, `"x"`) + `}}`, `filterModel.quickFilterValues has more than 20 values`},
		{`{"filterModel":{"quickFilterValues":[["x"]]}}`, `filterModel.quickFilterValues[0] must be a text`},
		{`{"filterModel":{"quickFilterValues":["a",{"x":1}]}}`, `filterModel.quickFilterValues[1] must be a text`},
		{`{"filterModel":{"quickFilterValues":["\u0000"]}}`, `has a character that no text has`},
		{`{"filterModel":{"quickFilterValues":[` + long + `]}}`, `is longer than 1000 bytes`},
		{`{"sortModel":[{"field":"secret","sort":"asc"}]}`, `sortModel[0].field there is no field "secret" here`},
		{`{"sortModel":[{"field":"secret","sort":null}]}`, `sortModel[0].field there is no field "secret" here`},
		{`{"sortModel":[{"field":"size","sort":"sideways"}]}`, `sortModel[0].sort must be asc, desc or null`},
		{`{"sortModel":[{"field":"size","sort":"asc"},{"field":"size","sort":"desc"}]}`, `sortModel[1].field "size" is given twice`},
		{`{"sortModel":[{"field":"onlyFiltered","sort":"asc"}]}`, `"onlyFiltered" cannot be sorted by`},
		{`{"sortModel":` + list(query.MaxSorts+1, `{"field":"size"}`) + `}`, `sortModel has more than 10 fields`},
		{`{"paginationModel":{"pageSize":201}}`, `paginationModel.pageSize must be from 1 to 200`},
		{`{"paginationModel":{"pageSize":-1}}`, `paginationModel.pageSize must be from 1 to 200`},
		{`{"paginationModel":{"page":-1}}`, `paginationModel.page must not be negative`},
		{`{"paginationModel":{"page":9223372036854775807}}`, `paginationModel.page is too far from the first: more than 100000`},
		{`{"start":-1,"end":3}`, `start must not be negative`},
		{`{"start":100001,"end":100002}`, `start is too far from the first: more than 100000`},
		{`{"start":5,"end":4}`, `end must be from 1 to 200 rows`},
		{`{"start":0,"end":200}`, `end must be from 1 to 200 rows`},
		{`{"start":0,"end":-9223372036854775808}`, `end must be from 1 to 200 rows`},
		{`{"start":1.5}`, `start must be the number of a row`},
		{`{"start":"cursor"}`, `start is not a cursor of this service`},
		{`{"start":"","paginationModel":{"pageSize":201}}`, `paginationModel.pageSize must be from 1 to 200`},
		{`{"start":"","groupKeys":["a"]}`, `groupKeys must be empty`},
		{`{"start":99999999999999999999}`, `start must be the number of a row`},
		{`{"groupKeys":["a"]}`, `groupKeys must be empty`},
	}
	onBoth(t, func(t *testing.T, b backend) {
		f := openGear(t, b)
		for _, c := range cases {
			f.reset()
			_, err := f.ask(t, gearList, c.body)
			if got := refusal(err); !strings.Contains(got, c.want) {
				t.Errorf("%.200s: %s, want %s", c.body, got, c.want)
			}
			if f.sent("SELECT") {
				t.Errorf("%.200s: sent %v", c.body, f.trips())
			}
		}
		unsearched := query.NewList[Gear](query.Field("id", &gears.ID))
		_, err := f.ask(t, unsearched, `{"filterModel":{"quickFilterValues":["x"]}}`)
		if got := refusal(err); !strings.Contains(got, "quickFilterValues must be empty") {
			t.Errorf("a list without a search: %s", got)
		}
	})
}

// TestPromise48_grid_statements: values are bound, a list of them as one parameter, and a join is sent where it is needed.
func TestPromise48_grid_statements(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f := openGear(t, b)
		f.asked(t, gearList, item("name", "contains", `"'; DROP"`))
		if f.sent("DROP") || f.sent("JOIN") || f.sent("secret =") {
			t.Errorf("sent %v", f.trips())
		}
		for _, c := range []struct{ field, few, many string }{
			{"id", `[1,2]`, `[1,2,3,4]`}, {"name", `["a","b"]`, `["a","b","c"]`}, {"parts", `[1,2]`, `[1,2,3]`},
		} {
			f.reset()
			f.asked(t, gearList, item(c.field, "isAnyOf", c.few))
			f.asked(t, gearList, item(c.field, "isAnyOf", c.many))
			if trips := f.trips(); len(trips) != 4 && len(trips) != 2 || trips[0] != trips[len(trips)/2] {
				t.Errorf("%s: the text depends on the number of values: %v", c.field, trips)
			}
		}
		f.reset()
		f.asked(t, gearList, `{"sortModel":[{"field":"maker","sort":"asc"}]}`)
		if !f.sent("LEFT JOIN") || f.sent("count(*) FROM \"gears\" AS t LEFT JOIN") {
			t.Errorf("sent %v", f.trips())
		}
	})
}

// A day begins when its clocks do: in Sao Paulo of 2018 at one in the morning.
func TestDaysBeginWithTheirClocks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, day, begin, end string }{
		{"UTC", "2026-11-29", "2026-11-29T00:00:00Z", "2026-11-30T00:00:00Z"},
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		{"America/Sao_Paulo", "2018-11-03", "2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z"},
		{"America/Sao_Paulo", "2018-02-17", "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z"},
		{"Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
		{"Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z"},
		{"Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
	} {
		zone, err := time.LoadLocation(c.zone)
		must(t, err)
		var day query.Date
		must(t, day.UnmarshalText([]byte(c.day)))
		begin, end := day.In(zone)
		if got := fmt.Sprint(begin.UTC().Format(time.RFC3339), " ", end.UTC().Format(time.RFC3339)); got != c.begin+" "+c.end {
			t.Errorf("%s in %s: %s, want %s %s", c.day, c.zone, got, c.begin, c.end)
		}
	}
}

// onGear runs cases on every database, each as it is and beside another item.
func onGear(t *testing.T, list *query.List[Gear], cases []gridCase) {
	t.Helper()
	for _, b := range backends[:2] {
		t.Run(b.name, func(t *testing.T) {
			f := openGear(t, b)
			for _, c := range cases {
				if got := f.asked(t, list, item(c.field, c.operator, c.value)); got != c.want {
					t.Errorf("%s (%s %s %s): %q, want %q", c.name, c.field, c.operator, c.value, got, c.want)
				}
			}
		})
	}
}

// TestPromise48_list_sort: sort strings of a query string go through the same list.
func TestPromise48_list_sort(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f := openGear(t, b)
		sorted := func(order string) (page query.Paginated[*Gear], err error) {
			in := query.ListRequest{PageRequest: query.PageRequest{PageSize: 3}, Sort: order}
			err = f.Do(t.Context(), func(ctx context.Context) error {
				page, err = session.Page[Gear](ctx, in.PageRequest, query.Eq(&gears.Tenant, 0), query.ApplyFilters(in), gearList.Sort(in.Sort))
				return err
			})
			return page, err
		}
		for order, want := range map[string]string{
			"": "1 2 3", " ": "1 2 3", "size": "3 1 5", "-size": "2 5 1", "size,-id": "3 5 1", " size , -id ": "3 5 1", "+size,+id": "3 1 5",
			"-price": "3 2 1", "-maker,id": "2 1 5",
		} {
			page, err := sorted(order)
			if got := gearKeys(page.Items); err != nil || got != want || page.Total != 5 {
				t.Errorf("%q: %s of %d, %v, want %s", order, got, page.Total, err, want)
			}
		}
		for order, want := range map[string]string{
			"secret": `sort there is no field "secret" here`, "size,colour": `"colour"`, "--size": `"-size"`, "size,": `""`, ",": `""`,
			"size desc": `"size desc"`, "size,-size": `"size" is given twice`, "onlyFiltered": "cannot be sorted by",
			strings.Repeat("id,", 200): "is longer than 500 bytes", "id,name,note,size,big,weight,ratio,price,made,on,status": "more than 10 fields",
		} {
			_, err := sorted(order)
			if got := refusal(err); !strings.Contains(got, want) {
				t.Errorf("%q: %s, want %s", order, got, want)
			}
		}
	})
}

// TestListsThatAreWrong: a list reports what is wrong with it, and so does whatever uses it.
func TestListsThatAreWrong(t *testing.T) {
	t.Parallel()
	f := open(t, backends[1])
	type bad struct {
		ID   int64 `db:"id,pk"`
		When complex64
	}
	for name, c := range map[string]struct {
		list *query.List[Gear]
		text string
	}{
		"a column of a table that is not joined": {query.NewList[Gear](query.Field("maker", &makers.Name)), "not the address of one of its columns"},
		"a relation":                             {query.NewList[Gear](query.Field("maker", &gears.Maker)), "is a relation"},
		"twice":                                  {query.NewList[Gear](query.Field("a", &gears.ID), query.Field("a", &gears.Big)), `"a": is listed twice`},
		"no name":                                {query.NewList[Gear](query.Field("", &gears.ID)), "is no name"},
		"a name with a comma":                    {query.NewList[Gear](query.Field("a,b", &gears.ID)), "is no name"},
		"a name with a minus":                    {query.NewList[Gear](query.Field("-a", &gears.ID)), "is no name"},
		"days of a number":                       {query.NewList[Gear](query.Field("a", &gears.ID).AsDate()), "AsDate is for times"},
		"a search in booleans":                   {query.NewList[Gear](query.Field("a", &gears.On).Searched()), "cannot be searched"},
		"an aggregate":                           {query.NewList[Gear](query.Computed("a", query.Sum(query.Col(&gears.ID)))), "query.Over"},
		"the zero expression":                    {query.NewList[Gear](query.Computed("a", query.Expr[int64]{})), "zero query.Expr"},
		"an order by what is not joined":         {query.NewList[Gear](query.Asc(&makers.Name)), "the order"},
		"a join to many":                         {query.NewList[Gear](query.Join(&gears.Parts)), "leads to many rows"},
	} {
		if err := c.list.Check(); fault.KindOf(err) != fault.Misconfigured || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
		_, err := f.ask(t, c.list, `{}`)
		if fault.KindOf(err) != fault.Misconfigured || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s, used: %v", name, err)
		}
	}
	must(t, gearList.Check())
	if err := query.NewList[bad]().Check(); fault.KindOf(err) != fault.Misconfigured {
		t.Errorf("a list of what is no entity: %v", err)
	}
	err := f.Do(t.Context(), func(ctx context.Context) error {
		_, err := session.Find[User](ctx, gearList.Sort("id"))
		return err
	})
	if fault.KindOf(err) != fault.Misconfigured || !strings.Contains(err.Error(), "the list is one of") {
		t.Errorf("a list of other rows: %v", err)
	}
}
