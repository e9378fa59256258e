package outbox

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/pgxdriver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
	"github.com/urutu-go/urutu/urututest"
)

// brisk is a timing with which a dead process is missed soon.
func brisk() timing {
	t := defaults
	t.lease, t.margin, t.renew, t.tick = 600*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond, 40*time.Millisecond
	return t
}

// ledger is a worker that writes down what it has handled, in the unit that handles it.
func ledger(db *session.DB, timing timing, before func(text string)) *Engine {
	e := NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)}, Consumer{
		Destination: "group", Topics: []string{"test.sent"}, Handle: func(ctx context.Context, d *Delivery) error {
			return db.Do(ctx, func(ctx context.Context) error {
				before(string(d.Payload))
				if err := d.Acknowledge(ctx); err != nil {
					return err
				}
				_, err := session.From(ctx).ExecContext(ctx, "INSERT INTO handled (text) VALUES ('"+string(d.Payload)+"')")
				return err
			})
		},
	})
	e.timing = timing
	return e
}

func openAt(t testing.TB, url string) *session.DB {
	t.Helper()
	db, err := session.Open(t.Context(), session.Config{
		URL: url, Drivers: []driver.Driver{sqlitedriver.New(), pgxdriver.New()}, PoolSize: 4, Logger: slog.New(slog.DiscardHandler),
	})
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

// askFor returns the first column of a query as one text.
func askFor(t testing.TB, db *session.DB, query string) string {
	t.Helper()
	var list []string
	urututest.Do(t, db, func(ctx context.Context) error {
		rows, err := session.From(ctx).QueryContext(ctx, query)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				return err
			}
			list = append(list, text)
		}
		return rows.Err()
	})
	return strings.Join(list, " ")
}

const envCrash = "URUTU_TEST_CRASH"

const crashCode = 23

// TestCrashChild is the process that dies of a message, where another test has started it.
func TestCrashChild(t *testing.T) {
	url := os.Getenv(envCrash)
	if url == "" {
		return
	}
	e := ledger(openAt(t, url), brisk(), func(text string) {
		if strings.HasSuffix(text, "kill") {
			os.Exit(crashCode)
		}
		time.Sleep(10 * time.Millisecond) // the work: what is in hand with the one that kills is in hand for longer
	})
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent has what it waits for
	if err := e.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// keepRunning starts the process again whenever it dies, until stop is closed. It returns how often it died.
func keepRunning(t *testing.T, url string, stop <-chan struct{}) (deaths int) {
	for {
		cmd := exec.Command(os.Args[0], "-test.run=^TestCrashChild$") //nolint:gosec // it is this program, and lives until it is told
		cmd.Env = append(os.Environ(), envCrash+"="+url)
		in, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Error(err)
			return deaths
		}
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		select {
		case err = <-done:
		case <-stop:
			_ = in.Close()
			err = <-done
		}
		var exit *exec.ExitError
		switch {
		case err == nil:
			return deaths
		case errors.As(err, &exit) && exit.ExitCode() == crashCode:
			deaths++
		default:
			t.Error(err)
			return deaths
		}
	}
}

// ledgerAt makes a database with tables of texts, to whose messages a ledger has subscribed. The texts are numbered as they
// are written: rows lie where there was room for them, which is not in order where two connections begin with a table.
func ledgerAt(t *testing.T, database urututest.Database, tables ...string) (url string, db *session.DB) {
	t.Helper()
	url = urututest.URL(t, database)
	db = openAt(t, url)
	if err := db.Install(t.Context(), Component()); err != nil {
		t.Fatal(err)
	}
	number := "INTEGER"
	if database == urututest.InPostgres {
		number = "BIGSERIAL"
	}
	for _, table := range tables {
		urututest.Do(t, db, func(ctx context.Context) error {
			_, err := session.From(ctx).ExecContext(ctx, "CREATE TABLE "+table+" (n "+number+" PRIMARY KEY, text TEXT NOT NULL)")
			return err
		})
	}
	e := ledger(db, brisk(), func(string) {})
	if err := errors.Join(e.Start(t.Context()), e.Stop(t.Context())); err != nil {
		t.Fatal(err)
	}
	return url, db
}

