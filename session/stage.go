package session

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// Rows are rows of one table that another package writes together with a unit's own: messages, for one. They are no
// entities, nothing follows them, and nothing of them is ever printed.
type Rows struct {
	// Table is the table's name.
	Table string
	// Columns are the columns that the rows have, in order.
	Columns []dialect.Column
	// Values are the rows, one after the other.
	Values []value.Value
}

// stagedRows are rows that wait for the commit.
type stagedRows struct {
	Rows
	by   Writer // renders them; nil for plain rows
	turn turn
}

// turn says when a writer's rows are written.
type turn uint8

const (
	late turn = iota
	early
	ofUnit // first; they outlive a rollback by hand
)

// turns are all of them, in order.
var turns = [...]turn{ofUnit, early, late}

// Stage adds rows to the session of ctx. They are written last, with the commit and only with it: no flush sends them
// before. Rows staged inside a savepoint or an independent unit are dropped when that is rolled back. Rows of one table
// and the same columns travel as one statement, in the order in which they were staged.
func Stage(ctx context.Context, rows Rows) error {
	const op = "session.Stage"
	s, err := enter(ctx, op)
	if err != nil {
		return err
	}
	defer s.leave(ctx)
	if len(rows.Columns) == 0 || len(rows.Values)%len(rows.Columns) != 0 {
		return s.fault(op, fault.Invalid, "the values are not whole rows of the columns")
	}
	rows.Values = slices.Clone(rows.Values)
	return s.stage(op, stagedRows{Rows: rows})
}

func (s *Session) stage(op string, r stagedRows) error {
	if s.opts.ReadOnly {
		return s.fault(op, fault.ReadOnly, "the unit or its connection is read-only")
	}
	s.staged = append(s.staged, r)
	return nil
}

// emitStaged appends the staged rows to a burst that commits.
func (s *Session) emitStaged(b *burst) {
	s.emitWriters(b)
	for i := 0; i < len(s.staged); {
		first := s.staged[i]
		if first.by != nil {
			i++
			continue
		}
		values := slices.Clip(first.Values)
		for i++; i < len(s.staged) && s.staged[i].sameShape(first.Rows); i++ {
			values = append(values, s.staged[i].Values...)
		}
		b.add(s.stagedStatement(first.Rows, values), nil)
	}
}

func (r stagedRows) sameShape(o Rows) bool {
	return r.by == nil && r.Table == o.Table && slices.Equal(r.Columns, o.Columns)
}

// stagedStatement returns the statement that inserts rows with the values.
func (s *Session) stagedStatement(r Rows, values []value.Value) driver.Statement {
	x := s.conn.staged.shape(s.conn.d, r)
	st, n := x.one, len(values)/len(r.Columns)
	if n > 1 {
		st, st.Batch = x.many, n
	}
	st.Args = values
	return st
}

// shape is how rows of one table and the same columns are inserted.
type shape struct {
	stagedRows
	one, many driver.Statement // without values
}

// shapes are the shapes that a connection has met. They are few, since they stand in the code. It is safe for
// concurrent use.
type shapes struct{ list atomic.Pointer[[]*shape] }

// maxShapes bounds how many are kept, should they not be few after all.
const maxShapes = 64

// shape returns the shape of rows.
func (x *shapes) shape(d dialect.Dialect, r Rows) *shape {
	known := x.list.Load()
	if known != nil {
		for _, k := range *known {
			if k.sameShape(r) {
				return k
			}
		}
	}
	k := newShape(d, r)
	x.keep(known, k)
	return k
}

// keep adds a shape to those that were known, unless there are others by now: then it is met again.
func (x *shapes) keep(known *[]*shape, k *shape) {
	var list []*shape
	if known != nil {
		list = *known
	}
	if list = append(slices.Clip(list), k); len(list) <= maxShapes {
		x.list.CompareAndSwap(known, &list)
	}
}

func newShape(d dialect.Dialect, r Rows) *shape {
	columns := slices.Clone(r.Columns)
	insert := func(batch bool) driver.Statement {
		st := driver.Statement{
			SQL:   d.Insert(dialect.Insert{Table: r.Table, Columns: columns, Batch: batch}),
			Query: "insert " + r.Table,
			Raw:   true,
		}
		for _, c := range columns {
			st.Types = append(st.Types, c.Type)
		}
		return st
	}
	return &shape{stagedRows: stagedRows{Rows: Rows{Table: r.Table, Columns: columns}}, one: insert(false), many: insert(true)}
}
