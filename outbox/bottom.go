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
	// taken is what it was as this process took the lane.
	taken int64
	// floor was the lane's at agedAt, and sure was it before: for a while now nothing new has been found up to there.
	floor, sure int64
	agedAt      time.Time
	lookedAt    time.Time // when it was looked for what is there nevertheless
}

// patience is how long a floor is doubted. What this package inserts has the number of its transaction before its own. By
// other hands it may be the other way round, so that a message commits before a floor that did not know of it.
const patience = 10 * time.Second

// lowest is how long it takes until somebody looks below once more, should there be anything where nothing can be: numbers
// begin anew where somebody sets the sequence back.
const lowest = time.Hour

// startAt is the bottom of a lane that was just taken.
func startAt(at int64) bottom { return bottom{at: at, taken: at, floor: at, sure: at} }

// age takes down the floor.
func (b *bottom) age(now time.Time, floor int64) {
	if now.Sub(b.agedAt) > patience {
		b.sure, b.floor, b.agedAt = b.floor, floor, now
	}
}

// rise moves the bottom up to where a sweep that began there has found something.
func (b *bottom) rise(k *look) {
	if k.floor <= b.at {
		b.at = max(b.at, min(k.first, b.sure))
	}
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
		x.direct(e.sql.direct)
		x.add(e.sql.below.with(append(l.address(), value.OfInt(at))...), func(row []value.Value) { found = new(row[0].Int()) })
		if err := e.db.Run(ctx, "outbox.Below", driver.Read, &x.Script, x); err != nil {
			if ctx.Err() == nil {
				e.logger.WarnContext(ctx, "what is below a lane could not be looked for", "connection", e.name, "error", err)
			}
			return
		}
		e.mu.Lock()
		if l.bottom.lookedAt = now; found != nil {
			l.bottom, l.whole = startAt(*found-1), true // and there may be more to come
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
