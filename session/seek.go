package session

import (
	"context"
	"slices"

	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/value"
)

// Seek returns one page of what Find would return without a limit, found by a cursor: the first page where the request has
// none, and otherwise the one behind or before the page that gave it. However far from the first it is, an index on what is
// ordered by leads to it at once, and rows that come and go meanwhile make it neither repeat nor skip one that stays. The
// primary key is appended to the order, in the direction of its last level, unless it is there already.
//
// A cursor is good for the clauses that it was made under: with another order, filter or entity, and where it was
// tampered with, it is fault.BadRequest that names the field; [query.Varying] is for conditions that change by themselves.
// Cursors are sealed with [Config].CursorKeys. A clause says whether rows are counted: see [query.Counting].
func Seek[T any](ctx context.Context, req query.CursorRequest, clauses ...query.Clause) (query.CursorPage[*T], error) {
	const op = "session.Seek"
	var none query.CursorPage[*T]
	req, err := req.Normalize()
	if err != nil {
		return none, err
	}
	rows, t, err := seek[T](ctx, op, req, clauses)
	if err != nil {
		return none, err
	}
	out := query.CursorPage[*T]{Items: rows.objs, PageSize: req.PageSize}
	if out.Next, out.Prev, err = rows.seek.Cursors(); err != nil {
		return none, err
	}
	if !t.counting.Asks() {
		return out, nil
	}
	n, precision, err := rows.settle(t)
	if err != nil {
		return none, err
	}
	out.Total, out.Precision = &n, precision
	return out, nil
}

// seek reads a page, and how many rows there are where that is asked.
func seek[T any](ctx context.Context, op string, req query.CursorRequest, clauses []query.Clause) (*seekRead[T], *total, error) {
	s, err := enter(ctx, op)
	if err != nil {
		return nil, nil, err
	}
	defer s.leave(ctx)
	rows := &seekRead[T]{rowsRead: rowsRead[T]{read: of[T](clauses)}, req: req}
	t := &total{read: rows.read}
	if rows.invalid == nil {
		t.counting = rows.query().Counting(query.CountHasNext)
		t.q = rows.q
	}
	if err := s.readPage(ctx, op, rows, t); err != nil {
		return nil, nil, err
	}
	if rows.seek.Back() {
		slices.Reverse(rows.objs)
	}
	return rows, t, nil
}

// seekRead reads the rows of a page that is found by a cursor.
type seekRead[T any] struct {
	rowsRead[T]
	req  query.CursorRequest
	seek *query.Seeking
}

func (r *seekRead[T]) ask(s *Session, op string, b *burst) (err error) {
	if r.seek, err = r.query().Seek(r.req, s.conn.cursorKeys()); err != nil {
		return err
	}
	r.objs = []*T{}
	r.rows = s.loader(b, r.x, op, r.q, r.found)
	texts, more, err := r.seek.Rows(r.x.d, r.x.columns)
	types := slices.Concat(r.x.types, more)
	for _, t := range texts {
		b.add(r.x.statement(t, types, "select"), r)
	}
	return err
}

func (r *seekRead[T]) row(cells []value.Value) error {
	if !r.seek.Keep(cells) {
		return nil
	}
	return r.rows.row(cells[:len(r.x.Fields)])
}

func (r *seekRead[T]) first() bool { return r.req.Cursor == "" }
func (r *seekRead[T]) whole() bool { return r.seek.Whole() }

// settle returns how many rows there are, as far as that is known.
func (r *seekRead[T]) settle(t *total) (int64, query.Precision, error) {
	return t.counting.Settle(t.v, int64(r.seek.Seen()), r.seek.Whole())
}

// cursorKeys returns the keys of the connection's cursors. That there is none but a random one is said in the log, once
// and only by those who need it.
func (c *connection) cursorKeys() *query.CursorKeys {
	if c.cursors.Random() {
		c.warnCursors.Do(func() {
			c.cfg.Logger.Warn("cursors are sealed with a random key: other processes, and this one after a restart, "+
				"refuse them; set session.Config.CursorKeys", "connection", string(c.cfg.Name))
		})
	}
	return c.cursors
}
