package session_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// FuzzGrid asks a database whatever a client sends: it is answered by rows of its own tenant or a BadRequest, and no error
// of the database is ever seen.
func FuzzGrid(f *testing.F) {
	for _, seed := range []string{
		item("name", "contains", `"%_\\"`), item("name", "isAnyOf", `["Ann 50%","éclair"]`), item("size", ">=", `9.5`),
		item("big", "isAnyOf", `[18446744073709551615, 3]`), item("price", "<", `"1e-400"`), item("weight", "=", `1e308`), item("on", "is", `false`),
		item("made", "is", `"9999-12-31T23:58:00Z"`), item("madeOn", "before", `"0000-01-01"`), item("status", "not", `{"value":"open"}`),
		item("grade", "is", `"AA"`), item("owner", "equals", `"01920000-0000-7000-8000-0000000000aa"`), item("maker", "endsWith", `"e"`),
		item("parts", "!=", `5`), item("label", "isAnyOf", `["none","x"]`), item("country", "isEmpty", ""),
		`{"filterModel":{"logicOperator":"or","items":[` + itemOf("on", "is", "true") + `],"quickFilterValues":["a",7]},"start":1,"end":2}`,
		`{"sortModel":[{"field":"price","sort":"desc"},{"field":"maker","sort":"asc"}],"paginationModel":{"page":1,"pageSize":2}}`,
	} {
		f.Add(seed)
	}
	db := openGear(f, backends[1])
	f.Fuzz(func(t *testing.T, body string) {
		var req query.GridRequest
		if json.Unmarshal([]byte(body), &req) != nil {
			return
		}
		err := db.Do(context.Background(), func(ctx context.Context) error {
			page, err := session.Grid(ctx, gearList, req, query.Eq(&gears.Tenant, 0))
			for _, g := range page.Rows {
				if g.ID > 5 {
					t.Errorf("%d is found by %s", g.ID, body)
				}
			}
			return err
		})
		if err != nil && fault.KindOf(err) != fault.BadRequest {
			t.Fatal(err)
		}
	})
}
