package query_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/query"
)

// stock has what clients must not see besides what they may filter by.
type stock struct {
	ID        int64 `db:"id,pk"`
	Name      *string
	Note      string
	Count     int32
	Price     string `db:"price,type=numeric"`
	Code      string `db:"code,type=citext"`
	Open      bool
	At        time.Time
	Owner     [16]byte
	Pin       string     `db:"pin,secret"`
	Hidden    string     `db:"hidden"`
	DeletedAt *time.Time `db:"deleted_at,softdelete"`
}

var stocks = entity.Columns[stock]()

var stockList = query.NewList[stock](
	query.Field("name", &stocks.Name).Searched(),
	query.Field("note", &stocks.Note),
	query.Field("count", &stocks.Count).Searched(),
	query.Field("price", &stocks.Price).Searched(),
	query.Field("code", &stocks.Code),
	query.Field("codes", &stocks.Code).AsSelect(),
	query.Field("open", &stocks.Open),
	query.Field("at", &stocks.At),
	query.Field("day", &stocks.At).AsDate(),
	query.Field("owner", &stocks.Owner).Searched(),
	query.Field("pin", &stocks.Pin),
	query.Computed("twice", query.Times(query.Col(&stocks.Count), query.Value[int32](2))),
	query.Desc(&stocks.At),
)

func grid(t testing.TB, body string) query.Clause {
	t.Helper()
	var req query.GridRequest
	if err := json.Unmarshal([]byte(body), &req); err != nil {
		t.Fatal(err)
	}
	return stockList.Grid(req)
}

// TestListsRender: every condition of a client in parentheses, every value bound, the order of the list behind.
func TestListsRender(t *testing.T) {
	t.Parallel()
	m, _ := modelOf[stock](t)
	item := func(field, operator, value string) string {
		return fmt.Sprintf(`{"field":%q,"operator":%q,"value":%s}`, field, operator, value)
	}
	for _, c := range []struct{ items, postgres, sqlite string }{
		{item("count", "!=", "7"), `("count" <> $1) [7]`, "(`count` <> ?1) [7]"},
		{item("name", "isAnyOf", `["a","b"]`),
			`(lower(("name")::text COLLATE "und-x-icu") = ANY(ARRAY(SELECT lower((v)::text COLLATE "und-x-icu") FROM unnest($1::text[]) AS v))) [@a @b]`,
			"(urutu_fold(`name`) IN (SELECT urutu_fold(value) FROM json_each(?1))) [@a @b]"},
		{item("name", "doesNotEqual", `"a"`) + "," + item("count", "isAnyOf", "[1,2]"),
			`(("name" IS NULL OR NOT (lower(("name")::text COLLATE "und-x-icu") = lower(($1)::text COLLATE "und-x-icu"))) AND ("count" = ANY($2::integer[]))) [a @1 @2]`,
			"((`name` IS NULL OR NOT (urutu_fold(`name`) = urutu_fold(?1))) AND (`count` IN (SELECT value FROM json_each(?2)))) [a @1 @2]"},
		{item("note", "doesNotContain", `"a%"`), `(NOT (lower(("note")::text COLLATE "und-x-icu") LIKE lower(($1)::text COLLATE "und-x-icu") ESCAPE '\')) [%a\%%]`,
			"(NOT (urutu_fold(`note`) LIKE urutu_fold(?1) ESCAPE '\\')) [%a\\%%]"},
		{item("code", "isEmpty", `null`), `(("code" IS NULL OR lower(("code")::text COLLATE "und-x-icu") = lower(($1)::text COLLATE "und-x-icu"))) []`,
			"((`code` IS NULL OR urutu_fold(`code`) = urutu_fold(?1))) []"},
		{item("code", "isNotEmpty", `null`), `(NOT (lower(("code")::text COLLATE "und-x-icu") = lower(($1)::text COLLATE "und-x-icu"))) []`,
			"(NOT (urutu_fold(`code`) = urutu_fold(?1))) []"},
		{item("day", "is", `"2026-11-29"`), `(("at" >= $1 AND "at" < $2)) [2026-11-29T00:00:00Z 2026-11-30T00:00:00Z]`,
			"((`at` >= ?1 AND `at` < ?2)) [2026-11-29T00:00:00Z 2026-11-30T00:00:00Z]"},
		{item("twice", "isAnyOf", `[4,6]`), `(("count" * CAST($1 AS integer)) = ANY($2::integer[])) [2 @4 @6]`, "((`count` * ?1) IN (SELECT value FROM json_each(?2))) [2 @4 @6]"},
	} {
		body := `{"filterModel":{"items":[` + c.items + `]}}`
		for d, want := range map[dialect.Dialect]string{dialect.Postgres(): c.postgres, dialect.SQLite(): c.sqlite} {
			got := where(t, d, m, grid(t, body))
			quote := map[string]string{"postgres": `"`, "sqlite": "`"}[d.Name()]
			want = strings.ReplaceAll(`~deleted_at~ IS NULL AND `, "~", quote) + strings.Replace(want, " [", strings.ReplaceAll(" ORDER BY ~at~ DESC [", "~", quote), 1)
			if got != want {
				t.Errorf("%s on %s:\n%s, want\n%s", c.items, d.Name(), got, want)
			}
		}
	}
}

