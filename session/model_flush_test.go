package session_test

import (
	"maps"
	"slices"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
)

// mWrite is one row that a flush has to write.
type mWrite struct {
	o        *mObject // nil for a row in between
	table    *mTable
	old, new mRow // nil before an insert and after a delete
}

// kept are the columns that a program does not change: the session or the database does.
var kept = []string{"id", "created_at", "updated_at", "version", "deleted_at", "length"}

// written returns the fields as they are written, with the object that is waited for in the place of its key.
func (o *mObject) written() mRow {
	if o.waits == nil {
		return o.fields
	}
	r := maps.Clone(o.fields)
	r[o.table.parent.fk] = o.waits.id()
	return r
}

// dirty returns the columns in which a stored object differs from its row.
func (o *mObject) dirty() (columns []string) {
	for _, c := range o.table.columns {
		if !slices.Contains(kept, c.name) && o.written()[c.name] != o.row[c.name] {
			columns = append(columns, c.name)
		}
	}
	return columns
}

// writes returns what a flush has to write.
func (s *mSession) writes() (all []mWrite) {
	for _, o := range s.w.objs {
		w := mWrite{o: o, table: o.table, old: o.row, new: o.written()}
		switch {
		case o.state == session.Persistent && o.doomed && !o.table.soft:
			w.new = nil
		case o.state == session.Pending:
			w.old = nil
		case o.state != session.Persistent, !o.doomed && len(o.dirty()) == 0:
			continue
		}
		all = append(all, w)
	}
	for _, l := range s.links {
		w := mWrite{table: mLinks}
		row := mRow{"box_id": l.box.id(), "sticker_id": l.sticker.id()}
		switch {
		case l.stored && l.doomed:
			w.old = row
		case !l.stored && l.box.stays() && l.sticker.stays():
			w.new = row
		default:
			continue
		}
		all = append(all, w)
	}
	return all
}

// id returns the object's key, or something that is like no key where the database makes it later.
func (o *mObject) id() any {
	if k := o.key(); k != nil {
		return k
	}
	return o
}

// changed reports whether a flush would write to one of the tables.
func (s *mSession) changed(tables ...*mTable) bool {
	return s.waits() || slices.ContainsFunc(s.writes(), func(w mWrite) bool { return slices.Contains(tables, w.table) })
}

// flush writes everything pending. What it returns says why it cannot; exchanges is how many it takes.
func (s *mSession) flush() (refused []fault.Kind, exchanges int) {
	s.sync()
	writes := s.writes()
	if len(writes) == 0 {
		return nil, 0
	}
	if circular(writes) {
		return []fault.Kind{fault.DependencyCycle}, 0
	}
	exchanges = s.rounds(writes)
	next, refused := s.apply(writes)
	if len(refused) > 0 {
		s.failed = true
		s.inTx = s.inTx || len(s.w.f.trips()) > 1 // a part of it went well
		return refused, exchanges
	}
	s.rows, s.inTx = next, true
	for _, w := range writes {
		if w.o != nil && w.old == nil && w.o.key() == nil {
			s.adopt(w.o)
		}
	}
	s.sync() // with the keys that are there now
	for _, w := range writes {
		s.settle(w)
	}
	s.links = slices.DeleteFunc(s.links, func(l mLink) bool { return l.doomed || !l.box.live() || !l.sticker.live() })
	for i := range s.links {
		s.links[i].stored = true
	}
	return nil, exchanges
}

