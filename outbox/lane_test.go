package outbox

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// world is a table of messages, the transactions that write it, and one lane that looks at it, in steps that a random
// program interleaves: those of a look, and those of what happens to a message in hand.
type world struct {
	t        *rapid.T
	lastID   int64
	lastXID  uint64
	open     []*writer
	locked   map[string]bool // keys with a writer that has not ended
	rows     map[int64]row
	retries  map[int64]string // rows with a retry that is due or not; the key that waits, "" for none
	failures map[int64]int

	now    time.Time
	bottom int64 // that a renewal of the lease has stored
	lane   *lane
	look   *look
	scout  *scout
	phase  int
	limit  int
	// window is how many messages a sweep of the whole lane looks at.
	window int
	// held and excluded are what was in memory and what was known as the look began, full the topics that had no room, and
	// again the retries that it has found.
	held     map[int64]*Delivery
	excluded map[int64]bool
	full     []string
	again    []*Delivery

	ready   []*Delivery
	hands   []*Delivery
	deleted []*Delivery // their unit has committed, and the lane does not know yet
	noted   []*Delivery // their failure was written down, and the lane does not know yet
	handled map[string][]int64
	done    map[int64]bool
	met     map[int64]bool // a look of this owner has brought it
}

// row is a message as the table has it.
type row struct{ key, topic string }

type writer struct {
	xid  uint64
	rows map[int64]row
}

func newWorld(t *rapid.T) *world {
	d := newDestination(Consumer{Limits: map[string]int{"slow": 1, "quick": 1}})
	for _, name := range []string{"slow", "quick"} {
		d.topics[name].room = rapid.IntRange(1, 3).Draw(t, name)
	}
	w := &world{
		t: t, locked: map[string]bool{}, rows: map[int64]row{}, retries: map[int64]string{}, failures: map[int64]int{},
		lane: newLane(d, 0, lease{until: time.Now().Add(time.Hour)}), limit: rapid.IntRange(1, 4).Draw(t, "limit"),
		window:  rapid.IntRange(1, 5).Draw(t, "window"),
		handled: map[string][]int64{}, done: map[int64]bool{}, met: map[int64]bool{}, lastXID: 10, now: time.Now(),
	}
	d.lanes[0] = w.lane
	return w
}

// roomy has room for all messages.
func (w *world) roomy() {
	for _, topic := range w.lane.dest.topics {
		topic.room = 1000
	}
}

func (w *world) key(i int) string { return []string{"", "", "a", "b"}[i] }

// write begins a transaction, or has one write another message.
func (w *world) write(which, kind int, topic string) {
	var x *writer
	if which < len(w.open) {
		x = w.open[which]
	} else {
		w.lastXID++
		x = &writer{w.lastXID, map[int64]row{}}
		w.open = append(w.open, x)
	}
	key := w.key(kind)
	mine := slices.ContainsFunc(slices.Collect(maps.Values(x.rows)), func(r row) bool { return r.key == key })
	if key != "" && w.locked[key] && !mine {
		return // it waits for the one that has the lock
	}
	w.lastID++
	x.rows[w.lastID] = row{key, topic}
	if key != "" {
		w.locked[key] = true
	}
}

// end ends a transaction.
func (w *world) end(which int, commit bool) {
	if which >= len(w.open) {
		return
	}
	x := w.open[which]
	w.open = slices.Delete(w.open, which, which+1)
	for id, r := range x.rows {
		delete(w.locked, r.key)
		if commit {
			w.rows[id] = r
		}
	}
}

func (w *world) delivery(id int64) *Delivery {
	_, noted := w.retries[id]
	return &Delivery{id: id, Key: w.rows[id].key, Topic: w.rows[id].topic, lane: w.lane, Failures: w.failures[id], noted: noted}
}

