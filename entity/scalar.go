package entity

import (
	"database/sql"
	"database/sql/driver"
	"encoding"
	"fmt"
	"math"
	"reflect"
	"time"
	"unsafe"

	"github.com/google/uuid"
)

// plainCopy returns the conversion of types that are one variable each, where that is a copy, or nil.
func plainCopy(d, s reflect.Type) conv {
	sameKind := d.Kind() == s.Kind() && basic(d.Kind())
	switch {
	case d != s && (!sameKind || has(d, textIn) || has(s, textOut)):
		return nil
	case d == timeType:
		return copyOf[time.Time]
	case d.Kind() == reflect.Array && d.Elem().Kind() == reflect.Uint8 && d.Len() == 16:
		return copyOf[[16]byte]
	case d.Kind() == reflect.String:
		return copyOf[string]
	case basic(d.Kind()):
		return copyBySize(d.Size())
	case opaque(d):
		return setAs(d)
	}
	return nil
}

func copyOf[T any](dst, src unsafe.Pointer, _ int) error {
	*(*T)(dst) = *(*T)(src)
	return nil
}

func copyBySize(n uintptr) conv {
	switch n {
	case 1:
		return copyOf[uint8]
	case 2:
		return copyOf[uint16]
	case 4:
		return copyOf[uint32]
	default:
		return copyOf[uint64]
	}
}

// basic reports whether a kind is that of one machine value, or a string.
func basic(k reflect.Kind) bool {
	return k >= reflect.Bool && k <= reflect.Float64 || k == reflect.String
}

func isInt(k reflect.Kind) bool { return k >= reflect.Int && k <= reflect.Int64 }

func isUint(k reflect.Kind) bool { return k >= reflect.Uint && k <= reflect.Uintptr }

func isFloat(k reflect.Kind) bool { return k == reflect.Float32 || k == reflect.Float64 }

const outOfRange = "is outside of what the field holds"

// basicConv converts numbers of different kinds where that loses nothing, and types of the same kind.
func basicConv(d, s reflect.Type) (conv, error) {
	dk, sk := d.Kind(), s.Kind()
	switch {
	case dk == sk:
		return copyAs(d, s), nil
	case (isInt(dk) || isUint(dk)) && (isInt(sk) || isUint(sk)), isFloat(dk) && (isInt(sk) || isUint(sk) || isFloat(sk)):
		return func(dst, src unsafe.Pointer, _ int) error {
			if !setNumber(reflect.NewAt(d, dst).Elem(), reflect.NewAt(s, src).Elem()) {
				return problem(outOfRange)
			}
			return nil
		}, nil
	}
	return nil, fmt.Errorf("a %s cannot be made from a %s", d, s)
}

func copyAs(d, s reflect.Type) conv {
	if d.Kind() == reflect.String {
		return copyOf[string]
	}
	return copyBySize(s.Size())
}

// setNumber sets d to s, and reports false where d cannot hold that number.
func setNumber(d, s reflect.Value) bool {
	switch {
	case isFloat(d.Kind()):
		f := floatOf(s)
		d.SetFloat(f)
		return exact(d.Float(), s) || (isFloat(s.Kind()) && (!math.IsInf(d.Float(), 0) || math.IsInf(f, 0)))
	case s.CanInt() && d.CanInt():
		d.SetInt(s.Int())
		return d.Int() == s.Int()
	case s.CanInt():
		d.SetUint(uint64(s.Int()))
		return s.Int() >= 0 && d.Uint() == uint64(s.Int())
	case d.CanInt():
		d.SetInt(int64(s.Uint()))
		return s.Uint() <= math.MaxInt64 && d.Int() == int64(s.Uint())
	default:
		d.SetUint(s.Uint())
		return d.Uint() == s.Uint()
	}
}

func floatOf(v reflect.Value) float64 {
	switch {
	case v.CanInt():
		return float64(v.Int())
	case v.CanUint():
		return float64(v.Uint())
	default:
		return v.Float()
	}
}

// exact reports whether f is the whole number v.
func exact(f float64, v reflect.Value) bool {
	switch {
	case v.CanInt():
		return f >= -(1<<63) && f < 1<<63 && int64(f) == v.Int()
	case v.CanUint():
		return f >= 0 && f < 1<<64 && uint64(f) == v.Uint()
	default:
		return false
	}
}

// isText reports whether one of the types is a string and the other has a form as text: UUIDs, times, addresses, enums
// with names, and decimals by what they tell a database.
func isText(d, s reflect.Type) bool {
	if s.Kind() == reflect.String && has(d, textIn) || d.Kind() == reflect.String && has(s, textOut) {
		return true
	}
	return s.Kind() == reflect.String && d.Kind() != reflect.String && has(d, scannerType) ||
		d.Kind() == reflect.String && s.Kind() != reflect.String && has(s, valuerType)
}

func textConv(d, s reflect.Type) (conv, error) {
	read, write := textReader(s), textWriter(d)
	return func(dst, src unsafe.Pointer, _ int) error {
		text, err := read(src)
		if err != nil {
			return problem("has no form as text")
		}
		if write(dst, text) != nil {
			return problem(notValid(d))
		}
		return nil
	}, nil
}

func textReader(s reflect.Type) func(unsafe.Pointer) (string, error) {
	switch {
	case has(s, textOut):
		return func(p unsafe.Pointer) (string, error) {
			b, err := reflect.NewAt(s, p).Interface().(encoding.TextMarshaler).MarshalText()
			return string(b), err
		}
	case s.Kind() == reflect.String:
		return func(p unsafe.Pointer) (string, error) { return *(*string)(p), nil }
	}
	return func(p unsafe.Pointer) (string, error) {
		v, err := reflect.NewAt(s, p).Interface().(driver.Valuer).Value()
		if err != nil {
			return "", err
		}
		switch v := v.(type) {
		case string:
			return v, nil
		case []byte:
			return string(v), nil
		}
		return "", fmt.Errorf("its Value is a %T", v)
	}
}

func textWriter(d reflect.Type) func(unsafe.Pointer, string) error {
	switch {
	case has(d, textIn):
		return func(p unsafe.Pointer, text string) error {
			return reflect.NewAt(d, p).Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
		}
	case d.Kind() == reflect.String:
		return func(p unsafe.Pointer, text string) error { *(*string)(p) = text; return nil }
	}
	return func(p unsafe.Pointer, text string) error {
		return reflect.NewAt(d, p).Interface().(sql.Scanner).Scan(text)
	}
}

// notValid says what a text was to be.
func notValid(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[uuid.UUID]():
		return "is not a UUID"
	case t == timeType:
		return "is not a time"
	default:
		return "is not valid"
	}
}