// TestPromise42_MessageThatKillsItsProcess: it is parked after a number of deaths, and none of those that were in hand
// with it, which are handled once and in the order of their keys. It can be tried again, with those that wait behind it.
func TestPromise42_MessageThatKillsItsProcess(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]urututest.Database{"sqlite": urututest.InSQLite, "postgres": urututest.InPostgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, db := ledgerAt(t, database, "handled")
			urututest.Do(t, db, func(ctx context.Context) error {
				for _, text := range strings.Fields("a1 b1 c1 d1 e1 a2kill a3 b2 c2 d2 e2 f1 f2 g1 h1 i1 g2 h2 i2") {
					err := Put(ctx, Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.New(), Key: text[:1], Payload: []byte(text)})
					if err != nil {
						return err
					}
				}
				return nil
			})
			var running sync.WaitGroup
			var deaths [2]int
			stop := make(chan struct{})
			for i := range deaths {
				running.Go(func() { deaths[i] = keepRunning(t, url, stop) })
			}
			deadline := time.Now().Add(time.Minute)
			for askFor(t, db, "SELECT topic FROM urutu_message_retry WHERE parked") == "" ||
				len(strings.Fields(askFor(t, db, "SELECT topic FROM urutu_message"))) > 2 {
				if time.Now().After(deadline) {
					t.Error("it is not parked: " + askFor(t, db, "SELECT payload FROM urutu_message") + "; " + askFor(t, db, "SELECT deaths FROM urutu_message_retry"))
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
			close(stop)
			running.Wait()
			if n := deaths[0] + deaths[1]; n < maxDeaths || n > maxDeaths+4 {
				t.Errorf("the processes have died %v times", deaths)
			}
			operator := NewOperator(db, OperatorConfig{Logger: slog.New(slog.DiscardHandler)})
			list, _, err := operator.List(t.Context(), Filter{}, Page{})
			if err != nil || len(list) != 1 || list[0].State != Parked || list[0].Reason != Crashed || list[0].Failures != maxDeaths {
				t.Errorf("failed are %+v, %v", list, err)
			}
			checkHandled(t, db, "a1", "b1 b2", "c1 c2", "d1 d2", "e1 e2", "f1 f2", "g1 g2", "h1 h2", "i1 i2")
			if n, err := operator.Retry(t.Context(), Filter{Reason: Crashed}); n != 1 || err != nil {
				t.Error(n, err)
			}
			fixed := ledger(db, brisk(), func(string) {})
			if err := fixed.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			for askFor(t, db, "SELECT topic FROM urutu_message") != "" && time.Now().Before(deadline) {
				time.Sleep(10 * time.Millisecond)
			}
			if err := fixed.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			checkHandled(t, db, "a1 a2kill a3")
			if left := askFor(t, db, "SELECT topic FROM urutu_message_retry"); left != "" {
				t.Error("failures are left: " + left)
			}
		})
	}
}

// checkHandled checks what was handled of each key, in order.
func checkHandled(t *testing.T, db *session.DB, keys ...string) {
	t.Helper()
	handled := strings.Fields(askFor(t, db, "SELECT text FROM handled ORDER BY n"))
	for _, want := range keys {
		var got []string
		for _, text := range handled {
			if text[0] == want[0] {
				got = append(got, text)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("of key %c were handled %q, want %s", want[0], got, want)
		}
	}
}

// TestBrokenOffIsNoDeath: a process that stops while a suspect is in hand has not died of it.
func TestBrokenOffIsNoDeath(t *testing.T) {
	t.Parallel()
	urututest.Each(t, urututest.Config{Session: session.Config{PoolSize: 4}}, func(t *testing.T, db *session.DB) {
		if err := db.Install(t.Context(), Component()); err != nil {
			t.Fatal(err)
		}
		inHand := make(chan struct{})
		e := NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)}, Consumer{
			Destination: "group", Topics: []string{"test.sent"}, Handle: func(ctx context.Context, _ *Delivery) error {
				close(inHand)
				<-ctx.Done()
				return ctx.Err()
			},
		})
		e.timing = brisk()
		// A first process has died before it was through with the message, and a second one.
		urututest.Do(t, db, func(ctx context.Context) error {
			_, err := session.From(ctx).ExecContext(ctx, "INSERT INTO urutu_message_destination (id, name, lanes) VALUES (100, 'group', 1)")
			if err == nil {
				_, err = session.From(ctx).ExecContext(ctx, "INSERT INTO urutu_message_subscription (topic, dest, lanes) VALUES ('test.sent', 100, 1)")
			}
			if err == nil {
				_, err = session.From(ctx).ExecContext(ctx, "INSERT INTO urutu_message_lane (dest, lane, owner, epoch, touched, deaths)"+
					" VALUES (100, 0, '00000000-0000-0000-0000-000000000001', 2, 0, 1)")
			}
			if err == nil {
				_, err = session.From(ctx).ExecContext(ctx, "INSERT INTO urutu_message_lease (dest, lane, until) VALUES (100, 0, 1)")
			}
			return errors.Join(err, Put(ctx, Outgoing{Type: message.Type{Topic: "test.sent"}, ID: uuid.New(), Payload: []byte("first")}))
		})
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-inHand
		if n := askFor(t, db, "SELECT deaths FROM urutu_message_retry"); n != "1" {
			t.Errorf("noted are the deaths %q", n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := e.Stop(ctx); err == nil {
			t.Error("nothing was broken off")
		}
		if n := askFor(t, db, "SELECT deaths FROM urutu_message_retry"); n != "0" {
			t.Errorf("the deaths are %q", n)
		}
		if n := askFor(t, db, "SELECT until FROM urutu_message_lease"); n != "0" {
			t.Errorf("the lease is %q", n)
		}
	})
}
