package session

import (
	"context"
	"slices"
	"strings"
	"unsafe"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// Upsert writes the object's row whether it is there or not: it inserts the row, or updates the one that has its primary
// key, or the values of the unique key that [query.OnConflict] names. It returns the session's object of that row: obj
// itself, or the one that the session had already, renewed.
//
//	user, err := session.Upsert(ctx, &User{Email: email, Name: name}, query.OnConflict(&users.Email))
//
// Of a row that is there everything changes that an update may change, and with [query.Overwrite] only what that names;
// updated_at moves, the version grows by one and is not compared, and a soft-deleted row is there again. Fields of obj that
// are zero where the database has a default are not written. Afterwards obj has what its row has: key, dates, version and
// what only the database knows. A rollback takes that back.
//
// It runs at once, in the transaction: one statement for each row, in one round trip with what is pending, which goes first
// whatever [NoAutoflush] says. Keys of relations are filled in as by [Add]. An object that the session follows already is
// written like all its changes. Hooks of the entity do not run. A key to meet on that is NULL, or that only the database
// could fill in, is fault.Invalid, and another unique key that is taken fault.Unique. Inside a hook of a flush it is
// fault.Flushing.
func Upsert[T any](ctx context.Context, obj *T, clauses ...query.UpsertClause) (*T, error) {
	objs, err := upsertAll(ctx, "session.Upsert", []*T{obj}, clauses)
	if err != nil {
		return nil, err
	}
	return objs[0], nil
}

// UpsertMany is [Upsert] for many objects, in one round trip where the database pipelines. The objects that it returns are
// in the order of objs; two with the same key are one row, written twice.
func UpsertMany[T any](ctx context.Context, objs []*T, clauses ...query.UpsertClause) ([]*T, error) {
	return upsertAll(ctx, "session.UpsertMany", objs, clauses)
}

func upsertAll[T any](ctx context.Context, op string, objs []*T, clauses []query.UpsertClause) ([]*T, error) {
	s, x, err := enterFor[T](ctx, op)
	if err != nil {
		return nil, err
	}
	defer s.leave(ctx)
	u := &upsert{s: s, x: x, op: op}
	if err := u.run(ctx, pointers(objs), clauses); err != nil {
		return nil, entityError(err, x)
	}
	out := make([]*T, len(objs))
	for i, r := range u.rows {
		out[i] = r.result.(*T)
	}
	return out, nil
}

// upsert is the writing of rows that may be there, on its way.
type upsert struct {
	s      *Session
	x      *meta
	op     string
	q      *query.Upsert
	rows   []*upsertRow // in the order of the objects
	failed bool         // one of its own statements did
}

// upsertRow is one row of it. It is the sink of its statement.
type upsertRow struct {
	*upsert
	e      *entry        // a new one, unless the session follows the object
	cols   bits          // what is inserted
	args   []value.Value // of them
	target []value.Value // what finds the row that is there
	cells  []value.Value // the row as the database has it now
	result any           // a *T
}

func (u *upsert) run(ctx context.Context, objs []unsafe.Pointer, clauses []query.UpsertClause) (err error) {
	s := u.s
	if err := s.outsideFlush(u.op); err != nil {
		return err
	}
	if s.opts.ReadOnly {
		return s.about(u.op, fault.ReadOnly, u.x, "the unit or its connection is read-only")
	}
	u.q, err = query.CompileUpsert(u.x.Model, clauses...)
	if e, ok := err.(*fault.Error); ok { //nolint:errorlint // only one that it has just made
		e.Op = u.op
		return e
	}
	defer func() {
		if err != nil {
			u.takeBack()
		}
	}()
	for _, p := range objs {
		if err := u.add(p); err != nil {
			return err
		}
	}
	if err := u.prepare(ctx); err != nil {
		return err
	}
	if err := s.flush(ctx, u.op, u.emit, driver.Stay); err != nil {
		return duringFlush(err, u.op, u.failed)
	}
	for _, r := range u.rows {
		if err := r.settle(); err != nil {
			return err
		}
	}
	return nil
}

// takeBack puts back what the objects held, where nothing has come of it.
func (u *upsert) takeBack() {
	for _, r := range u.rows {
		if r.e.state == Transient {
			r.e.unstamp()
		}
	}
}

// add begins a row.
func (u *upsert) add(p unsafe.Pointer) error {
	s, x := u.s, u.x
	if p == nil {
		return s.about(u.op, fault.Invalid, x, "a nil object")
	}
	if e := s.entryOf(x, p); e != nil {
		switch {
		case e.doomed, e.state == Deleted:
			return s.concerning(u.op, fault.Deleted, e, "it is deleted in this session")
		case e.state == Pending, e.state == Persistent:
			u.rows = append(u.rows, &upsertRow{upsert: u, e: e, result: e.object()})
			return nil
		}
		s.untrack(e)
	}
	if s.enclosing(func(outer *Session) bool { return outer.tracks(p) }) {
		return s.about(u.op, fault.IdentityConflict, x, "it is tracked by the session of an enclosing unit of work")
	}
	r := &upsertRow{upsert: u, e: s.entry(x, p)}
	u.rows = append(u.rows, r)
	if err := s.stampNew(u.op, r.e); err != nil {
		return err
	}
	if x.Updated == nil {
		return nil
	}
	return r.e.put(u.op, x.Updated, value.OfTime(s.time()))
}

// prepare makes the statements' arguments. Keys that the database makes for rows that these refer to are waited for.
func (u *upsert) prepare(ctx context.Context) error {
	for again := true; ; again = false {
		waits := false
		for _, r := range u.fresh() {
			w, err := r.refer()
			if err != nil {
				return err
			}
			waits = waits || w
		}
		if !waits || !again {
			break
		}
		if err := u.s.flush(ctx, u.op, nil, driver.Stay); err != nil {
			return duringFlush(err, u.op, false)
		}
	}
	for _, r := range u.fresh() {
		if err := r.read(); err != nil {
			return err
		}
	}
	return nil
}

// fresh returns the rows of objects that the session does not follow.
func (u *upsert) fresh() []*upsertRow {
	return slices.DeleteFunc(slices.Clone(u.rows), func(r *upsertRow) bool { return r.result != nil })
}

// refer fills in the keys of the rows that the object's relations lead to, and reports whether one is still to be made.
func (r *upsertRow) refer() (waits bool, err error) {
	for _, rel := range r.x.relations {
		if rel.Kind != model.BelongsTo || rel.One(r.e.base) == nil {
			continue
		}
		to, err := r.s.reach(r.op, rel, rel.One(r.e.base))
		if err != nil {
			return false, err
		}
		key, known := to.settled(rel.Foreign)
		if !known {
			waits = true
			continue
		}
		mine, err := rel.Local.Get(r.e.base)
		switch {
		case err != nil:
			return false, r.e.fieldError(r.op, rel.Local, err)
		case mine == key:
		case !isUnset(rel.Local, mine):
			return false, r.s.disagree(r.op, r.e, rel, rel.Local)
		default:
			if err := r.s.fill(r.op, r.e, rel.Local, key); err != nil {
				return false, err
			}
		}
	}
	return waits, nil
}

// read reads the object.
func (r *upsertRow) read() error {
	values := make([]value.Value, len(r.x.Fields))
	for i, f := range r.x.Fields {
		if f.Generated != "" {
			continue
		}
		v, err := f.Get(r.e.base)
		if err != nil {
			return r.e.fieldError(r.op, f, err)
		}
		if (f.Serial || f.ServerDefault != "") && isUnset(f, v) {
			continue
		}
		values[i] = v
		r.cols.set(i)
		r.args = append(r.args, v)
	}
	for _, f := range r.q.Target {
		if !r.cols.has(f.Index) || values[f.Index].IsNull() {
			const message = "it is what the row is found by, and has no value"
			err := r.s.about(r.op, fault.Invalid, r.x, f.Name+": "+message)
			err.Columns, err.Fields = []string{f.Column}, []fault.Field{{Name: f.Name, Message: message}}
			return err
		}
		r.target = append(r.target, values[f.Index])
	}
	return nil
}

// emit adds the statements, in the order of what finds the rows, so that two units which write the same ones lock them in
// the same order.
func (u *upsert) emit(b *burst) error {
	rows := slices.DeleteFunc(u.fresh(), func(r *upsertRow) bool {
		e := u.s.entryAt(r.e.base) // a hook of the flush may have added the object
		if e == nil {
			return false
		}
		r.e, r.result = e, e.object()
		return true
	})
	slices.SortStableFunc(rows, func(a, b *upsertRow) int { return compareKeys(a.target, b.target) })
	for _, r := range rows {
		b.need = transaction
		t := u.x.upsertText(u.q, r.cols)
		b.add(driver.Statement{
			SQL: t.sql, Types: t.types, Args: r.args, Secret: t.secret, Result: t.result, Query: t.query,
		}, r)
		if t.result == nil {
			b.add(u.x.byTarget(u.q, r.target), r)
		}
	}
	return nil
}

// row, done and name make a row its statement's sink.
func (r *upsertRow) row(cells []value.Value) error {
	r.cells = slices.Clone(cells)
	return nil
}

func (r *upsertRow) done(int64, int64) error { return nil }

func (r *upsertRow) name(e *fault.Error, _ int) {
	r.failed = true
	e.Entity = r.x.Name
	if key, known, err := r.x.readKey(nil, r.e.base); known && err == nil {
		e.Key = keyString(key)
	}
	r.x.constraint(e)
	var fields []*model.Field
	for i, f := range r.x.Fields {
		if r.cols.has(i) {
			fields = append(fields, f)
		}
	}
	refusedParam(e, fields)
}

// settle makes the session follow the row.
func (r *upsertRow) settle() error {
	s, e := r.s, r.e
	if r.result != nil {
		return nil
	}
	if r.cells == nil {
		return s.about(r.op, fault.Stale, r.x, "the database has kept the row back")
	}
	l := &loader{s: s, x: r.x, op: r.op}
	key := make([]value.Value, len(r.x.Key))
	for i, f := range r.x.Key {
		key[i] = r.cells[f.Index]
	}
	id := identify(r.x.Model, key)
	if other := s.byID.get(id); other != nil {
		r.result = other.object()
		if err := l.overwrite(other, r.cells); err != nil {
			return err
		}
		return l.fill(e.base, r.cells)
	}
	if err := r.remember(); err != nil {
		return err
	}
	if err := l.fill(e.base, r.cells); err != nil {
		return err
	}
	s.log(e)
	e.state, e.known, e.id = Persistent, true, id
	e.snapshot = s.stored().rows.of(r.x.layout, r.cells)
	e.keysStored()
	s.track(e)
	r.result = e.object()
	return nil
}

// remember keeps what the fields hold that the row is about to change, for a rollback.
func (r *upsertRow) remember() error {
	for i, f := range r.x.Fields {
		v, err := f.Get(r.e.base)
		if err != nil {
			return r.e.fieldError(r.op, f, err)
		}
		known := func(k filled) bool { return k.f == f }
		if v == r.cells[i] || slices.Contains(r.x.stamped, f) || slices.ContainsFunc(r.e.filled, known) {
			continue
		}
		x := r.s.extra(r.e)
		x.filled = append(x.filled, filled{f: f, before: v, value: r.cells[i]})
	}
	return nil
}

// upsertKey identifies an upsert of a model: which columns are inserted, by which the row is found, and which it takes
// over.
type upsertKey struct{ cols, target, set bits }

// upsertText returns the statement, rendered once.
func (x *meta) upsertText(q *query.Upsert, cols bits) *text {
	key := upsertKey{cols: cols}
	for _, f := range q.Target {
		key.target.set(f.Index)
	}
	for i, f := range x.Fields {
		// What is not inserted would become the database's default.
		if q.Changes(x.Model, f) && cols.has(i) {
			key.set.set(i)
		}
	}
	if t, ok := x.upserts.Load(key); ok {
		return t.(*text)
	}
	t, _ := x.upserts.LoadOrStore(key, x.renderUpsert(q, key))
	return t.(*text)
}

func (x *meta) renderUpsert(q *query.Upsert, key upsertKey) *text {
	t := &text{query: "upsert " + x.Table}
	c := &dialect.Conflict{Increase: x.versionColumn().Name}
	s := dialect.Insert{Table: x.Table, Conflict: c}
	for _, f := range q.Target {
		c.Target = append(c.Target, f.Column)
	}
	for i, f := range x.Fields {
		if key.cols.has(i) {
			s.Columns = append(s.Columns, x.cols[i])
			t.param(x, f)
		}
		if key.set.has(i) {
			c.Set = append(c.Set, f.Column)
		}
		s.Returning = append(s.Returning, f.Column)
	}
	if x.d.Features().Returning {
		t.result = x.types
	}
	t.sql = x.d.Insert(s)
	return t
}

// byTarget returns the query for the row with the values of a unique key.
func (x *meta) byTarget(q *query.Upsert, values []value.Value) driver.Statement {
	var b strings.Builder
	b.WriteString("SELECT " + x.columns + " FROM ")
	x.d.Ident(&b, x.Table)
	t := query.Text{Args: values}
	for i, f := range q.Target {
		b.WriteString([...]string{" WHERE ", " AND "}[min(i, 1)])
		x.d.Ident(&b, f.Column)
		b.WriteString(" = ")
		x.d.Param(&b, i+1, f.Type)
		t.Types, t.Secret = append(t.Types, x.paramType(f)), append(t.Secret, f.Secret)
	}
	t.SQL = b.String()
	return x.statement(t, x.types, "select")
}
