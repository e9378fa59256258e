package model

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/urutu-go/urutu/value"
)

// valuerCodec stores a type by its own Value, and reads it by its own Scan.
func valuerCodec(t reflect.Type, w wish) (codec, error) {
	if !implements(t, valuerType) {
		return codec{}, fmt.Errorf("%s has Scan but no Value() (driver.Value, error), so it cannot be written", t)
	}
	if !implements(t, scannerType) {
		return codec{}, fmt.Errorf("%s has Value but no Scan(any) error, so it cannot be read back", t)
	}
	typ, nullable, err := probe(t)
	if w.native != value.TypeUnknown {
		typ, err = w.native, nil
	}
	if err != nil {
		return codec{}, err
	}
	if nullable && w.notNull {
		return codec{}, fmt.Errorf("the zero %s is NULL, so notnull contradicts it", t)
	}
	c := codec{
		typ:      typ,
		nullable: nullable,
		encode: func(p unsafe.Pointer) (value.Value, error) {
			dv, err := reflect.NewAt(t, p).Interface().(driver.Valuer).Value()
			if err != nil {
				return value.Value{}, err
			}
			v, err := fromDriver(dv, typ)
			if err == nil && v.IsNull() && !nullable {
				err = errors.New("is NULL, which the column cannot hold")
			}
			return v, err
		},
		decode: func(p unsafe.Pointer, v value.Value) error {
			if v.IsNull() && !nullable {
				return errNull(t)
			}
			dv, err := toDriver(v, typ)
			if err != nil {
				return err
			}
			fresh := reflect.New(t)
			if err := fresh.Interface().(sql.Scanner).Scan(dv); err != nil {
				return err
			}
			reflect.NewAt(t, p).Elem().Set(fresh.Elem())
			return nil
		},
	}
	c.same = sameOf(t, c, opaqueEqual(t))
	return c, nil
}

// opaqueEqual compares two values of a type whose stored form may differ for equal values (a set in any order, an
// encrypted text with a new nonce each time): by the type's own Equal, or in depth.
func opaqueEqual(t reflect.Type) func(a, b unsafe.Pointer) bool {
	if equal := equalOf(t); equal != nil {
		return equal
	}
	return func(a, b unsafe.Pointer) bool {
		return reflect.DeepEqual(reflect.NewAt(t, a).Interface(), reflect.NewAt(t, b).Interface())
	}
}

// probe finds out what a type stores: what Value gives for its zero value, or where that is NULL, for a zero value whose
// field Valid is set, as nullable types have it by custom.
func probe(t reflect.Type) (typ value.Type, nullable bool, err error) {
	zero := reflect.New(t)
	dv, err := safeValue(zero)
	if err == nil && dv == nil {
		nullable = true
		valid := reflect.Indirect(zero)
		if valid.Kind() == reflect.Struct {
			valid = valid.FieldByName("Valid")
		}
		if valid.Kind() == reflect.Bool && valid.CanSet() {
			valid.SetBool(true)
			dv, err = safeValue(zero)
		}
	}
	if err != nil {
		return 0, nullable, fmt.Errorf("the zero %s cannot be stored (%w); name its column type with type=", t, err)
	}
	if typ, ok := driverType(dv); ok {
		return typ, nullable, nil
	}
	return 0, nullable, fmt.Errorf("the Value of a zero %s does not tell how it is stored; name its column type with type=", t)
}

// safeValue calls Value on a zero value, which its author may not have thought of.
func safeValue(v reflect.Value) (dv driver.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("its Value panics: %v", r)
		}
	}()
	return v.Interface().(driver.Valuer).Value()
}

// driverType returns the type that stores what a Value gave.
func driverType(dv driver.Value) (value.Type, bool) {
	switch dv.(type) {
	case bool:
		return value.TypeBool, true
	case float32, float64:
		return value.TypeFloat64, true
	case string:
		return value.TypeText, true
	case []byte:
		return value.TypeBytes, true
	case time.Time:
		return value.TypeTime, true
	}
	rv := reflect.ValueOf(dv)
	switch {
	case rv.IsValid() && rv.CanInt():
		return value.TypeInt64, true
	case rv.IsValid() && rv.CanUint():
		return value.TypeUint64, true
	}
	return value.TypeUnknown, false
}

// fromDriver turns what a Value gave into a value of the type.
func fromDriver(dv driver.Value, typ value.Type) (value.Value, error) {
	var v value.Value
	var err error
	switch x := dv.(type) {
	case nil:
		return value.Value{}, nil
	case bool:
		v = value.OfBool(x)
	case int64:
		v = value.OfInt(x)
	case float64:
		v = value.OfFloat(x)
	case string:
		v = value.OfText(x)
	case []byte:
		if v = value.OfBytes(x); v.IsNull() {
			return v, nil
		}
	case time.Time:
		v, err = ofTime(x)
	default:
		v, err = fromOther(reflect.ValueOf(dv))
	}
	if err != nil {
		return value.Value{}, err
	}
	if v.Kind() == value.Text && typ == value.TypeText && !utf8.ValidString(v.Str()) {
		return value.Value{}, errUTF8
	}
	return coerce(v, typ)
}

// fromOther takes what a Value must not give by the rules of database/sql, and in practice does.
func fromOther(rv reflect.Value) (value.Value, error) {
	switch {
	case rv.CanInt():
		return value.OfInt(rv.Int()), nil
	case rv.CanUint():
		return value.OfUint(rv.Uint()), nil
	case rv.CanFloat():
		return value.OfFloat(rv.Float()), nil
	case rv.Kind() == reflect.String:
		return value.OfText(rv.String()), nil
	}
	return value.Value{}, fmt.Errorf("its Value gives a %s, which no database takes", rv.Type())
}

// toDriver turns a value into what a Scan expects for a column of the type.
func toDriver(v value.Value, typ value.Type) (driver.Value, error) {
	if v.IsNull() {
		return nil, nil
	}
	v, err := coerce(v, typ)
	if err != nil {
		return nil, err
	}
	switch v.Kind() {
	case value.Bool:
		return v.Bool(), nil
	case value.Int:
		return v.Int(), nil
	case value.Uint:
		if v.Uint() > math.MaxInt64 {
			return strconv.FormatUint(v.Uint(), 10), nil
		}
		return int64(v.Uint()), nil
	case value.Float:
		return v.Float(), nil
	case value.Time:
		return v.Time(), nil
	case value.Bytes, value.JSON:
		return []byte(v.Str()), nil
	default:
		return v.String(), nil
	}
}
