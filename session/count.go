package session

import (
	"context"

	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/value"
)

// paging is what the read of a page by its number knows of it.
type paging struct {
	part     query.Window // of no size for what is no page
	counting query.Counting
	more     bool // there is a row behind the page
}

// of makes a read that of a part of q.
func (p *paging) of(part query.Window, q *query.Select) {
	p.part, p.counting = part, q.Counting(query.CountExact)
}

// keeps reports whether a row is on the page, where n were read before it.
func (p *paging) keeps(n int) bool {
	p.more = p.part.Size > 0 && n == p.part.Size
	return !p.more
}

// first implements pageReader.
func (p *paging) first() bool { return p.part.Offset == 0 }

// seen returns how many rows there are, as far as the page tells that has n of them, and whether those are all.
func (p *paging) seen(n int) (rows int64, end bool) {
	before := p.part.Offset
	if n == 0 && before > 0 {
		return 0, false // past the end
	}
	rows = int64(before + n)
	if p.more {
		rows++
	}
	return rows, n < p.part.Size || p.counting.Peeks() && !p.more
}

// next reports whether there are rows behind a page of n out of so many, nil where that is not known.
func (p *paging) next(n int, of int64) *bool {
	switch {
	case p.counting.Peeks(): // a number that is estimated says nothing against what was seen
		return new(p.more)
	case n < p.part.Size:
		return new(false)
	case of < 0:
		return nil
	default:
		return new(int64(p.part.Offset+n) < of)
	}
}

// pageReader is the read of a page.
type pageReader interface {
	reader
	// first reports whether it is the first page, and whole whether that has turned out to be the only one.
	first() bool
	whole() bool
}

// total reads how many rows a query has.
type total struct {
	read
	counting query.Counting
	v        value.Value
}

func (r *total) ask(_ *Session, _ string, b *burst) error {
	t, typ, err := r.query().CountText(r.x.d, r.counting)
	b.add(r.x.statement(t, []value.Type{typ}, "count"), r)
	return err
}

func (r *total) row(cells []value.Value) error {
	r.v = cells[0]
	return nil
}

// readPage reads a page and, where its mode asks for that, how many rows there are: in one exchange. Only where the
// database does not pipeline, so that an exchange is nothing to save, is the first page read alone, since the only page
// needs no count. (In a pipeline, counting what makes no full page costs what finding it does.)
func (s *Session) readPage(ctx context.Context, op string, page pageReader, t *total) error {
	together := t.counting.Asks() && (s.conn.d.Features().Pipeline || !page.first())
	reads := []reader{page, t}
	if !together {
		reads = reads[:1]
	}
	_, err := s.read(ctx, op, reads)
	if err == nil && t.counting.Asks() && !together && !page.whole() {
		_, err = s.read(ctx, op, []reader{t})
	}
	return entityError(err, page.base().x)
}

// paginated is the page of items that was read.
func paginated[T any](page query.PageRequest, items []T, p *paging, t *total) (query.Paginated[T], error) {
	out := query.Paginated[T]{Items: items, Page: page.Page, PageSize: page.PageSize}
	seen, end := p.seen(len(items))
	var err error
	if out.Total, out.Precision, err = p.counting.Settle(t.v, seen, end); err != nil {
		return query.Paginated[T]{}, err
	}
	if p.counting.Peeks() {
		out.HasNext = &p.more
	}
	return out, nil
}
