package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sample is one comparison on each database, in which urutu takes half the time of pgx and twice that of the limit.
func sample() *bench {
	b := &bench{Version: "15"}
	for _, delay := range []time.Duration{0, time.Millisecond} {
		cs := onPostgres()
		times := make([][]time.Duration, len(cs))
		for i := range cs {
			times[i] = []time.Duration{time.Millisecond, time.Millisecond}
		}
		times[1] = []time.Duration{2 * time.Millisecond, 2 * time.Millisecond}
		times[2] = []time.Duration{time.Millisecond / 2, time.Millisecond / 2}
		r := result{Workload: "a < b", Database: "PostgreSQL", Delay: delay, Rounds: 2, Peers: figures(cs, times)}
		r.Peers[0].Trips, r.Peers[1].Trips = 1, 4
		r.Bars = bars(&r)
		b.Results = append(b.Results, r)
	}
	cs := onSQLite()
	r := result{Workload: "a < b", Database: "SQLite", Peers: figures(cs, [][]time.Duration{{10}, {10}})}
	r.Bars = bars(&r)
	b.Results = append(b.Results, r)
	return b
}

func TestTables(t *testing.T) {
	t.Parallel()
	got := sample().tables()
	for _, want := range []string{
		"| a < b | 1.0 ms | 0.50 (0.50–0.50) | 2.00 (2.00–2.00) |",
		"pipeline ≤ 1.15 ✗, pgx ≤ 0.60 ✓ |",                 // without a delay
		"pipeline ≤ 1.15 ✗, pgx ≤ 0.30 ✗ (pipeline 0.25) |", // a trip instead of four
		"database/sql ≤ 1.15 ✓ |",
		"| a < b | 1 | 4 |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the tables lack %q:\n%s", want, got)
		}
	}
}

func TestSVGIsXML(t *testing.T) {
	t.Parallel()
	text := sample().svg()
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
	}
	if n := strings.Count(text, "pgx: 0.50"); n != 2 {
		t.Errorf("pgx has %d dots, want one for each delay", n)
	}
}

func TestPageKeepsWhatIsAroundTheTables(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(path, []byte("before\n"+rowMarks.begin+"\nold\n"+rowMarks.end+"\nafter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := writePage(path, rowMarks, sample().tables()); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := "before\n" + rowMarks.begin + "\n" + sample().tables() + rowMarks.end + "\nafter\n"
	if string(text) != want {
		t.Errorf("the page is\n%s", text)
	}
}

// TestOrderIsFair: over the rounds everybody is as often before as after everybody else, and at each place.
func TestOrderIsFair(t *testing.T) {
	t.Parallel()
	const n = 7
	var behind, at [n][n]int
	for round := range 2 * n {
		turns := order(round, n)
		for place, i := range turns {
			at[i][place]++
			if place > 0 {
				behind[i][turns[place-1]]++
			}
		}
	}
	for i := range n {
		for j := range n {
			if i != j && behind[i][j] != 2 {
				t.Errorf("%d is %d times right behind %d", i, behind[i][j], j)
			}
			if at[i][j] != 2 {
				t.Errorf("%d is %d times at place %d", i, at[i][j], j)
			}
		}
	}
}

func TestQuartiles(t *testing.T) {
	t.Parallel()
	if q := quartilesOf([]float64{5, 1, 4, 2, 3}); q != (quartiles{2, 3, 4}) {
		t.Error(q)
	}
	if q := quartilesOf([]float64{1, 2}); q != (quartiles{1.25, 1.5, 1.75}) {
		t.Error(q)
	}
}
