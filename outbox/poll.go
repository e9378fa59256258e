package outbox

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// pollLoop looks for messages: where it has heard of some, when it is woken, when something is due, and otherwise in pauses that
// grow while nothing is found but what it has heard of.
func (e *Engine) pollLoop() {
	pause := e.timing.pollMin
	timer := time.NewTimer(pause)
	defer timer.Stop()
	var next time.Time // all lanes are looked at then
	for {
		woken := false
		select {
		case <-e.intake.Done():
			return
		case <-e.waker:
			woken = true
		case <-timer.C:
		}
		begin, all := time.Now(), e.all.Swap(false)
		if woken && all {
			pause = e.timing.pollMin
		}
		all = all || !woken || !begin.Before(next)
		n, more, err := e.poll(e.intake, all)
		rest := min(time.Since(begin), maxRest)
		switch {
		case err != nil:
			if e.intake.Err() == nil {
				e.logger.WarnContext(e.intake, "messages could not be looked for", "connection", e.name, "error", err)
			}
			if !all {
				pause = e.timing.pollMin
			}
			e.all.Store(true) // what it had heard of, it does not know any more
			pause = min(max(2*pause, 50*time.Millisecond), 2*time.Second)
		case more:
			pause = 0
		case !all:
		case n > 0:
			pause = e.timing.pollMin
		default:
			pause = min(max(2*pause, e.timing.pollMin), e.idle())
		}
		if pause > 0 {
			timer.Reset(rest)
			select {
			case <-e.intake.Done():
				return
			case <-timer.C:
			}
		}
		if all || err != nil || more {
			next = time.Now().Add(e.jitter(pause))
		}
		timer.Reset(min(time.Until(next), e.untilDue()))
	}
}

// maxRest bounds how long the loop rests behind a look that has brought all there was. It rests for as long as the look took, so
// that short looks take half of a connection's time at most, however often they are asked for: what comes meanwhile is in one
// look then.
const maxRest = 4 * time.Millisecond

// idle is the longest pause between two looks at all lanes.
func (e *Engine) idle() time.Duration {
	if e.listening.Load() {
		return e.timing.pollMax
	}
	return e.timing.pollAlone
}

// jitter draws a pause between three quarters of d and d, so that processes do not look in step.
func (e *Engine) jitter(d time.Duration) time.Duration {
	if d < 4 {
		return 0
	}
	return d - rand.N(d/4)
}

// untilDue returns how long nothing is due yet.
func (e *Engine) untilDue() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	until := e.timing.pollMax
	now := time.Now()
	for _, d := range e.dests {
		if l := d.lanes[0]; l != nil && l.safe(now) && !d.moveAt.IsZero() {
			until = min(until, d.moveAt.Sub(now))
		}
		switch {
		case now.Before(d.paused):
			until = min(until, d.paused.Sub(now))
			continue
		case !d.hasRoom():
			continue // whoever makes room says so
		}
		for _, l := range d.lanes {
			if l.safe(now) && !l.due.IsZero() {
				until = min(until, l.due.Sub(now))
			}
		}
	}
	return max(until, time.Millisecond)
}

// openOf returns the transactions that a snapshot, "xmin:xmax:xid,...", says were open.
func openOf(snapshot string) (open []uint64) {
	list := snapshot[strings.LastIndexByte(snapshot, ':')+1:]
	for list != "" {
		var text string
		text, list, _ = strings.Cut(list, ",")
		if x, err := strconv.ParseUint(text, 10, 64); err == nil {
			open = append(open, x)
		}
	}
	return open
}

// round is one round trip for all lanes that are looked at.
type round struct {
	exchange
	looks []*look
	stale *lane // of which a sweep is due, and comes
	byID  map[laneID]*look
	limit int64
	dues  map[laneID][]*Delivery
	later map[laneID]time.Duration // until the next retry
	moved int64
	more  bool   // a lane has more than was asked for
	next  uint64 // the number of the next transaction
	ended uint64 // every one before this had ended
	open  []uint64
}

type laneID struct {
	dest   int32
	number int16
}

