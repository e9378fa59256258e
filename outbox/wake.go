package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// channel is what processes notify each other on. The notification is never part of a unit's transaction: those would
// commit one after the other. It is a hint: whoever misses it finds the messages a moment later.
const channel = "urutu_message"

// notifyPause is between two notifications of one process.
const notifyPause = 50 * time.Millisecond

// wake tells the engines of this process, and of others, that there may be something to do, now or later.
func (h *state) wake(later bool) {
	h.mu.Lock()
	for _, e := range h.engines {
		if later {
			e.later.Store(true)
		}
		e.wake()
	}
	h.mu.Unlock()
	h.inform()
}

// inform tells other processes.
func (h *state) inform() {
	if h.notify == nil || h.news.Swap(true) {
		return // there is nobody to tell, or somebody is about to
	}
	go h.tell()
}

// tell notifies other processes, once for all that has happened since the last time.
func (h *state) tell() {
	ctx, cancel := context.WithTimeout(session.On(h.db.Context(context.Background()), h.name), 5*time.Second)
	defer cancel()
	time.Sleep(time.Until(time.Unix(0, h.told.Load()).Add(notifyPause)))
	h.told.Store(time.Now().UnixNano())
	h.news.Store(false)
	x := &exchange{}
	x.add(h.notify.with(value.OfText(channel), value.OfText(h.id)), nil)
	_ = h.db.Run(ctx, "outbox.Notify", driver.Write, &x.Script, x) // others find the messages without it too
}

// The pauses before an engine listens again.
const (
	shortDeafness = time.Second
	longDeafness  = time.Minute
)

// listenLoop is woken by other processes, where the database can do that.
func (e *Engine) listenLoop() {
	e.keepListening(func(heard func()) error {
		return e.db.Listen(e.intake, channel, func(from string) {
			if from != e.home.id { // its own engines know
				heard()
			}
		})
	})
}

// keepListening listens until the intake ends, with pauses that get longer while that fails. Of a series of failures the
// first is logged: messages are found without it too. Where it has listened for longer than the longest pause, the failure
// after that begins another series.
func (e *Engine) keepListening(listen func(heard func()) error) {
	for pause := shortDeafness; ; pause = min(2*pause, longDeafness) {
		var since time.Time // it listens
		err := listen(func() {
			if since.IsZero() {
				since = time.Now()
			}
			e.listening.Store(true)
			e.later.Store(true)
			e.wake()
		})
		e.listening.Store(false)
		if e.intake.Err() != nil || errors.Is(err, fault.Unsupported) {
			return
		}
		if !since.IsZero() && time.Since(since) > longDeafness {
			pause = shortDeafness
		}
		if pause == shortDeafness {
			e.logger.WarnContext(e.intake, "other processes cannot wake this one", "connection", e.name, "error", err)
		}
		select {
		case <-e.intake.Done():
			return
		case <-time.After(pause):
		}
	}
}
