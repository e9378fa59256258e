package outbox

import (
	"context"
	"time"

	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// bottom is a number up to which nothing is left of a lane. It goes to the lane's next owner with the lease: what was deleted
// is in the way of who looks for what is left, for as long as anybody holds an old snapshot.
type bottom struct {
	at int64
	// empty is up to where nothing was left as somebody looked: sweeps begin there. What is between the two is doubted, and looked
	// for once more.
	empty int64
	// taken is what it was as this process took the lane.
	taken int64
	// floor was the lane's at agedAt, and sure was it before, for as long as a floor is doubted.
	floor, sure int64
	agedAt      time.Time
	lookedAt    time.Time // when it was looked for what is there nevertheless
	scoutedAt   time.Time // when a scout went out to look for what is doubted
	resets      int       // how often it began anew
}

// patience is how long a floor is doubted. What this package inserts has the number of its transaction before its own. By
// other hands it may be the other way round, so that a message commits before a floor that did not know of it.
const patience = 10 * time.Second

// lowest is how long it takes until somebody looks below once more, should there be anything where nothing can be: numbers
// begin anew where somebody sets the sequence back.
const lowest = time.Hour

// startAt is the bottom of a lane that was just taken.
func startAt(at int64) bottom { return bottom{at: at, empty: at, taken: at, floor: at, sure: at} }

// reset begins anew: what is under way has asked about another bottom.
func (b *bottom) reset(at int64) {
	n := b.resets
	*b = startAt(at)
	b.resets = n + 1
}

// age takes down the floor.
func (b *bottom) age(now time.Time, floor int64) {
	if now.Sub(b.agedAt) > patience {
		b.sure, b.floor, b.agedAt = b.floor, floor, now
	}
}

// rise moves up to where somebody who began at from has found something. The bottom follows only where it was begun from there,
// and up to what was sure as he began.
func (b *bottom) rise(from, first, sure int64) {
	if from <= b.empty {
		b.empty = max(b.empty, first)
	}
	if from <= b.at {
		b.at = max(b.at, min(first, sure))
	}
}

// scout looks for the first message of a lane, beside the looks at it. What was deleted since the last time stays in the index
// for as long as anybody may see it, and somebody has to go through it. A sweep would hold up the looks at all lanes
// meanwhile; a scout takes a connection of its own.
type scout struct {
	lane       *lane
	began      time.Time
	doubt      bool
	from, upto int64
	found      int64 // the first message in between; 0 for none
	sure       int64 // as it began
	resets     int
}

// scout sends one from where sweeps begin up to the floor, and now and then from the bottom, should something have come to
// where there was nothing.
func (l *lane) scout(now time.Time, doubt bool) (s scout, ok bool) {
	b := &l.bottom
	b.age(now, l.floor)
	s = scout{lane: l, began: now, doubt: doubt, from: b.empty, upto: l.floor, sure: b.sure, resets: b.resets}
	if doubt {
		s.from = b.at
	}
	return s, s.from < s.upto
}

// scouted takes what one has found. It reports whether that is below where sweeps begin: then the whole lane is swept.
func (l *lane) scouted(s scout) (below bool) {
	b := &l.bottom
	if l.lost || b.resets != s.resets {
		return false
	}
	first := s.upto
	if s.found > 0 {
		first = s.found - 1
	}
	if below = s.found > 0 && first < b.empty; below {
		b.at, b.empty, l.whole = min(b.at, first), first, true
	}
	if s.doubt {
		b.scoutedAt = s.began
	}
	b.rise(s.from, first, s.sure)
	return below
}

// scoutLoop sends scouts for the lanes in which something has happened.
func (e *Engine) scoutLoop() {
	ticker := time.NewTicker(e.timing.scout)
	defer ticker.Stop()
	for {
		select {
		case <-e.intake.Done():
			return
		case <-ticker.C:
			if err := e.scout(e.intake, time.Now()); err != nil && e.intake.Err() == nil {
				e.logger.WarnContext(e.intake, "the first messages of lanes could not be looked for", "connection", e.name, "error", err)
			}
		}
	}
}

// scout sends scouts for all lanes, in one round trip.
func (e *Engine) scout(ctx context.Context, now time.Time) error {
	list := e.scouts(now)
	if len(list) == 0 {
		return nil
	}
	r := &round{}
	r.planned(e.sql.planning)
	var rows [][]value.Value
	found := map[laneID]int64{}
	for _, s := range list {
		rows = append(rows, append(s.lane.address(), value.OfInt(s.from), value.OfInt(s.upto)))
	}
	r.over(e, e.sql.first, rows, nil, func(row []value.Value) {
		found[laneID{int32(row[0].Int()), int16(row[1].Int())}] = row[2].Int()
	})
	if err := e.db.Run(ctx, "outbox.Scout", driver.Read, &r.Script, r); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range list {
		s.found = found[laneID{s.lane.dest.id, s.lane.number}]
		if s.lane.scouted(s) {
			e.wake()
		}
	}
	return nil
}

// scouts are those that have something to look for.
func (e *Engine) scouts(now time.Time) (list []scout) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, d := range e.dests {
		for _, l := range d.sorted() {
			if !l.safe(now) {
				continue
			}
			if s, ok := l.scout(now, now.Sub(l.bottom.scoutedAt) > e.timing.sweep); ok {
				list = append(list, s)
			}
		}
	}
	return list
}

// inherit has the lane begin where its last owner has left nothing.
func (l *lane) inherit(at int64) { l.hint, l.floor, l.bottom = at, at, startAt(at) }

// lookBelow looks for messages where none can be any more: once after a lane was taken, and every hour. It asks for itself,
// since it may have to go through everything that was deleted.
func (e *Engine) lookBelow(ctx context.Context, now time.Time) {
	for _, l := range e.unlooked(now) {
		e.mu.Lock()
		at := l.bottom.at
		e.mu.Unlock()
		var found *int64
		x := &exchange{}
		x.planned(e.sql.planning)
		x.add(e.sql.below.with(append(l.address(), value.OfInt(at))...), func(row []value.Value) { found = new(row[0].Int()) })
		if err := e.db.Run(ctx, "outbox.Below", driver.Read, &x.Script, x); err != nil {
			if ctx.Err() == nil {
				e.logger.WarnContext(ctx, "what is below a lane could not be looked for", "connection", e.name, "error", err)
			}
			return
		}
		e.mu.Lock()
		if l.bottom.lookedAt = now; found != nil {
			l.bottom.reset(*found - 1)
			l.whole = true // and there may be more to come
		}
		e.mu.Unlock()
		if found != nil {
			e.logger.WarnContext(ctx, "a message has a number below all that a lane has had: was the sequence set back?",
				"connection", e.name, "destination", l.dest.Destination, "lane", l.number, "number", *found)
			e.wake()
		}
	}
}

// unlooked returns the lanes below which nobody has looked for long.
func (e *Engine) unlooked(now time.Time) (list []*lane) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, d := range e.dests {
		for _, l := range d.sorted() {
			if l.bottom.at > 0 && now.Sub(l.bottom.lookedAt) > lowest {
				list = append(list, l)
			}
		}
	}
	return list
}

// bottoms returns the lanes of a destination with their epochs and bottoms, for who comes next.
func (e *Engine) bottoms(d *destination) (lists [3][]value.Value) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range lists {
		lists[i] = []value.Value{} // a list, also where there are none
	}
	for _, l := range d.sorted() {
		for i, n := range [...]int64{int64(l.number), l.lease.epoch, l.bottom.at} {
			lists[i] = append(lists[i], value.OfInt(n))
		}
	}
	return lists
}
