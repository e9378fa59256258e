package session

import (
	"context"
	"reflect"
	"unsafe"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/query"
)

// Load loads relations of objects that one has already: one query for each relation, whatever the number of objects, all
// of one level in one round trip where the database pipelines. See [query.With] for what a relation can be told.
//
//	err := session.Load(ctx, orders, query.With(&orderColumns.Tags))
//
// Nothing is asked for what is known: a relation that is loaded, unless [query.Populate] is said of it, the rows that
// refer to a pending object, which are those in its fields, and rows that the session has, where a foreign key is their
// primary key. Pending changes of the tables that are read are flushed first, in the same trip.
//
// Afterwards a to-many field that led to nothing is empty and not nil, and a field of one object that led to none is
// nil; [IsLoaded] tells them from what is not loaded. Looking at a field never causes a query. Objects that the session
// does not know, those of a NoTracking query, get objects that it does not know either.
func Load[T any](ctx context.Context, objs []*T, relations ...query.Relation) error {
	const op = "session.Load"
	s, x, err := enterFor[T](ctx, op)
	if err != nil {
		return err
	}
	defer s.leave(ctx)
	l := &level{x: x, untracked: true}
	for _, p := range pointers(objs) {
		switch {
		case p == nil:
			return s.about(op, fault.Invalid, x, "a nil object")
		case s.liveEntry(x, p) == nil && s.enclosing(func(outer *Session) bool { return outer.tracks(p) }):
			return s.about(op, fault.IdentityConflict, x, "it is tracked by the session of an enclosing unit of work")
		}
		l.add(p)
	}
	clauses := make([]query.Clause, len(relations))
	for i, r := range relations {
		clauses[i] = r
	}
	if l.with, err = query.Compile(x.Model, clauses...).Related(); err != nil {
		return err
	}
	_, err = s.load(ctx, op, []*level{l})
	return entityError(err, x)
}

// IsLoaded reports whether a relation of the object is loaded, or never has to be: what refers to a new object is in its
// fields. The field is the object's own:
//
//	ok, err := session.IsLoaded(ctx, order, &order.Lines)
//
// Of an object that the session does not know it is known only whether the field holds something.
func IsLoaded[T, V any](ctx context.Context, obj *T, field *V) (bool, error) {
	loaded := false
	err := each(ctx, "session.IsLoaded", []*T{obj}, func(s *Session, op string, x *meta, e *entry) error {
		base := unsafe.Pointer(obj)
		r, ok := x.RelationIn(uintptr(unsafe.Pointer(field))-uintptr(base), reflect.TypeFor[V]())
		switch {
		case obj == nil || !ok:
			return s.about(op, fault.Misconfigured, x, "a *"+reflect.TypeFor[V]().String()+" that is not the address of one of the object's own relations")
		case e != nil && e.state == Pending && r.Kind != model.BelongsTo:
			loaded = true
		case e != nil && e.state == Persistent:
			loaded = e.isLoaded(x.relations[r.Index])
		default:
			loaded = !x.relations[r.Index].unset(base) || e != nil && e.isLoaded(x.relations[r.Index])
		}
		return nil
	})
	return loaded, err
}

// level is objects of one type, and the relations to load for them.
type level struct {
	at        int // of the read that asks for them
	x         *meta
	with      []query.Related
	untracked bool // objects that the session does not know are meant too
	objs      []unsafe.Pointer
	seen      map[unsafe.Pointer]struct{}
}

// add adds an object, once.
func (l *level) add(p unsafe.Pointer) {
	if l.seen == nil {
		l.seen = map[unsafe.Pointer]struct{}{}
	}
	if _, ok := l.seen[p]; !ok {
		l.seen[p] = struct{}{}
		l.objs = append(l.objs, p)
	}
}

// loadFor loads the relations that reads ask for. Where there is an error, at is the read that it concerns.
func (s *Session) loadFor(ctx context.Context, op string, reads ...reader) (at int, err error) {
	var levels []*level
	for i, r := range reads {
		q := r.base().q
		if q == nil {
			continue
		}
		with, err := q.Related()
		if err != nil {
			return i, err
		}
		if objs := r.objects(); len(with) > 0 && len(objs) > 0 {
			levels = append(levels, &level{at: i, x: r.base().x, with: with, untracked: q.NoTracking, objs: objs})
		}
	}
	return s.load(ctx, op, levels)
}

