package main

import (
	"context"
	"path/filepath"
	"testing"
)

// BenchmarkPostgres is every workload by every peer, straight to the server, with commits that do not wait for the disk.
// The command compares them better: here each has its own time of the day.
func BenchmarkPostgres(b *testing.B) {
	cs := onPostgres()
	db := forTest(b, cs)
	benchmark(b, cs, db.data, func(c contender) string { return db.url(c.name, false) })
}

// BenchmarkSQLite is the same on a file.
func BenchmarkSQLite(b *testing.B) {
	d, dir, cs := newData(), b.TempDir(), onSQLite()
	path := func(c contender) string { return filepath.Join(dir, filepath.Base(c.name)+".db") }
	for _, c := range cs {
		if err := makeFile(b.Context(), path(c), d); err != nil {
			b.Fatal(err)
		}
	}
	benchmark(b, cs, d, func(c contender) string { return "sqlite:///" + path(c) + "?synchronous=off" })
}

func benchmark(b *testing.B, cs []contender, d *data, url func(contender) string) {
	b.Helper()
	for _, w := range workloads() {
		for _, c := range cs {
			b.Run(w.name+"/"+c.name, func(b *testing.B) {
				p := opened(b, c, url(c))
				if err := w.run(b.Context(), p, d); err != nil { // connects and prepares
					b.Fatal(err)
				}
				b.ReportAllocs()
				for b.Loop() {
					if err := w.run(b.Context(), p, d); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// forTest makes a database until the test ends.
func forTest(tb testing.TB, cs []contender) *database {
	tb.Helper()
	names := make([]string, len(cs))
	for i, c := range cs {
		names[i] = c.name
	}
	db, err := makeDatabase(tb.Context(), names)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.drop(); err != nil {
			tb.Error(err)
		}
	})
	return db
}

// opened opens a peer until the test ends.
func opened(tb testing.TB, c contender, url string) peer {
	tb.Helper()
	p, err := c.open(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.Close(); err != nil {
			tb.Error(err)
		}
	})
	return p
}

// BenchmarkUnit is a unit that touches nothing.
func BenchmarkUnit(b *testing.B) {
	db, err := openUrutu(b.Context(), "sqlite:///:memory:")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	nothing := func(context.Context) error { return nil }
	b.ReportAllocs()
	for b.Loop() {
		if err := db.(*urutuPeer).db.Do(b.Context(), nothing); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRendering is the text of a query by each of the libraries that make one.
func BenchmarkRendering(b *testing.B) {
	_, bs := buildersForTest(b, "postgres://") // where nobody is asked
	f := tenConditions(quickReading().sales)
	for i, m := range makers() {
		b.Run("short/"+m.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := bs[i].Short(f.country); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("long/"+m.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := bs[i].Long(&f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
