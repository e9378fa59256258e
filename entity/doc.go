// Package entity holds what a table's rows are in Go: plain structs, their mapping to a table, and their conversion to
// and from the DTOs of an API.
//
// # Overview
//
// An entity is a struct with a primary key. It says everything about its table in `db` tags, and may embed the base
// structs of this package:
//
//	type User struct {
//		entity.Identifiable          // ID, a UUIDv7
//		entity.Dated                 // CreatedAt, UpdatedAt
//		Name  string
//		Email string `db:"email,unique"`
//	}
//
//	var users = entity.Columns[User]() // &users.Email names the column, typed
//
// # Mapping
//
// Every exported field is a column, named by the tag's first item, or else by the field in snake_case. The fields of
// embedded structs are columns of their own. The tag `db:"-"` leaves a field out. The table is the regular plural of the
// type's name in snake_case (User: users, OrderLine: order_lines), or what the tag of an embedded [Table] says. After the
// column come options:
//
//	pk                  part of the primary key, whose order is that of the fields
//	serial              the database generates the key, where it is zero
//	unique, unique=g    a unique constraint of this column, or of all columns with the group g
//	index, index=g      an index, in the same way
//	ref=table           a foreign key to the table's id; ref=table.column and ref=schema.table.column to another column
//	ondelete=cascade    what becomes of it with the row referred to: cascade, setnull or restrict
//	default=expr        the database's default, in SQL, which applies to an insert where the field is zero
//	generated=expr      computed by the database, in SQL, and never written
//	readonly            written by the insert only; from a DTO only where it is allowed: a tenant, for one
//	secret              never printed, not even where echo prints values
//	notnull             a nil slice or map is written as an empty one, and not as NULL
//	json                stored as JSON, whatever the type
//	type=numeric(12,2)  the column's type on PostgreSQL; it also makes a string a decimal number or a UUID
//	prefix=addr_        the fields of this struct are columns of their own, whose names begin so
//	created, updated    a time that the session keeps
//	version             a number that the session counts up, and checks before it writes
//	softdelete          a time that marks the row as deleted
//
// Commas inside parentheses and quotes belong to an option's value. Constraints have names: users_email_key,
// orders_user_id_fkey, users_tenant_name_idx.
//
// # Relations
//
// A field with a tag `rel` is no column: it is a *T or []*T, where T is an entity, and package session loads and writes
// it.
//
//	rel:"user_id"                         belongs to: this table's column refers to the other row; a *T
//	rel:"lines.order_id"                  has many: their table's column refers to this row; has one, where it is a *T
//	rel:"order_tags(order_id,tag_id)"     many to many: a table in between, whose first column refers to this row; a []*T
//
// What a column refers to is the other's primary key, or the column of its ref option.
//
// # Types
//
// Stored exactly, and back as they were: booleans, all integers (unsigned 64-bit ones over their whole range), floats,
// strings that are valid UTF-8, []byte, arrays of bytes, [time.Time] (an instant in microseconds, years 0 to 9999; it comes
// back in UTC; tagged type=date, the day in UTC that it is on), [time.Duration], [16]byte and uuid.UUID, and types made of these, such as enums. Pointers and
// [database/sql.Null] add NULL. Types with Value and Scan store what Value gives (decimals: tag them type=numeric),
// structs and the like with a text form store that. Everything else that JSON can hold is stored as JSON.
//
// A nil slice, map or []byte is NULL, which an empty one is not. NULL never goes into a type that cannot hold it, nor a
// number into one that is too small: that is an error of the read.
//
// A field has changed if it would be stored as something else. So these are no changes: a time's zone, what it has below
// a microsecond, -0 for 0, a NaN for another, the scale of a decimal (1.0 and 1.00), the order and spacing of JSON. A type
// with a method Equal(T) bool decides for itself.
//
// # DTOs
//
// [To] makes a DTO of an entity, [From] an entity of a DTO, [Apply] changes an entity by a patch whose fields are [Opt]s.
// The conversion of a pair of types is compiled at its first use. Every field of the DTO has to have its counterpart, so
// that a renamed field is an error and not an empty answer; fields of the entity that the DTO does not have are ignored.
// The counterpart is, in this order,
//
//  1. what the tag `dto:"Name"` names: a Go name, a path into a struct of columns ("Home.Zip"), a column or a JSON name;
//     with `dto:"-"` the field has none, and is left alone;
//  2. the field whose JSON name or column is the DTO field's JSON name;
//  3. the field with the same Go name.
//
// Where the second and third find different fields, the tag has to decide. A DTO field tagged json:"-" is matched by its
// Go name, and may have no counterpart.
//
// Values are converted where nothing is lost: types of the same kind (an enum and a string), numbers that fit, a type
// and its text form (a UUID, a time, an address, a decimal), nil and NULL, JSON and structs, and structs, slices, arrays
// and maps by what is in them. What is copied is never shared. Floats do not become integers, nor decimals floats.
//
// A relation is matched like any other field, its entities with DTOs. To fails where it is not loaded: a nil slice, and a
// nil pointer beside a key; a nil pointer to what refers to the entity counts as none. From makes new entities of it,
// which Add then writes as well. A patch does not change relations.
//
// # Lifecycle
//
// A mapping is compiled once, at its first use, and kept. Entities are made by hand, by [New], by [From] or by a session
// that reads them. Add stamps the key, the dates and the version, so that an entity can be converted before it is flushed,
// after that, after the commit and after a manual commit. What only the database knows is there after the flush; until
// then To reports it by name.
//
// # Errors
//
// A mapping, a pair of types or a rule that cannot work is fault.Misconfigured; it names the type and the field and is
// the same at every call. Input that is not acceptable is fault.Invalid, with every wrong field by its path in JSON.
//
// # Concurrency
//
// All functions are safe for concurrent use. Entities are plain structs: they are not, and belong to the unit of work
// that reads or makes them.
package entity
