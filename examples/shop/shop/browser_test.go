package shop_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/dop251/goja"
)

// browser is what the page's script needs of one, and no more: elements that remember what they were given, requests, and a
// timer that the test fires.
const browser = `
class Element {
	constructor() { this.children = []; this.listeners = {}; this.textContent = this.className = this.value = ""; }
	get lastChild() { return this.children[this.children.length - 1]; }
	get options() { return this.children; }
	insertCell() { const cell = new Element(); this.children.push(cell); return cell; }
	replaceChildren(...children) { this.children = children; }
	addEventListener(name, listener) { this.listeners[name] = listener; }
	reset() {}
}
function Option(text, value) { this.text = text; this.value = value; }
const elements = {}, details = new Element();
const document = {
	createElement: () => new Element(),
	querySelector: () => details,
	getElementById(id) {
		if (!elements[id]) {
			const form = elements[id] = new Element();
			for (const name of ["user_id", "product_id", "quantity", "email"]) form[name] = new Element();
		}
		return elements[id];
	},
};
function fetch(path, { method, body }) {
	const [status, text] = request(method, path, body ?? "");
	return Promise.resolve({ ok: status < 300, statusText: String(status), json: () => Promise.resolve(JSON.parse(text)) });
}
let again;
function setTimeout(next) { again = next; }
function look() { again(); }
function place(user, product, quantity) {
	const form = document.getElementById("order");
	form.user_id.value = user;
	form.product_id.value = product;
	form.quantity.valueAsNumber = quantity;
	form.listeners.submit({ preventDefault() {} });
}
function shown() {
	const rows = (id) => document.getElementById(id).children.map((tr) => tr.children.slice(1).map((td) => td.textContent).join(" | "));
	const order = document.getElementById("order");
	return JSON.stringify({
		orders: rows("orders"), parked: document.getElementById("parked").hidden ? [] : document.getElementById("messages").children
			.map((tr) => tr.children.slice(1).map((td) => td.textContent).join(" | ")),
		said: document.getElementById("message").textContent, users: order.user_id.options.map((o) => o.text),
		open: !!details.open,
	});
}`

// page is the shop's page with its script running.
type page struct {
	*client
	js     *goja.Runtime
	failed string // what is answered of messages that have failed, "" for what the shop says
}

// shown is what somebody sees: the rows without their first column, which is the time or the number of the message.
type shown struct {
	Orders, Parked, Users []string
	Said                  string
	Open                  bool
}

// browse opens the page.
func (c *client) browse() *page {
	c.Helper()
	text, err := os.ReadFile("page.html")
	if err != nil {
		c.Fatal(err)
	}
	_, script, found := strings.Cut(string(text), `<script type="module">`)
	script, _, closed := strings.Cut(script, "</script>")
	if !found || !closed {
		c.Fatal("the page has no script")
	}
	p := &page{client: c, js: goja.New()}
	err = p.js.Set("request", func(method, path, body string) []any {
		if path == "/messages" && p.failed != "" {
			return []any{200, p.failed}
		}
		var in any
		if body != "" {
			in = json.RawMessage(body)
		}
		status, data, _ := c.raw(method, path, in)
		return []any{status, string(data)}
	})
	if err != nil {
		c.Fatal(err)
	}
	p.run(browser)
	p.run(script)
	return p
}

func (p *page) run(script string, args ...any) goja.Value {
	p.Helper()
	if len(args) > 0 {
		data, err := json.Marshal(args)
		if err != nil {
			p.Fatal(err)
		}
		script += "(..." + string(data) + ")"
	}
	v, err := p.js.RunString(script)
	if err != nil {
		p.Fatal(err)
	}
	return v
}

// look lets a second pass, and returns what the page shows.
func (p *page) look() (s shown) {
	p.Helper()
	p.run("look()")
	if err := json.Unmarshal([]byte(p.run("shown()").String()), &s); err != nil {
		p.Fatal(err)
	}
	return s
}

// sees waits until the page shows an order with what begins like this, and ends with its total.
func (p *page) sees(begins string) shown {
	p.Helper()
	var last shown
	p.until(begins, func() string {
		last = p.look()
		i := slices.IndexFunc(last.Orders, func(row string) bool { return strings.HasPrefix(row, begins) && strings.HasSuffix(row, " | 2.5") })
		if i < 0 {
			return strings.Join(last.Orders, "\n")
		}
		return begins
	})
	return last
}

// TestPageShowsPayments: the page's own script shows an order being retried and paid, one that is declined and parked, and
// why an order is refused.
func TestPageShowsPayments(t *testing.T) {
	t.Parallel()
	onEach(t, func(c *client) {
		p := c.browse()
		if s := p.look(); !s.Open || len(s.Orders) > 0 || len(s.Parked) > 0 {
			c.Errorf("of an empty shop the page shows %+v", s)
		}
		flaky, product := c.user("flaky+ann@example.com"), c.product("A", 250, 3)
		if s := p.look(); len(s.Users) != 1 || s.Users[0] != "Ann <flaky+ann@example.com>" {
			c.Errorf("who can order is shown as %+v", s)
		}
		p.run("place", flaky, product, 1)
		if s := p.look(); s.Said != "Ordered for 2.5." {
			c.Errorf("of an order the page says %q", s.Said)
		}
		if s := p.sees("Ann | paid |  | "); len(s.Parked) > 0 {
			c.Errorf("something is parked: %q", s.Parked)
		}
		for range 3 {
			c.try()
		}

		// How long a retry can be seen is left to chance, so that the answer is held: what is in it is what
		// TestPromise42_FlakyPaymentIsTriedUntilItIsPaid finds there.
		id := c.want(200, "GET", "/orders", nil)["items"].([]any)[0].(object)["id"].(string)
		p.failed = `{"items":[{"state":"retrying","key":"` + id + `","failures":2,"next_at":"2100-01-01T00:00:00Z","error":"no answer"}]}`
		if s := p.sees("Ann | paid | 2 failed, again in "); len(s.Parked) > 0 || !strings.Contains(s.Orders[0], " s: no answer | ") {
			c.Errorf("a retry is shown as %+v", s)
		}
		p.failed = ""

		p.run("place", c.user("declined+ann@example.com"), product, 1)
		c.try()
		s := p.sees("Ann | declined | parked | ")
		if len(s.Parked) != 1 || s.Parked[0] != "Ann | the payment provider declines the charge | 1" {
			c.Errorf("what is parked is shown as %q", s.Parked)
		}

		p.run("place", flaky, product, 5)
		if s := p.look(); s.Said != "only 1 of A are left" || len(s.Orders) != 2 {
			c.Errorf("of an order that cannot be the page says %q", s.Said)
		}
	})
}
