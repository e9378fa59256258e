package outbox

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// leaseLoop keeps this process's lanes, takes those that nobody has, and gives away what is more than its share.
func (e *Engine) leaseLoop() {
	ticker := time.NewTicker(e.timing.tick)
	defer ticker.Stop()
	var beat time.Time
	for {
		now := time.Now()
		renew := now.Sub(beat) >= e.timing.renew
		if err := e.leaseInTime(renew); err != nil && e.ctx.Err() == nil {
			e.logger.WarnContext(e.ctx, "the leases of messages could not be renewed", "connection", e.name, "error", err)
		} else if renew {
			beat = now
		}
		select {
		case <-e.ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// leaseInTime is lease, broken off where an answer would come too late to be worth anything: a connection may have fallen
// silent.
func (e *Engine) leaseInTime(renew bool) error {
	ctx, cancel := context.WithTimeout(e.ctx, 2*e.timing.lease)
	defer cancel()
	return e.lease(ctx, renew)
}

// laneRow is a lane as the table has it.
type laneRow struct {
	number       int16
	owner        [16]byte
	epoch, until int64 // the lease's end, by the database's clock
	now, touched int64
}

// view is what a look at a destination's lanes has brought.
type view struct {
	rows    []laneRow
	workers int
}

// lease renews, looks at who has which lane, and takes and gives accordingly.
func (e *Engine) lease(ctx context.Context, renew bool) error {
	sent := time.Now()
	if renew {
		if err := e.renew(ctx); err != nil {
			return err
		}
	}
	views := make([]view, len(e.dests))
	x := &exchange{}
	for i, d := range e.dests {
		v, dest := &views[i], value.OfInt(int64(d.id))
		x.add(e.sql.lanes.with(dest), func(row []value.Value) {
			v.rows = append(v.rows, laneRow{
				number: int16(row[0].Int()), owner: row[1].UUID(), epoch: row[2].Int(), until: row[3].Int(), now: row[4].Int(), touched: row[5].Int(),
			})
		})
		x.add(e.sql.workers.with(dest, value.OfInt(e.timing.lease.Microseconds())), func(row []value.Value) { v.workers = int(row[0].Int()) })
	}
	if err := e.db.Run(ctx, "outbox.Lease", driver.Read, &x.Script, x); err != nil {
		return err
	}
	for i, d := range e.dests {
		claims := e.review(d, &views[i], sent, renew)
		if err := e.claim(ctx, d, claims); err != nil {
			return err
		}
	}
	return e.releaseLeaving(ctx)
}

// renew tells the others that this process is alive, and keeps its lanes.
func (e *Engine) renew(ctx context.Context) error {
	x := &exchange{}
	x.Begin, x.End = &driver.TxOptions{}, driver.Commit
	cleared := e.clear(x) // lanes before leases, as others lock them
	lease := value.OfInt(e.timing.lease.Microseconds())
	for _, d := range e.dests {
		dest, owner := value.OfInt(int64(d.id)), value.OfUUID(e.owner)
		if e.intake.Err() != nil { // its lanes are for others, but for those of which something is in hand
			x.add(e.sql.depart.with(dest, owner), nil)
		} else {
			x.add(e.sql.beat.with(dest, owner, lease), nil)
		}
		if e.sql.renewing != nil {
			x.add(e.sql.renewing.with(dest, owner), nil)
		}
		if e.sql.arrays {
			b := e.bottoms(d)
			none := value.Value{}
			x.add(e.sql.renew.lists([][]value.Value{nil, nil, nil, b[0], b[1], b[2]}, dest, owner, lease, none, none, none), nil)
		} else {
			x.add(e.sql.renew.with(dest, owner, lease), nil)
		}
		x.add(e.sql.bury.with(dest), nil)
	}
	if err := e.db.Run(ctx, "outbox.Renew", driver.Write, &x.Script, x); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range cleared {
		l.cleared = false
	}
	return nil
}

// review compares the lanes with what this process has of them. It returns those that are to be taken.
func (e *Engine) review(d *destination, v *view, sent time.Time, renewed bool) (claims []laneRow) {
	e.mu.Lock()
	defer e.mu.Unlock()
	d.surveyed(v)
	mine := 0
	var again []laneRow
	for i := range v.rows {
		row := &v.rows[i]
		l := d.lanes[row.number]
		if l != nil && (row.owner != e.owner || row.epoch != l.lease.epoch) {
			e.lose(l)
			d.counts.lost(row)
			l = nil
		}
		if l != nil {
			if renewed {
				l.lease.until = sent.Add(e.timing.lease - e.timing.margin)
			}
			if l.touched != row.touched {
				l.touched, l.whole, l.due = row.touched, true, sent
			}
			if !l.leaving {
				mine++
			}
			continue
		}
		switch {
		case row.owner == e.owner && row.until > 0:
			// It was taken or given away, and the answer was lost: it is renewed with the others, so nobody else will have it.
			again = append(again, *row)
			mine++
		case e.free(d, row, sent):
			claims = append(claims, *row)
		}
	}
	e.loseMissing(d, v)
	workers := max(v.workers, 1)
	share := (len(v.rows) + workers - 1) / workers
	if e.intake.Err() != nil {
		e.shed(d, len(d.lanes))
		return nil
	}
	e.shed(d, mine-share)
	claims = append(again, claims[:min(len(claims), max(share-mine, 0))]...)
	slices.SortFunc(claims, func(a, b laneRow) int { return cmp.Compare(a.number, b.number) }) // as others lock them
	return claims
}

// loseMissing gives up lanes that are no more, since their number has become smaller.
func (e *Engine) loseMissing(d *destination, v *view) {
	for number, l := range d.lanes {
		if !slices.ContainsFunc(v.rows, func(r laneRow) bool { return r.number == number }) {
			e.lose(l)
			d.counts.Relaned++
		}
	}
}

// free reports whether nobody has a lane: its lease is over by the database's clock, or was not renewed for so long that
// this clock must have been set back.
func (e *Engine) free(d *destination, row *laneRow, now time.Time) bool {
	seen := d.seen[row.number]
	if seen.epoch != row.epoch || seen.until != row.until {
		d.seen[row.number] = sighting{row.epoch, row.until, now}
		return row.until < row.now
	}
	return row.until < row.now || now.Sub(seen.at) > 2*e.timing.lease
}

// sighting is when a lane of another process was first seen with a lease.
type sighting struct {
	epoch, until int64
	at           time.Time
}

// lose gives up a lane that another process has taken.
func (e *Engine) lose(l *lane) {
	l.lost = true
	delete(l.dest.lanes, l.number)
	mine := func(m *Delivery) bool { return m.lane == l }
	l.dest.ready, l.dest.suspects = slices.DeleteFunc(l.dest.ready, mine), slices.DeleteFunc(l.dest.suspects, mine)
	l.abandon()
}

// shed marks lanes that others are to have. What is ready of them goes back; what is in hand is waited for.
func (e *Engine) shed(d *destination, n int) {
	for _, l := range d.lanes {
		if n <= 0 {
			return
		}
		if !l.leaving {
			l.leaving = true
			n--
		}
	}
}

// claim takes lanes, each only as it was seen.
func (e *Engine) claim(ctx context.Context, d *destination, claims []laneRow) error {
	if len(claims) == 0 {
		return nil
	}
	sent := time.Now()
	x := &exchange{}
	x.Begin, x.End = &driver.TxOptions{}, driver.Commit
	var taken []*lane
	over, unowned := 0, 0
	for _, row := range claims {
		dest, number, owner := value.OfInt(int64(d.id)), value.OfInt(int64(row.number)), value.OfUUID(e.owner)
		if e.sql.claiming != nil {
			x.add(e.sql.claiming.with(dest, number), nil)
		}
		st := e.sql.claim.with(dest, number, value.OfInt(row.epoch), owner, value.OfInt(row.until))
		x.add(st, func(got []value.Value) {
			l := newLane(d, int16(got[0].Int()), lease{e.owner, got[1].Int(), sent.Add(e.timing.lease - e.timing.margin)})
			l.touched, l.deaths, l.doubt = got[2].Int(), int(got[3].Int()), got[4].Int()
			taken = append(taken, l)
			if row.until > 0 && row.owner != e.owner { // whoever gives a lane back says so by a lease that ended at 0
				over++
			}
			if row.over() {
				unowned++
			}
		})
		x.add(e.sql.claimed.with(dest, number, owner, value.OfInt(row.epoch+1), value.OfInt(e.timing.lease.Microseconds())),
			func(got []value.Value) {
				number := int16(got[0].Int())
				if i := slices.IndexFunc(taken, func(l *lane) bool { return l.number == number }); i >= 0 {
					taken[i].inherit(got[1].Int())
				}
			})
	}
	if err := e.db.Run(ctx, "outbox.Claim", driver.Write, &x.Script, x); err != nil {
		return err
	}
	e.mu.Lock()
	for _, l := range taken {
		d.lanes[l.number] = l
	}
	d.counts.Taken += int64(len(taken))
	d.counts.TakenOver += int64(over)
	d.unowned -= unowned
	e.mu.Unlock()
	e.wake()
	return nil
}

// releaseLeaving gives away the lanes that are to go and of which nothing is in hand any more.
func (e *Engine) releaseLeaving(ctx context.Context) error {
	x := &exchange{}
	x.Begin, x.End = &driver.TxOptions{}, driver.Commit
	e.mu.Lock()
	for _, d := range e.dests {
		for _, l := range d.sorted() {
			if l.leaving && !l.inHand() {
				e.lose(l)
				x.add(e.sql.release.with(value.OfInt(int64(d.id)), value.OfInt(int64(l.number)), value.OfUUID(e.owner), value.OfInt(l.lease.epoch)), nil)
			}
		}
	}
	e.mu.Unlock()
	if len(x.Statements) == 0 {
		return nil
	}
	return e.db.Run(ctx, "outbox.Release", driver.Write, &x.Script, x)
}

// inHand reports whether a consumer has a message of the lane.
func (l *lane) inHand() bool {
	for _, m := range l.held {
		if m.started {
			return true
		}
	}
	return false
}

// giveBack gives all lanes away as the engine stops, also those of which it does not know: a claim may not have been answered,
// and a release may have been broken off.
func (e *Engine) giveBack(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, e.timing.lease)
	defer cancel()
	x := &exchange{}
	x.Begin, x.End = &driver.TxOptions{}, driver.Commit
	e.mu.Lock()
	for _, d := range e.dests {
		dest, owner := value.OfInt(int64(d.id)), value.OfUUID(e.owner)
		for _, l := range d.lanes {
			e.lose(l)
		}
		if e.sql.leaving != nil {
			x.add(e.sql.leaving.with(dest, owner), nil)
		}
		x.add(e.sql.leave.with(dest, owner), nil)
		x.add(e.sql.depart.with(dest, owner), nil)
	}
	e.mu.Unlock()
	return colliding(func() error { return e.db.Run(ctx, "outbox.Stop", driver.Write, &x.Script, x) })
}

// sorted returns the lanes that this process has by their numbers, in which order everybody locks them.
func (d *destination) sorted() []*lane {
	return slices.SortedFunc(maps.Values(d.lanes), func(a, b *lane) int { return cmp.Compare(a.number, b.number) })
}

const purgeLimit = 1000

// purgeLoop purges now and then, beside the leases: a row that somebody has locked is nothing to lose a lane for.
func (e *Engine) purgeLoop() {
	ticker := time.NewTicker(e.timing.purge)
	defer ticker.Stop()
	for {
		select {
		case <-e.ctx.Done():
			return
		case now := <-ticker.C:
			e.purge(e.ctx, now)
			e.lookBelow(e.ctx, now)
		}
	}
}

// purge forgets messages that came from elsewhere so long ago that nobody brings them again, a bounded number at a time:
// whoever has a destination's first lane does it. And it forgets what was noted of messages that are gone, which holds back
// those of their keys: each lane's owner does that.
func (e *Engine) purge(ctx context.Context, now time.Time) {
	x := &exchange{}
	x.Begin, x.End = &driver.TxOptions{}, driver.Commit
	x.planned(e.sql.planning)
	before := len(x.Statements)
	var healed []*lane
	e.mu.Lock()
	for _, d := range e.dests {
		if l := d.lanes[0]; l != nil && l.safe(now) {
			x.add(e.home.inbox.purge.with(value.OfInt(int64(d.id)), value.OfInt(-e.timing.inbox.Microseconds()), value.OfInt(purgeLimit)), nil)
		}
		for _, l := range d.lanes {
			x.count(e.sql.heal.with(value.OfInt(int64(d.id)), value.OfInt(int64(l.number))), func(n int64) {
				if n > 0 {
					healed = append(healed, l)
				}
			})
		}
	}
	e.mu.Unlock()
	if len(x.Statements) == before {
		return
	}
	err := e.db.Run(ctx, "outbox.Purge", driver.Write, &x.Script, x)
	if err != nil && ctx.Err() == nil {
		e.logger.WarnContext(ctx, "what is over could not be purged", "connection", e.name, "error", err)
	}
	if err != nil || len(healed) == 0 {
		return
	}
	e.mu.Lock()
	for _, l := range healed {
		l.whole = true // what has waited behind such a note goes on
	}
	e.mu.Unlock()
	e.wake()
}
