package outbox

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// told is an observer that passes on what it is told.
type told chan Work

func (o told) Observe(_ context.Context, w Work) { o <- w }

// watched is a database with an engine that is watched.
type watched struct {
	*testing.T
	db     *session.DB
	engine *Engine
	told   told

	inHand, let chan bool
}

// eachWatched runs a test with an engine for a consumer of the topic "test.sent", and stops it.
func eachWatched(t *testing.T, consumer func(w *watched) Consumer, f func(w *watched)) {
	t.Helper()
	t.Parallel()
	urututest.Each(t, urututest.Config{Session: session.Config{PoolSize: 6, Logger: slog.New(slog.DiscardHandler)}}, func(t *testing.T, db *session.DB) {
		if err := db.Install(t.Context(), Component()); err != nil {
			t.Fatal(err)
		}
		w := &watched{T: t, db: db, told: make(told, 64), inHand: make(chan bool, 8), let: make(chan bool)}
		c := consumer(w)
		c.Destination, c.Topics = "group", []string{"test.sent"}
		w.engine = NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler), Observer: w.told}, c)
		w.engine.timing.tick = 20 * time.Millisecond
		w.start()
		f(w)
	})
}

// acknowledge handles a message, and does nothing else.
func (w *watched) acknowledge(ctx context.Context, d *Delivery) error {
	return w.db.Do(ctx, d.Acknowledge)
}

// acknowledging is a consumer that does no more.
func acknowledging(w *watched) Consumer { return Consumer{Handle: w.acknowledge} }

func (w *watched) start() {
	w.Helper()
	if err := w.engine.Start(w.Context()); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		if err := w.engine.Stop(context.WithoutCancel(w.Context())); err != nil {
			w.Error(err)
		}
	})
}

