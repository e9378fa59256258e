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

// sifts reports whether messages have to be looked at to see whether they are selected: no index has their topics and keys.
func (f DelayedFilter) sifts() bool { return f.Topic+f.Key != "" && f.Once == "" }

// check refuses times that no message waits for.
func (f DelayedFilter) check(op string) error {
	for _, t := range [...]time.Time{f.From, f.Until} {
		if !t.IsZero() && !deliverable(t) {
			return refuse(op, "the year %d is no time to deliver a message", t.Year())
		}
	}
	return nil
}

// deliverable reports whether a message can wait for a time.
func deliverable(t time.Time) bool { return t.Year() >= 1970 && t.Year() <= 9999 }

func aTime(t time.Time) param { return param{typ: tTime, value: value.OfTime(t)} }

// placed appends what the filter says of the rows m of a destination, as far as an index knows it.
func (s *selection) placed(f DelayedFilter) {
	if f.Once != "" {
		s.add(" AND m.once = ?", aText(f.Once))
	}
	if !f.From.IsZero() {
		s.add(" AND m.deliver_at >= ?", aTime(f.From))
	}
	if !f.Until.IsZero() {
		s.add(" AND m.deliver_at < ?", aTime(f.Until))
	}
}

// sifted appends what no index knows.
func (s *selection) sifted(f DelayedFilter) {
	if f.Topic != "" {
		s.add(" AND m.topic = ?", aText(f.Topic))
	}
	if f.Key != "" {
		s.add(" AND m.key = ?", aText(f.Key))
	}
}

// appointment is the place of a message that waits for its time in the order of lists, which is that of the index which an
// engine uses.
type appointment struct {
	dest int32
	at   time.Time
	id   int64
}

// compare orders appointments.
func (a appointment) compare(b appointment) int {
	return cmp.Or(cmp.Compare(a.dest, b.dest), a.at.Compare(b.at), cmp.Compare(a.id, b.id))
}

// earliest is before every message.
var earliest = appointment{dest: first.dest}

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
