package session_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/value"
)

// Leaf refers to a child, which refers to a parent.
type Leaf struct {
	entity.Identifiable
	ChildID uuid.UUID `db:"child_id,ref=childs"`
}

var flushCases = []testCase{
	{"case_049_nothing_to_do", case049},
	{"case_050_foreign_key_order", case050},
	{"case_054_order_within_a_table", case054},
	{"case_054_no_deadlock", case054Deadlock},
	{"case_062_no_row_is_stale", case062},
	{"case_063_a_failed_flush", case063},
	{"case_064_what_an_error_carries", case064},
	{"case_064_serialization", case064Serialization},
	{"case_065_rollback_takes_back_what_a_flush_assigned", case065},
	{"case_066_hooks_of_the_flush", case066},
	{"case_066_too_many_rounds", case066Rounds},
	{"case_067_before_hooks", case067Before},
	{"case_067_after_hooks", case067After},
	{"case_067_a_hook_that_fails", case067Failure},
	{"case_068_one_clock", case068},
}

func case049(t *testing.T, b backend) {
	f := open(t, b)
	u := &User{Name: "Ann"}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, u) })
	f.reset()
	f.do(t, func(ctx context.Context) error {
		return errors.Join(session.Flush(ctx), session.Commit(ctx), session.Flush(ctx))
	})
	if len(f.trips()) > 0 || f.connections() > 0 {
		t.Errorf("nothing took %d connections for %v", f.connections(), f.trips())
	}
	f.do(t, func(ctx context.Context) error {
		if _, err := session.Get[User](ctx, u.ID); err != nil {
			return err
		}
		f.reset()
		return session.Flush(ctx)
	})
	if len(f.trips()) > 0 {
		t.Errorf("an unchanged object took %v", f.trips())
	}
}

func case050(t *testing.T, b backend) {
	f := open(t, b)
	f.do(t, func(ctx context.Context) error { return session.CreateTables(ctx, (*Leaf)(nil)) })
	parent, other := entity.New[Parent](), entity.New[Parent]()
	child := &Child{Identifiable: entity.New[Child]().Identifiable, ParentID: parent.ID}
	leaf := &Leaf{ChildID: child.ID}
	f.reset()
	f.do(t, func(ctx context.Context) error {
		return errors.Join(session.Add(ctx, leaf), session.Add(ctx, child), session.Add(ctx, parent))
	})
	expectInOrder(t, f, "INSERT INTO", "parents", "childs", "leafs")

	// A child that moves to a new parent in the flush that removes its old one.
	f.do(t, func(ctx context.Context) error {
		old, err := session.Get[Parent](ctx, parent.ID)
		if err != nil {
			return err
		}
		moved, err := session.Get[Child](ctx, child.ID)
		if err != nil {
			return err
		}
		moved.ParentID = other.ID
		return errors.Join(session.Delete(ctx, old), session.Add(ctx, other))
	})
	f.reset()
	f.do(t, func(ctx context.Context) error {
		p, err1 := session.Get[Parent](ctx, other.ID)
		c, err2 := session.Get[Child](ctx, child.ID)
		l, err3 := session.Get[Leaf](ctx, leaf.ID)
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		return errors.Join(session.Delete(ctx, p), session.Delete(ctx, c), session.Delete(ctx, l))
	})
	expectInOrder(t, f, "DELETE FROM", "leafs", "childs", "parents")
	if n := count[Parent](t, f) + count[Child](t, f) + count[Leaf](t, f); n > 0 {
		t.Errorf("%d rows are left", n)
	}
}

// expectInOrder checks that the statements with the verb name the tables in this order.
func expectInOrder(t *testing.T, f *fixture, verb string, tables ...string) {
	t.Helper()
	all := strings.Join(f.trips(), "; ")
	at := -1
	for _, table := range tables {
		i := strings.Index(strings.ReplaceAll(all, `"`, "`"), verb+" `"+table+"`")
		if i <= at {
			t.Errorf("%s %s is not behind the one before it: %s", verb, table, all)
		}
		at = i
	}
}

func case054(t *testing.T, b backend) {
	f := open(t, b)
	// Statements of different shapes among each other: the database counts the keys in the order of the inserts.
	var added []*Ticket
	for i := range 8 {
		added = append(added, &Ticket{Title: fmt.Sprint(i), Status: []string{"", "closed"}[i%2]})
	}
	people := make([]*User, 8)
	for i := range people {
		people[i] = &User{Name: fmt.Sprint(i), Email: fmt.Sprint(i)}
	}
	f.do(t, func(ctx context.Context) error {
		return errors.Join(session.Add(ctx, added...), session.Add(ctx, people...))
	})
	for i, k := range added[1:] {
		if k.ID <= added[i].ID {
			t.Errorf("ticket %d has the key %d, the one before it %d", i+1, k.ID, added[i].ID)
		}
	}
	expectKeyOrder(t, f, "UPDATE", func(_ context.Context, i int, k *Ticket) error {
		k.Title += "!"
		if i%3 == 0 {
			k.Status = "of another shape"
		}
		return nil
	}, query.Desc(&tickets.ID))
	expectKeyOrder(t, f, "UPDATE", func(_ context.Context, i int, u *User) error {
		u.Name += "!"
		if i > 3 {
			u.Age = i
		}
		return nil
	}, query.Desc(&users.ID))
	remove := func(ctx context.Context, _ int, u *User) error { return session.Delete(ctx, u) }
	expectKeyOrder(t, f, "DELETE FROM", remove, query.Desc(&users.ID))
}