// put publishes messages in one unit. They are of one lane.
func (w *watched) put(key string, payloads ...string) {
	w.Helper()
	urututest.Do(w, w.db, func(ctx context.Context) error {
		for _, p := range payloads {
			id := uuid.New()
			id[14], id[15] = 0, 0
			err := Put(ctx, Outgoing{Type: message.Type{Topic: "test.sent"}, ID: id, Key: key, Payload: []byte(p)})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *watched) exec(text string) {
	w.Helper()
	urututest.Do(w, w.db, func(ctx context.Context) error {
		_, err := session.From(ctx).ExecContext(ctx, text)
		return err
	})
}

// next waits for the next work, and returns what became of its messages: kind, payloads and outcomes.
func (w *watched) next() (list []string) {
	w.Helper()
	select {
	case work := <-w.told:
		if work.Destination != "group" || work.Began.IsZero() || work.Took <= 0 {
			w.Errorf("%+v", work)
		}
		list = append(list, string(work.Kind))
		for _, r := range work.Results {
			list = append(list, string(r.Message.Payload)+": "+string(r.Outcome))
			if (r.Err == nil) != (r.Outcome == Done) {
				w.Errorf("%s is %s, and its error is %v", r.Message.Payload, r.Outcome, r.Err)
			}
		}
	case <-time.After(30 * time.Second):
		w.Fatal("the observer is told nothing")
	}
	return list
}

// expect waits for work with these results.
func (w *watched) expect(kind WorkKind, results ...string) {
	w.Helper()
	if got, want := w.next(), append([]string{string(kind)}, results...); !slices.Equal(got, want) {
		w.Fatalf("it is %q, not %q", got, want)
	}
}

func (w *watched) stats() DestinationStats { return w.engine.Stats().Destinations[0] }

// counts checks what has happened so far, apart from the lanes.
func (w *watched) counts(want Counts) {
	w.Helper()
	got := w.stats().Counts
	want.Taken = got.Taken
	if got != want {
		w.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// await waits until something is so, which nobody tells.
func await(t testing.TB, what string, so func() bool) {
	t.Helper()
	for late := time.Now().Add(30 * time.Second); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			t.Fatal("it never comes that " + what)
		}
	}
}

// TestCountsOfHandling: each thing that can become of a message in hand counts once, where it belongs, and the observer is
// told of it.
func TestCountsOfHandling(t *testing.T) {
	eachWatched(t, func(w *watched) Consumer {
		var mu sync.Mutex
		tried := map[string]bool{}
		return Consumer{
			Retry: func(string) Retry { return Retry{Pause: time.Millisecond, MaxPause: time.Millisecond} },
			Handle: func(ctx context.Context, d *Delivery) error {
				text := string(d.Payload)
				mu.Lock()
				again := tried[text]
				tried[text] = true
				mu.Unlock()
				switch {
				case text == "hopeless":
					return &Failure{Reason: Permanent, Park: true, Err: errors.New("no")}
				case text == "flaky" && !again:
					return errors.New("not now")
				case text == "cut off" && !again:
					return fault.New(fault.ConnectionLost, "the connection is lost")
				case text == "taken":
					err := w.db.Do(ctx, func(ctx context.Context) error {
						_, err := session.From(ctx).ExecContext(ctx, "DELETE FROM urutu_message")
						return err
					})
					if err != nil {
						return err
					}
				}
				return w.acknowledge(ctx, d)
			},
		}
	}, func(w *watched) {
		w.put("", "fine")
		w.expect(WorkHandle, "fine: done")
		w.counts(Counts{Handled: 1})
		w.put("", "flaky")
		w.expect(WorkHandle, "flaky: retry")
		w.expect(WorkHandle, "flaky: done")
		w.counts(Counts{Handled: 2, Failed: 1, Retried: 1})
		w.put("", "cut off")
		w.expect(WorkHandle, "cut off: put_back")
		w.expect(WorkHandle, "cut off: done")
		w.counts(Counts{Handled: 3, Failed: 1, Retried: 1, PutBack: 1})
		w.put("", "taken")
		w.expect(WorkHandle, "taken: superseded")
		w.counts(Counts{Handled: 3, Failed: 1, Retried: 1, PutBack: 1, Superseded: 1})
		w.put("", "hopeless")
		w.expect(WorkHandle, "hopeless: parked")
		w.counts(Counts{Handled: 3, Failed: 2, Retried: 1, PutBack: 1, Superseded: 1, Parked: 1})
		if s := w.stats(); s.Held != 0 || s.InHand != 0 || s.Ready != 0 || s.Paused {
			w.Errorf("%+v", s)
		}
	})
}

// TestWhatIsHeld: what is in hand, what is ready, and what waits behind another one of its key is told apart.
func TestWhatIsHeld(t *testing.T) {
	eachWatched(t, func(w *watched) Consumer {
		return Consumer{Concurrency: 1, Handle: func(ctx context.Context, d *Delivery) error {
			w.inHand <- true
			<-w.let
			return w.acknowledge(ctx, d)
		}}
	}, func(w *watched) {
		w.put("key", "1", "2", "3")
		<-w.inHand
		if s := w.stats(); s.Held != 3 || s.InHand != 1 || s.Ready != 0 {
			w.Errorf("of 3 messages with one key %+v", s)
		}
		w.put("", "4", "5")
		await(w, "they are seen", func() bool { return w.stats().Held == 5 })
		s := w.stats()
		if s.InHand != 1 || s.Ready != 2 {
			w.Errorf("with 2 that have none %+v", s)
		}
		if i := slices.IndexFunc(s.Lanes, func(l LaneStats) bool { return l.Lane == 0 }); i < 0 || s.Lanes[i].Epoch != 1 {
			w.Errorf("the lane of what has no key is among %+v", s.Lanes)
		}
		for range 5 {
			w.let <- true
			w.next()
		}
		if s := w.stats(); s.Held != 0 || s.InHand != 0 || s.Ready != 0 || s.Handled != 5 {
			w.Errorf("in the end %+v", s)
		}
		for range 4 {
			<-w.inHand
		}
	})
}

// TestCountsOfSending: what a broker takes counts once it is deleted, what it refuses as failed, and what was only behind
// that as nothing.
func TestCountsOfSending(t *testing.T) {
	eachWatched(t, func(*watched) Consumer {
		refused := false
		return Consumer{
			Retry: func(string) Retry { return Retry{Pause: time.Millisecond, MaxPause: time.Millisecond} },
			Send: func(_ context.Context, batch []*Delivery) []error {
				if string(batch[0].Payload) == "1" && !refused {
					refused = true
					return slices.Repeat([]error{errors.New("not now")}, len(batch))
				}
				return nil
			},
		}
	}, func(w *watched) {
		w.put("key", "0")
		w.expect(WorkSend, "0: done")
		w.expect(WorkDelete, "0: done")
		w.counts(Counts{Handled: 1})
		w.put("key", "1", "2")
		w.expect(WorkSend, "1: retry", "2: put_back")
		await(w, "all are handled", func() bool { return w.stats().Handled == 3 })
		w.counts(Counts{Handled: 3, Failed: 1, Retried: 1, PutBack: 1})
		if s := w.stats(); s.Held != 0 || s.InHand != 0 {
			w.Errorf("%+v", s)
		}
	})
}

// TestLateCommitsCount: a message whose unit commits after one with a higher number was handled is late. Meanwhile the hint
// is ahead of what is known for certain.
func TestLateCommitsCount(t *testing.T) {
	const insert = "INSERT INTO urutu_message (dest, lane, slot, msg_id, topic, headers, payload, created_at)" +
		" SELECT id, 0, 0, gen_random_uuid(), 'test.sent', '{\"e\":1,\"v\":1}', 'late', now()" +
		" FROM urutu_message_destination WHERE pg_current_xact_id() IS NOT NULL"
	eachWatched(t, acknowledging, func(w *watched) {
		if d, err := w.db.Dialect(w.Context()); err != nil || d.Features().OneWriter {
			w.put("", "1")
			w.expect(WorkHandle, "1: done")
			w.counts(Counts{Handled: 1})
			return // nothing comes late
		}
		written, commit, ended := make(chan bool), make(chan bool), make(chan error)
		go func() {
			ended <- w.db.Do(w.Context(), func(ctx context.Context) error {
				_, err := session.From(ctx).ExecContext(ctx, insert)
				close(written)
				<-commit
				return err
			})
		}()
		<-written
		w.put("", "on time")
		w.expect(WorkHandle, "on time: done")
		w.counts(Counts{Handled: 1})
		lane := func() LaneStats {
			list := w.stats().Lanes
			return list[slices.IndexFunc(list, func(l LaneStats) bool { return l.Lane == 0 })]
		}
		if lag := lane().HintLag; lag < 2 {
			w.Errorf("while a transaction is open the hint is ahead by %d", lag)
		}
		close(commit)
		if err := <-ended; err != nil {
			w.Fatal(err)
		}
		w.expect(WorkHandle, "late: done")
		w.counts(Counts{Handled: 2, Late: 1})
		w.put("", "another")
		w.expect(WorkHandle, "another: done")
		w.counts(Counts{Handled: 3, Late: 1})
	})
}

// TestCountsOfLanes: lanes that their owner has not given back are taken over, those that another process takes are lost,
// and a change of their number is neither.
func TestCountsOfLanes(t *testing.T) {
	eachWatched(t, acknowledging, func(w *watched) {
		n := len(w.allLanes())
		if s := w.stats(); s.Taken != int64(n) || s.TakenOver != 0 || s.Unowned != 0 || s.Workers != 1 || s.Lanes[0].Epoch != 1 {
			w.Errorf("of new lanes %+v", s)
		}
		const other = "owner = '00000000-0000-0000-0000-00000000000a', epoch = epoch + 1"
		w.exec("UPDATE urutu_message_lane SET " + other + " WHERE lane = 0")
		w.exec("UPDATE urutu_message_lease SET until = 9000000000000000 WHERE lane = 0")
		await(w, "a lane is lost", func() bool { return len(w.stats().Lanes) == n-1 })
		if s := w.stats(); s.Taken != int64(n) || s.Lost != 1 || s.Unowned != 0 {
			w.Errorf("once a lane is lost %+v", s)
		}
		w.exec("UPDATE urutu_message_lease SET until = 1 WHERE lane = 0")
		await(w, "a lane is taken over", func() bool { return len(w.stats().Lanes) == n })
		if s := w.stats(); s.Taken != int64(n)+1 || s.TakenOver != 1 || s.Lost != 1 || s.Lanes[0].Epoch != 3 {
			w.Errorf("once a lane is taken over %+v", s)
		}
		if err := Relane(w.db.Context(w.Context()), "group", 3); err != nil {
			w.Fatal(err)
		}
		await(w, "there are 3 lanes", func() bool { return w.stats().AllLanes == 3 && len(w.allLanes()) == 3 })
		if s := w.stats(); s.Lost != 1 || s.TakenOver != 1 || s.Relaned != int64(n) || s.Taken != int64(n)+4 {
			w.Errorf("once there are 3 lanes %+v", s)
		}
		w.engine.StopIntake()
		await(w, "nobody looks after the lanes", func() bool { s := w.stats(); return s.Unowned == 3 && s.Workers == 0 })
		if s := w.stats(); len(s.Lanes) != 0 || s.AllLanes != 3 {
			w.Errorf("once it has stopped %+v", s)
		}
	})
}

// TestLanesThatWereJustTakenHaveAnOwner: they do not count as without one until the next look.
func TestLanesThatWereJustTakenHaveAnOwner(t *testing.T) {
	t.Parallel()
	urututest.Each(t, urututest.Config{Session: session.Config{Logger: slog.New(slog.DiscardHandler)}}, func(t *testing.T, db *session.DB) {
		if err := db.Install(t.Context(), Component()); err != nil {
			t.Fatal(err)
		}
		w := &watched{T: t, db: db, engine: NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)}, Consumer{
			Destination: "group", Topics: []string{"test.sent"}, Handle: func(ctx context.Context, d *Delivery) error { return db.Do(ctx, d.Acknowledge) },
		})}
		w.engine.timing.tick = time.Hour
		w.start()
		await(t, "it has lanes", func() bool { return w.stats().Taken > 0 })
		if s := w.stats(); s.Unowned != 0 || len(s.Lanes) != s.AllLanes {
			t.Errorf("%+v", s)
		}
	})
}

