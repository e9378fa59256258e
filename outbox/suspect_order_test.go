package outbox

import (
	"testing"

	"pgregory.net/rapid"
)

// TestNotedInHandKeepsItsKeyInOrder: a message that is noted before it is in hand holds back those of its key in sweeps, of
// which a look that is under way, or begins meanwhile, knows nothing by itself. What it does not see must not be taken for
// not being there.
func TestNotedInHandKeepsItsKeyInOrder(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]func(w *world, look func()){
		"fetched before it is handled": func(w *world, look func()) { look(); w.commit(0); w.learn(0) },
		"fetched when it is handled":   func(w *world, look func()) { w.commit(0); look(); w.learn(0) },
		"fetched behind it":            func(w *world, look func()) { w.commit(0); w.learn(0); look() },
		"handled during the look": func(w *world, look func()) {
			w.lane.whole = true
			for range 5 { // the sweep has left out the others
				w.step(false)
			}
			w.commit(0)
			w.learn(0)
			look()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(rt *rapid.T) {
				w := newWorld(rt)
				w.roomy()
				w.limit = 1
				look := func() {
					for ok := true; ok; ok = w.look != nil {
						w.step(false)
					}
				}
				for range 3 {
					w.write(0, 2, "quick")
				}
				w.end(0, true)
				for range 3 {
					look()
				}
				w.hand(false)
				w.drop(0) // all three are left in the table
				look()    // a sweep that stops at its limit brings the first
				for range 4 {
					w.step(false) // the next one: up to what a retry holds back
				}
				w.hand(true) // and only now it is noted
				look()
				w.write(0, 2, "quick")
				w.end(0, true)
				last(w, look)
				w.finish()
			})
		})
	}
}

// TestNotedDuringALookHoldsBackALateCommit: of a key a message with a number below the hint becomes visible, and the one
// after it is fetched, while the first of the key is noted before the sweep.
func TestNotedDuringALookHoldsBackALateCommit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		w.roomy()
		w.limit = 4
		look := func() {
			for ok := true; ok; ok = w.look != nil {
				w.step(false)
			}
		}
		w.write(0, 2, "quick")
		w.end(0, true)
		look()
		w.write(0, 2, "quick") // 2, which is late
		w.write(1, 0, "quick")
		w.end(1, true)
		look() // 3: the hint is behind 2
		w.end(0, true)
		w.write(0, 2, "quick")
		w.end(0, true)
		for range 4 {
			w.step(false)
		}
		w.hand(true)
		look()
		w.commit(0)
		w.learn(0)
		w.finish()
	})
}
