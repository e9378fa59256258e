// Package schema describes the benchmark's tables to Ent, which generates the package above from it.
package schema

import (
	"encoding/json"
	"time"

	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/mixin"
	"github.com/google/uuid"
)

// keyed has a UUID, made by the client.
type keyed struct{ mixin.Schema }

// Fields implements ent.Mixin.
func (keyed) Fields() []ent.Field {
	return []ent.Field{field.UUID("id", uuid.UUID{}).Immutable()}
}

// dated has both dates.
type dated struct{ mixin.Schema }

// Fields implements ent.Mixin.
func (dated) Fields() []ent.Field {
	return []ent.Field{field.Time("created_at").Default(time.Now).Immutable(), field.Time("updated_at").Default(time.Now)}
}

// Customer is a row of customers.
type Customer struct{ ent.Schema }

// Mixin implements ent.Interface.
func (Customer) Mixin() []ent.Mixin { return []ent.Mixin{keyed{}, dated{}} }

// Fields implements ent.Interface.
func (Customer) Fields() []ent.Field {
	return []ent.Field{field.String("name"), field.String("email").Unique()}
}

// Product is a row of products.
type Product struct{ ent.Schema }

// Mixin implements ent.Interface.
func (Product) Mixin() []ent.Mixin { return []ent.Mixin{keyed{}, dated{}} }

// Fields implements ent.Interface.
func (Product) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("version"), field.String("name"), field.String("sku").Unique(), field.Int64("price"), field.Int64("stock"),
	}
}

// Order is a row of orders.
type Order struct{ ent.Schema }

// Mixin implements ent.Interface.
func (Order) Mixin() []ent.Mixin { return []ent.Mixin{keyed{}, dated{}} }

// Fields implements ent.Interface.
func (Order) Fields() []ent.Field {
	return []ent.Field{field.UUID("customer_id", uuid.UUID{}), field.Int64("total")}
}

// OrderLine is a row of order_lines.
type OrderLine struct{ ent.Schema }

// Mixin implements ent.Interface.
func (OrderLine) Mixin() []ent.Mixin { return []ent.Mixin{keyed{}} }

// Fields implements ent.Interface.
func (OrderLine) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("order_id", uuid.UUID{}), field.UUID("product_id", uuid.UUID{}), field.Int64("quantity"), field.Int64("price"),
	}
}

// Message is a row of messages.
type Message struct{ ent.Schema }

// Mixin implements ent.Interface.
func (Message) Mixin() []ent.Mixin { return []ent.Mixin{keyed{}} }

// Fields implements ent.Interface.
func (Message) Fields() []ent.Field {
	return []ent.Field{field.Time("created_at"), field.String("topic"), field.JSON("payload", json.RawMessage{})}
}
