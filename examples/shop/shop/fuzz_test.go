package shop_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/examples/shop/shop"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
	"github.com/urutu-go/urutu/web"
)

// FuzzLists sends any query string and any body to the shop's lists: they are answered by a page or by a 400, which shows
// nothing of the database. PostgreSQL is asked where it is named.
func FuzzLists(f *testing.F) {
	for _, query := range []string{
		"page=1&page_size=2&sort=-created_at,total_cents", "user_id=01920000-0000-7000-8000-0000000000aa&status[in]=paid", "created[gte]=2026-11-29",
		"total_cents[lt]=9223372036854775807&total_cents[ne]=-1", "name=%25_%5C&stock[null]=true", "name[is_exact]=true&name[value]=Thing", "name[in]=a&name[in]=%00",
		"price_cents=1e3", "status=%ff", "created=0000-01-01", "created=10000-01-01", "sort=email", "page=99999999999999999999", "page=1;page=2", "%zz", "status[eq",
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
	f.Fuzz(func(t *testing.T, query, body string) {
		for on, api := range apis {
			for _, target := range []string{"GET /orders", "GET /products", "GET /users", "GET /audit", "POST /orders/grid", "POST /products/grid"} {
				method, path, _ := strings.Cut(target, " ")
				r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
				r.Header.Set("Content-Type", "application/json")
				if method == "GET" {
					r.Body = http.NoBody
					r.URL.RawQuery = query
				}
				w := httptest.NewRecorder()
				api.ServeHTTP(w, r)
				if wrong := wrongAnswer(w, query, body); wrong != "" {
					t.Errorf("%s: %s with %q and %q: %s: %d %s", on, target, query, body, wrong, w.Code, w.Body)
				}
			}
		}
	})
}

// fuzzedShops opens a shop with a user, a product and an order on each database.
func fuzzedShops(f *testing.F) map[urututest.Database]*web.API {
	f.Helper()
	on := []urututest.Database{urututest.InSQLite}
	if os.Getenv("URUTU_TEST_POSTGRES") != "" {
		on = append(on, urututest.InPostgres)
	}
	apis := map[urututest.Database]*web.API{}
	for _, d := range on {
		db, err := session.Open(f.Context(), shop.Config(urututest.URL(f, d)))
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
		urututest.Do(f, db, func(ctx context.Context) error {
			ann := &shop.User{Name: "Ann", Email: "ann@example.com"}
			if err := session.Add(ctx, ann); err != nil {
				return err
			}
			return errors.Join(session.Add(ctx, &shop.Product{SKU: "A", Name: "Thing", PriceCents: 250, Stock: 30}),
				session.Add(ctx, &shop.Order{UserID: ann.ID, Status: shop.Placed, TotalCents: 500}))
		})
		apis[d] = shop.API(db, db.Ping)
	}
	return apis
}

// wrongAnswer says what is wrong with an answer to a query or a body: its status, its form, or words of the database that
// the client did not use itself.
func wrongAnswer(w *httptest.ResponseRecorder, query, body string) string {
	if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
		return "neither a page nor a 400"
	}
	var decoded any
	if json.Unmarshal(w.Body.Bytes(), &decoded) != nil {
		return "no JSON"
	}
	if w.Code == http.StatusOK {
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
