package outbox

import (
	"context"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/uow"
)

// A process knows of the messages that it publishes itself, and looks for them in the lanes where they are. That saves most of
// a look where there is little to do at a time. What it knows is not all that there is: it looks at all of its lanes from time to
// time, and when somebody else says so.

// cells is how many parts the slots are in when it comes to where a message is.
const cells = 64

// signals are the hooks that tell the engines of a topic's messages, one for each part of the slots.
type signals [cells]uow.Hook

// signal returns the hook that tells the engines of a message. Those of this process look only where it is.
func (h *state) signal(topic string, slot int64) uow.Hook {
	cell := slot * cells / message.Slots
	if s, ok := h.signals.Load(topic); ok {
		return s.(*signals)[cell]
	}
	s := new(signals)
	for i := range s {
		s[i] = func(context.Context) error {
			h.mu.Lock()
			for _, e := range h.engines {
				e.hear(topic, i)
			}
			h.mu.Unlock()
			h.inform()
			return nil
		}
	}
	h.signals.Store(topic, s)
	return s[cell]
}

// hear has the engine look for a message of a topic, unless that is none of its own: of such a one that it has nevertheless, since
// its destination was subscribed to it by others, it learns as it looks at all.
func (e *Engine) hear(topic string, cell int) {
	for _, d := range e.byTopic[topic] {
		d.heard.Or(1 << cell)
		e.signal()
	}
}

// rumors has the destinations look for what was heard since the last time.
func (e *Engine) rumors() {
	for _, d := range e.dests {
		d.news = d.heard.Swap(0)
	}
}

// isNews reports whether a message that was heard of may be in the lane.
func (l *lane) isNews() bool {
	n := l.dest.seenLanes
	if l.dest.news == 0 || n == 0 {
		return l.dest.news != 0
	}
	first, last := int(l.number)*message.Slots/n, ((int(l.number)+1)*message.Slots-1)/n
	first, last = first*cells/message.Slots, last*cells/message.Slots
	return l.dest.news>>first<<(first+cells-1-last) != 0
}
