package sqlitedriver

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

const opRun = "sqlitedriver.Run"

// execution is one run of a script. The context in it lives no longer than that.
type execution struct {
	conn    *conn
	raw     *rawConn
	ctx     context.Context
	results driver.Results
}

// failed returns a script's error.
func failed(statement, row int, err error) error {
	return &driver.ScriptError{Statement: statement, Row: row, Err: err}
}

// start runs the script unless the context is done already. Then nothing is done but what ends the transaction that the
// script would have ended: no transaction is open after a failed commit.
func (x *execution) start(s *driver.Script) error {
	if err := x.ctx.Err(); err != nil {
		if x.conn.tx.open && s.End != driver.Stay {
			x.conn.tx.rollback(x.raw)
		}
		return failed(driver.AtBegin, -1, ended(err))
	}
	return x.run(s)
}

func (x *execution) run(s *driver.Script) error {
	c := x.conn
	if s.Begin != nil {
		if err := c.begin(x.ctx, x.raw, s.Begin); err != nil {
			return failed(driver.AtBegin, -1, err)
		}
	}
	for i := range s.Statements {
		if c.tx.lost != nil {
			return failed(i, -1, gone(c.tx.lost))
		}
		if err := x.statement(i, &s.Statements[i]); err != nil {
			if s.Begin != nil {
				c.tx.rollback(x.raw)
			} else {
				c.tx.check(x.raw, err)
			}
			return err
		}
	}
	return x.end(s.End)
}

// end ends the transaction. A commit does not begin once the context is done, and is not stopped by it.
func (x *execution) end(end driver.End) error {
	switch end {
	case driver.Rollback:
		x.conn.tx.rollback(x.raw)
	case driver.Commit:
		if err := x.ctx.Err(); err != nil {
			x.conn.tx.rollback(x.raw)
			return failed(driver.AtEnd, -1, ended(err))
		}
		if err := x.conn.tx.commit(x.raw); err != nil {
			return failed(driver.AtEnd, -1, err)
		}
	}
	return nil
}

// statement runs statement i under the transaction's timeout.
func (x *execution) statement(i int, s *driver.Statement) error {
	lists := len(s.Lists)
	if len(s.Args) != s.Rows()*len(s.Types) || s.Lists != nil && (lists != len(s.Types) || s.Batch > 0) {
		return failed(i, -1, fault.Wrap(fault.Internal, opRun, fmt.Errorf(
			"%q: %d arguments and %d lists for %d rows of %d parameters", s.Query, len(s.Args), lists, s.Rows(), len(s.Types))))
	}
	st, err := x.raw.stmts.get(s.SQL)
	if err != nil {
		return failed(i, -1, translate(opRun, err))
	}
	ctx := x.ctx
	if timeout := x.conn.tx.statementTimeout; timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	part := &part{execution: x, ctx: ctx, i: i, s: s, st: st}
	if st.writes && x.conn.write && !x.conn.tx.open {
		return part.alone()
	}
	return part.run()
}

// part is the run of one statement of a script.
type part struct {
	*execution
	ctx context.Context // with the statement's timeout
	i   int
	s   *driver.Statement
	st  *prepared
}

// alone runs a statement that writes where no transaction is open in one of its own, so that the lock is waited for
// under the context, a batch is all or nothing, and an interrupted write is known not to have happened.
func (p *part) alone() error {
	text := p.st.text
	err := p.conn.beginAs(p.ctx, p.raw, "BEGIN IMMEDIATE", defaultLockTimeout)
	switch {
	case insideTransaction(err): // begun by raw SQL
		return p.run()
	case err != nil:
		return p.fail(-1, err)
	}
	// The BEGIN may have displaced the statement from the cache.
	if p.st, err = p.raw.stmts.get(text); err == nil {
		err = p.run()
	} else {
		err = p.fail(-1, err)
	}
	var own transaction
	if err != nil {
		own.rollback(p.raw)
		return err
	}
	if err = own.commit(p.raw); err != nil {
		return failed(p.i, -1, err)
	}
	return nil
}

func (p *part) run() error {
	if p.s.Result != nil {
		return p.query()
	}
	return p.exec()
}