// poll looks at all lanes once, or at those in which something is known to be, and hands out what is ready. It returns how many
// messages that was where nothing was known to be, and whether there are more.
func (e *Engine) poll(ctx context.Context, all bool) (n int, more bool, err error) {
	now := time.Now()
	r := &round{byID: map[laneID]*look{}, dues: map[laneID][]*Delivery{}, later: map[laneID]time.Duration{}}
	e.mu.Lock()
	e.rumors()
	moves := e.moves(now)
	due := e.begin(r, now, all || len(moves) > 0)
	e.mu.Unlock()
	if len(moves) > 0 {
		if err := e.move(ctx, r, moves); err != nil {
			e.endRound(r, err)
			return 0, false, err
		}
	}
	if len(r.looks) > 0 {
		e.ask(r, due)
		begin := time.Now()
		err = e.db.Run(ctx, "outbox.Poll", driver.Read, &r.Script, r)
		if err == nil {
			e.swept(r, begin, time.Now())
		}
	}
	n = e.endRound(r, err)
	return n, r.more, err
}

// begin begins the looks, and returns those at lanes with retries that are due.
func (e *Engine) begin(r *round, now time.Time, all bool) (due []*look) {
	lanes := e.lookable(r, now, all)
	for _, l := range lanes {
		if !l.sweeping && now.After(l.wholeAt) { // also for retries: the database's clock may have been set
			l.wholeAt, l.staleAt = now.Add(e.jitter(e.timing.sweep)), cmp.Or(l.staleAt, now)
			l.due = now
		}
	}
	if all && !now.Before(e.sweepAt) { // of a few lanes it would be one of those that are busy, each time
		r.stale = stalest(lanes)
	}
	for _, l := range lanes {
		k := l.begin(now, l == r.stale)
		k.expected = l.isNews()
		if k.whole {
			l.staleAt = time.Time{}
		}
		k.sweep = k.sweep && (!e.ordered || k.whole)
		r.looks = append(r.looks, &k)
		r.byID[laneID{l.dest.id, l.number}] = &k
		if l.isDue(now) {
			k.again, l.due = true, time.Time{}
			due = append(due, &k)
		}
	}
	return due
}

// lookable returns the lanes that are looked at now, all or those in which something is known to be, and sets how many messages
// each may bring.
func (e *Engine) lookable(r *round, now time.Time, all bool) (lanes []*lane) {
	r.limit = 1 << 20
	for _, d := range e.dests {
		if !d.hasRoom() || len(d.lanes) == 0 || now.Before(d.paused) {
			continue
		}
		r.limit = min(r.limit, max(int64((d.room-d.held)/len(d.lanes)), 4))
		for _, l := range d.lanes {
			if l.safe(now) && (all || l.isNews() || l.whole || l.sweeping || l.isDue(now)) {
				lanes = append(lanes, l)
			}
		}
	}
	return lanes
}

func (l *lane) isDue(now time.Time) bool { return !l.due.IsZero() && !l.due.After(now) }

// stalest returns the lane whose sweep has been due for longest; nil where none is.
func stalest(lanes []*lane) (first *lane) {
	for _, l := range lanes {
		if !l.staleAt.IsZero() && (first == nil || l.staleAt.Before(first.staleAt)) {
			first = l
		}
	}
	return first
}

// sweepPart is by how much more than what it took a sweep of a whole lane that only time has asked for keeps its distance from
// the next one. What was deleted above a message that is parked is in the way of each, while anybody holds an old snapshot, and
// so of the looks at all lanes.
const sweepPart = 100

// swept takes down how long a look took that had such a sweep. No lane waits for longer than as many turns as there are.
func (e *Engine) swept(r *round, begin, end time.Time) {
	if r.stale != nil {
		e.sweepAt = end.Add(min(sweepPart*end.Sub(begin), e.timing.sweep))
	}
}

