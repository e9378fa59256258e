package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

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

// PurchaseLabel is the table in between, as an entity.
type PurchaseLabel struct {
	PurchaseID uuid.UUID `db:"purchase_id,pk,ref=purchases"`
	LabelID    int64     `db:"label_id,pk,ref=labels"`
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
