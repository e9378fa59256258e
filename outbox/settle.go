package outbox

import (
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// settle does what follows from a consumer's answer, and returns what that is.
func (e *Engine) settle(m *Delivery, err error) Outcome {
	switch {
	case err == nil:
		e.handled(m)
		return Done
	case gone(err), e.ctx.Err() != nil:
		e.acquit(m)
		return e.dropped(m, m.lane.dest.Send != nil && errors.Is(err, errBehind))
	case outage(err):
		return e.putBack(err, m)
	default:
		return e.failed(m, failureOf(err))
	}
}

// dropped gives up a message that is not this process's any more, or whose turn has not come.
func (e *Engine) dropped(m *Delivery, early bool) Outcome {
	e.mu.Lock()
	m.lane.drop(m)
	counts, o := &m.lane.dest.counts, Superseded
	if early {
		counts.PutBack++
		o = PutBack
	} else {
		counts.Superseded++
	}
	e.mu.Unlock()
	e.wake()
	return o
}

// handled forgets a message whose unit has committed.
func (e *Engine) handled(m *Delivery) {
	e.mu.Lock()
	l, d := m.lane, m.lane.dest
	d.outage = 0
	d.counts.attempted(m)
	d.counts.Handled++
	next := l.done(m)
	wake := l.whole || d.held == d.room/2 || d.reopened
	d.reopened = false
	if next != nil && !l.lost {
		e.makeReady(d, next)
	}
	e.mu.Unlock()
	if wake {
		e.wake()
	}
}

const maxOutage = 2 * time.Second

// putBack makes messages of a destination ready again, in their order, that nobody has looked at, since the database or the
// broker does not answer. Nothing of the destination is handed out for a while.
func (e *Engine) putBack(err error, list ...*Delivery) Outcome {
	e.mu.Lock()
	defer e.mu.Unlock()
	var ready, suspects []*Delivery
	d := list[0].lane.dest
	for _, m := range list {
		m.started = false
		d.counts.PutBack++
		switch {
		case m.lane.lost:
		case m.deaths > 0 && d.Send == nil:
			suspects = append(suspects, m)
		default:
			ready = append(ready, m)
		}
	}
	if len(ready)+len(suspects) == 0 {
		return PutBack
	}
	d.ready, d.suspects = append(ready, d.ready...), append(suspects, d.suspects...)
	d.outage = min(max(2*d.outage, 10*time.Millisecond), maxOutage)
	d.paused = time.Now().Add(d.outage)
	time.AfterFunc(d.outage, func() { // under the lock: whoever has just seen the pause waits by then
		e.mu.Lock()
		defer e.mu.Unlock()
		d.some.Broadcast()
	})
	e.logger.WarnContext(e.ctx, "messages are handled again", "destination", d.Destination, "topic", list[0].Topic, "messages", len(list),
		"pause", d.outage, "error", err)
	return PutBack
}

// failed notes a failure, and when to try again.
func (e *Engine) failed(m *Delivery, f Failure) Outcome {
	d := m.lane.dest
	policy := d.Retry(m.Topic).withDefaults()
	failures := m.Failures + 1
	if f.Reason == Crashed {
		failures = m.Failures + m.deaths
	}
	parked := f.Park || policy.Attempts > 0 && failures >= policy.Attempts
	pause := f.After
	if pause <= 0 {
		pause = policy.pause(failures)
	}
	overtake := policy.Skip || m.Key == ""
	switch written, err := e.note(m, f, noting{failures: failures, pause: pause, parked: parked}); {
	case err != nil:
		return e.putBack(errors.Join(f.Err, err), m)
	case !written:
		return e.dropped(m, false)
	}
	what, outcome := "a message failed and is tried again", TriedAgain
	if parked {
		what, outcome = "a message is parked", GivenUp
	}
	e.logger.WarnContext(e.ctx, what, "destination", d.Destination, "topic", m.Topic, "failures", failures, "reason", f.Reason, "error", f.Err)
	e.mu.Lock()
	defer e.mu.Unlock()
	d.counts.failed(m, parked)
	l := m.lane
	next := l.leave(m, overtake)
	if d.reopened {
		d.reopened = false
		e.wake()
	}
	if at := time.Now().Add(pause); !parked && (l.due.IsZero() || at.Before(l.due)) {
		l.due = at
	}
	if next != nil && !l.lost {
		e.makeReady(d, next)
	}
	if f.Reason == Crashed {
		d.trust()
	}
	return outcome
}

// noting is what is written down of a message beside a failure.
type noting struct {
	failures int
	pause    time.Duration // until it is tried again
	parked   bool
	deaths   int // it is in hand, and this is how often its process has died if it does now
}

// note writes the failure down, for as long as the lane is this process's. It reports whether that was so; an error is one
// that does not go away.
func (e *Engine) note(m *Delivery, f Failure, n noting) (written bool, err error) {
	key := value.Value{}
	if m.Key != "" && !m.lane.dest.overtakes(m.Topic) {
		key = value.OfText(m.Key)
	}
	owner, epoch := m.lane.owner()
	st := e.sql.retry.with(
		value.OfInt(int64(m.lane.dest.id)), value.OfInt(int64(m.lane.number)), value.OfInt(m.id), key, value.OfInt(int64(n.failures)),
		value.OfInt(n.pause.Microseconds()), value.OfBool(n.parked), value.OfText(string(f.Reason)), value.OfText(printable(f.Err)),
		value.OfInt(int64(n.deaths)), value.OfUUID(owner), value.OfInt(epoch),
	)
	e.mu.Lock()
	m.noted = true // also where that is not known in the end: the note goes with the message
	e.mu.Unlock()
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, maxOutage) {
		var affected int64
		x := &exchange{}
		x.count(st, func(n int64) { affected = n })
		err := e.db.Run(e.ctx, "outbox.Retry", driver.Write, &x.Script, x)
		if err == nil {
			return affected > 0, nil
		}
		e.mu.Lock()
		lost := m.lane.lost
		e.mu.Unlock()
		switch {
		case lost:
			return false, nil
		case !outage(err) && fault.KindOf(err) != fault.LockTimeout && !fault.IsRetryable(err):
			return false, err
		}
		select {
		case <-time.After(pause):
		case <-e.ctx.Done():
			return false, nil
		}
	}
}

// maxError is how much of an error's text is kept.
const maxError = 2000

// printable returns an error's text as a column of text takes it.
func printable(err error) string {
	if err == nil {
		return ""
	}
	text := strings.ToValidUTF8(strings.ReplaceAll(err.Error(), "\x00", ""), "\uFFFD")
	for len(text) > maxError || !utf8.ValidString(text) {
		text = text[:min(len(text)-1, maxError)]
	}
	return text
}
