package cli

import (
	"context"
	"flag"
	"fmt"
	"strconv"

	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
)

func (m *messages) lanes(*flag.FlagSet) Action {
	return func(ctx context.Context, t Terminal, args []string) error {
		if len(args) != 2 {
			return misunderstood("lanes takes a destination and a number")
		}
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return misunderstood("%q is no number of lanes", args[1])
		}
		if err := outbox.Relane(session.On(m.db.Context(ctx), m.cfg.Connection), args[0], n); err != nil {
			return err
		}
		m.cfg.Logger.InfoContext(ctx, "an operator changes the number of lanes", "by", m.cfg.By, "destination", args[0], "lanes", n)
		_, err = fmt.Fprintf(t.Out, "%s has %d lanes\n", args[0], n)
		return err
	}
}
