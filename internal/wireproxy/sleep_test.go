package wireproxy

import (
	"slices"
	"testing"
	"time"
)

// The instant at which bytes are released is never early. How late it is depends on the machine, and is printed.
func TestSleeperIsNeverEarly(t *testing.T) {
	done := make(chan struct{})
	go func() { // the goroutine's thread ends with it
		defer close(done)
		var s sleeper
		for _, d := range []time.Duration{50 * time.Microsecond, 200 * time.Microsecond, time.Millisecond, 5 * time.Millisecond} {
			const n = 200
			late := make([]time.Duration, n)
			for i := range late {
				due := time.Now().Add(d)
				if !s.until(due, nil) {
					t.Error("it gave up")
				}
				late[i] = time.Since(due)
			}
			slices.Sort(late)
			if late[0] < 0 {
				t.Errorf("it was %v early", -late[0])
			}
			t.Logf("%8v: later by %v (median), %v (p99)", d, late[n/2], late[n*99/100])
		}
	}()
	<-done
}

func TestSleeperGivesUp(t *testing.T) {
	gone := make(chan struct{})
	close(gone)
	gaveUp := make(chan bool)
	go func() {
		var s sleeper
		gaveUp <- !s.until(time.Now().Add(time.Hour), gone)
	}()
	if !<-gaveUp {
		t.Error("it waited")
	}
}
