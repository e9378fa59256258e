package outbox

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Stats is where an engine stands, and what it has done since it was made. It is what this process knows: an [Operator]
// asks the database.
type Stats struct {
	// Unrouted is how many events this process has published on the engine's connection that nobody had subscribed to:
	// see [Unrouted].
	Unrouted int64
	// Destinations are those of the engine's consumers, by name.
	Destinations []DestinationStats
}

// DestinationStats are those of one destination.
type DestinationStats struct {
	// Destination is its name.
	Destination string
	// Counts is what has happened.
	Counts
	// Received is how many messages [Receive] has stored for it in this process, since the process began, and Duplicates how
	// many it has dropped since they had come before.
	Received, Duplicates int64

	// Held is how many messages are in memory. Of those, InHand are with the consumer, or with a broker and not deleted yet,
	// and Ready only wait for the consumer; the others wait behind an earlier one of their key.
	Held, InHand, Ready int
	// Paused says that nothing is handed out for a moment, since the database or the broker does not answer.
	Paused bool

	// Lanes are those that this process looks after, by number.
	Lanes []LaneStats
	// AllLanes is how many lanes the destination has, Unowned how many of them nobody looked after, and Workers how many
	// processes share them, as this process last saw it: it looks twice a second.
	AllLanes, Unowned, Workers int
}

// Counts is what has happened to the messages and lanes of a destination in one process. None of it ever goes down.
type Counts struct {
	// Handled is how many messages were handled, or have arrived at a broker and were deleted.
	Handled int64
	// Failed is how many attempts have failed, as it was written down. Parked is how many of them were the last one.
	Failed, Parked int64
	// Retried is how many attempts, of those in Handled and Failed, were at a message that had failed before.
	Retried int64
	// PutBack is how often a message was put back, which is no failure: the database or the broker did not answer, or the
	// broker has not taken an earlier one of its key.
	PutBack int64
	// Superseded is how many attempts came to nothing since the message was not this process's any more: another one has
	// handled it or looks after its lane, an operator has skipped it, or it was broken off.
	Superseded int64
	// Late is how many messages were found by a sweep: their units had committed after others with higher numbers were seen.
	// A database with one writer has none. Where earlier messages of a key have failed, those of that key are not counted.
	Late int64
	// Taken is how many lanes this process has taken, and TakenOver how many of those their owner had not given back: it has
	// died, or was not heard of for the length of a lease. Lost is how many lanes it had that were taken from it, and
	// Relaned how many it gave up since the number of lanes was changed.
	Taken, TakenOver, Lost, Relaned int64
}

// attempted counts an attempt that has come to an end.
func (c *Counts) attempted(m *Delivery) {
	if m.Failures > 0 {
		c.Retried++
	}
}

// failed counts an attempt that has failed.
func (c *Counts) failed(m *Delivery, parked bool) {
	c.attempted(m)
	c.Failed++
	if parked {
		c.Parked++
	}
}

// lost counts a lane that is not this process's any more.
func (c *Counts) lost(row *laneRow) {
	if row.owner == [16]byte{} { // a change of the number of lanes leaves them without an owner
		c.Relaned++
	} else {
		c.Lost++
	}
}

// LaneStats are those of one lane.
type LaneStats struct {
	// Lane is its number.
	Lane int
	// Epoch grows each time that somebody takes the lane.
	Epoch int64
	// Held is how many of its messages are in memory.
	Held int
	// HintLag is how many numbers of messages, of all lanes, lie between that up to which every message was seen and the
	// last one seen. Where it stays above 0, a transaction that writes is open since then, somewhere on the server: until
	// it ends, messages are looked for in between.
	HintLag int64
}

// Stats returns where the engine stands. It takes a moment, asks nobody, and may be called at any time.
func (e *Engine) Stats() Stats {
	now := time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	s := Stats{Destinations: make([]DestinationStats, 0, len(e.dests))}
	for _, d := range e.dests {
		s.Destinations = append(s.Destinations, d.stats(now))
	}
	slices.SortFunc(s.Destinations, func(a, b DestinationStats) int { return cmp.Compare(a.Destination, b.Destination) })
	if e.home == nil {
		return s
	}
	s.Unrouted = e.home.unrouted.Load()
	for i := range s.Destinations {
		d := &s.Destinations[i]
		d.Received, d.Duplicates = e.home.arrivals.of(d.Destination)
	}
	return s
}

// stats is called with the engine's lock.
func (d *destination) stats(now time.Time) DestinationStats {
	s := DestinationStats{
		Destination: d.Destination, Counts: d.counts, Held: d.held, Ready: len(d.ready) + len(d.suspects), Paused: now.Before(d.paused),
		AllLanes: d.seenLanes, Unowned: d.unowned, Workers: d.workers,
	}
	for _, l := range d.lanes {
		s.InHand += l.handedOut()
		if l.safe(now) {
			s.Lanes = append(s.Lanes, LaneStats{Lane: int(l.number), Epoch: l.lease.epoch, Held: len(l.held), HintLag: l.hint - l.floor})
		}
	}
	slices.SortFunc(s.Lanes, func(a, b LaneStats) int { return cmp.Compare(a.Lane, b.Lane) })
	return s
}

// handedOut returns how many messages of the lane a consumer has.
func (l *lane) handedOut() (n int) {
	for _, m := range l.held {
		if m.started {
			n++
		}
	}
	return n
}

// surveyed keeps what a look at a destination's lanes has shown of all processes.
func (d *destination) surveyed(v *view) {
	d.seenLanes, d.workers, d.unowned = len(v.rows), v.workers, 0
	for i := range v.rows {
		if v.rows[i].over() {
			d.unowned++
		}
	}
}

// over reports whether the lane's lease was over, or given back, by the database's clock.
func (r *laneRow) over() bool { return r.until < r.now }

// countLate counts what a sweep has brought that committed late: it was not seen, has a number up to the hint, and does not
// wait behind a failure.
func (l *lane) countLate(k *look) {
	for _, d := range k.swept {
		if !l.unknown(d) {
			continue
		}
		if d.id > k.settled && !l.left[d.Key] && !l.dropped[d.id] {
			l.dest.counts.Late++
		}
		delete(l.dropped, d.id)
	}
	for id := range l.dropped {
		if id <= l.floor {
			delete(l.dropped, id)
		}
	}
}

// willReturn says that a message was seen and is found once more: that one is not late.
func (l *lane) willReturn(d *Delivery) {
	if d.Key != "" || d.id <= l.floor { // what has a key is left
		return
	}
	if l.dropped == nil {
		l.dropped = map[int64]bool{}
	}
	l.dropped[d.id] = true
}

// Unrouted returns how many events this process has published on the connection that ctx chose that nobody had subscribed
// to, so that nothing was stored. They are counted as they are written; a unit that is rolled back then counts all the same.
// Where events of one unit go to several destinations, others in the unit that go nowhere may be missed.
func Unrouted(ctx context.Context) (int64, error) {
	h, err := stateOf(ctx, "outbox.Unrouted")
	if err != nil {
		return 0, err
	}
	return h.unrouted.Load(), nil
}