// visible returns the messages between two numbers that match, in order, up to the limit.
func (w *world) visible(after, to int64, match func(id int64) bool) (list []*Delivery) {
	for _, id := range slices.Sorted(maps.Keys(w.rows)) {
		if id > after && id <= to && match(id) && len(list) < w.limit {
			list = append(list, w.delivery(id))
		}
	}
	return list
}

// windowOf returns up to where a sweep of the whole lane goes.
func (w *world) windowOf(k *look) int64 {
	n := 0
	for _, id := range slices.Sorted(maps.Keys(w.rows)) {
		if id > k.floor && id < k.settled {
			if n++; n == w.window {
				return id
			}
		}
	}
	return k.hint
}

// firstOf returns up to where a sweep of the whole lane finds nothing.
func (w *world) firstOf(k *look) int64 {
	for _, id := range slices.Sorted(maps.Keys(w.rows)) {
		if id > k.floor && id <= k.settled {
			return id - 1
		}
	}
	return max(k.floor, k.settled)
}

func (w *world) waits(id int64) bool {
	if _, ok := w.retries[id]; ok {
		return true
	}
	for other, key := range w.retries {
		if key != "" && key == w.rows[id].key && other < id {
			return true
		}
	}
	return false
}

// step takes the next step of a look.
func (w *world) step(due bool) {
	l := w.lane
	if w.look == nil {
		k := l.begin(w.now, false)
		w.look, w.phase, w.held, w.excluded, w.full, w.again = &k, 0, maps.Clone(l.held), map[int64]bool{}, l.dest.full(), nil
		for _, id := range l.known() {
			w.excluded[id] = true
		}
		return
	}
	k := w.look
	switch w.phase {
	case 0:
		k.blocked = map[string]bool{}
		for _, key := range w.retries {
			if key != "" {
				k.blocked[key] = true
			}
		}
	case 1:
		for _, s := range k.scans {
			s.found = w.visible(s.after, k.hint, func(id int64) bool {
				return w.rows[id].topic == s.topic && w.held[id] == nil && !w.waits(id)
			})
			s.more = len(s.found) == w.limit
		}
		if !k.fetch {
			break
		}
		k.fetched = w.visible(k.hint, w.lastID, func(id int64) bool { _, noted := w.retries[id]; return !noted })
	case 2:
		k.next, k.ended = w.lastXID+1, w.lastXID+1
		for _, x := range w.open {
			k.ended = min(k.ended, x.xid)
			k.open = append(k.open, x.xid)
		}
	case 3:
		if k.sweep {
			if k.whole {
				k.upto, k.first = w.windowOf(k), w.firstOf(k)
			}
			k.swept = w.visible(k.first, k.upto, func(id int64) bool {
				r := w.rows[id]
				passed := id <= k.settled && slices.Contains(k.topics, r.topic) && !slices.Contains(k.keys, r.key)
				return !w.excluded[id] && !w.waits(id) && !passed
			})
		}
	case 4:
		for _, id := range slices.Sorted(maps.Keys(w.retries)) {
			if due && !slices.Contains(w.full, w.rows[id].topic) && len(w.again) < w.limit {
				w.again = append(w.again, w.delivery(id))
			}
		}
	case 5:
		k.full = len(k.swept) == w.limit
		if w.look = nil; l.forgo(k) {
			break
		}
		ready := l.retries(w.again)
		check := w.countsLate(k)
		w.ready = append(w.ready, append(ready, l.take(k)...)...)
		check()
	}
	w.phase++
}

// hand takes a message that is ready, which may be noted before.
func (w *world) hand(journal bool) {
	if len(w.ready) == 0 {
		return
	}
	d := w.ready[0]
	w.ready = w.ready[1:]
	if _, there := w.rows[d.id]; journal && there {
		w.lane.suspect(d)
		w.retries[d.id], d.noted = d.Key, true
	}
	if w.lane.held[d.id] != d {
		w.t.Fatalf("message %d is ready and not held", d.id)
	}
	if w.done[d.id] {
		w.t.Fatalf("message %d is handed out again", d.id)
	}
	if d.Key != "" {
		for id, r := range w.rows {
			if r.key == d.Key && id < d.id {
				w.t.Fatalf("message %d of key %s overtakes %d", d.id, r.key, id)
			}
		}
		for _, other := range w.hands {
			if other.Key == d.Key {
				w.t.Fatalf("messages %d and %d of key %s are in hand at once", other.id, d.id, d.Key)
			}
		}
	}
	w.hands = append(w.hands, d)
}

