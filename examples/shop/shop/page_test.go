package shop_test

import (
	"os"
	"regexp"
	"testing"
)

// TestPageReadsWhatIsThere: each member of an item that the page's script names is in the answer that it asks for. What it makes
// of them is in TestPageShowsPayments.
func TestPageReadsWhatIsThere(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("page.html")
	if err != nil {
		t.Fatal(err)
	}
	onEach(t, func(c *client) {
		id := c.want(201, "POST", "/orders", order(c.user("declined+ann@example.com"), c.product("A", 250, 3), 1))["id"].(string)
		c.try()
		c.until("parked "+id+" the payment provider declines the charge", c.messages)
		for path, name := range map[string]string{"/users": "u", "/products": "p", "/orders": "o|order", "/messages": "m|message"} {
			item := c.want(200, "GET", path, nil)["items"].([]any)[0].(object)
			members := regexp.MustCompile(`[^$"#\w](?:`+name+`)\??\.([a-z_]+)\b`).FindAllSubmatch(page, -1)
			if len(members) < 2 {
				c.Errorf("the page names %d members of what is in %s", len(members), path)
			}
			for _, m := range members {
				if _, ok := item[string(m[1])]; !ok && string(m[1]) != "next_at" { // which one that is parked has not
					c.Errorf("the page reads %s of what is in %s, which is not there: %v", m[1], path, item)
				}
			}
		}
	})
}
