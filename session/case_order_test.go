package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

var orderCases = []testCase{
	{"case_051_a_tree_goes_root_first", case051},
	{"case_051_a_tree_with_keys_of_the_database", case051Serial},
	{"case_051_a_tree_is_deleted_leaves_first", case051Delete},
	{"case_052_a_circle_of_new_rows", case052},
	{"case_052_a_circle_is_deleted", case052Delete},
	{"case_052_a_circle_that_cannot_be_written", case052Error},
	{"case_052_a_deferrable_circle", case052Deferrable},
	{"case_055_a_deleted_row_gives_its_unique_value", case055},
	{"case_055_an_update_gives_its_unique_value", case055Update},
	{"case_055_children_move_to_a_replacement", case055Children},
	{"case_056_a_swap_of_nullable_values", case056},
	{"case_056_a_swap_that_needs_a_deferrable_constraint", case056Error},
	{"case_056_a_swap_under_a_deferrable_constraint", case056Deferrable},
	{"case_057_a_row_is_replaced", case057},
	{"case_057_a_replacement_is_rolled_back", case057Rollback},
	{"case_058_client_keys_at_any_depth", case058},
	{"case_058_one_trip_for_each_generated_key", case058Serial},
	{"case_059_many_rows_few_statements", case059},
	{"case_060_different_defaults_in_one_flush", case060},
	{"case_061_generated_keys_by_row", case061},
}

// Node is a tree with keys of the client, Twig one with keys of the database.
type Node struct {
	entity.Identifiable
	ParentID *uuid.UUID `db:"parent_id,ref=nodes"`
	Name     string
	Parent   *Node   `rel:"parent_id"`
	Children []*Node `rel:"nodes.parent_id"`
}

type Twig struct {
	entity.Serial
	ParentID *int64 `db:"parent_id,ref=twigs"`
	Name     string
	Parent   *Twig   `rel:"parent_id"`
	Children []*Twig `rel:"twigs.parent_id"`
}

// Team and Player refer to each other.
type Team struct {
	entity.Identifiable
	entity.Versioned
	Name      string
	CaptainID *uuid.UUID `db:"captain_id,ref=players"`
	Captain   *Player    `rel:"captain_id"`
	Players   []*Player  `rel:"players.team_id"`
}

type Player struct {
	entity.Identifiable
	TeamID uuid.UUID `db:"team_id,ref=teams"`
	Team   *Team     `rel:"team_id"`
}

// Chicken and Egg cannot be without each other; Hen and Clutch neither, but not before the commit.
type Chicken struct {
	entity.Identifiable
	EggID uuid.UUID `db:"egg_id,ref=eggs"`
}

type Egg struct {
	entity.Identifiable
	ChickenID uuid.UUID `db:"chicken_id,ref=chickens"`
}

type Hen struct {
	entity.Identifiable
	ClutchID uuid.UUID `db:"clutch_id,ref=clutches,deferrable"`
}

type Clutch struct {
	entity.Identifiable
	HenID uuid.UUID `db:"hen_id,ref=hens,deferrable"`
}

// Slot has unique values that can be NULL, that cannot, and that are checked at the commit.
type Slot struct {
	entity.Identifiable
	Label    *string `db:"label,unique"`
	Place    int     `db:"place,unique"`
	Position int     `db:"position,unique,deferrable"`
}

type Rider struct {
	entity.Identifiable
	SlotID uuid.UUID `db:"slot_id,ref=slots"`
}

func openOrder(t *testing.T, b backend) *fixture {
	t.Helper()
	f := open(t, b)
	f.do(t, func(ctx context.Context) error {
		return session.CreateTables(ctx, (*Node)(nil), (*Twig)(nil), (*Team)(nil), (*Player)(nil), (*Chicken)(nil), (*Egg)(nil),
			(*Hen)(nil), (*Clutch)(nil), (*Slot)(nil), (*Rider)(nil))
	})
	f.reset()
	return f
}

