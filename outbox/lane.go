package outbox

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"
)

// lane is a part of a destination's messages that one process at a time looks after. What is below is protected by the
// destination's engine.
type lane struct {
	dest   *destination
	number int16
	lease  lease

	hint  int64 // every message up to here was seen, but for those that committed late
	floor int64 // every message up to here was seen
	// settles is the number of a transaction: once all before it have ended, what a sweep finds is complete up to target.
	settles uint64
	target  int64

	held map[int64]*Delivery // what is in memory: in hand, ready, or behind another one of its key
	// keys has the keys in hand or ready, with what waits behind the first.
	keys map[string][]*Delivery
	// left has the keys of which messages up to hint are left in the table: a retry of an earlier one is due, or it is
	// parked. Only a sweep of the whole lane finds in which order they go on.
	left map[string]bool
	// fresh are those of them that came since the sweep of the whole lane began that is under way, or that one of its parts
	// has left out: it may not know of all of their messages.
	fresh map[string]bool
	// passed are the messages that were in memory when it began, and are not any more.
	passed map[int64]bool
	looked bool // a look is under way
	// behind is what was left in the table by topic, recent the topics of those of that behind the floor, and low the first
	// that a topic has left since the look began that is under way.
	behind map[string]*backlog
	recent map[int64]string
	low    map[string]int64
	// whole asks for a sweep of the whole lane; wholeAt is when one is due in any case, and staleAt when it was and has not come.
	whole   bool
	wholeAt time.Time
	staleAt time.Time
	// sweeping is a sweep of the whole lane that takes several looks, and has come to sweptTo.
	sweeping bool
	sweptTo  int64
	// bottom says where it begins.
	bottom  bottom
	covered covered
	due     time.Time // when the next retry is; zero for never
	touched int64     // an operator has changed something, when this number changes
	lost    bool      // it belongs to another process now

	deaths  int   // of owners, before what was there at the last one was through
	doubt   int64 // one of the messages up to here may have been in hand at the last death
	cleared bool  // deaths and doubt are over, which the table does not say yet
	sawDue  bool  // every retry that was due when it was taken was in memory since
	sawAll  bool  // and every other message

	dropped map[int64]bool // messages without a key that were seen, and are found again

	leaving bool // it is given to another process as soon as nothing of it is in hand
}

// lease is the right to a lane.
type lease struct {
	owner [16]byte
	epoch int64
	until time.Time // by this process's monotonic clock
}

func newLane(d *destination, number int16, l lease) *lane {
	return &lane{
		dest: d, number: number, lease: l, held: map[int64]*Delivery{}, keys: map[string][]*Delivery{}, left: map[string]bool{}, fresh: map[string]bool{}, passed: map[int64]bool{},
		behind: map[string]*backlog{}, recent: map[int64]string{}, low: map[string]int64{}, whole: true, due: time.Now(),
	}
}

func (l *lane) owner() (owner [16]byte, epoch int64) { return l.lease.owner, l.lease.epoch }

// safe reports whether messages of the lane may be handed out: another process that takes it over does so later than this.
func (l *lane) safe(now time.Time) bool { return !l.lost && !l.leaving && now.Before(l.lease.until) }

// look is one look at a lane: what it asks for, and what it brings.
type look struct {
	lane  *lane
	began time.Time
	fetch bool
	// expected: this process has heard of a message in the lane.
	expected bool
	hint     int64 // fetch from here on
	floor    int64 // sweep from here to the hint
	sweep    bool
	whole    bool // the sweep is of the whole lane
	// covered: the sweep is of what is not covered.
	covered bool
	again   bool // retries that are due are asked for too
	scans   []*scan
	// A sweep of the whole lane leaves out the messages of these topics up to settled, unless they have one of the keys.
	topics, keys []string
	settled      int64
	known        []int64

	fetched, swept []*Delivery
	stays          map[string]bool // the keys that it has left in the table
	full           bool            // the sweep stopped at its limit
	first          int64           // from its floor up to here it found nothing at all
	sure           int64           // the bottom's, as the look began
	upto           int64           // it was asked to go up to here: to the hint, or to the end of a window before the floor
	blocked        map[string]bool // the keys that waited for a retry before anything was looked for
	ended          uint64          // every transaction before this number had ended before the sweep
	open           []uint64        // those that had not, after the fetch and before the sweep
	next           uint64          // the number of the next transaction, after the fetch
	ours           bool            // nobody else has taken the lane before all of it was read
}

