package chaos

import (
	"fmt"
	"slices"
	"strings"
)

// Finding is something that must not be.
type Finding struct {
	// Kind is lost, phantom, duplicate, reordered, split or corrupt.
	Kind string
	// Text says what it is about.
	Text string
}

// Counts are how much was checked.
type Counts struct {
	Committed, RolledBack, Unknown int // units
	Messages                       int // that had to be handled, each by its groups
	Effects                        int
	Follows                        int // messages that handlers have published
	Sent, Again                    int // messages that the broker got, and how many of them it had already
}

// State is what the tables hold in the end.
type State struct {
	Effects  []Effect         // in the order in which they were written
	Units    map[string]int64 // what the database says about the order of their commits
	Counters map[string]int64
	Sent     []Event // what the broker got, in order
}

// check compares the ledger with the tables.
type check struct {
	*Ledger
	State
	counts   Counts
	seen     map[handled]int
	findings []Finding
}

// handled identifies the handling of a message by a group.
type handled struct {
	group, unit string
	index       int64
}

// Check compares what the writers have written down with what the tables hold.
func Check(l *Ledger, s State) (Counts, []Finding) {
	c := &check{Ledger: l, State: s, seen: map[handled]int{}}
	c.counts.Effects = len(s.Effects)
	for i := range s.Effects {
		e := &s.Effects[i]
		c.seen[handled{e.Grp, e.Unit, e.Idx}]++
	}
	c.units()
	c.strangers()
	c.followUps()
	c.order()
	c.broker()
	c.counters()
	return c.counts, c.findings
}

func (c *check) find(kind, format string, args ...any) {
	c.findings = append(c.findings, Finding{kind, fmt.Sprintf(format, args...)})
}

// units checks each unit by what its writer knows. Where it does not know, the unit's own row says what has happened to
// all of it.
func (c *check) units() {
	for name, i := range c.Intents {
		_, stored := c.Units[name]
		outcome := c.Outcomes[name]
		switch outcome {
		case Unknown:
			c.counts.Unknown++
		case Committed:
			c.counts.Committed++
			if !stored {
				c.find("lost", "unit %s was committed, and its row is not there", name)
			}
		default:
			c.counts.RolledBack++
			if stored {
				c.find("phantom", "unit %s was rolled back, and its row is there", name)
			}
		}
		for _, m := range i.Messages {
			c.message(m, stored, outcome)
		}
	}
}

// message checks one message.
func (c *check) message(m Sent, stored bool, o Outcome) {
	want := stored && !m.Undone
	for _, group := range []string{ledgerGroup, mirrorGroup} {
		got := c.seen[handled{group, m.Unit, int64(m.Index)}]
		if want {
			c.counts.Messages++
		}
		switch {
		case want && got == 0:
			c.find("lost", "%s was not handled by %s (%s)", describe(m), group, o)
		case !want && got > 0:
			c.find("phantom", "%s was handled by %s (%s)", describe(m), group, o)
		case got > 1:
			c.find("duplicate", "%s was handled by %s %d times (%s)", describe(m), group, got, o)
		}
	}
}

func describe(m Sent) string {
	s := fmt.Sprintf("message %d of unit %s", m.Index, m.Unit)
	if m.Key != "" {
		s += fmt.Sprintf(", number %d of %s", m.Seq, m.Key)
	}
	if m.Undone {
		s += ", undone"
	}
	if m.Later {
		s += ", delayed"
	}
	return s
}

// strangers finds effects of messages that nobody has written down, and those that say something else.
func (c *check) strangers() {
	for _, e := range c.Effects {
		i := c.Intents[e.Unit]
		if i == nil || e.Idx >= int64(len(i.Messages)) {
			c.find("phantom", "message %d of unit %s was handled by %s, and nobody knows it", e.Idx, e.Unit, e.Grp)
			continue
		}
		if m := i.Messages[e.Idx]; m.Key != e.Key || m.Seq != e.Seq {
			c.find("corrupt", "%s was handled by %s as number %d of %q", describe(m), e.Grp, e.Seq, e.Key)
		}
	}
}