// exec runs the statement once for each row of arguments. In a batch the context is looked at between the rows instead
// of during each: watching it takes longer than writing a row.
func (p *part) exec() error {
	ctx := p.ctx
	if p.s.Batch > 1 {
		ctx = context.WithoutCancel(ctx)
	}
	var affected, lastID int64
	for row := range p.s.Rows() {
		if err := p.ctx.Err(); err != nil {
			return p.fail(row, err)
		}
		args, err := p.arguments(row)
		if err != nil {
			return failed(p.i, row, err)
		}
		result, err := p.st.ExecContext(ctx, args)
		if err != nil {
			return p.fail(row, err)
		}
		if !p.st.counts {
			continue
		}
		n, err := result.RowsAffected()
		if err != nil {
			return p.fail(row, err)
		}
		if err := p.verify(row, n); err != nil {
			return err
		}
		affected += n
		if lastID, err = result.LastInsertId(); err != nil {
			return p.fail(row, err)
		}
	}
	return p.done(affected, lastID)
}

// query runs a statement that returns rows.
func (p *part) query() error {
	args, err := p.arguments(0)
	if err != nil {
		return failed(p.i, 0, err)
	}
	rows, err := p.st.QueryContext(p.ctx, args)
	if err != nil {
		return p.fail(0, err)
	}
	n, err := p.read(rows)
	if err != nil {
		return err
	}
	if err := p.verify(0, n); err != nil {
		return err
	}
	return p.done(n, 0)
}

// read hands the rows on, counts and closes them. What Close could complain of, Next has said before.
func (p *part) read(rows sqldriver.Rows) (n int64, err error) {
	defer func() { _ = rows.Close() }()
	width := len(rows.Columns())
	cells := sized(&p.raw.cells, width)
	row := sized(&p.raw.row, width)
	for {
		if err := p.ctx.Err(); err != nil {
			return n, p.fail(0, err)
		}
		switch err := rows.Next(cells); {
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return n, p.fail(0, err)
		}
		for j, cell := range cells {
			t := value.TypeUnknown
			if j < len(p.s.Result) {
				t = p.s.Result[j]
			}
			row[j] = decode(cell, t)
		}
		n++
		if err := p.results.Row(p.i, row); err != nil {
			return n, failed(p.i, -1, err)
		}
	}
}

// arguments encodes one row of arguments. The slice is used again for the next.
func (p *part) arguments(row int) ([]sqldriver.NamedValue, error) {
	width := len(p.s.Types)
	args := sized(&p.raw.args, width)
	for j, t := range p.s.Types {
		v, err := p.argument(row*width+j, j, t)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, opRun, &driver.ParamError{Query: p.s.Query, Param: j + 1, Type: t, Err: err})
		}
		args[j] = sqldriver.NamedValue{Ordinal: j + 1, Value: v}
	}
	return args, nil
}

// argument encodes argument i, which is that of parameter j, or its list.
func (p *part) argument(i, j int, t value.Type) (sqldriver.Value, error) {
	if p.s.Lists != nil && p.s.Lists[j] != nil {
		return encodeList(p.s.Lists[j], t)
	}
	return encode(p.s.Args[i], t)
}

// verify checks the number of rows that a row of arguments affected.
func (p *part) verify(row int, affected int64) error {
	if !p.s.Checked || affected == p.s.Expect {
		return nil
	}
	return failed(p.i, row, fault.Wrap(fault.Stale, opRun,
		fmt.Errorf("%d rows affected instead of %d", affected, p.s.Expect)))
}

func (p *part) done(affected, lastID int64) error {
	if err := p.results.Done(p.i, affected, lastID); err != nil {
		return failed(p.i, -1, err)
	}
	return nil
}

// fail translates an error of SQLite or of the context. An interrupted statement is the context's doing, or that of the
// timeout below it.
func (p *part) fail(row int, err error) error {
	if p.s.Batch == 0 {
		row = -1
	}
	if !isInterrupt(err) {
		return failed(p.i, row, translate(opRun, err))
	}
	if cause := p.execution.ctx.Err(); cause != nil {
		return failed(p.i, row, ended(cause))
	}
	return failed(p.i, row, fault.Wrap(fault.StatementTimeout, opRun, err))
}

// sized returns a buffer of n elements, kept for the next time.
func sized[T any](buffer *[]T, n int) []T {
	if cap(*buffer) < n {
		*buffer = make([]T, n)
	}
	return (*buffer)[:n]
}
