package pgxdriver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/urutu-go/urutu/value"
)

// wire is how a parameter of a type travels.
type wire struct {
	oid, array uint32
	format     int16
}

const (
	textFormat   = 0
	binaryFormat = 1
)

// wireOf returns how parameters of a type travel. Those without an OID travel as text, and the server finds their type
// from the statement.
func wireOf(t value.Type) wire {
	switch t {
	case value.TypeBool:
		return wire{pgtype.BoolOID, pgtype.BoolArrayOID, binaryFormat}
	case value.TypeInt16:
		return wire{pgtype.Int2OID, pgtype.Int2ArrayOID, binaryFormat}
	case value.TypeInt32:
		return wire{pgtype.Int4OID, pgtype.Int4ArrayOID, binaryFormat}
	case value.TypeInt64:
		return wire{pgtype.Int8OID, pgtype.Int8ArrayOID, binaryFormat}
	case value.TypeFloat32:
		return wire{pgtype.Float4OID, pgtype.Float4ArrayOID, binaryFormat}
	case value.TypeFloat64:
		return wire{pgtype.Float8OID, pgtype.Float8ArrayOID, binaryFormat}
	case value.TypeText:
		return wire{pgtype.TextOID, pgtype.TextArrayOID, binaryFormat}
	case value.TypeBytes:
		return wire{pgtype.ByteaOID, pgtype.ByteaArrayOID, binaryFormat}
	case value.TypeTime:
		return wire{pgtype.TimestamptzOID, pgtype.TimestamptzArrayOID, binaryFormat}
	case value.TypeUUID:
		return wire{pgtype.UUIDOID, pgtype.UUIDArrayOID, binaryFormat}
	case value.TypeJSON:
		return wire{pgtype.JSONBOID, pgtype.JSONBArrayOID, binaryFormat}
	case value.TypeUint64, value.TypeDecimal:
		return wire{pgtype.NumericOID, pgtype.NumericArrayOID, textFormat}
	default:
		return wire{}
	}
}

// What a parameter can be refused for. None of them holds the value, which may be a secret.
var (
	errRange   = errors.New("out of range")
	errNUL     = errors.New("a NUL character cannot be stored in text")
	errUTF8    = errors.New("not valid UTF-8")
	errDecimal = errors.New("not a decimal number")
)

func errKind(v value.Value) error { return fmt.Errorf("a value of kind %d", v.Kind()) }

// epoch2000 is the microsecond from which PostgreSQL counts: 2000-01-01 in UTC.
const epoch2000 = 946684800_000000

// The first microsecond that a timestamptz can hold, 4714-11-24 BC. The last that a Value can hold is before its last.
const firstMicro = -211813488000000000 + epoch2000

// jsonbVersion precedes jsonb text in binary format.
const jsonbVersion = 1

// appendValue appends the value, which is not NULL, as a parameter of the type in the type's format.
func appendValue(b []byte, t value.Type, v value.Value) ([]byte, error) {
	switch t {
	case value.TypeBool:
		if v.Kind() != value.Bool {
			return b, errKind(v)
		}
		if v.Bool() {
			return append(b, 1), nil
		}
		return append(b, 0), nil
	case value.TypeInt16, value.TypeInt32, value.TypeInt64:
		return appendInt(b, t, v)
	case value.TypeFloat32, value.TypeFloat64:
		return appendFloat(b, t, v)
	case value.TypeText:
		return appendText(b, v)
	case value.TypeBytes:
		if v.Kind() != value.Bytes && v.Kind() != value.Text {
			return b, errKind(v)
		}
		return append(b, v.Str()...), nil
	case value.TypeTime:
		return appendTime(b, v)
	case value.TypeUUID:
		return appendUUID(b, v)
	case value.TypeJSON:
		if v.Kind() != value.JSON && v.Kind() != value.Text {
			return b, errKind(v)
		}
		if escapesNUL(v.Str()) {
			return b, errNUL
		}
		return appendString(append(b, jsonbVersion), v.Str())
	case value.TypeUint64, value.TypeDecimal:
		return appendNumber(b, t, v)
	default:
		return appendLoose(b, v)
	}
}

// integer returns an integer's value, whichever kind holds it.
func integer(v value.Value) (int64, error) {
	switch v.Kind() {
	case value.Int:
		return v.Int(), nil
	case value.Uint:
		if v.Uint() > math.MaxInt64 {
			return 0, errRange
		}
		return int64(v.Uint()), nil
	default:
		return 0, errKind(v)
	}
}

func appendInt(b []byte, t value.Type, v value.Value) ([]byte, error) {
	i, err := integer(v)
	switch {
	case err != nil:
		return b, err
	case t == value.TypeInt64:
		return binary.BigEndian.AppendUint64(b, uint64(i)), nil
	case t == value.TypeInt32 && i == int64(int32(i)):
		return binary.BigEndian.AppendUint32(b, uint32(i)), nil
	case t == value.TypeInt16 && i == int64(int16(i)):
		return binary.BigEndian.AppendUint16(b, uint16(i)), nil
	default:
		return b, errRange
	}
}

// maxExact is the largest integer below which every integer is a float64.
const maxExact = 1 << 53

