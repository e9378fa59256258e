package session_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

func case037Tree(t *testing.T, f *shop) {
	root := &Folder{Name: "root"}
	a, b := &Folder{Name: "a"}, &Folder{Name: "b"}
	leaf := &Folder{Name: "leaf"}
	f.do(t, func(ctx context.Context) error {
		must(t, errors.Join(session.Add(ctx, root), session.Flush(ctx)))
		a.ParentID, b.ParentID = &root.ID, &root.ID
		must(t, errors.Join(session.Add(ctx, a, b), session.Flush(ctx)))
		leaf.ParentID = &b.ID
		return session.Add(ctx, leaf)
	})
	f.reset()
	f.do(t, func(ctx context.Context) error {
		byName := query.Asc(&folders.Name)
		top, err := session.First[Folder](ctx, query.IsNull(&folders.ParentID),
			query.With(&folders.Children, byName, query.With(&folders.Children, byName, query.With(&folders.Children))))
		must(t, err)
		wantTrips(t, f.fixture, 4) // the root, two levels, and the empty one below
		if len(top.Children) != 2 || top.Children[0].Name != "a" || len(top.Children[1].Children) != 1 {
			t.Fatalf("tree %+v", top)
		}
		if bottom := top.Children[1].Children[0]; bottom.Name != "leaf" || bottom.Children == nil || top.Children[0].Children == nil {
			t.Errorf("leaf %+v", bottom)
		}
		f.reset()
		all, err := session.Find[Folder](ctx)
		must(t, err)
		must(t, session.Load(ctx, all, query.With(&folders.Parent)))
		wantTrips(t, f.fixture, 1)
		if top.Parent != nil || top.Children[1].Children[0].Parent != top.Children[1] {
			t.Error("parents")
		}
		return nil
	})
}

func case037Verbs(t *testing.T, f *shop) {
	load := query.With(&purchases.Items)
	for name, read := range map[string]func(ctx context.Context) (*Purchase, error){
		"find": func(ctx context.Context) (*Purchase, error) { return f.find(t, ctx, load)[0], nil },
		"first": func(ctx context.Context) (*Purchase, error) {
			return session.First[Purchase](ctx, load, query.Asc(&purchases.Number))
		},
		"get": func(ctx context.Context) (*Purchase, error) { return session.Get[Purchase](ctx, f.purchases[0], load) },
		"get for update": func(ctx context.Context) (*Purchase, error) {
			return session.Get[Purchase](ctx, f.purchases[0], query.ForUpdate, load)
		},
		"lookup": func(ctx context.Context) (*Purchase, error) {
			p, _, err := session.Lookup[Purchase](ctx, f.purchases[0], load)
			return p, err
		},
		"page": func(ctx context.Context) (*Purchase, error) {
			page, err := session.Page[Purchase](ctx, query.PageRequest{}, load, query.Asc(&purchases.Number))
			return page.Items[0], err
		},
		"get many": func(ctx context.Context) (*Purchase, error) {
			found, _, err := session.GetMany[Purchase](ctx, f.purchases[0])
			return found[0], errors.Join(err, session.Load(ctx, found, load))
		},
		"batch": func(ctx context.Context) (p *Purchase, err error) {
			var many []*Purchase
			var buyer *Buyer
			err = session.Batch(ctx, session.GetInto(&p, f.purchases[0], load), session.FindInto(&many, load),
				session.LookupInto(&buyer, f.buyers[0], query.With(&buyers.Purchases)))
			if len(many) != 3 || len(buyer.Purchases) != 1 || buyer.Purchases[0] != p {
				t.Errorf("batch: %v, %v", many, buyer)
			}
			return p, err
		},
	} {
		f.reset()
		f.do(t, func(ctx context.Context) error {
			p, err := read(ctx)
			if err != nil || len(p.Items) != 3 {
				t.Errorf("%s: %+v, %v", name, p, err)
			}
			wantTrips(t, f.fixture, 2)
			return session.Rollback(ctx)
		})
	}
	// What finds nothing loads nothing, and a query for a number has no objects.
	f.reset()
	f.do(t, func(ctx context.Context) error {
		none, err := session.Find[Purchase](ctx, query.Eq(&purchases.Number, 99), load)
		if err != nil || none == nil || len(none) > 0 {
			t.Errorf("%v, %v", none, err)
		}
		wantFault(t, second(session.Get[Purchase](ctx, uuid.New(), load)), fault.NotFound)
		if n, err := session.Count[Purchase](ctx, load); n != 3 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		wantTrips(t, f.fixture, 3)
		return nil
	})
}

