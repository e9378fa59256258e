package session_test

import (
	"slices"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/session"
)

// add makes an object pending, and what its relations reach.
func (s *mSession) add(o *mObject) {
	if old := s.byKey[mID{o.table, o.key()}]; old != nil && o.key() != nil {
		o.replaces = old
	}
	o.state, o.row, o.unset, o.emptied = session.Pending, nil, append(o.unset, mRow{}), nil
	o.was, o.agreed, o.waits = map[string]mHeld{}, nil, nil
	s.stamp(o)
	for _, r := range o.table.rels() {
		if r.toMany && !o.now[r.field].set {
			o.now[r.field] = mHeld{set: true}
			o.emptied = append(o.emptied, r.field)
		}
		o.was[r.field] = mHeld{known: r.toMany}
	}
	if key := o.key(); key != nil {
		s.byKey[mID{o.table, key}] = o
	}
	s.syncObject(o)
}

// before is what fields held before the object was added, where that filled them in.
func (o *mObject) before() mRow {
	if len(o.unset) == 0 {
		return nil
	}
	return o.unset[len(o.unset)-1]
}

// preset reports whether it was added with a key of its own.
func (o *mObject) preset() bool { return o.before() != nil && o.before()["id"] != uuid.Nil }

// stamp fills in what is known before the flush. A new key is read off the object.
func (s *mSession) stamp(o *mObject) {
	t := o.table
	for _, column := range append([]string{"status"}, kept...) {
		if v, ok := o.fields[column]; ok && (t.serial || column != "status") {
			o.before()[column] = v
		}
	}
	if o.fields["id"] == uuid.Nil {
		o.fields["id"] = s.w.newKey(o)
	}
	for _, column := range []string{"created_at", "updated_at"} {
		if t.dated && o.fields[column] == nil {
			o.fields[column] = s.w.now()
		}
	}
	if t.versioned {
		o.fields["version"] = int64(1)
	}
}

// sync brings relations and keys into agreement: what is reachable is added, and of a relation and its key the one that
// was changed counts.
func (s *mSession) sync() {
	for _, o := range s.w.objs {
		o.waits = nil
	}
	for i := 0; i < len(s.w.objs); i++ {
		s.syncObject(s.w.objs[i])
	}
	for _, o := range s.w.objs {
		o.moved = o.waits != nil
	}
}

func (s *mSession) syncObject(o *mObject) {
	if !o.live() || o.doomed {
		return
	}
	if r := o.table.children; r != nil {
		s.syncChildren(o, r)
	}
	if r := o.table.parent; r != nil {
		s.syncParent(o, r)
	}
	if r := o.table.links; r != nil {
		s.syncLinks(o, r)
	}
}

// reach adds an object that a relation leads to, unless the session has it.
func (s *mSession) reach(o *mObject) {
	if o.state == session.Transient {
		s.add(o)
	}
}

// syncParent: the key follows the field, or the field the key.
func (s *mSession) syncParent(o *mObject, r *mRel) {
	now := o.now[r.field].one
	if now != nil {
		if s.reach(now); now.key() == nil {
			s.await(o, r, now)
			return
		}
	}
	fieldChanged, keyChanged := now != o.was[r.field].one, o.fk() != o.agreed
	if o.state == session.Pending && o.fk() == nil {
		keyChanged = false // that of a new object is not there yet
	}
	switch {
	case now != nil && now.key() == o.fk():
	case keyChanged: // and the field shows another row: it is not loaded any more
		o.now[r.field] = mHeld{}
	case now != nil:
		s.fill(o, r.fk, now.key())
	case fieldChanged && r.null:
		s.fill(o, r.fk, nil)
	}
	o.was[r.field], o.agreed = o.now[r.field], o.fk()
}

// await makes an object wait for the key of what it is to belong to.
func (s *mSession) await(o *mObject, r *mRel, parent *mObject) {
	o.waits, o.moved = parent, true
	if o.state == session.Pending && r.null && o.fk() != nil {
		s.fill(o, r.fk, nil)
		o.agreed = nil
	}
}

