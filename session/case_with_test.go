package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
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

// Buyer, Purchase and what hangs on them have every kind of relation.
type Buyer struct {
	entity.Identifiable
	entity.SoftDeleted
	Name      string
	Purchases []*Purchase `rel:"purchases.buyer_id"`
}

type Purchase struct {
	entity.Identifiable
	Number  int        `db:"number"`
	BuyerID *uuid.UUID `db:"buyer_id,ref=buyers"`
	Buyer   *Buyer     `rel:"buyer_id"`
	Items   []*Item    `rel:"items.purchase_id"`
	Bill    *Bill      `rel:"bills.purchase_id"`
	Labels  []*Label   `rel:"purchase_labels(purchase_id,label_id)"`
}

type Item struct {
	entity.Serial
	PurchaseID uuid.UUID `db:"purchase_id,ref=purchases"`
	Purchase   *Purchase `rel:"purchase_id"`
	Position   int       `db:"position"`
	SKU        string    `db:"sku,ref=wares.sku"`
	Ware       *Ware     `rel:"sku"`
}

type Ware struct {
	entity.Serial
	SKU  string `db:"sku,unique"`
	Name string
}

type Bill struct {
	entity.Identifiable
	PurchaseID uuid.UUID `db:"purchase_id"`
	Total      int64     `db:"total"`
}

// Label has a column whose name is also one of the table in between.
type Label struct {
	entity.Serial
	Name       string
	PurchaseID int64       `db:"purchase_id"`
	Purchases  []*Purchase `rel:"purchase_labels(label_id,purchase_id)"`
}

type Folder struct {
	entity.Identifiable
	Name     string
	ParentID *uuid.UUID `db:"parent_id,ref=folders"`
	Parent   *Folder    `rel:"parent_id"`
	Children []*Folder  `rel:"folders.parent_id"`
}

var (
	buyers    = entity.Columns[Buyer]()
	purchases = entity.Columns[Purchase]()
	items     = entity.Columns[Item]()
	labels    = entity.Columns[Label]()
	folders   = entity.Columns[Folder]()
	spellings = entity.Columns[Spelling]()
)

// shop is a database with two buyers, three purchases and what hangs on them. Purchase 0 has three items, two labels and
// a bill, purchase 1 one item and one label, purchase 2 nothing and nobody.
type shop struct {
	*fixture
	buyers    [2]uuid.UUID
	purchases [3]uuid.UUID
	labels    [2]int64
	bill      uuid.UUID
}

func withShop(run func(t *testing.T, f *shop)) func(t *testing.T, b backend) {
	return func(t *testing.T, b backend) { run(t, openShop(t, b)) }
}

func openShop(t testing.TB, b backend) *shop {
	t.Helper()
	f := &shop{fixture: open(t, b)}
	f.do(t, func(ctx context.Context) error {
		return session.CreateTables(ctx, (*Label)(nil), (*Item)(nil), (*Purchase)(nil), (*Buyer)(nil), (*Ware)(nil),
			(*Bill)(nil), (*Folder)(nil))
	})
	f.do(t, func(ctx context.Context) error {
		ann, bob := &Buyer{Name: "Ann"}, &Buyer{Name: "Bob"}
		wares := []*Ware{{SKU: "a", Name: "Apple"}, {SKU: "b", Name: "Bread"}}
		red, blue := &Label{Name: "red"}, &Label{Name: "blue"}
		must(t, errors.Join(session.Add(ctx, ann, bob), session.Add(ctx, wares...), session.Add(ctx, red, blue), session.Flush(ctx)))
		first, second, third := &Purchase{Number: 1, BuyerID: &ann.ID}, &Purchase{Number: 2, BuyerID: &bob.ID}, &Purchase{Number: 3}
		must(t, errors.Join(session.Add(ctx, first, second, third), session.Flush(ctx)))
		bill := &Bill{PurchaseID: first.ID, Total: 7}
		must(t, session.Add(ctx, bill))
		must(t, session.Add(ctx,
			&Item{PurchaseID: first.ID, Position: 3, SKU: "a"}, &Item{PurchaseID: first.ID, Position: 1, SKU: "b"},
			&Item{PurchaseID: first.ID, Position: 2, SKU: "a"}, &Item{PurchaseID: second.ID, Position: 1, SKU: "b"}))
		must(t, session.Flush(ctx))
		f.buyers, f.purchases, f.labels = [2]uuid.UUID{ann.ID, bob.ID}, [3]uuid.UUID{first.ID, second.ID, third.ID}, [2]int64{red.ID, blue.ID}
		f.bill = bill.ID
		for _, link := range []struct {
			purchase uuid.UUID
			label    int64
		}{{first.ID, red.ID}, {first.ID, blue.ID}, {second.ID, red.ID}} {
			must(t, f.link(ctx, link.purchase, link.label))
		}
		return nil
	})
	f.reset()
	return f
}

// link adds a row to the table in between, past the session.
func (f *shop) link(ctx context.Context, purchase uuid.UUID, label int64) error {
	_, err := session.From(ctx).ExecContext(ctx,
		fmt.Sprintf("INSERT INTO purchase_labels (purchase_id, label_id) VALUES ('%s', %d)", purchase, label))
	return err
}

// find returns the three purchases by their number.
func (f *shop) find(t testing.TB, ctx context.Context, clauses ...query.Clause) []*Purchase {
	t.Helper()
	found, err := session.Find[Purchase](ctx, append(clauses, query.Asc(&purchases.Number))...)
	must(t, err)
	if len(found) != 3 {
		t.Fatalf("found %d", len(found))
	}
	return found
}

func wantLoaded[T, V any](t testing.TB, ctx context.Context, obj *T, field *V, want bool) {
	t.Helper()
	if got, err := session.IsLoaded(ctx, obj, field); err != nil || got != want {
		t.Errorf("loaded: %t, %v, want %t", got, err, want)
	}
}

// linesOf prints the order of items, and of labels their names.
func linesOf(p *Purchase) string {
	var b strings.Builder
	for _, i := range p.Items {
		fmt.Fprint(&b, i.Position)
	}
	b.WriteString(" ")
	for _, l := range p.Labels {
		b.WriteString(l.Name[:1])
	}
	return b.String()
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