// followUps checks what handlers have published: for each effect that says so there is one follow-up that was handled,
// and no other.
func (c *check) followUps() {
	for _, e := range c.Effects {
		if e.Grp != ledgerGroup {
			continue
		}
		got, want := c.seen[handled{followUps, e.Unit, e.Idx}], 0
		if e.Follows {
			want = 1
			c.counts.Follows++
		}
		switch {
		case got < want:
			c.find("lost", "the follow-up of message %d of unit %s was not handled", e.Idx, e.Unit)
		case got > want && want == 0:
			c.find("phantom", "message %d of unit %s has a follow-up that was not published", e.Idx, e.Unit)
		case got > want:
			c.find("duplicate", "the follow-up of message %d of unit %s was handled %d times", e.Idx, e.Unit, got)
		}
	}
	for h := range c.seen {
		if h.group == followUps && c.seen[handled{ledgerGroup, h.unit, h.index}] == 0 {
			c.find("phantom", "message %d of unit %s has a follow-up without having been handled", h.index, h.unit)
		}
	}
}

// order checks that each group has handled the messages of a key in the order in which their units committed.
func (c *check) order() {
	type place struct{ group, key string }
	last := map[place]Effect{}
	for _, e := range c.Effects {
		if e.Key == "" {
			continue
		}
		p := place{e.Grp, e.Key}
		if before, ok := last[p]; ok && c.before(&e, &before) {
			c.find("reordered", "%s handled %s (effect %d of %s) after %s (effect %d of %s)", e.Grp,
				c.place(&e), e.ID, e.Worker, c.place(&before), before.ID, before.Worker)
		}
		last[p] = e
	}
}

// before reports whether the message of a comes before that of b, which has the same key.
func (c *check) before(a, b *Effect) bool {
	if a.Seq == 0 && a.Unit != b.Unit {
		return c.Units[a.Unit] < c.Units[b.Unit]
	}
	if a.Seq == 0 {
		return a.Idx < b.Idx
	}
	return a.Seq < b.Seq
}

func (c *check) place(e *Effect) string {
	return fmt.Sprintf("message %d of unit %s, number %d of %s, committed at %d", e.Idx, e.Unit, e.Seq, e.Key, c.Units[e.Unit])
}

// broker checks that the broker got each message, some of them more than once, and those of a key for the first time in
// the order in which their units committed.
func (c *check) broker() {
	c.counts.Sent = len(c.Sent)
	seen, last := map[handled]bool{}, map[string]Event{}
	for _, m := range c.Sent {
		h := handled{brokerGroup, m.Unit, int64(m.Index)}
		if seen[h] {
			c.counts.Again++
			continue
		}
		seen[h] = true
		if before, ok := last[m.Key]; ok && m.Key != "" && c.before(&Effect{Unit: m.Unit, Idx: int64(m.Index), Seq: m.Seq},
			&Effect{Unit: before.Unit, Idx: int64(before.Index), Seq: before.Seq}) {
			c.find("reordered", "the broker got message %d of unit %s, number %d of %s, after message %d of unit %s, number %d",
				m.Index, m.Unit, m.Seq, m.Key, before.Index, before.Unit, before.Seq)
		}
		last[m.Key] = m
		if i := c.Intents[m.Unit]; i == nil || m.Index >= len(i.Messages) {
			c.find("phantom", "the broker got message %d of unit %s, which nobody knows", m.Index, m.Unit)
		}
	}
	for name, i := range c.Intents {
		_, stored := c.Units[name]
		for _, m := range i.Messages {
			want, got := stored && !m.Undone, seen[handled{brokerGroup, name, int64(m.Index)}]
			switch {
			case want && !got:
				c.find("lost", "the broker did not get %s (%s)", describe(m), c.Outcomes[name])
			case got && !want:
				c.find("phantom", "the broker got %s (%s)", describe(m), c.Outcomes[name])
			}
		}
	}
}

// counters checks the ledger itself: the committed messages of a key with a counter have the numbers from 1 up to it.
func (c *check) counters() {
	numbers := map[string][]int64{}
	for name, i := range c.Intents {
		for _, m := range i.Messages {
			if _, stored := c.Units[name]; stored && m.Seq > 0 && !m.Undone {
				numbers[m.Key] = append(numbers[m.Key], m.Seq)
			}
		}
	}
	for key, n := range c.Counters {
		list := numbers[key]
		slices.Sort(list)
		if int64(len(list)) != n || n > 0 && (list[0] != 1 || list[n-1] != n || len(slices.Compact(list)) != int(n)) {
			c.find("split", "the counter of %s is at %d, and %d messages were committed", key, n, len(list))
		}
	}
}

// Kinds counts findings by their kind.
func Kinds(findings []Finding) map[string]int {
	kinds := map[string]int{}
	for _, f := range findings {
		kinds[f.Kind]++
	}
	return kinds
}

// String prints the kind and the text.
func (f Finding) String() string { return strings.ToUpper(f.Kind) + ": " + f.Text }
