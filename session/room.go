package session

import mathbits "math/bits"

// room is memory for the objects of one session. All of them go at once, and the next session uses it again: what a page of
// rows would leave behind otherwise is more than its objects.
type room struct {
	objects              []entry
	words                []uint64
	texts                []string
	entries, late, slots []*entry
}

// maxRoom bounds the words and texts that are kept, which are as many as the tables have columns.
const maxRoom = 64 << 10 / 8

// room returns room for n objects with rows like x's.
func (c *connection) room(x *meta, n int) *room {
	r, ok := c.rooms.Get().(*room)
	if !ok {
		r = &room{}
	}
	r.objects = atLeast(r.objects, n)
	r.words, r.texts = atLeast(r.words, n*x.layout.words), atLeast(r.texts, n*x.layout.texts)
	return r
}

// takeBack takes back the room of a session that has ended.
func (c *connection) takeBack(r *room) {
	if len(r.words)+len(r.texts) > maxRoom {
		return
	}
	clear(r.objects)
	clear(r.words)
	clear(r.texts)
	clear(r.entries)
	clear(r.late)
	clear(r.slots)
	c.rooms.Put(r)
}

// atLeast returns room for n zero Ts: s, which has nothing else in it, or a new one.
func atLeast[T any](s []T, n int) []T {
	if len(s) < n {
		return make([]T, n)
	}
	return s
}

// occupy has the session's objects come from a room from now on, of which there can be n more.
func (s *Session) occupy(r *room, n int) {
	s.room = r
	s.objects.free, s.kept.words.free, s.kept.texts.free = r.objects, r.words, r.texts
	r.entries = atLeast(r.entries, len(s.entries)+n)
	s.entries = append(r.entries[:0], s.entries...)
	r.slots = atLeast(r.slots, slotsFor(s.byID.n+n))
	s.byID.grow(r.slots)
	s.tracked.Lock()
	r.late = atLeast(r.late, len(s.byPtr.late)+n)
	s.byPtr.late = append(r.late[:0], s.byPtr.late...)
	s.tracked.Unlock()
}

// vacate ends that: nothing of the session refers to the room any more.
func (s *Session) vacate() {
	if s.room != nil {
		s.conn.takeBack(s.room)
		s.room = nil
	}
}

// slotsFor is how many slots an index has that is at most three quarters full with n entries, of which there is one at least.
func slotsFor(n int) int { return max(8, 1<<mathbits.Len(uint(4*n-1)/3)) }
