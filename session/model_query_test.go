package session_test

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// predicates returns conditions on a table's rows.
func (s *mSession) predicates(t *mTable, st mStep) mPredicate {
	text, n := mTexts[st.b%4], int64(st.b%4+1)
	named := mPredicate{"name = " + text, nil, func(r mRow) bool { return r["name"] == text }}
	null := func(column string) func(mRow) bool { return func(r mRow) bool { return r[column] == nil } }
	var some []mPredicate
	switch t {
	case mShelves:
		c := mShelfColumns
		named.clauses = []query.Clause{query.Eq(&c.Name, text)}
		some = []mPredicate{
			{"place < n", []query.Clause{query.Lt(&c.Place, n)}, func(r mRow) bool { return r["place"].(int64) < n }},
			{"label is null", []query.Clause{query.IsNull(&c.Label)}, null("label")},
			{"label = " + text, []query.Clause{query.Eq(&c.Label, &text)}, func(r mRow) bool { return r["label"] == text }},
		}
	case mBoxes:
		named.clauses = []query.Clause{query.Eq(&mBoxColumns.Name, text)}
	case mStickers:
		c := mStickerColumns
		named.clauses = []query.Clause{query.Eq(&c.Name, text)}
		some = []mPredicate{
			{"status = open", []query.Clause{query.Eq(&c.Status, "open")}, func(r mRow) bool { return r["status"] == "open" }},
			{"length >= 1", []query.Clause{query.Ge(&c.Length, 1)}, func(r mRow) bool { return r["length"].(int64) >= 1 }},
		}
	case mBranches:
		c := mBranchColumns
		named.clauses = []query.Clause{query.Eq(&c.Name, text)}
		some = []mPredicate{{"parent is null", []query.Clause{query.IsNull(&c.ParentID)}, null("parent_id")}}
	case mTwigs:
		c := mTwigColumns
		named.clauses = []query.Clause{query.Eq(&c.Name, text)}
		some = []mPredicate{{"parent is null", []query.Clause{query.IsNull(&c.ParentID)}, null("parent_id")}}
	case mMemos:
		c := mMemoColumns
		named.clauses = []query.Clause{query.Eq(&c.Name, text)}
		some = []mPredicate{{"note is not null", []query.Clause{query.NotNull(&c.Note)}, func(r mRow) bool { return r["note"] != nil }}}
	}
	if t.parent != nil {
		if o := s.pick(st.a, func(o *mObject) bool { return o.table == t.parent.to && o.key() != nil }); o != nil {
			key := o.key()
			some = append(some, mPredicate{"of " + o.name, mChildrenOf(o), func(r mRow) bool { return r[t.parent.fk] == key }})
		}
	}
	everything := mPredicate{"everything", nil, func(mRow) bool { return true }}
	some = append(some, everything, everything, named)
	return some[st.a/6%len(some)]
}

// mChildrenOf is the condition that finds what belongs to a shelf or a branch.
func mChildrenOf(o *mObject) []query.Clause {
	key, _ := o.key().(uuid.UUID)
	switch o.table {
	case mShelves:
		return []query.Clause{query.Eq(&mBoxColumns.ShelfID, key)}
	case mTwigs:
		number, _ := o.key().(int64)
		return []query.Clause{query.Eq(&mTwigColumns.ParentID, &number)}
	}
	return []query.Clause{query.Eq(&mBranchColumns.ParentID, &key)}
}

// autoflush does to the model what happens before a query of the tables.
func (s *mSession) autoflush(tables ...*mTable) (refused []fault.Kind, exchanges int) {
	s.sync()
	s.fetches = false
	if s.changed(tables...) {
		return s.flushed()
	}
	return nil, 0
}

// asked does to the model what a query of the tables does, and reports whether there is an answer.
func (s *mSession) asked(what string, quiet bool, err error, tables ...*mTable) bool {
	var refused []fault.Kind
	n := 0
	if !quiet {
		refused, n = s.autoflush(tables...)
	}
	if !s.w.expect(what, err, refused...) || refused != nil {
		return false
	}
	s.took(what, max(n, 1), !quiet && s.fetches)
	return true
}

