// Package model is the mapping of a struct to its table, compiled once per type from `db` tags. It is what package
// entity offers to users, in the form that sessions and queries need: columns with their types and flags, and typed
// access to a field through its address.
package model

import (
	"reflect"
	"strings"
	"time"
	"unsafe"

	"github.com/urutu-go/urutu/value"
)

// Model is the mapping of one struct type. It is immutable and safe for concurrent use.
type Model struct {
	// Type is the struct's type, and Name its name for errors: "shop.User".
	Type reflect.Type
	Name string
	// Table is the table's name, with its schema before a dot where it has one.
	Table string
	// Fields are the columns, in the order of the struct; Field.Index is the position here.
	Fields []*Field
	// Key are the primary key's fields, at least one.
	Key []*Field
	// Created, Updated, Version and Deleted are the fields that the session keeps; nil where there is none.
	Created, Updated, Version, Deleted *Field
	// Uniques are the unique constraints besides the primary key; References the foreign keys; Indexes the plain ones.
	Uniques    []Constraint
	Indexes    []Constraint
	References []Reference
	// Relations are the fields with a rel tag; Relation.Index is the position here.
	Relations []*Relation

	proto    unsafe.Pointer // the one prototype, whose fields' addresses name the columns
	byPlace  []*Field       // sorted by their offsets
	byColumn map[string]*Field
}

// Constraint is a named set of columns.
type Constraint struct {
	Name    string
	Columns []string
	// Deferrable: checked at the commit, where the database can do that.
	Deferrable bool
}

// Reference is a foreign key.
type Reference struct {
	Name     string
	Column   string
	Field    *Field
	Table    string // the referenced table
	Target   string // and its column
	OnDelete string // "", "CASCADE", "SET NULL", "RESTRICT"
	// Deferrable: checked at the commit.
	Deferrable bool
}

// Field is one column of a model.
type Field struct {
	Index  int
	Name   string // the Go path: "Address.Street"
	Column string
	GoType reflect.Type
	Offset uintptr // from the start of the struct
	Type   value.Type
	// Native is the column type given by the tag's type option, "" for the usual one.
	Native string
	// Nullable: NULL is one of the field's values.
	Nullable bool
	// Key: part of the primary key. Serial: the database generates it where it is zero.
	Key, Serial bool
	// ServerDefault: the database has a default, which applies on insert where the field is zero; the expression, for
	// CREATE TABLE. Generated: the database computes it, always; it is never written.
	ServerDefault string
	Generated     string
	// ReadOnly: never in an UPDATE, and only with explicit allow from a DTO. Immutable: never in an UPDATE.
	ReadOnly bool
	// Secret: never printed.
	Secret bool
	Unique bool

	// Memory says what the field's variable is, where its bits are what is stored.
	Memory Memory
	// Encode reads the field at p, which is the address of the field itself. Its error says what cannot be stored; the
	// caller names the field.
	Encode func(p unsafe.Pointer) (value.Value, error)
	// Decode sets the field at p from a value of Type, or NULL.
	Decode func(p unsafe.Pointer, v value.Value) error
	// Same reports whether the field at p still is what snapshot says, and returns its current value. It follows the
	// type's own equality where it has one: JSON by its normal form, a type with Equal(T) bool by that.
	Same func(p unsafe.Pointer, snapshot value.Value) (same bool, current value.Value, err error)
}

// IsDay reports whether the column is one of days, which have no zone: a time is stored as the day in UTC that it is on.
func (f *Field) IsDay() bool { return strings.EqualFold(f.Native, "date") }

// Kept returns an instant as the column keeps it.
func (f *Field) Kept(at value.Value) value.Value {
	if f.IsDay() {
		return value.OfTime(at.Time().Truncate(24 * time.Hour))
	}
	return at
}

// At returns the address of the field in the struct at base.
func (f *Field) At(base unsafe.Pointer) unsafe.Pointer { return unsafe.Add(base, f.Offset) }

// Get encodes the field of the struct at base.
func (f *Field) Get(base unsafe.Pointer) (value.Value, error) { return f.Encode(f.At(base)) }

// Set decodes v into the field of the struct at base.
func (f *Field) Set(base unsafe.Pointer, v value.Value) error { return f.Decode(f.At(base), v) }

// Immutable reports whether the field never appears in an UPDATE's SET list: keys, read-only, generated and created_at.
func (m *Model) Immutable(f *Field) bool {
	return f.Key || f.ReadOnly || f.Generated != "" || f == m.Created
}

// New returns a new zero struct of the model: its address, and the same as a *T in an interface.
func (m *Model) New() (unsafe.Pointer, any) {
	v := reflect.New(m.Type)
	return v.UnsafePointer(), v.Interface()
}

// At returns the struct at base as a *T in an interface.
func (m *Model) At(base unsafe.Pointer) any { return reflect.NewAt(m.Type, base).Interface() }

// Proto returns the prototype, a *T in an interface, whose fields' addresses name the columns.
func (m *Model) Proto() any { return m.At(m.proto) }

// ColumnAt returns the field that p names, where p is the address of a field of the prototype and t the type of that
// field. It reports false for any other pointer, a struct that merely contains columns included.
func (m *Model) ColumnAt(p unsafe.Pointer, t reflect.Type) (*Field, bool) {
	return m.FieldAt(m.Place(p), t)
}

// Place returns how far p is from the beginning of the prototype. For an address below it wraps around, to an offset that
// is not there.
func (m *Model) Place(p unsafe.Pointer) uintptr { return uintptr(p) - uintptr(m.proto) }

// FieldAt returns the field of the type that is at an offset from the start of the struct.
func (m *Model) FieldAt(offset uintptr, t reflect.Type) (*Field, bool) {
	low, high := 0, len(m.byPlace)
	for low < high {
		if middle := (low + high) / 2; m.byPlace[middle].Offset < offset {
			low = middle + 1
		} else {
			high = middle
		}
	}
	for _, f := range m.byPlace[low:] { // what has no size lies where the next field does
		if f.Offset != offset {
			break
		}
		if f.GoType == t {
			return f, true
		}
	}
	return nil, false
}

// Column returns the field of a column, by its exact name.
func (m *Model) Column(name string) (*Field, bool) {
	f, ok := m.byColumn[name]
	return f, ok
}

// Server reports whether the database may fill the field: a serial key, a default, a generated column.
func (f *Field) Server() bool { return f.Serial || f.ServerDefault != "" || f.Generated != "" }
