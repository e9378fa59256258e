package shop_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const nobody = "01920000-0000-7000-8000-000000000000"

// keys returns the sorted names of an object's members.
func keys(o object) string { return strings.Join(slices.Sorted(maps.Keys(o)), " ") }

func TestUsers(t *testing.T) {
	t.Parallel()
	onEach(t, func(c *client) {
		made := c.want(201, "POST", "/users", object{"name": "Ann", "email": "ann@example.com"})
		if got := keys(made); got != "created_at email id name updated_at" {
			c.Errorf("a user has %s", got)
		}
		if made["created_at"] != made["updated_at"] {
			c.Errorf("created at %s, updated at %s", made["created_at"], made["updated_at"])
		}
		if _, err := time.Parse(time.RFC3339Nano, made["created_at"].(string)); err != nil {
			c.Error(err)
		}
		read := c.want(200, "GET", "/users/"+made["id"].(string), nil)
		if !maps.Equal(read, made) {
			c.Errorf("read %v after writing %v", read, made)
		}

		problem := c.want(409, "POST", "/users", object{"name": "Another", "email": "ann@example.com"})
		if problem["kind"] != "unique" {
			c.Errorf("a taken email is %v", problem)
		}
		c.want(422, "POST", "/users", object{"name": "Ann"})
		c.want(422, "POST", "/users", object{"name": "Ann", "email": "nonsense"})
		c.want(404, "GET", "/users/"+nobody, nil)

		changed := c.want(200, "PATCH", "/users/"+made["id"].(string), object{"email": "anna@example.com"})
		if changed["email"] != "anna@example.com" || changed["name"] != "Ann" || changed["updated_at"] == made["updated_at"] {
			c.Errorf("changed to %v", changed)
		}
		c.want(404, "PATCH", "/users/"+nobody, object{"email": "anna@example.com"})
		if n := c.total("/users"); n != 1 {
			c.Errorf("%v users", n)
		}
	})
}

func TestProducts(t *testing.T) {
	t.Parallel()
	onEach(t, func(c *client) {
		made := c.want(201, "POST", "/products", object{"sku": "A", "name": "Thing", "price_cents": 250, "stock": 3})
		if got := keys(made); got != "id name price_cents sku stock" {
			c.Errorf("a product has %s", got)
		}
		if read := c.want(200, "GET", "/products/"+made["id"].(string), nil); !maps.Equal(read, made) {
			c.Errorf("read %v after writing %v", read, made)
		}
		c.want(409, "POST", "/products", object{"sku": "A", "name": "Thing", "price_cents": 250, "stock": 3})
		c.want(422, "POST", "/products", object{"sku": "B", "name": "Thing", "price_cents": 250, "stock": -1})
		c.want(404, "GET", "/products/"+nobody, nil)
	})
}

func TestOrders(t *testing.T) {
	t.Parallel()
	onEach(t, func(c *client) {
		user, a, b := c.user("ann@example.com"), c.product("A", 250, 3), c.product("B", 100, 10)

		made := c.want(201, "POST", "/orders", order(user, a, 2, b, 5))
		if got := keys(made); got != "created_at id lines status total_cents user_id" {
			c.Errorf("an order has %s", got)
		}
		if made["total_cents"] != 1000.0 || made["status"] != "placed" || len(made["lines"].([]any)) != 2 {
			c.Errorf("ordered %v", made)
		}
		c.eventually(made["id"].(string), "paid")
		made["status"] = "paid"
		if read := c.want(200, "GET", "/orders/"+made["id"].(string), nil); fmt.Sprint(read) != fmt.Sprint(made) {
			c.Errorf("read %v after writing %v", read, made)
		}
		if c.stock(a) != 1 || c.stock(b) != 5 {
			c.Errorf("%v and %v are left", c.stock(a), c.stock(b))
		}
		c.want(404, "GET", "/orders/"+nobody, nil)
	})
}