// expectKeyOrder loads eight objects in the order given, changes each, and checks that the rows are written in the order
// of their keys.
func expectKeyOrder[T any](
	t *testing.T, f *fixture, verb string, change func(ctx context.Context, i int, obj *T) error, order query.Clause,
) {
	t.Helper()
	var keys []value.Value
	f.intercept(func(s *driver.Script, run func() error) error {
		for _, st := range s.Statements {
			for i := 0; strings.Contains(st.SQL, verb) && i < len(st.Args); i += len(st.Types) {
				keys = append(keys, st.Args[i]) // what finds the row comes first
			}
		}
		return run()
	})
	defer f.intercept(nil)
	f.do(t, func(ctx context.Context) error {
		found, err := session.Find[T](ctx, order)
		for i, obj := range found {
			err = errors.Join(err, change(ctx, i, obj))
		}
		return err
	})
	sorted := slices.IsSortedFunc(keys, func(a, b value.Value) int {
		ahi, alo := a.Halves()
		bhi, blo := b.Halves()
		return cmp.Or(cmp.Compare(ahi, bhi), cmp.Compare(alo, blo))
	})
	if len(keys) != 8 || !sorted {
		t.Errorf("%s: the keys are %v", verb, keys)
	}
}

// case054Deadlock has two units write the same rows again and again, each having met them in the other's reverse order.
func case054Deadlock(t *testing.T, b backend) {
	f := open(t, b)
	f.do(t, func(ctx context.Context) error {
		for i := range 10 {
			if err := session.Add(ctx, &User{Email: fmt.Sprint(i)}); err != nil {
				return err
			}
		}
		return nil
	})
	var both sync.WaitGroup
	for who, order := range []query.Clause{query.Asc(&users.ID), query.Desc(&users.ID)} {
		both.Go(func() {
			for round := range 10 {
				err := f.Do(t.Context(), func(ctx context.Context) error {
					found, err := session.Find[User](ctx, order)
					for i, u := range found {
						u.Name = fmt.Sprint(who, round)
						if (i+who)%2 == 0 { // another statement for every other row
							u.Age = round + 1
						}
					}
					return err
				}, uow.Options{Retry: uow.Retry{Attempts: -1}})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	both.Wait()
}

func case062(t *testing.T, b backend) {
	f := open(t, b)
	var ids []uuid.UUID
	f.do(t, func(ctx context.Context) error {
		for i := range 3 {
			u := &User{Name: fmt.Sprint(i), Email: fmt.Sprint(i)}
			if err := session.Add(ctx, u); err != nil {
				return err
			}
			ids = append(ids, u.ID)
		}
		return nil
	})
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	update := func(_ context.Context, u *User) error { u.Age++; return nil }
	remove := func(ctx context.Context, u *User) error { return session.Delete(ctx, u) }
	for what, change := range map[string]func(context.Context, *User) error{"update": update, "delete": remove} {
		for _, rows := range [][]uuid.UUID{ids[1:2], ids} { // alone, and in the middle of a batch
			err := f.Do(t.Context(), func(ctx context.Context) error {
				found, err := session.Find[User](ctx, query.In(&users.ID, rows...))
				if err != nil {
					return err
				}
				gone := func(ctx context.Context) error { // by another transaction, behind the session's back
					u, err := session.Get[User](ctx, ids[1])
					if err != nil {
						return err
					}
					return session.Delete(ctx, u)
				}
				err = session.New(ctx, gone)
				for _, u := range found {
					err = errors.Join(err, change(ctx, u))
				}
				return err
			})
			var fe *fault.Error
			if !errors.Is(err, fault.Stale) || !errors.As(err, &fe) || fe.Entity != "session_test.User" || fe.Key != ids[1].String() {
				t.Errorf("%s of %d rows: %v", what, len(rows), err)
			}
			if n := count[User](t, f); n != 2 {
				t.Errorf("%s of %d rows: %d rows are left", what, len(rows), n)
			}
			f.do(t, func(ctx context.Context) error { // put it back
				return session.Add(ctx, &User{Identifiable: entity.Identifiable{ID: ids[1]}, Name: "1", Email: "1"})
			})
		}
	}
}

func case068(t *testing.T, b backend) {
	f := open(t, b)
	first := f.clock.Now().Truncate(time.Microsecond)
	u, n := &User{Email: "u"}, &Note{Text: "n"}
	both := func(what string, d entity.Dated, created, updated time.Time) {
		t.Helper()
		if d.CreatedAt != created || d.UpdatedAt != updated {
			t.Errorf("%s: created %s, updated %s; want %s and %s", what, d.CreatedAt, d.UpdatedAt, created, updated)
		}
	}
	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, u))
		both("added", u.Dated, first, first) // before any flush
		f.clock.advance(time.Minute)
		must(t, session.Add(ctx, n))
		u.Name = "changed"
		must(t, session.Flush(ctx))
		u.Name = "changed again"
		f.clock.advance(time.Minute)
		must(t, session.Flush(ctx))
		both("one transaction", u.Dated, first, first)
		both("one transaction", n.Dated, first, first)

		must(t, session.Commit(ctx))
		second := f.clock.Now().Truncate(time.Microsecond)
		u.Name = "in the second transaction"
		must(t, session.Flush(ctx))
		both("after a commit", u.Dated, first, second)
		both("unchanged", n.Dated, first, first)

		f.clock.advance(time.Minute)
		third := &User{Email: "third"}
		must(t, session.Add(ctx, third))
		both("after a commit", third.Dated, second, second)
		must(t, session.Rollback(ctx))
		both("rolled back", u.Dated, first, first)
		both("rolled back", third.Dated, time.Time{}, time.Time{})
		return nil
	})
	both("the row", row[User](t, f, u.ID).Dated, first, first)
	both("the row", row[Note](t, f, n.ID).Dated, first, first)
}
