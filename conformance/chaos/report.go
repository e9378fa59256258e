//go:build unix

package chaos

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
)

// Report is what a run has brought.
type Report struct {
	Counts
	// Cycles are the disturbances, by kind.
	Cycles map[string]int
	// Strikes are how often something died, fell or broke at each arrow, and Deaths how many processes died at all.
	Strikes map[string]int
	Deaths  int
	// Findings are what must not be; Wrong is what went wrong besides.
	Findings []Finding
	Wrong    []string
	// Takeovers are how long after the death of a worker another one had handled a message of a lane of its, for each lane,
	// in order.
	Takeovers []time.Duration
	// Took is how long it took, with the handling of what was left.
	Took time.Duration
}

// takeover is a worker that died, and until when nothing else was disturbed.
type takeover struct {
	worker      string
	died, until time.Time
}

func (r *Rig) report(ctx context.Context) (*Report, error) {
	paths, err := r.journals()
	if err != nil {
		return nil, err
	}
	l, err := readLedger(paths)
	if err != nil {
		return nil, err
	}
	s, err := r.state(ctx)
	if err != nil {
		return nil, err
	}
	if err := readLines(r.broker(), func(m Event) { s.Sent = append(s.Sent, m) }); err != nil {
		return nil, err
	}
	report := &Report{Cycles: r.cycles, Strikes: map[string]int{}, Deaths: r.deaths, Wrong: r.found, Took: time.Since(r.began)}
	for _, arrow := range r.targets() {
		report.Strikes[arrow] = r.strikes[arrow]
	}
	report.Counts, report.Findings = Check(l, s)
	for _, t := range r.takeovers {
		report.Takeovers = append(report.Takeovers, t.lanes(s.Effects, r.lanes())...)
	}
	slices.Sort(report.Takeovers)
	return report, nil
}

// state reads the tables.
func (r *Rig) state(ctx context.Context) (State, error) {
	s := State{Units: map[string]int64{}, Counters: map[string]int64{}}
	units := "SELECT name, id FROM units" // with one writer that is the order of the commits
	switch {
	case r.database.host != "" && r.database.cluster == nil:
		units = "SELECT name, 0 FROM units" // the server does not say
	case r.database.host != "":
		units = "SELECT name, (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint FROM units"
	}
	err := r.db.Do(ctx, func(ctx context.Context) error {
		err := each(ctx, units, func(scan func(...any) error) error {
			var name string
			var at int64
			err := scan(&name, &at)
			s.Units[name] = at
			return err
		})
		err = errors.Join(err, each(ctx, "SELECT name, seq FROM counters", func(scan func(...any) error) error {
			var name string
			var n int64
			err := scan(&name, &n)
			s.Counters[name] = n
			return err
		}))
		return errors.Join(err, each(ctx, "SELECT id, grp, message, unit, idx, key, seq, worker, at, follows FROM effects ORDER BY id",
			func(scan func(...any) error) error {
				var e Effect
				err := scan(&e.ID, &e.Grp, &e.Message, &e.Unit, &e.Idx, &e.Key, &e.Seq, &e.Worker, &e.At, &e.Follows)
				s.Effects = append(s.Effects, e)
				return err
			}))
	})
	return s, err
}