func pop(list *[]*Delivery, i int) *Delivery {
	if i >= len(*list) {
		return nil
	}
	d := (*list)[i]
	*list = slices.Delete(*list, i, i+1)
	return d
}

// popHand takes a message out of a hand. One that an operator has deleted cannot be committed, nor can its failure be noted.
func (w *world) popHand(i int) *Delivery {
	d := pop(&w.hands, i)
	if d == nil {
		return nil
	}
	if _, there := w.rows[d.id]; !there {
		w.lane.drop(d)
		return nil
	}
	return d
}

// commit commits the unit of a message in hand; the lane learns of it in another step.
func (w *world) commit(i int) {
	if d := w.popHand(i); d != nil {
		delete(w.rows, d.id)
		delete(w.retries, d.id)
		w.done[d.id] = true
		w.handled[d.Key] = append(w.handled[d.Key], d.id)
		w.deleted = append(w.deleted, d)
	}
}

func (w *world) learn(i int) {
	if d := pop(&w.deleted, i); d != nil {
		next := w.lane.done(d)
		if next != nil {
			w.ready = append(w.ready, next)
		}
	}
	if d := pop(&w.noted, i); d != nil {
		if next := w.lane.leave(d, d.Key == ""); next != nil {
			w.ready = append(w.ready, next)
		}
	}
}

func (w *world) fail(i int) {
	if d := w.popHand(i); d != nil {
		w.failures[d.id]++
		w.retries[d.id] = d.Key
		w.noted = append(w.noted, d)
	}
}

func (w *world) drop(i int) {
	if d := pop(&w.hands, i); d != nil {
		w.lane.drop(d)
	}
}

// takeOver has another process take the lane: what the last one has in hand cannot be committed any more.
func (w *world) takeOver() {
	d := w.lane.dest
	w.lane.abandon()
	w.lane = newLane(d, 0, w.lane.lease)
	w.lane.inherit(w.bottom)
	w.look, w.ready, w.hands, w.deleted, w.noted, w.met = nil, nil, nil, nil, nil, map[int64]bool{}
}

// renew stores the lane's bottom for its next owner, behind so many sweeps of the whole lane, each of which knows for sure
// what the one before has seen.
func (w *world) renew(sweeps int) {
	for range 2 * sweeps {
		w.now, w.lane.whole = w.now.Add(2*patience), true
		for w.step(false); w.look != nil; {
			w.step(false)
		}
	}
	w.bottom = w.lane.bottom.at
}

// sendScout sends a scout, or takes what the last one has found.
func (w *world) sendScout(doubt bool) {
	if w.scout != nil {
		w.scout.lane.scouted(*w.scout)
		w.scout = nil
		return
	}
	s, ok := w.lane.scout(w.now, doubt)
	if !ok {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(w.rows)) {
		if id > s.from && id <= s.upto {
			s.found = id
			break
		}
	}
	w.scout = &s
}

// check is that no more is held of a topic than there is room for.
func (w *world) check() {
	for name, topic := range w.lane.dest.topics {
		held := 0
		for _, d := range w.lane.held {
			if d.Topic == name {
				held++
			}
		}
		if held != topic.held || held > topic.room {
			w.t.Fatalf("%d of %s are held, %d are counted, there is room for %d", held, name, topic.held, topic.room)
		}
	}
}

// cutOff has the connection of a look break.
func (w *world) cutOff() {
	if w.look != nil {
		w.lane.fail(w.look)
		w.look = nil
	}
}

