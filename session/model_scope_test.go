package session_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
)

func (s *mSession) flushStep(ctx context.Context, _ mStep) {
	s.w.log("Flush")
	err := session.Flush(ctx)
	refused, n := s.flushed()
	if s.w.expect("Flush", err, refused...) && refused == nil {
		s.took("Flush", n, s.fetches)
	}
}

// mNestedEnds are the ends of a savepoint's function.
var mNestedEnds = []string{"returned nil", "returned nil", "returned nil", "returned an error", "panicked", "was canceled"}

// nested runs steps inside a savepoint.
func (s *mSession) nested(ctx context.Context, st mStep) {
	w := s.w
	entered, layer := false, len(s.layers)
	w.log("Nested {")
	w.depth++
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	panicked, err := caught(func() error {
		return session.Nested(inner, func(ctx context.Context) error {
			entered = true
			refused, n := s.flushed()
			w.check(refused == nil, "Nested begins, though what is pending is refused: %v", refused)
			s.took("the flush before Nested", n, s.fetches)
			s.push()
			s.steps(ctx, st.body)
			w.f.reset()
			return s.endFunc(st, cancel)
		})
	})
	w.depth--
	if w.wrong != "" {
		return
	}
	w.log("} // %s", mNestedEnds[st.a%6])
	if !entered {
		refused, _ := s.flushed()
		w.check(refused != nil, "Nested does not begin")
		w.expect("the flush before Nested", err, refused...)
		return
	}
	s.endNested(st, layer, err, panicked)
}

// endFunc ends a savepoint's function as a step says.
func (s *mSession) endFunc(st mStep, cancel func()) error {
	switch {
	case s.w.wrong != "" || st.a%6 == 3:
		return errProgram
	case st.a%6 == 4:
		panic(errProgram)
	case st.a%6 == 5:
		cancel()
	}
	return nil
}

// endNested does to the model what the end of a savepoint does.
func (s *mSession) endNested(st mStep, layer int, err error, panicked any) {
	w := s.w
	switch {
	case st.a%6 == 4:
		w.check(panicked == errProgram, "the panic is lost") //nolint:errorlint // the very value
	case st.a%6 == 3:
		w.check(errors.Is(err, errProgram), "the error of Nested is lost: %v", kindOf(err))
	case s.unwound:
		w.expect("Nested after a rollback", err, fault.ScopeClosed)
	case s.failed:
		w.expect("Nested after a failure", err, fault.SessionFailed)
	case st.a%6 == 5:
		w.expect("Nested with its context canceled", err, fault.Canceled)
	default:
		refused, n := s.flushed()
		if w.expect("the end of Nested", err, refused...) && refused == nil {
			s.took("the end of Nested", n, s.fetches)
			s.release()
			return
		}
	}
	if s.unwound {
		s.unwound = w.depth > 1
		return
	}
	s.rollback(layer)
}

func (s *mSession) rollbackStep(ctx context.Context, _ mStep) {
	w := s.w
	w.log("Rollback")
	if !w.expect("Rollback", session.Rollback(ctx)) {
		return
	}
	s.rollback(0)
	w.f.clock.advance(1e9)
	if w.depth > 1 {
		s.unwound = true
		w.expect("Flush in a savepoint after Rollback", session.Flush(ctx), fault.ScopeClosed)
	}
}

func (s *mSession) commitStep(ctx context.Context, _ mStep) {
	w := s.w
	w.log("Commit")
	err := session.Commit(ctx)
	if w.depth > 1 {
		w.expect("Commit in a savepoint", err, fault.Unsupported)
		return
	}
	was := s.inTx
	refused, n := s.flushed()
	if !w.expect("Commit", err, refused...) || refused != nil {
		s.inTx = s.inTx && !s.failed
		return
	}
	if n == 0 && was {
		n = 1
	}
	s.took("Commit", n, s.fetches)
	s.commit()
	w.audit("after Commit")
	w.f.clock.advance(1e9)
}

// oneWriter reports whether another transaction has to wait until this one has ended.
func (s *mSession) oneWriter() bool { return s.w.f.backend.name != "postgres" && s.inTx }

// untouched returns the identity of a row that the transaction has not written.
func (s *mSession) untouched(n int, tables ...*mTable) (mID, bool) {
	var all []mID
	for _, t := range tables {
		for _, key := range s.w.sorted(t, s.w.rows[t]) {
			if id := (mID{t, key}); !s.touched[id] && s.rows[t][key] != nil {
				all = append(all, id)
			}
		}
	}
	if len(all) == 0 {
		return mID{}, false
	}
	return all[n%len(all)], true
}