func case037Untracked(t *testing.T, f *shop) {
	f.do(t, func(ctx context.Context) error {
		tracked := f.find(t, ctx, query.With(&purchases.Items), query.With(&purchases.Buyer))
		f.reset()
		found := f.find(t, ctx, query.NoTracking, query.With(&purchases.Buyer),
			query.With(&purchases.Items, query.Asc(&items.Position), query.With(&items.Ware)))
		wantTrips(t, f.fixture, 3)
		p := found[0]
		if p == tracked[0] || p.Buyer == tracked[0].Buyer || p.Items[0] == tracked[0].Items[0] || p.Buyer.Name != "Ann" {
			t.Error("an object is shared with the session")
		}
		if got := linesOf(p); got != "123 " || p.Items[0].Ware.Name != "Bread" || found[2].Items == nil {
			t.Errorf("read %q", got)
		}
		wantState(t, ctx, p.Items[0], session.Transient)
		wantState(t, ctx, p.Items[0].Ware, session.Transient)
		// More of them, later; what a field has stays.
		f.reset()
		p.Items[0].Position = 9
		must(t, session.Load(ctx, found, query.With(&purchases.Items), query.With(&purchases.Labels), query.With(&purchases.Bill)))
		wantTrips(t, f.fixture, 1)
		if got := linesOf(p); got != "923 rb" || p.Bill == nil {
			t.Errorf("loaded %q", got)
		}
		wantLoaded(t, ctx, p, &p.Labels, true)
		wantLoaded(t, ctx, found[1], &found[1].Bill, false) // nobody knows
		wantState(t, ctx, p.Labels[0], session.Transient)
		f.reset()
		return nil
	})
	wantTrips(t, f.fixture, 0)
}

func case037Autoflush(t *testing.T, f *shop) {
	f.do(t, func(ctx context.Context) error {
		p := f.find(t, ctx)[2]
		f.reset()
		added := &Item{PurchaseID: p.ID, Position: 5, SKU: "a"}
		must(t, session.Add(ctx, added))
		must(t, session.Load(session.NoAutoflush(ctx), []*Purchase{p}, query.With(&purchases.Items)))
		if len(p.Items) != 0 || f.sent("INSERT") {
			t.Errorf("items %v", p.Items)
		}
		f.reset()
		must(t, session.Load(ctx, []*Purchase{p}, query.With(&purchases.Items, query.Populate)))
		if len(p.Items) != 1 || p.Items[0] != added {
			t.Errorf("items %v", p.Items)
		}
		if f.backend.name == "postgres" {
			wantTrips(t, f.fixture, 1) // the insert and the query
		}
		// The table in between counts too.
		other, err := session.Get[Label](ctx, f.labels[0], query.With(&labels.Purchases))
		must(t, err)
		other.Purchases = append(other.Purchases, p)
		f.reset()
		must(t, session.Load(ctx, []*Purchase{p}, query.With(&purchases.Labels)))
		if len(p.Labels) != 1 || p.Labels[0] != other {
			t.Errorf("labels %v", p.Labels)
		}
		if f.backend.name == "postgres" {
			wantTrips(t, f.fixture, 1)
		}
		// So does an entity of one's own for it.
		must(t, session.Add(ctx, &PurchaseLabel{PurchaseID: p.ID, LabelID: f.labels[1]}))
		must(t, session.Load(ctx, []*Purchase{p}, query.With(&purchases.Labels, query.Populate)))
		if len(p.Labels) != 2 {
			t.Errorf("labels %v", p.Labels)
		}
		return session.Rollback(ctx)
	})
}

func case037Deleted(t *testing.T, f *shop) {
	f.do(t, func(ctx context.Context) error {
		return session.Delete(ctx, get[Buyer](t, ctx, f.buyers[0]))
	})
	f.do(t, func(ctx context.Context) error {
		found := f.find(t, ctx, query.With(&purchases.Buyer))
		if found[0].Buyer != nil || found[1].Buyer == nil {
			t.Errorf("buyers %v, %v", found[0].Buyer, found[1].Buyer)
		}
		wantLoaded(t, ctx, found[0], &found[0].Buyer, true)
		must(t, session.Load(ctx, found, query.With(&purchases.Buyer, query.WithDeleted, query.Populate)))
		if found[0].Buyer == nil || found[0].Buyer.DeletedAt == nil {
			t.Errorf("buyer %v", found[0].Buyer)
		}
		// In the identity map it is the same.
		for i, want := range []bool{false, true} {
			untold := f.find(t, ctx)[0]
			must(t, session.Expunge(ctx, untold))
			again := get[Purchase](t, ctx, f.purchases[0])
			f.reset()
			clauses := [][]query.Clause{nil, {query.WithDeleted}}[i]
			must(t, session.Load(ctx, []*Purchase{again}, query.With(&purchases.Buyer, clauses...)))
			wantTrips(t, f.fixture, 0)
			if (again.Buyer != nil) != want {
				t.Errorf("with deleted %t: %v", want, again.Buyer)
			}
		}
		return nil
	})
}

