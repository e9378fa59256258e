package outbox

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/urutu-go/urutu/fault"
)

// leased is an engine with one destination and no database, as a process has it.
func leased(c Consumer) (*Engine, *destination) {
	e := NewEngine(nil, Config{Logger: slog.New(slog.DiscardHandler)}, c)
	e.owner = [16]byte{1}
	e.ctx, e.abort = context.WithCancel(context.Background())
	e.intake, e.close = context.WithCancel(e.ctx)
	return e, e.dests[0]
}

// TestLeaseEndsHereBeforeItEndsThere: a process hands out nothing of a lane for a second before others may take it, unless
// it has renewed the lease; it counts from when it asked, not from when it was answered.
func TestLeaseEndsHereBeforeItEndsThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, d := leased(Consumer{Destination: "group"})
		l := newLane(d, 0, lease{e.owner, 1, time.Now().Add(e.timing.lease - e.timing.margin)})
		d.lanes[0] = l
		d.ready = []*Delivery{{id: 1, lane: l}, {id: 2, lane: l}}
		row := view{rows: []laneRow{{number: 0, owner: e.owner, epoch: 1, until: 1, now: 2}}, workers: 1}
		time.Sleep(3 * time.Second)
		asked := time.Now()
		time.Sleep(900 * time.Millisecond) // until the answer
		e.review(d, &row, asked, true)
		time.Sleep(e.timing.lease - e.timing.margin - 901*time.Millisecond)
		if m := e.pick(d, time.Now()); m == nil || m.id != 1 {
			t.Errorf("%v was handed out within the lease", m)
		}
		e.review(d, &row, time.Now(), false) // a look renews nothing
		time.Sleep(time.Millisecond)
		if m := e.pick(d, time.Now()); m != nil {
			t.Errorf("message %d was handed out a second before the lease ends", m.id)
		}
		if len(d.ready) > 0 || !l.whole {
			t.Error("what was not handed out is not looked for again")
		}
	})
}

// TestWhichLanesAreTaken: a lane is taken when its lease is over by the database's clock, or has not been renewed for two
// leases by this process's: then the database's clock was set back. One that another process has taken is lost.
func TestWhichLanesAreTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, d := leased(Consumer{Destination: "group"})
		other := [16]byte{2}
		now := time.Hour.Microseconds()
		look := func(until int64) int {
			v := view{rows: []laneRow{{number: 3, owner: other, epoch: 7, until: until, now: now}}, workers: 1}
			return len(e.review(d, &v, time.Now(), true))
		}
		if look(now) != 0 || look(now-1) != 1 {
			t.Error("it is taken before the lease is over, or not then")
		}
		set := 2 * now // the clock was set back by an hour
		for range 2 * e.timing.lease / e.timing.tick {
			if look(set) != 0 {
				t.Fatal("a lease that was not seen for long was taken")
			}
			time.Sleep(e.timing.tick)
		}
		time.Sleep(time.Millisecond)
		if look(set) != 1 {
			t.Error("a lease that nobody renews is not taken")
		}
		if look(set+1) != 0 {
			t.Error("a lease that was just renewed is taken")
		}
		l := newLane(d, 3, lease{e.owner, 8, time.Now().Add(time.Hour)})
		d.lanes[3] = l
		if look(set + 2); !l.lost || d.lanes[3] != nil || l.safe(time.Now()) {
			t.Error("the lane of another process is still held")
		}
	})
}

