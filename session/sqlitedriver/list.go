package sqlitedriver

import (
	sqldriver "database/sql/driver"
	"encoding/hex"
	"math"
	"strconv"

	"github.com/urutu-go/urutu/value"
)

// encodeList returns the JSON array that a list of values is bound as: see dialect.SQLite. Each element is what it would
// be bound as by itself.
func encodeList(list []value.Value, t value.Type) (sqldriver.Value, error) {
	b := append(make([]byte, 0, 2+40*len(list)), '[')
	for i, v := range list {
		stored, err := encode(v, t)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = appendElement(b, stored)
	}
	return string(append(b, ']')), nil
}

func appendElement(b []byte, stored sqldriver.Value) []byte {
	switch x := stored.(type) {
	case int64:
		return strconv.AppendInt(b, x, 10)
	case bool:
		return strconv.AppendBool(b, x)
	case float64:
		return appendFloat(b, x)
	case string:
		return appendText(b, x)
	case []byte:
		b = append(b, `["`...)
		b = hex.AppendEncode(b, x)
		return append(b, `"]`...)
	default:
		return append(b, "null"...)
	}
}

// appendFloat writes an infinity as a number that is too large for a float, which SQLite reads as one.
func appendFloat(b []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(b, "9e999"...)
	case math.IsInf(f, -1):
		return append(b, "-9e999"...)
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}

const hexDigits = "0123456789abcdef"

// appendText writes a JSON string. What is not valid UTF-8 has been refused already.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