func case037Rollback(t *testing.T, f *shop) {
	f.do(t, func(ctx context.Context) error {
		found := f.find(t, ctx)
		p, empty := found[0], found[2]
		must(t, session.Load(ctx, found, query.With(&purchases.Labels)))
		before := slices.Clone(p.Labels)
		undone := errors.New("undone")
		err := session.Nested(ctx, func(ctx context.Context) error {
			must(t, session.Load(ctx, found, query.With(&purchases.Items), query.With(&purchases.Buyer)))
			must(t, f.link(ctx, empty.ID, f.labels[0]))
			must(t, session.Load(ctx, []*Purchase{empty}, query.With(&purchases.Labels, query.Populate)))
			if len(p.Items) != 3 || p.Buyer == nil || empty.Items == nil || len(empty.Labels) != 1 {
				t.Errorf("loaded %+v, %+v", p, empty)
			}
			return undone
		})
		if !errors.Is(err, undone) {
			t.Error(err)
		}
		for _, p := range found {
			wantLoaded(t, ctx, p, &p.Items, false)
			wantLoaded(t, ctx, p, &p.Buyer, false)
			wantLoaded(t, ctx, p, &p.Labels, true)
			if p.Items != nil || p.Buyer != nil {
				t.Errorf("still there: %+v", p)
			}
		}
		if !slices.Equal(p.Labels, before) || empty.Labels == nil || len(empty.Labels) > 0 {
			t.Errorf("labels %v and %v", p.Labels, empty.Labels)
		}
		f.reset()
		must(t, session.Load(ctx, found, query.With(&purchases.Items), query.With(&purchases.Labels)))
		wantTrips(t, f.fixture, 1)
		if linesOf(p) != "312 rb" || empty.Items == nil {
			t.Errorf("loaded again: %q", linesOf(p))
		}
		return nil
	})
}

func case037Refreshed(t *testing.T, f *shop) {
	f.do(t, func(ctx context.Context) error {
		found := f.find(t, ctx, query.With(&purchases.Buyer))
		f.do(t, func(ctx context.Context) error {
			get[Purchase](t, ctx, f.purchases[0]).BuyerID = &f.buyers[1]
			return nil
		})
		f.reset()
		f.find(t, ctx, query.Populate)
		p := found[0]
		if p.Buyer != nil || *p.BuyerID != f.buyers[1] || found[1].Buyer == nil {
			t.Errorf("the buyer of another key stayed: %+v", p.Buyer)
		}
		wantLoaded(t, ctx, p, &p.Buyer, false)
		must(t, session.Load(ctx, found, query.With(&purchases.Buyer)))
		if p.Buyer == nil || p.Buyer != found[1].Buyer {
			t.Errorf("buyer %v", p.Buyer)
		}
		f.reset()
		return nil
	})
	wantTrips(t, f.fixture, 0) // the old key was not written back
	// Neither does a key that led to nothing stand for another one.
	f.do(t, func(ctx context.Context) error {
		p := f.find(t, ctx, query.With(&purchases.Buyer))[2]
		wantLoaded(t, ctx, p, &p.Buyer, true)
		p.BuyerID = &f.buyers[0]
		wantLoaded(t, ctx, p, &p.Buyer, false)
		must(t, session.Load(ctx, []*Purchase{p}, query.With(&purchases.Buyer)))
		if p.Buyer == nil || p.Buyer.Name != "Ann" {
			t.Errorf("buyer %v", p.Buyer)
		}
		p.BuyerID = &f.buyers[1]
		must(t, session.Load(ctx, []*Purchase{p}, query.With(&purchases.Buyer)))
		if p.Buyer == nil || p.Buyer.Name != "Bob" {
			t.Errorf("buyer %v", p.Buyer)
		}
		return nil
	})
}

