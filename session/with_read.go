package session

import (
	"context"
	"unsafe"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/value"
)

// relatedRead reads what one relation of some objects leads to.
type relatedRead struct {
	read
	at        int // of the read that asks for it
	owner     *meta
	rel       *relation
	untracked bool
	parents   []parent

	places map[value.Value]int // of each value in the parents' columns, in lists
	lists  [][]unsafe.Pointer  // what it leads to
	wanted []value.Value       // those of them to read
	rows   *loader
	from   value.Value // of the row that is being read
	found  []found
	stray  bool // a row belongs to none of the parents
}

// parent is an object whose relation is loaded.
type parent struct {
	*entry // nil for one that the session does not know
	base   unsafe.Pointer
	value  value.Value // of the relation's own column
}

// found is an object that a relation leads to, and the place of what leads to it.
type found struct {
	place int
	base  unsafe.Pointer
}

func newRelatedRead(l *level, r *relation, target *meta, q *query.Select) *relatedRead {
	return &relatedRead{read: read{m: target.Model, x: target, q: q}, at: l.at, owner: l.x, rel: r}
}

// loadRelated reads what relations lead to, in one exchange, and sets them.
func (s *Session) loadRelated(ctx context.Context, op string, related []*relatedRead) (at int, err error) {
	var reads []reader
	for _, r := range related {
		if err := r.bind(s, op); err != nil {
			return r.at, err
		}
		if !r.held {
			reads = append(reads, r)
		}
	}
	if len(reads) > 0 {
		if err := s.query(ctx, op, reads); err != nil {
			if i := culprit(reads); i >= 0 {
				return reads[i].(*relatedRead).at, err
			}
			return -1, err
		}
	}
	for _, r := range related {
		if err := r.verdict(s, op); err != nil {
			return r.at, err
		}
	}
	for _, r := range related {
		r.assign(s)
	}
	return -1, nil
}

// bind looks up what the identity map has. The rest is to be read.
func (r *relatedRead) bind(s *Session, op string) error {
	if r.rel.Link != nil {
		link, err := s.conn.meta(r.rel.Link, op)
		if err != nil {
			return err
		}
		r.between = link
	}
	r.places, r.lists, r.wanted = make(map[value.Value]int, len(r.parents)), nil, nil
	for i := range r.parents {
		p := &r.parents[i]
		v, err := r.rel.Local.Get(p.base)
		if err != nil {
			return r.owner.fieldError(op, r.rel.Local, err)
		}
		p.value = v
		if _, ok := r.places[v]; ok || v.IsNull() {
			continue
		}
		r.places[v] = len(r.lists)
		list, held := r.inMap(s, v)
		r.lists = append(r.lists, list)
		if !held {
			r.wanted = append(r.wanted, v)
		}
	}
	r.held = len(r.wanted) == 0
	return nil
}

// inMap returns what the session has of the row that a foreign key names.
func (r *relatedRead) inMap(s *Session, v value.Value) (list []unsafe.Pointer, held bool) {
	if r.rel.Kind != model.BelongsTo || !r.rel.Foreign.Key || len(r.m.Key) > 1 || r.untracked || r.q.Populate {
		return nil, false
	}
	e := s.byID.get(identify(r.m, []value.Value{v}))
	switch {
	case e == nil:
		return nil, false
	case e.present() == nil, e.softDeleted() && !r.q.ShowsDeleted():
		return nil, true
	}
	return []unsafe.Pointer{e.base}, true
}

// softDeleted reports whether the entry's row says that it is deleted.
func (e *entry) softDeleted() bool {
	return e.Deleted != nil && !e.snapshot.isNone() && !e.snapshot.at(e.Deleted.Index).IsNull()
}

// ask adds the statement. A flush may have filled in keys since the parents were looked at.
func (r *relatedRead) ask(s *Session, op string, b *burst) error {
	if err := r.bind(s, op); err != nil || r.held {
		return err
	}
	r.rows = s.loader(b, r.x, op, r.q, r.take)
	r.rows.untracked = r.untracked
	t, err := r.q.ByOwners(r.x.d, r.x.columns, r.rel.Ends, r.wanted)
	types := r.x.types
	if r.rel.Link != nil {
		types = append(types[:len(types):len(types)], r.rel.LinkLocal.Type)
	}
	b.add(r.x.statement(t, types, "select"), r)
	return err
}

// row takes a row of the target, behind which rows of a table in between have the column that leads to it.
func (r *relatedRead) row(cells []value.Value) error {
	width := len(r.m.Fields)
	at := width
	if r.rel.Link == nil {
		at = r.rel.Foreign.Index
	}
	r.from = cells[at]
	return r.rows.row(cells[:width])
}

func (r *relatedRead) take(obj any, _ *entry) {
	place, ok := r.places[r.from]
	r.stray = r.stray || !ok
	r.found = append(r.found, found{place, pointer(obj)})
}

// verdict sorts what was read by what leads to it, and refuses rows that cannot be told apart. Nothing has been set yet.
func (r *relatedRead) verdict(s *Session, op string) error {
	if r.stray {
		return s.about(op, fault.Unsupported, r.x, "the database takes values of "+r.rel.Foreign.Column+
			" for equal that Go does not (by a collation, for one): the relation "+r.owner.Name+"."+r.rel.Name+" cannot be loaded")
	}
	r.sort()
	if r.rel.Kind.ToMany() {
		return nil
	}
	for _, p := range r.parents {
		if list := r.list(p); len(list) > 1 {
			err := s.about(op, fault.Internal, r.owner, "the relation "+r.rel.Name+" is for one row, and "+r.x.Table+
				" has several with the same "+r.rel.Foreign.Column+": make it a slice, or the column unique")
			if key, _, keyErr := r.owner.readKey(nil, p.base); keyErr == nil {
				err.Key = keyString(key)
			}
			return err
		}
	}
	return nil
}

// sort makes the lists, in the order in which the rows came, of one slice.
func (r *relatedRead) sort() {
	counts := make([]int, len(r.lists))
	for _, f := range r.found {
		counts[f.place]++
	}
	all := make([]unsafe.Pointer, len(r.found))
	for place, n := range counts {
		if n > 0 {
			r.lists[place], all = all[:0:n], all[n:]
		}
	}
	for _, f := range r.found {
		r.lists[f.place] = append(r.lists[f.place], f.base)
	}
}

// list returns what an object's relation leads to.
func (r *relatedRead) list(p parent) []unsafe.Pointer {
	if place, ok := r.places[p.value]; ok {
		return r.lists[place]
	}
	return nil
}

// assign sets the relation of each object.
func (r *relatedRead) assign(s *Session) {
	for _, p := range r.parents {
		st := r.state(p)
		if p.entry == nil {
			st.show(p.base, r.rel)
		} else {
			s.setRelation(p.entry, r.rel, st)
		}
	}
	r.relink(s)
}

// state returns what is known of an object's relation now.
func (r *relatedRead) state(p parent) relState {
	st := relState{known: true}
	list := r.list(p)
	switch {
	case r.rel.Kind.ToMany():
		st.many = list
	case len(list) > 0:
		st.one = list[0]
	case r.rel.Kind == model.BelongsTo && !p.value.IsNull():
		key := p.value
		st.lost = &key
	}
	return st
}
