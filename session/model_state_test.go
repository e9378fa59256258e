package session_test

import (
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/session"
)

// mObject is what the model knows of one object of the program: plain values, which it computes by itself. Only keys are
// read off the object, because nobody can foresee them.
type mObject struct {
	name  string
	table *mTable
	ptr   any
	mStatus
}

// mStatus is the part that a rollback puts back.
type mStatus struct {
	state  session.State
	doomed bool
	fields mRow // what the object's fields hold
	row    mRow // what the session takes for its row; nil where it has none
	// What its relations hold, what they held as relation and key last agreed, and what the key was then.
	now, was map[string]mHeld
	agreed   any
	waits    *mObject // what it is to belong to, as soon as the database has made the key
	unset    []mRow   // what fields held that adding it filled in, for each time that it was added
	emptied  []string // to-many fields that were nil before
	replaces *mObject // a doomed one with its key
	// moved: one of its relations, or its parent's, was changed since they agreed with the keys. keyed: its key was, since it
	// was written. Another change is ambiguous until then.
	moved, keyed bool
}

// mHeld is what the field of a relation holds. A to-many field may be nil or empty.
type mHeld struct {
	one  *mObject
	many []*mObject
	set  bool // not nil
	// known: it is what there is. That says more than the field, of what it was.
	known bool
}

func (h mHeld) equal(o mHeld) bool {
	return h.one == o.one && h.set == o.set && slices.Equal(h.many, o.many)
}

func (h mHeld) has(o *mObject) bool { return h.one == o || slices.Contains(h.many, o) }

// clone returns a copy that does not change with s.
func (s mStatus) clone() mStatus {
	s.fields, s.row, s.unset = maps.Clone(s.fields), maps.Clone(s.row), slices.Clone(s.unset)
	s.now, s.was = maps.Clone(s.now), maps.Clone(s.was)
	s.emptied = slices.Clone(s.emptied)
	return s
}

func (o *mObject) live() bool { return o.state == session.Pending || o.state == session.Persistent }

// stays reports whether the object is stored, or will be, behind the next flush.
func (o *mObject) stays() bool { return o.live() && !o.doomed }

// key returns the object's key; nil while it has none.
func (o *mObject) key() any {
	k := o.table.key(o.fields)
	if k == uuid.Nil || k == int64(0) {
		return nil
	}
	return k
}

// mRows are the rows of all tables, by their keys. Rows are replaced, never changed.
type mRows map[*mTable]map[any]mRow

func (rs mRows) clone() mRows {
	c := mRows{}
	for _, t := range mTables {
		c[t] = map[any]mRow{}
		maps.Copy(c[t], rs[t])
	}
	return c
}

// mID is the identity of a row.
type mID struct {
	table *mTable
	key   any
}

// mLink says that a box and a sticker belong together: the row in between.
type mLink struct {
	box, sticker   *mObject
	stored, doomed bool
}

// mLayer is everything as it was when a savepoint, or the transaction, began.
type mLayer struct {
	rows  mRows
	objs  map[*mObject]mStatus
	byKey map[mID]*mObject
	links []mLink
}

// mSession is the model of one session: what it must know, and what its transaction must see.
type mSession struct {
	w       *mWorld
	rows    mRows // as the transaction sees them
	layers  []*mLayer
	byKey   map[mID]*mObject
	links   []mLink
	touched map[mID]bool // rows that the transaction has written, so that nobody else can
	inTx    bool
	failed  bool
	fetches bool // the last flush had to read back what the database made
	unwound bool // a rollback has ended every savepoint: what is left of their functions is nothing
}

func (w *mWorld) begin() *mSession {
	s := &mSession{w: w, rows: w.rows.clone(), byKey: map[mID]*mObject{}, touched: map[mID]bool{}}
	s.push()
	return s
}

// push notes how everything is.
func (s *mSession) push() {
	l := &mLayer{rows: s.rows.clone(), objs: map[*mObject]mStatus{}, byKey: maps.Clone(s.byKey), links: slices.Clone(s.links)}
	for _, o := range s.w.objs {
		l.objs[o] = o.mStatus.clone()
	}
	s.layers = append(s.layers, l)
}

// release hands what was done since the last layer began over to the one below.
func (s *mSession) release() { s.layers = s.layers[:len(s.layers)-1] }