// fill sets a foreign key, which is taken back where the object turns out not to be added.
func (s *mSession) fill(o *mObject, column string, value any) {
	if before := o.before(); before != nil {
		if _, ok := before[column]; !ok {
			before[column] = o.fields[column]
		}
	}
	o.fields[column] = value
}

// syncChildren: the keys of those that are new in the list follow.
func (s *mSession) syncChildren(o *mObject, r *mRel) {
	was, now := o.was[r.field], o.now[r.field]
	for _, child := range now.many {
		if slices.Contains(was.many, child) {
			continue
		}
		s.reach(child)
		switch {
		case !child.stays() || child.fk() == o.key() && o.key() != nil:
		case o.key() == nil:
			s.await(child, r, o)
			if field := r.to.parent.field; child.now[field].one != o {
				child.now[field], child.was[field] = mHeld{}, mHeld{}
			}
		default:
			s.fill(child, r.fk, o.key())
			s.syncParent(child, r.to.parent)
		}
	}
	if o.key() != nil {
		o.was[r.field] = now
	}
}

// syncLinks: those that are new in the list are linked, those that have gone are not any more. A nil list says nothing.
func (s *mSession) syncLinks(o *mObject, r *mRel) {
	was, now := o.was[r.field], o.now[r.field]
	if !now.set {
		return
	}
	for _, other := range now.many {
		if !slices.Contains(was.many, other) {
			s.reach(other)
			s.link(o, other, true)
		}
	}
	for _, other := range was.many {
		if !slices.Contains(now.many, other) {
			s.link(o, other, false)
		}
	}
	now.known = was.known
	o.was[r.field] = now
}

// relink makes the lists at the other end agree with one that was read.
func (s *mSession) relink(o *mObject, r *mRel) {
	for _, x := range s.w.objs {
		if x.table != r.to || x.state != session.Persistent {
			continue
		}
		field, linked := r.to.links.field, slices.Contains(o.now[r.field].many, x)
		was, now := x.was[field], x.now[field]
		if linked == slices.Contains(was.many, o) || linked && !was.known {
			continue
		}
		was.many = with(was.many, o, linked)
		if now.set {
			now.many = with(now.many, o, linked)
		}
		x.was[field], x.now[field] = was, now
	}
}

// with returns a list with an object at its end, or without it.
func with(list []*mObject, o *mObject, there bool) []*mObject {
	list = slices.DeleteFunc(slices.Clone(list), func(x *mObject) bool { return x == o })
	if there {
		list = append(list, o)
	}
	return list
}

// link makes a box and a sticker, in either order, belong together or not.
func (s *mSession) link(box, sticker *mObject, linked bool) {
	if box.table == mStickers {
		box, sticker = sticker, box
	}
	i := slices.IndexFunc(s.links, func(l mLink) bool { return l.box == box && l.sticker == sticker })
	switch {
	case i < 0 && linked:
		s.links = append(s.links, mLink{box: box, sticker: sticker})
	case i < 0: // it went with one of them, or was taken off from the other end
	case linked || s.links[i].stored:
		s.links[i].doomed = !linked
	default:
		s.links = slices.Delete(s.links, i, i+1)
	}
}

// waits reports whether a row in between waits for a key that the database makes.
func (s *mSession) waits() bool {
	return slices.ContainsFunc(s.links, func(l mLink) bool { return l.sticker.key() == nil })
}

// drop makes the session forget an object that was only added.
func (s *mSession) drop(o *mObject) {
	id := mID{o.table, o.key()}
	if s.byKey[id] == o {
		delete(s.byKey, id)
		if o.replaces != nil {
			s.byKey[id] = o.replaces
		}
	}
	for _, l := range s.links {
		if l.box == o || l.sticker == o {
			l.box.unlinked(l.sticker)
			l.sticker.unlinked(l.box)
		}
	}
	s.links = slices.DeleteFunc(s.links, func(l mLink) bool { return l.box == o || l.sticker == o })
	o.unadd()
}

// unlinked makes the object's list one that has never had the other.
func (o *mObject) unlinked(other *mObject) {
	field := o.table.links.field
	h := o.was[field]
	h.many = slices.DeleteFunc(slices.Clone(h.many), func(x *mObject) bool { return x == other })
	o.was[field] = h
}
