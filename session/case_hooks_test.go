package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// Hooked is an entity with every hook; each does what its function field says, if there is one.
type Hooked struct {
	entity.Identifiable
	entity.Dated
	Name   string
	Length int64 `db:"length,generated=length(name)"`

	OnBeforeInsert hookFunc `db:"-"`
	OnBeforeUpdate hookFunc `db:"-"`
	OnBeforeDelete hookFunc `db:"-"`
	OnAfterInsert  hookFunc `db:"-"`
	OnAfterUpdate  hookFunc `db:"-"`
	OnAfterDelete  hookFunc `db:"-"`
}

type hookFunc func(ctx context.Context, h *Hooked) error

func (f hookFunc) call(ctx context.Context, h *Hooked) error {
	if f == nil {
		return nil
	}
	return f(ctx, h)
}

func (h *Hooked) BeforeInsert(ctx context.Context) error { return h.OnBeforeInsert.call(ctx, h) }
func (h *Hooked) BeforeUpdate(ctx context.Context) error { return h.OnBeforeUpdate.call(ctx, h) }
func (h *Hooked) BeforeDelete(ctx context.Context) error { return h.OnBeforeDelete.call(ctx, h) }
func (h *Hooked) AfterInsert(ctx context.Context) error  { return h.OnAfterInsert.call(ctx, h) }
func (h *Hooked) AfterUpdate(ctx context.Context) error  { return h.OnAfterUpdate.call(ctx, h) }
func (h *Hooked) AfterDelete(ctx context.Context) error  { return h.OnAfterDelete.call(ctx, h) }

var hooked = entity.Columns[Hooked]()

// counted makes every hook of h note its name, and returns the notes.
func counted(h *Hooked) *[]string {
	var ran []string
	note := func(name string) hookFunc {
		return func(context.Context, *Hooked) error { ran = append(ran, name); return nil }
	}
	h.OnBeforeInsert, h.OnAfterInsert = note("before insert"), note("after insert")
	h.OnBeforeUpdate, h.OnAfterUpdate = note("before update"), note("after update")
	h.OnBeforeDelete, h.OnAfterDelete = note("before delete"), note("after delete")
	return &ran
}

func expectRan(t *testing.T, what string, ran *[]string, want ...string) {
	t.Helper()
	if !slices.Equal(*ran, want) {
		t.Errorf("%s: ran %v, not %v", what, *ran, want)
	}
	*ran = nil
}

func case066(t *testing.T, b backend) {
	f := open(t, b)
	refused := func(ctx context.Context) error {
		nothing := func(context.Context) error { return nil }
		_, execErr := session.From(ctx).ExecContext(ctx, "SELECT 1")
		for verb, err := range map[string]error{
			"Flush": session.Flush(ctx), "Commit": session.Commit(ctx), "Rollback": session.Rollback(ctx),
			"Nested": session.Nested(ctx, nothing), "raw SQL": execErr, "CreateTables": session.CreateTables(ctx, (*User)(nil)),
		} {
			if !errors.Is(err, fault.Flushing) {
				t.Errorf("%s in a hook: %v", verb, err)
			}
		}
		return nil
	}
	first, before, after := &User{Email: "first"}, &User{Email: "before"}, &User{Email: "after"}
	f.do(t, func(ctx context.Context) error {
		must(t, session.OnFlush(ctx, session.FlushHooks{
			Before: func(ctx context.Context) error { return errors.Join(refused(ctx), session.Add(ctx, before)) },
			After:  func(ctx context.Context) error { return errors.Join(refused(ctx), session.Add(ctx, after)) },
		}))
		must(t, session.Flush(ctx)) // nothing to write: no hook
		expectState(t, ctx, before, session.Transient)
		must(t, session.Add(ctx, first))
		must(t, session.Flush(ctx))
		expectState(t, ctx, before, session.Persistent)
		expectState(t, ctx, after, session.Pending)
		return nil
	})
	if n := count[User](t, f); n != 3 {
		t.Errorf("%d of three users are there after the commit", n)
	}
}

func expectState[T any](t *testing.T, ctx context.Context, obj *T, want session.State) {
	t.Helper()
	got, err := session.StateOf(ctx, obj)
	must(t, err)
	if got != want {
		t.Errorf("%+v is %s, not %s", obj, got, want)
	}
}

