package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/urutu-go/urutu/outbox"
)

// queuesForTest are the queues that are compared.
var queuesForTest = map[string]func(context.Context, string, *desk) (queue, error){
	"urutu": openUrutuQueue, "river": openRiver, "later": openRiverLater, "apart": openApart, "polling": openPolling,
}

// TestQueuesAgree: what is compared does the same work. Every message of a unit is handled once, and writes its row.
// One after the other: each opens as many connections as the command does.
func TestQueuesAgree(t *testing.T) {
	const n = 20
	for name, open := range queuesForTest {
		t.Run(name, func(t *testing.T) {
			db, d, q := queueForTest(t, name, open)
			for _, idle := range []bool{false, true} {
				if _, err := backlog(t.Context(), q, d, n, idle, db.customer); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := together(t.Context(), q, d, n); err != nil {
				t.Fatal(err)
			}
			var got string
			err := db.conn.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM customers) || ' customers, ' ||
				(SELECT count(*) FROM orders) || ' presents, ' || (SELECT count(DISTINCT customer_id) FROM orders) || ' receivers'`).Scan(&got)
			if want := fmt.Sprintf("%d customers, %d presents, %d receivers", n+1, 2*n, n+1); got != want || err != nil {
				t.Errorf("%s, %v; want %s", got, err, want)
			}
		})
	}
}

// queueForTest opens a queue in a database of its own until the test ends.
func queueForTest(tb testing.TB, schema string, open func(context.Context, string, *desk) (queue, error)) (*database, *desk, queue) {
	tb.Helper()
	db := forTest(tb, nil)
	if err := db.addSchema(tb.Context(), schema); err != nil {
		tb.Fatal(err)
	}
	d := &desk{}
	q, err := open(tb.Context(), db.url(schema, true), d)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := q.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db, d, q
}

// TestDrainsEmpty: a drain sends every message and leaves none behind.
func TestDrainsEmpty(t *testing.T) {
	t.Parallel()
	db := forTest(t, nil)
	if err := db.addSchema(t.Context(), "drain"); err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]drained{
		"urutu":     {open: openUrutuOutbox, url: db.url("drain", true)},
		"watermill": {open: openWatermill, url: db.url("drain", true)},
		"sqlite":    {open: openUrutuOutbox, url: "sqlite:///" + filepath.Join(t.TempDir(), "drain.db")},
	} {
		o, err := d.open(t.Context(), d.url)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // what the first drain left would be sent by the second one
			if err := o.Fill(t.Context(), 1500, 7); err != nil {
				t.Fatal(err)
			}
			if _, err := o.Drain(t.Context(), 1500); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if u, ok := o.(*urutuOutbox); ok {
			lags, err := outbox.NewOperator(u.db, outbox.OperatorConfig{}).Lags(t.Context())
			if err != nil || len(lags) == 0 || !lags[0].Oldest.IsZero() {
				t.Errorf("%s: %+v, %v", name, lags, err)
			}
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestMessagesAreMeasured: every measure works, and says something.
func TestMessagesAreMeasured(t *testing.T) {
	l := quickLoad()
	l.dir, l.say = t.TempDir(), t.Logf
	m, err := measureMessages(t.Context(), &l)
	if err != nil {
		t.Fatal(err)
	}
	text := m.tables()
	t.Log(text)
	for _, want := range []string{
		"River ≥ 1.5", "| ≥ 150,000 ", "Watermill ≥ 3", "p50 ≤ 3 ms", "p99 ≤ 15 ms", "p50 ≤ 30 ms", "≤ 10 %", "with a key ≤ 15 %", "≤ 6 s",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the tables lack %q", want)
		}
	}
}

// TestXminIsMeasured holds a snapshot for a minute while messages are handled.
func TestXminIsMeasured(t *testing.T) {
	t.Parallel()
	db := forTest(t, nil)
	got, err := measureXmin(t.Context(), time.Minute, db, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Rows) != 2+xminWindows || len(got.Rows[xminWindows].Goals) != 3 {
		t.Errorf("%+v", got)
	}
	for _, r := range got.Rows {
		if r.Figures[0] == "0" {
			t.Errorf("%s: nothing was handled", r.Name)
		}
	}
}

func TestMessageTables(t *testing.T) {
	t.Parallel()
	m := &messages{Version: "15", Tables: []table{
		{Title: "a", Columns: []string{"b"}, Rows: []row{
			{Name: "c", Figures: []string{"1"}, Goals: []goal{atLeast("≥ %s", 2, 3), atMost("≤ %s", 2, 3)}},
			{Name: "d", Figures: []string{"2"}},
		}},
		{Title: "e", Columns: []string{"f", "g"}, Rows: []row{{Name: "h", Figures: []string{"3", "4"}}}},
	}}
	_, got, _ := strings.Cut(m.tables(), "\n")
	want := `
### a

| | b | bars |
|---|--:|---|
| c | 1 | ≥ 3 ✗, ≤ 3 ✓ |
| d | 2 | |

### e

| | f | g |
|---|--:|--:|
| h | 3 | 4 |
`
	if got != want {
		t.Errorf("the tables are\n%s", got)
	}
}

func TestRates(t *testing.T) {
	t.Parallel()
	r := rates{{3000, 3300}, {1500, 1100}}
	if got := r.figures(); !slices.Equal(got, []string{"3,150", "1,300; 2.50 (2.25–2.75)"}) {
		t.Error(got)
	}
	if got := r.over(1); got.Median > -58 || got.Median < -59 {
		t.Error(got)
	}
	for v, want := range map[float64]string{0.4: "0", 999.4: "999", 1000: "1,000", 150_000: "150,000", 1_234_567: "1,234,567"} {
		if got := thousands(v); got != want {
			t.Errorf("thousands(%v) = %s", v, got)
		}
	}
	for q, want := range map[float64]time.Duration{0: time.Second, 0.5: 3 * time.Second, 0.99: 4 * time.Second} {
		if got := percentile([]float64{4, 1, 3, 2}, q); got != want {
			t.Errorf("percentile %v is %v", q, got)
		}
	}
}

// TestLags: a handler that begins before its publisher has heard of the commit begins at once.
func TestLags(t *testing.T) {
	t.Parallel()
	d := &desk{}
	turn := d.open(2, true)
	turn.committed[0].Store(int64(time.Second))
	turn.handled[0].Store(int64(3 * time.Second))
	turn.committed[1].Store(int64(time.Second))
	if got := turn.lags(); !slices.Equal(got, []float64{2, 0}) {
		t.Error(got)
	}
}

// BenchmarkQueue is a unit that publishes, and the handler of its message, by each queue. The command compares them better.
func BenchmarkQueue(b *testing.B) {
	for _, name := range []string{"urutu", "river", "later"} {
		b.Run(name, func(b *testing.B) {
			_, d, q := queueForTest(b, name, queuesForTest[name])
			b.ResetTimer()
			if _, err := together(b.Context(), q, d, b.N); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkDrain is one message of a backlog that is sent to a broker that takes everything.
func BenchmarkDrain(b *testing.B) {
	db := forTest(b, nil)
	if err := db.addSchema(b.Context(), "drain"); err != nil {
		b.Fatal(err)
	}
	for name, url := range map[string]string{"postgres": db.url("drain", true), "sqlite": "sqlite:///" + filepath.Join(b.TempDir(), "drain.db")} {
		b.Run(name, func(b *testing.B) {
			o, err := openUrutuOutbox(b.Context(), url)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = o.Close() }()
			if err := o.Fill(b.Context(), b.N, 0); err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			if _, err := o.Drain(b.Context(), b.N); err != nil {
				b.Fatal(err)
			}
		})
	}
}
