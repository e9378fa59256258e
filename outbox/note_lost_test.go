package outbox

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/urututest"
)

// NoteAll notes a failure of every message.
const NoteAll = "INSERT INTO urutu_message_retry (dest, lane, id, topic, key, attempts, next_at, parked, reason, last_error, failed_at)" +
	" SELECT dest, lane, id, topic, key, 1, created_at, true, 'refused', '', created_at FROM urutu_message"

// notes returns a database, a consumer's engine on it, and a way to put messages of one key and to ask for a number.
func notes(t *testing.T, c Consumer) (db *session.DB, e *Engine, put func(payload string), ask func(text string) int) {
	t.Helper()
	db = urututest.Open(t, urututest.Config{Database: urututest.InPostgres, Session: session.Config{PoolSize: 8}})
	if err := db.Install(t.Context(), Component()); err != nil {
		t.Fatal(err)
	}
	c.Destination, c.Topics = "group", []string{"test.sent"}
	e = NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)}, c)
	e.timing.tick, e.timing.purge, e.timing.sweep = 10*time.Millisecond, 50*time.Millisecond, time.Hour
	put = func(payload string) {
		urututest.Do(t, db, func(ctx context.Context) error {
			return Put(ctx, Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.New(), Key: "key", Payload: []byte(payload)})
		})
	}
	ask = func(text string) (n int) {
		urututest.Do(t, db, func(ctx context.Context) error { return session.From(ctx).QueryRowContext(ctx, text).Scan(&n) })
		return n
	}
	return db, e, put, ask
}

func started(t *testing.T, e *Engine) {
	t.Helper()
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
}

func execute(t *testing.T, db *session.DB, text string) {
	t.Helper()
	urututest.Do(t, db, func(ctx context.Context) error {
		_, err := session.From(ctx).ExecContext(ctx, text)
		return err
	})
}

// TestNotesOfWhatIsGoneAreForgotten: a handler whose unit has one snapshot loses its lane, the next owner notes a failure,
// and then the first commits. The note would hold back the key for ever.
func TestNotesOfWhatIsGoneAreForgotten(t *testing.T) {
	t.Parallel()
	inHand, goOn, second := make(chan struct{}), make(chan struct{}), make(chan struct{})
	calls := 0
	var db *session.DB
	db, e, put, ask := notes(t, Consumer{
		Retry: func(string) Retry { return Retry{Attempts: -1, Pause: time.Hour, MaxPause: time.Hour} },
		Handle: func(ctx context.Context, d *Delivery) error {
			if string(d.Payload) == "second" {
				defer close(second)
				return db.Do(ctx, d.Acknowledge)
			}
			if calls++; calls > 1 {
				return errors.New("fails at the new owner")
			}
			return db.Do(ctx, func(ctx context.Context) error {
				_, err := session.From(ctx).ExecContext(ctx, "SELECT count(*) FROM urutu_message")
				close(inHand)
				<-goOn
				return errors.Join(err, d.Acknowledge(ctx))
			}, uow.Options{Isolation: uow.RepeatableRead})
		},
	})
	started(t, e)
	put("first")
	<-inHand
	// Somebody else takes the lanes, as after a pause of the process, which takes them back at once.
	execute(t, db, "UPDATE urutu_message_lane SET owner = gen_random_uuid(), epoch = epoch + 1")
	execute(t, db, "UPDATE urutu_message_lease SET until = 1")
	await(t, "the failure is noted", func() bool { return ask("SELECT count(*) FROM urutu_message_retry") == 1 })
	close(goOn)
	await(t, "the first unit has committed", func() bool { return ask("SELECT count(*) FROM urutu_message") == 0 })
	put("second")
	select {
	case <-second:
	case <-time.After(20 * time.Second):
		t.Errorf("the key is held back by %d notes without a message", ask("SELECT count(*) FROM urutu_message_retry"))
	}
}

// TestNoteWhoseAnswerIsLost: it was written, and then nothing can be written for a moment. It goes with its message.
func TestNoteWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	calls := 0
	var db *session.DB
	db, e, put, ask := notes(t, Consumer{Handle: func(ctx context.Context, d *Delivery) error {
		if calls++; calls == 1 {
			execute(t, db, NoteAll) // the first try, of which nobody hears
			return errors.New("it fails")
		}
		return db.Do(ctx, d.Acknowledge)
	}})
	e.timing.purge = time.Hour
	execute(t, db, "CREATE SEQUENCE tries")
	execute(t, db, "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"+
		" IF nextval('tries') = 2 THEN RAISE EXCEPTION 'read only' USING ERRCODE = '25006'; END IF; RETURN NEW; END $$")
	execute(t, db, "CREATE TRIGGER refuse BEFORE INSERT ON urutu_message_retry FOR EACH ROW EXECUTE FUNCTION refuse()")
	started(t, e)
	put("first")
	await(t, "it is handled", func() bool { return ask("SELECT count(*) FROM urutu_message") == 0 })
	if n := ask("SELECT count(*) FROM urutu_message_retry"); n != 0 || calls != 2 {
		t.Errorf("after %d calls there are %d notes without a message", calls, n)
	}
}

// TestDeletionThatCollides: a broker has taken a message, and its deletion collides with others again and again. That is no
// failure of the message.
func TestDeletionThatCollides(t *testing.T) {
	t.Parallel()
	sent := make(chan string, 16)
	db, e, put, ask := notes(t, Consumer{
		Retry: func(string) Retry { return Retry{Attempts: 1} },
		Send: func(_ context.Context, batch []*Delivery) []error {
			for _, d := range batch {
				sent <- string(d.Payload)
			}
			return nil
		},
	})
	execute(t, db, "CREATE SEQUENCE tries")
	execute(t, db, "CREATE FUNCTION collide() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"+
		" IF nextval('tries') < 8 THEN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END IF; RETURN OLD; END $$")
	execute(t, db, "CREATE TRIGGER collide BEFORE DELETE ON urutu_message FOR EACH ROW EXECUTE FUNCTION collide()")
	execute(t, db, "CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM setval('failed', 2); RETURN NEW; END $$")
	execute(t, db, "CREATE SEQUENCE failed")
	execute(t, db, "CREATE TRIGGER never BEFORE INSERT ON urutu_message_retry FOR EACH ROW EXECUTE FUNCTION never()")
	started(t, e)
	put("first")
	<-sent
	await(t, "it is deleted", func() bool { return ask("SELECT count(*) FROM urutu_message") == 0 })
	put("second")
	for got := <-sent; got != "second"; got = <-sent {
		continue
	}
	if n := ask("SELECT last_value FROM failed"); n != 1 {
		t.Error("a failure was noted of a message that has arrived")
	}
}
