package pgxdriver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/urutu-go/urutu/value"
)

// errLength says that a cell is not what its type promises.
var errLength = errors.New("malformed")

// formatOf returns the format in which columns of a type are asked for once the statement is described: binary where it
// is shorter or does not depend on settings. Before that every column comes as text, which can always be read.
func formatOf(oid uint32) int16 {
	switch oid {
	case pgtype.BoolOID, pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID, pgtype.Float4OID, pgtype.Float8OID,
		pgtype.ByteaOID, pgtype.TimestamptzOID, pgtype.TimestampOID, pgtype.DateOID, pgtype.UUIDOID:
		return binaryFormat
	default:
		return textFormat
	}
}

// decode reads a cell of a column of the server's type into a value of the declared type: by what the server says it
// is, and then, where that loses nothing, as what it was declared to be.
func decode(oid uint32, format int16, t value.Type, b []byte) (value.Value, error) {
	if b == nil {
		return value.Value{}, nil
	}
	var v value.Value
	var err error
	if format == binaryFormat {
		v, err = decodeBinary(oid, b)
	} else {
		v, err = decodeText(oid, b)
	}
	if err != nil {
		return value.Value{}, fmt.Errorf("type %d: %w", oid, err)
	}
	if t == value.TypeUnknown || v.Kind() == kinds[t] {
		return v, nil
	}
	return coerce(v, t), nil
}

// kinds are the kinds that values of each type have.
var kinds = [...]value.Kind{
	value.TypeBool: value.Bool, value.TypeInt16: value.Int, value.TypeInt32: value.Int, value.TypeInt64: value.Int,
	value.TypeUint64: value.Uint, value.TypeFloat32: value.Float, value.TypeFloat64: value.Float,
	value.TypeText: value.Text, value.TypeBytes: value.Bytes, value.TypeTime: value.Time, value.TypeUUID: value.UUID,
	value.TypeJSON: value.JSON, value.TypeDecimal: value.Decimal,
}

// decodeBinary reads a cell of one of the types that formatOf asks for in binary.
func decodeBinary(oid uint32, b []byte) (value.Value, error) {
	switch oid {
	case pgtype.ByteaOID:
		return value.OfBytes(b), nil
	case pgtype.UUIDOID:
		if len(b) != 16 {
			return value.Value{}, errLength
		}
		return value.OfUUID([16]byte(b)), nil
	default:
		return decodeFixed(oid, b)
	}
}

// decodeFixed reads the types whose binary form is a number of fixed length.
func decodeFixed(oid uint32, b []byte) (value.Value, error) {
	var n uint64
	switch len(b) {
	case 1:
		n = uint64(b[0])
	case 2:
		n = uint64(int16(binary.BigEndian.Uint16(b)))
	case 4:
		n = uint64(int32(binary.BigEndian.Uint32(b)))
	case 8:
		n = binary.BigEndian.Uint64(b)
	default:
		return value.Value{}, errLength
	}
	switch {
	case oid == pgtype.BoolOID && len(b) == 1:
		return value.OfBool(n != 0), nil
	case oid == pgtype.Int2OID && len(b) == 2, oid == pgtype.Int4OID && len(b) == 4, oid == pgtype.Int8OID && len(b) == 8:
		return value.OfInt(int64(n)), nil
	case oid == pgtype.OIDOID && len(b) == 4:
		return value.OfInt(int64(uint32(n))), nil
	case oid == pgtype.Float4OID && len(b) == 4:
		return value.OfFloat(float64(math.Float32frombits(uint32(n)))), nil
	case oid == pgtype.Float8OID && len(b) == 8:
		return value.OfFloat(math.Float64frombits(n)), nil
	case (oid == pgtype.TimestamptzOID || oid == pgtype.TimestampOID) && len(b) == 8:
		return micros(int64(n))
	case oid == pgtype.DateOID && len(b) == 4:
		return days(int32(n))
	default:
		return value.Value{}, errLength
	}
}

// micros turns microseconds since 2000 into an instant. The infinities are the first and last that a Value can hold.
func micros(us int64) (value.Value, error) {
	switch {
	case us == math.MinInt64 || us == math.MaxInt64:
	case us > math.MaxInt64-epoch2000-1:
		return value.Value{}, errRange
	default:
		us += epoch2000
	}
	return value.OfMicros(us), nil
}

// days turns days since 2000 into the instant at which that day begins in UTC.
func days(d int32) (value.Value, error) {
	const day = 24 * 60 * 60 * 1_000_000
	switch {
	case d == math.MaxInt32:
		return value.OfMicros(math.MaxInt64), nil
	case d == math.MinInt32:
		return value.OfMicros(math.MinInt64), nil
	case int64(d) > (math.MaxInt64-epoch2000)/day-1, int64(d) < math.MinInt64/day+1:
		return value.Value{}, errRange
	}
	return value.OfMicros(int64(d)*day + epoch2000), nil
}

// coerce turns v into the kind that values of t have, where that loses nothing. Anything else stays as it is: the
// mapping knows the field, and its error names it.
func coerce(v value.Value, t value.Type) value.Value {
	switch t {
	case value.TypeInt16, value.TypeInt32, value.TypeInt64:
		return coerceInt(v)
	case value.TypeUint64:
		return coerceUint(v)
	case value.TypeFloat32, value.TypeFloat64:
		return coerceFloat(v)
	case value.TypeDecimal:
		return coerceDecimal(v)
	case value.TypeText:
		if v.Kind() != value.Bytes && !v.IsNull() {
			return value.OfText(v.String())
		}
	case value.TypeBytes:
		if v.Kind() == value.Text {
			return value.OfBytes([]byte(v.Str()))
		}
	case value.TypeJSON:
		if v.Kind() == value.Text {
			return value.OfJSON(v.Str())
		}
	case value.TypeBool:
		if v.Kind() == value.Int && v.Int()>>1 == 0 {
			return value.OfBool(v.Int() == 1)
		}
	}
	return v
}

func coerceInt(v value.Value) value.Value {
	switch v.Kind() {
	case value.Decimal, value.Text:
		if i, err := strconv.ParseInt(v.Str(), 10, 64); err == nil {
			return value.OfInt(i)
		}
	}
	return v
}

func coerceUint(v value.Value) value.Value {
	switch v.Kind() {
	case value.Int:
		if v.Int() >= 0 {
			return value.OfUint(uint64(v.Int()))
		}
	case value.Decimal, value.Text:
		if u, err := strconv.ParseUint(v.Str(), 10, 64); err == nil {
			return value.OfUint(u)
		}
	}
	return v
}

func coerceFloat(v value.Value) value.Value {
	switch v.Kind() {
	case value.Int:
		if i := v.Int(); i <= maxExact && i >= -maxExact {
			return value.OfFloat(float64(i))
		}
	case value.Decimal:
		if f, err := strconv.ParseFloat(v.Str(), 64); err == nil {
			return value.OfFloat(f)
		}
	}
	return v
}

func coerceDecimal(v value.Value) value.Value {
	switch v.Kind() {
	case value.Int, value.Float, value.Text:
		return value.OfDecimal(v.String())
	}
	return v
}
