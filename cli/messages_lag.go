package cli

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/urutu-go/urutu/outbox"
)

func (m *messages) lag(flags *flag.FlagSet) Action {
	lanes := flags.Bool("lanes", false, "each lane by itself")
	return func(ctx context.Context, t Terminal, args []string) error {
		if len(args) > 0 {
			return misunderstood("lag takes no arguments")
		}
		lags, err := m.operator.Lags(ctx)
		if err != nil {
			return err
		}
		if len(lags) == 0 {
			_, err := fmt.Fprintln(t.Err, "no destinations: no worker has ever started")
			return err
		}
		out := m.each(lags)
		if !*lanes {
			out = m.destinations(lags)
		}
		_, err = io.WriteString(t.Out, out.String())
		return err
	}
}

func (m *messages) each(lags []outbox.Lag) *table {
	out := newTable()
	out.row("DESTINATION", "LANE", "OWNED", "OLDEST", "WAITING", "RETRYING", "PARKED")
	for _, l := range lags {
		owned := map[bool]string{true: "yes", false: "no"}[l.Owned]
		out.row(append([]string{l.Destination, strconv.Itoa(l.Lane), owned}, m.behind(l)...)...)
	}
	return out
}

// destinations prints the lanes of each destination as one.
func (m *messages) destinations(lags []outbox.Lag) *table {
	out := newTable()
	out.row("DESTINATION", "LANES", "OWNED", "OLDEST", "WAITING", "RETRYING", "PARKED")
	for len(lags) > 0 {
		sum, lanes, owned := lags[0], 0, 0
		for _, l := range lags {
			if l.Destination != sum.Destination {
				break
			}
			if lanes++; l.Owned {
				owned++
			}
			if lanes > 1 {
				sum = add(sum, l)
			}
		}
		out.row(append([]string{sum.Destination, strconv.Itoa(lanes), strconv.Itoa(owned)}, m.behind(sum)...)...)
		lags = lags[lanes:]
	}
	return out
}

// add returns two lags as one.
func add(a, b outbox.Lag) outbox.Lag {
	a.Oldest, a.OldestWaiting = earlier(a.Oldest, b.Oldest), earlier(a.OldestWaiting, b.OldestWaiting)
	a.Retrying, a.Parked, a.More = a.Retrying+b.Retrying, a.Parked+b.Parked, a.More || b.More
	return a
}

// earlier returns the earlier of two times, of which either may be zero for none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// behind prints how far behind something is.
func (m *messages) behind(l outbox.Lag) []string {
	since := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return age(m.now().Sub(t))
	}
	failed := func(n int) string {
		if l.More {
			return fmt.Sprintf("%d+", n)
		}
		return strconv.Itoa(n)
	}
	return []string{since(l.Oldest), since(l.OldestWaiting), failed(l.Retrying), failed(l.Parked)}
}
