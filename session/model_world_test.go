package session_test

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
)

// mWorld is one run of a program: the database, what the model says that it holds, and every object that there is.
type mWorld struct {
	t     *rapid.T
	f     *fixture
	plain *sql.DB // a connection that knows nothing of urutu
	rows  mRows   // what is committed
	objs  []*mObject
	made  map[*mTable]int
	names map[mID]string // of rows, by the object that they came from
	spent map[mID]bool   // keys that the database has made, and does not make again
	depth int
	// keyless has no key, which is right if it is rolled back.
	keyless *mObject
	wrong   string // the first thing that was not as the model says
}

// String returns the object's name.
func (o *mObject) String() string { return o.name }

// log prints a step, as it would be written.
func (w *mWorld) log(format string, args ...any) {
	w.t.Logf("%s%s", strings.Repeat("    ", w.depth), fmt.Sprintf(format, args...))
}

// check notes the first thing that is wrong. What it prints is the same in every run: objects go by their names.
func (w *mWorld) check(ok bool, format string, args ...any) bool {
	if !ok && w.wrong == "" {
		w.wrong = fmt.Sprintf(format, args...)
		w.log("^^^ %s", w.wrong)
	}
	return ok
}

// expect checks an error's kind; with no kinds there must be no error.
func (w *mWorld) expect(what string, err error, kinds ...fault.Kind) bool {
	if err != nil {
		w.log("// %v", err)
	}
	if len(kinds) == 0 && err == nil && !w.check(w.keyless == nil, "%s: %v has no key", what, w.keyless) {
		return false
	}
	if len(kinds) == 0 {
		return w.check(err == nil, "%s: an error of kind %s, want none", what, fault.KindOf(err))
	}
	is := func(k fault.Kind) bool { return errors.Is(err, k) }
	return w.check(slices.ContainsFunc(kinds, is), "%s: an error of kind %v, want %v", what, kindOf(err), kinds)
}

func kindOf(err error) any {
	if err == nil {
		return "none"
	}
	return fault.KindOf(err)
}

// now is the time of the transaction: the clock stands still while there is one.
func (w *mWorld) now() int64 { return w.f.clock.Now().UnixMicro() }

// object makes the model know an object.
func (w *mWorld) object(t *mTable, ptr any) *mObject {
	w.made[t]++
	o := &mObject{name: fmt.Sprintf("%s%d", t.name, w.made[t]), table: t, ptr: ptr}
	o.fields, o.now, o.was = t.read(ptr), map[string]mHeld{}, map[string]mHeld{}
	w.objs = append(w.objs, o)
	return o
}

// newKey reads the key that an object has got. Where what gave it one was rolled back at once, it has none any more, and
// some key will do.
func (w *mWorld) newKey(o *mObject) any {
	key := o.table.read(o.ptr)["id"]
	if key == uuid.Nil {
		w.keyless = o
		return uuid.New()
	}
	name, used := w.names[mID{o.table, key}]
	w.check(!used || name == o.name, "%s has the key of %s", o.name, name)
	w.names[mID{o.table, key}] = o.name
	return key
}

// set sets a field of an object.
func (w *mWorld) set(o *mObject, column string, value any) {
	o.fields[column] = value
	o.table.set(o.ptr, column, value)
}

// hold sets the field of a relation.
func (w *mWorld) hold(o *mObject, r *mRel, h mHeld) {
	o.now[r.field] = h
	o.setRelation(r, h)
}

// forget takes an object out of the relations of all others, as a program does with what it has done away with.
func (w *mWorld) forget(gone *mObject) {
	for _, o := range w.objs {
		for _, r := range o.table.rels() {
			h := o.now[r.field]
			if !h.has(gone) {
				continue
			}
			w.log("// %s leaves %s.%s", gone.name, o.name, r.field)
			if !r.toMany {
				w.hold(o, r, mHeld{})
				continue
			}
			h.many = slices.DeleteFunc(slices.Clone(h.many), func(x *mObject) bool { return x == gone })
			w.hold(o, r, h)
		}
	}
}

// isolate empties the object's own relations.
func (w *mWorld) isolate(o *mObject) {
	for _, r := range o.table.rels() {
		w.hold(o, r, mHeld{})
	}
}

// tidy makes objects that are not added agree with each other, as a program does before it adds them: each belongs where
// its field says, or to the one list that it stands in.
func (w *mWorld) tidy() {
	placed := map[*mObject]bool{}
	for _, o := range w.objs {
		r := o.table.children
		if r == nil || o.state != session.Transient || !o.now[r.field].set {
			continue
		}
		h := o.now[r.field]
		h.many = slices.DeleteFunc(slices.Clone(h.many), func(child *mObject) bool {
			at := child.now[r.to.parent.field].one
			out := child.live() || placed[child] || at != nil && at != o || child.key() != nil
			placed[child] = true
			return out
		})
		if len(h.many) < len(o.now[r.field].many) {
			w.hold(o, r, h)
		}
	}
	for _, o := range w.objs {
		for _, r := range o.table.rels() {
			leads := func(x *mObject) bool { return x.state == session.Transient && x.key() != nil }
			if h := o.now[r.field]; o.state == session.Transient && r != o.table.children && (h.one != nil && leads(h.one) || slices.ContainsFunc(h.many, leads)) {
				w.hold(o, r, mHeld{})
			}
		}
		r := o.table.parent
		if r == nil || o.state != session.Transient || !placed[o] && o.now[r.field].one == nil {
			continue
		}
		w.set(o, r.fk, r.unset())
	}
}

