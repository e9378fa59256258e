package outbox_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// TestNotesDoNotOutliveTheirMessages: a failure is noted while somebody else ends the message, or takes its lane. A note
// without a message would hold back the later ones of its key for ever.
func TestNotesDoNotOutliveTheirMessages(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]string{
		// The unit of an attempt whose connection was cut commits only now.
		"it is handled": "DELETE FROM urutu_message WHERE payload = 'first'",
		// The new owner has not seen the note when it looks for messages.
		"its lane is taken": "UPDATE urutu_message_lane SET owner = gen_random_uuid(), epoch = epoch + 1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := urututest.Open(t, urututest.Config{Database: urututest.InPostgres, Session: session.Config{PoolSize: 6}})
			if err := db.Install(t.Context(), outbox.Component()); err != nil {
				t.Fatal(err)
			}
			inHand, fail := make(chan struct{}), make(chan struct{})
			taken := sync.OnceFunc(func() { close(inHand) })
			e := outbox.NewEngine(db, outbox.Config{Logger: slog.New(slog.DiscardHandler)}, outbox.Consumer{
				Destination: "group", Topics: []string{"test.sent"}, Handle: func(context.Context, *outbox.Delivery) error {
					taken()
					<-fail
					return errors.New("it fails")
				},
			})
			if err := e.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			urututest.Do(t, db, func(ctx context.Context) error {
				return outbox.Put(ctx, outbox.Outgoing{
					Type: message.Type{Topic: "test.sent"}, ID: uuid.New(), Key: "key", Payload: []byte("first"),
				})
			})
			<-inHand
			urututest.Do(t, db, func(ctx context.Context) error {
				_, err := session.From(ctx).ExecContext(ctx, meanwhile)
				close(fail)
				awaitNote(t, db)
				return err
			})
			if err := e.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			if n := ask(t, db, "SELECT count(*) FROM urutu_message_retry"); n != 0 {
				t.Errorf("%d failures are noted", n)
			}
		})
	}
}

// TestArrivedMessagesLeaveNoNotes: a broker has taken a message with which another process, which has taken the lane, has
// failed meanwhile.
func TestArrivedMessagesLeaveNoNotes(t *testing.T) {
	t.Parallel()
	urututest.Each(t, urututest.Config{Session: session.Config{PoolSize: 6}}, func(t *testing.T, db *session.DB) {
		if err := db.Install(t.Context(), outbox.Component()); err != nil {
			t.Fatal(err)
		}
		sent := make(chan struct{})
		e := outbox.NewEngine(db, outbox.Config{Logger: slog.New(slog.DiscardHandler)}, outbox.Consumer{
			Destination: "broker", Topics: []string{"test.sent"}, Send: func(context.Context, []*outbox.Delivery) []error {
				if err := db.Do(t.Context(), noteAll); err != nil {
					t.Error(err)
				}
				close(sent)
				return nil
			},
		})
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		urututest.Do(t, db, func(ctx context.Context) error {
			return outbox.Put(ctx, outbox.Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.New(), Key: "key", Payload: []byte("first")})
		})
		<-sent
		if err := e.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if n := ask(t, db, "SELECT (SELECT count(*) FROM urutu_message) + (SELECT count(*) FROM urutu_message_retry)"); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

// awaitNote waits until a failure is noted, or that has to wait.
func awaitNote(t *testing.T, db *session.DB) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for ask(t, db, "SELECT count(*) FROM urutu_message_retry") == 0 && ask(t, db, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"+
		" AND wait_event_type = 'Lock' AND query LIKE 'INSERT INTO urutu_message_retry%'") == 0 {
		if time.Now().After(deadline) {
			t.Fatal("no failure is noted")
		}
	}
}

func ask(t *testing.T, db *session.DB, query string) (n int64) {
	t.Helper()
	urututest.Do(t, db, func(ctx context.Context) error {
		return session.From(ctx).QueryRowContext(ctx, query).Scan(&n)
	})
	return n
}

func noteAll(ctx context.Context) error {
	_, err := session.From(ctx).ExecContext(ctx, outbox.NoteAll)
	return err
}
