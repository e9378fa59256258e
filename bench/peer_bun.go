package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

type bunCustomer struct {
	bun.BaseModel `bun:"table:customers"`
	ID            uuid.UUID `bun:"id,pk,type:uuid"`
	CreatedAt     time.Time
	UpdatedAt     time.Time
	Name, Email   string
}

type bunProduct struct {
	bun.BaseModel `bun:"table:products,alias:p"`
	ID            uuid.UUID `bun:"id,pk,type:uuid"`
	CreatedAt     time.Time
	UpdatedAt     time.Time
	Version       int64
	Name          string
	SKU           string `bun:"sku"`
	Price, Stock  int64
}

type bunOrder struct {
	bun.BaseModel `bun:"table:orders"`
	ID            uuid.UUID `bun:"id,pk,type:uuid"`
	CreatedAt     time.Time
	UpdatedAt     time.Time
	CustomerID    uuid.UUID `bun:"type:uuid"`
	Total         int64
}

type bunLine struct {
	bun.BaseModel   `bun:"table:order_lines"`
	ID              uuid.UUID `bun:"id,pk,type:uuid"`
	OrderID         uuid.UUID `bun:"type:uuid"`
	ProductID       uuid.UUID `bun:"type:uuid"`
	Quantity, Price int64
}

type bunMessage struct {
	bun.BaseModel `bun:"table:messages"`
	ID            uuid.UUID `bun:"id,pk,type:uuid"`
	CreatedAt     time.Time
	Topic         string
	Payload       json.RawMessage `bun:"type:jsonb"`
}

// bunPeer is Bun over pgx in its simple protocol, since Bun writes values into the text: nothing could be prepared twice.
type bunPeer struct{ db *bun.DB }

func openBun(_ context.Context, url string) (peer, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	return &bunPeer{bun.NewDB(openSQL(*cfg), pgdialect.New())}, nil
}

// openSQL returns a pool of database/sql over pgx.
func openSQL(cfg pgx.ConnConfig) *sql.DB {
	db := stdlib.OpenDB(cfg)
	db.SetMaxOpenConns(poolSize)
	db.SetMaxIdleConns(poolSize)
	return db
}

func (p *bunPeer) Close() error { return p.db.Close() }

func (p *bunPeer) do(ctx context.Context, fn func(tx bun.Tx) error) error {
	return p.db.RunInTx(ctx, nil, func(_ context.Context, tx bun.Tx) error { return fn(tx) })
}

func newBunCustomer() bunCustomer {
	c := newCustomer()
	return bunCustomer{ID: c.ID, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt, Name: c.Name, Email: c.Email}
}

// insert writes a row, or each of a slice.
func (p *bunPeer) insert(ctx context.Context, tx bun.Tx, rows any) error {
	_, err := tx.NewInsert().Model(rows).Exec(ctx)
	return err
}

func (p *bunPeer) send(ctx context.Context, tx bun.Tx, topic string, about uuid.UUID) error {
	m := newMessage(topic, about)
	return p.insert(ctx, tx, &bunMessage{ID: m.ID, CreatedAt: m.CreatedAt, Topic: m.Topic, Payload: m.Payload})
}

func (p *bunPeer) Insert(ctx context.Context) error {
	return p.do(ctx, func(tx bun.Tx) error {
		c := newBunCustomer()
		if err := p.insert(ctx, tx, &c); err != nil {
			return err
		}
		return p.send(ctx, tx, "customers", c.ID)
	})
}

func (p *bunPeer) Get(ctx context.Context, id uuid.UUID) error {
	return p.db.NewSelect().Model(&bunProduct{ID: id}).WherePK().Scan(ctx)
}

func (p *bunPeer) Modify(ctx context.Context, id uuid.UUID) error {
	return p.do(ctx, func(tx bun.Tx) error {
		product := &bunProduct{ID: id}
		if err := tx.NewSelect().Model(product).WherePK().Scan(ctx); err != nil {
			return err
		}
		result, err := tx.NewUpdate().Model(product).
			Set("stock = ?", product.Stock-1).Set("updated_at = ?", now()).Set("version = version + 1").
			WherePK().Where("version = ?", product.Version).Exec(ctx)
		if err := changed(result, err, 1); err != nil {
			return err
		}
		return p.send(ctx, tx, "products", id)
	})
}

// changed checks that a statement changed as many rows as it should have.
func changed(result sql.Result, err error, n int64) error {
	if err != nil {
		return err
	}
	if got, err := result.RowsAffected(); err != nil || got != n {
		return errors.Join(err, errStale)
	}
	return nil
}

// stocks writes the stocks of products, which were changed in memory, in one statement.
func (p *bunPeer) stocks(ctx context.Context, tx bun.Tx, list []bunProduct) error {
	at := now()
	for i := range list {
		list[i].UpdatedAt = at
	}
	values := tx.NewValues(&list).Column("id", "version", "stock", "updated_at")
	result, err := tx.NewUpdate().With("v", values).Model((*bunProduct)(nil)).TableExpr("v").
		Set("stock = v.stock").Set("updated_at = v.updated_at").Set("version = p.version + 1").
		Where("p.id = v.id").Where("p.version = v.version").Exec(ctx)
	return changed(result, err, int64(len(list)))
}

func (p *bunPeer) Order(ctx context.Context, customer uuid.UUID, ids []uuid.UUID) error {
	return p.do(ctx, func(tx bun.Tx) error {
		var list []bunProduct
		if err := tx.NewSelect().Model(&list).Where("id IN (?)", bun.In(ids)).Scan(ctx); err != nil {
			return err
		}
		o, lines := newOrder(customer, len(list), func(i int) (uuid.UUID, int64) { return list[i].ID, list[i].Price })
		err := p.insert(ctx, tx, &bunOrder{
			ID: o.ID, CreatedAt: o.CreatedAt, UpdatedAt: o.UpdatedAt, CustomerID: o.CustomerID, Total: o.Total,
		})
		if err != nil {
			return err
		}
		rows := make([]bunLine, len(lines))
		for i, l := range lines {
			rows[i] = bunLine{ID: l.ID, OrderID: l.OrderID, ProductID: l.ProductID, Quantity: l.Quantity, Price: l.Price}
			list[i].Stock--
		}
		if err := p.insert(ctx, tx, &rows); err != nil {
			return err
		}
		return p.stocks(ctx, tx, list)
	})
}

func (p *bunPeer) InsertMany(ctx context.Context, n int) error {
	list := make([]bunCustomer, n)
	for i := range list {
		list[i] = newBunCustomer()
	}
	_, err := p.db.NewInsert().Model(&list).Exec(ctx)
	return err
}

func (p *bunPeer) UpdateMany(ctx context.Context) error {
	return p.do(ctx, func(tx bun.Tx) error {
		var list []bunProduct
		if err := tx.NewSelect().Model(&list).Scan(ctx); err != nil {
			return err
		}
		for i := range list {
			list[i].Stock += amount(i)
		}
		return p.stocks(ctx, tx, list)
	})
}

func (p *bunPeer) Read(ctx context.Context) error {
	var list []bunProduct
	err := p.db.NewSelect().Model(&list).Scan(ctx)
	if err == nil && len(list) != products {
		err = errCount
	}
	return err
}