// begin begins a look.
func (l *lane) begin(now time.Time, everything bool) look {
	from := l.covered.begin(l.floor)
	k := look{
		lane: l, began: now, fetch: !l.crowded(), hint: l.hint, floor: from, first: from, covered: from > l.floor, upto: l.hint, settled: l.floor,
		stays: map[string]bool{},
	}
	if !l.sweeping && (l.whole || everything) {
		l.bottom.age(now, l.floor)
		l.sweeping, l.sweptTo, l.whole = true, l.bottom.empty, false
		clear(l.fresh)
	}
	k.scans, k.topics = l.scans()
	k.whole, k.sweep, k.sure = l.sweeping, l.sweeping || l.floor < l.hint, l.bottom.sure
	if k.whole {
		k.floor, k.first, k.covered = l.sweptTo, l.sweptTo, false
		k.keys = slices.Sorted(maps.Keys(l.left))
	}
	clear(l.passed)
	clear(l.low)
	l.looked = true
	return k
}

// fail puts back what a look was asked for that did not come to its end.
func (l *lane) fail(k *look) {
	// The database may be another one now, in which numbers come again, but for those before this process took the lane.
	l.bottom.reset(l.bottom.taken)
	l.covered = covered{}
	if k.whole {
		l.sweeping, l.whole = false, true
	}
	l.looked = false
}

// reached returns up to which number the sweep is complete, and whether that is less than was to be swept.
func (k *look) reached() (last int64, partly bool) {
	switch {
	case k.full:
		return k.swept[len(k.swept)-1].id, true
	case k.upto < k.hint:
		return k.upto, true
	}
	return math.MaxInt64, false
}

// take hands out what a look has brought, in the order of the messages' numbers. A sweep that stopped before its end says
// nothing of what comes there: then nothing after that is handed out, and the hint stays.
func (l *lane) take(k *look) (ready []*Delivery) {
	l.countLate(k)
	l.looked = false
	last, partly := k.reached()
	if k.whole && !partly {
		l.left = k.blocked
		for key := range l.fresh {
			l.left[key] = true
		}
		for _, d := range l.held {
			l.holdBack(d)
		}
	}
	for _, b := range k.brought(last) {
		if l.unknown(b.Delivery) && l.admit(k, b.Delivery, b.scanned) && l.hold(b.Delivery) {
			ready = append(ready, b.Delivery)
		}
	}
	if k.whole && partly {
		l.skipped(k)
	}
	l.scanned(k, last)
	if k.whole {
		l.bottom.rise(k.floor, k.first, k.sure)
	}
	l.sweepOn(k, last, partly)
	if !partly {
		l.settle(k)
	}
	return ready
}

// forgo reports whether a look has come to nothing, since what it was not to bring may come before what it has brought.
func (l *lane) forgo(k *look) bool {
	if !l.covered.broken(k) {
		return false
	}
	l.looked = false
	return true
}

// brought is a message that a look has brought.
type brought struct {
	*Delivery
	scanned bool
}

// brought returns what a look has brought up to the last number, in order.
func (k *look) brought(last int64) (list []brought) {
	add := func(found []*Delivery, scanned bool) {
		for _, d := range found {
			if d.id <= last {
				list = append(list, brought{d, scanned})
			}
		}
	}
	add(k.swept, false)
	add(k.fetched, false)
	for _, s := range k.scans {
		add(s.found, true)
	}
	slices.SortStableFunc(list, func(a, b brought) int { return cmp.Compare(a.id, b.id) })
	return list
}

// admit reports whether a message comes into memory. Otherwise it stays in the table.
func (l *lane) admit(k *look, d *Delivery, scanned bool) bool {
	goes := l.goes(k, d, scanned)
	switch {
	case scanned:
		l.reach(k, d)
	case !goes:
		return false // the next sweep of the whole lane brings it
	}
	if !goes || l.dest.isFull(d.Topic) || l.mustWait(k, d, scanned) {
		l.stay(k, d)
		return false
	}
	l.taken(d)
	return true
}

// skipped remembers of which keys a part of a sweep may have left messages out, since they waited: where that is over before
// the next part, what that finds of them is not the first.
func (l *lane) skipped(k *look) {
	for key := range k.blocked {
		l.fresh[key] = true
	}
	for _, d := range l.held {
		if d.holdsBack() {
			l.fresh[d.Key] = true
		}
	}
}

// sweepOn says how far a sweep of the whole lane has come. Behind the floor it does not begin where it stopped: what comes
// late may be before that.
func (l *lane) sweepOn(k *look, last int64, partly bool) {
	switch {
	case !k.whole:
	case !partly:
		l.sweeping = false
	case last < l.floor:
		l.sweptTo = last
	default:
		l.sweeping, l.whole = false, true
	}
}

// retries hands out messages whose retry is due.
func (l *lane) retries(due []*Delivery) (ready []*Delivery) {
	for _, d := range due {
		if l.unknown(d) && !l.dest.isFull(d.Topic) && l.hold(d) {
			ready = append(ready, d)
		}
	}
	return ready
}

// unknown reports whether a message that was found is not in memory, nor was when the look began.
func (l *lane) unknown(d *Delivery) bool { return l.held[d.id] == nil && !l.passed[d.id] }

