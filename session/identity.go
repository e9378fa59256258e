package session

import (
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
	"unsafe"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/value"
)

// Key is a primary key of several columns, in the order of the entity's fields.
type Key []any

// identity is an entity's type and key in a comparable form: what the identity map is keyed by. Keys of one number or
// UUID take no memory of their own.
type identity struct {
	m      *model.Model
	hi, lo uint64
	str    string
}

// identify makes the identity of a key.
func identify(m *model.Model, key []value.Value) identity {
	if len(key) == 1 {
		hi, lo := key[0].Halves()
		return identity{m, hi, lo, key[0].Str()}
	}
	var b []byte
	for _, v := range key {
		hi, lo := v.Halves()
		b = binary.BigEndian.AppendUint64(b, hi)
		b = binary.BigEndian.AppendUint64(b, lo)
		b = binary.AppendUvarint(b, uint64(len(v.Str())))
		b = append(b, v.Str()...)
	}
	return identity{m: m, str: string(b)}
}

// keyString prints a key for an error.
func keyString(key []value.Value) string {
	parts := make([]string, len(key))
	for i, v := range key {
		parts[i] = v.String()
	}
	return strings.Join(parts, ",")
}

// keyOf converts what a caller gave as a key into the values of the key's columns. Its error names what is wrong, and no
// SQL runs.
func (x *meta) keyOf(op string, key any) ([]value.Value, error) {
	parts := []any{key}
	if k, ok := key.(Key); ok {
		parts = k
	}
	bad := func(format string, args ...any) error {
		return &fault.Error{Kind: fault.BadRequest, Op: op, Entity: x.Name, Message: fmt.Sprintf(format, args...)}
	}
	if len(parts) != len(x.Key) {
		return nil, bad("the key has %d columns, and %d values were given", len(x.Key), len(parts))
	}
	values := make([]value.Value, len(parts))
	for i, f := range x.Key {
		v, err := keyValue(f, parts[i])
		if err != nil {
			return nil, bad("the key's %s: %v", f.Name, err)
		}
		values[i] = v
	}
	return values, nil
}

// keyValue converts one part of a key. Besides the field's own type it takes every type that means the same: a UUID's
// text or bytes or a type that stores as such, any integer, any string.
func keyValue(f *model.Field, part any) (value.Value, error) {
	if u, ok := part.(uuid.UUID); ok && f.Type == value.TypeUUID {
		return value.OfUUID(u), nil
	}
	rv := reflect.ValueOf(part)
	if !rv.IsValid() || rv.Kind() == reflect.Pointer && rv.IsNil() {
		return value.Value{}, fmt.Errorf("nil identifies nothing")
	}
	if rv.Type() == f.GoType {
		p := reflect.New(f.GoType)
		p.Elem().Set(rv)
		return f.Encode(p.UnsafePointer())
	}
	if v, ok := part.(driver.Valuer); ok {
		plain, err := v.Value()
		if err != nil || plain == nil {
			return value.Value{}, fmt.Errorf("%T identifies nothing", part)
		}
		rv = reflect.ValueOf(plain)
	} else if rv.Kind() == reflect.Pointer {
		rv = rv.Elem()
	}
	v, ok := plainKey(f.Type, rv)
	if !ok {
		return value.Value{}, fmt.Errorf("%T is not a %s", part, f.GoType)
	}
	// Through the field's own codec, so that a value out of its range is refused and both forms end up the same.
	p := reflect.New(f.GoType).UnsafePointer()
	if err := f.Decode(p, v); err != nil {
		return value.Value{}, err
	}
	return f.Encode(p)
}

// plainKey reads a value of a basic kind as what a key column of type t holds.
func plainKey(t value.Type, rv reflect.Value) (value.Value, bool) {
	switch {
	case t == value.TypeUUID && rv.Kind() == reflect.String:
		u, err := uuid.Parse(rv.String())
		return value.OfUUID(u), err == nil
	case t == value.TypeUUID && rv.Kind() == reflect.Array && rv.Type().ConvertibleTo(reflect.TypeFor[[16]byte]()):
		return value.OfUUID(rv.Convert(reflect.TypeFor[[16]byte]()).Interface().([16]byte)), true
	case t == value.TypeUUID && rv.Kind() == reflect.Slice && rv.Type().Elem().Kind() == reflect.Uint8:
		u, err := uuid.FromBytes(rv.Bytes())
		return value.OfUUID(u), err == nil
	case t == value.TypeText && rv.Kind() == reflect.String:
		return value.OfText(rv.String()), true
	case isInteger(t) && rv.CanInt():
		return value.OfInt(rv.Int()), true
	case isInteger(t) && rv.CanUint():
		return value.OfUint(rv.Uint()), true
	default:
		return value.Value{}, false
	}
}

func isInteger(t value.Type) bool {
	return t == value.TypeInt16 || t == value.TypeInt32 || t == value.TypeInt64 || t == value.TypeUint64
}

// readKey appends the key of the struct at base. It reports whether the key is known: a serial key that is zero is not.
func (x *meta) readKey(to []value.Value, base unsafe.Pointer) (key []value.Value, known bool, err error) {
	key, known = to, true
	for _, f := range x.Key {
		v, err := f.Get(base)
		if err != nil {
			return key, false, x.fieldError("session", f, err)
		}
		if f.Serial && isZero(v) {
			known = false
		}
		key = append(key, v)
	}
	return key, known, nil
}

// fieldError says that a field cannot be stored or filled.
func (x *meta) fieldError(op string, f *model.Field, err error) error {
	return &fault.Error{
		Kind: fault.Invalid, Op: op, Entity: x.Name, Table: x.Table, Columns: []string{f.Column},
		Fields: []fault.Field{{Name: f.Name, Message: err.Error()}}, Err: err,
	}
}

// isZero reports whether v is NULL or its kind's zero.
func isZero(v value.Value) bool {
	hi, lo := v.Halves()
	return hi == 0 && lo == 0 && v.Str() == ""
}
