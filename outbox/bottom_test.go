package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// TestSweepsBeginBehindWhatIsGone: a sweep of a whole lane begins at the first message that is still there. What is before
// that has been deleted, but is in the way of each look while somebody holds an old snapshot.
func TestSweepsBeginBehindWhatIsGone(t *testing.T) {
	t.Parallel()
	urututest.Each(t, urututest.Config{Session: session.Config{PoolSize: 4, Logger: slog.New(slog.DiscardHandler)}}, func(t *testing.T, db *session.DB) {
		if err := db.Install(t.Context(), Component()); err != nil {
			t.Fatal(err)
		}
		var mended atomic.Bool
		done := make(chan string, 100)
		e := NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)}, Consumer{
			Destination: "group", Topics: []string{"test.sent"}, Concurrency: 1, Handle: func(ctx context.Context, d *Delivery) error {
				if string(d.Payload) == "bad" && !mended.Load() {
					return &Failure{Reason: Permanent, Park: true, Err: errors.New("it is bad")}
				}
				err := db.Do(ctx, d.Acknowledge)
				if err == nil {
					done <- string(d.Payload)
				}
				return err
			},
		})
		started(t, e)
		put := func(payloads ...string) {
			t.Helper()
			urututest.Do(t, db, func(ctx context.Context) error {
				for _, payload := range payloads {
					m := Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.UUID{15: 1}, Payload: []byte(payload)} // of the first lane
					if err := Put(ctx, m); err != nil {
						return err
					}
				}
				return nil
			})
			for _, want := range payloads {
				if want != "bad" {
					if got := <-done; got != want {
						t.Fatalf("%s was handled, not %s", got, want)
					}
				}
			}
		}
		put("1", "2", "bad", "3", "4")
		// What is known now has been so for a while, and the next sweep of the whole lane is due.
		sweep := func() {
			e.mu.Lock()
			defer e.mu.Unlock()
			l := e.dests[0].lanes[0]
			l.bottom.sure, l.bottom.agedAt, l.whole = l.floor, time.Now(), true
			e.wake()
		}
		begins := func(want func(at int64) bool) {
			t.Helper()
			for late := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
				sweep()
				e.mu.Lock()
				at := e.dests[0].lanes[0].bottom.at
				e.mu.Unlock()
				if want(at) {
					return
				}
				if time.Now().After(late) {
					t.Fatalf("sweeps begin at %d", at)
				}
			}
		}
		bad, err := strconv.ParseInt(askFor(t, db, "SELECT id FROM urutu_message"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		begins(func(at int64) bool { return at == bad-1 })
		mended.Store(true)
		if _, err := NewOperator(db, OperatorConfig{Logger: slog.New(slog.DiscardHandler)}).Retry(t.Context(), Filter{State: AnyState}); err != nil {
			t.Error(err)
		}
		if got := <-done; got != "bad" {
			t.Errorf("%s was handled", got)
		}
		put("5")
		begins(func(at int64) bool { return at > bad+1 })
		put("6")
	})
}

// TestDoubtedFloor: sweeps begin where nothing was left, and a message that commits before that, which is not to be, is found
// by a scout as long as that is doubted.
func TestDoubtedFloor(t *testing.T) {
	t.Parallel()
	p := parts{newLane(newDestination(Consumer{}), 0, lease{until: time.Now().Add(time.Hour)})}
	p.hint, p.floor = 8, 8
	now := time.Now()
	sweep := func(name string, begins, empty int64, found ...int64) {
		t.Helper()
		now = now.Add(time.Second)
		k := p.begin(now, true)
		if k.floor != begins {
			t.Fatalf("%s begins at %d, not %d", name, k.floor, begins)
		}
		k.blocked, k.first, k.swept = map[string]bool{}, empty, p.messages("", found...)
		ready := p.take(&k)
		p.want(t, name, ready, found...)
		for _, d := range ready {
			p.done(d)
		}
	}
	scout := func(name string, doubt bool, from, found int64, below bool) {
		t.Helper()
		now = now.Add(patience / 2)
		s, ok := p.scout(now, doubt)
		if ok != (from < 8) || s.from != from || s.upto != 8 {
			t.Fatalf("%s: %v, from %d to %d", name, ok, s.from, s.upto)
		}
		if s.found = found; ok && p.scouted(s) != below {
			t.Fatalf("%s: below is %v", name, !below)
		}
	}
	sweep("the first one", 0, 3, 4) // by now 4 is gone
	scout("a scout goes on from there", false, 3, 0, false)
	if p.bottom.at != 0 {
		t.Fatalf("the bottom is %d while it is doubted", p.bottom.at)
	}
	sweep("one behind the scout", 8, 8)
	scout("another one has nothing to look for", false, 8, 0, false)
	scout("one that doubts it has", true, 0, 5, true)
	if !p.whole {
		t.Fatal("what has come below is not swept for")
	}
	sweep("a sweep", 4, 4, 5)
	scout("nothing is left", false, 4, 0, false)
	scout("and that is doubted no more", true, 8, 0, false)
	if p.bottom.at != 8 {
		t.Errorf("the bottom is %d", p.bottom.at)
	}
}

