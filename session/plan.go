package session

import (
	"context"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// writeOp is what a write does to a row.
type writeOp uint8

const (
	opInsert writeOp = iota
	opUpdate
	opDelete
)

// String returns the SQL verb in lower case.
func (o writeOp) String() string { return [...]string{"insert", "update", "delete"}[o] }

// write is one row to be written.
type write struct {
	*entry
	s      *Session
	op     writeOp
	cols   bits
	values row  // the whole row as it will be
	soft   bool // a deletion that is an update

	table *table
	// Of a write that is only a part of what happens to the row (see graph.breakCircle): it checks no version, no hook
	// follows it, and where it completes an insertion the object's row is whole with it.
	part, completes bool

	batch int // of those that are sent
	*node     // nil without a graph
}

// plan is everything that a flush writes, in order.
type plan struct {
	s       *Session
	writes  []*write
	memory  *planMemory
	tables  []*table
	byEntry map[*entry]*write // where some wait for the keys of others
	waits   bool
	more    bool // the rest has to wait until this is written
	alone   bool // has to be seen before the transaction ends: it cannot travel with the commit
	hooked  bool // entities of it have After-hooks

	oneTable [1]*table // room for the smallest plan
}

// planMemory is what plans are made in, one after the other.
type planMemory struct {
	writes pieces[write]
	list   []*write
	placed []placed // empty
}

// memory returns memory for a plan.
func (c *connection) memory() *planMemory {
	if m, ok := c.plans.Get().(*planMemory); ok {
		return m
	}
	return &planMemory{}
}

// release gives back the memory of a plan that has been carried out: nothing refers to its writes any more.
func (p *plan) release() {
	m := p.memory
	m.writes.reset()
	clear(p.writes)
	if m.list = p.writes[:0]; cap(m.list) > maxPieces*maxPiece {
		m.list, m.placed = nil, nil
	}
	p.s.conn.plans.Put(m)
	*p = plan{}
}

// plan runs the Before-hooks and collects what is to be written: inserts with parents before children, then updates,
// then deletes with children before parents.
func (s *Session) plan(ctx context.Context, op string) (*plan, error) {
	p := &s.planned
	*p = plan{s: s, memory: s.conn.memory()}
	p.writes, p.tables = p.memory.list[:0], p.oneTable[:0]
	if err := s.relate(op); err != nil {
		return nil, err
	}
	if s.hasHooks() && s.hasChanges(nil) {
		if err := s.before(ctx, op); err != nil {
			return nil, err
		}
	}
	for _, e := range s.entries {
		w, err := p.writeOf(op, e)
		if err != nil {
			return nil, err
		}
		if w == nil {
			e.hooked = false // its hook took the change back
			continue
		}
		p.add(w)
	}
	if s.opts.ReadOnly && len(p.writes) > 0 {
		return nil, s.concerning(op, fault.ReadOnly, p.writes[0].entry, "the unit or its connection is read-only, and it has changes")
	}
	if err := p.order(op); err != nil {
		return nil, err
	}
	p.more = p.more || s.unlinked
	for _, w := range p.writes {
		if err := w.show(op); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *plan) add(w *write) {
	w.table = p.tableOf(w.meta)
	p.writes = append(p.writes, w)
	unique := w.op == opUpdate && w.cols.meets(w.uniqueCols)
	w.table.frees = w.table.frees || w.op == opDelete || unique
	w.table.takes = w.table.takes || w.op == opInsert || unique
	if len(w.waits) > 0 {
		p.waits = true
	}
	p.hooked = p.hooked || w.hooks.after()
	p.alone = p.alone || p.hooked || len(p.s.onFlush) > 0 || w.fetches() ||
		p.s.resolves() && len(w.returns(w.op)) > 0 // it would be lost with the commit's answer
}

// writeOf returns what has to be written for an entry, or nil.
func (p *plan) writeOf(op string, e *entry) (*write, error) {
	s := p.s
	switch {
	case e.unlisted:
		return nil, nil
	case e.state == Pending && e.loose():
		s.drop(e)
		return nil, nil
	case e.state == Pending:
		return p.insertOf(op, e)
	case e.state == Persistent && e.doomed && e.Deleted == nil:
		s.log(e)
		w := p.memory.writes.one()
		w.entry, w.s, w.op = e, s, opDelete
		return w, nil
	case e.state == Persistent:
		return p.updateOf(op, e)
	}
	return nil, nil
}

// finds returns a value of the key that finds the row, which of a part may have been inserted just before.
func (w *write) finds(key *model.Field) value.Value {
	if w.part {
		return w.values.at(key.Index)
	}
	return w.keyValue(key)
}

// checks returns the field of the version that the row must have, or nil.
func (w *write) checks() *model.Field {
	if w.part {
		return nil
	}
	return w.Version
}

func (p *plan) insertOf(op string, e *entry) (*write, error) {
	s := p.s
	w := p.memory.writes.one()
	w.entry, w.s, w.op, w.values = e, s, opInsert, s.stored().rows.take(e.layout)
	for i, f := range e.Fields {
		if f.Generated != "" {
			continue
		}
		v, err := f.Get(e.base)
		if err != nil {
			return nil, e.fieldError(op, f, err)
		}
		w.values.set(i, v)
		if (f.Serial || f.ServerDefault != "") && isUnset(f, v) {
			continue
		}
		w.cols.set(i)
	}
	return w, s.rekey(op, w)
}

// rekey enters a pending object into the identity map under the key that it has by now.
func (s *Session) rekey(op string, w *write) error {
	key := s.key[:0]
	for _, f := range w.Key {
		if !w.cols.has(f.Index) {
			return nil // the database makes it
		}
		key = append(key, w.values.at(f.Index))
	}
	s.key = key
	if len(w.waits) > 0 {
		return nil // some of it is not filled in yet
	}
	id := identify(w.Model, key)
	if w.known && w.id == id {
		return nil
	}
	if other := s.byID.get(id); other != nil && other != w.entry && !s.replace(w.entry, other) {
		return s.conflict(op, w.entry, other, key)
	}
	s.log(w.entry)
	s.identifyAs(w.entry, key)
	return nil
}

// updateOf compares an object with its row. What the session keeps moves only where something else did: updated_at and
// the version.
func (p *plan) updateOf(op string, e *entry) (*write, error) {
	s := p.s
	changed, err := e.changes(op)
	if err != nil || changed.empty() && !e.doomed && len(e.waits) == 0 {
		return nil, err
	}
	for _, k := range e.waits {
		changed.set(k.f.Index) // it will be: others have to come behind that
	}
	s.log(e)
	w := p.memory.writes.one()
	w.entry, w.s, w.op, w.cols, w.values, w.soft = e, s, opUpdate, changed, s.stored().rows.copied(e.snapshot), e.doomed
	for i := range changed.all() {
		v, err := e.Fields[i].Get(e.base)
		if err != nil {
			return nil, e.fieldError(op, e.Fields[i], err)
		}
		w.values.set(i, v)
	}
	now := value.OfTime(s.time())
	if e.Version != nil {
		w.keep(e.Version, value.OfInt(e.snapshot.at(e.Version.Index).Int()+1))
	}
	if e.Updated != nil {
		w.keep(e.Updated, e.Updated.Kept(now))
	}
	if w.soft {
		w.keep(e.Deleted, e.Deleted.Kept(now))
	}
	return w, nil
}

// keep sets one of the fields that the session keeps.
func (w *write) keep(f *model.Field, v value.Value) {
	w.values.set(f.Index, v)
	w.cols.set(f.Index)
}

// show writes what the session keeps into the object, once nothing stops the flush before the database does, so that the
// object reads the same before and after the commit.
func (w *write) show(op string) error {
	if w.op != opUpdate || w.part {
		return nil
	}
	kept := [...]*model.Field{w.Version, w.Updated, nil}
	if w.soft {
		kept[2] = w.Deleted
	}
	for _, f := range kept {
		if f == nil {
			continue
		}
		if err := w.put(op, f, w.values.at(f.Index)); err != nil {
			return err
		}
	}
	return nil
}

// maxBatch bounds the rows of one statement.
const maxBatch = 5000

// emit appends the plan's statements: neighbors of one shape as one batch.
func (p *plan) emit(b *burst) {
	for i, batch := 0, 1; i < len(p.writes); batch++ {
		w := p.writes[i]
		w.batch = batch
		n := 1
		if len(w.returns(w.op)) == 0 {
			for n < maxBatch && i+n < len(p.writes) && p.writes[i+n].joins(w) {
				p.writes[i+n].batch = batch
				n++
			}
		}
		emitGroup(b, p.writes[i:i+n])
		i += n
	}
}

// joins reports whether the write can be in one statement with those behind first: it has the same shape, and does not
// take a unique value that one of them frees, since the database may check each row as it writes it.
func (w *write) joins(first *write) bool {
	if w.Model != first.Model || w.op != first.op || w.cols != first.cols || w.part != first.part {
		return false
	}
	if w.node == nil {
		return true
	}
	for _, e := range w.in {
		if e.kind == freedFirst && e.from.batch == first.batch {
			return false
		}
	}
	return true
}

func emitGroup(b *burst, ws []*write) {
	first := ws[0]
	t := first.text(textKey{op: first.op, cols: first.cols, batch: len(ws) > 1, part: first.part})
	st := driver.Statement{SQL: t.sql, Types: t.types, Result: t.result, Query: t.query, Secret: t.secret}
	if len(ws) > 1 {
		st.Batch = len(ws)
	}
	if first.op != opInsert {
		st.Checked, st.Expect = true, 1
	}
	st.Args = b.room(len(t.types) * len(ws))
	for _, w := range ws {
		st.Args = w.args(st.Args)
	}
	b.add(st, &writeSink{writes: ws})
}

// args appends the write's parameters in the order of its text.
func (w *write) args(to []value.Value) []value.Value {
	if w.op != opInsert {
		for _, f := range w.Key {
			to = append(to, w.finds(f))
		}
		if f := w.checks(); f != nil {
			to = append(to, w.snapshot.at(f.Index))
		}
	}
	for i := range w.cols.all() {
		if !(w.op == opUpdate && w.Fields[i] == w.Version) {
			to = append(to, w.values.at(i))
		}
	}
	return to
}
