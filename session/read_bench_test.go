package session_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// BenchmarkRead is one read inside a unit that is open already: what the session adds to the database's own work.
func BenchmarkRead(b *testing.B) {
	var id uuid.UUID
	for _, read := range []struct {
		name string
		run  func(ctx context.Context) error
	}{
		{"get_held", func(ctx context.Context) error { return second(session.Get[User](ctx, id)) }},
		{"get_row", func(ctx context.Context) error { return second(session.Get[User](ctx, id, query.Populate)) }},
		{"find", func(ctx context.Context) error {
			return second(session.Find[User](ctx, query.Eq(&users.Name, "Ann")))
		}},
		{"find_limit", func(ctx context.Context) error {
			return second(session.Find[User](ctx, query.Eq(&users.Name, "Ann"), query.Limit(10)))
		}},
		{"count", func(ctx context.Context) error { return second(session.Count[User](ctx, query.Eq(&users.Name, "Ann"))) }},
	} {
		b.Run(read.name, func(b *testing.B) {
			db := benchDB(b, backends[1])
			must(b, db.Do(b.Context(), func(ctx context.Context) error {
				u := ann()
				must(b, session.Add(ctx, u))
				must(b, session.Flush(ctx))
				id = u.ID
				b.ReportAllocs()
				for b.Loop() {
					if err := read.run(ctx); err != nil {
						return err
					}
				}
				return nil
			}))
		})
	}
}
