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
	x.add(h.notify.with(value.OfText(channel)), nil)
	_ = h.db.Run(ctx, "outbox.Notify", driver.Write, &x.Script, x) // others find the messages without it too
}

// listenLoop is woken by other processes, where the database can do that.
func (e *Engine) listenLoop() {
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		err := e.db.Listen(e.intake, channel, func() {
			e.listening.Store(true)
			e.later.Store(true)
			e.wake()
		})
		e.listening.Store(false)
		if errors.Is(err, fault.Unsupported) {
			return
		}
		select {
		case <-e.intake.Done():
			return
		case <-time.After(pause):
		}
	}
}