// TestListsHideSecrets: what a client compares a secret column with is not printed either.
func TestListsHideSecrets(t *testing.T) {
	t.Parallel()
	m, _ := modelOf[stock](t)
	for _, item := range []string{
		`"operator":"contains","value":"1"`, `"operator":"equals","value":"1"`, `"operator":"isAnyOf","value":["1","2"]`,
	} {
		body := `{"filterModel":{"items":[{"field":"note","operator":"contains","value":"x"},{"field":"pin",` + item + `}]}}`
		for _, d := range []dialect.Dialect{dialect.Postgres(), dialect.SQLite()} {
			text, err := query.Compile(m, grid(t, body)).Rows(d, "*")
			if err != nil || fmt.Sprint(text.Secret) != "[false true]" {
				t.Errorf("%s on %s: secret are %v, %v", item, d.Name(), text.Secret, err)
			}
		}
	}
}

// FuzzGridRequest: whatever a client sends is answered by rows or a BadRequest. Of the database it can only make a
// statement of the list's columns, in which everything of its own is bound.
func FuzzGridRequest(f *testing.F) {
	for _, s := range []string{
		`{"paginationModel":{"page":0,"pageSize":25},"start":0,"end":24,"groupKeys":[],"sortModel":[{"field":"at","sort":"desc"}],` +
			`"filterModel":{"items":[{"field":"name","operator":"contains","id":48213,"value":"ann","fromInput":":r5:"}],` +
			`"logicOperator":"and","quickFilterValues":["foo","7"],"quickFilterLogicOperator":"or"}}`,
		`{"filterModel":{"items":[{"field":"count","operator":"isAnyOf","value":[1,2.5,1e3]},{"field":"price","operator":">","value":"1e-7"}]}}`,
		`{"filterModel":{"items":[{"field":"day","operator":"is","value":"2026-11-29T00:00:00.000Z"},{"field":"hidden","operator":"isEmpty"}]}}`,
		`{"filterModel":{"items":[{"field":"codes","operator":"is","value":{"value":"x"}},{"field":"owner","operator":"equals","value":"x"}]}}`,
		`{"start":"cursor","end":null,"sortModel":[{"field":"open","sort":null}]}`, `{"filterModel":{"quickFilterValues":[[],{},null,true,-0]}}`,
		`{"filterModel":{"items":[{"field":"at","operator":"not","value":"9999-12-31T23:59:59.999Z"}]}}`, `[]`, `{"end":-1e9}`,
	} {
		f.Add([]byte(s))
	}
	m, err := model.For[stock]()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var req query.GridRequest
		if json.Unmarshal(body, &req) != nil {
			return
		}
		_, windowErr := req.Window()
		if windowErr != nil && fault.KindOf(windowErr) != fault.BadRequest {
			t.Fatal(windowErr)
		}
		for _, d := range []dialect.Dialect{dialect.Postgres(), dialect.SQLite()} {
			text, err := query.Compile(m, stockList.Grid(req)).Rows(d, "*")
			checkListed(t, text, err)
		}
	})
}

// unread are values as a program may fill them in that makes its requests itself: JSON of which no decoder has made sure.
var unread = []string{"[", "[]", " [ ] ", "]", "{", `"`, "nul", "-", "t", "[1", "\xff", " ", `["a"`}

// TestValuesThatAreNoJSON: what a program has put into a request is answered like what a client has.
func TestValuesThatAreNoJSON(t *testing.T) {
	t.Parallel()
	for _, raw := range unread {
		checkUnread(t, []byte(raw))
	}
}

// FuzzGridValue is TestValuesThatAreNoJSON for whatever bytes there are.
func FuzzGridValue(f *testing.F) {
	for _, raw := range unread {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) { checkUnread(t, raw) })
}

func checkUnread(t *testing.T, raw []byte) {
	t.Helper()
	m, _ := modelOf[stock](t)
	ask := func(filter query.GridFilter) {
		text, err := query.Compile(m, stockList.Grid(query.GridRequest{FilterModel: &filter})).Rows(dialect.Postgres(), "*")
		checkListed(t, text, err)
	}
	for _, asked := range [][2]string{
		{"name", "contains"}, {"name", "isAnyOf"}, {"count", "="}, {"count", "isAnyOf"}, {"price", ">"},
		{"codes", "is"}, {"codes", "isAnyOf"}, {"open", "is"}, {"at", "is"}, {"day", "before"}, {"owner", "equals"},
	} {
		ask(query.GridFilter{Items: []query.GridItem{{Field: asked[0], Operator: asked[1], Value: raw}}})
	}
	ask(query.GridFilter{QuickFilterValues: []json.RawMessage{raw}})
}

// FuzzSort is FuzzGridRequest for sort strings.
func FuzzSort(f *testing.F) {
	for _, s := range []string{"-at,name", "", ",", "--at", "+count", "hidden", "name desc", "name\x00", "-", " - name", "price;--"} {
		f.Add(s)
	}
	m, err := model.For[stock]()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, order string) {
		text, err := query.Compile(m, stockList.Sort(order)).Rows(dialect.Postgres(), "*")
		checkListed(t, text, err)
	})
}

// known are the words of which the statements of stockList are made.
var known = func() map[string]bool {
	words := map[string]bool{}
	for _, w := range strings.Fields(`SELECT FROM WHERE AND OR NOT IS NULL NULLS LAST ORDER BY DESC LIKE ESCAPE IN ANY ARRAY CAST AS COLLATE
		und x icu lower text v unnest integer numeric uuid urutu_fold value json_each stocks name note count price code open at owner pin
		deleted_at`) {
		words[w] = true
	}
	return words
}()

func checkListed(t *testing.T, text query.Text, err error) {
	t.Helper()
	if err != nil {
		if fault.KindOf(err) != fault.BadRequest || len(fault.FieldsOf(err)) == 0 {
			t.Fatalf("not refused: %v", err)
		}
		return
	}
	word := func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }
	for _, w := range strings.FieldsFunc(text.SQL, word) {
		if !known[w] {
			t.Fatalf("%q is in the statement: %s", w, text.SQL)
		}
	}
}
