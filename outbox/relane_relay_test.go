package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// relayed is a destination that goes to a broker, which refuses what says so.
func relayed(sent chan<- string) Consumer {
	return Consumer{Destination: "broker", Topics: []string{"test.sent"}, Send: func(_ context.Context, batch []*Delivery) []error {
		results := make([]error, len(batch))
		for i, d := range batch {
			if string(d.Payload) == "refused" {
				results[i] = &Failure{Reason: Refused, Park: true, Err: errors.New("no")}
			}
			sent <- string(d.Payload)
		}
		return results
	}}
}

// meeting returns two keys of different lanes, of which the second comes to the first one's lane when there are so many.
func meeting(lanes int) (first, second string) {
	for i := 0; ; i++ {
		first, second = fmt.Sprint("first", i), fmt.Sprint("second", i)
		lane := message.Slot(first) * 16 / message.Slots
		if message.Slot(second)*16/message.Slots != lane && message.Slot(second)*lanes/message.Slots == lane {
			return first, second
		}
	}
}

// TestRelaneIsNoticedAtOnce: the number of lanes changes, so that a message that a broker has refused comes to another lane,
// which the process that looks after it has seen already. What follows it does not go to the broker, although the process
// learns of the change only later.
func TestRelaneIsNoticedAtOnce(t *testing.T) {
	t.Parallel()
	db := urututest.Open(t, urututest.Config{Database: urututest.InPostgres, Session: session.Config{PoolSize: 6}})
	if err := db.Install(t.Context(), Component()); err != nil {
		t.Fatal(err)
	}
	const lanes = 7
	first, second := meeting(lanes)
	sent := make(chan string, 16)
	put := func(key, payload string) {
		urututest.Do(t, db, func(ctx context.Context) error {
			return Put(ctx, Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.New(), Key: key, Payload: []byte(payload)})
		})
	}
	want := func(text string) {
		t.Helper()
		select {
		case got := <-sent:
			if got != text {
				t.Fatalf("%s was sent, not %s", got, text)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s was not sent", text)
		}
	}
	engine := func(tick time.Duration) {
		e := NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)}, relayed(sent))
		e.timing.tick = tick
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := e.Stop(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
	engine(time.Hour) // it takes the lanes, and does not look at them again
	put(second, "refused")
	want("refused")
	put(first, "seen")
	want("seen")
	for left := 0; left != 1; time.Sleep(time.Millisecond) { // what was sent is deleted
		urututest.Do(t, db, func(ctx context.Context) error {
			return session.From(ctx).QueryRowContext(ctx, "SELECT count(*) FROM urutu_message").Scan(&left)
		})
	}
	if err := Relane(db.Context(t.Context()), "broker", lanes); err != nil {
		t.Fatal(err)
	}
	put(second, "behind what was refused")
	engine(50 * time.Millisecond)
	put(first, "last")
	want("last")
}

// TestWorkersOfAnotherTime: the database's clock was set back after a process had died. It has no share of the lanes.
func TestWorkersOfAnotherTime(t *testing.T) {
	t.Parallel()
	urututest.Each(t, urututest.Config{Session: session.Config{PoolSize: 6}}, func(t *testing.T, db *session.DB) {
		if err := db.Install(t.Context(), Component()); err != nil {
			t.Fatal(err)
		}
		sent := make(chan string, 256)
		idle := NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)}, relayed(sent))
		if err := errors.Join(idle.Start(t.Context()), idle.Stop(t.Context())); err != nil {
			t.Fatal(err)
		}
		urututest.Do(t, db, func(ctx context.Context) error {
			d, err := db.Dialect(ctx)
			if err != nil {
				return err
			}
			someone := "gen_random_uuid()"
			if d.Name() == "sqlite" {
				someone = "randomblob(16)"
			}
			for range 20 {
				if _, err := session.From(ctx).ExecContext(ctx, "INSERT INTO urutu_message_worker (dest, owner, until)"+
					" SELECT id, "+someone+", "+micros(d)+" + 3600000000 FROM urutu_message_destination"); err != nil {
					return err
				}
			}
			return nil
		})
		e := NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)}, relayed(sent))
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		urututest.Do(t, db, func(ctx context.Context) error {
			for i := range 100 {
				m := Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.New(), Key: fmt.Sprint(i), Payload: []byte("{}")}
				if err := Put(ctx, m); err != nil {
					return err
				}
			}
			return nil
		})
		for n := range 100 {
			select {
			case <-sent:
			case <-time.After(20 * time.Second):
				t.Fatalf("%d of 100 messages were sent: the others are in lanes that nobody takes", n)
			}
		}
		if err := e.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
