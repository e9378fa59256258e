package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urutu-go/urutu/outbox"
)

// errorWidth is how much of an error a line of the list has.
const errorWidth = 60

func (m *messages) list(flags *flag.FlagSet) Action {
	var s selection
	s.declare(flags)
	page := declarePage(flags)
	return func(ctx context.Context, t Terminal, args []string) error {
		f, err := s.read(args)
		if err != nil {
			return err
		}
		list, next, err := m.operator.List(ctx, f, *page)
		if err != nil {
			return err
		}
		return printPage(t, list, next, m.lines)
	}
}

// declarePage adds the flags that say which part of a list is meant.
func declarePage(flags *flag.FlagSet) *outbox.Page {
	page := &outbox.Page{}
	flags.IntVar(&page.Limit, "limit", 50, "how many, at most 1000")
	flags.StringVar(&page.After, "after", "", "go on behind the `place` that the list before has ended with")
	return page
}

// printPage prints a part of a list, and how to go on.
func printPage(t Terminal, list []outbox.Stored, next string, lines func([]outbox.Stored) string) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(t.Err, "no messages")
		return err
	}
	if _, err := io.WriteString(t.Out, lines(list)); err != nil || next == "" {
		return err
	}
	_, err := fmt.Fprintln(t.Err, "there are more: -after", next)
	return err
}

// lines prints one line for each message.
func (m *messages) lines(list []outbox.Stored) string {
	now, out := m.now(), newTable()
	out.row("ID", "STATE", "DESTINATION", "TOPIC", "KEY", "FAILURES", "FAILED", "NEXT", "REASON", "ERROR")
	for _, s := range list {
		next := ""
		if s.State == outbox.Retrying {
			next = "now"
			if s.NextAt.After(now) {
				next = "in " + age(s.NextAt.Sub(now))
			}
		}
		out.row(strconv.FormatInt(s.ID, 10), string(s.State), s.Destination, s.Topic, s.Key, strconv.Itoa(s.Failures),
			age(now.Sub(s.FailedAt))+" ago", next, string(s.Reason), shorten(s.LastError, errorWidth))
	}
	return out.String()
}

func (m *messages) show(*flag.FlagSet) Action { return m.showEach(m.operator.Show) }

// showEach is an action that prints the messages with the ids that it is given.
func (m *messages) showEach(show func(context.Context, int64) (outbox.Stored, error)) Action {
	return func(ctx context.Context, t Terminal, args []string) error {
		ids, err := readIDs(args)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			return misunderstood("which messages? Give their ids")
		}
		for i, id := range ids {
			s, err := show(ctx, id)
			if err != nil {
				return err
			}
			text := m.whole(s)
			if i > 0 {
				text = "\n" + text
			}
			if _, err := io.WriteString(t.Out, text); err != nil {
				return err
			}
		}
		return nil
	}
}

// whole prints a message with all that it says.
func (m *messages) whole(s outbox.Stored) string {
	now, out := m.now(), newTable()
	at := func(t time.Time) string {
		if t.After(now) {
			return fmt.Sprintf("%s (in %s)", t.Format(time.RFC3339), age(t.Sub(now)))
		}
		return fmt.Sprintf("%s (%s ago)", t.Format(time.RFC3339), age(now.Sub(t)))
	}
	out.row("id", strconv.FormatInt(s.ID, 10))
	out.row("message", s.MessageID.String())
	out.row("destination", fmt.Sprintf("%s, lane %d", s.Destination, s.Lane))
	out.row("topic", s.Topic)
	out.row("key", s.Key)
	out.row("published", at(s.CreatedAt))
	out.row("state", string(s.State))
	switch s.State {
	case outbox.Waiting:
	case outbox.Delayed:
		out.row("due", at(s.DeliverAt))
		out.row("once", s.Once)
	default:
		out.row("failures", strconv.Itoa(s.Failures))
		out.row("failed", at(s.FailedAt))
		if s.State == outbox.Retrying {
			out.row("next try", at(s.NextAt))
		}
		out.row("reason", string(s.Reason))
		out.row("error", s.LastError)
	}
	return out.String() + said(s)
}

// said prints what a message says.
func said(s outbox.Stored) string {
	var b strings.Builder
	if s.Envelope != nil {
		fmt.Fprintf(&b, "\nenvelope that cannot be read\n%s\n", indent(string(s.Envelope)))
	}
	if len(s.Headers) > 0 {
		headers := newTable()
		for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
			headers.row("  "+name, s.Headers[name])
		}
		fmt.Fprintf(&b, "\nheaders\n%s", headers)
	}
	payload := string(s.Payload)
	var pretty bytes.Buffer
	if json.Indent(&pretty, s.Payload, "", "  ") == nil {
		payload = pretty.String()
	}
	fmt.Fprintf(&b, "\npayload, version %d\n%s\n", s.Version, indent(payload))
	return b.String()
}

// indent moves each line of a text to the right.
func indent(s string) string {
	return "  " + strings.ReplaceAll(escape(strings.TrimRight(s, "\n"), "\n"), "\n", "\n  ")
}
