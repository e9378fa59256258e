package sqlitedriver

import (
	sqldriver "database/sql/driver"
	"errors"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/urutu-go/urutu/value"
)

// encode returns what is bound to a parameter of a type. An error says what is wrong with the value, without it.
func encode(v value.Value, t value.Type) (sqldriver.Value, error) {
	switch v.Kind() {
	case value.Bool:
		return v.Bool(), nil
	case value.Int:
		return encodeInt(v.Int(), t)
	case value.Uint:
		return encodeUnsigned(v.Uint(), t)
	case value.Float:
		return encodeFloat(v.Float(), t)
	case value.Text:
		return encodeText(v.Str(), t)
	case value.Bytes:
		return encodeBytes(v.Str(), t)
	case value.Time:
		return encodeTime(v.Micros())
	case value.UUID:
		if u := v.UUID(); t == value.TypeBytes {
			return u[:], nil
		}
		return value.FormatUUID(v.UUID()), nil
	case value.JSON, value.Decimal:
		return encodeText(v.Str(), value.TypeText)
	default:
		return nil, nil
	}
}

func encodeInt(i int64, t value.Type) (sqldriver.Value, error) {
	switch t {
	case value.TypeFloat32, value.TypeFloat64:
		return float64(i), nil
	case value.TypeText, value.TypeJSON, value.TypeDecimal:
		return strconv.FormatInt(i, 10), nil
	case value.TypeUint64:
		if i < 0 {
			return nil, errors.New("a negative number")
		}
	}
	return i, nil
}

func encodeUnsigned(u uint64, t value.Type) (sqldriver.Value, error) {
	switch t {
	case value.TypeUint64, value.TypeUnknown:
		return encodeUint(u), nil
	case value.TypeFloat32, value.TypeFloat64:
		return float64(u), nil
	case value.TypeText, value.TypeJSON, value.TypeDecimal:
		return strconv.FormatUint(u, 10), nil
	}
	if u > math.MaxInt64 {
		return nil, errors.New("a number above the type's range")
	}
	return int64(u), nil
}

// encodeUint returns an integer, or above the largest one 20 digits: SQLite orders text after integers, and text of one
// length by its digits.
func encodeUint(u uint64) sqldriver.Value {
	if u <= math.MaxInt64 {
		return int64(u)
	}
	s := strconv.FormatUint(u, 10)
	return "00000000000000000000"[len(s):] + s
}

func encodeFloat(f float64, t value.Type) (sqldriver.Value, error) {
	if math.IsNaN(f) {
		return nil, errors.New("NaN cannot be stored: SQLite makes NULL of it")
	}
	switch t {
	case value.TypeText, value.TypeJSON, value.TypeDecimal:
		return strconv.FormatFloat(f, 'f', -1, 64), nil
	}
	return f, nil
}

func encodeText(s string, t value.Type) (sqldriver.Value, error) {
	switch t {
	case value.TypeBytes:
		return []byte(s), nil
	case value.TypeUUID:
		u, ok := parseUUID(s)
		if !ok {
			return nil, errors.New("not a UUID")
		}
		return value.FormatUUID(u), nil
	case value.TypeTime:
		us, ok := parseTime(s)
		if !ok {
			return nil, errors.New("not a time")
		}
		return encodeTime(us)
	}
	if !utf8.ValidString(s) {
		return nil, errors.New("text that is not valid UTF-8")
	}
	return s, nil
}

func encodeBytes(s string, t value.Type) (sqldriver.Value, error) {
	switch t {
	case value.TypeUUID:
		if len(s) != 16 {
			return encodeText(s, t)
		}
		return value.FormatUUID([16]byte([]byte(s))), nil
	case value.TypeText, value.TypeJSON, value.TypeDecimal:
		return encodeText(s, t)
	}
	return []byte(s), nil
}