// apply returns the rows as they are after the writes, and what the database has against them.
func (s *mSession) apply(writes []mWrite) (next mRows, refused []fault.Kind) {
	next = s.rows.clone()
	refuse := func(is bool, kind fault.Kind) {
		if is {
			refused = append(refused, kind)
		}
	}
	for _, w := range writes {
		if w.old == nil {
			continue
		}
		key := w.table.key(w.old)
		row, there := s.rows[w.table][key]
		refuse(!there || w.table.versioned && row["version"] != w.old["version"], fault.Stale)
		switch {
		case !there:
		case w.new == nil:
			delete(next[w.table], key)
			cascade(next, w)
		default:
			next[w.table][key] = s.updated(w, row)
		}
	}
	for _, w := range writes {
		if w.new != nil || w.old == nil {
			continue
		}
		refuse(s.referred(next, w), fault.ForeignKey)
	}
	for _, w := range writes {
		if w.old != nil {
			continue
		}
		row := maps.Clone(w.new)
		if w.o != nil {
			row["id"] = w.o.id()
			w.table.generate(row)
			if row["status"] == "" {
				row["status"] = "open"
			}
		}
		key := w.table.key(row)
		_, there := next[w.table][key]
		refuse(there, fault.Unique)
		next[w.table][key] = row
	}
	for _, w := range writes {
		refuse(w.new != nil && !next.refers(w.table, w.new), fault.ForeignKey)
	}
	for _, t := range mTables {
		refuse(next.duplicates(t), fault.Unique)
	}
	return next, refused
}

// updated returns a row after an update: only what was changed is set.
func (s *mSession) updated(w mWrite, row mRow) mRow {
	row = maps.Clone(row)
	for _, column := range w.o.dirty() {
		row[column] = w.new[column]
	}
	if w.table.versioned {
		row["version"] = w.old["version"].(int64) + 1
	}
	if w.table.dated {
		row["updated_at"] = s.w.now()
	}
	if w.o.doomed {
		row["deleted_at"] = s.w.now()
	}
	w.table.generate(row)
	return row
}

// generate does what the database does by itself.
func (t *mTable) generate(row mRow) {
	if _, ok := row["length"]; ok {
		row["length"] = int64(len(row["name"].(string)))
	}
}

// cascade deletes the rows in between that refer to a deleted row.
func cascade(next mRows, w mWrite) {
	maps.DeleteFunc(next[mLinks], func(_ any, l mRow) bool {
		return w.table == mBoxes && l["box_id"] == w.old["id"] || w.table == mStickers && l["sticker_id"] == w.old["id"]
	})
}

// referred reports whether a row that refers to a deleted one still does.
func (s *mSession) referred(next mRows, w mWrite) bool {
	for _, t := range mTables {
		if t.parent == nil || t.parent.to != w.table {
			continue
		}
		for key, row := range next[t] {
			if row[t.parent.fk] == w.old["id"] && s.rows[t][key][t.parent.fk] == w.old["id"] {
				return true
			}
		}
	}
	return false
}

// refers reports whether what a row refers to is there.
func (rs mRows) refers(t *mTable, row mRow) bool {
	there := func(to *mTable, key any) bool { _, ok := rs[to][key]; return ok }
	switch {
	case t == mLinks:
		return there(mBoxes, row["box_id"]) && there(mStickers, row["sticker_id"])
	case t.parent == nil || row[t.parent.fk] == nil:
		return true
	}
	return there(t.parent.to, row[t.parent.fk])
}

// duplicates reports whether two rows have the same unique value.
func (rs mRows) duplicates(t *mTable) bool {
	for _, column := range t.unique {
		seen := map[any]bool{nil: false}
		for _, row := range rs[t] {
			if v := row[column]; seen[v] {
				return true
			} else if v != nil {
				seen[v] = true
			}
		}
	}
	return false
}

// settle makes an object what it is once its write is done.
func (s *mSession) settle(w mWrite) {
	o := w.o
	if o == nil {
		return
	}
	id := mID{o.table, o.id()}
	s.touched[id] = true
	row := s.rows[o.table][id.key]
	o.replaces, o.keyed = nil, false
	switch {
	case w.new == nil:
		if s.byKey[id] == o {
			delete(s.byKey, id)
		}
		o.state, o.doomed = session.Deleted, false
		return
	case w.old == nil:
		o.state, o.row = session.Persistent, maps.Clone(row)
		o.fields = maps.Clone(row)
		s.byKey[id] = o
		return
	}
	// What the session has of the other columns is as old as it was.
	o.row = maps.Clone(o.row)
	for _, column := range append(o.dirty(), "version", "updated_at", "deleted_at", "length") {
		if v, ok := row[column]; ok {
			o.row[column] = v
		}
	}
	o.fields = maps.Clone(o.row)
	if o.doomed {
		delete(s.byKey, id)
		o.state, o.doomed = session.Deleted, false
	}
}

