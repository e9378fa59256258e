package main

import (
	"context"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/urutu-go/urutu/bench/internal/ent"
	"github.com/urutu-go/urutu/bench/internal/ent/product"
)

// entPeer is Ent over pgx.
type entPeer struct{ client *ent.Client }

func openEnt(_ context.Context, url string) (peer, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	return &entPeer{ent.NewClient(ent.Driver(entsql.OpenDB(dialect.Postgres, openSQL(*cfg))))}, nil
}

func (p *entPeer) Close() error { return p.client.Close() }

func (p *entPeer) do(ctx context.Context, fn func(tx *ent.Tx) error) error {
	tx, err := p.client.Tx(ctx)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}

func entCustomer(client *ent.CustomerClient) *ent.CustomerCreate {
	c := newCustomer()
	return client.Create().SetID(c.ID).SetCreatedAt(c.CreatedAt).SetUpdatedAt(c.UpdatedAt).SetName(c.Name).SetEmail(c.Email)
}

func entSend(ctx context.Context, tx *ent.Tx, topic string, about uuid.UUID) error {
	m := newMessage(topic, about)
	return tx.Message.Create().SetID(m.ID).SetCreatedAt(m.CreatedAt).SetTopic(m.Topic).SetPayload(m.Payload).Exec(ctx)
}

func (p *entPeer) Insert(ctx context.Context) error {
	return p.do(ctx, func(tx *ent.Tx) error {
		c, err := entCustomer(tx.Customer).Save(ctx)
		if err != nil {
			return err
		}
		return entSend(ctx, tx, "customers", c.ID)
	})
}

func (p *entPeer) Get(ctx context.Context, id uuid.UUID) error {
	_, err := p.client.Product.Get(ctx, id)
	return err
}

func (p *entPeer) Modify(ctx context.Context, id uuid.UUID) error {
	return p.do(ctx, func(tx *ent.Tx) error {
		row, err := tx.Product.Get(ctx, id)
		if err != nil {
			return err
		}
		n, err := tx.Product.Update().Where(product.ID(id), product.Version(row.Version)).
			SetStock(row.Stock - 1).SetUpdatedAt(now()).AddVersion(1).Save(ctx)
		if err != nil {
			return err
		}
		if n != 1 {
			return errStale
		}
		return entSend(ctx, tx, "products", id)
	})
}

// entStocks writes the stocks of products in one statement. Ent's many updates are an upsert, which cannot say how many
// rows it has changed: that a row had another version would go unseen.
func entStocks(ctx context.Context, tx *ent.Tx, list []*ent.Product, change func(i int) int64) error {
	at := now()
	return tx.Product.MapCreateBulk(list, func(c *ent.ProductCreate, i int) {
		row := list[i]
		c.SetID(row.ID).SetCreatedAt(row.CreatedAt).SetUpdatedAt(at).SetVersion(row.Version + 1).
			SetName(row.Name).SetSku(row.Sku).SetPrice(row.Price).SetStock(row.Stock + change(i))
	}).OnConflict(
		entsql.ConflictColumns(product.FieldID),
		entsql.UpdateWhere(entsql.ExprP("products.version = excluded.version - 1")),
	).Update(func(u *ent.ProductUpsert) { u.UpdateStock().UpdateUpdatedAt().UpdateVersion() }).Exec(ctx)
}

func (p *entPeer) Order(ctx context.Context, customer uuid.UUID, ids []uuid.UUID) error {
	return p.do(ctx, func(tx *ent.Tx) error {
		list, err := tx.Product.Query().Where(product.IDIn(ids...)).All(ctx)
		if err != nil {
			return err
		}
		o, lines := newOrder(customer, len(list), func(i int) (uuid.UUID, int64) { return list[i].ID, list[i].Price })
		err = tx.Order.Create().SetID(o.ID).SetCreatedAt(o.CreatedAt).SetUpdatedAt(o.UpdatedAt).
			SetCustomerID(o.CustomerID).SetTotal(o.Total).Exec(ctx)
		if err != nil {
			return err
		}
		err = tx.OrderLine.MapCreateBulk(lines, func(c *ent.OrderLineCreate, i int) {
			l := lines[i]
			c.SetID(l.ID).SetOrderID(l.OrderID).SetProductID(l.ProductID).SetQuantity(l.Quantity).SetPrice(l.Price)
		}).Exec(ctx)
		if err != nil {
			return err
		}
		return entStocks(ctx, tx, list, func(int) int64 { return -1 })
	})
}

func (p *entPeer) InsertMany(ctx context.Context, n int) error {
	list := make([]*ent.CustomerCreate, n)
	for i := range list {
		list[i] = entCustomer(p.client.Customer)
	}
	return p.client.Customer.CreateBulk(list...).Exec(ctx)
}

func (p *entPeer) UpdateMany(ctx context.Context) error {
	return p.do(ctx, func(tx *ent.Tx) error {
		list, err := tx.Product.Query().All(ctx)
		if err != nil {
			return err
		}
		return entStocks(ctx, tx, list, amount)
	})
}

func (p *entPeer) Read(ctx context.Context) error {
	list, err := p.client.Product.Query().All(ctx)
	if err == nil && len(list) != products {
		err = errCount
	}
	return err
}
