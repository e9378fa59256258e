package session_test

import (
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
)

// mKinds are the tables of objects.
var mKinds = []*mTable{mShelves, mBoxes, mBranches, mStickers, mTwigs, mMemos}

// mTexts are what texts are set to: the zero value among them.
var mTexts = []string{"a", "b", "", "c"}

// addNew adds a new object, with relations that lead to what is there and to what is new.
func (s *mSession) addNew(ctx context.Context, st mStep) {
	o := s.newObject(mKinds[st.a%6], st)
	s.addObject(ctx, o)
}

// newObject makes an object with fields.
func (s *mSession) newObject(t *mTable, st mStep) *mObject {
	w := s.w
	o := w.object(t, t.verbs.make())
	w.log("%s := &%s{}", o.name, t.typ.Name())
	s.assign(o, "name", mTexts[st.b%4])
	switch t {
	case mShelves:
		s.assign(o, "place", s.place(st.b))
		if st.c%2 == 0 {
			s.assign(o, "label", mTexts[st.c%4])
		}
		if st.c%5 == 0 {
			child := s.newObject(mBoxes, mStep{b: 1, c: -1})
			s.hold(child, mBoxes.parent, mHeld{})
			s.hold(o, t.children, mHeld{many: []*mObject{child}, set: true})
		}
	case mBoxes, mBranches, mTwigs:
		if st.c >= 0 {
			s.moveTo(o, mStep{a: st.b, b: st.a / 6, c: st.c % 8})
		}
		if sticker := s.pick(st.b, linkable(mStickers)); t == mBoxes && sticker != nil && st.b%3 == 0 {
			s.hold(o, t.links, mHeld{many: []*mObject{sticker}, set: true})
			sticker.moved = true
		}
	case mStickers:
		if st.c%3 == 0 {
			s.assign(o, "status", "closed")
		}
	}
	return o
}

// place returns a place that no shelf has, or for some n one that is taken.
func (s *mSession) place(n int) int64 {
	taken := map[int64]bool{}
	for _, o := range s.w.objs {
		if p, ok := o.fields["place"].(int64); ok && o.live() {
			taken[p] = true
		}
	}
	for _, row := range s.rows[mShelves] {
		taken[row["place"].(int64)] = n%11 != 10 // what a deleted row has, or a row that will not have it
	}
	for p := int64(1); ; p++ {
		if !taken[p] || n%13 == 12 {
			return p
		}
	}
}

// assign sets a field and says so.
func (s *mSession) assign(o *mObject, column string, value any) {
	shown := value
	if to := o.table.refersTo(column); to != nil && value != nil {
		shown = "key of " + s.w.origin(to, value)
	}
	s.w.log("%s.%s = %v", o.name, column, shown)
	s.w.set(o, column, value)
}

// hold sets a relation and says so.
func (s *mSession) hold(o *mObject, r *mRel, h mHeld) {
	s.w.log("%s.%s = %v", o.name, r.field, h)
	s.w.hold(o, r, h)
}

// addObject adds any object, and the model knows what must come of it.
func (s *mSession) addObject(ctx context.Context, o *mObject) {
	if key := o.key(); o.table.serial && key != nil && !o.live() && o.state != session.Deleted && !s.w.spent[mID{o.table, key}] && s.rows[o.table][key] == nil {
		s.assign(o, "id", int64(0)) // the database may give it away again
	}
	other := s.byKey[mID{o.table, o.key()}]
	var want []fault.Kind
	switch {
	case o.state == session.Deleted:
		want = []fault.Kind{fault.Deleted}
	case o.key() == nil || other == nil || other == o:
	case o.state == session.Persistent && o.doomed, !o.live() && !(other.doomed && !o.table.soft):
		want = []fault.Kind{fault.IdentityConflict}
	}
	if !o.live() {
		s.w.tidy()
	}
	s.w.log("Add(%s)", o.name)
	err := o.table.verbs.add(ctx, o.ptr)
	if !s.w.expect("Add("+o.name+")", err, want...) || want != nil {
		return
	}
	switch {
	case o.state == session.Persistent:
		o.doomed = false
	case o.state != session.Pending:
		s.add(o)
	}
	s.took("Add", 0, false)
}

