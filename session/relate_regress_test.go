package session_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// TestRelations has a case for each thing that once went wrong with foreign keys and the relations that stand for them:
// random programs (see TestModel) had found them. Those of rows in between are in TestLinks.
func TestRelations(t *testing.T) {
	t.Parallel()
	runCases(t, []testCase{
		{"a_key_that_waits_is_a_modification", keyWaitsIsModified},
		{"a_key_that_waits_is_flushed_before_a_query", keyWaitsAutoflush},
		{"what_a_waiting_key_leaves_is_deleted_behind_it", keyWaitsDelete},
		{"a_waiting_key_behind_a_circle_of_new_rows", keyWaitsCircle},
		{"a_new_row_does_not_go_where_it_no_longer_belongs", keyWaitsNew},
		{"a_move_between_lists_beside_the_old_parent", moveBesideParent},
		{"a_move_between_lists_with_the_parent_cleared", moveParentCleared},
		{"a_move_into_the_list_of_a_new_row", moveToNew},
		{"a_move_between_lists_and_to_a_third", moveDisagrees},
		{"a_key_put_back_before_the_flush", keyPutBack},
		{"a_key_of_a_new_row_cleared_beside_its_relation", keyCleared},
		{"a_key_that_a_relation_once_wrote", keyOnceWritten},
		{"a_key_that_a_relation_wrote_and_a_rollback_took", keyRolledBack},
		{"a_key_that_a_relation_filled_in_and_a_query_overwrote", keyOverwritten},
		{"a_relation_that_a_refresh_takes_back", relationRefreshed},
		{"a_new_object_is_taken_back_once", takenBackOnce},
		{"loaded_again_where_the_row_is_undone", loadedAgainUndone},
		{"a_deleted_object_forgotten_in_a_savepoint", deletedForgotten},
	})
}

// Remark belongs to a row of another table whose key the database makes.
type Remark struct {
	entity.Identifiable
	TwigID *int64 `db:"twig_id,ref=twigs"`
	Twig   *Twig  `rel:"twig_id"`
}

var remarks = entity.Columns[Remark]()

func keyWaitsIsModified(t *testing.T, b backend) {
	f := openOrder(t, b)
	twig := &Twig{}
	f.do(t, func(ctx context.Context) error {
		must(t, errors.Join(session.Add(ctx, twig), session.Flush(ctx)))
		twig.Parent = &Twig{}
		if modified, err := session.IsModified(ctx, twig); !modified || err != nil {
			t.Errorf("modified %t, %v", modified, err)
		}
		return nil
	})
}

func keyWaitsAutoflush(t *testing.T, b backend) {
	f := openOrder(t, b)
	f.do(t, func(ctx context.Context) error { return session.CreateTables(ctx, (*Remark)(nil), (*Twig)(nil)) })
	remark := &Remark{}
	f.do(t, func(ctx context.Context) error {
		must(t, errors.Join(session.Add(ctx, remark), session.Flush(ctx)))
		remark.Twig = &Twig{}
		if n, err := session.Count[Remark](ctx, query.IsNull(&remarks.TwigID)); n != 0 || err != nil {
			t.Errorf("%d remarks without a twig, %v", n, err)
		}
		return nil
	})
}

// grown stores a root with one child, and runs fn with both.
func grown(t *testing.T, b backend, fn func(ctx context.Context, root, child *Twig)) (f *fixture, root, child *Twig) {
	t.Helper()
	f = openOrder(t, b)
	root = &Twig{Name: "root"}
	child = &Twig{Name: "child", Parent: root}
	f.do(t, func(ctx context.Context) error {
		must(t, errors.Join(session.Add(ctx, child), session.Flush(ctx)))
		fn(ctx, root, child)
		return nil
	})
	return f, root, child
}

func wantTwig(t *testing.T, f *fixture, child, parent *Twig) {
	t.Helper()
	if got := row[Twig](t, f, child.ID); got.ParentID == nil || *got.ParentID != parent.ID {
		t.Errorf("%s is stored with parent %v, want %s", child.Name, got.ParentID, parent.Name)
	}
}

