package session_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// manyKeys are more than SQLite takes parameters.
const manyKeys = 40_000

func case059Values(t *testing.T, f *shop) {
	keys, ids := make([]any, manyKeys), make([]uuid.UUID, manyKeys)
	names, numbers := make([]string, manyKeys), make([]int, manyKeys)
	for i := range keys {
		ids[i] = uuid.New()
		names[i], numbers[i] = ids[i].String(), -i
	}
	copy(ids, f.purchases[:2])
	names[7], numbers[7] = "Ann", 2
	for i := range ids {
		keys[i] = ids[i]
	}
	f.do(t, func(ctx context.Context) error {
		found, missing, err := session.GetMany[Purchase](ctx, keys...)
		if err != nil || len(found) != 2 || len(missing) != manyKeys-2 {
			t.Errorf("found %d, missing %d, %v", len(found), len(missing), err)
		}
		for name, c := range map[string]struct {
			clause query.Clause
			want   int64
		}{
			"uuids":   {query.In(&purchases.ID, ids...), 2},
			"numbers": {query.In(&purchases.Number, append(numbers, 1)...), 2},
			"not":     {query.NotIn(&purchases.Number, numbers...), 2},
			"among":   {query.And(query.In(&purchases.ID, ids...), query.NotIn(&purchases.Number, numbers...)), 1},
		} {
			if n, err := session.Count[Purchase](ctx, c.clause); n != c.want || err != nil {
				t.Errorf("%s: %d, %v, want %d", name, n, err, c.want)
			}
		}
		if n, err := session.Count[Buyer](ctx, query.In(&buyers.Name, names...)); n != 1 || err != nil {
			t.Errorf("text: %d, %v", n, err)
		}
		return nil
	})
}

func case059Parents(t *testing.T, f *shop) {
	const owner = 33_000
	many := make([]*Purchase, owner)
	for i := range many {
		many[i] = &Purchase{}
		many[i].ID = uuid.New()
		many[i].BuyerID = &many[i].ID
	}
	for i, id := range f.purchases {
		many[i*1000].ID = id
	}
	f.do(t, func(ctx context.Context) error { // detached, as from another unit
		must(t, session.Load(ctx, many, query.With(&purchases.Items, query.Asc(&items.Position)), query.With(&purchases.Labels),
			query.With(&purchases.Buyer)))
		wantTrips(t, f.fixture, 1)
		if got := linesOf(many[0]); got != "123 rb" {
			t.Errorf("loaded %q", got)
		}
		if many[1].Items == nil || many[owner-1].Labels == nil {
			t.Error("not loaded")
		}
		return nil
	})
}