// readd adds what is there already, in whatever state.
func (s *mSession) readd(ctx context.Context, st mStep) {
	if o := s.pick(st.a, func(o *mObject) bool { return st.b%3 == 0 || o.doomed || !o.live() }); o != nil {
		s.addObject(ctx, o)
	}
}

// replace adds an object with the key of another one.
func (s *mSession) replace(ctx context.Context, st mStep) {
	old := s.pick(st.a, func(o *mObject) bool {
		return o.key() != nil && (o.state == session.Persistent && o.doomed || st.b%4 == 0)
	})
	if old == nil {
		return
	}
	st.c = st.c / 8 * 8
	o := s.newObject(old.table, st)
	s.assign(o, "id", old.key())
	if old.state == session.Persistent && old.table == mShelves && st.b%2 == 0 {
		s.assign(o, "place", old.row["place"])
	}
	s.addObject(ctx, o)
}

// change sets a field: to something, to its zero value, or back to what is stored.
func (s *mSession) change(_ context.Context, st mStep) {
	o := s.pick(st.a, (*mObject).live)
	if o == nil {
		return
	}
	columns := map[*mTable][]string{
		mShelves: {"name", "label", "place"}, mBoxes: {"name"}, mStickers: {"name", "status"}, mBranches: {"name"}, mTwigs: {"name"}, mMemos: {"name", "note"},
	}[o.table]
	column := columns[st.b%len(columns)]
	var value any = mTexts[st.c%4]
	switch {
	case o.row != nil && st.c%5 == 4:
		value = o.row[column]
	case column == "place":
		value = s.place(st.c)
	case (column == "label" || column == "note") && st.c%4 == 2:
		value = nil
	}
	s.assign(o, column, value)
}

// swap makes two shelves exchange a unique value, or passes it on in a row.
func (s *mSession) swap(_ context.Context, st mStep) {
	shelf := func(o *mObject) bool { return o.table == mShelves && o.live() && !o.doomed }
	one := s.pick(st.a, shelf)
	other := s.pick(st.b, func(o *mObject) bool { return shelf(o) && o != one })
	if one == nil || other == nil {
		return
	}
	column, first, last := "label", one.fields["label"], other.fields["label"]
	if st.c%2 == 1 {
		column, first, last = "place", one.fields["place"], other.fields["place"]
		if st.c%6 != 5 {
			first = s.place(0)
		}
	}
	s.assign(one, column, last)
	s.assign(other, column, first)
}

// move moves a box or a branch: by its key, by its field, or by the list that it stands in.
func (s *mSession) move(_ context.Context, st mStep) {
	o := s.pick(st.a, func(o *mObject) bool {
		return o.table.parent != nil && o.live() && !o.doomed && !o.moved && (!o.keyed || o.state == session.Pending)
	})
	if o != nil {
		s.moveTo(o, mStep{a: st.b, b: st.a / 5, c: st.c})
	}
}

// mWays are the ways to say where something belongs.
var mWays = []string{"key", "key", "key", "list", "list", "field and list", "field", "leave"}

func (s *mSession) moveTo(o *mObject, st mStep) {
	r, way := o.table.parent, mWays[st.c%8]
	parent := s.pick(st.a, func(p *mObject) bool { return p.table == r.to && p.stays() && (p.key() != nil || r.to.serial) })
	if way == "leave" && r.null {
		s.leave(o, st)
		return
	}
	if parent == nil || st.b%4 == 3 {
		parent, way = s.newObject(r.to, mStep{b: 1, c: -1}), "field"
	}
	list := parent.now[r.to.children.field]
	if list.has(o) || parent.was[r.to.children.field].has(o) || o.preset() || !parent.live() || !o.live() && way == "list" {
		way = map[bool]string{true: "key", false: "field"}[way == "key"]
	}
	o.moved = true
	if way == "key" && parent.key() == nil {
		way = "field"
	}
	if way == "key" {
		o.keyed = true
		s.assign(o, r.fk, parent.key())
		return
	}
	if _, filled := o.before()[r.fk]; o.state == session.Pending && (!filled || o.keyed) && o.fk() != nil {
		o.keyed = false
		s.assign(o, r.fk, r.unset()) // of a new object, one thing says where it belongs
	}
	if way != "list" {
		s.hold(o, r, mHeld{one: parent, set: true})
	}
	if way != "field" {
		s.hold(parent, r.to.children, mHeld{many: append(slices.Clone(list.many), o), set: true})
	}
}

