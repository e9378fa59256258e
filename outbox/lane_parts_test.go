package outbox

import (
	"slices"
	"testing"
	"time"
)

// TestRetryEndsBetweenThePartsOfASweep: a message that was tried again is through in the database, which the lane learns
// of late. In between a sweep in parts comes to its end: its first part has left out what waits behind the message, and its
// last one finds nothing that would hold the key back. What comes later of the key is not to go first.
func TestRetryEndsBetweenThePartsOfASweep(t *testing.T) {
	t.Parallel()
	p, retried := firstPart(t)

	// The unit of 1 commits. The last part of the sweep begins behind 2, and 9 is new.
	last := p.begin(time.Now(), false)
	last.blocked, last.swept, last.fetched = map[string]bool{}, p.messages("b", 5), p.messages("a", 9)
	p.want(t, "the last part", p.take(&last))
	if next := p.done(retried); next != nil {
		t.Errorf("%d overtakes 2", next.id)
	}

	again := p.begin(time.Now(), false)
	again.blocked, again.swept = map[string]bool{}, p.messages("a", 2, 9)
	p.want(t, "the sweep after that", p.take(&again), 2)
	if len(p.left) > 0 {
		t.Errorf("keys are left behind: %v", p.left)
	}
}

// TestRetryEndsBeforeALaterPartOfASweep: the same, where a later part of the sweep finds more of the key, which does not wait
// any more.
func TestRetryEndsBeforeALaterPartOfASweep(t *testing.T) {
	t.Parallel()
	p, retried := firstPart(t)

	// The unit of 1 commits, behind which 2 waited.
	second := p.begin(time.Now(), false)
	second.blocked, second.swept, second.full = map[string]bool{}, append(p.messages("b", 5), p.messages("a", 6)...), true
	p.want(t, "the second part", p.take(&second))
	if next := p.done(retried); next != nil {
		t.Errorf("%d overtakes 2", next.id)
	}
	last := p.begin(time.Now(), false)
	last.blocked, last.swept = map[string]bool{}, p.messages("a", 7)
	p.want(t, "the last part", p.take(&last))

	again := p.begin(time.Now(), false)
	again.blocked, again.swept = map[string]bool{}, p.messages("a", 2, 6, 7)
	p.want(t, "the sweep after that", p.take(&again), 2)
	if len(p.left) > 0 {
		t.Errorf("keys are left behind: %v", p.left)
	}
}

// parts is a lane whose sweeps take several looks.
type parts struct{ *lane }

// firstPart takes the first part of a sweep. Of key a, 1 has failed and is due, and 2 waits behind it. Key b has only been left.
func firstPart(t *testing.T) (p parts, retried *Delivery) {
	t.Helper()
	p = parts{newLane(newDestination(Consumer{}), 0, lease{until: time.Now().Add(time.Hour)})}
	p.hint, p.floor, p.left = 8, 8, map[string]bool{"a": true, "b": true}
	k := p.begin(time.Now(), false)
	k.blocked, k.swept, k.full = map[string]bool{"a": true}, p.messages("b", 3, 4), true
	due := p.messages("a", 1)
	due[0].noted = true
	p.want(t, "the first part", append(p.retries(due), p.take(&k)...), 1, 3)
	return p, due[0]
}

func (p parts) messages(key string, ids ...int64) (list []*Delivery) {
	for _, id := range ids {
		list = append(list, &Delivery{id: id, Key: key, lane: p.lane})
	}
	return list
}

// want checks which messages a part hands out.
func (p parts) want(t *testing.T, part string, ready []*Delivery, ids ...int64) {
	t.Helper()
	var got []int64
	for _, m := range ready {
		got = append(got, m.id)
	}
	if !slices.Equal(got, ids) {
		t.Fatalf("%s hands out %v, not %v", part, got, ids)
	}
}