func keyWaitsDelete(t *testing.T, b backend) {
	next := &Twig{Name: "next"}
	f, _, child := grown(t, b, func(ctx context.Context, root, child *Twig) {
		child.Parent = next
		must(t, errors.Join(session.Delete(ctx, root), session.Flush(ctx)))
	})
	wantTwig(t, f, child, next)
}

func keyWaitsCircle(t *testing.T, b backend) {
	one, other := &Twig{Name: "one"}, &Twig{Name: "other"}
	one.Parent, other.Parent = other, one
	f, _, child := grown(t, b, func(ctx context.Context, root, child *Twig) {
		child.Parent = one
		must(t, errors.Join(session.Delete(ctx, root), session.Flush(ctx)))
	})
	wantTwig(t, f, child, one)
	wantTwig(t, f, one, other)
	wantTwig(t, f, other, one)
}

func keyWaitsNew(t *testing.T, b backend) {
	fresh := &Twig{Name: "fresh"}
	next := &Twig{Name: "next", Parent: fresh}
	f, _, _ := grown(t, b, func(ctx context.Context, root, child *Twig) {
		fresh.Parent = child
		must(t, session.Add(ctx, fresh))
		fresh.Parent = next // and each of the two waits for the other
		must(t, errors.Join(session.Delete(ctx, child), session.Flush(ctx)))
	})
	wantTwig(t, f, fresh, next)
	wantTwig(t, f, next, fresh)
}

// trees stores two roots, the first with one child, and runs fn with all three.
func trees(t *testing.T, b backend, fn func(ctx context.Context, first, second, child *Node)) (*fixture, uuid.UUID) {
	t.Helper()
	f := openOrder(t, b)
	moved := &Node{Name: "child"}
	first, second := &Node{Name: "first"}, &Node{Name: "second"}
	moved.Parent = first
	f.do(t, func(ctx context.Context) error {
		must(t, errors.Join(session.Add(ctx, first, second), session.Add(ctx, moved), session.Flush(ctx)))
		fn(ctx, first, second, moved)
		return nil
	})
	return f, moved.ID
}

func wantParent(t *testing.T, f *fixture, child, parent uuid.UUID) {
	t.Helper()
	if got := row[Node](t, f, child); got.ParentID == nil || *got.ParentID != parent {
		t.Errorf("stored with parent %v, want %v", got.ParentID, parent)
	}
}

func moveBesideParent(t *testing.T, b backend) {
	var want uuid.UUID
	f, child := trees(t, b, func(_ context.Context, _, second, child *Node) {
		second.Children = []*Node{child} // while child.Parent shows the first
		want = second.ID
	})
	wantParent(t, f, child, want)
}

func moveParentCleared(t *testing.T, b backend) {
	var want uuid.UUID
	f, child := trees(t, b, func(_ context.Context, _, second, child *Node) {
		second.Children, child.Parent = []*Node{child}, nil
		want = second.ID
	})
	wantParent(t, f, child, want)
}

func moveToNew(t *testing.T, b backend) {
	next := &Twig{Name: "next"}
	f, _, child := grown(t, b, func(ctx context.Context, _, child *Twig) {
		next.Children = []*Twig{child}
		must(t, session.Add(ctx, next))
	})
	wantTwig(t, f, child, next)
}

func moveDisagrees(t *testing.T, b backend) {
	trees(t, b, func(ctx context.Context, _, second, child *Node) {
		second.Children, child.Parent = []*Node{child}, &Node{Name: "third"}
		wantFault(t, session.Flush(ctx), fault.Invalid)
		child.Parent = second
	})
}

func keyPutBack(t *testing.T, b backend) {
	var want uuid.UUID
	f, child := trees(t, b, func(ctx context.Context, first, second, child *Node) {
		child.Parent = second
		notice(t, ctx, child) // its key is that of the second now
		child.ParentID = &first.ID
		want = first.ID
	})
	wantParent(t, f, child, want)
}