// goes reports whether nothing of the message's key that waits for a retry, or did, has to go before it.
func (l *lane) goes(k *look, d *Delivery, scanned bool) bool {
	if d.Key == "" || !l.left[d.Key] {
		return true
	}
	return k.whole && !scanned && d.id <= k.hint && !l.fresh[d.Key]
}

// settle moves the floor up to where the sweep was complete, and the hint behind what was fetched.
func (l *lane) settle(k *look) {
	if k.sweep && !k.whole {
		l.covered.swept(k, l.floor)
	}
	if k.sweep && l.target > l.floor && k.ended >= l.settles {
		l.floor = l.target
		maps.DeleteFunc(l.recent, func(id int64, _ string) bool { return id <= l.floor })
	}
	if n := len(k.fetched); n > 0 {
		l.hint = k.fetched[n-1].id
	}
	if l.target <= l.floor && l.hint > l.floor {
		l.settles, l.target = k.next, l.hint
	}
	l.sawAll = l.sawAll || l.floor >= l.doubt || k.fetch && len(k.fetched) == 0 && l.floor >= l.hint
}

// hold keeps a message, and reports whether it is ready: no other one of its key is before it.
func (l *lane) hold(d *Delivery) bool {
	l.held[d.id] = d
	l.dest.count(d, 1)
	if d.Key == "" || l.dest.Send != nil { // a broker gets those of a key in one batch, or in one after the other
		return true
	}
	waiting, busy := l.keys[d.Key]
	if busy {
		l.keys[d.Key] = append(waiting, d)
		return false
	}
	l.keys[d.Key] = nil
	return true
}

// release forgets a message, and returns the next of its key.
func (l *lane) release(d *Delivery) (next *Delivery) {
	l.forget(d)
	if d.Key == "" {
		return nil
	}
	waiting := l.keys[d.Key]
	if len(waiting) == 0 {
		delete(l.keys, d.Key)
		return nil
	}
	next = waiting[0]
	l.keys[d.Key] = waiting[1:]
	return next
}

// done is release for a message whose unit has committed. Where it was noted, sweeps have left out what comes behind it.
func (l *lane) done(d *Delivery) (next *Delivery) {
	next = l.release(d)
	if d.Key == "" || !d.noted && !d.probe {
		return next
	}
	l.whole = true
	if l.looked || l.sweeping { // it may have been left out by the look that is under way, which does not know of it any more
		l.left[d.Key], l.fresh[d.Key] = true, true
	}
	return next
}

// suspect says that a message is noted before it is in hand. From then on sweeps leave out what comes behind it.
func (l *lane) suspect(d *Delivery) {
	d.probe = true
	l.holdBack(d)
}

// holdBack leaves what is found of a message's key in the table, where the message is noted while it is in hand: only a
// look that begins when it is through finds all of the key.
func (l *lane) holdBack(d *Delivery) {
	if d.holdsBack() {
		l.left[d.Key] = true
	}
}

// holdsBack reports whether the message is noted while it is in memory, and others of its key wait for it.
func (d *Delivery) holdsBack() bool {
	return (d.probe || d.noted) && d.Key != "" && !d.lane.dest.overtakes(d.Topic)
}

func (l *lane) forget(d *Delivery) {
	if l.held[d.id] == d {
		delete(l.held, d.id)
		l.dest.count(d, -1)
		if l.looked {
			l.passed[d.id] = true
		}
	}
}

// abandon forgets all messages.
func (l *lane) abandon() {
	for _, d := range l.held {
		l.dest.count(d, -1)
	}
	l.held = map[int64]*Delivery{}
}

// leave gives up a message that has failed. Unless it may be overtaken, the messages of its key that wait behind it stay
// in the table.
func (l *lane) leave(d *Delivery, overtake bool) (next *Delivery) {
	if d.Key == "" || overtake {
		return l.release(d)
	}
	l.forget(d)
	for _, w := range l.keys[d.Key] {
		l.forget(w)
	}
	delete(l.keys, d.Key)
	if l.dest.Send != nil {
		l.retract(d.Key)
	}
	l.left[d.Key], l.fresh[d.Key] = true, true
	return nil
}

// retract takes back the messages of a key that are ready for a broker, and not in hand yet.
func (l *lane) retract(key string) {
	l.dest.ready = slices.DeleteFunc(l.dest.ready, func(m *Delivery) bool {
		mine := m.lane == l && m.Key == key
		if mine {
			l.forget(m)
		}
		return mine
	})
}

// drop gives up a message that was not handled, and those that wait behind it: they stay in the table until they are
// looked for.
func (l *lane) drop(d *Delivery) {
	l.leave(d, false)
	l.willReturn(d)
	if d.Key == "" && l.dest.topics[d.Topic] != nil {
		l.keep(d)
	}
	l.whole, l.due = true, time.Now() // a sweep finds no retries
}
