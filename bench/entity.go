package main

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
)

// Customer, Product, Order, OrderLine and Message are the rows of schema.sql. Libraries whose tags are not `db` have
// structs of their own.

type Customer struct {
	entity.Identifiable
	entity.Dated
	Name  string
	Email string `db:"email,unique"`
}

type Product struct {
	entity.Identifiable
	entity.Dated
	entity.Versioned
	Name  string
	SKU   string `db:"sku,unique"`
	Price int64
	Stock int64
}

type Order struct {
	entity.Identifiable
	entity.Dated
	CustomerID uuid.UUID `db:"customer_id,ref=customers"`
	Total      int64
}

type OrderLine struct {
	entity.Identifiable
	OrderID   uuid.UUID `db:"order_id,ref=orders"`
	ProductID uuid.UUID `db:"product_id,ref=products"`
	Quantity  int64
	Price     int64
}

type Message struct {
	entity.Identifiable
	CreatedAt time.Time
	Topic     string
	Payload   json.RawMessage
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// now is the time as PostgreSQL keeps it.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// address is one that no customer has yet.
func address() string { return newID().String() + "@example.com" }

func newCustomer() Customer {
	at := now()
	c := Customer{Name: "Ann", Email: address()}
	c.ID, c.CreatedAt, c.UpdatedAt = newID(), at, at
	return c
}

func newMessage(topic string, about uuid.UUID) Message {
	m := Message{CreatedAt: now(), Topic: topic, Payload: json.RawMessage(`{"id": "` + about.String() + `"}`)}
	m.ID = newID()
	return m
}

// newOrder returns an order of one piece of each of n products, with its lines.
func newOrder(customer uuid.UUID, n int, product func(i int) (id uuid.UUID, price int64)) (Order, []OrderLine) {
	at := now()
	o := Order{CustomerID: customer}
	o.ID, o.CreatedAt, o.UpdatedAt = newID(), at, at
	lines := make([]OrderLine, n)
	for i := range lines {
		id, price := product(i)
		lines[i] = OrderLine{OrderID: o.ID, ProductID: id, Quantity: 1, Price: price}
		lines[i].ID = newID()
		o.Total += price
	}
	return o, lines
}
