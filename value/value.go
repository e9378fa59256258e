package value

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"
)

// Kind says what a [Value] holds.
type Kind uint8

// The kinds. The zero Value is Null.
const (
	Null Kind = iota
	Bool
	Int     // a signed 64-bit integer
	Uint    // an unsigned 64-bit integer
	Float   // a 64-bit float
	Text    // a string
	Bytes   // a byte string
	Time    // microseconds since 1970 in UTC
	UUID    // sixteen bytes
	JSON    // JSON text
	Decimal // a decimal number's text
)

// Value is one cell of a table. The zero Value is NULL. Values compare with ==, and are immutable.
type Value struct {
	kind Kind
	hi   uint64 // integers, float bits, microseconds, the first half of a UUID
	lo   uint64 // the second half of a UUID
	str  string // text, bytes, JSON, decimals
}

// Parts takes a value apart, for those who keep many in less memory.
func Parts(v *Value) (k Kind, hi, lo uint64, str string) { return v.kind, v.hi, v.lo, v.str }

// OfParts puts a value together again.
func OfParts(k Kind, hi, lo uint64, str string) Value {
	return Value{kind: k, hi: hi, lo: lo, str: str}
}

// OfBool returns a boolean.
func OfBool(b bool) Value {
	if b {
		return Value{kind: Bool, hi: 1}
	}
	return Value{kind: Bool}
}

// OfInt returns a signed integer.
func OfInt(i int64) Value { return Value{kind: Int, hi: uint64(i)} }

// OfUint returns an unsigned integer.
func OfUint(u uint64) Value { return Value{kind: Uint, hi: u} }

// OfFloat returns a float. Negative zero becomes zero and every NaN the same one, so that neither is ever seen as a
// change of the other.
func OfFloat(f float64) Value {
	switch {
	case f == 0:
		f = 0
	case f != f:
		f = math.NaN()
	}
	return Value{kind: Float, hi: math.Float64bits(f)}
}

// OfText returns a string.
func OfText(s string) Value { return Value{kind: Text, str: s} }

// OfBytes returns a byte string, copied from b. A nil b is NULL, an empty one is not.
func OfBytes(b []byte) Value {
	if b == nil {
		return Value{}
	}
	return Value{kind: Bytes, str: string(b)}
}

// OfTime returns an instant, cut to whole microseconds. Its zone and monotonic reading do not matter.
func OfTime(t time.Time) Value { return Value{kind: Time, hi: uint64(t.UnixMicro())} }

// OfMicros returns the instant that is us microseconds after 1970 began in UTC.
func OfMicros(us int64) Value { return Value{kind: Time, hi: uint64(us)} }

// OfUUID returns a UUID.
func OfUUID(u [16]byte) Value {
	return Value{kind: UUID, hi: binary.BigEndian.Uint64(u[:8]), lo: binary.BigEndian.Uint64(u[8:])}
}

// OfJSON returns JSON text, taken as it is.
func OfJSON(s string) Value { return Value{kind: JSON, str: s} }

// OfDecimal returns a decimal number's text, taken as it is.
func OfDecimal(s string) Value { return Value{kind: Decimal, str: s} }

// Kind returns what v holds.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether v is NULL.
func (v Value) IsNull() bool { return v.kind == Null }

// Bool returns a Bool's value.
func (v Value) Bool() bool { return v.hi != 0 }

// Int returns an Int's value.
func (v Value) Int() int64 { return int64(v.hi) }

// Uint returns a Uint's value.
func (v Value) Uint() uint64 { return v.hi }

// Float returns a Float's value.
func (v Value) Float() float64 { return math.Float64frombits(v.hi) }

// Str returns what a Text, Bytes, JSON or Decimal holds.
func (v Value) Str() string { return v.str }

// Micros returns a Time's microseconds since 1970.
func (v Value) Micros() int64 { return int64(v.hi) }

// Time returns a Time's instant in UTC.
func (v Value) Time() time.Time { return time.UnixMicro(int64(v.hi)).UTC() }

// UUID returns a UUID's bytes.
func (v Value) UUID() (u [16]byte) {
	binary.BigEndian.PutUint64(u[:8], v.hi)
	binary.BigEndian.PutUint64(u[8:], v.lo)
	return u
}

// Halves returns the two halves of a UUID, or an integer's bits and zero: what a hash of a key needs.
func (v Value) Halves() (hi, lo uint64) { return v.hi, v.lo }

// String prints the value for a person: a key in an error, a cell in a test.
func (v Value) String() string {
	switch v.kind {
	case Bool:
		return strconv.FormatBool(v.Bool())
	case Int:
		return strconv.FormatInt(v.Int(), 10)
	case Uint:
		return strconv.FormatUint(v.hi, 10)
	case Float:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case Text, JSON, Decimal:
		return v.str
	case Bytes:
		return strconv.Itoa(len(v.str)) + " bytes"
	case Time:
		return v.Time().Format(time.RFC3339Nano)
	case UUID:
		return FormatUUID(v.UUID())
	default:
		return "NULL"
	}
}

// Size returns the length in bytes of what v holds, for logs that must not print it.
func (v Value) Size() int {
	switch v.kind {
	case Null:
		return 0
	case Bool:
		return 1
	case Text, Bytes, JSON, Decimal:
		return len(v.str)
	case UUID:
		return 16
	default:
		return 8
	}
}

// FormatUUID prints a UUID in its usual form.
func FormatUUID(u [16]byte) string {
	const hex = "0123456789abcdef"
	var b [36]byte
	j := 0
	for i, x := range u {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b[j] = '-'
			j++
		}
		b[j], b[j+1] = hex[x>>4], hex[x&15]
		j += 2
	}
	return string(b[:])
}
