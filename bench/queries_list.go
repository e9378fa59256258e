package main

import (
	"context"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/query"
)

// pageOf is how many sales are on a page.
const pageOf = 50

// lister reads pages of sales, the latest first, in the way of one library.
type lister interface {
	// Offset reads a page by its number, and Seek one by a position, with a look at whether there is one behind it.
	Offset(ctx context.Context, page int) (found, error)
	Seek(ctx context.Context, at position) (found, error)
	// Filter reads the first page of what a filter of ten conditions finds, and Grid does where a client sends it as a grid.
	Filter(ctx context.Context, f *saleFilter) (found, error)
	Grid(ctx context.Context, f *saleFilter, req query.GridRequest) (found, error)
	// Count reads the first page of a country's sales, and what a mode tells of their number.
	Count(ctx context.Context, country string, mode query.Counting) (found, error)
	// Close gives up the connections.
	Close() error
}

// position is where a page begins: as the sale before it, and as a cursor. The first page has none.
type position struct {
	before *Sale
	cursor string
}

// found is a page: rows or pointers to them, whichever a lister makes.
type found struct {
	rows     []Sale
	pointers []*Sale
	more     bool  // there is another page behind it, as far as that was asked
	total    int64 // of the rows on all pages, -1 where that is not known
}

func (f found) size() int { return len(f.rows) + len(f.pointers) }

// ids are the keys of the page's sales.
func (f found) ids() []uuid.UUID {
	var out []uuid.UUID
	for i := range f.rows {
		out = append(out, f.rows[i].ID)
	}
	for _, s := range f.pointers {
		out = append(out, s.ID)
	}
	return out
}

// question is what listers are asked.
type question struct {
	name string
	ask  func(ctx context.Context, l lister) (found, error)
	// batch is how often it is asked in a turn: enough for each lister to pay for what the garbage of its pages costs, where
	// one does not take long.
	batch int
}

// places are where the pages are that are read.
type places struct {
	country      string
	number       int // of a page far from the first
	middle, last position
	filter       saleFilter
	grid         query.GridRequest
}

// offsets are pages by their number.
func (p *places) offsets() []question {
	return []question{
		{"first page", func(ctx context.Context, l lister) (found, error) { return l.Offset(ctx, 0) }, 100},
		{"page " + thousands(float64(p.number)), func(ctx context.Context, l lister) (found, error) {
			return l.Offset(ctx, p.number)
		}, 4},
	}
}

// keysets are pages by a cursor.
func (p *places) keysets() []question {
	at := func(name string, at position) question {
		return question{name, func(ctx context.Context, l lister) (found, error) { return l.Seek(ctx, at) }, 100}
	}
	return []question{
		at("first page by a cursor", position{}), at("one in the middle by a cursor", p.middle), at("the last one by a cursor", p.last),
	}
}

// filters are pages of ten conditions.
func (p *places) filters() []question {
	return []question{
		{"10 conditions", func(ctx context.Context, l lister) (found, error) { return l.Filter(ctx, &p.filter) }, 30},
		{"10 conditions from a grid", func(ctx context.Context, l lister) (found, error) { return l.Grid(ctx, &p.filter, p.grid) }, 30},
	}
}

// counts are the modes of counting.
func (p *places) counts() []question {
	mode := func(name string, batch int, m query.Counting) question {
		return question{"a country's, " + name, func(ctx context.Context, l lister) (found, error) { return l.Count(ctx, p.country, m) }, batch}
	}
	return []question{
		mode("not counted", 100, query.CountNone), mode("has next", 100, query.CountHasNext), mode("capped", 10, query.CountCapped),
		mode("estimated", 30, query.CountEstimated), mode("counted", 4, query.CountExact),
	}
}
