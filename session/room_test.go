package session

import (
	"reflect"
	"testing"
	"unsafe"
)

// TestRoomIsGivenBackEmpty: a session that moves into the room of another finds nothing of its objects.
func TestRoomIsGivenBackEmpty(t *testing.T) {
	t.Parallel()
	x := &meta{layout: &layout{words: 3, texts: 2}}
	for _, n := range []int{1, 5, 30, 64} {
		s := &Session{conn: &connection{}}
		s.root = &s.base
		s.occupy(s.conn.room(x, n), n)
		r := s.room
		objects := make([]int, n+1) // one more than was expected
		for i := range objects {
			e := s.objects.one()
			e.base, e.state, e.known, e.id.hi = unsafe.Pointer(&objects[i]), Persistent, true, uint64(i)
			e.snapshot = s.kept.take(x.layout)
			e.snapshot.allWords()[2], e.snapshot.allTexts()[1] = 1, "x"
			s.entries = append(s.entries, e)
			s.byID.put(e)
			s.byPtr.put(e)
		}
		for i := range objects {
			e := s.entryAt(unsafe.Pointer(&objects[i]))
			if e == nil || s.byID.get(e.id) != e || s.entries[i] != e {
				t.Fatalf("of %d objects, %d is lost", n, i)
			}
		}
		s.close()
		for name, left := range map[string]any{
			"objects": r.objects, "words": r.words, "texts": r.texts, "entries": r.entries, "late": r.late, "slots": r.slots,
		} {
			v := reflect.ValueOf(left)
			if v.Len() == 0 {
				t.Errorf("there was no room for %s", name)
			}
			for i := range v.Len() {
				if !v.Index(i).IsZero() {
					t.Errorf("of %d objects, %s has something left at %d", n, name, i)
				}
			}
		}
	}
}
