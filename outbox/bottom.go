package outbox

import "time"

// bottom is a number up to which nothing is left of a lane.
type bottom struct {
	at int64
	// floor was the lane's at agedAt, and sure was it before: for a while now nothing new has been found up to there.
	floor, sure int64
	agedAt      time.Time
	since       time.Time // when it was 0
}

// patience is how long a floor is doubted. What this package inserts has the number of its transaction before its own. By
// other hands it may be the other way round, so that a message commits before a floor that did not know of it.
const patience = 10 * time.Second

// lowest is how long it takes until a sweep begins at 0 once more, should there be anything where nothing can be.
const lowest = time.Hour

// age takes down the floor.
func (b *bottom) age(now time.Time, floor int64) {
	if now.Sub(b.since) > lowest {
		*b = bottom{since: now}
	}
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
