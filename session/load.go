package session

import (
	"unsafe"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// loader makes objects of rows: those that the session has already keep their identity and, unless the query populates,
// their fields.
type loader struct {
	s         *Session
	x         *meta
	op        string
	populate  bool // overwrite what the session has
	renew     bool // the same where nothing unflushed is lost
	untracked bool
	key       []value.Value // scratch
	found     func(obj any, e *entry)
}

func (l *loader) row(cells []value.Value) error {
	if l.untracked {
		base, obj := l.x.New()
		if err := l.fill(base, cells); err != nil {
			return err
		}
		l.found(obj, nil)
		return nil
	}
	l.key = l.key[:0]
	for _, f := range l.x.Key {
		l.key = append(l.key, cells[f.Index])
	}
	id := identify(l.x.Model, l.key)
	e := l.s.byID.get(id)
	switch {
	case e == nil:
		base, obj := l.x.New()
		e = l.s.entry(l.x, base)
		e.state, e.known, e.id = Persistent, true, id
		e.snapshot = l.s.stored().rows.of(l.x.layout, cells)
		if err := l.fill(base, cells); err != nil {
			return err
		}
		l.s.track(e)
		l.found(obj, e)
		return nil
	case e.state == Persistent && (l.populate || l.renew && !e.isDirty()):
		if err := l.overwrite(e, cells); err != nil {
			return err
		}
	}
	l.found(e.object(), e)
	return nil
}

// overwrite replaces what the session has of a row. A relation whose key is another one now is not loaded any more.
func (l *loader) overwrite(e *entry, cells []value.Value) error {
	l.s.log(e)
	e.snapshot = l.s.stored().rows.of(l.x.layout, cells)
	if err := l.fill(e.base, cells); err != nil {
		return err
	}
	e.keysStored()
	l.s.followKeys(e)
	return nil
}

func (l *loader) fill(base unsafe.Pointer, cells []value.Value) error {
	for i, f := range l.x.Fields {
		if err := f.Fill(base, &cells[i]); err != nil {
			return &fault.Error{
				Kind: fault.Internal, Op: l.op, Entity: l.x.Name, Table: l.x.Table, Columns: []string{f.Column},
				Message: "the column does not fit the field " + f.Name, Err: err,
			}
		}
	}
	return nil
}

func (l *loader) done(int64, int64) error { return nil }

// scalar takes the one cell of a statement.
type scalar struct{ v value.Value }

func (c *scalar) row(cells []value.Value) error { c.v = cells[0]; return nil }
func (c *scalar) done(int64, int64) error       { return nil }

// statement makes a driver's statement of a rendered query.
func (x *meta) statement(t query.Text, result []value.Type, what string) driver.Statement {
	return driver.Statement{
		SQL: t.SQL, Types: t.Types, Args: t.Args, Lists: t.Lists, Secret: t.Secret, Result: result, Query: what + " " + x.Table,
	}
}

// selectByKey renders the query for one row.
func (x *meta) selectByKey(key []value.Value) (driver.Statement, error) {
	t, err := query.Compile(x.Model, query.WithDeleted).ByKey(x.d, x.columns, key)
	return x.statement(t, x.types, "select"), err
}
