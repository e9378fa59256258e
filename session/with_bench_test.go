package session_test

import (
	"context"
	"testing"

	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// BenchmarkWith reads 100 objects with 10 more for each. "rows" reads the same rows as they are, for comparison.
func BenchmarkWith(b *testing.B) {
	for _, be := range backends[:2] {
		db := benchDB(b, be)
		must(b, db.Do(b.Context(), func(ctx context.Context) error {
			must(b, session.CreateTables(ctx, (*Label)(nil), (*Item)(nil), (*Purchase)(nil), (*Buyer)(nil), (*Ware)(nil), (*Bill)(nil)))
			must(b, session.Add(ctx, &Ware{SKU: "a"}))
			must(b, session.Flush(ctx))
			for i := range 100 {
				p := &Purchase{Number: i}
				for n := range 10 {
					p.Items = append(p.Items, &Item{Position: n, SKU: "a"})
				}
				must(b, session.Add(ctx, p))
			}
			return nil
		}))
		for _, read := range []struct {
			name string
			run  func(ctx context.Context) error
		}{
			{"tracked", func(ctx context.Context) error {
				return second(session.Find[Purchase](ctx, query.With(&purchases.Items)))
			}},
			{"untracked", func(ctx context.Context) error {
				return second(session.Find[Purchase](ctx, query.NoTracking, query.With(&purchases.Items)))
			}},
			{"rows", func(ctx context.Context) error {
				must(b, second(session.Find[Purchase](ctx)))
				return second(session.Find[Item](ctx))
			}},
		} {
			b.Run(be.name+"/"+read.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := db.Do(b.Context(), read.run); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
