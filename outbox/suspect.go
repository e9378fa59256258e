package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// A handler that ends its process leaves nothing behind that says which one it was. So whoever takes a lane whose owner
// has not given it back counts a death of it, and which messages were there then; usually they are handled, and that is
// the end of it. If the lane's owner dies again before, each of them is noted before it is in hand, and the note goes with
// the message. What is noted at the next death was in hand: those are suspects, and are tried before everything else, one
// at a time and with nothing else of their destination in hand. One that has outlived maxDeaths owners is parked.

// maxDeaths is how often a message was in hand when its process died, before it is parked. The two deaths that come
// before the notes are not among them.
const maxDeaths = 5

var errCrashed = errors.New("its process died while it was in hand")

// doubtful reports whether it is noted that the message is in hand, before it is.
func (d *Delivery) doubtful() bool {
	l := d.lane
	return d.deaths > 0 || l.deaths > 1 && d.id <= l.doubt && l.dest.Send == nil
}

// pickSuspect takes the first suspect, where nothing else of the destination is in hand and no other suspect of the
// process.
func (e *Engine) pickSuspect(d *destination, now time.Time) *Delivery {
	for len(d.suspects) > 0 && d.hands == 0 && e.trial == nil {
		m := d.suspects[0]
		d.suspects = d.suspects[1:]
		if m.lane.safe(now) {
			e.trial = d
			m.lane.suspect(m)
			d.take(m)
			return m
		}
		m.lane.drop(m)
	}
	return nil
}

// adjourn lets others of a destination go on, of which a message is in hand no more.
func (e *Engine) adjourn(d *destination) {
	switch {
	case e.trial == d:
		e.trial = nil
		for _, other := range e.dests {
			other.some.Broadcast()
		}
	case len(d.suspects) > 0 && d.hands == 0:
		d.some.Broadcast()
	}
}

// attempt hands a message to its consumer.
func (e *Engine) attempt(d *destination, m *Delivery) error {
	if m.deaths >= maxDeaths {
		return &Failure{Reason: Crashed, Park: true, Err: errCrashed}
	}
	if m.probe {
		written, err := e.note(m, Failure{Reason: Crashed, Err: errCrashed}, noting{failures: m.Failures, deaths: m.deaths + 1})
		switch {
		case err != nil:
			return err
		case !written:
			e.mu.Lock()
			m.probe = false
			e.mu.Unlock()
			return errBehind
		}
	}
	return e.handle(d, m)
}

// acquit takes back that a message was in hand, where it was broken off and its process has not died.
func (e *Engine) acquit(m *Delivery) {
	if !m.probe {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), e.timing.margin)
	defer cancel()
	owner, epoch := m.lane.owner()
	x := &exchange{}
	x.add(e.sql.acquit.with(value.OfInt(int64(m.lane.dest.id)), value.OfInt(int64(m.lane.number)), value.OfInt(m.id),
		value.OfUUID(owner), value.OfInt(epoch)), nil)
	if err := e.db.Run(ctx, "outbox.Retry", driver.Write, &x.Script, x); err != nil {
		e.logger.WarnContext(ctx, "a message that was broken off counts as one whose process died", "connection", e.name, "error", err)
	}
}

// trust ends the doubt in all lanes: the message that was the cause is found.
func (d *destination) trust() {
	for _, l := range d.lanes {
		l.trust()
	}
}

func (l *lane) trust() {
	if l.deaths > 0 {
		l.deaths, l.doubt, l.cleared = 0, 0, true
	}
}

// through reports whether everything that was in the lane when its owner died was handled, or has failed since.
func (l *lane) through() bool {
	if !l.sawDue || !l.sawAll {
		return false
	}
	for _, b := range l.behind {
		if b.from <= l.doubt {
			return false
		}
	}
	for id := range l.held {
		if id <= l.doubt {
			return false
		}
	}
	return true
}

// clear writes down in which lanes the doubt is over.
func (e *Engine) clear(x *exchange) (cleared []*lane) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, d := range e.dests {
		for _, l := range d.sorted() {
			if l.deaths > 0 && l.through() {
				l.trust()
			}
			if l.cleared {
				cleared = append(cleared, l)
				x.add(e.sql.trust.with(value.OfInt(int64(d.id)), value.OfInt(int64(l.number)), value.OfUUID(e.owner), value.OfInt(l.lease.epoch)), nil)
			}
		}
	}
	return cleared
}
