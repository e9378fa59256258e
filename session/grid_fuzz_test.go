package session_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// FuzzGrid asks databases whatever a client sends: it is answered by rows of its own tenant or by a BadRequest that shows
// nothing of the database, and no statement has to do with a column that is not on the list. PostgreSQL is asked where it
// is named.
func FuzzGrid(f *testing.F) {
	for _, seed := range gridSeeds() {
		f.Add(seed)
	}
	asked := backends[1:2]
	if os.Getenv("URUTU_TEST_POSTGRES") != "" {
		asked = backends[:2]
	}
	dbs := make([]*fixture, len(asked))
	for i, b := range asked {
		dbs[i] = openGear(f, b)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var req query.GridRequest
		if json.Unmarshal([]byte(body), &req) != nil {
			return
		}
		for _, db := range dbs {
			db.reset()
			err := db.Do(context.Background(), func(ctx context.Context) error {
				page, err := session.Grid(ctx, gearList, req, query.Eq(&gears.Tenant, 0))
				for _, g := range page.Rows {
					if g.ID > 5 {
						t.Errorf("%s: %d is found by %s", db.backend.name, g.ID, body)
					}
				}
				return err
			})
			if err != nil {
				if leak := leaked(err, body); leak != "" {
					t.Errorf("%s: %s: %s", db.backend.name, body, leak)
				}
			}
			for _, script := range db.trips() {
				if readsUnlisted(script) {
					t.Errorf("%s: %s is asked by %s", db.backend.name, body, script)
				}
			}
		}
	})
}

func gridSeeds() []string {
	return []string{
		item("name", "contains", `"%_\\"`), item("name", "isAnyOf", `["Ann 50%","éclair"]`), item("size", ">=", `9.5`),
		item("big", "isAnyOf", `[18446744073709551615, 3]`), item("price", "<", `"1e-400"`), item("weight", "=", `1e308`), item("on", "is", `false`),
		item("made", "is", `"9999-12-31T23:58:00Z"`), item("madeOn", "before", `"0000-01-01"`), item("status", "not", `{"value":"open"}`),
		item("grade", "is", `"AA"`), item("owner", "equals", `"01920000-0000-7000-8000-0000000000aa"`), item("maker", "endsWith", `"e"`),
		item("parts", "!=", `5`), item("label", "isAnyOf", `["none","x"]`), item("country", "isEmpty", ""), item("secret", "isEmpty", ""),
		item("gears.secret", "isEmpty", ""), item(`"secret`, "isEmpty", ""), item("name", "contains", `"a\u0000b"`), item("note", "equals", `"\ud800"`),
		`{"filterModel":{"logicOperator":"or","items":[` + itemOf("on", "is", "true") + `],"quickFilterValues":["a",7]},"start":1,"end":2}`,
		`{"sortModel":[{"field":"price","sort":"desc"},{"field":"maker","sort":"asc"}],"paginationModel":{"page":1,"pageSize":2}}`,
		`{"sortModel":[{"field":"Secret","sort":"desc"}]}`, `{"start":"","paginationModel":{"pageSize":2},"sortModel":[{"field":"name","sort":"desc"}]}`,
		`{"start":"secret","paginationModel":{"pageSize":2}}`,
	}
}

// leaked says what is wrong with the error that a request is answered by: that it is no BadRequest, or that it shows what
// the client can know from the database only.
func leaked(err error, body string) string {
	if kind := fault.KindOf(err); kind != fault.BadRequest {
		return fmt.Sprintf("%s: %v", kind, err)
	}
	shown := strings.ToLower(fmt.Sprint(fault.Public(err), fault.FieldsOf(err)))
	var decoded any
	_ = json.Unmarshal([]byte(body), &decoded) // whose words may be repeated
	said := strings.ToLower(fmt.Sprint(decoded))
	for _, word := range []string{"sqlstate", "error:", "select ", "pgx", "sqlite", "syntax", "gears", "makers", "gear_id", "urutu_"} {
		if strings.Contains(shown, word) && !strings.Contains(said, word) {
			return "shown is " + shown
		}
	}
	return ""
}

// readsUnlisted reports whether a script filters or sorts by the column that gearList leaves out. The rows that are found
// have all of their columns.
func readsUnlisted(script string) bool {
	for _, statement := range strings.Split(script, "; ") {
		if _, rest, found := strings.Cut(statement, " FROM "); found && strings.Contains(strings.ToLower(rest), "secret") {
			return true
		}
	}
	return false
}