// TestScoutOfAnotherBottom: what a scout has found does not count where the lane has begun anew meanwhile.
func TestScoutOfAnotherBottom(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*lane){
		"a look has failed": func(l *lane) {
			k := l.begin(time.Now(), false)
			l.fail(&k)
		},
		"it was lost": func(l *lane) { l.lost = true },
	} {
		l := newLane(newDestination(Consumer{}), 0, lease{})
		l.hint, l.floor = 8, 8
		s, _ := l.scout(time.Now(), false)
		change(l)
		l.scouted(s)
		if l.bottom.empty != 0 {
			t.Errorf("%s: sweeps begin at %d", name, l.bottom.empty)
		}
	}
}

// TestScouts: while messages come and go, sweeps begin behind what is gone without having gone through it, and a message with
// a number before that, which is not to be, is found.
func TestScouts(t *testing.T) {
	t.Parallel()
	urututest.Each(t, urututest.Config{Session: session.Config{PoolSize: 4, Logger: slog.New(slog.DiscardHandler)}}, func(t *testing.T, db *session.DB) {
		if err := db.Install(t.Context(), Component()); err != nil {
			t.Fatal(err)
		}
		done := make(chan string, 100)
		e := NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)}, Consumer{
			Destination: "group", Topics: []string{"test.sent"}, Handle: func(ctx context.Context, d *Delivery) error {
				err := db.Do(ctx, d.Acknowledge)
				if err == nil {
					done <- string(d.Payload)
				}
				return err
			},
		})
		e.timing.scout, e.timing.sweep = 10*time.Millisecond, time.Hour
		started(t, e)
		put := func(payload string) {
			t.Helper()
			urututest.Do(t, db, func(ctx context.Context) error { // into the first lane
				return Put(ctx, Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.UUID{15: 1}, Payload: []byte(payload)})
			})
			if got := <-done; got != payload {
				t.Fatalf("%s was handled, not %s", got, payload)
			}
		}
		for i := range 20 {
			put(fmt.Sprint(i))
		}
		await(t, "sweeps begin behind what is gone", func() bool {
			e.mu.Lock()
			defer e.mu.Unlock()
			l := e.dests[0].lanes[0]
			return l.bottom.empty >= 10 && l.bottom.at == 0
		})
		urututest.Do(t, db, func(ctx context.Context) error {
			id, at := "gen_random_uuid()", "now()"
			if d, err := db.Dialect(ctx); err != nil || d.Features().OneWriter {
				id, at = "randomblob(16)", "'2026-01-01 00:00:00.000000+00:00'"
			}
			_, err := session.From(ctx).ExecContext(ctx, "INSERT INTO urutu_message (dest, lane, id, slot, msg_id, topic, headers, payload, created_at)"+
				" SELECT s.dest, 0, 5, 0, "+id+", s.topic, '', 'late', "+at+" FROM urutu_message_subscription s")
			return err
		})
		e.mu.Lock()
		e.dests[0].lanes[0].bottom.scoutedAt = time.Time{}
		e.mu.Unlock()
		if got := <-done; got != "late" {
			t.Fatalf("%s was handled", got)
		}
	})
}

// TestLaneGoesOnWhereItsOwnerStopped: who takes a lane does not go through everything that its last owner has deleted. A
// message with a number of long ago, which is not to be, is found nevertheless.
func TestLaneGoesOnWhereItsOwnerStopped(t *testing.T) {
	t.Parallel()
	db := urututest.Open(t, urututest.Config{Database: urututest.InPostgres, Session: session.Config{PoolSize: 4, Logger: slog.New(slog.DiscardHandler)}})
	if err := db.Install(t.Context(), Component()); err != nil {
		t.Fatal(err)
	}
	done := make(chan string, 100)
	begin := func() *Engine {
		e := NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)}, Consumer{
			Destination: "group", Topics: []string{"test.sent"}, Handle: func(ctx context.Context, d *Delivery) error {
				if string(d.Payload) == "bad" {
					return &Failure{Reason: Permanent, Park: true, Err: errors.New("it is bad")}
				}
				err := db.Do(ctx, d.Acknowledge)
				if err == nil {
					done <- string(d.Payload)
				}
				return err
			},
		})
		e.timing.tick, e.timing.renew = 10*time.Millisecond, 20*time.Millisecond
		started(t, e)
		return e
	}
	put := func(payload string) {
		t.Helper()
		urututest.Do(t, db, func(ctx context.Context) error { // into the first lane
			return Put(ctx, Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.UUID{15: 1}, Payload: []byte(payload)})
		})
		if payload == "bad" {
			return
		}
		if got := <-done; got != payload {
			t.Fatalf("%s was handled, not %s", got, payload)
		}
	}
	first := func(e *Engine) bottom {
		e.mu.Lock()
		defer e.mu.Unlock()
		if l := e.dests[0].lanes[0]; l != nil {
			return l.bottom
		}
		return bottom{}
	}
	e := begin()
	for _, payload := range []string{"1", "2", "3", "bad", "4"} {
		put(payload)
	}
	bad := askFor(t, db, "SELECT id - 1 FROM urutu_message")
	stored := func() string { return askFor(t, db, "SELECT bottom FROM urutu_message_lease WHERE lane = 0") }
	await(t, "the bottom is stored", func() bool {
		e.mu.Lock()
		if l := e.dests[0].lanes[0]; l != nil { // what is known now has been so for a while, and a sweep is due
			l.bottom.sure, l.bottom.agedAt, l.whole = l.floor, time.Now(), true
		}
		e.mu.Unlock()
		e.wake()
		return stored() == bad
	})
	if err := e.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	e = begin()
	await(t, "the lane is taken", func() bool { return fmt.Sprint(first(e).taken) == bad })
	put("5")
	urututest.Do(t, db, func(ctx context.Context) error {
		_, err := session.From(ctx).ExecContext(ctx, "ALTER TABLE urutu_message ALTER COLUMN id RESTART WITH 1")
		return err
	})
	urututest.Do(t, db, func(ctx context.Context) error {
		return Put(ctx, Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.UUID{15: 1}, Payload: []byte("6")})
	})
	e.lookBelow(t.Context(), time.Now())
	select {
	case got := <-done:
		if got != "6" {
			t.Fatalf("%s was handled", got)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("a message with a low number is not found")
	}
	if err := Relane(db.Context(t.Context()), "group", 8); err != nil {
		t.Fatal(err)
	}
	if got := askFor(t, db, "SELECT max(bottom) FROM urutu_message_lease"); got != "0" {
		t.Errorf("after the number of lanes has changed one begins at %s", got)
	}
}

