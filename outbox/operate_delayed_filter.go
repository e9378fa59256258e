package outbox

import (
	"cmp"
	"fmt"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/value"
)

// DelayedFilter selects messages that wait for their time; its conditions all hold together. The zero value selects all of
// them.
type DelayedFilter struct {
	// IDs are their numbers, those of ListDelayed; none for any.
	IDs []int64
	// Destination, Topic, Key and Once are their own, "" for any.
	Destination, Topic, Key, Once string
	// From and Until bound the time that they wait for: it is not before From, and before Until. Zero for no bound.
	From, Until time.Time
	// All says that all of them are meant, where nothing else selects: a change is refused without it.
	All bool
}

// empty reports whether the filter says nothing.
func (f DelayedFilter) empty() bool {
	return len(f.IDs) == 0 && f.Destination+f.Topic+f.Key+f.Once == "" && f.From.IsZero() && f.Until.IsZero() && !f.All
}

// checked refuses times that no message waits for, and returns the filter with bounds in whole microseconds, as the tables
// have them.
func (f DelayedFilter) checked(op string) (DelayedFilter, error) {
	for _, t := range [...]*time.Time{&f.From, &f.Until} {
		if t.IsZero() {
			continue
		}
		if *t = t.Add(time.Microsecond - 1).Truncate(time.Microsecond); !deliverable(*t) {
			return f, refuse(op, "the year %d is no time to deliver a message", t.Year())
		}
	}
	return f, nil
}

// deliverable reports whether a message can wait for a time.
func deliverable(t time.Time) bool { return t.UTC().Year() >= 1970 && t.UTC().Year() <= 9999 }

// selects reports whether the filter selects a message, of those with its numbers if it has any.
func (f DelayedFilter) selects(m awaited) bool {
	is := func(wanted, got string) bool { return wanted == "" || wanted == got }
	return is(f.Destination, m.Destination) && is(f.Topic, m.Topic) && is(f.Key, m.Key) && is(f.Once, m.Once) &&
		(f.From.IsZero() || !m.at.Before(f.From)) && (f.Until.IsZero() || m.at.Before(f.Until))
}

// still appends that a row m is the message with this number, and that the filter selects it as it is now.
func (s *selection) still(id int64, f DelayedFilter) {
	s.add(" WHERE m.id = ?", anInt(tInt, id))
	for _, c := range [...]struct{ column, wanted string }{{"topic", f.Topic}, {"key", f.Key}, {"once", f.Once}} {
		if c.wanted != "" {
			s.add(" AND m."+c.column+" = ?", aText(c.wanted))
		}
	}
	if !f.From.IsZero() {
		s.add(" AND m.deliver_at >= ?", aTime(f.From))
	}
	if !f.Until.IsZero() {
		s.add(" AND m.deliver_at < ?", aTime(f.Until))
	}
	s.add(" RETURNING id")
}

func aTime(t time.Time) param { return param{typ: tTime, value: value.OfTime(t)} }

// leap returns where to go on behind a message, and whether that is further than its own place: the filter has no times
// there.
func (f DelayedFilter) leap(a appointment) (to appointment, far bool) {
	switch {
	case !f.From.IsZero() && a.at.Before(f.From):
		return appointment{dest: a.dest, at: f.From}, true
	case !f.Until.IsZero() && !a.at.Before(f.Until):
		return opening(a.dest + 1), true
	}
	return a, false
}

// appointment is the place of a message that waits for its time in the order of lists, which is that of an index.
type appointment struct {
	dest int32
	at   time.Time
	id   int64
}

// compare orders appointments.
func (a appointment) compare(b appointment) int {
	return cmp.Or(cmp.Compare(a.dest, b.dest), a.at.Compare(b.at), cmp.Compare(a.id, b.id))
}

// opening is before every message of a destination.
func opening(dest int32) appointment { return appointment{dest: dest, at: time.UnixMicro(0).UTC()} }

// earliest is before every message.
var earliest = opening(first.dest)

// String prints the place as ListDelayed takes it.
func (a appointment) String() string { return fmt.Sprintf("%d-%d-%d", a.dest, a.at.UnixMicro(), a.id) }

// parseAppointment reads what String has printed; "" is before the first message.
func parseAppointment(op, text string) (a appointment, err error) {
	if text == "" {
		return earliest, nil
	}
	var at int64
	_, err = fmt.Sscanf(text, "%d-%d-%d", &a.dest, &at, &a.id)
	if a.at = time.UnixMicro(at).UTC(); err != nil || a.String() != text || !deliverable(a.at) {
		return a, &fault.Error{Kind: fault.BadRequest, Op: op, Message: fmt.Sprintf("%.60q does not begin a page", text), Err: err}
	}
	return a, nil
}