func keyCleared(t *testing.T, b backend) {
	var want, fresh uuid.UUID
	f, _ := trees(t, b, func(ctx context.Context, first, second, _ *Node) {
		node := &Node{Parent: first}
		must(t, session.Add(ctx, node)) // fills the key in
		node.ParentID, node.Parent = nil, second
		must(t, session.Flush(ctx))
		want, fresh = second.ID, node.ID
	})
	wantParent(t, f, fresh, want)
}

func keyOnceWritten(t *testing.T, b backend) {
	var want uuid.UUID
	f, child := trees(t, b, func(ctx context.Context, first, second, child *Node) {
		child.Parent = second
		must(t, session.Flush(ctx))
		child.ParentID = &first.ID
		must(t, session.Flush(ctx))
		child.Parent = first
		notice(t, ctx, child)
		child.ParentID = &second.ID // what the relation once filled in
		want = second.ID
	})
	wantParent(t, f, child, want)
}

func keyRolledBack(t *testing.T, b backend) {
	var want uuid.UUID
	f, child := trees(t, b, func(ctx context.Context, first, second, child *Node) {
		err := session.Nested(ctx, func(ctx context.Context) error {
			child.Parent = second
			notice(t, ctx, child)
			return errInner
		})
		if !errors.Is(err, errInner) || child.Parent != first {
			t.Errorf("after the rollback: %+v, %v", child, err)
		}
		child.ParentID = &second.ID // what the relation had filled in
		want = second.ID
	})
	wantParent(t, f, child, want)
}

func keyOverwritten(t *testing.T, b backend) {
	var want uuid.UUID
	f, child := trees(t, b, func(ctx context.Context, first, second, child *Node) {
		child.Parent = second
		notice(t, ctx, child)
		_, err := session.Find[Node](session.NoAutoflush(ctx), query.Populate)
		must(t, err)
		child.Parent = first
		notice(t, ctx, child)
		child.ParentID = &second.ID // what the relation had filled in
		want = second.ID
	})
	wantParent(t, f, child, want)
}

func relationRefreshed(t *testing.T, b backend) {
	var want uuid.UUID
	f, child := trees(t, b, func(ctx context.Context, first, second, child *Node) {
		child.Parent = second
		notice(t, ctx, child)
		must(t, session.Refresh(ctx, child)) // which flushes, but not what it throws away
		if child.Parent != nil || *child.ParentID != first.ID {
			t.Errorf("after the refresh: %+v", child)
		}
		want = first.ID
	})
	wantParent(t, f, child, want)
}

func takenBackOnce(t *testing.T, b backend) {
	f := open(t, b)
	user, id := ann(), uuid.New()
	f.do(t, func(ctx context.Context) error {
		must(t, errors.Join(session.Add(ctx, user), session.Delete(ctx, user)))
		user.ID = id // it is the program's again
		must(t, session.Rollback(ctx))
		if user.ID != id {
			t.Errorf("the rollback has set the key to %v", user.ID)
		}
		return nil
	})
}

func loadedAgainUndone(t *testing.T, b backend) {
	f := open(t, b)
	f.do(t, func(ctx context.Context) error {
		user := ann()
		must(t, errors.Join(session.Add(ctx, user), session.Flush(ctx), session.Expunge(ctx, user)))
		again, err := session.Get[User](ctx, user.ID)
		must(t, err)
		must(t, session.Rollback(ctx))
		wantState(t, ctx, again, session.Detached)
		return nil
	})
}

func deletedForgotten(t *testing.T, b backend) {
	f := open(t, b)
	f.do(t, func(ctx context.Context) error {
		user := ann()
		must(t, errors.Join(session.Add(ctx, user), session.Flush(ctx), session.Delete(ctx, user), session.Flush(ctx)))
		err := session.Nested(ctx, func(ctx context.Context) error {
			return errors.Join(session.Expunge(ctx, user), errInner)
		})
		if !errors.Is(err, errInner) {
			t.Errorf("error %v", err)
		}
		next := &User{Identifiable: user.Identifiable, Name: "next"} // its key is free, as it was before
		return session.Add(ctx, next)
	})
	wantRows[User](t, f, 1)
}
