package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/urutu-go/urutu/outbox"
)

func (m *messages) retry(flags *flag.FlagSet) Action {
	return change(flags, m.operator.Retry, "tried again")
}

func (m *messages) skip(flags *flag.FlagSet) Action {
	return change(flags, m.operator.Skip, "skipped")
}

// change is an action that does something to the messages that its flags select, and says how many they were.
func change(flags *flag.FlagSet, do func(context.Context, outbox.Filter) (int, error), done string) Action {
	var s selection
	s.declareAll(flags)
	return func(ctx context.Context, t Terminal, args []string) error {
		f, err := s.readChange(args)
		if err != nil {
			return err
		}
		n, err := do(ctx, f)
		if err := printChange(t, n, err, done); err != nil {
			return err
		}
		return missed(f.IDs, n, notFailed)
	}
}

// notFailed is why an id selects nothing of what has failed.
const notFailed = "have not failed"

// printChange says how many messages were changed, also where it failed on the way.
func printChange(t Terminal, n int, err error, done string) error {
	if n > 0 || err == nil {
		_, printed := fmt.Fprintf(t.Out, "%s %s\n", count(n), done)
		err = errors.Join(err, printed)
	}
	return err
}

func (m *messages) export(flags *flag.FlagSet) Action {
	var s selection
	s.declare(flags)
	return func(ctx context.Context, t Terminal, args []string) error {
		f, err := s.read(args)
		if err != nil {
			return err
		}
		n, err := m.operator.Export(ctx, t.Out, f)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(t.Err, count(n)); err != nil {
			return err
		}
		return missed(f.IDs, n, notFailed)
	}
}
