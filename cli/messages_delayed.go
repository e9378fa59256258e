package cli

import (
	"context"
	"errors"
	"flag"
	"strconv"
	"time"

	"github.com/urutu-go/urutu/outbox"
)

// delayed is the command "messages delayed", with what an operator does to messages that wait for their time.
func (m *messages) delayed() *Command {
	return &Command{Name: "delayed", Summary: "Operate messages that wait for their time", Commands: []*Command{
		{Name: "list", Summary: "List messages that wait for their time", Action: m.listDelayed},
		{Name: "show", Args: "id ...", Summary: "Show messages that wait for their time with all that they say", Action: m.showDelayed},
		{Name: "cancel", Args: "[id ...]", Summary: "Delete messages that wait for their time", Action: m.cancel},
		{Name: "deliver", Args: "[id ...]", Summary: "Have the time of messages come now", Action: m.deliver},
	}}
}

// delayedSelection is what the flags and arguments of a command select.
type delayedSelection struct {
	filter outbox.DelayedFilter
	now    func() time.Time
}

func (s *delayedSelection) declare(flags *flag.FlagSet) {
	flags.StringVar(&s.filter.Destination, "destination", "", "only those for this `group` or broker")
	flags.StringVar(&s.filter.Topic, "topic", "", "only those of this `topic`")
	flags.StringVar(&s.filter.Key, "key", "", "only those of this `key`")
	flags.StringVar(&s.filter.Once, "once", "", "only those that were published with this `name` to wait once")
	flags.Func("from", "only those whose time is not before this `time`: 2026-03-01T12:00:00Z, or 90m for so long from now", s.read(&s.filter.From))
	flags.Func("until", "only those whose time is before this `time`", s.read(&s.filter.Until))
}

// read returns what reads a time.
func (s *delayedSelection) read(to *time.Time) func(text string) error {
	return func(text string) (err error) {
		if d, failed := time.ParseDuration(text); failed == nil {
			*to = s.now().Add(d)
			return nil
		}
		if *to, err = time.Parse(time.RFC3339, text); err != nil {
			return errors.New("a time is like 2026-03-01T12:00:00Z, or like 90m for so long from now")
		}
		return nil
	}
}

func (m *messages) listDelayed(flags *flag.FlagSet) Action {
	s := delayedSelection{now: m.now}
	s.declare(flags)
	page := declarePage(flags)
	return func(ctx context.Context, t Terminal, args []string) (err error) {
		if s.filter.IDs, err = readIDs(args); err != nil {
			return err
		}
		list, next, err := m.operator.ListDelayed(ctx, s.filter, *page)
		for err == nil && len(list) == 0 && next != "" { // none of those that were looked at
			list, next, err = m.operator.ListDelayed(ctx, s.filter, outbox.Page{After: next, Limit: page.Limit})
		}
		if err != nil {
			return err
		}
		return printPage(t, list, next, m.delayedLines)
	}
}

// delayedLines prints one line for each message.
func (m *messages) delayedLines(list []outbox.Stored) string {
	now, out := m.now(), newTable()
	out.row("ID", "DESTINATION", "TOPIC", "KEY", "ONCE", "DUE", "AT")
	for _, s := range list {
		due := "now"
		if s.DeliverAt.After(now) {
			due = "in " + age(s.DeliverAt.Sub(now))
		}
		out.row(strconv.FormatInt(s.ID, 10), s.Destination, s.Topic, s.Key, s.Once, due, s.DeliverAt.Format(time.RFC3339))
	}
	return out.String()
}

func (m *messages) showDelayed(*flag.FlagSet) Action { return m.showEach(m.operator.ShowDelayed) }

func (m *messages) cancel(flags *flag.FlagSet) Action {
	return m.changeDelayed(flags, m.operator.Cancel, "canceled")
}

func (m *messages) deliver(flags *flag.FlagSet) Action {
	return m.changeDelayed(flags, m.operator.DeliverNow, "due now")
}

// changeDelayed is an action that does something to the messages that its flags select, and says how many they were.
func (m *messages) changeDelayed(flags *flag.FlagSet, do func(context.Context, outbox.DelayedFilter) (int, error), done string) Action {
	s := delayedSelection{now: m.now}
	s.declare(flags)
	flags.BoolVar(&s.filter.All, "all", false, "all of them: needed where nothing else selects")
	return func(ctx context.Context, t Terminal, args []string) (err error) {
		if s.filter.IDs, err = readIDs(args); err != nil {
			return err
		}
		if err := needsAll(len(args)+flags.NFlag() > 0, len(args) > 0, s.filter.All); err != nil {
			return err
		}
		n, err := do(ctx, s.filter)
		if err := printChange(t, n, err, done); err != nil {
			return err
		}
		return missed(s.filter.IDs, n, "do not wait for their time")
	}
}
