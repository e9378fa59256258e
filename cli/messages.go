package cli

import (
	"cmp"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"slices"
	"strconv"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
)

// MessagesConfig is how [Messages] is made. The zero value is usable.
type MessagesConfig struct {
	// Connection is the name of the connection whose messages they are. Defaults to the default connection.
	Connection session.Name
	// By is who is operating, for the log. Defaults to the name of the process's user.
	By string
	// Logger is told of every change. Defaults to slog.Default().
	Logger *slog.Logger
	// Now is what ages are counted from. Defaults to time.Now.
	Now func() time.Time
}

// Messages returns the command "messages", with what an operator does to the messages of a connection: list, show, retry,
// skip, export, delayed, lag, subscriptions, unsubscribe, lanes. It works while workers run, and while none does.
func Messages(db *session.DB, cfg MessagesConfig) *Command {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.By, cfg.Logger = cmp.Or(cfg.By, userName()), cmp.Or(cfg.Logger, slog.Default())
	m := &messages{db: db, cfg: cfg, now: cfg.Now, operator: outbox.NewOperator(db, outbox.OperatorConfig{
		Connection: cfg.Connection, By: cfg.By, Logger: cfg.Logger,
	})}
	return &Command{Name: "messages", Summary: "Operate messages that wait or have failed", Commands: []*Command{
		{Name: "list", Summary: "List messages that have failed", Action: m.list},
		{Name: "show", Args: "id ...", Summary: "Show messages with all that they say", Action: m.show},
		{Name: "retry", Args: "[id ...]", Summary: "Have messages that have failed tried again", Action: m.retry},
		{Name: "skip", Args: "[id ...]", Summary: "Delete messages that have failed, and let those behind them go on", Action: m.skip},
		{Name: "export", Args: "[id ...]", Summary: "Write messages that have failed as JSON, one to a line", Action: m.export},
		m.delayed(),
		{Name: "lag", Summary: "Show how far behind each destination is", Action: m.lag},
		{Name: "subscriptions", Summary: "Show which destination gets which topics", Action: m.subscriptions},
		{Name: "unsubscribe", Args: "destination topic", Summary: "Store no more messages of a topic for a destination", Action: m.unsubscribe},
		{Name: "lanes", Args: "destination n", Summary: "Change how many lanes a destination has, under load", Action: m.lanes},
	}}
}

// messages are the actions of the command.
type messages struct {
	db       *session.DB
	cfg      MessagesConfig
	operator *outbox.Operator
	now      func() time.Time
}

// userName returns the name of the process's user, as far as the system tells.
func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return os.Getenv("USER")
}

// selection is what the flags and arguments of a command select.
type selection struct {
	filter outbox.Filter
	reason string
	state  string
	all    bool
}

func (s *selection) declare(flags *flag.FlagSet) {
	flags.StringVar(&s.filter.Destination, "destination", "", "only those for this `group` or broker")
	flags.StringVar(&s.filter.Topic, "topic", "", "only those of this `topic`")
	flags.StringVar(&s.reason, "reason", "", "only those that failed for this `reason`: error, panic, timeout, permanent, ...")
	flags.StringVar(&s.filter.ErrorContains, "error", "", "only those whose last error contains this `text`")
	flags.StringVar(&s.state, "state", "", "in this `state`: parked, retrying or any (default parked; any where ids are given)")
}

// declareAll adds the flag without which a command does not change everything.
func (s *selection) declareAll(flags *flag.FlagSet) {
	s.declare(flags)
	flags.BoolVar(&s.all, "all", false, "all of them: needed where nothing else selects")
}

// read returns the filter.
func (s *selection) read(args []string) (outbox.Filter, error) {
	f := s.filter
	f.Reason = outbox.Reason(s.reason)
	ids, err := readIDs(args)
	if err != nil {
		return f, err
	}
	f.IDs = ids
	switch f.State = outbox.State(s.state); f.State {
	case outbox.Parked, outbox.Retrying, outbox.AnyState:
	case "":
		if len(ids) == 0 {
			f.State = outbox.Parked
		}
	default:
		return f, misunderstood("-state is parked, retrying or any, not %q", s.state)
	}
	return f, nil
}

// readChange is read for a command that changes what it selects.
func (s *selection) readChange(args []string) (outbox.Filter, error) {
	selects := len(args) > 0 || s.reason != "" || s.state != "" || s.filter.Destination+s.filter.Topic+s.filter.ErrorContains != ""
	if err := needsAll(selects, len(args) > 0, s.all); err != nil {
		return s.filter, err
	}
	return s.read(args)
}

// needsAll refuses to change everything without being told so, and a contradiction.
func needsAll(selects, ids, all bool) error {
	switch {
	case !selects && !all:
		return misunderstood("which messages? Give ids or flags that select some, or -all")
	case ids && all:
		return misunderstood("either ids or -all")
	}
	return nil
}

func readIDs(args []string) (ids []int64, err error) {
	for _, arg := range args {
		id, err := strconv.ParseInt(arg, 10, 64)
		if err != nil {
			return nil, misunderstood("%q is no id of a message: it is a number that list prints", arg)
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// missed is the error of a command that was given ids which select nothing, and why; nil where all of them did.
func missed(ids []int64, n int, why string) error {
	if len(ids) <= n {
		return nil
	}
	return fault.New(fault.NotFound, fmt.Sprintf("%d of %d messages %s, or are gone", len(ids)-n, len(ids), why))
}
