package model

import (
	"errors"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/value"
)

// The functions here read a value as a Go type. Databases differ in what they call a thing, so each takes every kind
// that can hold it without loss, and refuses the rest: nothing is rounded, cut or wrapped around.

var (
	errInexact = errors.New("the number cannot be held exactly")
	errNoNull  = errors.New("the column is NULL, which the field cannot hold")
)

func asBool(v value.Value) (bool, error) {
	switch v.Kind() {
	case value.Bool:
		return v.Bool(), nil
	case value.Int, value.Uint:
		if u := v.Uint(); u <= 1 {
			return u == 1, nil
		}
	case value.Text:
		if b, err := strconv.ParseBool(v.Str()); err == nil {
			return b, nil
		}
	case value.Null:
		return false, errNoNull
	}
	return false, mismatch(v, "boolean")
}

func asInt(v value.Value) (int64, error) {
	switch v.Kind() {
	case value.Int:
		return v.Int(), nil
	case value.Uint:
		if v.Uint() > math.MaxInt64 {
			return 0, errInexact
		}
		return int64(v.Uint()), nil
	case value.Float:
		return wholeFloat(v.Float())
	case value.Text, value.Decimal:
		if i, err := strconv.ParseInt(wholeDigits(v.Str()), 10, 64); err == nil {
			return i, nil
		}
	case value.Bool:
		if v.Bool() {
			return 1, nil
		}
		return 0, nil
	case value.Null:
		return 0, errNoNull
	}
	return 0, mismatch(v, "whole number")
}

func asUint(v value.Value) (uint64, error) {
	switch v.Kind() {
	case value.Uint:
		return v.Uint(), nil
	case value.Text, value.Decimal:
		if u, err := strconv.ParseUint(wholeDigits(v.Str()), 10, 64); err == nil {
			return u, nil
		}
		return 0, mismatch(v, "whole number")
	default:
		i, err := asInt(v)
		if err == nil && i < 0 {
			err = errors.New("the number is negative")
		}
		return uint64(i), err
	}
}

func wholeFloat(f float64) (int64, error) {
	// The first float above the largest int64 is 2^63; -2^63 itself is an int64.
	if f != math.Trunc(f) || f < -(1<<63) || f >= 1<<63 {
		return 0, errInexact
	}
	return int64(f), nil
}

// wholeDigits cuts a fraction of zeros: "5.00" is the whole number 5.
func wholeDigits(s string) string {
	for i := range len(s) {
		if s[i] != '.' {
			continue
		}
		for _, c := range s[i+1:] {
			if c != '0' {
				return s
			}
		}
		return s[:i]
	}
	return s
}

func asFloat(v value.Value) (float64, error) {
	switch v.Kind() {
	case value.Float:
		return v.Float(), nil
	case value.Int:
		f := float64(v.Int())
		if i, err := wholeFloat(f); err != nil || i != v.Int() {
			return 0, errInexact
		}
		return f, nil
	case value.Uint:
		f := float64(v.Uint())
		if f >= 1<<64 || uint64(f) != v.Uint() {
			return 0, errInexact
		}
		return f, nil
	case value.Text, value.Decimal:
		if f, err := strconv.ParseFloat(v.Str(), 64); err == nil {
			return f, nil
		}
	case value.Null:
		return 0, errNoNull
	}
	return 0, mismatch(v, "number")
}

func asText(v value.Value) (string, error) {
	switch v.Kind() {
	case value.Text, value.JSON, value.Decimal:
		return v.Str(), nil
	case value.Bytes:
		if utf8.ValidString(v.Str()) {
			return v.Str(), nil
		}
		return "", mismatch(v, "text")
	case value.UUID, value.Int, value.Uint, value.Float:
		return v.String(), nil
	case value.Null:
		return "", errNoNull
	}
	return "", mismatch(v, "text")
}

func asBytes(v value.Value) (string, error) {
	switch v.Kind() {
	case value.Bytes, value.Text:
		return v.Str(), nil
	case value.UUID:
		u := v.UUID()
		return string(u[:]), nil
	case value.Null:
		return "", errNoNull
	}
	return "", mismatch(v, "byte string")
}

func asMicros(v value.Value) (int64, error) {
	switch v.Kind() {
	case value.Time:
		return v.Micros(), nil
	case value.Text:
		return parseMicros(v.Str())
	case value.Null:
		return 0, errNoNull
	}
	return 0, mismatch(v, "time")
}

func asUUID(v value.Value) ([16]byte, error) {
	switch v.Kind() {
	case value.UUID:
		return v.UUID(), nil
	case value.Text:
		if u, ok := ParseUUID(v.Str()); ok {
			return u, nil
		}
	case value.Bytes:
		if len(v.Str()) == 16 {
			return [16]byte([]byte(v.Str())), nil
		}
	case value.Null:
		return [16]byte{}, errNoNull
	}
	return [16]byte{}, mismatch(v, "UUID")
}

// ParseUUID reads the text of a UUID.
func ParseUUID(text string) (u [16]byte, ok bool) {
	parsed, err := uuid.Parse(text)
	return parsed, err == nil
}

func asJSON(v value.Value) (string, error) {
	switch v.Kind() {
	case value.JSON, value.Text, value.Bytes:
		return v.Str(), nil
	case value.Null:
		return "", errNoNull
	}
	return "", mismatch(v, "JSON text")
}

// coerce turns v into the kind that a column of the type holds.
func coerce(v value.Value, t value.Type) (out value.Value, err error) {
	switch t {
	case value.TypeBool:
		var b bool
		b, err = asBool(v)
		out = value.OfBool(b)
	case value.TypeInt16, value.TypeInt32, value.TypeInt64:
		var i int64
		i, err = asInt(v)
		out = value.OfInt(i)
	case value.TypeUint64:
		var u uint64
		u, err = asUint(v)
		out = value.OfUint(u)
	case value.TypeFloat32, value.TypeFloat64:
		var f float64
		f, err = asFloat(v)
		out = value.OfFloat(f)
	case value.TypeUUID:
		var u [16]byte
		u, err = asUUID(v)
		out = value.OfUUID(u)
	case value.TypeTime:
		var us int64
		us, err = asMicros(v)
		out = value.OfMicros(us)
	default:
		return coerceText(v, t)
	}
	return out, err
}

func coerceText(v value.Value, t value.Type) (value.Value, error) {
	switch t {
	case value.TypeText:
		s, err := asText(v)
		return value.OfText(s), err
	case value.TypeBytes:
		s, err := asBytes(v)
		return value.OfBytes([]byte(s)), err
	case value.TypeJSON:
		s, err := asJSON(v)
		return value.OfJSON(s), err
	case value.TypeDecimal:
		s, err := asText(v)
		if err != nil {
			return value.Value{}, err
		}
		return decimalOf(s)
	default:
		return v, nil
	}
}
