package query

import (
	"slices"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/value"
)

// Seeking is a query for one page that is found by a cursor. It is what a session runs; applications have no use for it. It
// is not safe for concurrent use.
type Seeking struct {
	q      *Select
	keys   *CursorKeys
	size   int
	begun  bool // there is a cursor
	from   place
	levels []level

	read        int
	more        bool          // there is a row behind the page, in the direction of reading
	first, last []value.Value // where the rows that were read first and last are
}

// Seek makes the query that of one page, in an order that the primary key makes complete. The error is fault.BadRequest
// where the cursor is none; whether it is one of this very query is found out by Rows.
func (q *Select) Seek(req CursorRequest, keys *CursorKeys) (*Seeking, error) {
	s := &Seeking{q: q, keys: keys, size: req.PageSize, begun: req.Cursor != ""}
	q.limit, q.offset = s.size+1, -1
	if !s.begun {
		return s, nil
	}
	from, err := keys.open(req.Cursor)
	s.from = from
	return s, err
}

// Back reports whether rows come in the reverse order, since the page is the one that ends at its cursor.
func (s *Seeking) Back() bool { return s.from.back }

// Rows renders the statements for the page's rows, whose rows are read one after the other, and the types of the columns
// that follow those of the entity. A cursor that was made under another order or filter is fault.BadRequest.
func (s *Seeking) Rows(d dialect.Dialect, columns string) (texts []Text, more []value.Type, err error) {
	if _, err := s.q.Related(); err != nil {
		return nil, nil, err
	}
	t, err := s.rows(d, columns, false)
	if err != nil {
		return nil, nil, err
	}
	for _, l := range s.levels {
		if l.own == nil {
			more = append(more, l.typ)
		}
	}
	texts = []Text{t}
	if s.halves() {
		t, err = s.rows(d, columns, true)
		texts = append(texts, t)
	}
	return texts, more, err
}

// rows renders the rows behind the position or, where it is so wished, only those on the other side of where NULL begins
// or ends.
func (s *Seeking) rows(d dialect.Dialect, columns string, beyond bool) (Text, error) {
	q := s.q
	r, err := newRenderer(d, q)
	if err != nil {
		return Text{}, err
	}
	if err := r.where(q); err != nil {
		return Text{}, err
	}
	if err := s.resolve(r); err != nil {
		return Text{}, err
	}
	if s.begun {
		r.write([...]string{" WHERE ", " AND "}[min(r.b.Len(), 1)])
		if err := s.behind(r, beyond); err != nil {
			return Text{}, err
		}
	}
	for i := range s.levels {
		r.write([...]string{" ORDER BY ", ", "}[min(i, 1)])
		if err := s.levels[i].sort(r, s.from.back); err != nil {
			return Text{}, err
		}
	}
	r.paging(q.limit, -1)
	r.lock(q)
	return r.around(func() error { return s.list(r, columns) })
}

// list renders the entity's columns, and behind them what is ordered by and is none of them.
func (s *Seeking) list(r *renderer, columns string) error {
	if s.q.several {
		if err := r.all(); err != nil {
			return err
		}
	} else {
		r.write(columns)
	}
	for i := range s.levels {
		if s.levels[i].own != nil {
			continue
		}
		r.write(", ")
		if err := s.levels[i].node.render(r); err != nil {
			return err
		}
	}
	return nil
}

// resolve finds what the query is ordered by, behind the rendered predicates, and refuses a cursor that was made under
// another order or other predicates.
func (s *Seeking) resolve(r *renderer) (err error) {
	if s.levels, err = r.levels(s.q); err != nil {
		return err
	}
	order, err := r.orderPrint(s.q, s.levels)
	if err != nil {
		return err
	}
	filter := r.filterPrint()
	if s.begun && (s.from.order != order || len(s.from.values) != len(s.levels)) {
		return badCursor("was made for another list, or another order of it; begin at the first page")
	}
	if s.begun && s.from.filter != filter {
		return badCursor("was made under another filter; begin at the first page")
	}
	s.from.order, s.from.filter = order, filter
	return nil
}

// Keep notes a row that was read, and reports whether it is on the page: not, where it only shows that there is more.
func (s *Seeking) Keep(cells []value.Value) bool {
	if s.read == s.size {
		s.more = true
		return false
	}
	s.last = s.last[:0]
	at := len(s.q.m.Fields)
	for i := range s.levels {
		if own := s.levels[i].own; own != nil {
			s.last = append(s.last, cells[own.Index])
			continue
		}
		s.last = append(s.last, cells[at])
		at++
	}
	if s.read == 0 {
		s.first = slices.Clone(s.last)
	}
	s.read++
	return true
}

// Whole reports whether the page is the whole list.
func (s *Seeking) Whole() bool { return !s.begun && !s.more }

// Seen is how many rows the list has at least.
func (s *Seeking) Seen() int { return s.read }

// Cursors returns the cursors of the pages behind and before the page that was read, "" where there is none.
func (s *Seeking) Cursors() (next, prev string, err error) {
	var onward, home string
	if s.more {
		if onward, err = s.cursor(place{back: s.from.back, values: s.last}); err != nil {
			return "", "", err
		}
	}
	if s.begun {
		p := place{back: !s.from.back, values: s.first}
		if s.read == 0 { // what is on the other side of where nothing was found, the row there included if it was not
			p.values, p.with = s.from.values, !s.from.with
		}
		if home, err = s.cursor(p); err != nil {
			return "", "", err
		}
	}
	if s.from.back {
		return home, onward, nil
	}
	return onward, home, nil
}

func (s *Seeking) cursor(p place) (string, error) {
	p.order, p.filter = s.from.order, s.from.filter
	cursor := s.keys.seal(&p)
	if len(cursor) <= MaxCursor {
		return cursor, nil
	}
	return "", &fault.Error{
		Kind: fault.Unsupported, Op: "query.Seek", Entity: s.q.m.Name,
		Message: "the list is ordered by what is too long here for a cursor",
	}
}
