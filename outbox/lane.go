package outbox

import (
	"cmp"
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
	// fresh are those of them that came since the look began that is under way: it may not know of them.
	fresh map[string]bool
	// passed are the messages that were in memory when it began, and are not any more.
	passed map[int64]bool
	looked bool // a look is under way
	// whole asks for a sweep of the whole lane; wholeAt is when the last one was.
	whole   bool
	wholeAt time.Time
	due     time.Time // when the next retry is; zero for never
	touched int64     // an operator has changed something, when this number changes
	lost    bool      // it belongs to another process now

	deaths  int   // of owners, before what was there at the last one was through
	doubt   int64 // one of the messages up to here may have been in hand at the last death
	cleared bool  // deaths and doubt are over, which the table does not say yet
	sawDue  bool  // every retry that was due when it was taken was in memory since
	sawAll  bool  // and every other message

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
		whole: true, due: time.Now(),
	}
}

func (l *lane) owner() (owner [16]byte, epoch int64) { return l.lease.owner, l.lease.epoch }

// safe reports whether messages of the lane may be handed out: another process that takes it over does so later than this.
func (l *lane) safe(now time.Time) bool { return !l.lost && !l.leaving && now.Before(l.lease.until) }

// look is one look at a lane: what it asks for, and what it brings.
type look struct {
	lane  *lane
	hint  int64 // fetch from here on
	floor int64 // sweep from here to the hint
	sweep bool
	whole bool // the sweep is of the whole lane
	again bool // retries that are due are asked for too

	fetched, swept []*Delivery
	full           bool            // the sweep stopped at its limit
	blocked        map[string]bool // the keys that waited for a retry before the sweep
	ended          uint64          // every transaction before this number had ended before the sweep
	next           uint64          // the number of the next transaction, after the fetch
}

// begin begins a look.
func (l *lane) begin(now time.Time, everything bool) look {
	k := look{lane: l, hint: l.hint, floor: l.floor, whole: l.whole || everything}
	k.sweep = k.whole || l.floor < l.hint
	if k.whole {
		k.floor, l.wholeAt = 0, now
	}
	l.whole = false
	clear(l.fresh)
	clear(l.passed)
	l.looked = true
	return k
}

// fail puts back what a look was asked for that did not come to its end.
func (l *lane) fail(k *look) {
	l.whole, l.looked = l.whole || k.whole, false
}

// take hands out what a look has brought, in the order of the messages' numbers. A sweep that stopped at its limit says
// nothing of what comes after its last message: then nothing after that is handed out, and the hint stays.
func (l *lane) take(k *look) (ready []*Delivery) {
	l.looked = false
	fetched := k.fetched
	if k.full {
		last := k.swept[len(k.swept)-1].id
		fetched = slices.DeleteFunc(slices.Clone(fetched), func(d *Delivery) bool { return d.id > last })
	} else if k.whole {
		l.left = k.blocked
		for key := range l.fresh {
			l.left[key] = true
		}
		for _, d := range l.held {
			l.holdBack(d)
		}
	}
	all := slices.Concat(k.swept, fetched)
	slices.SortFunc(all, func(a, b *Delivery) int { return cmp.Compare(a.id, b.id) })
	for _, d := range all {
		if l.unknown(d) && l.goes(k, d) && l.hold(d) {
			ready = append(ready, d)
		}
	}
	if k.full {
		l.whole = l.whole || k.whole
		return ready
	}
	l.settle(k)
	return ready
}

// retries hands out messages whose retry is due.
func (l *lane) retries(due []*Delivery) (ready []*Delivery) {
	for _, d := range due {
		if l.unknown(d) && l.hold(d) {
			ready = append(ready, d)
		}
	}
	return ready
}

// unknown reports whether a message that was found is not in memory, nor was when the look began.
func (l *lane) unknown(d *Delivery) bool { return l.held[d.id] == nil && !l.passed[d.id] }

// goes reports whether nothing of the message's key that is left in the table has to go before it.
func (l *lane) goes(k *look, d *Delivery) bool {
	if d.Key == "" || !l.left[d.Key] {
		return true
	}
	return k.whole && d.id <= k.hint && !l.fresh[d.Key]
}

// settle moves the floor up to where the sweep was complete, and the hint behind what was fetched.
func (l *lane) settle(k *look) {
	if k.sweep && l.target > l.floor && k.ended >= l.settles {
		l.floor = l.target
	}
	if n := len(k.fetched); n > 0 {
		l.hint = k.fetched[n-1].id
	}
	if l.target <= l.floor && l.hint > l.floor {
		l.settles, l.target = k.next, l.hint
	}
	l.sawAll = l.sawAll || l.floor >= l.doubt || len(k.fetched) == 0 && l.floor >= l.hint
}

// hold keeps a message, and reports whether it is ready: no other one of its key is before it.
func (l *lane) hold(d *Delivery) bool {
	l.held[d.id] = d
	l.dest.held++
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
	if l.looked { // it may have been left out by the look that is under way, which does not know of it any more
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
	if d.probe && d.Key != "" && !d.lane.dest.overtakes(d.Topic) {
		l.left[d.Key] = true
	}
}

func (l *lane) forget(d *Delivery) {
	if l.held[d.id] == d {
		delete(l.held, d.id)
		l.dest.held--
		if l.looked {
			l.passed[d.id] = true
		}
	}
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
	l.whole, l.due = true, time.Now() // a sweep finds no retries
}