// rollback brings everything back to how it was when layer i began.
func (s *mSession) rollback(i int) {
	l := s.layers[i]
	s.layers = s.layers[:i]
	for _, o := range s.w.objs {
		was, known := l.objs[o]
		switch {
		case known && was.state == session.Persistent:
			o.mStatus = was.clone()
			o.empty(s.w)
		case len(o.unset) > len(was.unset):
			for len(o.unset) > len(was.unset) {
				o.unadd()
			}
			if known {
				o.state = was.state
			}
		case known:
			o.state, o.doomed = was.state, was.doomed
		}
	}
	s.rows, s.byKey, s.links = l.rows, l.byKey, l.links
	s.failed, s.w.keyless = false, nil
	if i == 0 {
		s.inTx, s.touched = false, map[mID]bool{}
		s.push()
	}
	for _, o := range s.w.objs {
		if r := o.table.parent; r != nil && r.to.serial && !o.live() && o.fk() != nil && !s.w.spent[mID{r.to, o.fk()}] {
			s.w.set(o, r.fk, r.unset()) // the database may give that key away again
		}
		if o.state == session.Detached {
			s.w.forget(o)
			s.w.isolate(o)
		}
	}
}

// empty takes a list that was brought back and is empty for what it is: whether it is nil is told by whether it was
// loaded, which the model does not know.
func (o *mObject) empty(w *mWorld) {
	for _, r := range o.table.rels() {
		if h := o.relation(r, w); r.toMany && len(h.many) == 0 && len(o.now[r.field].many) == 0 {
			known := o.was[r.field].known
			o.now[r.field], o.was[r.field] = h, mHeld{set: h.set, known: known}
		}
	}
}

// unadd takes back what adding the object, for the last time, filled in.
func (o *mObject) unadd() {
	last := len(o.unset) - 1
	maps.Copy(o.fields, o.unset[last])
	o.unset = slices.Delete(o.unset, last, last+1)
	for _, field := range o.emptied {
		if len(o.now[field].many) == 0 {
			o.now[field] = mHeld{}
		}
	}
	o.state, o.doomed, o.row = session.Transient, false, nil
	o.emptied, o.replaces, o.moved, o.keyed = nil, nil, false, false
	o.was, o.agreed, o.waits = map[string]mHeld{}, nil, nil
}

// commit makes what the transaction sees the truth.
func (s *mSession) commit() {
	s.w.rows = s.rows.clone()
	for _, t := range mTables {
		for key := range s.rows[t] {
			s.w.spent[mID{t, key}] = true
		}
	}
	var gone []*mObject
	for _, o := range s.w.objs {
		if o.state == session.Deleted {
			o.state = session.Detached
			gone = append(gone, o)
		}
		o.unset, o.emptied = nil, nil
	}
	s.inTx, s.touched, s.layers = false, map[mID]bool{}, nil
	s.push()
	for _, o := range gone {
		s.w.forget(o)
		s.w.isolate(o)
	}
}

// loaded notes an object that a query has made of a row.
func (s *mSession) loaded(t *mTable, ptr any, row mRow) *mObject {
	o := s.w.object(t, ptr)
	o.state, o.row, o.fields = session.Persistent, row, maps.Clone(row)
	o.agreed = o.fk()
	id := mID{t, t.key(row)}
	s.byKey[id] = o
	for _, l := range s.layers {
		l.objs[o] = o.mStatus.clone()
		_, there := l.rows[t][id.key]
		if _, taken := l.byKey[id]; taken || !there {
			// A rollback brings back the object that had the row, or takes the row away.
			st := o.mStatus.clone()
			st.state = session.Detached
			l.objs[o] = st
			continue
		}
		l.byKey[id] = o
	}
	return o
}

// fk returns the object's foreign key, or nil.
func (o *mObject) fk() any {
	if r := o.table.parent; r != nil && o.fields[r.fk] != uuid.Nil {
		return o.fields[r.fk]
	}
	return nil
}

// elsewhere does what another transaction does, and commits, to a row that this one has not touched: nil deletes it.
func (s *mSession) elsewhere(id mID, row mRow) {
	all := []mRows{s.w.rows, s.rows}
	for _, l := range s.layers {
		all = append(all, l.rows)
	}
	for _, rows := range all {
		if row == nil {
			delete(rows[id.table], id.key)
		} else {
			rows[id.table][id.key] = row
		}
	}
}