// find finds, counts or looks for rows, and gets what the model has.
func (s *mSession) find(ctx context.Context, st mStep) {
	t := mKinds[st.a%6]
	p := s.predicates(t, st)
	if st.do != "count" {
		populate := st.do == "populate"
		s.findBy(ctx, t, p, !populate && st.c%4 == 3, populate)
		return
	}
	quiet := st.c%4 == 3
	what := "Count(" + t.name + ", " + p.text + ")"
	ctx = s.ask(ctx, what, quiet)
	var n int64
	var found bool
	var err error
	if st.c%2 == 0 {
		n, err = t.verbs.count(ctx, p.clauses...)
		found = n > 0
	} else {
		found, err = t.verbs.exists(ctx, p.clauses...)
	}
	if !s.asked(what, quiet, err, t) {
		return
	}
	want := int64(len(s.matching(t, p)))
	s.w.check(found == (want > 0) && (st.c%2 == 1 || n == want), "%s: %d, found %t, want %d", what, n, found, want)
}

// ask says what is asked, and returns the context to ask it in.
func (s *mSession) ask(ctx context.Context, what string, quiet bool) context.Context {
	if quiet {
		s.w.log("NoAutoflush: %s", what)
		return session.NoAutoflush(ctx)
	}
	s.w.log("%s", what)
	return ctx
}

// matching returns the keys of the rows that a query finds.
func (s *mSession) matching(t *mTable, p mPredicate) (keys []any) {
	for _, key := range s.w.sorted(t, s.rows[t]) {
		if row := s.rows[t][key]; row["deleted_at"] == nil && p.holds(row) {
			keys = append(keys, key)
		}
	}
	return keys
}

func (s *mSession) findBy(ctx context.Context, t *mTable, p mPredicate, quiet, populate bool) {
	what := "Find(" + t.name + ", " + p.text + ")"
	clauses := p.clauses
	if populate {
		what = "Find(" + t.name + ", " + p.text + ", Populate)"
		clauses = append(slices.Clone(clauses), query.Populate)
	}
	ctx = s.ask(ctx, what, quiet)
	got, err := t.verbs.find(ctx, clauses...)
	if s.asked(what, quiet, err, t) {
		s.found(what, t, got, s.matching(t, p), populate)
	}
}

// found checks what a query has found: the session's own object of each row, or a new one that holds the row.
func (s *mSession) found(what string, t *mTable, got, want []any, populate bool) {
	w := s.w
	if !w.check(len(got) == len(want), "%s: %d objects, want %d", what, len(got), len(want)) {
		return
	}
	left := slices.Clone(got)
	for _, key := range want {
		row, o := s.rows[t][key], s.byKey[mID{t, key}]
		i := slices.IndexFunc(left, func(ptr any) bool {
			return o != nil && ptr == o.ptr || o == nil && t.read(ptr)["id"] == key && w.byPtr(ptr) == nil
		})
		if !w.check(i >= 0, "%s: the row of %s has no object, or not the session's own", what, w.origin(t, key)) {
			return
		}
		switch {
		case o == nil:
			o = s.loaded(t, left[i], row)
			w.log("// %s is the row of %s", o.name, w.origin(t, key))
			w.compare(o)
		case populate:
			o.populate(row)
		}
		left = slices.Delete(left, i, i+1)
	}
}

// populate overwrites a stored object with its row.
func (o *mObject) populate(row mRow) {
	if o.state != session.Persistent {
		return
	}
	if r := o.table.parent; r != nil && row[r.fk] != o.row[r.fk] {
		o.now[r.field], o.was[r.field] = mHeld{}, mHeld{}
	}
	o.row, o.fields = row, mClone(row)
	o.agreed, o.keyed = o.fk(), false
}

// get gets or looks up a row by its key.
func (s *mSession) get(ctx context.Context, st mStep) {
	of := s.pick(st.a, func(o *mObject) bool { return o.key() != nil })
	t, key, name := mShelves, any(unused()), "an unknown shelf"
	if of != nil && st.b%8 != 7 {
		t, key, name = of.table, of.key(), of.name
	}
	what := "Get(key of " + name + ")"
	held := s.byKey[mID{t, key}]
	quiet := st.c%4 == 3
	ctx = s.ask(ctx, what, quiet)
	var got any
	var err error
	var missed bool
	if st.c%2 == 0 {
		got, err = t.verbs.get(ctx, key)
		missed = errors.Is(err, fault.NotFound)
	} else {
		var ok bool
		got, ok, err = t.verbs.lookup(ctx, key)
		missed = err == nil && !ok
	}
	if missed {
		err = nil
	}
	if held != nil { // and nobody is asked
		s.w.expect(what, err)
		s.took(what, 0, false)
		s.w.check(missed == held.doomed && (missed || got == held.ptr), "%s: missed %t, or another object than %s", what, missed, held.name)
		return
	}
	if !s.asked(what, quiet, err, t) {
		return
	}
	row := s.rows[t][key]
	there := row != nil && row["deleted_at"] == nil
	if s.w.check(there != missed, "%s: missed %t", what, missed) && there {
		s.found(what, t, []any{got}, []any{key}, false)
	}
}

