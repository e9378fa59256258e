// Package shop is a small shop: users, products with a stock that never goes below zero, orders that are paid in the
// background, and an audit log.
//
// Read users.go first: an entity, what a client sends, what it sees, and handlers that say what they want and leave the
// transaction to the unit of work around them. Then products.go and orders.go, where several things must agree,
// audit.go, where something must be kept although the rest fails, and payments.go, where an order is paid by a message.
package shop

import (
	"context"
	_ "embed"
	"net/http"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/pgxdriver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/web"
)

// Config is the shop's database connection: an SQLite file (sqlite:///shop.db) or PostgreSQL (postgres://...).
func Config(url string) session.Config {
	return session.Config{URL: url, Drivers: []driver.Driver{sqlitedriver.New(), pgxdriver.New()}}
}

// CreateTables makes the tables that do not exist yet: those of urutu's messages, and the shop's. Processes that start at
// once make the same tables at once, which PostgreSQL refuses all but one; the others look again.
func CreateTables(ctx context.Context, db *session.DB) error {
	if err := db.Install(ctx, outbox.Component()); err != nil {
		return err
	}
	return db.Do(ctx, func(ctx context.Context) error {
		return session.CreateTables(ctx, (*User)(nil), (*Product)(nil), (*Order)(nil), (*OrderLine)(nil), (*Audit)(nil))
	}, uow.Options{Retry: uow.Retry{Attempts: 10, Kinds: []fault.Kind{fault.Unique}}})
}

//go:embed page.html
var page []byte

// API returns the shop's routes. Each request runs as one unit of work against db; its response is written when the unit
// has committed. Ready tells whether requests are welcome, for /readyz.
func API(db *session.DB, ready func(ctx context.Context) error) *web.API {
	api := web.New(web.Config{
		Title:  "urutu shop",
		Runner: db.Runner(),
		Ready:  []web.Check{{Name: "shop", Ready: ready}},
	})

	web.Post(api, "/users", createUser, web.As[UserView]())
	web.Get(api, "/users", listUsers, web.As[UserView]())
	web.Get(api, "/users/{id}", getUser, web.As[UserView]())
	web.Patch(api, "/users/{id}", changeEmail, web.As[UserView]())

	web.Post(api, "/products", createProduct, web.As[ProductView]())
	web.Get(api, "/products", listProducts, web.As[ProductView]())
	web.Post(api, "/products/grid", gridProducts, web.As[ProductView]())
	web.Get(api, "/products/{id}", getProduct, web.As[ProductView]())

	web.Post(api, "/orders", placeOrder, web.Operation{Options: uow.Options{Retry: onStale}})
	web.Get(api, "/orders", listOrders, web.As[OrderSummary]())
	web.Get(api, "/orders/walk", walkOrders, web.As[OrderSummary]())
	web.Post(api, "/orders/grid", gridOrders, web.As[OrderSummary]())
	web.Get(api, "/orders/{id}", getOrder)

	web.Get(api, "/audit", listAudit, web.As[AuditView]())
	web.Get(api, "/messages", listFailed(outbox.NewOperator(db, outbox.OperatorConfig{By: "the shop's page"})))

	api.Handle("GET /{$}", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page)
	}))
	return api
}

// onStale runs a unit again whose rows were changed by another in the meantime.
var onStale = uow.Retry{Attempts: 20, Kinds: []fault.Kind{fault.Stale}}

// again reports whether the unit of work in ctx failed before and is being run once more.
func again(ctx context.Context) bool {
	unit, ok := uow.Current(ctx)
	return ok && unit.Attempt() > 1
}

// byID is the input of routes that end in an id.
type byID struct {
	ID uuid.UUID `path:"id"`
}
