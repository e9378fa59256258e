package sqlitedriver

import (
	sqldriver "database/sql/driver"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/urutu-go/urutu/value"
)

// decode returns the value of a cell in a column of a type. A cell that is not of the type and cannot be read as one is
// handed on as it was found: whoever maps it can name the field.
func decode(cell sqldriver.Value, t value.Type) value.Value {
	switch x := cell.(type) {
	case int64:
		return decodeInt(x, t)
	case float64:
		return decodeFloat(x, t)
	case bool:
		return value.OfBool(x)
	case string:
		return decodeText(x, t)
	case []byte:
		return decodeBytes(x, t)
	case time.Time: // the SQLite package reads text in a column declared DATETIME as one
		if t == value.TypeText {
			return decodeTimeAsText(x)
		}
		return value.OfTime(x)
	default:
		return value.Value{}
	}
}

func decodeInt(i int64, t value.Type) value.Value {
	switch t {
	case value.TypeBool:
		return value.OfBool(i != 0)
	case value.TypeUint64:
		if i >= 0 {
			return value.OfUint(uint64(i))
		}
	case value.TypeFloat32, value.TypeFloat64:
		return value.OfFloat(float64(i))
	case value.TypeText:
		return value.OfText(strconv.FormatInt(i, 10))
	case value.TypeJSON:
		return value.OfJSON(strconv.FormatInt(i, 10))
	case value.TypeDecimal:
		return value.OfDecimal(strconv.FormatInt(i, 10))
	case value.TypeTime: // SQLite's own functions take an integer for seconds since 1970
		if us := i * 1e6; us/1e6 == i {
			return value.OfMicros(us)
		}
	}
	return value.OfInt(i)
}

func decodeFloat(f float64, t value.Type) value.Value {
	switch t {
	case value.TypeBool:
		return value.OfBool(f != 0)
	case value.TypeInt16, value.TypeInt32, value.TypeInt64:
		// Beyond 2^53 a float is no exact count of anything.
		if f == math.Trunc(f) && math.Abs(f) <= 1<<53 {
			return value.OfInt(int64(f))
		}
	case value.TypeUint64:
		if f == math.Trunc(f) && 0 <= f && f <= 1<<53 {
			return value.OfUint(uint64(f))
		}
	case value.TypeText:
		return value.OfText(strconv.FormatFloat(f, 'g', -1, 64))
	case value.TypeJSON:
		if !math.IsInf(f, 0) {
			return value.OfJSON(strconv.FormatFloat(f, 'g', -1, 64))
		}
	case value.TypeDecimal:
		if !math.IsInf(f, 0) {
			return value.OfDecimal(strconv.FormatFloat(f, 'f', -1, 64))
		}
	}
	return value.OfFloat(f)
}

func decodeText(s string, t value.Type) value.Value {
	switch t {
	case value.TypeBool:
		switch strings.ToLower(s) {
		case "1", "t", "true", "y", "yes", "on":
			return value.OfBool(true)
		case "0", "f", "false", "n", "no", "off":
			return value.OfBool(false)
		}
	case value.TypeInt16, value.TypeInt32, value.TypeInt64:
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return value.OfInt(i)
		}
	case value.TypeUint64:
		if u, err := strconv.ParseUint(s, 10, 64); err == nil {
			return value.OfUint(u)
		}
	case value.TypeFloat32, value.TypeFloat64:
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return value.OfFloat(f)
		}
	case value.TypeBytes:
		return value.OfBytes([]byte(s))
	case value.TypeTime:
		if us, ok := parseTime(s); ok {
			return value.OfMicros(us)
		}
	case value.TypeUUID:
		if u, ok := parseUUID(s); ok {
			return value.OfUUID(u)
		}
	case value.TypeJSON:
		return value.OfJSON(s)
	case value.TypeDecimal:
		return value.OfDecimal(s)
	}
	return value.OfText(s)
}

func decodeBytes(b []byte, t value.Type) value.Value {
	switch t {
	case value.TypeUnknown, value.TypeBytes:
	case value.TypeUUID:
		if len(b) == 16 {
			return value.OfUUID([16]byte(b))
		}
		fallthrough
	default:
		// Text that was stored as a blob reads as what it says, if it says anything of the type.
		if v := decodeText(string(b), t); v.Kind() != value.Text || t == value.TypeText {
			return v
		}
	}
	if b == nil { // the SQLite package's empty blob; NULL does not come here
		b = []byte{}
	}
	return value.OfBytes(b)
}

// parseUUID reads the canonical form, in either case, and the one without hyphens.
func parseUUID(s string) (u [16]byte, ok bool) {
	if len(s) == 36 {
		if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
			return u, false
		}
		s = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	}
	if len(s) != 32 {
		return u, false
	}
	for i := range u {
		hi, lo := hexDigit(s[2*i]), hexDigit(s[2*i+1])
		if hi < 0 || lo < 0 {
			return [16]byte{}, false
		}
		u[i] = byte(hi<<4 | lo)
	}
	return u, true
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
