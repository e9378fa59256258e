package session

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"unsafe"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/scope"
)

// TestStoreIsGivenAwayEmpty: a session finds nothing in its store of the objects of the session before it.
func TestStoreIsGivenAwayEmpty(t *testing.T) {
	t.Parallel()
	l := &layout{words: 3, texts: 2}
	c := &connection{}
	for _, n := range []int{1, 3, 60, 150, 3000} {
		s := &Session{conn: c}
		s.root = &s.base
		objects := make([]int, n)
		for i := range objects {
			e := s.stored().entries.one()
			if e.base != nil || e.known || e.state != Transient {
				t.Fatalf("of %d objects, %d is %+v as it is made", n, i, e.status)
			}
			e.base, e.state, e.known, e.id.hi = unsafe.Pointer(&objects[i]), Persistent, true, uint64(i)
			e.snapshot = s.stored().rows.take(l)
			for j := range l.words {
				if word := &e.snapshot.allWords()[j]; *word != 0 {
					t.Fatalf("of %d objects, %d has a word %d in its row", n, i, *word)
				} else {
					*word = 1
				}
			}
			e.snapshot.allTexts()[1] += "x"
			s.entries = append(s.entries, e)
			s.byID.put(e)
			s.byPtr.put(e)
		}
		for i := range objects {
			if e := s.entryAt(unsafe.Pointer(&objects[i])); e == nil || s.byID.get(e.id) != e || s.entries[i] != e || e.snapshot.allTexts()[1] != "x" {
				t.Fatalf("of %d objects, %d is lost", n, i)
			}
		}
		st := s.store
		s.close()
		lists := []any{st.list[:cap(st.list)], st.late[:cap(st.late)], st.slots}
		for i := range st.entries.pieces {
			lists = append(lists, st.entries.pieces[i])
		}
		for i := range st.rows.words.pieces {
			lists = append(lists, st.rows.words.pieces[i])
		}
		for i := range st.rows.texts.pieces {
			lists = append(lists, st.rows.texts.pieces[i])
		}
		for i, list := range lists {
			for j, v := 0, reflect.ValueOf(list); j < v.Len(); j++ {
				if !v.Index(j).IsZero() {
					t.Fatalf("of %d objects, something is left in list %d at %d", n, i, j)
				}
			}
		}
		if len(lists) > 3+3*maxPieces || len(st.slots) > maxSlots || cap(st.list) > maxListed {
			t.Errorf("of %d objects, %d lists are kept, one of %d", n, len(lists), cap(st.list))
		}
	}
}

// TestStrayGoroutineKeepsTheStore: where a goroutine that a hook has started does not finish, no other session gets what it
// may use still.
func TestStrayGoroutineKeepsTheStore(t *testing.T) {
	t.Parallel()
	c := &connection{}
	s := &Session{conn: c}
	s.root = &s.base
	e := s.stored().entries.one()
	e.state = Persistent
	s.stray = true
	s.close()
	if e.state != Persistent {
		t.Error("the entry is empty")
	}
	if got := c.stores.Get(); got != nil {
		t.Errorf("another session would get %p", got)
	}
}

// TestHookThatLeavesAGoroutineBehind: a verb that such a goroutine is in does not end with the hooks, so that the store is the
// goroutine's too.
func TestHookThatLeavesAGoroutineBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, stays := range []bool{false, true} {
			s := &Session{conn: &connection{}}
			err := s.hooks(t.Context(), func(ctx context.Context) error {
				scope.From(ctx).Hook.(*hook).busy.Store(stays)
				return nil
			})
			if s.stray != stays || errors.Is(err, fault.ConcurrentUse) != stays {
				t.Errorf("where it stays is %t: stray is %t, and the error %v", stays, s.stray, err)
			}
		}
	})
}

// TestPiecesThatAreNotKept: what is more than is used again goes with what is in it.
func TestPiecesThatAreNotKept(t *testing.T) {
	t.Parallel()
	p := pieces[string]{keep: 3}
	for range 2 {
		for i := range 10_000 {
			if s := p.one(); *s != "" {
				t.Fatalf("value %d is %q", i, *s)
			} else {
				*s = "x"
			}
		}
		if len(p.pieces) != 3 {
			t.Errorf("%d pieces are kept", len(p.pieces))
		}
		p.reset()
		for _, piece := range p.pieces {
			for _, s := range piece {
				if s != "" {
					t.Fatal("something is left")
				}
			}
		}
	}
}
