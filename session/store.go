package session

// store is the memory in which a session keeps what it knows of its objects. All of it goes at once, and the next session
// uses it again: what a page of rows would leave behind otherwise is more than its objects.
type store struct {
	entries           pieces[entry]
	rows              rows
	list, late, slots []*entry // of Session.entries, byPtr and byID
}

// What is kept of the lists for the next session at most: it pays for what it does not use.
const (
	maxListed = 1024
	maxSlots  = 256
	keptTexts = 8 // pieces: what is in them is kept for as long as the session lives
)

// stored returns the session's store, which it gets with its first object.
func (s *Session) stored() *store {
	if s.store == nil {
		st, ok := s.conn.stores.Get().(*store)
		if !ok {
			st = &store{}
			st.rows.texts.keep = keptTexts
		}
		s.store, s.entries, s.byID.slots = st, st.list, st.slots
		s.tracked.Lock()
		s.byPtr.late = st.late
		s.tracked.Unlock()
	}
	return s.store
}

// forget ends what the session knows of its objects, and gives its store away, empty.
func (s *Session) forget() {
	st, entries, slots := s.store, s.entries, s.byID.slots
	s.store, s.entries, s.byID = nil, nil, byID{}
	s.tracked.Lock()
	late := s.byPtr.late
	s.byPtr = byPtr{}
	s.tracked.Unlock()
	if st == nil || s.stray { // somebody may use it still
		return
	}
	st.list, st.late, st.slots = emptied(entries), emptied(late), nil
	if len(slots) <= maxSlots {
		clear(slots)
		st.slots = slots
	}
	st.entries.reset()
	st.rows.words.reset()
	st.rows.texts.reset()
	s.conn.stores.Put(st)
}

// emptied returns the room that a list had, unless it was large.
func emptied(list []*entry) []*entry {
	if cap(list) > maxListed {
		return nil
	}
	clear(list)
	return list[:0]
}