// ask renders the round: first what came after the hints, then, which is a later snapshot, what came late before them.
// Which keys wait for a retry is asked for before everything that leaves them out.
func (e *Engine) ask(r *round, due []*look) {
	var fetches, sweeps, wholes, pasts []*look
	for _, k := range r.looks {
		if k.fetch {
			fetches = append(fetches, k)
		}
		switch {
		case k.whole && len(k.topics) > 0:
			pasts = append(pasts, k)
		case k.whole:
			wholes = append(wholes, k)
		case k.sweep:
			sweeps = append(sweeps, k)
		}
		if k.whole {
			k.blocked = map[string]bool{}
		}
	}
	limit := value.OfInt(r.limit)
	delivered := func(row []value.Value) (*look, *Delivery) {
		k := r.byID[laneID{int32(row[0].Int()), int16(row[1].Int())}]
		return k, e.delivery(k.lane, row)
	}
	e.mu.Lock()
	held := e.heldIn(r.looks)
	for _, k := range r.looks {
		if k.sweep {
			k.known = k.lane.known()
		}
	}
	shut := e.shut(due)
	e.mu.Unlock()
	r.planned(e.sql.planning)
	r.each(e, e.sql.blocked, slices.Concat(wholes, pasts), nil, nil, func(row []value.Value) {
		r.byID[laneID{int32(row[0].Int()), int16(row[1].Int())}].blocked[row[2].Str()] = true
	})
	// What was left is looked for before the sweep, so that what comes late before it is found.
	r.scan(e, held, limit, func(row []value.Value) {
		k, m := delivered(row)
		for _, s := range k.scans {
			if s.topic == m.Topic {
				s.found = append(s.found, m)
			}
		}
	})
	r.each(e, e.sql.fetch, fetches, func(k *look) []value.Value { return ofInts([]int64{k.hint}) }, []param{{value: limit}}, func(row []value.Value) {
		k, m := delivered(row)
		k.fetched = append(k.fetched, m)
	})
	if e.sql.horizon != nil {
		r.add(e.sql.horizon.with(), func(row []value.Value) {
			xmax := uint64(row[1].Int())
			r.ended = uint64(row[0].Int())
			r.next = xmax + uint64(int64(int32(uint32(row[2].Int()+3)-uint32(xmax))))
			r.open = openOf(row[3].Str())
		})
	}
	found := func(row []value.Value) {
		k, m := delivered(row)
		k.swept = append(k.swept, m)
	}
	swept := func(row []value.Value) {
		if row[3].IsNull() {
			k := r.byID[laneID{int32(row[0].Int()), int16(row[1].Int())}]
			k.upto, k.first = row[2].Int(), row[10].Int()
			return
		}
		found(row)
	}
	r.sweep(e, e.sql.sweep, sweeps, 2, limit, found)
	r.sweep(e, e.sql.sweepWhole, wholes, 3, limit, swept)
	r.sweepPast(e, pasts, limit, swept)
	// What becomes due in between is in both.
	r.each(e, e.sql.later, due, nil, nil, func(row []value.Value) {
		r.later[laneID{int32(row[0].Int()), int16(row[1].Int())}] = time.Duration(row[2].Int()) * time.Microsecond
	})
	r.each(e, e.sql.due, due, nil, []param{{list: shut}, {value: limit}}, func(row []value.Value) {
		k, m := delivered(row)
		m.Failures, m.deaths, m.noted = int(row[10].Int()), int(row[11].Int()), true
		id := laneID{k.lane.dest.id, k.lane.number}
		r.dues[id] = append(r.dues[id], m)
	})
	// Each of these has a snapshot of its own. What is still this process's after the last one was so for all.
	r.each(e, e.sql.ours, r.looks, func(k *look) []value.Value { return ofInts([]int64{k.lane.lease.epoch}) }, nil, func(row []value.Value) {
		r.byID[laneID{int32(row[0].Int()), int16(row[1].Int())}].ours = true
	})
}

// heldIn returns the numbers of the messages that are in memory of the lanes in which something is looked for that was left.
func (e *Engine) heldIn(looks []*look) (ids []int64) {
	for _, k := range looks {
		if len(k.scans) > 0 {
			ids = slices.AppendSeq(ids, maps.Keys(k.lane.held))
		}
	}
	return ids
}

// shut returns the topics that have no room, with their destinations.
func (e *Engine) shut(due []*look) []value.Value {
	list := []value.Value{}
	for i, k := range due {
		d := k.lane.dest
		if slices.ContainsFunc(due[:i], func(o *look) bool { return o.lane.dest == d }) {
			continue
		}
		for _, name := range d.full() {
			list = append(list, value.OfText(fmt.Sprint(d.id, " ", name)))
		}
	}
	return list
}