func case037Mistakes(t *testing.T, f *shop) {
	f.do(t, func(ctx context.Context) error {
		p := get[Purchase](t, ctx, f.purchases[0])
		f.reset()
		for name, c := range map[string]struct {
			clause query.Clause
			kind   fault.Kind
			want   string
		}{
			"predicate":     {query.With(&purchases.Items, query.Eq(&items.Position, 1)), fault.BadRequest, "Items"},
			"limit":         {query.With(&purchases.Items, query.Limit(1)), fault.BadRequest, "a limit"},
			"offset":        {query.With(&purchases.Items, query.Offset(1)), fault.BadRequest, "an offset"},
			"lock":          {query.With(&purchases.Items, query.ForUpdate), fault.BadRequest, "a lock"},
			"no tracking":   {query.With(&purchases.Items, query.NoTracking), fault.BadRequest, "NoTracking"},
			"nested":        {query.With(&purchases.Items, query.With(&items.Ware, query.Limit(1))), fault.BadRequest, "Ware"},
			"a column":      {query.With(&purchases.Number), fault.Misconfigured, "Number is a column"},
			"not its own":   {query.With(&p.Items), fault.Misconfigured, "not the address"},
			"another one's": {query.With(&items.Ware), fault.Misconfigured, "not the address"},
			"foreign order": {query.With(&purchases.Items, query.Asc(&purchases.Number)), fault.Misconfigured, "Item"},
			"as a column":   {query.Eq(&purchases.Items, nil), fault.Misconfigured, "Items is a relation"},
			"as an order":   {query.Asc(&purchases.Buyer), fault.Misconfigured, "Buyer is a relation"},
		} {
			errs := []error{second(session.Find[Purchase](ctx, c.clause))}
			if _, ok := c.clause.(query.Sort); !ok { // an order means nothing to Get
				errs = append(errs, second(session.Get[Purchase](ctx, p.ID, c.clause)))
			}
			if r, ok := c.clause.(query.Relation); ok {
				errs = append(errs, session.Load(ctx, []*Purchase{p}, r))
			}
			for _, err := range errs {
				if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: %v, want %s", name, err, c.want)
				}
			}
		}
		wantFault(t, session.Load(ctx, []*Purchase{nil}, query.With(&purchases.Items)), fault.Invalid)
		wantFault(t, second(session.IsLoaded(ctx, p, &purchases.Items)), fault.Misconfigured)
		wantFault(t, second(session.IsLoaded(ctx, p, &p.Number)), fault.Misconfigured)
		wantFault(t, second(session.IsLoaded(ctx, (*Purchase)(nil), &p.Items)), fault.Misconfigured)
		err := session.New(ctx, func(ctx context.Context) error {
			return session.Load(ctx, []*Purchase{p}, query.With(&purchases.Items))
		})
		wantFault(t, err, fault.IdentityConflict)
		return nil
	})
}

// Spelling and its Word meet by a column that heeds no case.
type Spelling struct {
	entity.Serial
	Text string `db:"text,ref=words.text"`
	Word *Word  `rel:"text"`
}

type Word struct {
	entity.Serial
	Text string `db:"text,unique"`
}

func case037Collation(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		key, collation := "INTEGER PRIMARY KEY AUTOINCREMENT", "NOCASE"
		if f.backend.name == "postgres" {
			key, collation = "bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", "caseless"
			must(t, second(session.From(ctx).ExecContext(ctx,
				"CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")))
		}
		for _, ddl := range []string{
			"CREATE TABLE words (id " + key + ", text TEXT COLLATE " + collation + " NOT NULL UNIQUE)",
			"CREATE TABLE spellings (id " + key + ", text TEXT NOT NULL)",
		} {
			must(t, second(session.From(ctx).ExecContext(ctx, ddl)))
		}
		return session.Add(ctx, &Word{Text: "case"}, &Word{Text: "same"})
	})
	f.do(t, func(ctx context.Context) error {
		same, other := &Spelling{Text: "same"}, &Spelling{Text: "CASE"}
		must(t, errors.Join(session.Add(ctx, same, other), session.Flush(ctx)))
		must(t, session.Load(ctx, []*Spelling{same}, query.With(&spellings.Word)))
		if same.Word == nil || same.Word.Text != "same" {
			t.Errorf("word %v", same.Word)
		}
		wantFault(t, session.Load(ctx, []*Spelling{other}, query.With(&spellings.Word)), fault.Unsupported)
		return nil
	})
}