// TestSweepsKeepTheirDistance: sweeps that only time asks for are of one lane at a time, of all destinations, and the longer one
// takes the longer nobody makes another. What else asks for one does not wait.
func TestSweepsKeepTheirDistance(t *testing.T) {
	t.Parallel()
	e := &Engine{timing: defaults}
	for range 2 {
		d := newDestination(Consumer{})
		for n := range int16(2) {
			d.lanes[n] = newLane(d, n, lease{until: time.Now().Add(time.Hour)})
			d.lanes[n].whole, d.lanes[n].due = false, time.Time{}
		}
		e.dests = append(e.dests, d)
	}
	now := time.Now()
	swept := map[*lane]int{}
	look := func(took time.Duration) (whole, due int) {
		r := &round{byID: map[laneID]*look{}}
		due = len(e.begin(r, now, true))
		for _, k := range r.looks {
			if k.whole {
				whole++
				swept[k.lane]++
			}
			k.lane.sweeping = false
		}
		e.swept(r, now.Add(-took), now)
		return whole, due
	}
	for i, want := range []int{1, 0, 1, 0, 1, 0, 1, 0} {
		if i%2 == 0 && i > 0 {
			now = now.Add(7 * time.Second)
		}
		whole, due := look(70 * time.Millisecond)
		if whole != want || due != map[bool]int{true: 4}[i == 0] {
			t.Fatalf("look %d sweeps %d lanes, and asks %d for retries", i, whole, due)
		}
	}
	if len(swept) != 4 {
		t.Errorf("%d lanes of 4 were swept four times", len(swept))
	}
	now = now.Add(time.Minute)
	look(time.Minute)
	if wait := e.sweepAt.Sub(now); wait != defaults.sweep {
		t.Errorf("a long one keeps the others from it for %v", wait)
	}
	e.dests[1].lanes[1].whole = true
	if whole, _ := look(0); whole != 1 {
		t.Errorf("%d lanes are swept", whole)
	}
}

// TestDoubtIsNotForgotten: where sweeps begin goes up by itself, and the bottom only behind who has looked once more for what
// may have come late.
func TestDoubtIsNotForgotten(t *testing.T) {
	t.Parallel()
	l := newLane(newDestination(Consumer{}), 0, lease{until: time.Now().Add(time.Hour)})
	now := time.Now()
	for floor := int64(8); floor < 80; floor += 8 { // 5 comes late
		l.hint, l.floor = floor, floor
		now = now.Add(patience / 2)
		if s, ok := l.scout(now, false); !ok || s.from != floor-8 || l.scouted(s) {
			t.Fatalf("a scout from %d, %v", s.from, ok)
		}
	}
	if l.bottom.at != 0 || l.bottom.empty != 72 {
		t.Fatalf("the bottom is %d, and sweeps begin at %d", l.bottom.at, l.bottom.empty)
	}
	s, _ := l.scout(now, true)
	s.found = 5
	if !l.scouted(s) || l.bottom.at != 4 || l.bottom.empty != 4 {
		t.Fatalf("the bottom is %d, and sweeps begin at %d", l.bottom.at, l.bottom.empty)
	}
	// One that began before the floor was sure does not say more than it knew.
	s, _ = l.scout(now, true)
	l.bottom.sure = 72
	s.sure = 10
	if l.scouted(s) || l.bottom.at != 10 || l.bottom.empty != 72 {
		t.Fatalf("the bottom is %d, and sweeps begin at %d", l.bottom.at, l.bottom.empty)
	}
}
