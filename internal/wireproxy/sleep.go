package wireproxy

import (
	"runtime"
	"time"
)

// Of the time until a chunk is due, the runtime's timers take all but coarse, since they may be late by a millisecond
// and more; the thread's own sleep takes all but fine of the rest; what is left is spun away.
const (
	coarse = 3 * time.Millisecond
	fine   = 40 * time.Microsecond
)

// sleeper waits until points in time. It is used by one goroutine, which it ties to a thread as soon as it has to be
// precise, until that goroutine ends.
type sleeper struct {
	locked bool
}

// until waits until t, and reports whether it did: not, if the line is gone before.
func (s *sleeper) until(t time.Time, gone <-chan struct{}) bool {
	if !s.locked {
		// Never unlocked: the thread's timers stay precise, so it has to end with its goroutine.
		runtime.LockOSThread()
		preciseTimers()
		s.locked = true
	}
	if left := time.Until(t); left > coarse {
		select {
		case <-time.After(left - coarse):
		case <-gone:
			return false
		}
	}
	for left := time.Until(t); left > fine; left = time.Until(t) { // a signal may end a sleep
		nanosleep(left - fine)
	}
	for time.Now().Before(t) {
		continue // nothing sleeps as precisely
	}
	return true
}
