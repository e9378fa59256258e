package session_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

var withCases = []testCase{
	{"case_037_one_query_for_all_parents", withShop(case037)},
	{"case_037_unloaded_and_empty_differ", withShop(case037Empty)},
	{"case_037_levels_and_siblings", withShop(case037Levels)},
	{"case_037_what_the_session_has_is_not_read", withShop(case037Held)},
	{"case_037_what_is_loaded_stays", withShop(case037Known)},
	{"case_037_has_one", withShop(case037One)},
	{"case_037_both_ends_of_a_table_in_between", withShop(case037Links)},
	{"case_037_a_tree", withShop(case037Tree)},
	{"case_037_every_reading_verb", withShop(case037Verbs)},
	{"case_037_no_tracking", withShop(case037Untracked)},
	{"case_037_pending_rows_are_seen", withShop(case037Autoflush)},
	{"case_037_soft_deleted", withShop(case037Deleted)},
	{"case_037_rolled_back", withShop(case037Rollback)},
	{"case_037_a_key_that_changed", withShop(case037Refreshed)},
	{"case_037_equal_to_the_database_only", withFixture(case037Collation)},
	{"case_037_mistakes", withShop(case037Mistakes)},
	{"case_059_more_values_than_parameters", withShop(case059Values)},
	{"case_059_more_parents_than_parameters", withShop(case059Parents)},
}

func case037(t *testing.T, f *shop) {
	f.do(t, func(ctx context.Context) error {
		found := f.find(t, ctx, query.With(&purchases.Items, query.Asc(&items.Position)))
		wantTrips(t, f.fixture, 2) // the purchases, and the items of all of them
		if s := f.trips()[1]; strings.Count(s, "SELECT") > 2 || strings.Contains(s, ";") {
			t.Errorf("sent %q", s)
		}
		for i, want := range []string{"123 ", "1 ", " "} {
			if got := linesOf(found[i]); got != want {
				t.Errorf("purchase %d has items %q, want %q", i, got, want)
			}
		}
		for _, i := range found[0].Items {
			wantState(t, ctx, i, session.Persistent)
			if i.PurchaseID != found[0].ID || i.Purchase != nil {
				t.Errorf("item %+v", i)
			}
		}
		f.reset()
		found[0].Items[0].Position = 9 // tracked like any other
		return nil
	})
	if trips := f.trips(); len(trips) != 1 || !strings.Contains(trips[0], "UPDATE") {
		t.Errorf("sent %q", trips)
	}
	// Without an order it is that of the key.
	f.do(t, func(ctx context.Context) error {
		if got := linesOf(f.find(t, ctx, query.With(&purchases.Items))[0]); got != "392 " {
			t.Errorf("by key: %q", got)
		}
		found := f.find(t, ctx, query.With(&purchases.Items, query.Populate, query.Desc(&items.Position)))
		if got := linesOf(found[0]); got != "932 " {
			t.Errorf("descending: %q", got)
		}
		return nil
	})
}

func case037Empty(t *testing.T, f *shop) {
	f.do(t, func(ctx context.Context) error {
		p := f.find(t, ctx)[2]
		f.reset()
		if p.Items != nil || p.Labels != nil || p.Buyer != nil || p.Bill != nil {
			t.Errorf("not loaded: %+v", p)
		}
		wantLoaded(t, ctx, p, &p.Items, false)
		wantLoaded(t, ctx, p, &p.Bill, false)
		wantLoaded(t, ctx, p, &p.Buyer, false)
		wantTrips(t, f.fixture, 0)
		must(t, session.Load(ctx, []*Purchase{p}, query.With(&purchases.Items), query.With(&purchases.Labels),
			query.With(&purchases.Bill), query.With(&purchases.Buyer)))
		if p.Items == nil || p.Labels == nil || len(p.Items)+len(p.Labels) > 0 || p.Buyer != nil || p.Bill != nil {
			t.Errorf("loaded: %+v", p)
		}
		wantLoaded(t, ctx, p, &p.Items, true)
		wantLoaded(t, ctx, p, &p.Labels, true)
		wantLoaded(t, ctx, p, &p.Bill, true)
		wantLoaded(t, ctx, p, &p.Buyer, true)
		wantTrips(t, f.fixture, 1)
		if modified, err := session.IsModified(ctx, p); modified || err != nil {
			t.Errorf("modified: %t, %v", modified, err)
		}
		return nil
	})
	wantTrips(t, f.fixture, 1) // nothing is written
}

