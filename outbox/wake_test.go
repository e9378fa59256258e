package outbox

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/urutu-go/urutu/fault"
)

// TestListensAgain: in longer and longer pauses while that fails, which the log has once. Where it has listened for a while
// it begins anew, but not where it only tried for as long.
func TestListensAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		e, _ := leased(Consumer{Destination: "group"})
		e.name, e.logger = "main", slog.New(slog.NewTextHandler(&log, nil))
		broken := errors.New("the connection is broken")
		hears := func(d time.Duration) func(func()) error {
			return func(heard func()) error {
				heard()
				if !e.listening.Load() {
					t.Error("it does not know that it listens")
				}
				time.Sleep(d)
				heard()
				return broken
			}
		}
		tries := func(func()) error {
			time.Sleep(2 * longDeafness)
			return broken
		}
		turns := []func(func()) error{
			tries, hears(time.Second), hears(longDeafness), tries, tries, tries, tries, tries, // up to the longest pause
			hears(longDeafness + time.Second), tries,
		}
		var pauses []time.Duration
		var left time.Time
		e.keepListening(func(heard func()) error {
			if e.listening.Load() {
				t.Error("it takes itself to listen")
			}
			if !left.IsZero() {
				pauses = append(pauses, time.Since(left))
			}
			if len(pauses) == len(turns) {
				return &fault.Error{Kind: fault.Unsupported}
			}
			err := turns[len(pauses)](heard)
			left = time.Now()
			return err
		})
		var want []time.Duration
		for _, seconds := range []int{1, 2, 4, 8, 16, 32, 60, 60, 1, 2} {
			want = append(want, time.Duration(seconds)*time.Second)
		}
		if !slices.Equal(pauses, want) {
			t.Errorf("it pauses for\n%v, not\n%v", pauses, want)
		}
		const line = `level=WARN msg="other processes cannot wake this one" connection=main error="the connection is broken"`
		if strings.Count(log.String(), line) != 2 || strings.Count(log.String(), "\n") != 2 {
			t.Errorf("it logs\n%s", log.String())
		}
	})
}

// TestEndOfListeningIsNoFailure: the intake ends while it listens, and while it pauses.
func TestEndOfListeningIsNoFailure(t *testing.T) {
	t.Parallel()
	for name, listens := range map[string]bool{"while it listens": true, "in a pause": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				e, _ := leased(Consumer{Destination: "group"})
				e.logger = slog.New(slog.NewTextHandler(&log, nil))
				calls := 0
				go e.keepListening(func(heard func()) error {
					calls++
					if !listens {
						return errors.New("not now")
					}
					heard()
					<-e.intake.Done()
					return e.intake.Err()
				})
				synctest.Wait()
				e.close()
				synctest.Wait()
				if calls != 1 || listens == strings.Contains(log.String(), "WARN") {
					t.Errorf("it listens %d times and logs %q", calls, log.String())
				}
			})
		})
	}
}