// chain returns n nodes, each the parent of the next.
func chain(n int) []*Node {
	nodes := make([]*Node, n)
	for i := range nodes {
		nodes[i] = entity.New[Node]()
		nodes[i].Name = fmt.Sprint(i)
		if i > 0 {
			nodes[i].ParentID = &nodes[i-1].ID
		}
	}
	return nodes
}

func reversed[T any](s []T) []T {
	out := make([]T, 0, len(s))
	for i := len(s) - 1; i >= 0; i-- {
		out = append(out, s[i])
	}
	return out
}

func case051(t *testing.T, b backend) {
	f := openOrder(t, b)
	nodes := chain(20)
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, reversed(nodes)...) })
	if n := len(f.trips()); n != 1 {
		t.Errorf("%d trips", n)
	}
	if n := count[Node](t, f); n != 20 {
		t.Errorf("%d rows", n)
	}
}

func case051Serial(t *testing.T, b backend) {
	f := openOrder(t, b)
	leaf := &Twig{Name: "leaf", Parent: &Twig{Name: "branch", Parent: &Twig{Name: "root"}}}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, leaf) })
	branch := row[Twig](t, f, leaf.Parent.ID)
	if *row[Twig](t, f, leaf.ID).ParentID != branch.ID || *branch.ParentID != leaf.Parent.Parent.ID {
		t.Error("the keys of the tree are wrong")
	}
	self := &Twig{Name: "its own parent"}
	self.Parent = self
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, self) })
	if got := row[Twig](t, f, self.ID); got.ParentID == nil || *got.ParentID != self.ID {
		t.Errorf("a row that refers to itself: %v", got.ParentID)
	}
}

func case051Delete(t *testing.T, b backend) {
	f := openOrder(t, b)
	nodes := chain(10)
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, nodes...) })
	f.do(t, func(ctx context.Context) error {
		all, err := session.Find[Node](ctx, query.Asc(&nodeColumns.Name))
		return errors.Join(err, session.Delete(ctx, all...))
	})
	if n := count[Node](t, f); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

var nodeColumns = entity.Columns[Node]()

func case052(t *testing.T, b backend) {
	f := openOrder(t, b)
	captain := &Player{}
	team := &Team{Name: "a", Captain: captain, Players: []*Player{captain, {}}}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, team) })
	if n := len(f.trips()); n != 1 {
		t.Errorf("%d trips: %v", n, f.trips())
	}
	got := row[Team](t, f, team.ID)
	if got.CaptainID == nil || *got.CaptainID != captain.ID || got.Version != 1 || team.Version != 1 {
		t.Errorf("stored: %+v", got)
	}
	if n := count[Player](t, f); n != 2 {
		t.Errorf("%d players", n)
	}
	f.reset()
	f.do(t, func(ctx context.Context) error { _, err := session.Get[Team](ctx, team.ID); return err })
	if n := len(f.trips()); n != 1 {
		t.Errorf("reading it back writes: %v", f.trips())
	}
}

func case052Delete(t *testing.T, b backend) {
	f := openOrder(t, b)
	captain := &Player{}
	team := &Team{Name: "a", Captain: captain, Players: []*Player{captain}}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, team) })
	f.do(t, func(ctx context.Context) error {
		team, err := session.Get[Team](ctx, team.ID)
		if err != nil {
			return err
		}
		captain, err := session.Get[Player](ctx, captain.ID)
		return errors.Join(err, session.Delete(ctx, team), session.Delete(ctx, captain))
	})
	if count[Team](t, f)+count[Player](t, f) != 0 {
		t.Error("rows are left")
	}
}