// load loads relations level by level.
func (s *Session) load(ctx context.Context, op string, levels []*level) (at int, err error) {
	for len(levels) > 0 {
		if s.autoflushes(ctx) {
			if err := s.relate(op); err != nil {
				return -1, err
			}
		}
		var reads []*relatedRead
		for _, l := range levels {
			more, err := l.reads(s, op, s.autoflushes(ctx))
			if err != nil {
				return l.at, err
			}
			reads = append(reads, more...)
		}
		if at, err = s.loadRelated(ctx, op, reads); err != nil {
			return at, err
		}
		var next []*level
		for _, l := range levels {
			within, err := l.within(s, op)
			if err != nil {
				return l.at, err
			}
			next = append(next, within...)
		}
		levels = next
	}
	return -1, nil
}

// reads returns what has to be read for the level. Where nothing is flushed, a field that was filled in by hand stays.
func (l *level) reads(s *Session, op string, flushes bool) ([]*relatedRead, error) {
	var reads []*relatedRead
	for _, w := range l.with {
		r := l.x.relations[w.Index]
		target, err := s.conn.meta(r.Target, op)
		if err != nil {
			return nil, err
		}
		tracked, untracked := newRelatedRead(l, r, target, w.Query), newRelatedRead(l, r, target, w.Query)
		untracked.untracked = true
		for _, p := range l.objs {
			e := s.liveEntry(l.x, p)
			switch {
			case e == nil && l.untracked && (w.Query.Populate || r.unset(p)):
				untracked.parents = append(untracked.parents, parent{base: p})
			case e == nil:
			case e.state == Pending:
				if r.Kind == model.BelongsTo && r.unset(p) {
					tracked.parents = append(tracked.parents, parent{entry: e, base: p})
				}
			case w.Query.Populate, !e.isLoaded(r) && (flushes || r.unset(p)):
				tracked.parents = append(tracked.parents, parent{entry: e, base: p})
			}
		}
		for _, read := range []*relatedRead{tracked, untracked} {
			if len(read.parents) > 0 {
				reads = append(reads, read)
			}
		}
	}
	return reads, nil
}

// within returns the levels below: what the relations hold now, and the relations to load for that.
func (l *level) within(s *Session, op string) (next []*level, err error) {
	for _, w := range l.with {
		with, err := w.Query.Related()
		if err != nil || len(with) == 0 {
			if err != nil {
				return nil, err
			}
			continue
		}
		r := l.x.relations[w.Index]
		below := &level{at: l.at, with: with, untracked: l.untracked}
		if below.x, err = s.conn.meta(r.Target, op); err != nil {
			return nil, err
		}
		for _, p := range l.objs {
			if !l.untracked && s.liveEntry(l.x, p) == nil {
				continue
			}
			for _, to := range r.now(p).elements() {
				if to != nil {
					below.add(to)
				}
			}
		}
		if len(below.objs) > 0 {
			next = append(next, below)
		}
	}
	return next, nil
}

// liveEntry returns the entry of an object that is pending or persistent, or nil.
func (s *Session) liveEntry(x *meta, p unsafe.Pointer) *entry {
	if e := s.entryOf(x, p); e != nil && (e.state == Pending || e.state == Persistent) {
		return e
	}
	return nil
}

// isLoaded reports whether a relation is loaded. One that led to nothing is so for as long as its key is the same.
func (e *entry) isLoaded(r *relation) bool {
	st := e.relation(r)
	if !st.known || r.Kind != model.BelongsTo || st.one != nil {
		return st.known
	}
	key, err := r.Local.Get(e.base)
	return err == nil && (st.lost == nil && key.IsNull() || st.lost != nil && key == *st.lost)
}

// unset reports whether the relation's field of the struct at base is nil.
func (r *relation) unset(base unsafe.Pointer) bool {
	if r.Kind.ToMany() {
		return r.Many(base) == nil
	}
	return r.One(base) == nil
}

// pointers returns the addresses of objects, in the slice that holds them.
func pointers[T any](objs []*T) []unsafe.Pointer { return *(*[]unsafe.Pointer)(unsafe.Pointer(&objs)) }
