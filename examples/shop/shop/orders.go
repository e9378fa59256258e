package shop

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// Order is what a user ordered at one time.
type Order struct {
	entity.Identifiable
	entity.Dated
	UserID     uuid.UUID `db:"user_id,ref=users,index"`
	User       *User     `rel:"user_id"`
	Status     Status
	TotalCents int64
}

// Status is how far an order has come.
type Status string

// How far an order has come.
const (
	Placed   Status = "placed"   // its stock is taken
	Paid     Status = "paid"     // its customer was charged
	Declined Status = "declined" // the payment provider refused; whoever looks after it has it charged again
)

// OrderLine is one product of an order. Its key is the order and the position in it.
type OrderLine struct {
	OrderID    uuid.UUID `db:"order_id,pk,ref=orders,ondelete=cascade"`
	Position   int32     `db:"position,pk"`
	ProductID  uuid.UUID `db:"product_id,ref=products,index"`
	Quantity   int64
	PriceCents int64 // of one piece, at the time of the order
}

var (
	orders     = entity.Columns[Order]()
	orderLines = entity.Columns[OrderLine]()
)

// NewOrder is what a client sends.
type NewOrder struct {
	UserID uuid.UUID      `json:"user_id"`
	Lines  []NewOrderLine `json:"lines" minItems:"1" maxItems:"100" nullable:"false"`
}

// NewOrderLine is one line of what a client sends.
type NewOrderLine struct {
	ProductID uuid.UUID `json:"product_id"`
	Quantity  int64     `json:"quantity" minimum:"1" maximum:"1000000"`
}

// OrderView is what a client sees.
type OrderView struct {
	ID         uuid.UUID       `json:"id"`
	UserID     uuid.UUID       `json:"user_id"`
	Status     Status          `json:"status"`
	TotalCents int64           `json:"total_cents"`
	Lines      []OrderLineView `json:"lines" nullable:"false"`
	CreatedAt  time.Time       `json:"created_at"`
}

// OrderLineView is one line of what a client sees.
type OrderLineView struct {
	ProductID  uuid.UUID `json:"product_id"`
	Quantity   int64     `json:"quantity"`
	PriceCents int64     `json:"price_cents"`
}

// placeOrder takes the stock, writes the order and tells that it was placed: all of it, or nothing. It reads as if it were alone. Where another
// order changed a product in the meantime, the commit fails with fault.Stale, nothing was written, and the whole of it is run
// again, as the route's options say.
func placeOrder(ctx context.Context, in NewOrder) (OrderView, error) {
	if err := record(ctx, fmt.Sprintf("order of %d lines by user %s", len(in.Lines), in.UserID)); err != nil {
		return OrderView{}, err
	}
	found, err := orderable(ctx, in)
	if err != nil {
		return OrderView{}, err
	}
	order := &Order{UserID: in.UserID, Status: Placed}
	if err := session.Add(ctx, order); err != nil {
		return OrderView{}, err
	}
	lines, err := order.fill(in.Lines, found)
	if err != nil {
		return OrderView{}, err
	}
	if err := session.Add(ctx, lines...); err != nil {
		return OrderView{}, err
	}
	if err := bus.Publish(ctx, OrderPlaced{order.ID}); err != nil {
		return OrderView{}, err
	}
	return view(order, lines)
}

// fill takes the stock, makes the lines and adds up the total.
func (o *Order) fill(lines []NewOrderLine, found map[uuid.UUID]*Product) ([]*OrderLine, error) {
	filled := make([]*OrderLine, len(lines))
	for i, l := range lines {
		product := found[l.ProductID]
		if err := product.take(l.Quantity); err != nil {
			return nil, err
		}
		filled[i] = &OrderLine{
			OrderID: o.ID, Position: int32(i),
			ProductID: product.ID, Quantity: l.Quantity, PriceCents: product.PriceCents,
		}
		o.TotalCents += l.Quantity * product.PriceCents
	}
	return filled, nil
}

// orderable returns the products that an order names, or says which part of it names nothing.
func orderable(ctx context.Context, in NewOrder) (map[uuid.UUID]*Product, error) {
	var unknown []fault.Field
	_, known, err := session.Lookup[User](ctx, in.UserID)
	if err != nil {
		return nil, err
	}
	if !known {
		unknown = append(unknown, fault.Field{Name: "user_id", Message: "there is no such user"})
	}
	found, err := productsOf(ctx, in.Lines)
	if err != nil {
		return nil, err
	}
	for i, l := range in.Lines {
		if found[l.ProductID] == nil {
			unknown = append(unknown, fault.Field{
				Name: fmt.Sprintf("lines[%d].product_id", i), Message: "there is no such product",
			})
		}
	}
	return found, fault.InvalidFields("place order", unknown...)
}

