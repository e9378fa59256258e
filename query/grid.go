package query

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
)

// Bounds of a [GridRequest]. A list among its values has at most MaxValues, a text at most MaxText bytes.
const (
	// MaxItems is how many filter items a request may have.
	MaxItems = 50
	// MaxSearch is how many values a quick filter may have.
	MaxSearch = 20
	// MaxSorts is how many fields a request may sort by.
	MaxSorts = 10
)

// GridRequest asks for rows of a list as the MUI X DataGrid does: it is what the grid's data source is called with, as
// JSON. Where the models come from the grid's callbacks, send those that there are. What a grid sends besides is ignored.
//
// It is the input of a handler as it is, or embedded in a struct with fields of its own.
type GridRequest struct {
	_ struct{} `additionalProperties:"true"`

	// PaginationModel is the page. Defaults to the first one, of DefaultPageSize rows.
	PaginationModel *GridPagination `json:"paginationModel,omitempty" doc:"The page, where start and end do not say it"`
	// Start and End are the first and the last row that are wanted, counted from 0: they say it more exactly than the page,
	// which a grid that loads as it scrolls leaves at 0. A Start that is a text is a cursor: the nextCursor of the page
	// before, and "" for the first page. The page then has as many rows as PaginationModel says, whatever End is.
	Start json.RawMessage `json:"start,omitempty" doc:"The first row, counted from 0; or a cursor, an empty one for the first page"`
	End   *int            `json:"end,omitempty" nullable:"true" doc:"The last row, which is included"`
	// GroupKeys are the groups whose rows are wanted; there are none to ask for.
	GroupKeys []json.RawMessage `json:"groupKeys,omitempty" maxItems:"0" doc:"Always empty: rows are in no groups"`
	// SortModel is the order. Defaults to that of the list.
	SortModel []GridSort `json:"sortModel,omitempty" maxItems:"10" doc:"The order"`
	// FilterModel is which rows are wanted. Defaults to all.
	FilterModel *GridFilter `json:"filterModel,omitempty" doc:"Which rows"`
}

// GridPagination is a page.
type GridPagination struct {
	_ struct{} `additionalProperties:"true" nullable:"true"`

	Page     int `json:"page" required:"false" minimum:"0" doc:"Number of the page, counted from 0"`
	PageSize int `json:"pageSize" required:"false" minimum:"0" maximum:"200" doc:"Rows on a page; 20 where it is 0 or left out"`
}

// GridSort is one level of an order.
type GridSort struct {
	_ struct{} `additionalProperties:"true"`

	Field string `json:"field" doc:"Name of the field"`
	// Sort is "asc" or "desc"; nil does not sort.
	Sort *string `json:"sort,omitempty" nullable:"true" doc:"asc or desc; null does not sort"`
}

// GridFilter says which rows are wanted: those that the items ask for, all or some of them, and that the quick filter
// finds.
type GridFilter struct {
	_ struct{} `additionalProperties:"true" nullable:"true"`

	Items []GridItem `json:"items,omitempty" maxItems:"50" doc:"What is asked of fields"`
	// LogicOperator joins the items: "and", which is the default, or "or".
	LogicOperator string `json:"logicOperator,omitempty" doc:"and, or or"`
	// QuickFilterValues are looked for in the fields that are searched.
	QuickFilterValues []json.RawMessage `json:"quickFilterValues,omitempty" maxItems:"20" doc:"What to search for"`
	// QuickFilterLogicOperator says whether a row has to have all values, "and", which is the default, or one, "or".
	QuickFilterLogicOperator string `json:"quickFilterLogicOperator,omitempty" doc:"and, or or"`
}

// GridItem asks something of one field.
type GridItem struct {
	_ struct{} `additionalProperties:"true"`

	Field    string `json:"field" doc:"Name of the field"`
	Operator string `json:"operator" doc:"Operator of the field's type"`
	// Value is what the operator compares with. An item without one asks nothing, unless its operator needs none.
	Value json.RawMessage `json:"value,omitempty" doc:"What to compare with, as the operator needs it"`
}

// GridPage is what a grid is answered.
type GridPage[T any] struct {
	Rows []T `json:"rows" nullable:"false"`
	// RowCount is the number of rows on all pages, -1 where it is not known.
	RowCount int64 `json:"rowCount"`
	// PageInfo says what lies behind the page.
	PageInfo GridPageInfo `json:"pageInfo"`
}

