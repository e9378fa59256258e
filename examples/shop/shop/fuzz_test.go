package shop_test

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/examples/shop/shop"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
	"github.com/urutu-go/urutu/web"
)

// fuzzed are the lists that are sent anything: by a query string, of which those are the parameters that they read, and by a
// body.
var fuzzed = []struct{ target, plain, criteria string }{
	{"GET /orders", "page page_size sort", "user_id status total_cents created"},
	{"GET /orders/walk", "cursor page_size sort", "user_id status total_cents created"},
	{"GET /products", "page page_size sort", "name price_cents stock"},
	{"GET /users", "page page_size", ""},
	{"GET /audit", "page page_size", ""},
	{"POST /orders/grid", "", ""},
	{"POST /products/grid", "", ""},
}

// FuzzLists sends any query string and any body to the shop's lists: they are answered by a page of what was asked for or by
// a 400, which shows nothing of the database. PostgreSQL is asked where it is named.
func FuzzLists(f *testing.F) {
	for _, query := range []string{
		"page=1&page_size=2&sort=-created_at,total_cents", "user_id=01920000-0000-7000-8000-0000000000aa&status[in]=paid", "created[gte]=2026-11-29",
		"total_cents[lt]=9223372036854775807&total_cents[ne]=-1", "name=%25_%5C&stock[null]=true", "name[is_exact]=true&name[value]=Thing", "name[in]=a&name[in]=%00",
		"price_cents=1e3", "status=%ff", "created=0000-01-01", "created=10000-01-01", "sort=email", "page=99999999999999999999", "page=1;page=2", "%zz", "status[eq",
		"name=50%", "total_cents[gte]=1;status=paid", "page[gte]=1", "sort[x]=id", "page_size=1&page_size=2", "cursor=AQ", "cursor[]=",
		"user_id=" + annID + "&page_size=2", "user_id[in]=" + bobID + "&cursor=&sort=customer",
	} {
		f.Add(query, `{}`)
	}
	for _, body := range []string{
		`{"paginationModel":{"page":0,"pageSize":25},"start":0,"end":24,"sortModel":[{"field":"created_at","sort":"desc"}],"groupKeys":[]}`,
		`{"filterModel":{"items":[{"field":"status","operator":"isAnyOf","value":["placed","x"]},{"field":"name","operator":"contains","value":"%\\"}],"logicOperator":"or"}}`,
		`{"filterModel":{"items":[{"field":"total_cents","operator":">","value":1e18},{"field":"created_at","operator":"is","value":"9999-12-31T23:59:59Z"}]}}`,
		`{"filterModel":{"items":[{"field":"id","operator":"equals","value":"ann"}],"quickFilterValues":["a",7,null]}}`,
		`{"filterModel":{"items":[{"field":"sku","operator":"equals","value":"a\u0000"}]}}`, `{"start":"","paginationModel":{"pageSize":1}}`, `{"start":"x"}`,
		`{"sortModel":[{"field":"stock","sort":"up"}]}`, `{"sortModel":[{"field":"orders.version","sort":"asc"}]}`, `[`, `null`, `{"end":1e400}`, "\xff",
	} {
		f.Add("", body)
	}
	apis := fuzzedShops(f)
	sealed := addCursors(f, apis)
	f.Fuzz(func(t *testing.T, query, body string) {
		for on, api := range apis {
			for _, list := range fuzzed {
				q, b := query, ""
				if strings.HasPrefix(list.target, "POST") {
					q, b = "", body
				}
				w := ask(t, api, list.target, q, b)
				wrong := wrongAnswer(w, q, b)
				if wrong == "" && w.Code == http.StatusOK {
					wrong = cmp.Or(ignored(q, list.plain, list.criteria), forged(q, b, sealed), wrongRows(w, q))
				}
				if wrong != "" {
					t.Errorf("%s: %s with %q and %q: %s: %d %s", on, list.target, q, b, wrong, w.Code, w.Body)
				}
			}
		}
	})
}