// each adds a query over lanes, whose parameters are destination and lane, then what columns returns for the lane, then
// rest.
func (r *round) each(e *Engine, q *query, looks []*look, columns func(*look) []value.Value, rest []param, row func([]value.Value)) {
	var rows [][]value.Value
	for _, k := range looks {
		args := k.lane.address()
		if columns != nil {
			args = append(args, columns(k)...)
		}
		rows = append(rows, args)
	}
	r.over(e, q, rows, rest, row)
}

// address is the lane's destination and number.
func (l *lane) address() []value.Value { return ofInts([]int64{int64(l.dest.id), int64(l.number)}) }

// over adds a query over rows of parameters: one statement for all where the database takes arrays, otherwise one for each.
func (r *round) over(e *Engine, q *query, rows [][]value.Value, rest []param, row func([]value.Value)) {
	if len(rows) == 0 {
		return
	}
	n := len(q.types) - len(rest)
	args, lists := make([]value.Value, len(q.types)), make([][]value.Value, len(q.types))
	for i, p := range rest {
		args[n+i], lists[n+i] = p.value, p.list
	}
	if !e.sql.arrays {
		for _, columns := range rows {
			r.add(q.lists(lists, append(columns, args[n:]...)...), row)
		}
		return
	}
	for _, columns := range rows {
		for i, v := range columns {
			lists[i] = append(lists[i], v)
		}
	}
	r.add(q.lists(lists, args...), row)
}

// bounds is from where to where a sweep goes, and where the late ones end.
func (k *look) bounds() []value.Value { return ofInts([]int64{k.floor, k.hint, k.settled}) }

// sweep adds sweeps by as many of their bounds as they take: what is known is not asked for again.
func (r *round) sweep(e *Engine, q *query, looks []*look, bounds int, limit value.Value, row func([]value.Value)) {
	var known []int64
	for _, k := range looks {
		known = append(known, k.known...)
	}
	r.each(e, q, looks, func(k *look) []value.Value { return k.bounds()[:bounds] }, []param{{list: ofInts(known)}, {value: limit}}, row)
}

// scan adds the looks at what was left of topics that have room again.
func (r *round) scan(e *Engine, held []int64, limit value.Value, row func([]value.Value)) {
	var rows [][]value.Value
	for _, k := range r.looks {
		for _, s := range k.scans {
			rows = append(rows, append(k.lane.address(), value.OfText(s.topic), value.OfInt(s.after), value.OfInt(k.hint)))
		}
	}
	r.over(e, e.sql.scan, rows, []param{{list: ofInts(held)}, {value: limit}}, row)
}

// sweepPast adds the sweeps of whole lanes that have left something: each is a statement of its own.
func (r *round) sweepPast(e *Engine, looks []*look, limit value.Value, row func([]value.Value)) {
	for _, k := range looks {
		args := append(k.lane.address(), k.bounds()...)
		args = append(args, value.Value{}, value.Value{}, value.Value{}, limit)
		lists := [][]value.Value{nil, nil, nil, nil, nil, ofInts(k.known), ofTexts(k.topics), ofTexts(k.keys), nil}
		r.add(e.sql.sweepPast.lists(lists, args...), row)
	}
}

// delivery reads a message.
func (e *Engine) delivery(l *lane, row []value.Value) *Delivery {
	d := &Delivery{
		id: row[2].Int(), ID: row[3].UUID(), Topic: row[4].Str(), Envelope: []byte(row[6].Str()), Payload: []byte(row[7].Str()),
		CreatedAt: row[8].Time(), lane: l, home: e.home,
	}
	if !row[5].IsNull() {
		d.Key = row[5].Str()
	}
	d.place = row[9]
	return d
}

