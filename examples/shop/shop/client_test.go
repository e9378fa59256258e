package shop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/urutu-go/urutu/examples/shop/shop"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/urututest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// object is a JSON object as a client sees it.
type object = map[string]any

// client talks to a shop over HTTP.
type client struct {
	*testing.T
	url   string
	http  *http.Client
	db    *session.DB
	tries chan error // what became of each try to handle a message
}

// onEach runs a test against a new shop on every database.
func onEach(t *testing.T, fn func(c *client)) {
	for _, d := range urututest.Databases() {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			fn(open(t, urututest.URL(t, d)))
		})
	}
}

// open starts a shop as main does, and stops it with the test.
func open(t *testing.T, url string) *client {
	t.Helper()
	db, err := session.Open(t.Context(), shop.Config(url))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := shop.CreateTables(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	api := shop.API(db, db.Ping)
	if err := api.Err(); err != nil {
		t.Fatal(err)
	}
	tries := make(chan error, 1000)
	worker := shop.Bus(db, func(next uow.Handler) uow.Handler {
		return func(ctx context.Context, op uow.Op) error {
			err := next(ctx, op)
			tries <- err
			return err
		}
	}).Worker()
	if err := worker.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := worker.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return &client{t, server.URL, server.Client(), db, tries}
}

// call sends a request and returns the status and the body.
func (c *client) call(method, path string, body any) (int, object) {
	c.Helper()
	status, data, _ := c.raw(method, path, body)
	var out object
	if err := json.Unmarshal(data, &out); err != nil {
		c.Fatalf("%s %s: %d %s: %v", method, path, status, data, err)
	}
	return status, out
}

func (c *client) raw(method, path string, body any) (int, []byte, http.Header) {
	c.Helper()
	var in io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			c.Fatal(err)
		}
		in = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(c.Context(), method, c.url+path, in)
	if err != nil {
		c.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(r)
	if err != nil {
		c.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		c.Fatal(err)
	}
	return response.StatusCode, data, response.Header
}

// want sends a request that must be answered with the status.
func (c *client) want(status int, method, path string, body any) object {
	c.Helper()
	got, out := c.call(method, path, body)
	if got != status {
		c.Fatalf("%s %s: %d, not %d: %v", method, path, got, status, out)
	}
	return out
}

// user and product make one and return its id.
func (c *client) user(email string) string {
	c.Helper()
	return c.want(201, "POST", "/users", object{"name": "Ann", "email": email})["id"].(string)
}

func (c *client) product(sku string, price, stock int) string {
	c.Helper()
	body := object{"sku": sku, "name": "Thing", "price_cents": price, "stock": stock}
	return c.want(201, "POST", "/products", body)["id"].(string)
}

// order is the body of POST /orders: pairs of a product and a quantity.
func order(user string, pairs ...any) object {
	lines := []object{}
	for i := 0; i < len(pairs); i += 2 {
		lines = append(lines, object{"product_id": pairs[i], "quantity": pairs[i+1]})
	}
	return object{"user_id": user, "lines": lines}
}

func (c *client) stock(product string) float64 {
	c.Helper()
	return c.want(200, "GET", "/products/"+product, nil)["stock"].(float64)
}

func (c *client) total(path string) float64 {
	c.Helper()
	return c.want(200, "GET", path, nil)["total"].(float64)
}