func case037Levels(t *testing.T, f *shop) {
	f.do(t, func(ctx context.Context) error {
		found := f.find(t, ctx,
			query.With(&purchases.Buyer), query.With(&purchases.Bill),
			query.With(&purchases.Items, query.With(&items.Ware), query.With(&items.Purchase)),
			query.With(&purchases.Items, query.Asc(&items.Position)))
		trips := f.trips()
		if len(trips) != 3 || strings.Count(trips[1], "; ") != 2 || strings.Contains(trips[2], "; ") {
			t.Errorf("sent %q", trips) // three siblings in one, below them the wares: the purchases are there
		}
		if found[0].Buyer.Name != "Ann" || found[1].Buyer.Name != "Bob" || found[2].Buyer != nil {
			t.Error("buyers")
		}
		if found[0].Bill.Total != 7 || found[1].Bill != nil {
			t.Error("bills")
		}
		for i, want := range []string{"Bread", "Apple", "Apple"} {
			item := found[0].Items[i]
			if item.Position != i+1 || item.Ware.Name != want || item.Purchase != found[0] {
				t.Errorf("item %d: %+v", i, item)
			}
		}
		if found[0].Items[1].Ware != found[0].Items[2].Ware || found[0].Items[0].Ware != found[1].Items[0].Ware {
			t.Error("one ware is two objects")
		}
		return nil
	})
}

func case037Held(t *testing.T, f *shop) {
	f.do(t, func(ctx context.Context) error {
		ann, bob := get[Buyer](t, ctx, f.buyers[0]), get[Buyer](t, ctx, f.buyers[1])
		found := f.find(t, ctx)
		carl := &Buyer{Name: "Carl"}
		must(t, session.Add(ctx, carl))
		found[2].BuyerID = &carl.ID
		f.reset()
		must(t, session.Load(ctx, found, query.With(&purchases.Buyer)))
		if found[0].Buyer != ann || found[1].Buyer != bob || found[2].Buyer != carl {
			t.Errorf("buyers: %+v", found)
		}
		// A new object's key can be looked up too.
		fresh := &Purchase{Number: 4, BuyerID: &ann.ID}
		must(t, session.Add(ctx, fresh))
		wantLoaded(t, ctx, fresh, &fresh.Buyer, false)
		wantLoaded(t, ctx, fresh, &fresh.Bill, true)
		must(t, session.Load(ctx, []*Purchase{fresh}, query.With(&purchases.Buyer), query.With(&purchases.Items), query.With(&purchases.Bill)))
		if fresh.Buyer != ann {
			t.Errorf("the new one's buyer: %v", fresh.Buyer)
		}
		wantLoaded(t, ctx, fresh, &fresh.Buyer, true)
		wantTrips(t, f.fixture, 0)
		p := get[Purchase](t, ctx, f.purchases[0])
		if got, err := session.Get[Purchase](ctx, p.ID, query.With(&purchases.Buyer)); err != nil || got != p {
			t.Errorf("%v, %v", got, err)
		}
		wantTrips(t, f.fixture, 0)
		// What is marked for deletion is not there.
		must(t, session.Delete(ctx, bob))
		found[1].Buyer = nil
		ctx = session.NoAutoflush(ctx)
		must(t, session.Load(ctx, found[1:2], query.With(&purchases.Buyer, query.With(&buyers.Purchases))))
		must(t, session.Load(ctx, []*Purchase{}, query.With(&purchases.Buyer)))
		wantTrips(t, f.fixture, 0)
		return session.Rollback(ctx)
	})
}

