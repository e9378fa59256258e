package outbox

import (
	"slices"
	"time"
)

// covered is the part of a lane behind its floor that sweeps need not go through again: what is not seen of it was written
// by transactions that are still open. One that is left open would have every look go through all that came since, most of
// which was deleted and is in the way for as long.
type covered struct {
	upto int64    // 0 for none
	open []uint64 // the transactions
	// next is what upto becomes once those have ended that do not last, of the transactions that were open at that time.
	next    int64
	pending []uint64
	at      time.Time
	floor   int64 // the lane's, which has stood since then
	since   time.Time
}

// A transaction lasts that is open for longer than this, and for longer than so large a part of the time for which the
// floor has stood: the end of each has all of the part swept again.
const (
	lasting     = time.Second
	lastingPart = 30
)

// begin returns where a sweep begins.
func (c *covered) begin(floor int64) int64 {
	if c.floor != floor {
		return floor
	}
	return max(floor, c.upto)
}

// broken reports whether one of the transactions had ended when a look came that has begun behind what they have written. Of
// what the look has brought, nothing may be handed out: it may come behind something of theirs.
func (c *covered) broken(k *look) bool {
	if !k.covered || !slices.ContainsFunc(c.open, func(x uint64) bool { return !slices.Contains(k.open, x) }) {
		return false
	}
	c.upto, c.open = 0, nil
	return true
}

// swept takes down that a look has gone through all from where a sweep begins up to its hint.
func (c *covered) swept(k *look, floor int64) {
	if c.floor != floor || c.since.IsZero() {
		*c = covered{floor: floor, since: k.began}
	}
	if c.next > 0 && k.began.Sub(c.at) >= max(lasting, k.began.Sub(c.since)/lastingPart) {
		c.upto, c.next = c.next, 0
		c.open = slices.DeleteFunc(c.pending, func(x uint64) bool { return !slices.Contains(k.open, x) })
	}
	if c.next == 0 && k.hint > max(floor, c.upto) {
		c.next, c.pending, c.at = k.hint, slices.Clone(k.open), k.began
	}
}