func case052Error(t *testing.T, b backend) {
	f := openOrder(t, b)
	chicken, egg := entity.New[Chicken](), entity.New[Egg]()
	chicken.EggID, egg.ChickenID = egg.ID, chicken.ID
	err := f.Do(t.Context(), func(ctx context.Context) error {
		return errors.Join(session.Add(ctx, chicken), session.Add(ctx, egg))
	})
	if !errors.Is(err, fault.DependencyCycle) || len(f.trips()) > 0 {
		t.Errorf("%v after %v", err, f.trips())
	}
	for _, name := range []string{"chickens", "eggs"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
}

func case052Deferrable(t *testing.T, b backend) {
	f := openOrder(t, b)
	hen, clutch := entity.New[Hen](), entity.New[Clutch]()
	hen.ClutchID, clutch.HenID = clutch.ID, hen.ID
	f.do(t, func(ctx context.Context) error { return errors.Join(session.Add(ctx, hen), session.Add(ctx, clutch)) })
	if n := len(f.trips()); n != 1 || count[Hen](t, f) != 1 {
		t.Errorf("%d trips", n)
	}
	lonely := &Hen{ClutchID: uuid.New()}
	f.reset()
	err := f.Do(t.Context(), func(ctx context.Context) error { return session.Add(ctx, lonely) })
	if !errors.Is(err, fault.ForeignKey) || len(f.trips()) != 1 || count[Hen](t, f) != 1 {
		t.Errorf("checked at the commit: %v, %d trips", err, len(f.trips()))
	}
}

func label(s string) *string { return &s }

// slots stores two.
func slots(t *testing.T, f *fixture) (a, b *Slot) {
	t.Helper()
	a = &Slot{Label: label("a"), Place: 1, Position: 1}
	b = &Slot{Label: label("b"), Place: 2, Position: 2}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, a, b) })
	return a, b
}

func case055(t *testing.T, b backend) {
	f := openOrder(t, b)
	old, _ := slots(t, f)
	f.reset()
	f.do(t, func(ctx context.Context) error {
		old, err := session.Get[Slot](ctx, old.ID)
		return errors.Join(err, session.Add(ctx, &Slot{Label: label("a"), Place: 1, Position: 1}), session.Delete(ctx, old))
	})
	if n := len(f.trips()); n != 2 || count[Slot](t, f) != 2 {
		t.Errorf("%d trips: %v", n, f.trips())
	}
}

func case055Update(t *testing.T, b backend) {
	f := openOrder(t, b)
	first, second := slots(t, f)
	f.do(t, func(ctx context.Context) error {
		first, err := session.Get[Slot](ctx, first.ID)
		if err != nil {
			return err
		}
		second, err := session.Get[Slot](ctx, second.ID)
		if err != nil {
			return err
		}
		first.Place, first.Position, first.Label = second.Place, second.Position, second.Label
		second.Place, second.Position, second.Label = 3, 3, label("c")
		return session.Add(ctx, &Slot{Place: 1, Position: 1, Label: label("a")})
	})
	if got := row[Slot](t, f, first.ID); got.Place != 2 || count[Slot](t, f) != 3 {
		t.Errorf("stored: %+v", got)
	}
}

// case055Children: the new row takes the old one's unique value, and its children, before the old one goes.
func case055Children(t *testing.T, b backend) {
	f := openOrder(t, b)
	old, _ := slots(t, f)
	rider := &Rider{SlotID: old.ID}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, rider) })
	replacement := entity.New[Slot]()
	replacement.Label, replacement.Place, replacement.Position = label("a"), 10, 10
	f.do(t, func(ctx context.Context) error {
		old, err := session.Get[Slot](ctx, old.ID)
		if err != nil {
			return err
		}
		rider, err := session.Get[Rider](ctx, rider.ID)
		if err != nil {
			return err
		}
		rider.SlotID = replacement.ID
		return errors.Join(session.Delete(ctx, old), session.Add(ctx, replacement))
	})
	if got := row[Rider](t, f, rider.ID); got.SlotID != replacement.ID || count[Slot](t, f) != 2 {
		t.Errorf("the rider is in %v", got.SlotID)
	}
}

// swap exchanges values of two slots.
func swap(t *testing.T, f *fixture, a, b uuid.UUID, exchange func(a, b *Slot)) error {
	t.Helper()
	return f.Do(t.Context(), func(ctx context.Context) error {
		first, err := session.Get[Slot](ctx, a)
		if err != nil {
			return err
		}
		second, err := session.Get[Slot](ctx, b)
		if err != nil {
			return err
		}
		f.reset()
		exchange(first, second)
		return nil
	})
}