// allLanes waits until the engine has all lanes.
func (w *watched) allLanes() (lanes []LaneStats) {
	w.Helper()
	await(w, "it has all lanes", func() bool {
		s := w.stats()
		lanes = s.Lanes
		return s.AllLanes > 0 && len(lanes) == s.AllLanes && s.Unowned == 0
	})
	return lanes
}

// TestDuplicatesCount: what comes from elsewhere twice, in one batch or in two, is counted as dropped.
func TestDuplicatesCount(t *testing.T) {
	eachWatched(t, acknowledging, func(w *watched) {
		incoming := func() Incoming { return Incoming{ID: uuid.New(), Topic: "test.sent"} }
		one, two, three := incoming(), incoming(), incoming()
		receive := func(fresh, duplicates int64, batch ...Incoming) {
			w.Helper()
			if _, err := Receive(w.db.Context(w.Context()), "group", batch); err != nil {
				w.Fatal(err)
			}
			if s := w.stats(); s.Received != fresh || s.Duplicates != duplicates {
				w.Errorf("%d were received and %d dropped, not %d and %d", s.Received, s.Duplicates, fresh, duplicates)
			}
		}
		receive(2, 1, one, one, two)
		receive(3, 3, two, three, one)
		if _, err := Receive(w.db.Context(w.Context()), "nobody", []Incoming{one}); !errors.Is(err, fault.Misconfigured) {
			w.Error(err)
		}
		receive(3, 4, three)
		for range 3 {
			w.expect(WorkHandle, ": done")
		}
	})
}