func appendFloat(b []byte, t value.Type, v value.Value) ([]byte, error) {
	f := v.Float()
	if v.Kind() != value.Float {
		i, err := integer(v)
		if err != nil {
			return b, err
		}
		if i > maxExact || i < -maxExact {
			return b, errRange
		}
		f = float64(i)
	}
	if t == value.TypeFloat64 {
		return binary.BigEndian.AppendUint64(b, math.Float64bits(f)), nil
	}
	if math.IsInf(float64(float32(f)), 0) && !math.IsInf(f, 0) {
		return b, errRange
	}
	return binary.BigEndian.AppendUint32(b, math.Float32bits(float32(f))), nil
}

// appendText appends what is text, or has one text form that reads back as the same value.
func appendText(b []byte, v value.Value) ([]byte, error) {
	switch v.Kind() {
	case value.Text, value.JSON, value.Decimal:
		return appendString(b, v.Str())
	case value.UUID:
		return append(b, value.FormatUUID(v.UUID())...), nil
	default:
		return b, errKind(v)
	}
}

// appendString appends text that PostgreSQL can store.
func appendString(b []byte, s string) ([]byte, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return b, errNUL
	}
	if !utf8.ValidString(s) {
		return b, errUTF8
	}
	return append(b, s...), nil
}

// escapesNUL reports whether JSON text has the character NUL in a string, which jsonb refuses. A backslash before the
// escape's own makes it the text \\u0000.
func escapesNUL(s string) bool {
	for {
		before, after, found := strings.Cut(s, `\u0000`)
		if !found {
			return false
		}
		if (len(before)-len(strings.TrimRight(before, `\`)))%2 == 0 {
			return true
		}
		s = after
	}
}

// appendTime appends an instant. The first and last that a Value can hold stand for the infinities.
func appendTime(b []byte, v value.Value) ([]byte, error) {
	if v.Kind() != value.Time {
		return b, errKind(v)
	}
	us := v.Micros()
	switch {
	case us == math.MinInt64 || us == math.MaxInt64:
	case us < firstMicro:
		return b, errRange
	default:
		us -= epoch2000
	}
	return binary.BigEndian.AppendUint64(b, uint64(us)), nil
}

func appendUUID(b []byte, v value.Value) ([]byte, error) {
	switch {
	case v.Kind() == value.UUID:
		hi, lo := v.Halves()
		return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, hi), lo), nil
	case v.Kind() == value.Bytes && len(v.Str()) == 16:
		return append(b, v.Str()...), nil
	default:
		return b, errKind(v)
	}
}

// appendNumber appends the text of a numeric.
func appendNumber(b []byte, t value.Type, v value.Value) ([]byte, error) {
	switch v.Kind() {
	case value.Uint:
		return strconv.AppendUint(b, v.Uint(), 10), nil
	case value.Int:
		if t == value.TypeUint64 && v.Int() < 0 {
			return b, errRange
		}
		return strconv.AppendInt(b, v.Int(), 10), nil
	case value.Decimal, value.Text:
		if t == value.TypeUint64 {
			return b, errKind(v)
		}
		if !isDecimal(v.Str()) {
			return b, errDecimal
		}
		return append(b, v.Str()...), nil
	default:
		return b, errKind(v)
	}
}

// isDecimal reports whether s is a number as PostgreSQL reads them.
func isDecimal(s string) bool {
	s = strings.TrimLeft(s, "+-")
	switch strings.ToLower(s) {
	case "nan", "infinity", "inf":
		return true
	}
	digits := false
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits = true
		case c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-':
		default:
			return false
		}
	}
	return digits
}

// appendLoose appends the text form of a value whose type only the server knows.
func appendLoose(b []byte, v value.Value) ([]byte, error) {
	switch v.Kind() {
	case value.Bool:
		return strconv.AppendBool(b, v.Bool()), nil
	case value.Int:
		return strconv.AppendInt(b, v.Int(), 10), nil
	case value.Uint:
		return strconv.AppendUint(b, v.Uint(), 10), nil
	case value.Float:
		return appendFloatText(b, v.Float()), nil
	case value.Bytes:
		const hex = "0123456789abcdef"
		b = append(b, '\\', 'x')
		for i := range len(v.Str()) {
			c := v.Str()[i]
			b = append(b, hex[c>>4], hex[c&15])
		}
		return b, nil
	case value.Time:
		return appendTimeText(b, v)
	default:
		return appendText(b, v)
	}
}

func appendFloatText(b []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(b, "Infinity"...)
	case math.IsInf(f, -1):
		return append(b, "-Infinity"...)
	default:
		return strconv.AppendFloat(b, f, 'g', -1, 64)
	}
}

// appendTimeText appends an instant as ISO 8601 with PostgreSQL's era.
func appendTimeText(b []byte, v value.Value) ([]byte, error) {
	switch us := v.Micros(); {
	case us == math.MaxInt64:
		return append(b, "infinity"...), nil
	case us == math.MinInt64:
		return append(b, "-infinity"...), nil
	case us < firstMicro:
		return b, errRange
	}
	t := v.Time()
	if t.Year() > 0 {
		return t.AppendFormat(b, "2006-01-02 15:04:05.000000+00"), nil
	}
	b = fmt.Appendf(b, "%04d", 1-t.Year())
	return t.AppendFormat(b, "-01-02 15:04:05.000000+00 BC"), nil
}
