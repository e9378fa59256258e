package session

import (
	"context"
	"fmt"
	"slices"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// UpdateAll changes every row of T's table that the predicates describe, in one statement and whatever their number, and
// returns how many there were:
//
//	n, err := session.UpdateAll[Product](ctx,
//		query.Set(&products.Active, false), query.Add(&products.Stock, -1), query.Eq(&products.ShopID, shop))
//
// As with an object's own update, updated_at becomes the transaction's time, the version grows by one, and keys, dates,
// versions, read-only and generated columns cannot be set. Soft-deleted rows stay as they are unless [query.WithDeleted]
// is among the clauses. Without a predicate that leaves out a row it is fault.Misconfigured, unless [query.AllRows] says
// that this is meant.
//
// It runs at once, in the transaction. What is pending is flushed before, whatever [NoAutoflush] says; what the session has
// of the type is read again after it, in the same round trip where the database pipelines, and the objects show what their
// rows hold. Clauses say otherwise: [query.EvictTracked], [query.RefuseTracked]. A rollback brings the objects back too;
// one that was read only behind the update is detached by it. Hooks of the entity do not run, and a version is not compared.
// Inside a hook of a flush it is fault.Flushing.
func UpdateAll[T any](ctx context.Context, clauses ...query.UpdateClause) (int64, error) {
	return writeAll[T](ctx, "session.UpdateAll", opUpdate, clauses)
}

// DeleteAll deletes every row of T's table that the predicates describe, in one statement, and returns how many there
// were. Where the entity is soft-deleted the rows get their deletion time instead, and those that have one keep it.
//
//	n, err := session.DeleteAll[Login](ctx, query.Lt(&logins.ExpiresAt, now))
//
// Everything else is as with [UpdateAll]. Objects whose rows are gone are deleted, as if by [Delete] and a flush, those of
// other types included whose foreign keys say ON DELETE.
func DeleteAll[T any](ctx context.Context, clauses ...query.DeleteClause) (int64, error) {
	return writeAll[T](ctx, "session.DeleteAll", opDelete, clauses)
}

func writeAll[T any, C query.UpdateClause](ctx context.Context, op string, what writeOp, clauses []C) (int64, error) {
	s, x, err := enterFor[T](ctx, op)
	if err != nil {
		return 0, err
	}
	defer s.leave(ctx)
	c := &criteria{s: s, x: x, op: op, what: what}
	if err := c.run(ctx, query.CompileWrite(x.Model, clauses...)); err != nil {
		return 0, entityError(err, x)
	}
	return c.affected, nil
}

// criteria is a write of all rows that predicates describe, on its way. It is the sink of its statements, of which there is
// one unless keys say so.
type criteria struct {
	s        *Session
	x        *meta
	op       string
	what     writeOp
	writes   []*query.Write
	sts      []driver.Statement // of each of them
	tracked  query.Tracked
	failed   bool // one of its own statements did
	affected int64
	types    []*meta  // of the rows that the statement may write
	objects  []*entry // what the session has of them
	read     bool     // their rows have been asked for
	gone     map[*entry]bool
}

func (c *criteria) run(ctx context.Context, writes ...*query.Write) error {
	s := c.s
	if err := s.outsideFlush(c.op); err != nil {
		return err
	}
	if s.opts.ReadOnly {
		return s.about(c.op, fault.ReadOnly, c.x, "the unit or its connection is read-only")
	}
	c.writes = writes
	for _, w := range writes {
		c.tracked = w.Tracked
		if err := c.render(w); err != nil {
			return err
		}
	}
	if c.find(); len(c.objects) > 0 && c.tracked == query.RefuseTracked {
		return s.about(c.op, fault.Unsupported, c.x, fmt.Sprintf(
			"the session has %d objects whose rows this could write, and query.RefuseTracked wants none", len(c.objects)))
	}
	if err := s.flush(ctx, c.op, c.emit, driver.Stay); err != nil {
		return duringFlush(err, c.op, c.failed)
	}
	for _, x := range c.types {
		s.top.rewrote = append(s.top.rewrote, rewrite{x, c.removes()})
	}
	return c.follow(ctx)
}

// render makes the statement, before anything is flushed for it.
func (c *criteria) render(w *query.Write) error {
	render := w.Update
	if c.what == opDelete {
		render = w.Delete
	}
	t, err := render(c.x.d, value.OfTime(c.s.time()))
	if e, ok := err.(*fault.Error); ok { //nolint:errorlint // only one that render has just made
		e.Op = c.op
	}
	c.sts = append(c.sts, c.x.statement(t, nil, c.what.String()+" all"))
	return err
}

// emit adds the statements and, where it can be said by now which they are, the queries for the objects' rows.
func (c *criteria) emit(b *burst) error {
	b.need = transaction
	for _, st := range c.sts {
		b.add(st, c)
	}
	c.find() // again: the flush's hooks may have added some
	if c.tracked == query.EvictTracked || slices.ContainsFunc(c.objects, (*entry).waitsForKey) {
		return nil
	}
	return c.reread(b)
}

// removes reports whether rows go for good.
func (c *criteria) removes() bool { return c.what == opDelete && c.x.Deleted == nil }

// find finds the objects whose rows the statement may write: those of the type and, where rows go, those whose foreign
// keys follow.
func (c *criteria) find() {
	c.types, c.objects = []*meta{c.x}, nil
	for i := 0; c.removes() && i < len(c.types); i++ { // it grows meanwhile
		for _, e := range c.s.entries {
			if !slices.Contains(c.types, e.meta) && e.followsDeletionOf(c.types[i]) {
				c.types = append(c.types, e.meta)
			}
		}
	}
	for _, e := range c.s.entries {
		live := e.state == Pending || e.state == Persistent && !e.doomed
		if live && !e.unlisted && slices.Contains(c.types, e.meta) {
			c.objects = append(c.objects, e)
		}
	}
}

func (x *meta) followsDeletionOf(parent *meta) bool {
	for _, r := range x.References {
		if r.Table == parent.Table && (r.OnDelete == "CASCADE" || r.OnDelete == "SET NULL") {
			return true
		}
	}
	return false
}

// rewrite is a write by criteria that a savepoint remembers.
type rewrite struct {
	x       *meta
	removes bool
}

// reaches reports whether it may have changed rows of x.
func (w rewrite) reaches(x *meta) bool { return w.x == x || w.removes && x.followsDeletionOf(w.x) }

// waitsForKey reports whether the key is known only after the flush that inserts the row.
func (e *entry) waitsForKey() bool {
	for _, f := range e.Key {
		if _, known := e.settled(f); !known {
			return true
		}
	}
	return false
}

// reread adds the queries for the objects' rows.
func (c *criteria) reread(b *burst) error {
	c.read = true
	if c.what == opDelete {
		c.gone = make(map[*entry]bool, len(c.objects))
	}
	keys := map[*meta][][]value.Value{}
	var types []*meta
	for _, e := range c.objects {
		if c.gone != nil {
			c.gone[e] = true
		}
		if keys[e.meta] == nil {
			types = append(types, e.meta)
		}
		keys[e.meta] = append(keys[e.meta], e.key())
	}
	for _, x := range types {
		row := &rereader{c: c, loader: loader{s: c.s, x: x, op: c.op}}
		if err := x.byKeys(b, query.Compile(x.Model, query.WithDeleted), keys[x], row); err != nil {
			return err
		}
	}
	return nil
}

// follow makes the session's objects agree with what the statement did.
func (c *criteria) follow(ctx context.Context) error {
	if c.tracked == query.EvictTracked {
		for _, e := range c.objects {
			c.s.log(e)
			c.s.retire(e, Detached)
		}
		return nil
	}
	if !c.read {
		b := &burst{}
		if err := c.reread(b); err != nil || len(b.stmts) == 0 {
			return err
		}
		if err := c.s.exchange(ctx, c.op, b, driver.Stay); err != nil {
			return err
		}
	}
	for _, e := range c.objects {
		if c.gone[e] && e.state == Persistent {
			c.s.lose(e)
		}
	}
	return nil
}

// lose makes an object deleted whose row was.
func (s *Session) lose(e *entry) {
	s.log(e)
	s.unmap(e)
	e.state, e.doomed = Deleted, false
}

// rereader takes the rows of objects behind a write by criteria. Objects whose rows are what they were are left alone.
type rereader struct {
	loader
	c *criteria
}

func (r *rereader) row(cells []value.Value) error {
	r.key = r.key[:0]
	for _, f := range r.x.Key {
		r.key = append(r.key, cells[f.Index])
	}
	e := r.s.byID.get(identify(r.x.Model, r.key))
	if e == nil || e.state != Persistent {
		return nil
	}
	delete(r.c.gone, e)
	if e.snapshot.is(cells) {
		return nil
	}
	there := r.x.Deleted != nil && e.snapshot.at(r.x.Deleted.Index).IsNull()
	if err := r.overwrite(e, cells); err != nil {
		return err
	}
	if there && r.c.what == opDelete && !cells[r.x.Deleted.Index].IsNull() {
		r.s.lose(e)
	}
	return nil
}

func (r *rereader) name(e *fault.Error, _ int) {
	r.c.failed = true
	e.Entity = r.x.Name
}

// row, done and name make a criteria its statement's sink.
func (c *criteria) row([]value.Value) error { return nil }

func (c *criteria) done(affected, _ int64) error {
	c.affected += affected
	return nil
}

func (c *criteria) name(e *fault.Error, _ int) {
	c.failed = true
	e.Entity = c.x.Name
	c.x.constraint(e)
	for _, w := range c.writes {
		w.Blame(e)
	}
}

// duringFlush says of an error that it came from writing what was pending before a verb's own statement, unless that has
// failed.
func duringFlush(err error, op string, own bool) error {
	e, ok := err.(*fault.Error) //nolint:errorlint // only one that the flush has just made
	if !ok || e.Entity == "" || own {
		return err
	}
	out := *e
	out.Op = op + ": during the flush before it"
	return &out
}