// ask sends a list a query string and a body.
func ask(t testing.TB, api *web.API, target, query, body string) *httptest.ResponseRecorder {
	method, path, _ := strings.Cut(target, " ")
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.URL.RawQuery = query
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	return w
}

// addCursors walks orders in several ways, and adds the cursors that it is given as they are, under other filters, orders and
// sizes of a page, cut and changed. It returns those that were given.
func addCursors(f *testing.F, apis map[urututest.Database]*web.API) (sealed map[string]bool) {
	f.Helper()
	sealed = map[string]bool{}
	ways := []string{"", "sort=-total_cents", "sort=customer,total_cents&total_cents[gte]=200", "user_id=" + bobID}
	for _, api := range apis {
		for _, way := range ways {
			first := walked(f, api, way+"&page_size=2")
			next := first["next"].(string)
			prev := walked(f, api, way+"&page_size=1&cursor="+next)["prev"].(string)
			if next == "" || prev == "" {
				f.Fatalf("%q has no page behind the first or none before the second: %v", way, first)
			}
			for _, cursor := range []string{next, prev} {
				if sealed[cursor] {
					continue // which another database gave too
				}
				sealed[cursor] = true
				sizes := []string{"page_size=1&" + way, "page_size=200&" + way, "page_size=201&" + way}
				for _, other := range slices.Concat(ways, []string{"user_id=" + annID}, sizes) {
					f.Add(other+"&cursor="+cursor, `{"start":"`+cursor+`"}`)
				}
				for _, changed := range tampered(cursor) {
					f.Add(way+"&cursor="+changed, `{"start":"`+changed+`"}`)
				}
			}
		}
	}
	return sealed
}

func walked(f *testing.F, api *web.API, query string) (page object) {
	f.Helper()
	w := ask(f, api, "GET /orders/walk", query, "")
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != http.StatusOK {
		f.Fatalf("%s: %d %s", query, w.Code, w.Body)
	}
	return page
}

// tampered are cursors that are cut, and some of which one bit is another: in the version, the nonce, what is sealed and the
// seal.
func tampered(cursor string) []string {
	all := []string{cursor[:1], cursor[:2], cursor[:len(cursor)/2], cursor[:len(cursor)-1], cursor + cursor, cursor + "A"}
	for _, at := range []int{0, 1, 12, 13, 20, 40, -16, -1} {
		sealed, _ := base64.RawURLEncoding.DecodeString(cursor)
		sealed[(at+len(sealed))%len(sealed)] ^= 1 << (at & 7)
		all = append(all, base64.RawURLEncoding.EncodeToString(sealed))
	}
	return all
}

// The users of the shops. Their ids and those of their orders are the same wherever the fuzzer runs, and so are cursors.
const (
	annID = "01920000-0000-7000-8000-0000000000aa"
	bobID = "01920000-0000-7000-8000-0000000000bb"
)

// fuzzedShops opens a shop with two users, a product and their orders on each database.
func fuzzedShops(f *testing.F) map[urututest.Database]*web.API {
	f.Helper()
	on := []urututest.Database{urututest.InSQLite}
	if os.Getenv("URUTU_TEST_POSTGRES") != "" {
		on = append(on, urututest.InPostgres)
	}
	apis := map[urututest.Database]*web.API{}
	for _, d := range on {
		cfg := shop.Config(urututest.URL(f, d))
		cfg.CursorKeys = []string{strings.Repeat("k", 32)} // which the fuzzer's processes share
		db, err := session.Open(f.Context(), cfg)
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(func() {
			if err := db.Close(); err != nil {
				f.Error(err)
			}
		})
		if err := shop.CreateTables(f.Context(), db); err != nil {
			f.Fatal(err)
		}
		urututest.Do(f, db, fillShop)
		apis[d] = shop.API(db, db.Ping)
	}
	return apis
}