// elsewhereStep changes or deletes a row on another connection, past urutu.
func (s *mSession) elsewhereStep(_ context.Context, st mStep) {
	w := s.w
	id, ok := s.untouched(st.a, mShelves, mBoxes, mStickers, mBranches, mTwigs, mMemos)
	if !ok || s.oneWriter() {
		return
	}
	t, name := id.table, w.origin(id.table, id.key)
	key := id.key
	if u, ok := key.(uuid.UUID); ok {
		key = u.String()
	}
	if t == mMemos && st.b%2 == 0 {
		w.log("elsewhere: DELETE the row of %s", name)
		w.exec("DELETE FROM "+t.sql+" WHERE id = $1", key)
		s.elsewhere(id, nil)
		return
	}
	row := maps.Clone(w.rows[t][id.key])
	row["name"] = "elsewhere"
	w.log("elsewhere: UPDATE the row of %s", name)
	set := "name = 'elsewhere'"
	if t.versioned {
		set += ", version = version + 1"
		row["version"] = row["version"].(int64) + 1
	}
	t.generate(row)
	w.exec("UPDATE "+t.sql+" SET "+set+" WHERE id = $1", key)
	s.elsewhere(id, row)
}

func (w *mWorld) exec(query string, args ...any) {
	res, err := w.plain.Exec(query, args...)
	if w.check(err == nil, "%s: %v", query, err) {
		n, err := res.RowsAffected()
		w.check(err == nil && n == 1, "%s: %d rows", query, n)
	}
}

// independent runs a unit of its own inside of this one.
func (s *mSession) independent(ctx context.Context, st mStep) {
	w := s.w
	id, ok := s.untouched(st.a, mShelves, mBranches, mMemos)
	var memo *mMemo
	own := s.pick(st.b, (*mObject).live)
	what := []string{"adds", "changes", "fails", "shares"}[st.c%4]
	var want []fault.Kind
	switch {
	case what == "changes" && (!ok || w.rows[id.table][id.key]["deleted_at"] != nil), what == "shares" && own == nil:
		return
	case what == "shares":
		want = []fault.Kind{fault.IdentityConflict}
	case what == "changes" && w.rows[id.table][id.key]["name"] == "independent": // nothing, then
	case s.oneWriter():
		want = []fault.Kind{fault.LockTimeout}
	}
	w.log("New: %s", what)
	var changed any
	err := session.New(ctx, func(ctx context.Context) (err error) {
		if n, err := session.Count[mShelf](ctx); err != nil || n != int64(len(w.rows[mShelves])) {
			w.check(false, "New sees %d shelves, want %d, error %v", n, len(w.rows[mShelves]), kindOf(err))
		}
		switch what {
		case "shares":
			return own.table.verbs.add(ctx, own.ptr)
		case "changes":
			if changed, err = id.table.verbs.get(ctx, id.key); err == nil {
				id.table.set(changed, "name", "independent")
			}
			return err
		}
		memo = &mMemo{Name: what}
		err = session.Add(ctx, memo)
		if what == "fails" {
			return errors.Join(err, session.Flush(ctx), errProgram)
		}
		return err
	})
	if what == "fails" && want == nil {
		w.check(errors.Is(err, errProgram), "the error of New is lost: %v", kindOf(err))
		return
	}
	if w.expect("New", err, want...) && want == nil {
		s.independently(id, memo, changed)
	}
}

// independently does to the model what an independent unit has done.
func (s *mSession) independently(id mID, memo *mMemo, changed any) {
	w := s.w
	if memo != nil {
		o := w.object(mMemos, memo)
		o.state = session.Detached
		id = mID{mMemos, w.newKey(o)}
		row := mRow{"id": id.key, "name": "adds", "note": nil, "deleted_at": nil, "version": int64(1), "created_at": w.now(), "updated_at": w.now()}
		w.check(maps.Equal(o.fields, row), "New has made of %s: %s", o.name, w.show(mMemos, o.fields))
		s.elsewhere(id, row)
		return
	}
	row := maps.Clone(w.rows[id.table][id.key])
	if row["name"] != "independent" {
		row["name"] = "independent"
		row["version"] = row["version"].(int64) + 1
		if id.table.dated {
			row["updated_at"] = w.now()
		}
	}
	w.check(maps.Equal(id.table.read(changed), row), "New has changed %s to %s", w.origin(id.table, id.key), w.show(id.table, id.table.read(changed)))
	s.elsewhere(id, row)
}