func case056(t *testing.T, b backend) {
	f := openOrder(t, b)
	first, second := slots(t, f)
	must(t, swap(t, f, first.ID, second.ID, func(a, b *Slot) { a.Label, b.Label = b.Label, a.Label }))
	if n := len(f.trips()); n != 1 {
		t.Errorf("%d trips", n)
	}
	if a, b := row[Slot](t, f, first.ID), row[Slot](t, f, second.ID); *a.Label != "b" || *b.Label != "a" {
		t.Errorf("%s and %s", *a.Label, *b.Label)
	}
}

func case056Error(t *testing.T, b backend) {
	f := openOrder(t, b)
	first, second := slots(t, f)
	err := swap(t, f, first.ID, second.ID, func(a, b *Slot) { a.Place, b.Place = b.Place, a.Place })
	if !errors.Is(err, fault.DependencyCycle) || len(f.trips()) > 0 {
		t.Fatalf("%v after %v", err, f.trips())
	}
	if !strings.Contains(err.Error(), "slots_place_key") || !strings.Contains(err.Error(), "deferrable") {
		t.Errorf("%v does not say which constraint must be deferrable", err)
	}
	if a := row[Slot](t, f, first.ID); a.Place != 1 {
		t.Errorf("something was written: %+v", a)
	}
}

func case056Deferrable(t *testing.T, b backend) {
	f := openOrder(t, b)
	first, second := slots(t, f)
	err := swap(t, f, first.ID, second.ID, func(a, b *Slot) { a.Position, b.Position = b.Position, a.Position })
	if b.name != "postgres" { // which alone can defer a unique constraint
		if !errors.Is(err, fault.DependencyCycle) {
			t.Errorf("%v", err)
		}
		return
	}
	must(t, err)
	if a := row[Slot](t, f, first.ID); len(f.trips()) == 0 || a.Position != 2 {
		t.Errorf("stored: %+v", a)
	}
}

func case057(t *testing.T, b backend) {
	f := open(t, b)
	old := &Ticket{Title: "old", Status: "closed", Origin: "here"}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, old) })
	next := &Ticket{Serial: entity.Serial{ID: old.ID}, Title: "next one"}
	f.do(t, func(ctx context.Context) error {
		old, err := session.Get[Ticket](ctx, old.ID)
		if err != nil {
			return err
		}
		if err := errors.Join(session.Delete(ctx, old), session.Add(ctx, next)); err != nil {
			return err
		}
		if got, err := session.Get[Ticket](ctx, next.ID); err != nil || got != next {
			return fmt.Errorf("the key belongs to %v: %w", got, err)
		}
		if err := session.Add(ctx, old); !errors.Is(err, fault.IdentityConflict) {
			return fmt.Errorf("the deletion was taken back: %w", err)
		}
		return nil
	})
	got := row[Ticket](t, f, old.ID)
	if got.Title != "next one" || got.Status != "open" || got.Origin != "" || got.Length != 8 || next.Status != "open" {
		t.Errorf("stored: %+v", got)
	}
}

func case057Rollback(t *testing.T, b backend) {
	f := open(t, b)
	u := &User{Name: "old", Email: "a"}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, u) })
	f.do(t, func(ctx context.Context) error {
		old, err := session.Get[User](ctx, u.ID)
		if err != nil {
			return err
		}
		next := &User{Identifiable: u.Identifiable, Name: "next", Email: "a"}
		boom := errors.New("boom")
		for _, flush := range []bool{false, true} {
			err := session.Nested(ctx, func(ctx context.Context) error {
				if err := errors.Join(session.Delete(ctx, old), session.Add(ctx, next)); err != nil {
					return err
				}
				if flush {
					if err := session.Flush(ctx); err != nil {
						return err
					}
				}
				return boom
			})
			if !errors.Is(err, boom) {
				return err
			}
			if st, err := session.StateOf(ctx, next); err != nil || st != session.Transient {
				return fmt.Errorf("the replacement is %v: %w", st, err)
			}
		}
		if got, err := session.Get[User](ctx, u.ID); err != nil || got != old {
			return fmt.Errorf("%v is not the old object: %w", got, err)
		}
		return errors.Join(session.Delete(ctx, old), session.Add(ctx, next), session.Delete(ctx, next), session.Add(ctx, old))
	})
	if got := row[User](t, f, u.ID); got.Name != "old" {
		t.Errorf("stored: %+v", got)
	}
}

