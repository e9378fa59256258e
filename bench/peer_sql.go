package main

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/google/uuid"
)

// sqlPeer is database/sql on SQLite by hand: one writer whose transactions take the lock as they begin, readers beside
// it, and statements that are prepared once.
type sqlPeer struct {
	readers, writer *sql.DB
	statements      map[string]*sql.Stmt // of the writer
	get, list       *sql.Stmt            // of the readers
}

const sqliteOptions = "?_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=busy_timeout(10000)&_time_format=sqlite"

// openHand opens the file of a URL as urutu takes it: sqlite:///path?synchronous=off.
func openHand(ctx context.Context, url string) (peer, error) {
	path, query, _ := strings.Cut(strings.TrimPrefix(url, "sqlite:///"), "?")
	_, synchronous, _ := strings.Cut(query, "synchronous=")
	dsn := "file:" + path + sqliteOptions + "&_pragma=synchronous(" + synchronous + ")"
	p := &sqlPeer{statements: map[string]*sql.Stmt{}}
	var err error
	if p.readers, err = sql.Open("sqlite", dsn); err != nil {
		return nil, err
	}
	p.readers.SetMaxOpenConns(poolSize)
	p.readers.SetMaxIdleConns(poolSize)
	if p.writer, err = sql.Open("sqlite", dsn+"&_txlock=immediate"); err != nil {
		return nil, err
	}
	p.writer.SetMaxOpenConns(1)
	return p, p.prepare(ctx)
}

func (p *sqlPeer) prepare(ctx context.Context) (err error) {
	for _, text := range []string{insertCustomer, insertMessage, insertOrder, insertLine, selectProducts, selectProduct, updateStock} {
		if p.statements[text], err = p.writer.PrepareContext(ctx, text); err != nil {
			return err
		}
	}
	if p.get, err = p.readers.PrepareContext(ctx, selectProduct); err != nil {
		return err
	}
	p.list, err = p.readers.PrepareContext(ctx, selectProducts)
	return err
}

// Close closes the pools, and the statements with them.
func (p *sqlPeer) Close() error { return errors.Join(p.readers.Close(), p.writer.Close()) }

// do runs fn in a transaction of the writer.
func (p *sqlPeer) do(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := p.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}

func (p *sqlPeer) exec(ctx context.Context, tx *sql.Tx, text string, args ...any) error {
	_, err := tx.StmtContext(ctx, p.statements[text]).ExecContext(ctx, args...)
	return err
}

func (p *sqlPeer) addCustomer(ctx context.Context, tx *sql.Tx) (uuid.UUID, error) {
	c := newCustomer()
	return c.ID, p.exec(ctx, tx, insertCustomer, c.ID, c.CreatedAt, c.UpdatedAt, c.Name, c.Email)
}

func (p *sqlPeer) send(ctx context.Context, tx *sql.Tx, topic string, about uuid.UUID) error {
	m := newMessage(topic, about)
	return p.exec(ctx, tx, insertMessage, m.ID, m.CreatedAt, m.Topic, string(m.Payload))
}

// change writes a product's stock.
func (p *sqlPeer) change(ctx context.Context, tx *sql.Tx, product *Product, stock int64) error {
	result, err := tx.StmtContext(ctx, p.statements[updateStock]).ExecContext(ctx, product.ID, product.Version, stock, now())
	return changed(result, err, 1)
}

// scan reads a product.
func scan(row interface{ Scan(to ...any) error }) (Product, error) {
	var p Product
	err := row.Scan(&p.ID, &p.CreatedAt, &p.UpdatedAt, &p.Version, &p.Name, &p.SKU, &p.Price, &p.Stock)
	return p, err
}

// scanAll reads products.
func scanAll(rows *sql.Rows, err error) ([]Product, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []Product
	for rows.Next() {
		p, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, rows.Err()
}

func (p *sqlPeer) Insert(ctx context.Context) error {
	return p.do(ctx, func(tx *sql.Tx) error {
		id, err := p.addCustomer(ctx, tx)
		if err != nil {
			return err
		}
		return p.send(ctx, tx, "customers", id)
	})
}

func (p *sqlPeer) Get(ctx context.Context, id uuid.UUID) error {
	_, err := scan(p.get.QueryRowContext(ctx, id))
	return err
}

func (p *sqlPeer) Modify(ctx context.Context, id uuid.UUID) error {
	return p.do(ctx, func(tx *sql.Tx) error {
		product, err := scan(tx.StmtContext(ctx, p.statements[selectProduct]).QueryRowContext(ctx, id))
		if err != nil {
			return err
		}
		if err := p.change(ctx, tx, &product, product.Stock-1); err != nil {
			return err
		}
		return p.send(ctx, tx, "products", id)
	})
}

func (p *sqlPeer) Order(ctx context.Context, customer uuid.UUID, ids []uuid.UUID) error {
	return p.do(ctx, func(tx *sql.Tx) error {
		list := make([]Product, len(ids))
		for i, id := range ids {
			var err error
			if list[i], err = scan(tx.StmtContext(ctx, p.statements[selectProduct]).QueryRowContext(ctx, id)); err != nil {
				return err
			}
		}
		o, lines := newOrder(customer, len(list), func(i int) (uuid.UUID, int64) { return list[i].ID, list[i].Price })
		if err := p.exec(ctx, tx, insertOrder, o.ID, o.CreatedAt, o.UpdatedAt, o.CustomerID, o.Total); err != nil {
			return err
		}
		for i, l := range lines {
			if err := p.exec(ctx, tx, insertLine, l.ID, l.OrderID, l.ProductID, l.Quantity, l.Price); err != nil {
				return err
			}
			if err := p.change(ctx, tx, &list[i], list[i].Stock-1); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *sqlPeer) InsertMany(ctx context.Context, n int) error {
	return p.do(ctx, func(tx *sql.Tx) error {
		insert := tx.StmtContext(ctx, p.statements[insertCustomer])
		for range n {
			c := newCustomer()
			if _, err := insert.ExecContext(ctx, c.ID, c.CreatedAt, c.UpdatedAt, c.Name, c.Email); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *sqlPeer) UpdateMany(ctx context.Context) error {
	return p.do(ctx, func(tx *sql.Tx) error {
		list, err := scanAll(tx.StmtContext(ctx, p.statements[selectProducts]).QueryContext(ctx))
		if err != nil {
			return err
		}
		update := tx.StmtContext(ctx, p.statements[updateStock])
		at := now()
		for i := range list {
			result, err := update.ExecContext(ctx, list[i].ID, list[i].Version, list[i].Stock+amount(i), at)
			if err := changed(result, err, 1); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *sqlPeer) Read(ctx context.Context) error {
	list, err := scanAll(p.list.QueryContext(ctx))
	if err == nil && len(list) != products {
		err = errCount
	}
	return err
}