// TestLanesAreShared: each process takes up to its share, and gives away what is more once others have come.
func TestLanesAreShared(t *testing.T) {
	t.Parallel()
	e, d := leased(Consumer{Destination: "group"})
	v := view{workers: 3}
	for n := range int16(16) {
		v.rows = append(v.rows, laneRow{number: n, until: 0, now: 1})
	}
	claims := e.review(d, &v, time.Now(), true)
	if len(claims) != 6 { // of 16 lanes and 3 processes
		t.Errorf("it takes %d lanes", len(claims))
	}
	for _, c := range claims {
		d.lanes[c.number] = newLane(d, c.number, lease{e.owner, 1, time.Now().Add(time.Hour)})
		v.rows[c.number].owner, v.rows[c.number].epoch, v.rows[c.number].until = e.owner, 1, 2
	}
	v.workers = 8
	e.review(d, &v, time.Now(), true)
	leaving := 0
	for _, l := range d.lanes {
		if l.leaving {
			leaving++
		}
	}
	if leaving != 4 {
		t.Errorf("it gives away %d lanes of 6, and is to keep 2", leaving)
	}
	e.close()
	v.rows[15].until = 0
	if n := len(e.review(d, &v, time.Now(), true)); n > 0 {
		t.Errorf("while it stops it takes %d lanes", n)
	}
}

// TestLanesThatAreNoMoreAreForgotten: the number of lanes has become smaller. What this process had of the others is gone,
// and it does not look for their retries without a pause, in vain.
func TestLanesThatAreNoMoreAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, d := leased(Consumer{Destination: "group"})
		v := view{rows: []laneRow{{number: 0, owner: e.owner, epoch: 1, until: 2, now: 1}}, workers: 1}
		for n := range int16(2) {
			d.lanes[n] = newLane(d, n, lease{e.owner, 1, time.Now().Add(e.timing.lease - e.timing.margin)})
			d.lanes[n].due = time.Time{}
		}
		m := &Delivery{id: 1, lane: d.lanes[1]}
		m.lane.hold(m)
		d.ready = []*Delivery{m}
		time.Sleep(e.timing.tick)
		e.review(d, &v, time.Now(), true)
		time.Sleep(e.timing.lease)
		if m := e.pick(d, time.Now()); m != nil {
			t.Errorf("message %d of a lane that is no more was handed out", m.id)
		}
		if until := e.untilDue(); until != e.timing.pollMax {
			t.Errorf("the next look is in %v", until)
		}
		if d.lanes[1] != nil || d.lanes[0] == nil || d.held != 0 {
			t.Errorf("it has %d lanes and %d messages", len(d.lanes), d.held)
		}
	})
}

// TestOutagesPause: a destination pauses for longer each time that the database does not answer, up to two seconds, and at
// once goes on when the pause is over; a success ends it.
func TestOutagesPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, d := leased(Consumer{Destination: "group"})
		l := newLane(d, 0, lease{e.owner, 1, time.Now().Add(time.Hour)})
		m := &Delivery{id: 1, lane: l, Failures: 3}
		l.hold(m)
		d.ready = []*Delivery{m}
		lost := &fault.Error{Kind: fault.ConnectionLost, Err: errors.New("cut")}
		for _, ms := range []int{10, 20, 40, 80, 160, 320, 640, 1280, 2000, 2000} {
			want := time.Duration(ms) * time.Millisecond
			if got := e.next(d); got != m {
				t.Fatalf("%v was handed out", got)
			}
			began := time.Now()
			e.finished(d, m)
			e.settle(m, lost)
			if m.started || m.Failures != 3 {
				t.Fatalf("an outage counts: %+v", m)
			}
			if got := e.next(d); got != m || time.Since(began) != want {
				t.Errorf("it went on after %v, not %v", time.Since(began), want)
			}
			d.ready = []*Delivery{m}
			e.finished(d, m)
		}
		e.handled(m)
		if d.outage != 0 {
			t.Errorf("after a success the next pause would follow %v", d.outage)
		}
	})
}