func case058(t *testing.T, b backend) {
	f := openOrder(t, b)
	root := &Node{Name: "root"}
	for range 5 {
		branch := &Node{Name: "branch"}
		for range 5 {
			branch.Children = append(branch.Children, &Node{Name: "leaf", Children: []*Node{{Name: "bud"}}})
		}
		root.Children = append(root.Children, branch)
	}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, root) })
	if n := len(f.trips()); n != 1 || count[Node](t, f) != 56 {
		t.Errorf("%d trips", n)
	}
}

func case058Serial(t *testing.T, b backend) {
	f := openOrder(t, b)
	const depth = 120 // more than the rounds that hooks may cause
	top := &Twig{}
	for at, i := top, 1; i < depth; i++ {
		child := &Twig{}
		at.Children = []*Twig{child, {}}
		at = child
	}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, top) })
	if n := len(f.trips()); n != depth {
		t.Errorf("%d trips for %d levels", n, depth)
	}
	if n := count[Twig](t, f); n != 2*depth-1 {
		t.Errorf("%d rows", n)
	}
}

func case059(t *testing.T, b backend) {
	f := open(t, b)
	const n = 15000 // times 7 columns: more parameters than the protocol has
	all := make([]*User, n)
	for i := range all {
		all[i] = &User{Name: "u", Email: fmt.Sprint(i)}
	}
	f.reset()
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, all...) })
	trips := f.trips()
	if len(trips) != 1 || strings.Count(trips[0], "INSERT") > 3 {
		t.Errorf("%d trips, %d statements", len(trips), strings.Count(trips[0], "INSERT"))
	}
	ids := make([]any, n)
	for i, u := range all {
		ids[i] = u.ID
	}
	f.do(t, func(ctx context.Context) error {
		found, missing, err := session.GetMany[User](ctx, ids...)
		if len(found) != n || len(missing) != 0 {
			t.Errorf("%d found, %d missing", len(found), len(missing))
		}
		for _, u := range found {
			u.Age = 7
		}
		return err
	})
	if n := count[User](t, f); n != int64(len(all)) {
		t.Errorf("%d rows", n)
	}
	if u := row[User](t, f, all[n-1].ID); u.Age != 7 {
		t.Errorf("the last one is %d", u.Age)
	}
}

func case060(t *testing.T, b backend) {
	f := open(t, b)
	all := []*Ticket{
		{Title: "a"}, {Title: "bb", Status: "closed"}, {Title: "c", Serial: entity.Serial{ID: 1000}}, {Title: "d"},
		{Title: "e", Status: "closed", Serial: entity.Serial{ID: 2000}},
	}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, all...) })
	for i, want := range []string{"open", "closed", "open", "open", "closed"} {
		if got := row[Ticket](t, f, all[i].ID); got.Status != want || got.Title != all[i].Title || all[i].Status != want {
			t.Errorf("%d: %+v", i, got)
		}
	}
	if all[2].ID != 1000 || all[4].ID != 2000 {
		t.Error("a key that was given is not the row's")
	}
}

func case061(t *testing.T, b backend) {
	f := open(t, b)
	all := make([]*Ticket, 50)
	for i := range all {
		all[i] = &Ticket{Title: strings.Repeat("x", (i*37)%50)}
	}
	f.reset()
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, all...) })
	for i, tk := range all {
		if got := row[Ticket](t, f, tk.ID); got.Title != tk.Title || tk.Length != int64(len(tk.Title)) {
			t.Errorf("%d: %+v, %+v", i, tk, got)
		}
	}
}
