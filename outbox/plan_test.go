package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/internal/faultdriver"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/pgxdriver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
	"github.com/urutu-go/urutu/urututest"
)

// planRows is how many messages the table has: those that a merge waits for, or as many as URUTU_PLAN_ROWS says.
func planRows(t *testing.T) int {
	if text := os.Getenv("URUTU_PLAN_ROWS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 100_000 {
			t.Fatalf("URUTU_PLAN_ROWS: %q is no number from 100000 on", text)
		}
		return n
	}
	return 200_000
}

const (
	// touchLimit is how many rows a statement may look at, and sortLimit how many it may sort. An engine asks for some
	// thousand messages at most, whatever is in the table.
	touchLimit = 25_000
	sortLimit  = 5_000
	// failedRows is how many messages have failed: an operator looks at them, so that they are thousands, not millions.
	failedRows = 2_000
)

// grown are the tables that have no bound: what waits, what has failed, what came from elsewhere.
var grown = []string{"urutu_message", "urutu_message_retry", "urutu_message_delayed", "urutu_message_inbox"}

// TestPlansOfEveryStatement: on a table of many messages, everything that an engine and a publisher send, the question how far
// behind they are, and what an operator does to delayed messages, is answered from an index, and looks at no more rows than it
// asks for: whatever the planner knows of the table, and whether or not it plans for these arguments.
func TestPlansOfEveryStatement(t *testing.T) {
	t.Parallel()
	for _, d := range urututest.Databases() {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			p := newPlanned(t, d)
			n := planRows(t)
			if d == urututest.InSQLite {
				n = min(n, 50_000) // its plans do not depend on what it does not know
			}
			p.fill(n)
			p.record()
			for _, statistics := range []string{"of an empty table", "of the table as it is"} {
				t.Run(statistics, func(t *testing.T) {
					for _, sql := range slices.Sorted(maps.Keys(p.sent.list)) {
						for _, st := range p.sent.list[sql] {
							p.explain(t, &st)
						}
					}
				})
				p.exec("ANALYZE")
			}
		})
	}
}

// planned is a database with many messages, and what was sent to it.
type planned struct {
	*testing.T
	db       *session.DB
	url      string
	recorder *faultdriver.Driver
	postgres bool
	sent     sentTo
	handled  atomic.Int64
	plans    int // that were asked for
}