// GridPageInfo says what lies behind a page.
type GridPageInfo struct {
	// HasNextPage reports whether there are rows behind these, nil where that is not known: under CountNone, behind a page
	// that is full.
	HasNextPage *bool `json:"hasNextPage,omitempty"`
	// NextCursor is where the next page starts, for a page that was found by a cursor.
	NextCursor string `json:"nextCursor,omitempty"`
}

// TransformGrid maps the rows of a grid's page and keeps the rest. The first error ends it.
func TransformGrid[T, U any](p GridPage[T], f func(T) (U, error)) (GridPage[U], error) {
	out := GridPage[U]{Rows: make([]U, len(p.Rows)), RowCount: p.RowCount, PageInfo: p.PageInfo}
	for i, row := range p.Rows {
		u, err := f(row)
		if err != nil {
			return GridPage[U]{}, err
		}
		out.Rows[i] = u
	}
	return out, nil
}

// ListInput marks inputs as those of a list endpoint: see [PageRequest.ListInput].
func (GridRequest) ListInput() {}

// Window returns which rows are wanted, or fault.BadRequest that names what is out of bounds.
func (g GridRequest) Window() (Window, error) {
	if len(g.GroupKeys) > 0 {
		return Window{}, refused("groupKeys", "must be empty: rows are in no groups")
	}
	w, err := g.page()
	if err != nil {
		return w, err
	}
	start, given, err := g.start()
	if err != nil || !given {
		return w, err
	}
	w.Offset = start
	if g.End != nil {
		w.Size = *g.End - start + 1
	}
	switch {
	case start < 0:
		return w, refused("start", "must not be negative")
	case start > MaxOffset:
		return w, refused("start", tooFar)
	case w.Size < 1 || w.Size > MaxPageSize:
		return w, refused("end", "must be from 1 to "+strconv.Itoa(MaxPageSize)+" rows behind start")
	}
	return w, nil
}

// Cursor returns which rows are wanted where the request says it by a cursor, and false where it does not.
func (g GridRequest) Cursor() (req CursorRequest, given bool, err error) {
	raw := bytes.TrimSpace(g.Start)
	if len(raw) == 0 || raw[0] != '"' {
		return req, false, nil
	}
	if len(g.GroupKeys) > 0 {
		return req, true, refused("groupKeys", "must be empty: rows are in no groups")
	}
	if req.PageSize, err = g.pageSize(); err != nil {
		return req, true, err
	}
	switch {
	case len(raw) > MaxCursor+len(`""`):
		err = refused("start", longCursor)
	case json.Unmarshal(raw, &req.Cursor) != nil:
		err = refused("start", "is not a cursor of this service")
	}
	return req, true, err
}

func (g GridRequest) pageSize() (int, error) {
	if g.PaginationModel == nil || g.PaginationModel.PageSize == 0 {
		return DefaultPageSize, nil
	}
	size := g.PaginationModel.PageSize
	if size < 0 || size > MaxPageSize {
		return 0, refused("paginationModel.pageSize", "must be from 1 to "+strconv.Itoa(MaxPageSize))
	}
	return size, nil
}

// page returns the rows of the pagination model.
func (g GridRequest) page() (Window, error) {
	p := GridPagination{}
	if g.PaginationModel != nil {
		p = *g.PaginationModel
	}
	var err error
	if p.PageSize, err = g.pageSize(); err != nil {
		return Window{}, err
	}
	switch {
	case p.Page < 0:
		return Window{}, refused("paginationModel.page", "must not be negative")
	case p.Page > MaxOffset/p.PageSize:
		return Window{}, refused("paginationModel.page", tooFar+" rows")
	}
	return Window{p.Page * p.PageSize, p.PageSize}, nil
}

// start returns the first row that is wanted, where the request says so.
func (g GridRequest) start() (n int, given bool, err error) {
	raw := bytes.TrimSpace(g.Start)
	if len(raw) == 0 || string(raw) == "null" {
		return 0, false, nil
	}
	n, err = strconv.Atoi(string(raw))
	if err != nil || n > math.MaxInt32 {
		return 0, false, refused("start", "must be the number of a row, or a cursor")
	}
	return n, true, nil
}
