package outbox_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
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
		awaitLock(t, db, "LOCK TABLE urutu_message")
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

// TestSubscribingWhileLanesChange: a process that starts has read the number of lanes, and stores its subscription when it
// has changed. What is published comes to lanes that there are.
func TestSubscribingWhileLanesChange(t *testing.T) {
	t.Parallel()
	db := relaned(t)
	changed, started := make(chan error, 1), make(chan error, 1)
	e := outbox.NewEngine(db, outbox.Config{Logger: slog.New(slog.DiscardHandler)}, outbox.Consumer{
		Destination: "group", Topics: []string{"test.sent", "test.new"}, Handle: func(context.Context, *outbox.Delivery) error { return nil },
	})
	urututest.Do(t, db, func(ctx context.Context) error { // as who renews leases
		if _, err := session.From(ctx).ExecContext(ctx, "UPDATE urutu_message_lane SET touched = touched"); err != nil {
			return err
		}
		go func() { changed <- outbox.Relane(db.Context(context.Background()), "group", 3) }()
		awaitLock(t, db, "LOCK TABLE urutu_message_lane")
		go func() { started <- e.Start(db.Context(context.Background())) }()
		awaitLock(t, db, "INSERT INTO urutu_message_lane")
		return nil
	})
	if err := errors.Join(<-changed, <-started); err != nil {
		t.Fatal(err)
	}
	urututest.Do(t, db, func(ctx context.Context) error {
		for i := range 32 {
			m := outbox.Outgoing{Type: message.Type{Topic: "test.new"}, ID: uuid.New(), Key: strconv.Itoa(i), Payload: []byte("{}")}
			if err := outbox.Put(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})
	if n := misplaced(t, db); n != 0 {
		t.Errorf("%d messages are in lanes that there are not", n)
	}
	if err := e.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestAnnouncingWhileLanesChange: a unit publishes the first task for a destination that there is, and is about to store the
// subscription when the number of lanes is to change. That waits for the unit, and what both leave behind agrees.
func TestAnnouncingWhileLanesChange(t *testing.T) {
	t.Parallel()
	db := relaned(t)
	for _, text := range []string{
		"CREATE FUNCTION wait_here() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NEW; END $$",
		"CREATE TRIGGER wait_here BEFORE INSERT ON urutu_message_subscription FOR EACH ROW EXECUTE FUNCTION wait_here()",
	} {
		urututest.Do(t, db, func(ctx context.Context) error {
			_, err := session.From(ctx).ExecContext(ctx, text)
			return err
		})
	}
	runs := 0
	publish := func(ctx context.Context) error {
		runs++
		task := message.Type{Topic: "group", Kind: message.Task}
		var err error
		for i := range 32 {
			err = errors.Join(err, outbox.Put(ctx, outbox.Outgoing{Type: task, ID: uuid.New(), Key: strconv.Itoa(i), Payload: []byte("{}")}))
		}
		return err
	}
	changed, published := make(chan error, 1), make(chan error, 1)
	urututest.Do(t, db, func(ctx context.Context) error {
		if _, err := session.From(ctx).ExecContext(ctx, "SELECT pg_advisory_xact_lock(4711)"); err != nil {
			return err
		}
		go func() { published <- db.Do(context.Background(), publish) }()
		awaitLock(t, db, "INSERT INTO urutu_message_subscription")
		go func() { changed <- outbox.Relane(db.Context(context.Background()), "group", 3) }()
		awaitLock(t, db, "LOCK TABLE urutu_message IN EXCLUSIVE")
		return nil
	})
	if err := errors.Join(<-changed, <-published); err != nil || runs != 1 {
		t.Errorf("after %d runs: %v", runs, err)
	}
	urututest.Do(t, db, publish)
	if n := misplaced(t, db); n != 0 {
		t.Errorf("%d messages are in lanes that there are not", n)
	}
}

// awaitLock waits until a statement waits for a lock.
func awaitLock(t *testing.T, db *session.DB, statement string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for ask(t, db, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '"+statement+"%'") == 0 {
		if time.Now().After(deadline) {
			t.Fatalf("nobody waits in %s", statement)
		}
	}
}

// TestFirstTaskOfAUnitWithOneSnapshot: leases are renewed while it works, which is no reason to run it again.
func TestFirstTaskOfAUnitWithOneSnapshot(t *testing.T) {
	t.Parallel()
	db := relaned(t)
	runs := 0
	err := db.Do(t.Context(), func(ctx context.Context) error {
		if runs++; runs == 1 {
			if _, err := session.From(ctx).ExecContext(ctx, "SELECT count(*) FROM urutu_message"); err != nil {
				return err
			}
			ask(t, db, "WITH u AS (UPDATE urutu_message_lease SET until = until + 1 RETURNING 1) SELECT count(*) FROM u")
		}
		task := message.Type{Topic: "group", Kind: message.Task} // whose destination there is
		return outbox.Put(ctx, outbox.Outgoing{Type: task, ID: uuid.New(), Key: "key", Payload: []byte("{}")})
	}, uow.Options{Isolation: uow.RepeatableRead})
	if err != nil || runs != 1 {
		t.Errorf("after %d runs: %v", runs, err)
	}
}

// TestDelayedForWhoHasUnsubscribed: a unit with one snapshot publishes for later, and the subscription has ended since it
// was taken. Nothing waits for a destination that does not want it.
func TestDelayedForWhoHasUnsubscribed(t *testing.T) {
	t.Parallel()
	db := relaned(t)
	runs := 0
	err := db.Do(t.Context(), func(ctx context.Context) error {
		if runs++; runs == 1 {
			if _, err := session.From(ctx).ExecContext(ctx, "SELECT count(*) FROM urutu_message"); err != nil {
				return err
			}
			o := outbox.NewOperator(db, outbox.OperatorConfig{Logger: slog.New(slog.DiscardHandler)})
			if err := o.Unsubscribe(context.Background(), "group", "test.sent"); err != nil {
				return err
			}
		}
		m := outbox.Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.New(), Payload: []byte("{}"), Delay: time.Hour}
		return outbox.Put(ctx, m)
	}, uow.Options{Isolation: uow.RepeatableRead})
	if n := ask(t, db, "SELECT count(*) FROM urutu_message_delayed"); err != nil || n != 0 || runs != 2 {
		t.Errorf("after %d runs %d messages wait: %v", runs, n, err)
	}
}