// fillShop adds two users, a product and orders of each user.
func fillShop(ctx context.Context) error {
	known := func(id string) entity.Identifiable { return entity.Identifiable{ID: uuid.MustParse(id)} }
	ann, bob := &shop.User{Identifiable: known(annID), Name: "Ann", Email: "ann@example.com"},
		&shop.User{Identifiable: known(bobID), Name: "Bob", Email: "bob@example.com"}
	product := &shop.Product{SKU: "A", Name: "Thing", PriceCents: 250, Stock: 30}
	if err := errors.Join(session.Add(ctx, ann, bob), session.Add(ctx, product)); err != nil {
		return err
	}
	for i, total := range []int64{500, 300, 200, 700, 300, 100, 400} {
		order := &shop.Order{UserID: ann.ID, Status: shop.Placed, TotalCents: total}
		if order.Identifiable = known(fmt.Sprintf("01920000-0000-7000-8000-0000000001%02d", i)); i%2 == 1 {
			order.UserID, order.Status = bob.ID, shop.Paid
		}
		if err := session.Add(ctx, order); err != nil {
			return err
		}
	}
	return nil
}

// wrongAnswer says what is wrong with an answer to a query or a body: its status, its form, that it is a page though the
// query cannot be read, or words of the database that the client did not use itself.
func wrongAnswer(w *httptest.ResponseRecorder, query, body string) string {
	if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
		return "neither a page nor a 400"
	}
	var decoded any
	if json.Unmarshal(w.Body.Bytes(), &decoded) != nil {
		return "no JSON"
	}
	if w.Code == http.StatusOK {
		if _, err := url.ParseQuery(query); err != nil {
			return "a page, though the query cannot be read"
		}
		return ""
	}
	shown, said := strings.ToLower(fmt.Sprint(decoded)), spoken(query, body)
	for _, word := range []string{"sqlstate", "error:", "select ", "pgx", "sqlite", "syntax", "order_lines", "urutu_", "goroutine"} {
		if strings.Contains(shown, word) && !strings.Contains(said, word) {
			return word + " is shown"
		}
	}
	return ""
}

// spoken is all that a client says, in lower case, encoded or not.
func spoken(query, body string) string {
	var decoded any
	_ = json.Unmarshal([]byte(body), &decoded)
	values, _ := url.ParseQuery(query)
	return strings.ToLower(fmt.Sprint(query, values, body, decoded))
}

// ignored says which parameter of a query that is answered by a page is one that the list does not read.
func ignored(query, plain, criteria string) string {
	values, _ := url.ParseQuery(query)
	for key := range values {
		name, _, _ := strings.Cut(key, "[")
		once := slices.Contains(strings.Fields(plain), key) && len(values[key]) == 1
		if !once && !slices.Contains(strings.Fields(criteria), name) {
			return fmt.Sprintf("%q is ignored", key)
		}
	}
	return ""
}

// forged says that a page was found by a cursor that nobody sealed.
func forged(query, body string, sealed map[string]bool) string {
	values, _ := url.ParseQuery(query)
	cursor := values.Get("cursor")
	var grid struct{ Start any }
	if json.Unmarshal([]byte(body), &grid) == nil {
		start, _ := grid.Start.(string)
		cursor += start
	}
	cursor = strings.NewReplacer("\r", "", "\n", "").Replace(cursor) // which base64 passes over
	if cursor != "" && !sealed[cursor] {
		return "nobody sealed the cursor"
	}
	return ""
}

// wrongRows says what is wrong with the rows that answer a query: that there are more than were asked for, or one of
// another user.
func wrongRows(w *httptest.ResponseRecorder, query string) string {
	var page struct {
		Items []struct {
			UserID string `json:"user_id"`
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
		return err.Error()
	}
	values, _ := url.ParseQuery(query)
	if size, err := strconv.Atoi(values.Get("page_size")); err == nil && size > 0 && len(page.Items) > size {
		return "too many rows"
	}
	user, err := uuid.Parse(values.Get("user_id"))
	for _, item := range page.Items {
		if err == nil && len(values["user_id"])+len(values["user_id[]"]) == 1 && item.UserID != user.String() {
			return "a row of somebody else"
		}
	}
	return ""
}
