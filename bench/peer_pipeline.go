package main

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// pipelinePeer is pgx by hand as fast as it goes: what a unit writes is one burst, which checks versions in SQL, with the
// statements and the COMMIT behind a sync each; many rows are arrays, and many inserts a COPY.
type pipelinePeer struct{ pool *pgxpool.Pool }

func openPipeline(ctx context.Context, url string) (peer, error) {
	pool, err := openPool(ctx, url)
	if err != nil {
		return nil, err
	}
	return &pipelinePeer{pool}, nil
}

func (p *pipelinePeer) Close() error {
	p.pool.Close()
	return nil
}

const (
	insertLines = `INSERT INTO order_lines (id, order_id, product_id, quantity, price)
		SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[])`
	guardedStock = `WITH u AS (` + updateStock + ` RETURNING 1)
		SELECT ('urutu:stale:' || (count(*) + 1))::int FROM u HAVING count(*) = 0`
	guardedStocks = `WITH v AS (
			SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::timestamptz[]) WITH ORDINALITY AS v(id, version, stock, at, n)
		), l AS (
			SELECT 1 FROM products x JOIN v ON x.id = v.id ORDER BY x.id FOR NO KEY UPDATE OF x
		), u AS (
			UPDATE products x SET stock = v.stock, updated_at = v.at, version = x.version + 1
			FROM v WHERE x.id = v.id AND x.version = v.version AND (SELECT count(*) FROM l) >= 0 RETURNING v.n
		) SELECT ('urutu:stale:' || min(v.n))::int FROM v LEFT JOIN u USING (n) WHERE u.n IS NULL HAVING count(*) > 0`
)

// statement is one of a burst.
type statement struct {
	sql  string
	args []any
}

// commit sends a transaction in one burst and reads the answers.
func commit(ctx context.Context, conn *pgx.Conn, statements ...statement) error {
	described := make([]*pgconn.StatementDescription, len(statements))
	for i, s := range statements {
		var err error
		if described[i], err = conn.Prepare(ctx, s.sql, s.sql); err != nil { // a look-up, but for the first time
			return err
		}
	}
	pipe := conn.PgConn().StartPipeline(ctx)
	pipe.SendQueryParams("BEGIN", nil, nil, nil, nil)
	var q pgx.ExtendedQueryBuilder
	for i, s := range statements {
		if err := q.Build(conn.TypeMap(), described[i], s.args); err != nil {
			return errors.Join(err, pipe.Close())
		}
		pipe.SendQueryStatement(described[i], q.ParamValues, q.ParamFormats, q.ResultFormats)
	}
	pipe.SendPipelineSync()
	pipe.SendQueryParams("COMMIT", nil, nil, nil, nil)
	pipe.SendPipelineSync()
	err := pipe.Flush()
	if err == nil {
		err = answers(pipe)
	}
	return errors.Join(err, pipe.Close())
}

// answers reads what a burst brings back: its first error, if any.
func answers(pipe *pgconn.Pipeline) error {
	var first error
	tag := ""
	for {
		result, err := pipe.GetResults()
		if r, ok := result.(*pgconn.ResultReader); ok && err == nil {
			var t pgconn.CommandTag
			t, err = r.Close()
			tag = t.String()
		}
		switch {
		case err != nil && first == nil:
			first = err
		case err == nil && result == nil && first == nil && tag != "COMMIT":
			return errStale
		case err == nil && result == nil:
			return first
		}
	}
}

func messageStatement(topic string, about uuid.UUID) statement {
	m := newMessage(topic, about)
	return statement{insertMessage, m.args()}
}

func (p *pipelinePeer) Insert(ctx context.Context) error {
	return p.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		c := newCustomer()
		return commit(ctx, conn.Conn(), statement{insertCustomer, c.args()}, messageStatement("customers", c.ID))
	})
}

func (p *pipelinePeer) Get(ctx context.Context, id uuid.UUID) error {
	_, err := readProduct(ctx, p.pool, id)
	return err
}

func (p *pipelinePeer) Modify(ctx context.Context, id uuid.UUID) error {
	return p.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		product, err := readProduct(ctx, conn, id)
		if err != nil {
			return err
		}
		args := []any{key(product.ID), product.Version, product.Stock - 1, now()}
		return commit(ctx, conn.Conn(), statement{guardedStock, args}, messageStatement("products", id))
	})
}

// stocks is the statement that writes the stocks of products where nobody else has changed them.
func stocks(list []Product, change func(i int) int64) statement {
	ids, versions := make([]pgtype.UUID, len(list)), make([]int64, len(list))
	amounts, times := make([]int64, len(list)), make([]time.Time, len(list))
	at := now()
	for i := range list {
		ids[i] = pgtype.UUID{Bytes: list[i].ID, Valid: true}
		versions[i], amounts[i], times[i] = list[i].Version, list[i].Stock+change(i), at
	}
	return statement{guardedStocks, []any{ids, versions, amounts, times}}
}

// rows is the statement that writes lines.
func rows(lines []OrderLine) statement {
	ids, orders, prods := make([]pgtype.UUID, len(lines)), make([]pgtype.UUID, len(lines)), make([]pgtype.UUID, len(lines))
	quantities, prices := make([]int64, len(lines)), make([]int64, len(lines))
	for i, l := range lines {
		ids[i] = pgtype.UUID{Bytes: l.ID, Valid: true}
		orders[i] = pgtype.UUID{Bytes: l.OrderID, Valid: true}
		prods[i] = pgtype.UUID{Bytes: l.ProductID, Valid: true}
		quantities[i], prices[i] = l.Quantity, l.Price
	}
	return statement{insertLines, []any{ids, orders, prods, quantities, prices}}
}

func (p *pipelinePeer) Order(ctx context.Context, customer uuid.UUID, ids []uuid.UUID) error {
	return p.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		list, err := readProducts(ctx, conn, selectByIDs, uuids(ids))
		if err != nil {
			return err
		}
		order, lines := newOrder(customer, len(list), func(i int) (uuid.UUID, int64) { return list[i].ID, list[i].Price })
		minusOne := func(int) int64 { return -1 }
		return commit(ctx, conn.Conn(), statement{insertOrder, order.args()}, rows(lines), stocks(list, minusOne))
	})
}

func (p *pipelinePeer) InsertMany(ctx context.Context, n int) error {
	columns := []string{"id", "created_at", "updated_at", "name", "email"}
	_, err := p.pool.CopyFrom(ctx, pgx.Identifier{"customers"}, columns, pgx.CopyFromSlice(n, func(int) ([]any, error) {
		c := newCustomer()
		return c.args(), nil
	}))
	return err
}

func (p *pipelinePeer) UpdateMany(ctx context.Context) error {
	return p.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		list, err := readProducts(ctx, conn, selectProducts)
		if err != nil {
			return err
		}
		return commit(ctx, conn.Conn(), stocks(list, amount))
	})
}

func (p *pipelinePeer) Read(ctx context.Context) error {
	list, err := readProducts(ctx, p.pool, selectProducts)
	if err == nil && len(list) != products {
		err = errCount
	}
	return err
}
