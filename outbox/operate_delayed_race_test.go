package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/urututest"
)

// awaitedBy makes n messages that a destination without workers waits for, and returns their numbers, what moves them, and
// an operator.
func awaitedBy(t *testing.T, db *session.DB, n int) (ids []int64, move func(ctx context.Context) error, o *Operator) {
	t.Helper()
	if err := db.Install(t.Context(), Component()); err != nil {
		t.Fatal(err)
	}
	e := NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)}, Consumer{
		Destination: "group", Topics: []string{"test.sent"}, Handle: func(context.Context, *Delivery) error { return errors.New("too early") },
	})
	if err := errors.Join(e.Start(t.Context()), e.Stop(t.Context())); err != nil {
		t.Fatal(err)
	}
	urututest.Do(t, db, func(ctx context.Context) error {
		for i := range n {
			m := Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.New(), Key: fmt.Sprint("key-", i%7), Delay: time.Hour, Once: fmt.Sprint(i), Payload: []byte("x")}
			if err := Put(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})
	o = NewOperator(db, OperatorConfig{Logger: slog.New(slog.DiscardHandler)})
	for next, more := "", true; more; more = next != "" {
		list, after, err := o.ListDelayed(t.Context(), DelayedFilter{}, Page{After: next})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			ids = append(ids, m.ID)
		}
		next = after
	}
	first := moving{destination: e.dests[0]}
	urututest.Do(t, db, func(ctx context.Context) error {
		return session.From(ctx).QueryRowContext(ctx, "SELECT epoch FROM urutu_message_lane WHERE lane = 0").Scan(&first.epoch)
	})
	return ids, func(ctx context.Context) error {
		return e.move(session.On(db.Context(ctx), ""), &round{}, []moving{first})
	}, o
}

// TestDelayedIsCanceledOrDelivered: operators cancel messages whose time has come while engines move them. Each is canceled
// and counted, or it is delivered: never both, never neither.
func TestDelayedIsCanceledOrDelivered(t *testing.T) {
	t.Parallel()
	urututest.Each(t, urututest.Config{Session: session.Config{PoolSize: 8}}, func(t *testing.T, db *session.DB) {
		const n, each = 600, 6
		ids, move, o := awaitedBy(t, db, n)
		var mu sync.Mutex
		var mine []string // those that were canceled by themselves
		others := 0       // how many were canceled together
		cancelOne := func(ctx context.Context, some []int64) error {
			m, err := o.ShowDelayed(ctx, some[0])
			if err != nil {
				return nil // it is gone already
			}
			canceled, err := o.Cancel(ctx, DelayedFilter{IDs: some[:1]})
			mu.Lock()
			defer mu.Unlock()
			if canceled == 1 {
				mine = append(mine, m.MessageID.String())
			}
			return err
		}
		cancelSome := func(ctx context.Context, some []int64) error {
			canceled, err := o.Cancel(ctx, DelayedFilter{IDs: some[:each-1], Topic: "test.sent"})
			mu.Lock()
			defer mu.Unlock()
			others += canceled
			return err
		}
		moveSome := func(ctx context.Context, _ []int64) error { return move(ctx) }
		deliver := func(ctx context.Context, some []int64) error {
			_, err := o.DeliverNow(ctx, DelayedFilter{IDs: some})
			return err
		}
		for turn, some := range slices.Collect(slices.Chunk(ids, each)) {
			race := []func(context.Context, []int64) error{moveSome, cancelOne, moveSome, cancelSome}
			if turn%2 == 0 {
				if err := deliver(t.Context(), some); err != nil {
					t.Error(err)
				}
			} else { // they come to be due meanwhile
				race = append(race, deliver, moveSome)
			}
			var together sync.WaitGroup
			for _, do := range race {
				together.Go(func() {
					if err := do(t.Context(), some); err != nil {
						t.Error(err)
					}
				})
			}
			together.Wait()
		}
		if _, err := o.DeliverNow(t.Context(), DelayedFilter{All: true}); err != nil {
			t.Error(err)
		}
		if err := move(t.Context()); err != nil {
			t.Error(err)
		}

		if left := askFor(t, db, "SELECT count(*) FROM urutu_message_delayed"); left != "0" {
			t.Errorf("%s messages wait although their time has come", left)
		}
		delivered := strings.Fields(askFor(t, db, "SELECT CAST(msg_id AS text) FROM urutu_message"))
		slices.Sort(delivered)
		if once := slices.Compact(slices.Clone(delivered)); len(once) != len(delivered) {
			t.Errorf("%d messages are delivered %d times", len(once), len(delivered))
		}
		for _, id := range mine {
			if slices.Contains(delivered, id) {
				t.Errorf("message %s is canceled and delivered", id)
			}
		}
		t.Logf("%d are delivered, %d and %d are canceled", len(delivered), len(mine), others)
		if len(delivered)+len(mine)+others != n || len(mine)+others == 0 || len(delivered) < n/each {
			t.Errorf("%d are delivered, %d and %d are canceled of %d", len(delivered), len(mine), others, n)
		}
	})
}

// TestChangeOnlyWhatStillWaits: between the look at a message and its change, its time may have come, and a unit may have
// published another one with the same Once.
func TestChangeOnlyWhatStillWaits(t *testing.T) {
	t.Parallel()
	urututest.Each(t, urututest.Config{}, func(t *testing.T, db *session.DB) {
		ids, move, o := awaitedBy(t, db, 2)
		list := []awaited{{appointment: appointment{id: ids[0]}}, {appointment: appointment{id: ids[1]}}}
		now := func(d dialect.Dialect, id int64, f DelayedFilter) driver.Statement {
			return deliverAt(d, id, f, time.UnixMicro(0))
		}
		for i, alter := range []delayedAlteration{now, cancel} {
			for _, f := range []DelayedFilter{{Topic: "other"}, {Key: "b"}, {Once: "2"}, {From: time.Now().Add(2 * time.Hour)}, {Until: time.Now()}} {
				if changed, err := o.alterDelayed(t.Context(), "test", list, f, alter); len(changed) != 0 || err != nil {
					t.Errorf("%d: %+v changes %v, %v", i, f, changed, err)
				}
			}
		}
		moved, err := o.alterDelayed(t.Context(), "test", list, DelayedFilter{Once: "1"}, now)
		if len(moved) != 1 || err != nil {
			t.Fatal(moved, err)
		}
		if err := move(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, alter := range []delayedAlteration{now, cancel} {
			if got, err := o.alterDelayed(t.Context(), "test", list, DelayedFilter{All: true}, alter); len(got) != 1 || err != nil || got[0] == moved[0] {
				t.Errorf("%d: %v is changed after %v was moved, %v", i, got, moved, err)
			}
		}
	})
}

// TestLeapBeginsAPage: a look may end right behind what the filter has no times for.
func TestLeapBeginsAPage(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	a := appointment{dest: 3, at: noon, id: 17}
	for _, f := range []DelayedFilter{{}, {From: noon.Add(time.Hour)}, {Until: noon}, {From: noon, Until: noon.Add(time.Hour)}} {
		to, far := f.leap(a)
		if far != (to != a) || to.compare(a) < 0 {
			t.Errorf("%+v leaps from %s to %s", f, a, to)
		}
		if place, err := parseAppointment("test", to.String()); err != nil || place.compare(to) != 0 {
			t.Errorf("%s is read as %s, %v", to, place, err)
		}
	}
}