func newPlanned(t *testing.T, d urututest.Database) *planned {
	p := &planned{T: t, postgres: d == urututest.InPostgres, sent: sentTo{list: map[string]*[3]driver.Statement{}, direct: map[string]bool{}}}
	real := sqlitedriver.New()
	if p.postgres {
		real = pgxdriver.New()
	}
	p.recorder, p.url = faultdriver.New(real), urututest.URL(t, d)
	db, err := session.Open(t.Context(), session.Config{
		URL: p.url, Drivers: []driver.Driver{p.recorder}, PoolSize: 6, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	p.db = db
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Install(t.Context(), Component()); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *planned) exec(texts ...string) {
	p.Helper()
	for _, text := range texts {
		urututest.Do(p, p.db, func(ctx context.Context) error {
			_, err := session.From(ctx).ExecContext(ctx, text)
			return err
		})
	}
}

// engineSends is part of each of the statements that an engine must have sent before it has done everything that there is.
var engineSends = []string{
	"m.id > ", "m.id <= ", "SELECT DISTINCT r.dest", ".next_at <= ", "min(r.next_at)", "INSERT INTO urutu_message_retry", "DELETE FROM urutu_message ",
	"DELETE FROM urutu_message_retry", "FROM urutu_message_delayed", "DELETE FROM urutu_message_inbox", "INSERT INTO urutu_message_inbox",
	"UPDATE urutu_message_lane", "UPDATE urutu_message_lease", "INSERT INTO urutu_message_worker", "AS first",
	"m.topic = ", "OR m.topic ", // what was left of a topic, and around it
	"SELECT m.dest, m.lane, m.id FROM", // scouts
}

// planTopic is that of all messages; with the other one beside it, a part of them is left in the table at a time.
const planTopic, otherTopic = "test.planned", "test.other"

// engine handles messages, of which some fail, and sends them.
func (p *planned) engine() *Engine {
	e := NewEngine(p.db, Config{Logger: slog.New(slog.DiscardHandler)},
		Consumer{
			Destination: "handled", Topics: []string{planTopic, otherTopic}, Limits: map[string]int{planTopic: 8, otherTopic: 1},
			Retry: func(string) Retry { return Retry{Pause: time.Millisecond} },
			Handle: func(ctx context.Context, d *Delivery) error {
				n := p.handled.Add(1)
				return p.db.Do(ctx, func(ctx context.Context) error {
					if err := d.Acknowledge(ctx); err != nil || n%7 > 0 {
						return err
					}
					return errors.New("it fails")
				})
			},
		},
		Consumer{Destination: "sent", Topics: []string{planTopic}, Send: func(context.Context, []*Delivery) []error { return nil }})
	e.timing.purge, e.timing.tick, e.timing.scout = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	return e
}

// fill fills the tables for both destinations. The statistics are those of empty tables afterwards.
func (p *planned) fill(n int) {
	p.Helper()
	e := p.engine()
	if err := errors.Join(e.Start(p.Context()), e.Stop(p.Context())); err != nil {
		p.Fatal(err)
	}
	p.exec("ANALYZE")
	series := "(WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < %d) SELECT i FROM s) s"
	id, at, lane, bytes := "randomblob(16)", "CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)", "0", "CAST('{\"e\":1,\"v\":1}' AS BLOB)"
	hour := "3600000000"
	if p.postgres {
		series = "(SELECT i FROM generate_series(1, %d) AS i) s"
		id, at, lane, bytes = "gen_random_uuid()", "now()", "((i %% 1024 * 7919 %% 1024) * 16) >> 10", `'{"e":1,"v":1}'::bytea`
		hour = "interval '1 hour'"
		for _, table := range grown {
			p.exec("ALTER TABLE " + table + " SET (autovacuum_enabled = false)")
		}
	}
	dest := "(SELECT id FROM urutu_message_destination WHERE name = CASE i %% 2 WHEN 0 THEN 'handled' ELSE 'sent' END)"
	of := func(text string, n int) string { return fmt.Sprintf(text+" FROM "+series, n) }
	contents := "i %% 1024 * 7919 %% 1024, " + id + ", '" + planTopic + "', CASE i %% 3 WHEN 0 THEN NULL ELSE 'key-' || (i %% 1024 * 7919 %% 1024) || '-' || i %% 50 END, " +
		bytes + ", " + bytes + ", " + at
	if p.postgres {
		contents = strings.Replace(contents, "i %% 1024 * 7919 %% 1024,", "(i %% 1024 * 7919 %% 1024)::smallint,", 1)
	}
	p.exec(
		of("INSERT INTO urutu_message (dest, lane, "+content+") SELECT "+dest+", "+lane+", "+contents, n),
		of("INSERT INTO urutu_message_delayed (dest, deliver_at, once, "+content+") SELECT "+dest+", "+at+" + (i - 1000) * "+hour+", NULL, "+contents, n/4),
		of("INSERT INTO urutu_message_inbox (dest, msg_id, at) SELECT "+dest+", "+id+", "+at+" - (i %% 400) * "+hour, n/4),
		// Those that have failed are all over the table; half of them are parked.
		fmt.Sprintf("INSERT INTO urutu_message_retry (dest, lane, id, topic, key, attempts, next_at, parked, reason, last_error, failed_at)"+
			" SELECT dest, lane, id, topic, key, 1, created_at, id / %[1]d %% 2 = 0, 'error', 'it fails', created_at FROM urutu_message WHERE id %% %[1]d = 0",
			n/failedRows),
	)
}

// record has an engine, a publisher and an operator work for a while, and keeps what they send.
func (p *planned) record() {
	p.Helper()
	p.recorder.Inject(func(s *driver.Script) faultdriver.Fault {
		direct := false
		for _, st := range s.Statements {
			direct = direct || strings.Contains(st.SQL, "'enable_seqscan', 'off'")
			if direct && s.Begin == nil && !strings.HasPrefix(st.SQL, "SELECT ") { // the driver has it begin another transaction
				p.Errorf("what is said of plans does not hold for: %s", st.SQL)
			}
			if strings.Contains(st.SQL, messageTable) {
				p.sent.keep(st, direct)
			}
		}
		return nil
	})
	e := p.engine()
	if err := e.Start(p.Context()); err != nil {
		p.Fatal(err)
	}
	for i := range 3 {
		p.publish(i)
	}
	_, err := Receive(p.db.Context(p.Context()), "handled", []Incoming{{ID: uuid.New(), Topic: planTopic, Key: "key", Payload: []byte("{}")}, {ID: uuid.New(), Topic: planTopic, Payload: []byte("{}")}})
	if err != nil {
		p.Fatal(err)
	}
	for deadline := time.Now().Add(4 * time.Minute); p.handled.Load() < 500 || p.sent.missing(engineSends) != ""; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.Fatalf("%d messages were handled, and nobody has sent: %s", p.handled.Load(), p.sent.missing(engineSends))
		}
		p.crowd()
	}
	p.operate()
	ctx, cancel := context.WithTimeout(p.Context(), 30*time.Second)
	defer cancel()
	if err := e.Stop(ctx); err != nil {
		p.Fatal(err)
	}
	p.recorder.Inject(nil)
}

