package shop_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/urutu-go/urutu/cli"
)

// try waits until a message has been tried, and returns what it failed with, "" for nothing.
func (c *client) try() string {
	c.Helper()
	select {
	case err := <-c.tries:
		if err != nil {
			return err.Error()
		}
		return ""
	case <-time.After(30 * time.Second):
		c.Fatal("no message is tried")
		return ""
	}
}

// eventually waits until an order has a status: the commit follows what the handler returned.
func (c *client) eventually(order, status string) {
	c.Helper()
	c.until(status, func() string { return c.want(200, "GET", "/orders/"+order, nil)["status"].(string) })
}

// until asks until it is answered as it wants.
func (c *client) until(want string, ask func() string) {
	c.Helper()
	again, late := time.NewTicker(20*time.Millisecond), time.After(30*time.Second)
	defer again.Stop()
	for got := ask(); got != want; got = ask() {
		select {
		case <-again.C:
		case <-late:
			c.Fatalf("%q, not %q", got, want)
		}
	}
}

// messages returns what the shop's page says of messages that have failed.
func (c *client) messages() string {
	c.Helper()
	var lines []string
	for _, item := range c.want(200, "GET", "/messages", nil)["items"].([]any) {
		m := item.(object)
		lines = append(lines, strings.Join([]string{m["state"].(string), m["key"].(string), m["error"].(string)}, " "))
	}
	return strings.Join(lines, "\n")
}

// command runs a command of the shop's staff and returns what it prints.
func (c *client) command(args ...string) string {
	c.Helper()
	var out bytes.Buffer
	if err := cli.Run(c.Context(), cli.Terminal{Out: &out, Err: &out}, args, cli.Messages(c.db, cli.MessagesConfig{})); err != nil {
		c.Fatal(args, err)
	}
	return out.String()
}

// TestPromise42_FlakyPaymentIsTriedUntilItIsPaid: it is seen retrying, with why and when; the third try succeeds, and no
// trace of the others is left.
func TestPromise42_FlakyPaymentIsTriedUntilItIsPaid(t *testing.T) {
	t.Parallel()
	onEach(t, func(c *client) {
		id := c.want(201, "POST", "/orders", order(c.user("flaky+ann@example.com"), c.product("A", 250, 3), 1))["id"].(string)
		for _, want := range []string{"does not answer", "does not answer", ""} {
			if got := c.try(); !strings.Contains(got, want) || want == "" && got != "" {
				c.Errorf("a try ends with %q, not %q", got, want)
			}
			if want != "" {
				c.until("retrying "+id+" the payment provider does not answer", c.messages)
			}
		}
		c.eventually(id, "paid")
		if got := c.messages(); got != "" {
			c.Errorf("messages are left: %s", got)
		}
	})
}

// TestPromise42_DeclinedPaymentIsParkedAndReplayed: it waits, with its reason, until somebody has it tried again.
func TestPromise42_DeclinedPaymentIsParkedAndReplayed(t *testing.T) {
	t.Parallel()
	onEach(t, func(c *client) {
		user := c.user("declined+bob@example.com")
		id := c.want(201, "POST", "/orders", order(user, c.product("A", 250, 3), 1))["id"].(string)
		parked := "parked " + id + " the payment provider declines the charge"
		if got := c.try(); !strings.Contains(got, "declines") {
			c.Errorf("the first try ends with %q", got)
		}
		c.until(parked, c.messages)
		c.eventually(id, "declined")
		if list := c.command("messages", "list"); !strings.Contains(list, "permanent") || !strings.Contains(list, id) {
			c.Errorf("the list is\n%s", list)
		}

		// Nothing has changed, and so it is parked again.
		if got := c.command("messages", "retry", "-reason", "permanent"); got != "1 message tried again\n" {
			c.Error(got)
		}
		if got := c.try(); !strings.Contains(got, "declines") {
			c.Errorf("the second try ends with %q", got)
		}
		c.until(parked, c.messages)

		c.want(200, "PATCH", "/users/"+user, object{"email": "bob@example.com"})
		if got := c.command("messages", "retry", "-all"); got != "1 message tried again\n" {
			c.Error(got)
		}
		c.eventually(id, "paid")
		if got := c.command("messages", "list", "-state", "any"); got != "no messages\n" {
			c.Errorf("what is left is\n%s", got)
		}
	})
}
