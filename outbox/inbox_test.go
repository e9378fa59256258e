package outbox

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/internal/faultdriver"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/pgxdriver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
	"github.com/urutu-go/urutu/urututest"
)

// TestInboxIsForgottenByItsAge: what came from elsewhere long ago is forgotten, and what came just now is not, by a process
// whose clock is a month ahead.
func TestInboxIsForgottenByItsAge(t *testing.T) {
	t.Parallel()
	for _, d := range urututest.Databases() {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			real := sqlitedriver.New()
			if d == urututest.InPostgres {
				real = pgxdriver.New()
			}
			faults := faultdriver.New(real)
			db, err := session.Open(t.Context(), session.Config{
				URL: urututest.URL(t, d), Drivers: []driver.Driver{faults}, Logger: slog.New(slog.DiscardHandler),
				Clock: func() time.Time { return time.Now().Add(30 * 24 * time.Hour) },
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
			forgetsTheOld(t, db, faults)
		})
	}
}

func forgetsTheOld(t *testing.T, db *session.DB, faults *faultdriver.Driver) {
	t.Helper()
	if err := db.Install(t.Context(), Component()); err != nil {
		t.Fatal(err)
	}
	purged := make(chan struct{})
	faults.Inject(func(s *driver.Script) faultdriver.Fault {
		for _, st := range s.Statements {
			if strings.HasPrefix(st.SQL, "DELETE FROM urutu_message_inbox") {
				select {
				case purged <- struct{}{}:
				default:
				}
			}
		}
		return nil
	})
	e := NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)}, Consumer{
		Destination: "group", Topics: []string{"test.sent"}, Handle: func(ctx context.Context, d *Delivery) error { return db.Do(ctx, d.Acknowledge) },
	})
	e.timing.purge, e.timing.tick = 10*time.Millisecond, 10*time.Millisecond
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	message := Incoming{ID: uuid.New(), Topic: "test.sent", Payload: []byte("x")}
	receive := func(want int) {
		t.Helper()
		if fresh, err := Receive(db.Context(t.Context()), "group", []Incoming{message}); err != nil || fresh != want {
			t.Errorf("%d are new, %v", fresh, err)
		}
	}
	// Whoever has begun by now may not see what is there. The one after the next begins when the next one has ended.
	wait := func() {
		t.Helper()
		for range 3 {
			select {
			case <-purged:
			case <-time.After(20 * time.Second):
				t.Fatal("nobody forgets anything")
			}
		}
	}
	receive(1)
	wait()
	receive(0)
	urututest.Do(t, db, func(ctx context.Context) error {
		_, err := session.From(ctx).ExecContext(ctx, "UPDATE urutu_message_inbox SET at = '2020-01-01 00:00:00.000000+00:00'")
		return err
	})
	wait()
	receive(1)
	if err := e.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