// each runs a query and hands its rows to fn.
func each(ctx context.Context, query string, fn func(scan func(...any) error) error) error {
	rows, err := session.From(ctx).QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// lanes is how many lanes a group has.
func (r *Rig) lanes() int {
	if r.database.host == "" {
		return 1
	}
	return 16
}

// lane returns the lane that an effect's message was in.
func (e *Effect) lane(lanes int) int {
	slot := message.Slot(e.Key)
	if id, err := hex.DecodeString(e.Message); e.Key == "" && err == nil {
		slot = (int(id[15]) | int(id[14])<<8) % message.Slots
	}
	return slot * lanes / message.Slots
}

// lanes returns, for each lane that the worker had when it died, how long it took until another one handled a message.
func (t takeover) lanes(effects []Effect, lanes int) (list []time.Duration) {
	type place struct {
		group string
		lane  int
	}
	owner, first := map[place]string{}, map[place]time.Duration{}
	byTime := slices.SortedStableFunc(slices.Values(effects), func(a, b Effect) int { return int(a.At - b.At) })
	for _, e := range byTime {
		p, at := place{e.Grp, e.lane(lanes)}, time.UnixMicro(e.At)
		switch {
		case at.Before(t.died):
			owner[p] = e.Worker
		case owner[p] == t.worker && e.Worker != t.worker && at.Before(t.until):
			if _, ok := first[p]; !ok {
				first[p] = at.Sub(t.died)
			}
		}
	}
	return slices.Collect(maps.Values(first))
}

// String prints the figures.
func (r *Report) String() string {
	var b strings.Builder
	total := 0
	for _, name := range slices.Sorted(maps.Keys(r.Cycles)) {
		total += r.Cycles[name]
	}
	fmt.Fprintf(&b, "%.0f s, %d disturbances:", r.Took.Seconds(), total)
	for _, name := range slices.Sorted(maps.Keys(r.Cycles)) {
		fmt.Fprintf(&b, " %s %d,", name, r.Cycles[name])
	}
	b.WriteString("\narrows:")
	for _, name := range slices.Sorted(maps.Keys(r.Strikes)) {
		fmt.Fprintf(&b, " %s %d,", name, r.Strikes[name])
	}
	kinds := Kinds(r.Findings)
	fmt.Fprintf(&b, "\nunits: %d committed, %d rolled back, %d unknown; %d messages to handle and %d follow-ups; %d effects; sent %d, %d of them again\n",
		r.Committed, r.RolledBack, r.Unknown, r.Messages, r.Follows, r.Effects, r.Sent, r.Again)
	fmt.Fprintf(&b, "lost %d, phantom %d, duplicate %d, reordered %d, others %d, wrong %d\n", kinds["lost"], kinds["phantom"],
		kinds["duplicate"], kinds["reordered"], kinds["split"]+kinds["corrupt"], len(r.Wrong))
	if n := len(r.Takeovers); n > 0 {
		fmt.Fprintf(&b, "takeover of %d lanes: median %v, longest %v\n", n,
			r.Takeovers[n/2].Round(time.Millisecond), r.Takeovers[n-1].Round(time.Millisecond))
	}
	return b.String()
}

// Table prints the figures as docs/reliability.md has them.
func (r *Report) Table() string {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "| %s | %s |\n", name, fmt.Sprintf(format, args...))
	}
	total, cycles := 0, func(names ...string) (n int) {
		for _, name := range names {
			n += r.Cycles[name]
		}
		return n
	}
	for _, n := range r.Cycles {
		total += n
	}
	kinds := Kinds(r.Findings)
	row("disturbances", "%d", total)
	row("deaths of a process, of them for a takeover", "%d, %d", r.Deaths, cycles("takeover"))
	row("strikes at each arrow", "%s", r.strikes())
	row("caught inside of a transaction", "%d", cycles("catch"))
	row("crashes of the server, full disks, jumps of the clock, changes of the lanes", "%d, %d, %d, %d",
		cycles("fall"), cycles("full"), cycles("clock"), cycles("lanes"))
	row("units: committed, rolled back, unknown", "%d, %d, %d", r.Committed, r.RolledBack, r.Unknown)
	row("messages to handle, with follow-ups", "%d", r.Messages+r.Follows)
	row("effects", "%d", r.Effects)
	row("messages sent to the broker, of them again", "%d, %d", r.Sent, r.Again)
	row("lost", "%d", kinds["lost"])
	row("phantom", "%d", kinds["phantom"])
	row("duplicate effects", "%d", kinds["duplicate"])
	row("reordered within a key", "%d", kinds["reordered"])
	row("stuck, or wrong besides", "%d", len(r.Wrong)+kinds["split"]+kinds["corrupt"])
	row("takeover of a lane after kill -9: lanes seen", "%d", len(r.Takeovers))
	if n := len(r.Takeovers); n > 0 {
		row("median, longest (at most 6 s is the aim)", "%.1f s, %.1f s", r.Takeovers[n/2].Seconds(), r.Takeovers[n-1].Seconds())
	}
	return b.String()
}

// strikes says how many arrows there are, and how often at least and at most something happened at one of them.
func (r *Report) strikes() string {
	counts := slices.Sorted(maps.Values(r.Strikes))
	return fmt.Sprintf("%d to %d, at %d arrows", counts[0], counts[len(counts)-1], len(counts))
}