// TestUnroutedCount: events that nobody has subscribed to are counted, those that somebody has are not.
func TestUnroutedCount(t *testing.T) {
	eachWatched(t, acknowledging, func(w *watched) {
		put := func(want int64, delay time.Duration, topics ...string) {
			w.Helper()
			urututest.Do(w, w.db, func(ctx context.Context) error {
				for _, topic := range topics {
					if err := Put(ctx, Outgoing{Type: message.Type{Topic: topic}, ID: uuid.New(), Delay: delay}); err != nil {
						return err
					}
				}
				return nil
			})
			if n, err := Unrouted(w.db.Context(w.Context())); err != nil || n != want || w.engine.Stats().Unrouted != want {
				w.Errorf("%d events have gone nowhere, not %d; %v", n, want, err)
			}
		}
		put(0, 0, "test.sent")
		put(1, 0, "test.unheard")
		put(3, 0, "test.unheard", "test.sent", "test.unheard")
		put(4, time.Hour, "test.unheard")
		w.expect(WorkHandle, ": done")
		w.expect(WorkHandle, ": done")
	})
}

// spoilsport is an observer that does what it must not, the first two times.
type spoilsport struct {
	mu sync.Mutex
	n  int
}

func (s *spoilsport) Observe(context.Context, Work) {
	s.mu.Lock()
	s.n++
	n := s.n
	s.mu.Unlock()
	switch n {
	case 1:
		panic("no")
	case 2:
		runtime.Goexit()
	}
}

