package main

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// pgxPeer is pgx by hand, one statement after the other.
type pgxPeer struct{ pool *pgxpool.Pool }

func openPgx(ctx context.Context, url string) (peer, error) {
	pool, err := openPool(ctx, url)
	if err != nil {
		return nil, err
	}
	return &pgxPeer{pool}, nil
}

func openPool(ctx context.Context, url string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = poolSize
	return pgxpool.NewWithConfig(ctx, cfg)
}

func (p *pgxPeer) Close() error {
	p.pool.Close()
	return nil
}

const (
	insertCustomer = `INSERT INTO customers (id, created_at, updated_at, name, email) VALUES ($1, $2, $3, $4, $5)`
	insertMessage  = `INSERT INTO messages (id, created_at, topic, payload) VALUES ($1, $2, $3, $4)`
	insertOrder    = `INSERT INTO orders (id, created_at, updated_at, customer_id, total) VALUES ($1, $2, $3, $4, $5)`
	insertLine     = `INSERT INTO order_lines (id, order_id, product_id, quantity, price) VALUES ($1, $2, $3, $4, $5)`
	selectProducts = `SELECT id, created_at, updated_at, version, name, sku, price, stock FROM products`
	selectProduct  = selectProducts + ` WHERE id = $1`
	selectByIDs    = selectProducts + ` WHERE id = ANY($1)`
	updateStock    = `UPDATE products SET stock = $3, updated_at = $4, version = version + 1 WHERE id = $1 AND version = $2`
)

// key is a UUID as pgx sends it in binary: the methods of its own type would make text of it.
func key(id uuid.UUID) [16]byte { return id }

func (c *Customer) args() []any {
	return []any{key(c.ID), c.CreatedAt, c.UpdatedAt, c.Name, c.Email}
}

func (m *Message) args() []any { return []any{key(m.ID), m.CreatedAt, m.Topic, []byte(m.Payload)} }

func (o *Order) args() []any {
	return []any{key(o.ID), o.CreatedAt, o.UpdatedAt, key(o.CustomerID), o.Total}
}

func (l *OrderLine) args() []any {
	return []any{key(l.ID), key(l.OrderID), key(l.ProductID), l.Quantity, l.Price}
}

// targets are where a product's columns are scanned to.
func (p *Product) targets() []any {
	return []any{(*[16]byte)(&p.ID), &p.CreatedAt, &p.UpdatedAt, &p.Version, &p.Name, &p.SKU, &p.Price, &p.Stock}
}

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func readProducts(ctx context.Context, q querier, sql string, args ...any) ([]Product, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Product
	for rows.Next() {
		var p Product
		if err := rows.Scan(p.targets()...); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, rows.Err()
}

func readProduct(ctx context.Context, q querier, id uuid.UUID) (Product, error) {
	var p Product
	err := q.QueryRow(ctx, selectProduct, key(id)).Scan(p.targets()...)
	return p, err
}

// uuids are an array parameter.
func uuids(ids []uuid.UUID) []pgtype.UUID {
	out := make([]pgtype.UUID, len(ids))
	for i, id := range ids {
		out[i] = pgtype.UUID{Bytes: id, Valid: true}
	}
	return out
}

// updateProduct writes a stock where the version is still the one that was read.
func updateProduct(ctx context.Context, tx pgx.Tx, p *Product, stock int64) error {
	tag, err := tx.Exec(ctx, updateStock, key(p.ID), p.Version, stock, now())
	if err == nil && tag.RowsAffected() != 1 {
		err = errStale
	}
	return err
}

func sendMessage(ctx context.Context, tx pgx.Tx, topic string, about uuid.UUID) error {
	m := newMessage(topic, about)
	_, err := tx.Exec(ctx, insertMessage, m.args()...)
	return err
}

func (p *pgxPeer) Insert(ctx context.Context) error {
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		c := newCustomer()
		if _, err := tx.Exec(ctx, insertCustomer, c.args()...); err != nil {
			return err
		}
		return sendMessage(ctx, tx, "customers", c.ID)
	})
}

func (p *pgxPeer) Get(ctx context.Context, id uuid.UUID) error {
	_, err := readProduct(ctx, p.pool, id)
	return err
}

func (p *pgxPeer) Modify(ctx context.Context, id uuid.UUID) error {
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		product, err := readProduct(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := updateProduct(ctx, tx, &product, product.Stock-1); err != nil {
			return err
		}
		return sendMessage(ctx, tx, "products", id)
	})
}

func (p *pgxPeer) Order(ctx context.Context, customer uuid.UUID, ids []uuid.UUID) error {
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		list, err := readProducts(ctx, tx, selectByIDs, uuids(ids))
		if err != nil {
			return err
		}
		order, lines := newOrder(customer, len(list), func(i int) (uuid.UUID, int64) { return list[i].ID, list[i].Price })
		if _, err := tx.Exec(ctx, insertOrder, order.args()...); err != nil {
			return err
		}
		for i := range list {
			if _, err := tx.Exec(ctx, insertLine, lines[i].args()...); err != nil {
				return err
			}
			if err := updateProduct(ctx, tx, &list[i], list[i].Stock-1); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *pgxPeer) InsertMany(ctx context.Context, n int) error {
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		for range n {
			c := newCustomer()
			if _, err := tx.Exec(ctx, insertCustomer, c.args()...); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *pgxPeer) UpdateMany(ctx context.Context) error {
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		list, err := readProducts(ctx, tx, selectProducts)
		if err != nil {
			return err
		}
		for i := range list {
			if err := updateProduct(ctx, tx, &list[i], list[i].Stock+amount(i)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *pgxPeer) Read(ctx context.Context) error {
	list, err := readProducts(ctx, p.pool, selectProducts)
	if err == nil && len(list) != products {
		err = errCount
	}
	return err
}
