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
	d := newDestination(Consumer{})
	l := newLane(d, 0, lease{until: time.Now().Add(time.Hour)})
	message := func(id int64, key string) *Delivery { return &Delivery{id: id, Key: key, lane: l} }
	ids := func(list []*Delivery) (ids []int64) {
		for _, m := range list {
			ids = append(ids, m.id)
		}
		return ids
	}
	l.hint, l.floor, l.left = 8, 8, map[string]bool{"a": true, "b": true}

	// Of key a, 1 has failed and is due, and 2 waits behind it. Key b has only been left.
	first := l.begin(time.Now(), false)
	first.blocked, first.swept, first.full = map[string]bool{"a": true}, []*Delivery{message(3, "b"), message(4, "b")}, true
	retried := message(1, "a")
	retried.noted = true
	if ready := append(l.retries([]*Delivery{retried}), l.take(&first)...); !slices.Equal(ids(ready), []int64{1, 3}) {
		t.Fatalf("the first part hands out %v", ids(ready))
	}

	// The unit of 1 commits. The last part of the sweep begins behind 2, and 9 is new.
	last := l.begin(time.Now(), false)
	last.blocked, last.swept, last.fetched = map[string]bool{}, []*Delivery{message(5, "b")}, []*Delivery{message(9, "a")}
	if ready := l.take(&last); len(ready) > 0 {
		t.Errorf("the last part hands out %v", ids(ready))
	}
	if next := l.done(retried); next != nil {
		t.Errorf("%d overtakes 2", next.id)
	}

	again := l.begin(time.Now(), false)
	again.blocked, again.swept = map[string]bool{}, []*Delivery{message(2, "a"), message(9, "a")}
	if ready := l.take(&again); !slices.Equal(ids(ready), []int64{2}) {
		t.Errorf("the sweep after that hands out %v", ids(ready))
	}
	if len(l.left) > 0 {
		t.Errorf("keys are left behind: %v", l.left)
	}
}