// TestDoubtEndsWhenRetriesWereLookedFor: that no retry came with a look says nothing where none was asked for, nor where
// there may be more than came.
func TestDoubtEndsWhenRetriesWereLookedFor(t *testing.T) {
	t.Parallel()
	e, d := leased(Consumer{Destination: "group"})
	l := newLane(d, 0, lease{e.owner, 1, time.Now().Add(time.Hour)})
	d.lanes[0] = l
	look := func(retries int) {
		r := &round{byID: map[laneID]*look{}, dues: map[laneID][]*Delivery{}}
		e.begin(r, time.Now(), true)
		r.limit = 2
		id := laneID{d.id, 0}
		for n := range retries {
			r.dues[id] = append(r.dues[id], &Delivery{id: int64(n + 1), lane: l, noted: true})
		}
		r.looks[0].ours = true
		e.endRound(r, nil)
	}
	look(2)
	look(0) // asks for none: the next time is later
	if l.sawDue {
		t.Error("retries that nobody has looked for are taken for seen")
	}
	l.due = time.Now()
	look(1)
	if !l.sawDue {
		t.Error("all retries were seen, and it is not known")
	}
}

// TestNothingIsDueWhereNothingIsLookedFor: a retry that is due where nobody looks, since there is no room or a pause, or the
// lane is leaving, has nobody look at the other lanes again and again.
func TestNothingIsDueWhereNothingIsLookedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, d := leased(Consumer{Destination: "group"})
		l := newLane(d, 0, lease{e.owner, 1, time.Now().Add(time.Hour)})
		l.due, d.moveAt = time.Now(), time.Now().Add(time.Hour)
		d.lanes[0] = l
		for name, c := range map[string]struct {
			set  func(on bool)
			want time.Duration
		}{
			"nothing":   {func(bool) {}, time.Millisecond},
			"no room":   {func(on bool) { d.brim = map[bool]int{true: -1, false: 100}[on] }, e.timing.pollMax},
			"a pause":   {func(on bool) { d.paused = map[bool]time.Time{true: time.Now().Add(20 * time.Millisecond)}[on] }, 20 * time.Millisecond},
			"it leaves": {func(on bool) { l.leaving = on }, e.timing.pollMax},
			"no lease":  {func(on bool) { l.lease.until = map[bool]time.Time{false: time.Now().Add(time.Hour)}[on] }, e.timing.pollMax},
		} {
			c.set(true)
			if got := e.untilDue(); got != c.want {
				t.Errorf("%s: the next look is after %v, not %v", name, got, c.want)
			}
			c.set(false)
		}
	})
}

// TestBatchGoesBackInItsOrder: what a broker has not answered for is one outage, however many messages it is, and goes back as
// it was, before what came meanwhile.
func TestBatchGoesBackInItsOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, d := leased(Consumer{Destination: "broker", Send: func(context.Context, []*Delivery) []error { return nil }})
		l := newLane(d, 0, lease{e.owner, 1, time.Now().Add(time.Hour)})
		var batch []*Delivery
		for i, key := range []string{"a", "a", "", "b", "b", "c"} {
			m := &Delivery{id: int64(i + 1), Key: key, lane: l, started: true}
			l.hold(m)
			batch = append(batch, m)
		}
		d.ready = batch[5:]
		lost := &fault.Error{Kind: fault.ConnectionLost, Err: errors.New("cut")}
		arrived := e.sent(e.watch(WorkSend, d), batch[:5], []error{lost, nil, lost, nil, lost})
		var ids []int64
		for _, m := range d.ready {
			ids = append(ids, m.id)
		}
		if len(arrived) != 2 || !slices.Equal(ids, []int64{1, 3, 5, 6}) || d.outage != 10*time.Millisecond {
			t.Errorf("%d have arrived, %v are ready, the pause is %v", len(arrived), ids, d.outage)
		}
		e.putBack(lost, arrived...)
		if d.outage != 20*time.Millisecond || d.counts.PutBack != 5 || d.ready[0].id != 2 || d.ready[1].id != 4 {
			t.Errorf("the pause is %v, %d were put back, %d and %d are first", d.outage, d.counts.PutBack, d.ready[0].id, d.ready[1].id)
		}
		time.Sleep(time.Minute) // until the pauses are over
	})
}