// TestObserverBreaksNothing: the one hand of a group goes on after an observer has panicked or ended its goroutine.
func TestObserverBreaksNothing(t *testing.T) {
	t.Parallel()
	db := urututest.Open(t, urututest.Config{Session: session.Config{PoolSize: 4}})
	if err := db.Install(t.Context(), Component()); err != nil {
		t.Fatal(err)
	}
	handled := make(chan bool, 8)
	w := &watched{T: t, db: db, engine: NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler), Observer: &spoilsport{}}, Consumer{
		Destination: "group", Topics: []string{"test.sent"}, Concurrency: 1, Handle: func(ctx context.Context, d *Delivery) error {
			defer func() { handled <- true }()
			return db.Do(ctx, d.Acknowledge)
		},
	})}
	w.start()
	for range 4 {
		w.put("", "text")
		select {
		case <-handled:
		case <-time.After(30 * time.Second):
			t.Fatal("nobody handles it")
		}
	}
	await(t, "all are handled", func() bool { return w.stats().Handled == 4 })
	w.counts(Counts{Handled: 4})
}

// turn is an engine without a database that handles one message again and again.
func turn(o Observer) (once func()) {
	e, d := leased(Consumer{Destination: "group", Handle: func(context.Context, *Delivery) error { return nil }})
	e.observer = o
	l := newLane(d, 0, lease{e.owner, 1, time.Now().Add(time.Hour)})
	l.whole = false
	d.lanes[0] = l
	m := &Delivery{id: 1, lane: l}
	return func() {
		l.hold(m)
		d.take(m)
		w := e.watch(WorkHandle, d)
		e.conclude(d, m, w, e.attempt(d, m))
	}
}

type blind struct{}

func (blind) Observe(context.Context, Work) {}

// TestWithoutObserverNothingIsAllocated: what counts and what would be told costs no memory where nobody is told.
func TestWithoutObserverNothingIsAllocated(t *testing.T) {
	if n := testing.AllocsPerRun(1000, turn(nil)); n != 0 {
		t.Errorf("a message without an observer takes %v allocations", n)
	}
	if n := testing.AllocsPerRun(1000, turn(blind{})); n == 0 {
		t.Error("with one it takes none either, so that this test shows nothing")
	}
}

func BenchmarkObserver(b *testing.B) {
	for name, o := range map[string]Observer{"none": nil, "one": blind{}} {
		b.Run(name, func(b *testing.B) {
			once := turn(o)
			b.ReportAllocs()
			for b.Loop() {
				once()
			}
		})
	}
}
