//go:build unix

package chaos

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

// handling is what was handled of each key, wherever the messages were.
type handling struct {
	mu   sync.Mutex
	seqs map[string][]int64
	n    int
}

// worker works on a database until the function that it returns is called. The messages of the key "parked" fail for good.
func (h *handling) worker(t *testing.T, db *session.DB) (stop func()) {
	t.Helper()
	b := bus.New(db, bus.Config{Logger: slog.New(slog.DiscardHandler)})
	bus.Handle(b, func(ctx context.Context, m Follow) error {
		if m.Event.Key == "parked" {
			return bus.Permanent(errHandler)
		}
		if i, _ := bus.Current(ctx); m.Seq%7 == 3 && i.Failures == 0 {
			return errHandler
		}
		return uow.AfterCommit(ctx, func(context.Context) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.seqs[m.Event.Key] = append(h.seqs[m.Event.Key], m.Seq)
			h.n++
			return nil
		})
	}, bus.Handler{Retry: retry})
	w := b.Worker()
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := w.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func (h *handling) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.n
}

// wait waits until so many were handled.
func (h *handling) wait(t *testing.T, n int) {
	t.Helper()
	last, since := -1, time.Now()
	for h.count() < n {
		if got := h.count(); got != last {
			last, since = got, time.Now()
		}
		if time.Since(since) > 20*time.Second {
			t.Fatalf("%d of %d were handled, and nothing happens", last, n)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

const dumpKeys, dumpEach = 8, 20

// publish publishes the next messages of each key, a later one without a key, and one that cannot be handled.
func (h *handling) publish(t *testing.T, db *session.DB, from int64) {
	t.Helper()
	for seq := from; seq < from+dumpEach; seq++ {
		err := db.Do(t.Context(), func(ctx context.Context) error {
			for k := range dumpKeys {
				if err := bus.Publish(ctx, Follow{Event{Key: fmt.Sprint("key", k), Seq: seq}}); err != nil {
					return err
				}
			}
			return bus.Publish(ctx, Follow{Event{Seq: seq}}, bus.Options{Delay: 300 * time.Millisecond})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := bus.Publish(db.Context(t.Context()), Follow{Event{Key: "parked", Seq: from}}); err != nil {
		t.Fatal(err)
	}
}

const dumpRound = (dumpKeys + 1) * dumpEach

// TestDumpAndRestore: a database is moved while messages wait, have failed and are parked: on a server that has counted
// more transactions than the next one, and back. Nothing is lost, done again or in another order, and nothing stalls.
func TestDumpAndRestore(t *testing.T) {
	t.Run("postgres", func(t *testing.T) {
		old, fresh := newCluster(t), newCluster(t)
		burn(t, old, 30_000)
		moved(t, old.URL(), func() string { restore(t, old, fresh.URL()); return fresh.URL() }, func() string {
			second := "postgres://urutu@127.0.0.1:%d/second?sslmode=disable"
			program(t, old, "createdb", "--maintenance-db="+old.URL(), "second")
			restore(t, fresh, fmt.Sprintf(second, old.port))
			return fmt.Sprintf(second, old.port)
		})
	})
	t.Run("sqlite", func(t *testing.T) {
		dir := t.TempDir()
		url := func(name string) string { return "sqlite:///" + filepath.Join(dir, name) }
		copied := func(from, to string) func() string {
			return func() string {
				db, err := sql.Open("sqlite", filepath.Join(dir, from))
				if err != nil {
					t.Fatal(err)
				}
				_, err = db.ExecContext(t.Context(), "VACUUM INTO '"+filepath.Join(dir, to)+"'")
				if err := errors.Join(err, db.Close()); err != nil {
					t.Fatal(err)
				}
				return url(to)
			}
		}
		moved(t, url("first"), copied("first", "second"), copied("second", "third"))
	})
}

func opened(t *testing.T, url string) *session.DB {
	t.Helper()
	db, err := open(t.Context(), url, newLife())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// moved publishes and handles on one database after the other.
func moved(t *testing.T, url string, moves ...func() string) {
	t.Helper()
	h := &handling{seqs: map[string][]int64{}}
	db := opened(t, url)
	if err := db.Install(t.Context(), outbox.Component()); err != nil {
		t.Fatal(err)
	}
	h.publish(t, db, 1)
	stop := h.worker(t, db)
	h.wait(t, dumpRound/3)
	stop() // some are handled, some wait for another try, some for their time
	for i, move := range moves {
		h.publish(t, db, int64(i+1)*dumpEach+1)
		db = opened(t, move())
		if err := db.Install(t.Context(), outbox.Component()); err != nil {
			t.Fatal(err)
		}
		stop := h.worker(t, db)
		want := (i + 2) * dumpRound
		if i == 0 {
			want = dumpRound * 3 / 2 // the second move finds some, too
		}
		h.wait(t, want)
		stop()
	}
	h.check(t, db, len(moves)+1)
}

// check checks that every message of so many rounds was handled once, in order, and that what is parked is there.
func (h *handling) check(t *testing.T, db *session.DB, rounds int) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	var want []int64
	for i := range rounds * dumpEach {
		want = append(want, int64(i+1))
	}
	for key, list := range h.seqs {
		if key == "" {
			slices.Sort(list) // nothing is said of their order
		}
		if !slices.Equal(list, want) {
			t.Errorf("of %q were handled: %v", key, list)
		}
	}
	var left, parked int
	err := db.Do(t.Context(), func(ctx context.Context) error {
		return errors.Join(
			session.From(ctx).QueryRowContext(ctx, "SELECT count(*) FROM urutu_message").Scan(&left),
			session.From(ctx).QueryRowContext(ctx, "SELECT count(*) FROM urutu_message_retry WHERE parked").Scan(&parked))
	})
	if err != nil || left != rounds || parked != 1 {
		t.Errorf("%d messages are left, %d of them parked, want %d and 1: %v", left, parked, rounds, err)
	}
}

// burn has a server count transactions.
func burn(t *testing.T, c *Cluster, n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), c.URL())
	if err != nil {
		t.Fatal(err)
	}
	_, err = conn.Exec(t.Context(), fmt.Sprintf("DO $$ BEGIN FOR i IN 1..%d LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$", n))
	if err := errors.Join(err, conn.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// restore copies the database that a cluster begins with to an empty one.
func restore(t *testing.T, from *Cluster, to string) {
	t.Helper()
	file := filepath.Join(from.dir, "dump.sql")
	program(t, from, "pg_dump", "--file="+file, "--no-owner", from.URL())
	program(t, from, "psql", "--no-psqlrc", "--quiet", "--output=/dev/null", "--set=ON_ERROR_STOP=1", "--file="+file, to)
}

// program runs one of PostgreSQL's programs.
func program(t *testing.T, c *Cluster, name string, args ...string) {
	t.Helper()
	if said, err := c.command(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, said)
	}
}
