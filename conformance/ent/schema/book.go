// Package schema says what the conformance tests' tables look like to Ent.
package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
)

// Book is a row of books.
type Book struct{ ent.Schema }

// Fields implements ent.Interface.
func (Book) Fields() []ent.Field {
	return []ent.Field{field.Int64("id"), field.String("isbn").Unique(), field.String("title"), field.Int64("author_id").Optional()}
}

// Edges implements ent.Interface.
func (Book) Edges() []ent.Edge {
	return []ent.Edge{edge.From("author", Author.Type).Ref("books").Unique().Field("author_id")}
}

// Author is a row of authors. Its books are what Ent writes in a transaction of its own.
type Author struct{ ent.Schema }

// Fields implements ent.Interface.
func (Author) Fields() []ent.Field { return []ent.Field{field.Int64("id"), field.String("name")} }

// Edges implements ent.Interface.
func (Author) Edges() []ent.Edge { return []ent.Edge{edge.To("books", Book.Type)} }