// unset is the key of a relation that leads to nothing.
func (r *mRel) unset() any {
	if r.null {
		return nil
	}
	return uuid.Nil
}

// leave makes a branch a root.
func (s *mSession) leave(o *mObject, st mStep) {
	o.moved = true
	if st.a%2 == 0 && o.now[o.table.parent.field].one != nil {
		s.hold(o, o.table.parent, mHeld{})
		return
	}
	o.keyed = true
	s.assign(o, o.table.parent.fk, nil)
}

func linkable(t *mTable) func(o *mObject) bool {
	return func(o *mObject) bool { return o.table == t && o.live() && !o.doomed && !o.moved }
}

// linkStep puts a sticker on a box or takes it off, from either end.
func (s *mSession) linkStep(_ context.Context, st mStep) {
	ends := []*mTable{mBoxes, mStickers}
	o, other := s.pick(st.a, linkable(ends[st.c%2])), s.pick(st.b, linkable(ends[1-st.c%2]))
	if o != nil && st.c%7 == 6 {
		other = s.newObject(ends[1-st.c%2], mStep{b: 1, c: -1})
		if other.table == mBoxes {
			s.moveTo(other, mStep{c: 6})
		}
	}
	if o == nil || other == nil {
		return
	}
	o.moved, other.moved = true, true
	h := o.now[o.table.links.field]
	if h.has(other) {
		h.many = slices.DeleteFunc(slices.Clone(h.many), func(x *mObject) bool { return x == other })
		if back := other.now[other.table.links.field]; back.has(o) && (o.key() == nil || other.key() == nil) {
			back.many = slices.DeleteFunc(slices.Clone(back.many), func(x *mObject) bool { return x == o })
			s.hold(other, other.table.links, back) // before there is a row, one end is as good as the other
		}
	} else {
		h.many = append(slices.Clone(h.many), other)
	}
	h.set = true
	s.hold(o, o.table.links, h)
}

// unlinkStep takes a sticker off a box, or a box from a sticker, as they are stored.
func (s *mSession) unlinkStep(ctx context.Context, st mStep) {
	o := s.pick(st.a, func(o *mObject) bool {
		return o.state == session.Persistent && (linkable(mBoxes)(o) || linkable(mStickers)(o))
	})
	if o == nil {
		return
	}
	r := o.table.links
	if len(o.now[r.field].many) == 0 {
		s.loadRelation(ctx, o, r)
	}
	if many := o.now[r.field].many; len(many) > 0 && !s.failed && linkable(r.to)(many[0]) {
		o.moved, many[0].moved = true, true
		s.hold(o, r, mHeld{many: many[1:], set: true})
	}
}

// remove deletes an object, sometimes with what belongs to it.
func (s *mSession) remove(ctx context.Context, st mStep) {
	o := s.pick(st.a, func(o *mObject) bool { return o.live() || o.state == session.Deleted && st.b%7 == 6 })
	if o == nil {
		return
	}
	if r := o.table.children; r != nil && st.b%3 > 0 && o.key() != nil {
		s.findBy(ctx, r.to, mPredicate{text: "children of " + o.name, clauses: mChildrenOf(o), holds: func(row mRow) bool { return row[r.fk] == o.key() }}, false, false)
		for _, child := range slices.Clone(s.w.objs) {
			if s.w.wrong == "" && !s.failed && child.table == r.to && child.live() && child.fk() == o.key() && child != o {
				s.removeObject(ctx, child)
			}
		}
	}
	if s.w.wrong == "" && !s.failed {
		s.removeObject(ctx, o)
	}
}

