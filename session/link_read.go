package session

import (
	"slices"
	"unsafe"

	"github.com/urutu-go/urutu/value"
)

// linksRead is what a read says of a table in between: which of its rows the objects have that were asked about.
type linksRead struct {
	s      *Session
	rel    *relation
	asked  map[unsafe.Pointer]*entry           // those objects
	found  map[unsafe.Pointer][]unsafe.Pointer // those that an object at the other end is linked to
	queued []*entry                            // rows that wait to be inserted or deleted
}

// relink makes what the session remembers of a table in between agree with what was read of it: rows are forgotten, and
// the lists of the other ends corrected. What waits for the flush stays as the program wants it.
func (r *relatedRead) relink(s *Session) {
	if r.rel.Link == nil || r.untracked {
		return
	}
	l := linksRead{s: s, rel: r.rel}
	var others []*entry
	for _, e := range s.entries {
		switch {
		case e.Model == r.rel.Link:
			if mine, err := r.rel.LinkLocal.Get(e.base); err == nil && r.covers(mine) {
				l.row(e)
			}
		case e.Model == r.rel.Target && e.rels != nil && e.state == Persistent && !(e.softDeleted() && !r.q.ShowsDeleted()):
			others = append(others, e)
		}
	}
	if len(others) == 0 {
		return
	}
	l.asked, l.found = make(map[unsafe.Pointer]*entry, len(r.parents)), map[unsafe.Pointer][]unsafe.Pointer{}
	for _, p := range r.parents {
		l.asked[p.base] = p.entry
		for _, to := range r.list(p) {
			l.found[to] = append(l.found[to], p.base)
		}
	}
	for _, to := range others {
		for _, back := range to.relations {
			if r.rel.mirrors(back) {
				l.correct(to, back)
			}
		}
	}
}

// covers reports whether v is in the column of one of the parents.
func (r *relatedRead) covers(v value.Value) bool {
	_, ok := r.places[v]
	return ok
}

// row forgets a row in between, also one that was deleted: the lists of its two ends say from now on whether it is there.
func (l *linksRead) row(e *entry) {
	switch {
	case e.state == Pending || e.state == Persistent && e.doomed:
		l.queued = append(l.queued, e)
	case e.known && l.s.byID.get(e.id) == e:
		l.s.log(e)
		l.s.retire(e, Detached)
	}
}

// correct makes the list of an object at the other end have what was found, and nothing else that was asked about. Of
// what the program has put into the field or taken out of it nothing is touched.
func (l *linksRead) correct(to *entry, back *relation) {
	st, field, found := to.relation(back), back.Many(to.base), l.found[to.base]
	var in, out []unsafe.Pointer
	for _, p := range found {
		if st.known && !slices.Contains(st.many, p) && !l.waits(p, to) && !l.asked[p].softDeleted() {
			in = append(in, p)
		}
	}
	for _, p := range st.many {
		if l.asked[p] != nil && !slices.Contains(found, p) && !l.waits(p, to) {
			out = append(out, p)
		}
	}
	if len(in)+len(out) == 0 {
		return
	}
	l.s.note(to, back, st.holding(relState{many: merge(st.many, in, out)}))
	if field != nil {
		back.SetMany(to.base, merge(field, in, out))
	}
}

// waits reports whether a row between the two waits for the flush.
func (l *linksRead) waits(p unsafe.Pointer, to *entry) bool {
	return slices.ContainsFunc(l.queued, func(e *entry) bool { return e.ends.have(l.asked[p]) && e.ends.have(to) })
}

// merge returns a list with some elements more and some less.
func merge(list, in, out []unsafe.Pointer) []unsafe.Pointer {
	merged := slices.DeleteFunc(slices.Clone(list), func(p unsafe.Pointer) bool { return slices.Contains(out, p) })
	for _, p := range in {
		if !slices.Contains(merged, p) {
			merged = append(merged, p)
		}
	}
	return merged
}
