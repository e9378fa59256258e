package session

import (
	"context"

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
// What the request must not ask for is fault.BadRequest: see [query.List.Grid].
func Grid[T any](
	ctx context.Context, list *query.List[T], req query.GridRequest, clauses ...query.Clause,
) (query.GridPage[*T], error) {
	const op = "session.Grid"
	var none query.GridPage[*T]
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
	total, rows := countRead[T](clauses), &rowsRead[T]{read: of[T](clauses), part: part}
	if _, err := s.read(ctx, op, []reader{total, rows}); err != nil {
		return none, unasked(op, entityError(err, rows.x))
	}
	n := total.v.Int()
	behind := int64(part.Offset + len(rows.objs))
	return query.GridPage[*T]{Rows: rows.objs, RowCount: n, PageInfo: query.GridPageInfo{HasNextPage: behind < n}}, nil
}

// unasked makes an error of a database about a value one of the request, which it came with: what a column's own type does
// not take, such as a text that is none of an enum's.
func unasked(op string, err error) error {
	if fault.KindOf(err) != fault.Invalid {
		return err
	}
	return &fault.Error{Kind: fault.BadRequest, Op: op, Message: "a value is none that its field can have", Err: err}
}
