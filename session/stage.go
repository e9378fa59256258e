package session

import (
	"context"
	"slices"

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

type stagedRows struct{ Rows }

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
	if s.opts.ReadOnly {
		return s.fault(op, fault.ReadOnly, "the unit or its connection is read-only")
	}
	rows.Values = slices.Clone(rows.Values)
	s.staged = append(s.staged, stagedRows{rows})
	return nil
}

// emitStaged appends the staged rows to a burst that commits.
func (s *Session) emitStaged(b *burst) {
	for i := 0; i < len(s.staged); {
		first := s.staged[i]
		values := first.Values
		for i++; i < len(s.staged) && s.staged[i].sameShape(first.Rows); i++ {
			values = append(values[:len(values):len(values)], s.staged[i].Values...)
		}
		b.add(s.stagedStatement(first.Rows, values), nil)
	}
}

func (r stagedRows) sameShape(o Rows) bool {
	return r.Table == o.Table && slices.Equal(r.Columns, o.Columns)
}

func (s *Session) stagedStatement(r Rows, values []value.Value) driver.Statement {
	n := len(values) / len(r.Columns)
	st := driver.Statement{
		SQL:   s.conn.d.Insert(dialect.Insert{Table: r.Table, Columns: r.Columns, Batch: n > 1}),
		Args:  values,
		Query: "insert " + r.Table,
		Raw:   true,
	}
	for _, c := range r.Columns {
		st.Types = append(st.Types, c.Type)
	}
	if n > 1 {
		st.Batch = n
	}
	return st
}
