package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"time"

	_ "embed"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/urutu-go/urutu/internal/testdb"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
)

// poolSize is how many connections each peer may open.
const poolSize = 8

//go:embed schema.sql
var schema string

// newData returns the keys that every copy of the tables is filled with.
func newData() *data {
	d := &data{customer: newID(), products: make([]uuid.UUID, products)}
	for i := range d.products {
		d.products[i] = newID()
	}
	return d
}

// database is a database of the benchmark's own, with a schema for each peer.
type database struct {
	*data
	server  *url.URL
	name    string
	admin   *pgx.Conn // on the server's own database
	conn    *pgx.Conn // on ours
	version string
}

// makeDatabase creates the database and the peers' tables on the server that URUTU_TEST_POSTGRES names.
func makeDatabase(ctx context.Context, schemas []string) (*database, error) {
	server, err := url.Parse(cmp.Or(os.Getenv("URUTU_TEST_POSTGRES"), testdb.DefaultServer))
	if err != nil {
		return nil, errors.New("URUTU_TEST_POSTGRES is not a URL")
	}
	db := &database{data: newData(), server: server, name: fmt.Sprintf("urutu_bench_%d", rand.Uint32())}
	if db.admin, err = pgx.Connect(ctx, server.String()); err != nil {
		return nil, err
	}
	if _, err := db.admin.Exec(ctx, "CREATE DATABASE "+db.name); err != nil {
		return nil, errors.Join(err, db.admin.Close(ctx))
	}
	if err := db.fill(ctx, schemas); err != nil {
		return nil, errors.Join(err, db.drop())
	}
	return db, nil
}

func (db *database) fill(ctx context.Context, schemas []string) (err error) {
	if db.conn, err = pgx.Connect(ctx, db.url("public", false)); err != nil {
		return err
	}
	db.version = db.conn.PgConn().ParameterStatus("server_version")
	for _, s := range schemas {
		if err := db.addSchema(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// addSchema makes a schema with filled tables.
func (db *database) addSchema(ctx context.Context, name string) error {
	if _, err := db.conn.Exec(ctx, "CREATE SCHEMA "+name+"; SET search_path TO "+name+"; "+schema); err != nil {
		return err
	}
	return db.seed(ctx)
}

// seed fills the tables of the schema that the connection is in. Nothing but the benchmark vacuums them.
func (db *database) seed(ctx context.Context) error {
	for _, t := range []string{"customers", "products", "orders", "order_lines", "messages"} {
		if _, err := db.conn.Exec(ctx, "ALTER TABLE "+t+" SET (autovacuum_enabled = off)"); err != nil {
			return err
		}
	}
	_, err := db.conn.Exec(ctx, `INSERT INTO products
		SELECT id, now(), now(), 1, 'product ' || n, 'sku-' || n, 100 + n, 1000000
		FROM unnest($1::uuid[]) WITH ORDINALITY AS p(id, n)`, uuids(db.products))
	if err != nil {
		return err
	}
	return db.addCustomer(ctx)
}

func (db *database) addCustomer(ctx context.Context) error {
	_, err := db.conn.Exec(ctx, "INSERT INTO customers VALUES ($1, now(), now(), 'Ann', 'ann@example.com')", key(db.customer))
	return err
}

// tidy brings a schema's tables back to what they were, but for the products' stock.
func (db *database) tidy(ctx context.Context, schema string) error {
	_, err := db.conn.Exec(ctx, "SET search_path TO "+schema+"; TRUNCATE customers, orders, order_lines, messages")
	if err != nil {
		return err
	}
	if err := db.addCustomer(ctx); err != nil {
		return err
	}
	_, err = db.conn.Exec(ctx, "VACUUM ANALYZE customers, products, orders, order_lines, messages")
	return err
}

// url returns the address of a schema. Without sync a commit does not wait for the disk.
func (db *database) url(schema string, sync bool) string {
	u := *db.server
	u.Path = "/" + db.name
	q := u.Query()
	q.Set("search_path", schema)
	q.Set("synchronous_commit", map[bool]string{true: "on", false: "off"}[sync])
	u.RawQuery = q.Encode()
	return u.String()
}

// drop removes the database, whatever became of the context of who measured.
func (db *database) drop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var err error
	if db.conn != nil {
		err = db.conn.Close(ctx)
	}
	_, dropErr := db.admin.Exec(ctx, "DROP DATABASE "+db.name+" WITH (FORCE)")
	return errors.Join(err, dropErr, db.admin.Close(ctx))
}

// makeFile creates an SQLite file with the tables, filled, and returns its URL.
func makeFile(ctx context.Context, path string, d *data) error {
	db, err := session.Open(ctx, session.Config{URL: "sqlite:///" + path, Drivers: []driver.Driver{sqlitedriver.New()}})
	if err != nil {
		return err
	}
	err = db.Do(ctx, func(ctx context.Context) error {
		err := session.CreateTables(ctx, (*Customer)(nil), (*Product)(nil), (*Order)(nil), (*OrderLine)(nil), (*Message)(nil))
		if err != nil {
			return err
		}
		c := &Customer{Name: "Ann", Email: "ann@example.com"}
		c.ID = d.customer
		list := make([]*Product, len(d.products))
		for i, id := range d.products {
			list[i] = &Product{Name: fmt.Sprint("product ", i+1), SKU: fmt.Sprint("sku-", i+1), Price: int64(101 + i), Stock: 1_000_000}
			list[i].ID = id
		}
		if err := session.Add(ctx, list...); err != nil {
			return err
		}
		return session.Add(ctx, c)
	})
	return errors.Join(err, db.Close())
}
