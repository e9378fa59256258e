package outbox

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/internal/faultdriver"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/pgxdriver"
	"github.com/urutu-go/urutu/urututest"
)

// TestNewsOfEachSlot: whatever slot a message has, and however many lanes there are, its lane is looked at; and no other one
// where a lane is no smaller than what is heard of.
func TestNewsOfEachSlot(t *testing.T) {
	t.Parallel()
	e := NewEngine(nil, Config{}, Consumer{Destination: "group", Topics: []string{"test.heard"}}, Consumer{Destination: "other", Topics: []string{"test.other"}})
	d, other := e.dests[0], e.dests[1]
	for d.seenLanes = 1; d.seenLanes <= 64; d.seenLanes++ {
		for slot := range message.Slots {
			e.hear("test.heard", slot*cells/message.Slots)
			e.hear("test.unknown", 0)
			e.rumors()
			want := slot * d.seenLanes / message.Slots
			for n := range d.seenLanes {
				news := (&lane{dest: d, number: int16(n)}).isNews()
				if precise := cells%d.seenLanes == 0; n == want && !news || n != want && news && precise {
					t.Fatalf("slot %d, lane %d of %d: %v", slot, n, d.seenLanes, news)
				}
			}
		}
	}
	if other.news != 0 {
		t.Error("news of a topic are for who has not subscribed to it")
	}
	if e.rumors(); d.news != 0 || (&lane{dest: d}).isNews() {
		t.Error("it is news twice")
	}
}

// heard is a process that looks for nothing by itself.
type heard struct {
	*testing.T
	db      *session.DB
	handled chan string
	began   chan struct{}
	mu      sync.Mutex
	looks   []int // how many lanes each look was at
}

// newHeard starts one. Behind a pooler it cannot listen.
func newHeard(t *testing.T, url string, pooler bool) *heard {
	h := &heard{T: t, handled: make(chan string), began: make(chan struct{})}
	recorder := faultdriver.New(pgxdriver.New())
	h.db = openHeard(t, url, pooler, recorder)
	e := NewEngine(h.db, Config{Logger: slog.New(slog.DiscardHandler)}, Consumer{
		Destination: "group", Topics: []string{"test.heard"}, Handle: func(ctx context.Context, d *Delivery) error {
			err := h.db.Do(ctx, d.Acknowledge)
			select {
			case h.handled <- d.Key:
			case <-t.Context().Done():
			}
			return err
		},
	})
	const never = time.Hour
	e.timing.pollMin, e.timing.pollMax, e.timing.pollAlone, e.timing.due, e.timing.sweep = never, never, never, never, never
	recorder.Inject(func(s *driver.Script) faultdriver.Fault {
		for _, st := range s.Statements {
			if e.sql != nil && st.SQL == e.sql.fetch.sql {
				h.looked(len(st.Lists[0]))
			}
		}
		return nil
	})
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	stopping(t, e)
	within(t, h.began)
	return h
}

// within receives from a channel, before long.
func within[T any](t *testing.T, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(30 * time.Second):
		t.Fatal("what is waited for has not come")
	}
	return v
}

// stopping returns what stops an engine, at the end of the test at the latest.
func stopping(t *testing.T, e *Engine) (stop func()) {
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := e.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func openHeard(t *testing.T, url string, pooler bool, d driver.Driver) *session.DB {
	t.Helper()
	db, err := session.Open(t.Context(), session.Config{URL: url, Drivers: []driver.Driver{d}, Pooler: pooler, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Install(t.Context(), Component()); err != nil {
		t.Fatal(err)
	}
	return db
}

func (h *heard) looked(lanes int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.looks = append(h.looks, lanes); len(h.looks) == 1 {
		close(h.began)
	}
}

// wide returns how many looks were at more lanes than one.
func (h *heard) wide() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, lanes := range h.looks {
		if lanes > 1 {
			n++
		}
	}
	return n
}

func (h *heard) await(key string) {
	h.Helper()
	if got := within(h.T, h.handled); got != key {
		h.Errorf("%q was handled, not %q", got, key)
	}
}

func publishHeard(t *testing.T, db *session.DB, key string) {
	t.Helper()
	urututest.Do(t, db, func(ctx context.Context) error {
		return Put(ctx, Outgoing{Type: message.Type{Topic: "test.heard"}, ID: uuid.New(), Key: key, Payload: []byte("x")})
	})
}

// TestLooksWhereTheNewsIs: a message that this process has published is looked for in its own lane, and not in all of them.
func TestLooksWhereTheNewsIs(t *testing.T) {
	t.Parallel()
	h := newHeard(t, urututest.URL(t, urututest.InPostgres), true)
	for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
		publishHeard(t, h.db, key)
		h.await(key)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	// The first look, which is at all, may have brought the first message, and the next one is for that and the second then.
	if h.looks[0] != 16 || slices.Max(h.looks[1:]) > 2 {
		t.Errorf("it has looked at so many lanes: %v", h.looks)
	}
}

// TestWhatComesFromElsewhereIsLookedFor: at once.
func TestWhatComesFromElsewhereIsLookedFor(t *testing.T) {
	t.Parallel()
	h := newHeard(t, urututest.URL(t, urututest.InPostgres), true)
	if _, err := Receive(h.db.Context(t.Context()), "group", []Incoming{{ID: uuid.New(), Topic: "test.heard", Key: "a"}}); err != nil {
		t.Fatal(err)
	}
	h.await("a")
}

// TestOthersAreTold: of what a process has published, which does not look at all of its lanes because of what it says itself.
func TestOthersAreTold(t *testing.T) {
	t.Parallel()
	url := urututest.URL(t, urututest.InPostgres)
	h, other := newHeard(t, url, false), openHeard(t, url, false, pgxdriver.New())
	told := make(chan struct{}, 100)
	ctx, stop := context.WithCancel(h.db.Context(t.Context()))
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = h.db.Listen(ctx, channel, func(string) { told <- struct{}{} }) // until it is stopped
	}()
	within(t, told)
	for range 3 { // as it begins to listen, it looks
		publishHeard(t, other, "theirs")
		h.await("theirs")
		within(t, told)
	}
	const n = 10
	before := h.wide()
	for range n {
		publishHeard(t, h.db, "own")
		h.await("own")
		within(t, told)
	}
	stop()
	<-over
	if wide := h.wide() - before; wide > n/2 { // the last of the others' may still be on its way
		t.Errorf("it has looked at all of its lanes %d times for %d messages of its own", wide, n)
	}
}

// TestNotificationsKeepTheirDistance: however fast a process publishes, others are told of it once in a while.
func TestNotificationsKeepTheirDistance(t *testing.T) {
	t.Parallel()
	url := urututest.URL(t, urututest.InPostgres)
	h, other := newHeard(t, url, false), openHeard(t, url, false, pgxdriver.New())
	var told atomic.Int64
	first := make(chan struct{}, 1)
	ctx, stop := context.WithCancel(h.db.Context(t.Context()))
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = h.db.Listen(ctx, channel, func(string) { // until it is stopped
			told.Add(1)
			select {
			case first <- struct{}{}:
			default:
			}
		})
	}()
	within(t, first)
	began := time.Now()
	for range 200 {
		publishHeard(t, other, "theirs")
		h.await("theirs")
	}
	took := time.Since(began)
	stop()
	<-over
	if n, most := told.Load()-1, int64(took/notifyPause)+1; n < 1 || n > most {
		t.Errorf("in %v there were %d notifications, not up to %d", took, n, most)
	}
}