// byPtr returns the object at an address.
func (w *mWorld) byPtr(ptr any) *mObject {
	i := slices.IndexFunc(w.objs, func(o *mObject) bool { return o.ptr == ptr })
	if i < 0 {
		return nil
	}
	return w.objs[i]
}

// origin says which object a row came from.
func (w *mWorld) origin(t *mTable, key any) string {
	if o, ok := key.(*mObject); ok {
		return o.name
	}
	if pair, ok := key.([2]any); ok {
		return w.origin(mBoxes, pair[0]) + "-" + w.origin(mStickers, pair[1])
	}
	return cmp.Or(w.names[mID{t, key}], "?")
}

// show prints a row, with names for keys.
func (w *mWorld) show(t *mTable, r mRow) string {
	if r == nil {
		return "nothing"
	}
	var b strings.Builder
	for _, c := range t.columns {
		v := r[c.name]
		switch to := t.refersTo(c.name); {
		case v == uuid.Nil || v == int64(0) || v == nil:
		case to != nil:
			v = w.origin(to, v)
		case strings.HasSuffix(c.name, "_at"):
			v = time.UnixMicro(v.(int64)).UTC().Format("15:04:05")
		}
		fmt.Fprintf(&b, "%s=%v ", c.name, v)
	}
	return strings.TrimSpace(b.String())
}

// verify compares every object with what the model says of it.
func (s *mSession) verify(ctx context.Context) {
	if s.failed || s.unwound {
		return
	}
	for _, o := range s.w.objs {
		state, err := o.table.verbs.state(ctx, o.ptr)
		follows := func(st session.State) session.State {
			if st == session.Detached {
				return session.Transient
			}
			return st
		}
		if !s.w.expect("StateOf", err) || !s.w.check(follows(state) == follows(o.state), "%s is %v, want %v", o.name, state, o.state) {
			return
		}
		s.w.compare(o)
	}
}

// compare compares an object's fields with what the model says of them. Those of objects that are deleted or detached
// are the program's own.
func (w *mWorld) compare(o *mObject) {
	got := o.table.read(o.ptr)
	if !o.live() && o.state != session.Transient {
		o.fields = got
		return
	}
	w.check(maps.Equal(got, o.fields), "%s holds %s, want %s", o.name, w.show(o.table, got), w.show(o.table, o.fields))
	for _, r := range o.table.rels() {
		got, want := o.relation(r, w), o.now[r.field]
		w.check(got.equal(want), "%s.%s holds %v, want %v", o.name, r.field, got, want)
	}
}

// String prints the names of what is held.
func (h mHeld) String() string {
	if h.one != nil {
		return h.one.name
	}
	var names []string
	for _, o := range h.many {
		if o == nil {
			names = append(names, "?")
			continue
		}
		names = append(names, o.name)
	}
	if !h.set {
		return "nil"
	}
	return fmt.Sprint(names)
}

// audit compares the database with the committed rows, and looks for what a session could have left behind.
func (w *mWorld) audit(what string) {
	for _, t := range mTables {
		got := w.stored(t)
		for _, key := range w.sorted(t, got) {
			w.check(maps.Equal(got[key], w.rows[t][key]), "%s: the row of %s is %s, want %s", what, w.origin(t, key), w.show(t, got[key]), w.show(t, w.rows[t][key]))
		}
		for _, key := range w.sorted(t, w.rows[t]) {
			w.check(got[key] != nil, "%s: the row of %s is not there", what, w.origin(t, key))
		}
	}
	for name, st := range w.f.Stats() {
		w.check(st.InUse == 0, "%s: %d connections of %q in use", what, st.InUse, name)
	}
	if w.f.backend.name == "postgres" {
		var n int
		err := w.plain.QueryRow("SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND state LIKE 'idle in transaction%'", mApplication(w.f)).Scan(&n)
		w.check(err == nil && n == 0, "%s: %d transactions are idle, error %v", what, n, err)
	}
}

// sorted returns the keys of rows in the order of their names.
func (w *mWorld) sorted(t *mTable, rows map[any]mRow) []any {
	return slices.SortedFunc(maps.Keys(rows), func(a, b any) int { return strings.Compare(w.origin(t, a), w.origin(t, b)) })
}

// stored reads a table, past urutu.
func (w *mWorld) stored(t *mTable) map[any]mRow {
	var names []string
	for _, c := range t.columns {
		names = append(names, c.name)
	}
	all := map[any]mRow{}
	rows, err := w.plain.Query("SELECT " + strings.Join(names, ", ") + " FROM " + t.sql)
	if !w.check(err == nil, "reading %s: %v", t.sql, err) {
		return all
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		cells, into := make([]any, len(names)), make([]any, len(names))
		for i := range cells {
			into[i] = &cells[i]
		}
		w.check(rows.Scan(into...) == nil, "scanning %s", t.sql)
		r := mRow{}
		for i, c := range t.columns {
			r[c.name] = c.scan(cells[i])
		}
		all[t.key(r)] = r
	}
	w.check(rows.Err() == nil, "reading %s", t.sql)
	return all
}
