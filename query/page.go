package query

import (
	"strconv"

	"github.com/urutu-go/urutu/fault"
)

// Bounds of a [PageRequest].
const (
	DefaultPageSize = 20
	MaxPageSize     = 200
	// MaxOffset is how far a page may lie behind the first row: databases read and throw away everything before it.
	MaxOffset = 100_000
)

// PageRequest asks for one page, as list endpoints do: embed it in a filter struct.
type PageRequest struct {
	// Page is the page's number, counted from 0.
	Page int `json:"page,omitempty" query:"page" minimum:"0" doc:"Number of the page, counted from 0"`
	// PageSize is the number of items on a page, from 1 to MaxPageSize. Defaults to DefaultPageSize.
	PageSize int `json:"page_size,omitempty" query:"page_size" minimum:"0" maximum:"200" doc:"Items on a page; 20 where it is 0 or left out"`
}

// ListInput marks inputs that embed a PageRequest as those of a list endpoint, of which package web refuses parameters
// that it has no rule for. It does nothing.
func (PageRequest) ListInput() {}

// Offset is the number of items before the page.
func (p PageRequest) Offset() int { return p.Page * p.PageSize }

// Window returns which rows are on the page.
func (p PageRequest) Window() Window { return Window{p.Offset(), p.PageSize} }

// Window is a part of the rows of a query.
type Window struct{ Offset, Size int }

// Normalize returns p with its defaults, or fault.BadRequest that names the field which is out of bounds.
func (p PageRequest) Normalize() (PageRequest, error) {
	if p.PageSize == 0 {
		p.PageSize = DefaultPageSize
	}
	var bad fault.Field
	switch {
	case p.PageSize < 0 || p.PageSize > MaxPageSize:
		bad = fault.Field{Name: "page_size", Message: "must be from 1 to " + strconv.Itoa(MaxPageSize)}
	case p.Page < 0:
		bad = fault.Field{Name: "page", Message: "must not be negative"}
	case p.Page > MaxOffset/p.PageSize:
		bad = fault.Field{Name: "page", Message: tooFar + " rows"}
	default:
		return p, nil
	}
	return p, &fault.Error{Kind: fault.BadRequest, Op: "query.PageRequest", Fields: []fault.Field{bad}}
}

// tooFar is what is wrong with a page, or a row, that is behind too many others.
var tooFar = "is too far from the first: more than " + strconv.Itoa(MaxOffset)

// Paginated is one page of a list.
type Paginated[T any] struct {
	// Items are the items on the page, empty past the end.
	Items []T `json:"items" nullable:"false"`
	// Total is the number of items on all pages, the same on every page, past the end too; -1 where it is not known.
	Total int64 `json:"total"`
	// Page and PageSize are those of the request, with its defaults applied.
	Page     int `json:"page"`
	PageSize int `json:"page_size"`
	// Precision says what Total is where it is not exact, and HasNext whether there is a page behind this one, where the
	// query asked for less than an exact total: see [Counting].
	Precision Precision `json:"precision,omitempty" enum:"at_least,estimated,unknown"`
	HasNext   *bool     `json:"has_next,omitempty"`
}

// Transform maps the items of a page and keeps the rest. The first error ends it.
func Transform[T, U any](p Paginated[T], f func(T) (U, error)) (Paginated[U], error) {
	items, err := transform(p.Items, f)
	if err != nil {
		return Paginated[U]{}, err
	}
	return Paginated[U]{
		Items: items, Total: p.Total, Page: p.Page, PageSize: p.PageSize, Precision: p.Precision, HasNext: p.HasNext,
	}, nil
}

func transform[T, U any](items []T, f func(T) (U, error)) ([]U, error) {
	out := make([]U, len(items))
	for i, item := range items {
		u, err := f(item)
		if err != nil {
			return nil, err
		}
		out[i] = u
	}
	return out, nil
}
