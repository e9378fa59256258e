package session_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// trekList is what a client may search treks by.
var trekList = query.NewList[Trek](query.Field("id", &treks.ID), query.Field("nick", &treks.Nick))

// foldedItems are filters that compare in any case, each of which finds few rows.
var foldedItems = map[string]string{
	"equals":     item("nick", "equals", `"NICK200"`),
	"isAnyOf":    item("nick", "isAnyOf", `["NICK200","Nick1000","x"]`),
	"startsWith": item("nick", "startsWith", `"NICK200"`),
}

// gridTreks sends a request of foldedItems, of which something must be found.
func gridTreks(t *testing.T, f *fixture, body string) {
	t.Helper()
	var req query.GridRequest
	must(t, json.Unmarshal([]byte(body), &req))
	f.do(t, func(ctx context.Context) error {
		page, err := session.Grid(ctx, trekList, req)
		if len(page.Rows) == 0 {
			t.Errorf("%s finds nothing", body)
		}
		return err
	})
}

func indexTreks(t *testing.T, f *fixture, sql string) {
	t.Helper()
	f.do(t, func(ctx context.Context) error { return second(session.From(ctx).ExecContext(ctx, sql)) })
}

// The index of docs/queries.md serves what is compared in any case on PostgreSQL, prefixes too.
func TestAnIndexServesFoldedTexts(t *testing.T) {
	t.Parallel()
	f := openTreks(t)
	plans := openPlans(t, f)
	for _, indexed := range []bool{false, true} {
		if indexed {
			indexTreks(t, f, `CREATE INDEX ON treks (lower((nick)::text COLLATE "und-x-icu") text_pattern_ops)`)
			indexTreks(t, f, "ANALYZE treks")
		}
		for name, body := range foldedItems {
			plans.record(func() { gridTreks(t, f, body) })
			if touched, _ := plans.look(t); touched < 1000 != indexed {
				t.Errorf("%s, with the index %t: %.0f rows are touched\n%s", name, indexed, touched, plans.text)
			}
		}
	}
}

// On SQLite an index on the fold function serves equality and lists of values, but no prefixes.
func TestAnIndexServesFoldedTextsOnSQLite(t *testing.T) {
	t.Parallel()
	f := openTreksOnSQLite(t)
	indexTreks(t, f, "CREATE INDEX treks_fold ON treks (urutu_fold(nick))")
	plans := openPlans(t, f)
	for name, want := range map[string]bool{"equals": true, "isAnyOf": true, "startsWith": false} {
		plans.record(func() { gridTreks(t, f, foldedItems[name]) })
		for sql, plan := range plans.steps(t) {
			if strings.Contains(plan, "SEARCH treks USING INDEX treks_fold") != want {
				t.Errorf("%s: %s\n%s", name, plan, sql)
			}
		}
	}
}
