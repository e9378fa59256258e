package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/urutu-go/urutu/fault"
)

func (m *messages) subscriptions(*flag.FlagSet) Action {
	return func(ctx context.Context, t Terminal, args []string) error {
		if len(args) > 0 {
			return misunderstood("subscriptions takes no arguments")
		}
		list, err := m.operator.Subscriptions(ctx)
		if err != nil {
			return err
		}
		out := newTable()
		out.row("DESTINATION", "TOPIC")
		for _, s := range list {
			out.row(s.Destination, s.Topic)
		}
		_, err = io.WriteString(t.Out, out.String())
		return err
	}
}

func (m *messages) unsubscribe(flags *flag.FlagSet) Action {
	discard := flags.Bool("discard", false, "also delete what is stored of the topic for the destination, for ever")
	return func(ctx context.Context, t Terminal, args []string) error {
		if len(args) != 2 {
			return misunderstood("unsubscribe takes a destination and a topic")
		}
		err := m.operator.Unsubscribe(ctx, args[0], args[1])
		if err != nil && !(*discard && errors.Is(err, fault.NotFound)) { // it may have stopped halfway the last time
			return err
		}
		if _, err := fmt.Fprintf(t.Out, "%s gets no more of %s\n", args[0], args[1]); err != nil || !*discard {
			return err
		}
		n, err := m.operator.Discard(ctx, args[0], args[1])
		_, printed := fmt.Fprintf(t.Out, "%s discarded\n", count(n))
		return errors.Join(err, printed)
	}
}