func (s *mSession) removeObject(ctx context.Context, o *mObject) {
	w := s.w
	w.log("Delete(%s)", o.name)
	if !w.expect("Delete("+o.name+")", o.table.verbs.remove(ctx, o.ptr)) {
		return
	}
	switch o.state {
	case session.Persistent:
		o.doomed = true
	case session.Pending:
		s.drop(o)
		w.forget(o)
	}
}

// expunge makes the session forget an object.
func (s *mSession) expunge(ctx context.Context, st mStep) {
	o := s.pick(st.a, func(o *mObject) bool {
		linked := slices.ContainsFunc(s.links, func(l mLink) bool { return l.box == o || l.sticker == o })
		return !linked && (o.live() || o.state == session.Deleted || st.b%5 == 0)
	})
	if o == nil {
		return
	}
	s.w.log("Expunge(%s)", o.name)
	err := o.table.verbs.expunge(ctx, o.ptr)
	if !o.live() && o.state != session.Deleted {
		s.w.expect("Expunge("+o.name+")", err, fault.NotPersistent)
		return
	}
	s.w.expect("Expunge("+o.name+")", err)
	if o.state == session.Pending {
		s.drop(o)
		s.w.forget(o)
		return
	}
	s.w.forget(o)
	if id := (mID{o.table, o.key()}); s.byKey[id] == o {
		delete(s.byKey, id)
	}
	o.state, o.doomed = session.Detached, false
	s.w.isolate(o)
}

// merge brings the state of an object that the session does not know into it.
func (s *mSession) merge(ctx context.Context, st mStep) {
	w := s.w
	from := s.pick(st.a, func(o *mObject) bool {
		id := mID{o.table, o.key()}
		to, row := s.byKey[id], s.rows[o.table][id.key]
		made := o.table.serial && row == nil && !s.w.spent[id] // the database may give the key away again
		return id.key != nil && !made && o.waits == nil && (to == nil || !to.moved && !to.keyed) && row["deleted_at"] == nil && o.fields["deleted_at"] == nil
	})
	if from == nil {
		return
	}
	id := mID{from.table, from.key()}
	src := from.table.verbs.make()
	values := maps.Clone(from.fields)
	values["name"] = mTexts[st.c%4]
	if from.table.versioned {
		values["version"] = []any{values["version"], int64(0), int64(7)}[min(st.b%8, 2)]
		if s.byKey[id] == nil {
			values["version"] = int64(0)
		}
	}
	for column, v := range values {
		if column != "created_at" && column != "updated_at" && column != "length" {
			from.table.set(src, column, v)
		}
	}
	values = from.table.read(src)
	w.log("Merge(&%s{%s})", from.table.typ.Name(), w.show(from.table, values))
	got, err := from.table.verbs.merge(ctx, src)
	s.merged(id, values, got, err)
	w.check(maps.Equal(from.table.read(src), values), "Merge has changed its argument")
}

// merged is what must come of a merge.
func (s *mSession) merged(id mID, values mRow, got any, err error) {
	w := s.w
	t := id.table
	to := s.byKey[id]
	if to == nil {
		refused, _ := s.autoflush(t)
		if refused != nil {
			w.expect("Merge", err, refused...)
			return
		}
		if row := s.rows[t][id.key]; row != nil && s.byKey[id] == nil && err == nil {
			to = s.loaded(t, got, row)
		}
	}
	switch {
	case to == nil:
		if w.expect("Merge", err) {
			o := w.object(t, got)
			w.log("// it is added as %s", o.name)
			o.fields = maps.Clone(values)
			s.add(o)
		}
		return
	case to.doomed:
		w.expect("Merge", err, fault.Deleted)
		return
	case t.versioned && values["version"] != int64(0) && values["version"] != to.fields["version"]:
		w.expect("Merge", err, fault.Stale)
		return
	}
	if !w.expect("Merge", err) || !w.check(got == to.ptr, "Merge returns another object than %s", to.name) {
		return
	}
	for _, c := range t.columns {
		if !slices.Contains(kept, c.name) {
			to.fields[c.name] = values[c.name]
		}
	}
	to.keyed = to.table.parent != nil
}