// endRound hands out what a round has brought, and returns how much of it was not expected.
func (e *Engine) endRound(r *round, err error) (n int) {
	now := time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, k := range r.byID {
		l := k.lane
		if l.lost {
			continue
		}
		if err != nil || !k.ours {
			l.fail(k)
			l.due = now.Add(e.timing.due)
			continue
		}
		k.full = int64(len(k.swept)) == r.limit
		k.next, k.ended, k.open = r.next, r.ended, r.open
		if l.forgo(k) {
			l.due, r.more = now, true
			continue
		}
		_, partly := k.reached()
		r.more = r.more || partly || int64(len(k.fetched)) == r.limit
		for _, s := range k.scans {
			s.more = int64(len(s.found)) == r.limit
		}
		if e.ordered {
			k.next, k.ended, k.sweep = 1, 1, true
		}
		ready := l.retries(r.dues[id])
		switch {
		case int64(len(r.dues[id])) == r.limit: // there may be more of them
			r.more = r.more || len(ready) > 0
			l.due = now.Add(e.timing.pollAlone)
		case k.again && len(l.dest.full()) == 0:
			l.sawDue = true
		}
		ready = append(ready, l.take(k)...)
		if until, ok := r.later[id]; ok {
			if at := now.Add(until); l.due.IsZero() || at.Before(l.due) {
				l.due = at
			}
		}
		for _, s := range k.scans {
			r.more = r.more || s.more && !l.dest.isFull(s.topic)
		}
		if !k.expected {
			n += len(k.fetched) + len(ready)
		}
		e.makeReady(l.dest, ready...)
	}
	return n + int(r.moved)
}

// makeReady hands messages to the destination's workers.
func (e *Engine) makeReady(d *destination, list ...*Delivery) {
	if len(list) == 0 {
		return
	}
	for _, m := range list {
		if m.deaths > 0 && d.Send == nil {
			d.suspects = append(d.suspects, m)
		} else {
			d.ready = append(d.ready, m)
		}
		d.some.Signal()
	}
}

// moves returns the destinations whose waiting messages this process looks after, those whose first lane it has, and of
// which one may be due: by the time of the first that was found the last time, or since others have come.
func (e *Engine) moves(now time.Time) (list []moving) {
	others := e.later.Swap(false)
	for _, d := range e.dests {
		if l := d.lanes[0]; l != nil && l.safe(now) && (others || !now.Before(d.moveAt)) {
			d.moveAt = now.Add(e.timing.due)
			list = append(list, moving{d, l.lease.epoch})
		}
	}
	return list
}

// moving is a destination whose waiting messages are looked for, and the epoch of its first lane.
type moving struct {
	*destination
	epoch int64
}

// moveLimit is how many waiting messages become ready in one transaction.
const moveLimit = 500

// move gives messages whose time has come to their lanes. Nothing is lost where it stops: both sides of a move are one
// transaction.
func (e *Engine) move(ctx context.Context, r *round, dests []moving) error {
	x := &exchange{}
	total := int64(0)
	due := map[*destination]value.Value{}
	if e.sql.moved != nil {
		if err := e.findDue(ctx, dests, due); err != nil || len(due) == 0 {
			return err
		}
	}
	x.Begin, x.End = &driver.TxOptions{}, driver.Commit
	for _, d := range dests {
		args := []value.Value{value.OfInt(int64(d.id)), value.OfInt(moveLimit), value.OfInt(d.epoch)}
		if e.sql.moved != nil {
			args = append(args, due[d.destination])
		}
		x.count(e.sql.move.with(args...), func(n int64) {
			total += n
			if n == moveLimit {
				d.moveAt, r.more = time.Time{}, true
			}
		})
		if e.sql.moved != nil {
			x.add(e.sql.moved.with(args...), nil)
			continue
		}
		x.add(e.sql.upcoming.with(value.OfInt(int64(d.id))), d.moveIn)
	}
	err := e.db.Run(ctx, "outbox.Move", driver.Write, &x.Script, x)
	if r.moved = total; total > 0 {
		e.home.wake(false) // who has their lanes
	}
	return err
}

// findDue finds the destinations with a message whose time has come, and the time by which that is so: a database with one
// writer is not taken for nothing.
func (e *Engine) findDue(ctx context.Context, dests []moving, due map[*destination]value.Value) error {
	x := &exchange{}
	for _, d := range dests {
		x.add(e.sql.waiting.with(value.OfInt(int64(d.id))), func(row []value.Value) { due[d.destination] = row[0] })
		x.add(e.sql.upcoming.with(value.OfInt(int64(d.id))), d.moveIn)
	}
	return e.db.Run(ctx, "outbox.Move", driver.Read, &x.Script, x)
}

// moveIn has the destination's waiting messages looked for when the next of them is due.
func (d *destination) moveIn(row []value.Value) {
	if at := time.Now().Add(time.Duration(row[0].Int()) * time.Microsecond); at.Before(d.moveAt) {
		d.moveAt = at
	}
}