// TestPromise12_AuditOutlivesTheFailedOrder: what fails leaves its line in the audit log and nothing else.
func TestPromise12_AuditOutlivesTheFailedOrder(t *testing.T) {
	t.Parallel()
	onEach(t, func(c *client) {
		user, a, b := c.user("ann@example.com"), c.product("A", 250, 3), c.product("B", 100, 10)

		problem := c.want(409, "POST", "/orders", order(user, b, 1, a, 4))
		if problem["kind"] != "conflict" || !strings.Contains(problem["detail"].(string), "3 of A") {
			c.Errorf("short stock is %v", problem)
		}
		// The same product twice, each line alone within the stock.
		c.want(409, "POST", "/orders", order(user, a, 2, a, 2))
		for field, body := range map[string]object{
			"user_id":             order(nobody, a, 1),
			"lines[1].product_id": order(user, a, 1, nobody, 1),
		} {
			problem := c.want(422, "POST", "/orders", body)
			if fields := fmt.Sprint(problem["errors"]); !strings.Contains(fields, "name:"+field+"]") {
				c.Errorf("%s is missing in %s", field, fields)
			}
		}
		if c.stock(a) != 3 || c.stock(b) != 10 || c.total("/orders") != 0 {
			c.Errorf("failed orders left %v, %v and %v orders", c.stock(a), c.stock(b), c.total("/orders"))
		}
		if n := c.total("/audit"); n != 4 {
			c.Errorf("%v lines of audit for 4 orders", n)
		}

		// What is no order at all is refused before the unit begins.
		c.want(422, "POST", "/orders", order(user))
		c.want(422, "POST", "/orders", order(user, a, 0))
		if n := c.total("/audit"); n != 4 {
			c.Errorf("%v lines of audit after two that were refused", n)
		}
	})
}

func TestAuditPages(t *testing.T) {
	t.Parallel()
	onEach(t, func(c *client) {
		user, a := c.user("ann@example.com"), c.product("A", 250, 3)
		for range 3 {
			c.want(201, "POST", "/orders", order(user, a, 1))
		}
		var seen []string
		for page := range 2 {
			got := c.want(200, "GET", fmt.Sprintf("/audit?page=%d&page_size=2", page), nil)
			if keys(got) != "items page page_size total" || got["total"] != 3.0 || got["page"] != float64(page) {
				c.Errorf("page %d is %v", page, got)
			}
			for _, item := range got["items"].([]any) {
				if k := keys(item.(object)); k != "action created_at id" {
					c.Errorf("a line of audit has %s", k)
				}
				seen = append(seen, item.(object)["created_at"].(string))
			}
		}
		if len(seen) != 3 || !slices.IsSortedFunc(seen, func(a, b string) int { return strings.Compare(b, a) }) {
			c.Errorf("the pages are %v: the latest comes first", seen)
		}
		if got := c.want(200, "GET", "/audit?page=9", nil); len(got["items"].([]any)) != 0 || got["total"] != 3.0 {
			c.Errorf("past the end is %v", got)
		}
		status, _ := c.call("GET", "/audit?page=-1", nil)
		if status != 400 && status != 422 {
			c.Errorf("page -1 is answered with %d", status)
		}
	})
}

// TestPromise36_StockIsExactUnderConcurrentOrders: orders that collide are run again as a whole, until they are placed
// or the stock is short.
func TestPromise36_StockIsExactUnderConcurrentOrders(t *testing.T) {
	t.Parallel()
	const clients, each, stock = 16, 5, 50
	onEach(t, func(c *client) {
		user, a := c.user("ann@example.com"), c.product("A", 250, stock)

		var wg sync.WaitGroup
		answers := make(chan int, clients*each)
		for range clients {
			wg.Go(func() {
				for range each {
					status, body := c.call("POST", "/orders", order(user, a, 1))
					if status == 409 && body["kind"] != "conflict" {
						c.Errorf("refused with %v", body)
					}
					answers <- status
				}
			})
		}
		wg.Wait()
		close(answers)
		count := map[int]int{}
		for status := range answers {
			count[status]++
		}
		if count[201] != stock || count[409] != clients*each-stock {
			c.Errorf("answered with %v", count)
		}
		if left := c.stock(a); left != 0 {
			c.Errorf("%v are left", left)
		}
		if n := c.total("/audit"); n != clients*each {
			c.Errorf("%v lines of audit", n)
		}
	})
}

func TestEverythingElseThatIsServed(t *testing.T) {
	t.Parallel()
	onEach(t, func(c *client) {
		for path, kind := range map[string]string{
			"/":             "text/html",
			"/docs":         "text/html",
			"/openapi.json": "json",
			"/healthz":      "json",
			"/readyz":       "json",
		} {
			status, body, header := c.raw("GET", path, nil)
			if status != 200 || len(body) == 0 || !strings.Contains(header.Get("Content-Type"), kind) {
				c.Errorf("%s: %d, %d bytes of %s", path, status, len(body), header.Get("Content-Type"))
			}
		}
	})
}