// productsOf returns the products that the lines name, by id, as far as there are any. An order that another one was
// faster than locks them as it reads them, so that it is its turn now.
func productsOf(ctx context.Context, lines []NewOrderLine) (map[uuid.UUID]*Product, error) {
	ids := make([]uuid.UUID, len(lines))
	for i, l := range lines {
		ids[i] = l.ProductID
	}
	clauses := []query.Clause{query.In(&products.ID, ids...), query.Asc(&products.ID)}
	if again(ctx) {
		clauses = append(clauses, query.ForNoKeyUpdate)
	}
	found, err := session.Find[Product](ctx, clauses...)
	byID := make(map[uuid.UUID]*Product, len(found))
	for _, p := range found {
		byID[p.ID] = p
	}
	return byID, err
}

func getOrder(ctx context.Context, in byID) (OrderView, error) {
	order, err := session.Get[Order](ctx, in.ID)
	if err != nil {
		return OrderView{}, err
	}
	lines, err := session.Find[OrderLine](ctx, query.Eq(&orderLines.OrderID, order.ID), query.Asc(&orderLines.Position))
	if err != nil {
		return OrderView{}, err
	}
	return view(order, lines)
}

// OrderSummary is an order without its lines, in a list.
type OrderSummary struct {
	ID         uuid.UUID `json:"id"`
	UserID     uuid.UUID `json:"user_id"`
	Status     Status    `json:"status"`
	TotalCents int64     `json:"total_cents"`
	CreatedAt  time.Time `json:"created_at"`
}

// orderList is what clients may filter, sort and search orders by: also by whose they are. The latest are first: keys are
// UUIDs of version 7, whose order is that of time.
var orderList = query.NewList[Order](
	query.Join(&orders.User),
	query.Field("id", &orders.ID).Searched(),
	query.Field("user_id", &orders.UserID),
	query.Field("customer", &users.Name).Searched(),
	query.Field("status", &orders.Status).AsSelect(),
	query.Field("total_cents", &orders.TotalCents),
	query.Field("created_at", &orders.CreatedAt),
	query.Desc(&orders.ID),
)

// OrderFilter is which orders a client may ask for.
type OrderFilter struct {
	UserID  query.Criteria[uuid.UUID] `json:"user_id"`
	Status  query.Criteria[Status]    `json:"status"`
	Total   query.Criteria[int64]     `json:"total_cents" filter:"total_cents"`
	Created query.DateCriteria        `json:"created" filter:"created_at"`
}

// OrderQuery is what a client may ask of GET /orders, and OrderWalk of GET /orders/walk: pages by their numbers, and by
// cursors.
type (
	OrderQuery struct {
		query.ListRequest
		OrderFilter
	}
	OrderWalk struct {
		query.CursorRequest
		OrderFilter
		Sort string `query:"sort" filter:"-"`
	}
)

func listOrders(ctx context.Context, in OrderQuery) (query.Paginated[*Order], error) {
	return session.Page[Order](ctx, in.PageRequest, query.ApplyFilters(in), orderList.Sort(in.Sort))
}

func walkOrders(ctx context.Context, in OrderWalk) (query.CursorPage[*Order], error) {
	return session.Seek[Order](ctx, in.CursorRequest, query.ApplyFilters(in), orderList.Sort(in.Sort))
}

// gridOrders answers a data grid.
func gridOrders(ctx context.Context, req query.GridRequest) (query.GridPage[*Order], error) {
	return session.Grid(ctx, orderList, req)
}

// view puts an order and its lines together.
func view(order *Order, lines []*OrderLine) (OrderView, error) {
	v, err := entity.To[OrderSummary](order)
	if err != nil {
		return OrderView{}, err
	}
	items, err := entity.ToSlice[OrderLineView](lines)
	return OrderView{
		ID: v.ID, UserID: v.UserID, Status: v.Status, TotalCents: v.TotalCents, CreatedAt: v.CreatedAt, Lines: items,
	}, err
}
