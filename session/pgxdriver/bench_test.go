package pgxdriver

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

const benchTable = "CREATE TABLE IF NOT EXISTS bench (id bigserial PRIMARY KEY, a bigint, b text)"

// BenchmarkScript is a unit of two inserts as a session sends it: one round trip.
func BenchmarkScript(b *testing.B) {
	p, err := New().Open(b.Context(), driver.Config{URL: address("", map[string]string{"synchronous_commit": "off"}), MaxOpen: 1, MaxIdle: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	c, err := p.Acquire(b.Context(), driver.Write)
	if err != nil {
		b.Fatal(err)
	}
	ddl := driver.Script{Statements: []driver.Statement{statement(benchTable)}}
	if err := c.Run(b.Context(), &ddl, driver.Discard); err != nil {
		b.Fatal(err)
	}
	c.Release()
	insert := statement("INSERT INTO bench (a, b) VALUES ($1, $2)", value.OfInt(1), value.OfText("x"))
	s := driver.Script{Begin: begin, Statements: []driver.Statement{insert, insert}, End: driver.Commit}
	b.ReportAllocs()
	for b.Loop() {
		c, err := p.Acquire(b.Context(), driver.Write)
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Run(b.Context(), &s, driver.Discard); err != nil {
			b.Fatal(err)
		}
		c.Release()
	}
}

// BenchmarkByHand is the same unit as it is written by hand with pgx: four round trips.
func BenchmarkByHand(b *testing.B) {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, address("", map[string]string{"synchronous_commit": "off"}))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, benchTable); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		tx, err := c.Begin(ctx)
		if err != nil {
			b.Fatal(err)
		}
		for range 2 {
			if _, err := tx.Exec(ctx, "INSERT INTO bench (a, b) VALUES ($1, $2)", 1, "x"); err != nil {
				b.Fatal(err)
			}
		}
		if err := tx.Commit(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead is a read by key.
func BenchmarkRead(b *testing.B) {
	p, err := New().Open(b.Context(), driver.Config{URL: address("", map[string]string{"synchronous_commit": "off"}), MaxOpen: 1, MaxIdle: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	s := driver.Script{Statements: []driver.Statement{
		query([]value.Type{value.TypeInt64, value.TypeText}, "SELECT $1::bigint, 'x'::text", value.OfInt(1)),
	}}
	b.ReportAllocs()
	for b.Loop() {
		c, err := p.Acquire(b.Context(), driver.Read)
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Run(b.Context(), &s, driver.Discard); err != nil {
			b.Fatal(err)
		}
		c.Release()
	}
}