// crowd publishes more than is handled meanwhile, so that a topic has no room.
func (p *planned) crowd() {
	p.Helper()
	urututest.Do(p, p.db, func(ctx context.Context) error {
		for range 100 {
			if err := Put(ctx, Outgoing{Type: message.Type{Topic: planTopic}, ID: uuid.New(), Payload: []byte("{}")}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *planned) publish(i int) {
	p.Helper()
	urututest.Do(p, p.db, func(ctx context.Context) error {
		for j := range 2 + i {
			m := Outgoing{Type: message.Type{Topic: planTopic}, ID: uuid.New(), Key: fmt.Sprint("key-", j), Payload: []byte("{}")}
			if err := Put(ctx, m); err != nil {
				return err
			}
		}
		for j := range 2 * 4 {
			m := Outgoing{
				Type: message.Type{Topic: planTopic}, ID: uuid.New(), At: time.Now().Add(time.Hour), Once: "once", Payload: []byte("{}"),
				Again: Again{Payload: j >= 4, Time: Time(j % 4)},
			}
			if err := Put(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})
}

// operate asks how far behind the lanes are, and does everything to what waits for its time. What else an operator asks is
// about what has failed, and nobody waits for it.
func (p *planned) operate() {
	p.Helper()
	o := NewOperator(p.db, OperatorConfig{Logger: slog.New(slog.DiscardHandler)})
	if _, err := o.Lags(p.Context()); err != nil {
		p.Fatal(err)
	}
	now := time.Now()
	var ids []int64
	soon := DelayedFilter{Destination: "sent", From: now.Add(100 * time.Hour), Until: now.Add(1000 * time.Hour)}
	for _, f := range []DelayedFilter{{}, {From: now.Add(1000 * time.Hour)}, {Until: now.Add(time.Hour)}, soon, {Topic: otherTopic}, {Key: "none"}, {Once: "once"}} {
		list, next, err := o.ListDelayed(p.Context(), f, Page{})
		if err == nil && next != "" {
			_, _, err = o.ListDelayed(p.Context(), f, Page{After: next})
		}
		if err != nil {
			p.Fatal(err)
		}
		for _, m := range list {
			ids = append(ids, m.ID)
		}
	}
	if _, err := o.ShowDelayed(p.Context(), ids[0]); err != nil {
		p.Fatal(err)
	}
	for _, change := range []func(context.Context, DelayedFilter) (int, error){o.DeliverNow, o.Cancel} {
		for _, f := range []DelayedFilter{{IDs: ids}, {Destination: soon.Destination, Topic: planTopic, From: soon.From, Until: soon.Until}, {Once: "once"}} {
			if _, err := change(p.Context(), f); err != nil {
				p.Fatal(err)
			}
		}
	}
}
