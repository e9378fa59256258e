package session

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// writeSink follows the writes of one statement.
type writeSink struct {
	writes  []*write
	arrived bool // the statement's results have come
}

// row takes what the database generated for the one row of the statement.
func (k *writeSink) row(cells []value.Value) error {
	w := k.writes[0]
	fields := w.returns(w.op)
	if len(k.writes) > 1 || len(fields) == 0 || w.part && !w.completes || !w.d.Features().Returning {
		return nil
	}
	for i, f := range fields {
		if err := w.fill(f, cells[i]); err != nil {
			return err
		}
	}
	return nil
}

// done makes the session take the rows for written.
func (k *writeSink) done(_, lastID int64) error {
	k.arrived = true
	for _, w := range k.writes {
		if w.op == opInsert && !w.d.Features().Returning {
			if err := w.fillSerial(lastID); err != nil {
				return err
			}
		}
		w.written()
	}
	return nil
}

// name adds to an error which object it concerns: the row of the batch where that is known.
func (k *writeSink) name(e *fault.Error, row int) {
	w := k.writes[0]
	e.Entity, e.Table = w.Name, cmp.Or(e.Table, w.Table)
	switch {
	case len(k.writes) == 1:
		e.Key = w.keyText()
	case row >= 0 && row < len(k.writes):
		e.Key = k.writes[row].keyText()
	}
	w.constraint(e)
	w.refused(e)
}

// refused names the field whose value the driver could not send.
func (w *write) refused(e *fault.Error) {
	var params []*model.Field
	if w.op != opInsert {
		params = append(params, w.Key...)
		if f := w.checks(); f != nil {
			params = append(params, f)
		}
	}
	for i, f := range w.Fields {
		if w.cols.has(i) && !(w.op == opUpdate && f == w.Version) {
			params = append(params, f)
		}
	}
	refusedParam(e, params)
}

// refusedParam names the field of a parameter that the driver could not send, where that is the error.
func refusedParam(e *fault.Error, params []*model.Field) {
	var pe *driver.ParamError
	if !errors.As(e.Err, &pe) {
		return
	}
	f := params[pe.Param-1]
	e.Columns, e.Fields = []string{f.Column}, []fault.Field{{Name: f.Name, Message: pe.Err.Error()}}
}

// constraint completes what a database leaves out: the columns of a constraint that it named, or the name of the one on
// the columns that it named.
func (x *meta) constraint(e *fault.Error) {
	for _, u := range x.constraints() {
		if e.Constraint == "" && len(e.Columns) > 0 && slices.Equal(u.Columns, e.Columns) && e.Kind == fault.Unique {
			e.Constraint = u.Name
		}
		if e.Constraint == u.Name && len(e.Columns) == 0 {
			e.Columns = u.Columns
		}
	}
}

// constraints are the unique constraints, the primary key and the foreign keys.
func (x *meta) constraints() []model.Constraint {
	all := slices.Clone(x.Uniques)
	pk := model.Constraint{Name: primaryKeyName(x.Table)}
	for _, f := range x.Key {
		pk.Columns = append(pk.Columns, f.Column)
	}
	all = append(all, pk)
	for _, r := range x.References {
		all = append(all, model.Constraint{Name: r.Name, Columns: []string{r.Column}})
	}
	return all
}

// fill sets a field that the database generated.
func (w *write) fill(f *model.Field, v value.Value) error {
	w.values.set(f.Index, v)
	return w.put("session.Flush", f, v)
}

// fillSerial sets the key that the database generated, where it reports it instead of returning it.
func (w *write) fillSerial(lastID int64) error {
	for _, f := range w.Key {
		if f.Serial && !w.cols.has(f.Index) {
			return w.fill(f, value.OfInt(lastID))
		}
	}
	return nil
}

// written follows one write that the database has done, unless the transaction is rolled back.
func (w *write) written() {
	e := w.entry
	if w.part {
		if w.completes {
			e.snapshot = w.values
		}
		return
	}
	e.hooked = false
	if e.replaces != nil {
		e.replaces = nil
	}
	if w.op == opDelete {
		if e.ends == nil { // of one in between, both of its ends want to know
			w.s.unmap(e)
		}
		e.state, e.doomed = Deleted, false
		return
	}
	e.snapshot = w.values
	e.keysStored()
	if w.op == opInsert {
		e.state = Persistent
		if w.s.key = e.appendKey(w.s.key[:0]); !e.known || w.s.byID.get(e.id) != e {
			w.s.identifyAs(e, w.s.key)
		}
		if len(e.serverSide) > 0 {
			model.ClearPending(e.base)
		}
	}
	if w.soft {
		w.s.unmap(e)
		e.state, e.doomed = Deleted, false
	}
}

// fetches reports whether what the database generates has to be read by a query of its own: where it cannot be
// returned.
func (w *write) fetches() bool {
	if w.d.Features().Returning || w.part && !w.completes {
		return false
	}
	for _, f := range w.returns(w.op) {
		if !f.Serial && (f.Generated != "" || !w.cols.has(f.Index)) {
			return true
		}
	}
	return false
}

// fetch reads what the database generated, where it cannot return it.
func (s *Session) fetch(ctx context.Context, op string, p *plan) error {
	b := &burst{}
	for _, w := range p.writes {
		if !w.fetches() {
			continue
		}
		st, err := w.selectByKey(w.key())
		if err != nil {
			return err
		}
		b.add(st, refresher{w})
	}
	if len(b.stmts) == 0 {
		return nil
	}
	return s.exchange(ctx, op, b, driver.Stay)
}

// refresher fills the generated fields of a written object from its row.
type refresher struct{ *write }

func (r refresher) row(cells []value.Value) error {
	for _, f := range r.returns(r.op) {
		if err := r.fill(f, cells[f.Index]); err != nil {
			return err
		}
	}
	return nil
}

func (r refresher) done(int64, int64) error { return nil }

// afterHook runs the hook that follows the write.
func (w *write) afterHook(ctx context.Context) error {
	switch {
	case w.part:
	case w.op == opInsert && w.hooks.afterInsert:
		return w.object().(entity.AfterInserter).AfterInsert(ctx)
	case (w.op == opDelete || w.soft) && w.hooks.afterDelete:
		return w.object().(entity.AfterDeleter).AfterDelete(ctx)
	case w.op == opUpdate && !w.soft && w.hooks.afterUpdate:
		return w.object().(entity.AfterUpdater).AfterUpdate(ctx)
	}
	return nil
}
