package outbox

import (
	"maps"
	"math"
	"slices"
	"time"
)

// A consumer that has handlers for several topics has room for so many messages of each in memory. Where one of them is
// slow, what comes for it stays in the table, and the lane goes on with the others: it remembers from where on the topic's
// messages were left, and which keys they have, since nothing of those keys may go before them. As soon as half of the
// topic's room is free, they are looked for from there.

// topic is what a destination has of a topic whose number in hand is limited.
type topic struct {
	limit   int  // how many may be in hand
	running int  // how many are
	room    int  // how many may be in memory
	held    int  // how many are
	full    bool // from when there is no room left until half of it is free
}

// maxBehind is how many keys and numbers a lane remembers of what it has left in the table. At that it goes no further.
const maxBehind = 4096

// backlog is what was left in the table of one topic, up to a lane's hint: since there was no room, or since an earlier one
// of its key was left.
type backlog struct {
	from int64           // none of it has a lower number
	keys map[string]span // where its keys may be
}

// span is where messages of a key may be: none is before the first number, none after the last.
type span struct{ first, last int64 }

// scan looks for what was left of a topic that has room again.
type scan struct {
	topic string
	after int64
	found []*Delivery
	more  bool // it stopped at its limit
}

// makeRoom divides the memory of a destination between its topics, where it has several.
func (d *destination) makeRoom() {
	for name, limit := range d.Limits {
		if limit > 0 && d.Send == nil {
			d.topics[name] = &topic{limit: limit, room: math.MaxInt}
		}
	}
	if d.brim = d.room * 3 / 4; len(d.topics) < 2 {
		return
	}
	d.room = 256
	for _, t := range d.topics {
		t.room = min(max(32*t.limit, 64), 2048)
		d.room += t.room
	}
	d.brim = d.room - 64
}

// hasRoom reports whether it makes sense to look for messages of the destination.
func (d *destination) hasRoom() bool {
	return d.held <= d.brim && (len(d.topics) == 0 || len(d.full()) < len(d.topics))
}

// full returns the topics that have no room, in order.
func (d *destination) full() (list []string) {
	for name, t := range d.topics {
		if t.full {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// isFull reports whether messages of a topic are to stay in the table.
func (d *destination) isFull(name string) bool {
	t := d.topics[name]
	return t != nil && t.full
}

// count says that there is one message more in memory, or one less.
func (d *destination) count(m *Delivery, n int) {
	d.held += n
	t := d.topics[m.Topic]
	if t == nil {
		return
	}
	t.held += n
	switch {
	case t.held >= t.room:
		t.full = true
	case t.full && t.held <= t.room/2:
		t.full, d.reopened = false, true
		now := time.Now()
		for _, l := range d.lanes {
			l.due = now // its retries were not asked for
		}
	}
}

// known returns the numbers of the messages that a sweep is not to bring: those in memory, and those of late that were left.
func (l *lane) known() []int64 {
	return slices.AppendSeq(slices.Collect(maps.Keys(l.held)), maps.Keys(l.recent))
}

// crowded reports whether the lane remembers as much as it may of what it has left in the table.
func (l *lane) crowded() bool {
	n := len(l.recent)
	for _, b := range l.behind {
		n += len(b.keys)
	}
	if n < maxBehind {
		return false
	}
	for _, b := range l.behind { // what others have deleted was never found
		maps.DeleteFunc(b.keys, func(_ string, s span) bool { return s.last < b.from })
	}
	return true
}

// scans returns what is to be looked for again, and of which topics something was left.
func (l *lane) scans() (list []*scan, topics []string) {
	topics = slices.Sorted(maps.Keys(l.behind))
	for _, name := range topics {
		if !l.dest.isFull(name) {
			list = append(list, &scan{topic: name, after: l.behind[name].from - 1})
		}
	}
	return list, topics
}

// mustWait reports whether an earlier message of the key was left in the table.
func (l *lane) mustWait(k *look, d *Delivery, scanned bool) bool {
	if d.Key == "" {
		return false
	}
	if k.stays[d.Key] {
		return true
	}
	for name, b := range l.behind {
		s, ok := b.keys[d.Key]
		if !ok || scanned && name == d.Topic { // a scan brings what comes before, or it was left just now
			continue
		}
		if first := max(s.first, b.from); first <= s.last && first < d.id {
			return true
		}
	}
	return false
}

// reach says that a scan has come to a message: of its key there is nothing before it that the scan has not brought.
func (l *lane) reach(k *look, d *Delivery) {
	b := l.behind[d.Topic]
	if b == nil || k.stays[d.Key] {
		return
	}
	if s, ok := b.keys[d.Key]; ok && s.first < d.id {
		b.keys[d.Key] = span{d.id, s.last}
	}
}

// stay leaves a message in the table.
func (l *lane) stay(k *look, d *Delivery) {
	b := l.keep(d)
	if d.id > l.floor {
		l.recent[d.id] = d.Topic
	}
	if d.Key == "" {
		return
	}
	s, ok := b.keys[d.Key]
	if !ok {
		s = span{d.id, d.id}
	}
	b.keys[d.Key] = span{min(s.first, d.id), max(s.last, d.id)}
	k.stays[d.Key] = true
}

// keep remembers that a message of a topic was left in the table.
func (l *lane) keep(d *Delivery) *backlog {
	b := l.behind[d.Topic]
	if b == nil {
		b = &backlog{from: d.id, keys: map[string]span{}}
		l.behind[d.Topic] = b
	}
	b.from = min(b.from, d.id)
	if low, ok := l.low[d.Topic]; !ok || d.id < low {
		l.low[d.Topic] = d.id
	}
	return b
}

// taken says that a message is left no more.
func (l *lane) taken(d *Delivery) {
	delete(l.recent, d.id)
	b := l.behind[d.Topic]
	if b == nil {
		return
	}
	switch s, ok := b.keys[d.Key]; {
	case !ok:
	case d.id >= s.last:
		delete(b.keys, d.Key)
	case d.id >= s.first:
		b.keys[d.Key] = span{d.id + 1, s.last}
	}
}

// scanned moves on where the next scan of each topic begins. What comes after the last number is not known.
func (l *lane) scanned(k *look, last int64) {
	for _, s := range k.scans {
		b := l.behind[s.topic]
		from, complete := k.hint+1, last >= k.hint
		if s.more {
			from, complete = s.found[len(s.found)-1].id+1, false
		}
		from = min(from, last)
		low, some := l.low[s.topic]
		if some {
			from = min(from, low)
		}
		b.from = from
		if complete && !some {
			delete(l.behind, s.topic)
		}
		maps.DeleteFunc(l.recent, func(id int64, name string) bool { return name == s.topic && id < from })
	}
}
