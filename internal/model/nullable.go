package model

import (
	"fmt"
	"reflect"
	"unsafe"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/value"
)

// pointerCodec stores what a pointer points to, and nil as NULL.
func pointerCodec(t reflect.Type, w wish) (codec, error) {
	elem := t.Elem()
	inner, err := innerCodec(t, elem, w)
	if err != nil {
		return codec{}, err
	}
	return codec{
		typ:      inner.typ,
		nullable: true,
		memory:   pointed | inner.memory,
		encode: func(p unsafe.Pointer) (value.Value, error) {
			q := *(*unsafe.Pointer)(p)
			if q == nil {
				return value.Value{}, nil
			}
			return inner.encode(q)
		},
		decode: func(p unsafe.Pointer, v value.Value) error {
			if v.IsNull() {
				*(*unsafe.Pointer)(p) = nil
				return nil
			}
			q := reflect.New(elem).UnsafePointer()
			if err := inner.decode(q, v); err != nil {
				return err
			}
			*(*unsafe.Pointer)(p) = q
			return nil
		},
		same: func(p unsafe.Pointer, snapshot value.Value) (bool, value.Value, error) {
			q := *(*unsafe.Pointer)(p)
			if q == nil {
				return snapshot.IsNull(), value.Value{}, nil
			}
			return inner.same(q, snapshot)
		},
	}, nil
}

// innerCodec is the codec of what a nullable type holds. A type that has a NULL of its own would leave two of them.
func innerCodec(outer, t reflect.Type, w wish) (codec, error) {
	if w.notNull {
		return codec{}, fmt.Errorf("%s can be null, so notnull contradicts it", outer)
	}
	inner, err := codecOf(t, w)
	if err != nil {
		return codec{}, err
	}
	if inner.nullable {
		return codec{}, fmt.Errorf("%s can be null twice: a %s already can", outer, t)
	}
	return inner, nil
}

// IsNull reports whether t is one of database/sql's nullable types, or google/uuid's: a value, and Valid. Other types of
// that form are left to their own Value and Scan, which may do more than their fields show.
func IsNull(t reflect.Type) bool {
	if t == reflect.TypeFor[uuid.NullUUID]() {
		return true
	}
	if t.PkgPath() != "database/sql" || t.Kind() != reflect.Struct || t.NumField() != 2 {
		return false
	}
	valid := t.Field(1)
	return valid.Name == "Valid" && valid.Type.Kind() == reflect.Bool
}

func nullCodec(t reflect.Type, w wish) (codec, error) {
	held := t.Field(0).Type
	offset := t.Field(1).Offset // of Valid; the value itself is at 0
	inner, err := innerCodec(t, held, w)
	if err != nil {
		return codec{}, err
	}
	valid := func(p unsafe.Pointer) *bool { return (*bool)(unsafe.Add(p, offset)) }
	return codec{
		typ:      inner.typ,
		nullable: true,
		encode: func(p unsafe.Pointer) (value.Value, error) {
			if !*valid(p) {
				return value.Value{}, nil
			}
			return inner.encode(p)
		},
		decode: func(p unsafe.Pointer, v value.Value) error {
			if v.IsNull() {
				reflect.NewAt(t, p).Elem().SetZero()
				return nil
			}
			err := inner.decode(p, v)
			if err == nil {
				*valid(p) = true
			}
			return err
		},
		same: func(p unsafe.Pointer, snapshot value.Value) (bool, value.Value, error) {
			if !*valid(p) {
				return snapshot.IsNull(), value.Value{}, nil
			}
			return inner.same(p, snapshot)
		},
	}, nil
}