func case037Known(t *testing.T, f *shop) {
	f.do(t, func(ctx context.Context) error {
		found := f.find(t, ctx, query.With(&purchases.Items), query.With(&purchases.Buyer))
		first := found[0].Items[0]
		f.do(t, func(ctx context.Context) error {
			return session.Add(ctx, &Item{PurchaseID: f.purchases[0], Position: 4, SKU: "a"})
		})
		f.reset()
		must(t, session.Load(ctx, found, query.With(&purchases.Items), query.With(&purchases.Buyer)))
		wantTrips(t, f.fixture, 0)
		if len(found[0].Items) != 3 {
			t.Errorf("%d items", len(found[0].Items))
		}
		// One of several is not loaded: it alone is read. What lies below is looked at for all of them.
		fresh := &Purchase{Number: 4, Items: []*Item{}}
		must(t, session.Add(ctx, fresh))
		must(t, session.Load(ctx, append(found, fresh, found[0]), query.With(&purchases.Items, query.With(&items.Ware))))
		wantTrips(t, f.fixture, 1)
		if found[0].Items[2].Ware == nil || found[1].Items[0].Ware.Name != "Bread" {
			t.Error("wares")
		}
		wantLoaded(t, ctx, fresh, &fresh.Items, true)
		must(t, session.Load(ctx, found[:2], query.With(&purchases.Items, query.Populate)))
		if len(found[0].Items) != 4 || found[0].Items[0] != first {
			t.Errorf("items %v", found[0].Items)
		}
		// Populate of the query is that of its relations too.
		elsewhere := int64(0)
		f.do(t, func(ctx context.Context) error {
			one, err := session.First[Item](ctx, query.Eq(&items.PurchaseID, f.purchases[1]))
			one.Position, elsewhere = 8, one.ID
			return err
		})
		must(t, second(session.Find[Purchase](ctx, query.With(&purchases.Items), query.Populate)))
		if one := found[1].Items[0]; one.ID != elsewhere || one.Position != 8 {
			t.Errorf("item %+v", one)
		}
		f.reset()
		return session.Rollback(ctx)
	})
}

func case037One(t *testing.T, f *shop) {
	f.do(t, func(ctx context.Context) error { // nothing makes the column unique
		return session.Add(ctx, &Bill{PurchaseID: f.purchases[1]}, &Bill{PurchaseID: f.purchases[1]})
	})
	f.do(t, func(ctx context.Context) error {
		found := f.find(t, ctx)
		must(t, session.Load(ctx, found[:1], query.With(&purchases.Bill)))
		if found[0].Bill.ID != f.bill {
			t.Error("another bill")
		}
		err := session.Load(ctx, found, query.With(&purchases.Bill), query.With(&purchases.Items))
		wantFault(t, err, fault.Internal)
		for _, part := range []string{"session_test.Purchase", f.purchases[1].String(), "Bill", "bills", "purchase_id"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%v does not name %s", err, part)
			}
		}
		wantLoaded(t, ctx, found[1], &found[1].Bill, false)
		wantLoaded(t, ctx, found[1], &found[1].Items, false) // all or nothing
		return nil
	})
}

func case037Links(t *testing.T, f *shop) {
	f.do(t, func(ctx context.Context) error {
		found := f.find(t, ctx, query.With(&purchases.Labels, query.Desc(&labels.Name), query.With(&labels.Purchases, query.Desc(&purchases.Number))))
		wantTrips(t, f.fixture, 3)
		for i, want := range []string{" rb", " r", " "} {
			if got := linesOf(found[i]); got != want {
				t.Errorf("purchase %d has labels %q, want %q", i, got, want)
			}
		}
		red := found[0].Labels[0]
		if red != found[1].Labels[0] || red.ID != f.labels[0] || !slices.Equal(red.Purchases, []*Purchase{found[1], found[0]}) {
			t.Errorf("red: %+v", red)
		}
		return nil
	})
}