// getMany gets the rows of several objects, some twice, and one that is nobody's.
func (s *mSession) getMany(ctx context.Context, st mStep) {
	t := []*mTable{mShelves, mBoxes, mBranches, mMemos}[st.a%4]
	keys := []any{unused()}
	var names []string
	for _, o := range s.w.objs {
		if o.table == t && o.key() != nil && len(keys) < 5 {
			keys, names = append(keys, o.key()), append(names, o.name)
		}
	}
	what := "GetMany(keys of " + strings.Join(names, ", ") + ")"
	s.w.log("%s", what)
	got, missing, err := t.verbs.getMany(ctx, keys...)
	if !s.asked(what, false, err, t) {
		return
	}
	var want []any
	for _, key := range keys {
		held, row := s.byKey[mID{t, key}], s.rows[t][key]
		if held != nil && !held.doomed || held == nil && row != nil && row["deleted_at"] == nil {
			want = append(want, key)
		}
	}
	s.w.check(len(missing) == len(keys)-len(want), "%s: %d are missing, want %d", what, len(missing), len(keys)-len(want))
	if !s.w.check(len(got) == len(want), "%s: %d objects, want %d", what, len(got), len(want)) {
		return
	}
	for i, key := range want {
		if s.byKey[mID{t, key}] == nil {
			s.found(what, t, got[i:i+1], []any{key}, false)
		} else {
			s.w.check(got[i] == s.byKey[mID{t, key}].ptr, "%s: not the session's own object", what)
		}
	}
}

// refresh reads an object's row again.
func (s *mSession) refresh(ctx context.Context, st mStep) {
	o := s.pick(st.a, func(o *mObject) bool {
		linking := slices.ContainsFunc(s.links, func(l mLink) bool { return !l.stored && (l.box == o || l.sticker == o) })
		return o.state == session.Persistent && !linking && o.waits == nil && s.byKey[mID{o.table, o.key()}] == o || st.b%5 == 4 && !o.live()
	})
	if o == nil {
		return
	}
	quiet := st.c%4 == 3
	what := "Refresh(" + o.name + ")"
	err := o.table.verbs.refresh(s.ask(ctx, what, quiet), o.ptr)
	if o.state != session.Persistent {
		s.w.expect(what, err, fault.NotPersistent)
		return
	}
	o.doomed, o.fields = false, mClone(o.row)
	for _, r := range o.table.rels() {
		o.now[r.field] = o.was[r.field]
		if r == o.table.parent && o.agreed != o.fk() {
			o.now[r.field], o.was[r.field] = mHeld{}, mHeld{}
		}
	}
	o.empty(s.w)
	o.agreed, o.keyed = o.fk(), false
	n := 0
	if !quiet {
		var refused []fault.Kind
		if refused, n = s.flushed(); refused != nil {
			s.w.expect(what, err, refused...)
			return
		}
	}
	s.took(what, max(n, 1), !quiet && s.fetches)
	row := s.rows[o.table][o.key()]
	if row == nil {
		s.w.expect(what, err, fault.NotFound)
		return
	}
	if !s.w.expect(what, err) {
		return
	}
	o.populate(row)
	for _, r := range o.table.rels() {
		for _, x := range o.now[r.field].many {
			if !x.live() { // a list that was brought back
				s.w.forget(x)
			}
		}
	}
}

// modified asks whether a flush would write an object.
func (s *mSession) modified(ctx context.Context, st mStep) {
	o := s.pick(st.a, func(*mObject) bool { return true })
	if o == nil {
		return
	}
	what := "IsModified(" + o.name + ")"
	s.w.log("%s", what)
	got, err := o.table.verbs.isModified(ctx, o.ptr)
	if o.live() {
		s.sync()
	}
	want := o.state == session.Pending || o.state == session.Persistent && (o.doomed || len(o.dirty()) > 0)
	s.w.expect(what, err)
	s.w.check(got == want, "%s: %t, want %t", what, got, want)
	s.took(what, 0, false)
}
