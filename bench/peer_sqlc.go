package main

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/urutu-go/urutu/bench/internal/sqlc"
)

// sqlcPeer is what sqlc generates for pgx, with its batches and its COPY.
type sqlcPeer struct {
	pool *pgxpool.Pool
	q    *sqlc.Queries
}

func openSqlc(ctx context.Context, url string) (peer, error) {
	pool, err := openPool(ctx, url)
	if err != nil {
		return nil, err
	}
	return &sqlcPeer{pool, sqlc.New(pool)}, nil
}

func (p *sqlcPeer) Close() error {
	p.pool.Close()
	return nil
}

func (p *sqlcPeer) do(ctx context.Context, fn func(q *sqlc.Queries) error) error {
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error { return fn(p.q.WithTx(tx)) })
}

func pgID(id uuid.UUID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }

func pgTime(t time.Time) pgtype.Timestamptz { return pgtype.Timestamptz{Time: t, Valid: true} }

func sqlcMessage(ctx context.Context, q *sqlc.Queries, topic string, about uuid.UUID) error {
	m := newMessage(topic, about)
	return q.CreateMessage(ctx, sqlc.CreateMessageParams{
		ID: pgID(m.ID), CreatedAt: pgTime(m.CreatedAt), Topic: m.Topic, Payload: m.Payload,
	})
}

func (p *sqlcPeer) Insert(ctx context.Context) error {
	return p.do(ctx, func(q *sqlc.Queries) error {
		c := newCustomer()
		err := q.CreateCustomer(ctx, sqlc.CreateCustomerParams{
			ID: pgID(c.ID), CreatedAt: pgTime(c.CreatedAt), UpdatedAt: pgTime(c.UpdatedAt), Name: c.Name, Email: c.Email,
		})
		if err != nil {
			return err
		}
		return sqlcMessage(ctx, q, "customers", c.ID)
	})
}

func (p *sqlcPeer) Get(ctx context.Context, id uuid.UUID) error {
	_, err := p.q.GetProduct(ctx, pgID(id))
	return err
}

func (p *sqlcPeer) Modify(ctx context.Context, id uuid.UUID) error {
	return p.do(ctx, func(q *sqlc.Queries) error {
		product, err := q.GetProduct(ctx, pgID(id))
		if err != nil {
			return err
		}
		n, err := q.UpdateStock(ctx, sqlc.UpdateStockParams{
			ID: product.ID, Version: product.Version, Stock: product.Stock - 1, UpdatedAt: pgTime(now()),
		})
		if err != nil {
			return err
		}
		if n != 1 {
			return errStale
		}
		return sqlcMessage(ctx, q, "products", id)
	})
}

// sqlcStocks writes the stocks of products in one batch.
func sqlcStocks(ctx context.Context, q *sqlc.Queries, list []sqlc.Product, change func(i int) int64) error {
	params := make([]sqlc.UpdateStocksParams, len(list))
	at := pgTime(now())
	for i, product := range list {
		params[i] = sqlc.UpdateStocksParams{
			ID: product.ID, Version: product.Version, Stock: product.Stock + change(i), UpdatedAt: at,
		}
	}
	var failed error
	q.UpdateStocks(ctx, params).QueryRow(func(_ int, _ pgtype.UUID, err error) {
		if errors.Is(err, pgx.ErrNoRows) {
			err = errStale
		}
		failed = errors.Join(failed, err)
	})
	return failed
}

func sqlcLines(ctx context.Context, q *sqlc.Queries, lines []OrderLine) error {
	params := make([]sqlc.CreateOrderLinesParams, len(lines))
	for i, l := range lines {
		params[i] = sqlc.CreateOrderLinesParams{
			ID: pgID(l.ID), OrderID: pgID(l.OrderID), ProductID: pgID(l.ProductID), Quantity: l.Quantity, Price: l.Price,
		}
	}
	var failed error
	q.CreateOrderLines(ctx, params).Exec(func(_ int, err error) { failed = errors.Join(failed, err) })
	return failed
}

func (p *sqlcPeer) Order(ctx context.Context, customer uuid.UUID, ids []uuid.UUID) error {
	return p.do(ctx, func(q *sqlc.Queries) error {
		list, err := q.ProductsByID(ctx, uuids(ids))
		if err != nil {
			return err
		}
		order, lines := newOrder(customer, len(list), func(i int) (uuid.UUID, int64) {
			return list[i].ID.Bytes, list[i].Price
		})
		err = q.CreateOrder(ctx, sqlc.CreateOrderParams{
			ID: pgID(order.ID), CreatedAt: pgTime(order.CreatedAt), UpdatedAt: pgTime(order.UpdatedAt),
			CustomerID: pgID(order.CustomerID), Total: order.Total,
		})
		if err != nil {
			return err
		}
		if err := sqlcLines(ctx, q, lines); err != nil {
			return err
		}
		return sqlcStocks(ctx, q, list, func(int) int64 { return -1 })
	})
}

func (p *sqlcPeer) InsertMany(ctx context.Context, n int) error {
	params := make([]sqlc.CreateCustomersParams, n)
	for i := range params {
		c := newCustomer()
		params[i] = sqlc.CreateCustomersParams{
			ID: pgID(c.ID), CreatedAt: pgTime(c.CreatedAt), UpdatedAt: pgTime(c.UpdatedAt), Name: c.Name, Email: c.Email,
		}
	}
	_, err := p.q.CreateCustomers(ctx, params)
	return err
}

func (p *sqlcPeer) UpdateMany(ctx context.Context) error {
	return p.do(ctx, func(q *sqlc.Queries) error {
		list, err := q.ListProducts(ctx)
		if err != nil {
			return err
		}
		return sqlcStocks(ctx, q, list, amount)
	})
}

func (p *sqlcPeer) Read(ctx context.Context) error {
	list, err := p.q.ListProducts(ctx)
	if err == nil && len(list) != products {
		err = errCount
	}
	return err
}