// case066Rounds: hooks that cause more work for ever are an error, wherever they are.
func case066Rounds(t *testing.T, b backend) {
	f := open(t, b)
	i := 0
	another := func(ctx context.Context) error { i++; return session.Add(ctx, &User{Email: fmt.Sprint(i)}) }
	var endless hookFunc
	endless = func(ctx context.Context, _ *Hooked) error { return session.Add(ctx, &Hooked{OnBeforeInsert: endless}) }
	for what, begin := range map[string]func(ctx context.Context) error{
		"after the flush": func(ctx context.Context) error {
			return errors.Join(session.OnFlush(ctx, session.FlushHooks{After: another}), another(ctx))
		},
		"before an insert": func(ctx context.Context) error { return session.Add(ctx, &Hooked{OnBeforeInsert: endless}) },
		"after an insert": func(ctx context.Context) error {
			var endless hookFunc
			endless = func(ctx context.Context, _ *Hooked) error { return session.Add(ctx, &Hooked{OnAfterInsert: endless}) }
			return session.Add(ctx, &Hooked{OnAfterInsert: endless})
		},
	} {
		err := f.Do(t.Context(), begin)
		if !errors.Is(err, fault.Flushing) || !strings.Contains(err.Error(), "100 rounds") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if n := count[User](t, f) + count[Hooked](t, f); n > 0 {
		t.Errorf("%d rows are left", n)
	}
}

func case067Before(t *testing.T, b backend) {
	f := open(t, b)
	h := &Hooked{Name: "given"}
	ran := counted(h)
	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, h))
		expectRan(t, "added", ran)
		must(t, session.Flush(ctx))
		expectRan(t, "inserted", ran, "before insert", "after insert")
		must(t, session.Flush(ctx))
		h.Name = "other"
		h.Name = "given"
		must(t, session.Flush(ctx))
		expectRan(t, "clean", ran)
		h.Name = "changed"
		must(t, session.Flush(ctx))
		expectRan(t, "updated", ran, "before update", "after update")

		// A hook that takes the change back: nothing is written, and the next change has its hook again.
		tell := h.OnBeforeUpdate
		h.OnBeforeUpdate = func(context.Context, *Hooked) error { h.Name = "changed"; return nil }
		h.Name = "taken back"
		f.reset()
		must(t, session.Flush(ctx))
		expectRan(t, "taken back", ran)
		if f.writes() > 0 {
			t.Errorf("sent %v", f.trips())
		}
		h.OnBeforeUpdate, h.Name = tell, "not taken back"
		must(t, session.Flush(ctx))
		expectRan(t, "updated", ran, "before update", "after update")
		must(t, session.Delete(ctx, h))
		expectRan(t, "marked", ran)
		must(t, session.Flush(ctx))
		expectRan(t, "deleted", ran, "before delete", "after delete")
		return nil
	})
	case067Included(t, f)
}

// case067Included: what Before-hooks change is part of the same write, in their own object and in others.
func case067Included(t *testing.T, f *fixture) {
	rename := func(name string) hookFunc {
		return func(_ context.Context, h *Hooked) error { h.Name = name; return nil }
	}
	h := &Hooked{OnBeforeInsert: rename("by the hook")}
	f.reset()
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, h) })
	if now := row[Hooked](t, f, h.ID); now.Name != "by the hook" || f.sent("UPDATE") {
		t.Errorf("inserted %q with %v", now.Name, f.trips())
	}
	f.do(t, func(ctx context.Context) error {
		one, err := session.Get[Hooked](ctx, h.ID)
		if err != nil {
			return err
		}
		other := &Hooked{Name: "other"}
		must(t, session.Add(ctx, other))
		must(t, session.Flush(ctx))
		ran := counted(other)
		one.OnBeforeUpdate = func(context.Context, *Hooked) error { one.Name += "!"; other.Name += "!"; return nil }
		one.Name = "changed"
		must(t, session.Flush(ctx))
		expectRan(t, "changed by another one's hook", ran, "before update", "after update")
		if one.Name != "changed!" || other.Name != "other!" {
			t.Errorf("the names are %q and %q", one.Name, other.Name)
		}
		expectModified(t, ctx, "just written", one, false)
		return nil
	})
}

