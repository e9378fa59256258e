package model

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"unicode/utf8"
	"unsafe"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/value"
)

// basicCodec returns the codec of a kind whose variables are one machine value or a string. A named type has the layout
// of its kind, so its field is read as that kind, without reflection.
func basicCodec(k reflect.Kind, w wish) (codec, bool) {
	switch k {
	case reflect.Bool:
		return boolCodec(), true
	case reflect.Int8:
		return intCodec[int8](value.TypeInt16, math.MinInt8, math.MaxInt8), true
	case reflect.Int16:
		return intCodec[int16](value.TypeInt16, math.MinInt16, math.MaxInt16), true
	case reflect.Uint8:
		return intCodec[uint8](value.TypeInt16, 0, math.MaxUint8), true
	case reflect.Int32:
		return intCodec[int32](value.TypeInt32, math.MinInt32, math.MaxInt32), true
	case reflect.Uint16:
		return intCodec[uint16](value.TypeInt32, 0, math.MaxUint16), true
	case reflect.Int:
		return intCodec[int](value.TypeInt64, math.MinInt, math.MaxInt), true
	case reflect.Int64:
		return intCodec[int64](value.TypeInt64, math.MinInt64, math.MaxInt64), true
	case reflect.Uint32:
		return intCodec[uint32](value.TypeInt64, 0, math.MaxUint32), true
	case reflect.Uint:
		return uintCodec[uint](math.MaxUint), true
	case reflect.Uint64:
		return uintCodec[uint64](math.MaxUint64), true
	case reflect.Uintptr:
		return uintCodec[uintptr](math.MaxUint), true
	case reflect.Float32:
		return float32Codec(), true
	case reflect.Float64:
		return float64Codec(), true
	case reflect.String:
		return stringCodec(w), true
	default:
		return codec{}, false
	}
}

func boolCodec() codec {
	return codec{
		typ:    value.TypeBool,
		memory: Bool,
		encode: func(p unsafe.Pointer) (value.Value, error) { return value.OfBool(*(*bool)(p)), nil },
		decode: func(p unsafe.Pointer, v value.Value) error {
			b, err := asBool(v)
			if err == nil {
				*(*bool)(p) = b
			}
			return err
		},
	}
}

type signed interface {
	int8 | int16 | int32 | int64 | int | uint8 | uint16 | uint32
}

func intCodec[T signed](typ value.Type, low, high int64) codec {
	memory := Opaque
	if unsafe.Sizeof(T(0)) == 8 {
		memory = Int64
	}
	return codec{
		typ:    typ,
		memory: memory,
		encode: func(p unsafe.Pointer) (value.Value, error) { return value.OfInt(int64(*(*T)(p))), nil },
		decode: func(p unsafe.Pointer, v value.Value) error {
			i, err := asInt(v)
			if err != nil {
				return err
			}
			if i < low || i > high {
				return fmt.Errorf("the number is outside of %d to %d", low, high)
			}
			*(*T)(p) = T(i)
			return nil
		},
	}
}

func uintCodec[T uint | uint64 | uintptr](high uint64) codec {
	return codec{
		typ:    value.TypeUint64,
		encode: func(p unsafe.Pointer) (value.Value, error) { return value.OfUint(uint64(*(*T)(p))), nil },
		decode: func(p unsafe.Pointer, v value.Value) error {
			u, err := asUint(v)
			if err != nil {
				return err
			}
			if u > high {
				return fmt.Errorf("the number is outside of 0 to %d", high)
			}
			*(*T)(p) = T(u)
			return nil
		},
	}
}

func float64Codec() codec {
	return codec{
		typ:    value.TypeFloat64,
		memory: Float64,
		encode: func(p unsafe.Pointer) (value.Value, error) { return value.OfFloat(*(*float64)(p)), nil },
		decode: func(p unsafe.Pointer, v value.Value) error {
			f, err := asFloat(v)
			if err == nil {
				*(*float64)(p) = f
			}
			return err
		},
	}
}

func float32Codec() codec {
	return codec{
		typ:    value.TypeFloat32,
		encode: func(p unsafe.Pointer) (value.Value, error) { return value.OfFloat(float64(*(*float32)(p))), nil },
		decode: func(p unsafe.Pointer, v value.Value) error {
			f, err := asFloat(v)
			if err != nil {
				return err
			}
			if math.IsInf(float64(float32(f)), 0) && !math.IsInf(f, 0) {
				return errors.New("the number is outside of what a float32 holds")
			}
			*(*float32)(p) = float32(f)
			return nil
		},
	}
}

var errUTF8 = errors.New("is not valid UTF-8")

// stringCodec stores strings as text, or as what the tag's type option asks for: a decimal number or a UUID.
func stringCodec(w wish) codec {
	switch w.native {
	case value.TypeDecimal:
		return decimalStringCodec()
	case value.TypeUUID:
		return uuidStringCodec()
	}
	return codec{
		typ:    value.TypeText,
		memory: String,
		encode: func(p unsafe.Pointer) (value.Value, error) {
			s := *(*string)(p)
			if !utf8.ValidString(s) {
				return value.Value{}, errUTF8
			}
			return value.OfText(s), nil
		},
		decode: decodeString,
	}
}

func decodeString(p unsafe.Pointer, v value.Value) error {
	s, err := asText(v)
	if err == nil {
		*(*string)(p) = s
	}
	return err
}

func decimalStringCodec() codec {
	return codec{
		typ: value.TypeDecimal,
		encode: func(p unsafe.Pointer) (value.Value, error) {
			s := *(*string)(p)
			if s == "" {
				s = "0"
			}
			return decimalOf(s)
		},
		decode: decodeString,
	}
}

// uuidStringCodec stores a string that holds a UUID. The empty string is the UUID of zeros, so that a key that is not
// known yet can be told.
func uuidStringCodec() codec {
	return codec{
		typ: value.TypeUUID,
		encode: func(p unsafe.Pointer) (value.Value, error) {
			s := *(*string)(p)
			if s == "" {
				return value.OfUUID([16]byte{}), nil
			}
			u, err := uuid.Parse(s)
			if err != nil {
				return value.Value{}, errors.New("is not a UUID")
			}
			return value.OfUUID(u), nil
		},
		decode: func(p unsafe.Pointer, v value.Value) error {
			u, err := asUUID(v)
			if err != nil {
				return err
			}
			*(*string)(p) = ""
			if u != [16]byte{} {
				*(*string)(p) = value.FormatUUID(u)
			}
			return nil
		},
	}
}

func uuidCodec(w wish) (codec, error) {
	get := func(p unsafe.Pointer) [16]byte { return *(*[16]byte)(p) }
	c := codec{typ: value.TypeUUID}
	switch w.native {
	case value.TypeBytes:
		c.typ = value.TypeBytes
		c.encode = func(p unsafe.Pointer) (value.Value, error) { u := get(p); return value.OfBytes(u[:]), nil }
	case value.TypeText:
		c.typ = value.TypeText
		c.encode = func(p unsafe.Pointer) (value.Value, error) { return value.OfText(value.FormatUUID(get(p))), nil }
	default:
		c.memory = UUID
		c.encode = func(p unsafe.Pointer) (value.Value, error) { return value.OfUUID(get(p)), nil }
	}
	c.decode = func(p unsafe.Pointer, v value.Value) error {
		u, err := asUUID(v)
		if err == nil {
			*(*[16]byte)(p) = u
		}
		return err
	}
	return c, nil
}
