package outbox_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/pgxdriver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
	"github.com/urutu-go/urutu/urututest"
)

// TestDurable: where a crash can undo a commit, a message that was published with it is refused if the connection asks
// for that, and warned of otherwise; the unit goes on without it.
func TestDurable(t *testing.T) {
	t.Parallel()
	sqlite := func(t *testing.T) string {
		t.Helper()
		file, _, _ := strings.Cut(urututest.URL(t, urututest.InSQLite), "?")
		return file
	}
	postgres := func(t *testing.T) string {
		t.Helper()
		url := urututest.URL(t, urututest.InPostgres)
		if strings.Contains(url, "?") {
			return url + "&"
		}
		return url + "?"
	}
	for name, at := range map[string]struct {
		url  func(t *testing.T) string
		more string
		safe bool
	}{
		"sqlite full":            {url: sqlite, safe: true},
		"sqlite normal":          {url: sqlite, more: "?synchronous=normal"},
		"postgres on":            {url: postgres, more: "synchronous_commit=on", safe: true},
		"postgres off":           {url: postgres, more: "synchronous_commit=off"},
		"postgres, primary only": {url: postgres, more: "synchronous_commit=local", safe: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := at.url(t) + at.more
			for _, durable := range []bool{false, true} {
				var log bytes.Buffer
				db, err := session.Open(t.Context(), session.Config{
					URL: url, Drivers: []driver.Driver{sqlitedriver.New(), pgxdriver.New()}, Durable: durable, PoolSize: 2,
					Logger: slog.New(slog.NewTextHandler(&log, nil)),
				})
				if err != nil {
					t.Fatal(err)
				}
				err = db.Install(t.Context(), outbox.Component())
				urututest.Do(t, db, func(ctx context.Context) error {
					if strings.HasPrefix(name, "postgres") { // what a unit does to its own commit says nothing of others
						_, set := session.From(ctx).ExecContext(ctx, "SET LOCAL synchronous_commit = "+map[bool]string{true: "off", false: "on"}[at.safe])
						err = errors.Join(err, set)
					}
					put := outbox.Put(ctx, outbox.Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.New()})
					if refused := errors.Is(put, fault.Misconfigured); refused != (durable && !at.safe) || !refused && put != nil {
						t.Errorf("durable %v: %v", durable, put)
					}
					return nil
				})
				if warned := strings.Contains(log.String(), "do not wait for the disk"); warned != (!durable && !at.safe) {
					t.Errorf("durable %v: the log has %q", durable, log.String())
				}
				if durable && !at.safe {
					e := outbox.NewEngine(db, outbox.Config{}, outbox.Consumer{Destination: "group"})
					if err := e.Start(t.Context()); !errors.Is(err, fault.Misconfigured) {
						t.Errorf("a worker starts: %v", err)
					}
				}
				if err := errors.Join(err, db.Close()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