func case067After(t *testing.T, b backend) {
	f := open(t, b)
	h := &Hooked{Name: "four"}
	h.OnAfterInsert = func(ctx context.Context, h *Hooked) error {
		if h.Length != 4 {
			t.Errorf("the hook sees the length %d", h.Length)
		}
		_, err := session.Get[Hooked](ctx, h.ID) // reading is allowed
		return errors.Join(err, session.Add(ctx, &User{Name: "by the hook"}))
	}
	h.OnAfterUpdate = func(_ context.Context, h *Hooked) error {
		if h.Length != 6 {
			t.Errorf("the hook sees the length %d", h.Length)
		}
		return nil
	}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, h) })
	if n := count[User](t, f); n != 1 {
		t.Errorf("%d rows were added by the hook", n)
	}
	inner := &Hooked{OnAfterInsert: func(ctx context.Context, _ *Hooked) error {
		return session.Add(ctx, &User{Email: "by the inner unit's hook"})
	}}
	err := f.Do(t.Context(), func(ctx context.Context) error {
		err := session.New(ctx, func(ctx context.Context) error { return session.Add(ctx, inner) })
		return errors.Join(err, fault.New(fault.Conflict, "the outer unit rolls back"))
	})
	if n := count[User](t, f); n != 2 || !errors.Is(err, fault.Conflict) {
		t.Errorf("%d rows were added by the hooks: %v", n, err)
	}
	f.do(t, func(ctx context.Context) error {
		loaded, err := session.Get[Hooked](ctx, h.ID)
		if err == nil {
			loaded.Name, loaded.OnAfterUpdate = "second", h.OnAfterUpdate
		}
		return err
	})
	// One trip more than a unit without After-hooks takes.
	f.reset()
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, &User{Email: "plain"}) })
	plain := len(f.trips())
	f.reset()
	f.do(t, func(ctx context.Context) error {
		must(t, session.OnFlush(ctx, session.FlushHooks{After: func(context.Context) error { return nil }}))
		return session.Add(ctx, &User{Email: "with a flush hook"})
	})
	if n := len(f.trips()); plain != 1 || n != 2 {
		t.Errorf("%d trips without a hook, %d with an After-hook of the flush: %v", plain, n, f.trips())
	}
	f.reset()
	f.do(t, func(ctx context.Context) error {
		found, err := session.Find[Hooked](ctx, query.Eq(&hooked.ID, h.ID))
		for _, h := range found {
			err = errors.Join(err, session.Delete(ctx, h))
		}
		return err
	})
	if n := len(f.trips()); n != 3 { // the query, the deletion, the commit
		t.Errorf("%d trips: %v", n, f.trips())
	}
}

// case067Failure: an error of a hook fails the flush and the unit, also where it is swallowed.
func case067Failure(t *testing.T, b backend) {
	f := open(t, b)
	refused := errors.New("refused by the hook")
	refuse := func(context.Context, *Hooked) error { return refused }
	stored := &Hooked{Name: "stored"}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, stored) })
	for what, change := range map[string]func(ctx context.Context, h *Hooked) error{
		"before insert": func(ctx context.Context, _ *Hooked) error { return session.Add(ctx, &Hooked{OnBeforeInsert: refuse}) },
		"after insert":  func(ctx context.Context, _ *Hooked) error { return session.Add(ctx, &Hooked{OnAfterInsert: refuse}) },
		"before update": func(_ context.Context, h *Hooked) error { h.Name, h.OnBeforeUpdate = "new", refuse; return nil },
		"after update":  func(_ context.Context, h *Hooked) error { h.Name, h.OnAfterUpdate = "new", refuse; return nil },
		"before delete": func(ctx context.Context, h *Hooked) error { h.OnBeforeDelete = refuse; return session.Delete(ctx, h) },
		"after delete":  func(ctx context.Context, h *Hooked) error { h.OnAfterDelete = refuse; return session.Delete(ctx, h) },
	} {
		for _, swallow := range []bool{false, true} {
			err := f.Do(t.Context(), func(ctx context.Context) error {
				h, err := session.Get[Hooked](ctx, stored.ID)
				if err != nil {
					return err
				}
				must(t, change(ctx, h))
				if !swallow {
					return nil // the commit flushes
				}
				if err := session.Flush(ctx); !errors.Is(err, refused) {
					t.Errorf("%s: the flush said %v", what, err)
				}
				return nil
			})
			if !errors.Is(err, refused) || swallow && !errors.Is(err, fault.SessionFailed) {
				t.Errorf("%s, swallowed: %t: %v", what, swallow, err)
			}
			if now := row[Hooked](t, f, stored.ID); count[Hooked](t, f) != 1 || now.Name != "stored" {
				t.Errorf("%s, swallowed: %t: left %d rows, %q", what, swallow, count[Hooked](t, f), now.Name)
			}
		}
	}
}
