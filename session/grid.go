package session

import (
	"context"
	"errors"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
)

// Grid answers a grid: the rows of a list that it asks for, and how many there are on all pages, in one round trip where
// the database pipelines. The clauses beside the request hold whatever it says: who may see a row, and an order behind
// that of the request. The primary key is appended to the order, so that no row is on two pages.
//
//	func gridOrders(ctx context.Context, req query.GridRequest) (query.GridPage[*Order], error) {
//		return session.Grid(ctx, orderList, req, query.Eq(&orders.TenantID, tenantOf(ctx)))
//	}
//
// A [query.Counting] among the clauses says whether the rows of all pages are counted; where their number is not known, it
// is -1, which the grid takes for unknown, and whether there is a next page is left out where that is not known. A request
// with a cursor is answered as by [Seek], uncounted unless a clause says otherwise, with the cursor of the next page in
// pageInfo. What the request must not ask for is fault.BadRequest: see [query.List.Grid].
func Grid[T any](
	ctx context.Context, list *query.List[T], req query.GridRequest, clauses ...query.Clause,
) (query.GridPage[*T], error) {
	const op = "session.Grid"
	var none query.GridPage[*T]
	if at, ok, err := req.Cursor(); ok {
		if err == nil {
			return gridSeek(ctx, list, req, at, clauses)
		}
		return none, err
	}
	part, err := req.Window()
	if err != nil {
		return none, err
	}
	s, err := enter(ctx, op)
	if err != nil {
		return none, err
	}
	defer s.leave(ctx)
	clauses = append([]query.Clause{list.Grid(req)}, clauses...)
	rows := &rowsRead[T]{read: of[T](clauses)}
	t := rows.paged(part)
	if err := s.readPage(ctx, op, rows, t); err != nil {
		return none, err
	}
	seen, end := rows.seen(len(rows.objs))
	n, _, err := rows.counting.Settle(t.v, seen, end)
	if err != nil {
		return none, err
	}
	return query.GridPage[*T]{Rows: rows.objs, RowCount: n, PageInfo: query.GridPageInfo{HasNextPage: rows.next(len(rows.objs), n)}}, nil
}

// gridSeek answers a grid that walks by cursors.
func gridSeek[T any](
	ctx context.Context, list *query.List[T], req query.GridRequest, at query.CursorRequest, clauses []query.Clause,
) (query.GridPage[*T], error) {
	const op = "session.Grid"
	var none query.GridPage[*T]
	rows, t, err := seek[T](ctx, op, at, append([]query.Clause{list.Grid(req)}, clauses...))
	if err != nil {
		return none, asStart(err)
	}
	out := query.GridPage[*T]{Rows: rows.objs}
	if out.PageInfo.NextCursor, _, err = rows.seek.Cursors(); err != nil {
		return none, err
	}
	out.PageInfo.HasNextPage = new(out.PageInfo.NextCursor != "")
	out.RowCount, _, err = rows.settle(t)
	return out, err
}

// asStart says of an error about a cursor that a grid sends it as start.
func asStart(err error) error {
	var e *fault.Error
	if fields := fault.FieldsOf(err); !errors.As(err, &e) || len(fields) != 1 || fields[0].Name != "cursor" {
		return err
	}
	out := *e
	out.Fields = []fault.Field{{Name: "start", Message: e.Fields[0].Message}}
	return &out
}
