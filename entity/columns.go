package entity

import (
	"errors"
	"reflect"
	"unsafe"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/value"
)

// Columns returns the prototype of T, the same one at every call. It holds no data: the addresses of its fields name the
// columns of T's table, typed and without generated code.
//
//	var users = entity.Columns[User]()
//
//	session.First[User](ctx, query.Eq(&users.Email, email))
//
// A prototype must not be written to. Columns is called where packages are initialized and so has no error: where the
// mapping of T is wrong, the prototype it returns names no columns, and whatever uses it or T reports what is wrong as
// fault.Misconfigured. [Check] reports it at once.
func Columns[T any]() *T {
	m, err := model.For[T]()
	if err != nil {
		return new(T)
	}
	proto, ok := m.Proto().(*T)
	if !ok { // T is a pointer type: its model is that of what it points to
		return new(T)
	}
	return proto
}

// Check reports what is wrong with the mapping of T and its relations, as a fault.Misconfigured that names the type and
// each field, or nil.
func Check[T any]() error {
	m, err := model.For[T]()
	if err != nil {
		return err
	}
	var wrong []error
	for _, r := range m.Relations {
		if _, err := r.Ends(); err != nil {
			wrong = append(wrong, err)
		}
	}
	return errors.Join(wrong...)
}

// New returns a new T whose key is known at once, without a session: a UUIDv7 in each field of its primary key that
// holds a UUID and refers to no other table. What the session fills in otherwise is left to it.
func New[T any]() *T {
	e := new(T)
	m, err := model.For[T]()
	if err != nil || reflect.TypeFor[T]() != m.Type {
		return e // the verb that takes it reports what is wrong
	}
	for _, f := range m.Key {
		if f.Type != value.TypeUUID || refers(m, f) {
			continue
		}
		id, err := uuid.NewV7()
		if err != nil || f.Set(unsafe.Pointer(e), value.OfUUID(id)) != nil {
			return e // Add will see to it
		}
	}
	return e
}

func refers(m *model.Model, f *model.Field) bool {
	for _, r := range m.References {
		if r.Field == f {
			return true
		}
	}
	return false
}