// skip has an operator delete a message that has failed and is not in hand.
func (w *world) skip(n int) {
	ids := slices.Sorted(maps.Keys(w.retries))
	if n >= len(ids) || w.lane.held[ids[n]] != nil {
		return
	}
	delete(w.rows, ids[n])
	delete(w.retries, ids[n])
	w.lane.whole = true
}

// finish ends everything that is open and handles what is there.
func (w *world) finish() {
	for len(w.open) > 0 {
		w.end(0, true)
	}
	for range 60 * (len(w.rows) + 5) {
		w.step(true)
		w.hand(false)
		w.commit(0)
		w.learn(0)
	}
	if len(w.rows) > 0 || len(w.lane.held) > 0 || w.lane.dest.held != 0 {
		w.t.Fatalf("left: %v, held %d, counted %d", slices.Sorted(maps.Keys(w.rows)), len(w.lane.held), w.lane.dest.held)
	}
	for key, ids := range w.handled {
		if key != "" && !slices.IsSortedFunc(ids, cmp.Compare[int64]) {
			w.t.Fatalf("key %s: %v", key, ids)
		}
	}
	if len(w.lane.left) > 0 && !w.lane.whole {
		w.t.Fatalf("keys are left behind for nothing: %v", w.lane.left)
	}
	for name, topic := range w.lane.dest.topics {
		if topic.held != 0 || topic.full || w.lane.behind[name] != nil {
			w.t.Fatalf("%s: %+v, left behind %+v", name, topic, w.lane.behind[name])
		}
	}
}

// TestLane: whatever commits late, fails, or is dropped while a look is under way, and whichever topics have no room, the
// messages of a key are handed out one at a time and in their order, none twice, and none is left.
func TestLane(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(1, 150).Draw(t, "steps") {
			n := rapid.IntRange(0, 2).Draw(t, "which")
			switch action := rapid.IntRange(0, 24).Draw(t, "action"); action {
			case 0, 1, 2:
				w.write(n, rapid.IntRange(0, 3).Draw(t, "key"), rapid.SampledFrom([]string{"slow", "quick"}).Draw(t, "topic"))
			case 3, 4:
				w.end(n, rapid.IntRange(0, 3).Draw(t, "commit") > 0)
			case 5, 6, 7, 8, 9:
				w.step(rapid.Bool().Draw(t, "due"))
			case 10, 11:
				w.hand(rapid.Bool().Draw(t, "journal"))
			case 12:
				w.commit(n)
			case 13:
				w.fail(n)
			case 14:
				w.learn(n)
			case 15:
				w.drop(n)
			case 16:
				w.takeOver()
			case 17:
				w.cutOff()
			case 18:
				w.skip(n)
			case 19:
				w.now = w.now.Add(20 * time.Minute) // what was doubted for a while is sure
				w.lane.whole = w.lane.whole || n > 0
			case 20, 21:
				w.now = w.now.Add(2 * lasting) // whoever is still open lasts
			case 22:
				w.renew(n)
			case 23, 24:
				w.sendScout(n == 0)
			}
			w.check()
		}
		w.finish()
	})
}

// TestRetryPause: pauses are drawn evenly from below 1 s, 2 s, 4 s and so on, up to the longest.
func TestRetryPause(t *testing.T) {
	t.Parallel()
	r := Retry{Pause: time.Second, MaxPause: time.Minute}.withDefaults()
	for failures := range 200 {
		limit := time.Minute
		if failures < 6 {
			limit = time.Second << failures
		}
		var least, most time.Duration = limit, 0
		for range 500 {
			p := r.pause(failures + 1)
			least, most = min(least, p), max(most, p)
		}
		if least <= 0 || least > limit/10 || most > limit+1 || most < limit/10*9 {
			t.Fatalf("after %d failures the pauses are from %v to %v, of %v", failures+1, least, most, limit)
		}
	}
	if s := fmt.Sprint(Retry{}.withDefaults()); s != "{12 1s 1h0m0s false}" {
		t.Error(s)
	}
}