// adopt takes over the key that the database has made, wherever the object stood for it.
func (s *mSession) adopt(o *mObject) {
	key := o.table.read(o.ptr)["id"]
	_, taken := s.rows[o.table][key]
	s.w.check(key != int64(0) && !taken, "%s: the key of the database is not there, or not new", o.name)
	s.w.names[mID{o.table, key}] = o.name
	for _, t := range mTables {
		for at, row := range s.rows[t] {
			if !row.adopt(o, key) {
				continue
			}
			delete(s.rows[t], at)
			s.rows[t][t.key(row)] = row
		}
	}
	o.fields["id"] = key
}

// adopt puts a key in the place of the object that stood for it, and reports whether it did somewhere.
func (r mRow) adopt(o *mObject, key any) (found bool) {
	for column, v := range r {
		if v == any(o) {
			r[column], found = key, true
		}
	}
	return found
}

// rounds returns the number of exchanges that a flush takes: one more for each key that the database has to make before
// something can refer to it.
func (s *mSession) rounds(writes []mWrite) int {
	deep, most, circle := map[*mObject]int{}, 1, false
	var depth func(r mRow) int
	depth = func(r mRow) int {
		n := 1
		for column, v := range r {
			o, waits := v.(*mObject)
			if !waits || column == "id" {
				continue
			}
			if _, under := deep[o]; !under {
				deep[o] = 1
				deep[o] = depth(o.written())
			} else if deep[o] == 1 {
				circle = true
			}
			n = max(n, deep[o]+1)
		}
		return n
	}
	for _, w := range writes {
		most = max(most, depth(w.new))
	}
	preset := func(w mWrite) bool { return w.o != nil && w.old == nil && w.table == mTwigs && w.o.key() != nil }
	circle = circle || most > 1 && slices.ContainsFunc(writes, preset) // one with a key may wait for one without
	if circle || s.waits() && most == 1 {                              // some are written twice, or what waited turns out not to be needed
		s.fetches = true
		return 1
	}
	return most
}

// circular reports whether writes wait for each other in a way that a column which can be NULL does not help out of.
func circular(writes []mWrite) bool {
	before := map[int][]int{}
	for i, a := range writes {
		for j, b := range writes {
			if i != j && mustPrecede(a, b) {
				before[j] = append(before[j], i)
			}
		}
	}
	state := map[int]int{}
	var visit func(i int) bool
	visit = func(i int) bool {
		if state[i] > 0 {
			return state[i] == 1
		}
		state[i] = 1
		found := slices.ContainsFunc(before[i], visit)
		state[i] = 2
		return found
	}
	for i := range writes {
		if visit(i) {
			return true
		}
	}
	return false
}

// mustPrecede reports whether write a has to go before b, and no column can be NULL in between.
func mustPrecede(a, b mWrite) bool {
	if a.table == b.table && a.old != nil && b.new != nil {
		if b.old == nil && a.new == nil && a.table.key(a.old) == b.key() {
			return true // it makes room for the other's key
		}
		if v := a.old["place"]; v != nil && b.new["place"] == v && (a.new == nil || a.new["place"] != v) && (b.old == nil || b.old["place"] != v) {
			return true // and for its place
		}
	}
	if r := b.table.parent; r != nil && r.to == a.table && a.old == nil && b.new != nil && b.new[r.fk] == a.key() {
		if b.old == nil && !r.null || b.old != nil && b.old[r.fk] != b.new[r.fk] {
			return true // it inserts the parent
		}
	}
	r := a.table.parent
	return r != nil && !r.null && r.to == b.table && b.new == nil && a.old != nil && a.old[r.fk] == b.old["id"] &&
		(a.new == nil || a.new[r.fk] != a.old[r.fk])
}

// key returns the key of the row as it is written.
func (w mWrite) key() any {
	if w.o != nil {
		return w.o.id()
	}
	return w.table.key(w.new)
}
