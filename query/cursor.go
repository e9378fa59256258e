package query

import (
	"strconv"

	"github.com/urutu-go/urutu/fault"
)

// MaxCursor is the greatest length of a cursor.
const MaxCursor = 4096

// CursorRequest asks for one page by a cursor, as list endpoints do: embed it in a filter struct. A cursor says where its
// page begins and which way to go from there; it is opaque, and of use only with the order and the filter that it was
// made under.
type CursorRequest struct {
	// Cursor is the Next or the Prev of another page. Empty asks for the first page.
	Cursor string `json:"cursor,omitempty" query:"cursor" maxLength:"4096" doc:"The next or prev of another page; the first page without it"`
	// PageSize is the number of items on a page, from 1 to MaxPageSize. Defaults to DefaultPageSize.
	PageSize int `json:"page_size,omitempty" query:"page_size" minimum:"0" maximum:"200" doc:"Items on a page; 20 where it is 0 or left out"`
}

// ListInput marks inputs that embed a CursorRequest as those of a list endpoint, as PageRequest does. It does nothing.
func (CursorRequest) ListInput() {}

// Normalize returns r with its defaults, or fault.BadRequest that names the field which is out of bounds. What is in the
// cursor is looked at by the verb that uses it.
func (r CursorRequest) Normalize() (CursorRequest, error) {
	p, err := PageRequest{PageSize: r.PageSize}.Normalize()
	if err != nil {
		return r, err
	}
	if len(r.Cursor) > MaxCursor {
		return r, badCursor(longCursor)
	}
	r.PageSize = p.PageSize
	return r, nil
}

// CursorPage is one page of a list that is walked by cursors.
type CursorPage[T any] struct {
	// Items are the items on the page, in the order of the list whichever way it is walked.
	Items []T `json:"items" nullable:"false"`
	// Next is the cursor of the page behind this one, empty where nothing is behind it. A page that was reached by walking
	// back always has one, though what was there may be gone by now; and so it is with Prev the other way round.
	Next string `json:"next"`
	// Prev is the cursor of the page before this one, empty where nothing is before it.
	Prev string `json:"prev"`
	// PageSize is that of the request, with its default applied.
	PageSize int `json:"page_size"`
	// Total is the number of items in the whole list where the query counts them (see [Counting]), nil where it does not.
	// Precision says how exact it is.
	Total     *int64    `json:"total,omitempty"`
	Precision Precision `json:"precision,omitempty" enum:"at_least,estimated"`
}

// TransformCursorPage is [Transform] for pages that are walked by cursors.
func TransformCursorPage[T, U any](p CursorPage[T], f func(T) (U, error)) (CursorPage[U], error) {
	items, err := transform(p.Items, f)
	if err != nil {
		return CursorPage[U]{}, err
	}
	return CursorPage[U]{
		Items: items, Next: p.Next, Prev: p.Prev, PageSize: p.PageSize, Total: p.Total, Precision: p.Precision,
	}, nil
}

var longCursor = "is longer than " + strconv.Itoa(MaxCursor) + " characters"

// badCursor is the error for a cursor that will not do.
func badCursor(message string) error {
	return &fault.Error{
		Kind: fault.BadRequest, Op: "query.CursorRequest", Fields: []fault.Field{{Name: "cursor", Message: message}},
	}
}
