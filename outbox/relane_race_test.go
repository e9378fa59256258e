package outbox_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/urututest"
)

// relaned makes a destination known, with several lanes and a message.
func relaned(t *testing.T) *session.DB {
	t.Helper()
	db := urututest.Open(t, urututest.Config{Database: urututest.InPostgres, Session: session.Config{PoolSize: 6}})
	if err := db.Install(t.Context(), outbox.Component()); err != nil {
		t.Fatal(err)
	}
	e := outbox.NewEngine(db, outbox.Config{Logger: slog.New(slog.DiscardHandler)}, outbox.Consumer{
		Destination: "group", Topics: []string{"test.sent"}, Handle: func(context.Context, *outbox.Delivery) error { return nil },
	})
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	urututest.Do(t, db, putKeyed)
	return db
}

// putKeyed puts a message with the key "key", whose slot is not in the first of few lanes.
func putKeyed(ctx context.Context) error {
	return outbox.Put(ctx, outbox.Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.New(), Key: "key", Payload: []byte("{}")})
}

// misplaced counts the messages, and notes about them, that are in another lane than the number of lanes says.
func misplaced(t *testing.T, db *session.DB) int64 {
	return ask(t, db, "SELECT (SELECT count(*) FROM urutu_message m JOIN urutu_message_destination d ON d.id = m.dest WHERE m.lane <> (m.slot * d.lanes) >> 10)"+
		" + (SELECT count(*) FROM urutu_message_retry r WHERE NOT EXISTS (SELECT 1 FROM urutu_message m WHERE m.dest = r.dest AND m.lane = r.lane AND m.id = r.id))")
}

// TestRelaneTakesNotesAlong: a failure is being noted when the number of lanes changes. Its note goes with its message,
// which would be tried at once otherwise, also where it is parked.
func TestRelaneTakesNotesAlong(t *testing.T) {
	t.Parallel()
	db := relaned(t)
	changed := make(chan error, 1)
	urututest.Do(t, db, func(ctx context.Context) error {
		if _, err := session.From(ctx).ExecContext(ctx, "SELECT id FROM urutu_message FOR UPDATE"); err != nil { // as who notes one does
			return err
		}
		if err := noteAll(ctx); err != nil {
			return err
		}
		go func() { changed <- outbox.Relane(db.Context(context.Background()), "group", 3) }()
		deadline := time.Now().Add(20 * time.Second)
		for ask(t, db, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == 0 {
			if time.Now().After(deadline) {
				t.Fatal("the change waits for nobody")
			}
		}
		return nil
	})
	if err := <-changed; err != nil {
		t.Fatal(err)
	}
	if n := misplaced(t, db); n != 0 || ask(t, db, "SELECT count(*) FROM urutu_message_retry") != 1 {
		t.Errorf("%d rows are in a lane where nobody looks for them", n)
	}
}

// TestRelaneAndUnitsWithOneSnapshot: the number of lanes changes after a unit has begun whose transaction sees what was
// there then. It is run again, and its message comes to where it is looked for.
func TestRelaneAndUnitsWithOneSnapshot(t *testing.T) {
	t.Parallel()
	for _, level := range []uow.Isolation{uow.RepeatableRead, uow.Serializable} {
		t.Run(level.String(), func(t *testing.T) {
			t.Parallel()
			db := relaned(t)
			runs := 0
			err := db.Do(t.Context(), func(ctx context.Context) error {
				var n int
				if err := session.From(ctx).QueryRowContext(ctx, "SELECT count(*) FROM urutu_message").Scan(&n); err != nil {
					return err
				}
				if runs++; runs == 1 {
					if err := outbox.Relane(db.Context(context.Background()), "group", 3); err != nil {
						return err
					}
				}
				return putKeyed(ctx)
			}, uow.Options{Isolation: level})
			if err != nil {
				t.Fatal(err)
			}
			if n := misplaced(t, db); n != 0 || runs != 2 {
				t.Errorf("after %d runs %d messages are in a lane where nobody looks for them", runs, n)
			}
		})
	}
}