// disagree makes a relation and its key name different rows.
func (s *mSession) disagree(ctx context.Context, st mStep) {
	s.flushStep(ctx, st)
	o := s.pick(st.a, func(o *mObject) bool { return o.table.parent != nil && o.state == session.Persistent })
	if o == nil || s.failed || s.w.wrong != "" || len(s.writes()) > 0 {
		return
	}
	r := o.table.parent
	other := func(n int, but *mObject) *mObject {
		return s.pick(n, func(p *mObject) bool {
			return p.table == r.to && p.state == session.Persistent && p != but && p.key() != o.fk() && p != o.now[r.field].one
		})
	}
	one := other(st.b, nil)
	two := other(st.c, one)
	if one == nil || two == nil {
		return
	}
	was, key := o.now[r.field], o.fields[r.fk]
	s.hold(o, r, mHeld{one: one, set: true})
	s.assign(o, r.fk, two.key())
	err := session.Flush(ctx)
	s.w.expect("Flush where they disagree", err, fault.Invalid)
	s.took("Flush where they disagree", 0, false)
	s.hold(o, r, was)
	s.assign(o, r.fk, key)
}

// load loads a relation anew.
func (s *mSession) load(ctx context.Context, st mStep) {
	o := s.pick(st.a, func(o *mObject) bool { return o.live() && !o.doomed && len(o.table.rels()) > 0 })
	if o == nil {
		return
	}
	s.loadRelation(ctx, o, o.table.rels()[st.b%len(o.table.rels())])
}

func (s *mSession) loadRelation(ctx context.Context, o *mObject, r *mRel) {
	if r == o.table.parent && o.fk() == nil {
		return
	}
	what := "Load(" + o.name + "." + r.field + ")"
	s.w.log("%s", what)
	err := o.table.verbs.load(ctx, o.ptr, mWith(o.table, r))
	s.sync()
	if r == o.table.parent && o.fk() == nil {
		o.now[r.field], o.was[r.field] = mHeld{}, mHeld{}
	}
	if o.state == session.Pending && (r != o.table.parent || o.now[r.field].one != nil) || r == o.table.parent && o.fk() == nil {
		s.w.expect(what, err) // there is nothing to load
		s.took(what, 0, false)
		return
	}
	tables := []*mTable{r.to}
	if r == o.table.links {
		tables = append(tables, mLinks)
	}
	if !s.asked(what, false, err, tables...) {
		return
	}
	s.relation(what, o, r)
}

// relation checks what a relation was loaded with.
func (s *mSession) relation(what string, o *mObject, r *mRel) {
	var keys, got []any
	for _, key := range s.w.sorted(r.to, s.rows[r.to]) {
		row := s.rows[r.to][key]
		pair := [2]any{o.key(), key}
		if o.table == mStickers {
			pair = [2]any{key, o.key()}
		}
		linked := r == o.table.links && s.rows[mLinks][pair] != nil
		if linked || r == o.table.children && row[r.fk] == o.key() || r == o.table.parent && key == o.fk() {
			keys = append(keys, key)
		}
	}
	got = o.pointers(r)
	s.found(what, r.to, got, keys, true)
	h := o.relation(r, s.w)
	o.now[r.field], o.was[r.field] = h, mHeld{one: h.one, many: h.many, set: h.set, known: true}
	if r == o.table.links {
		s.relink(o, r)
	}
	for _, other := range h.many {
		if r == o.table.links && s.w.wrong == "" {
			s.knowLink(o, other)
		}
	}
}

// knowLink notes that a box and a sticker belong together in the database.
func (s *mSession) knowLink(box, sticker *mObject) {
	if box.table == mStickers {
		box, sticker = sticker, box
	}
	if !slices.ContainsFunc(s.links, func(l mLink) bool { return l.box == box && l.sticker == sticker }) {
		s.links = append(s.links, mLink{box: box, sticker: sticker, stored: true})
	}
}

// verbsOf returns the first words of the statements in scripts.
func (w *mWorld) verbsOf(scripts []string) (short []string) {
	for _, script := range scripts {
		var words []string
		for _, st := range strings.Split(script, "; ") {
			first, _, _ := strings.Cut(st, " (")
			words = append(words, strings.Join(strings.Fields(first)[:min(3, len(strings.Fields(first)))], " "))
		}
		short = append(short, strings.Join(words, "; "))
	}
	return short
}

func hasAffix(s, prefix, suffix string, begins bool) bool {
	return strings.HasPrefix(s, prefix) == begins && strings.HasSuffix(s, suffix)
}
