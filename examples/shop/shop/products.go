package shop

import (
	"context"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// Product is something to order. It is versioned: of two orders that take from the same stock at once, one finds the
// version changed, and is placed again from its beginning.
type Product struct {
	entity.Identifiable
	entity.Dated
	entity.Versioned
	SKU        string `db:"sku,unique"`
	Name       string
	PriceCents int64
	Stock      int64
}

var products = entity.Columns[Product]()

// NewProduct is what a client sends.
type NewProduct struct {
	SKU        string `json:"sku" minLength:"1" maxLength:"100"`
	Name       string `json:"name" minLength:"1" maxLength:"200"`
	PriceCents int64  `json:"price_cents" minimum:"0" maximum:"100000000"`
	Stock      int64  `json:"stock" minimum:"0" maximum:"1000000000"`
}

// ProductView is what a client sees.
type ProductView struct {
	ID         uuid.UUID `json:"id"`
	SKU        string    `json:"sku"`
	Name       string    `json:"name"`
	PriceCents int64     `json:"price_cents"`
	Stock      int64     `json:"stock"`
}

// take removes a quantity from the stock. Changing the field is all it takes: the session writes it.
func (p *Product) take(quantity int64) error {
	if quantity > p.Stock {
		return fault.Newf(fault.Conflict, "only %d of %s are left", p.Stock, p.SKU)
	}
	p.Stock -= quantity
	return nil
}

func createProduct(ctx context.Context, in NewProduct) (*Product, error) {
	product, err := entity.From[Product](in)
	if err != nil {
		return nil, err
	}
	return product, session.Add(ctx, product)
}

func getProduct(ctx context.Context, in byID) (*Product, error) {
	return session.Get[Product](ctx, in.ID)
}

// productList is what clients may filter, sort and search products by.
var productList = query.NewList[Product](
	query.Field("id", &products.ID),
	query.Field("sku", &products.SKU).Searched(),
	query.Field("name", &products.Name).Searched(),
	query.Field("price_cents", &products.PriceCents),
	query.Field("stock", &products.Stock),
	query.Field("created_at", &products.CreatedAt),
	query.Asc(&products.Name),
)

// ProductQuery is what a client may ask of GET /products.
type ProductQuery struct {
	query.ListRequest
	Name  query.StringCriteria  `json:"name"`
	Price query.Criteria[int64] `json:"price_cents" filter:"price_cents"`
	Stock query.Criteria[int64] `json:"stock"`
}

func listProducts(ctx context.Context, in ProductQuery) (query.Paginated[*Product], error) {
	return session.Page[Product](ctx, in.PageRequest, query.ApplyFilters(in), productList.Sort(in.Sort))
}

// gridProducts answers a data grid.
func gridProducts(ctx context.Context, req query.GridRequest) (query.GridPage[*Product], error) {
	return session.Grid(ctx, productList, req)
}
