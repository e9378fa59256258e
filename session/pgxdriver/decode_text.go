package pgxdriver

import (
	"bytes"
	"encoding/hex"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/urutu-go/urutu/value"
)

// decodeText reads a cell in text format. A type that is not known is text.
func decodeText(oid uint32, b []byte) (value.Value, error) {
	switch oid {
	case pgtype.BoolOID:
		if len(b) != 1 {
			return value.Value{}, errLength
		}
		return value.OfBool(b[0] == 't'), nil
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID:
		i, err := strconv.ParseInt(string(b), 10, 64)
		if err != nil {
			return value.Value{}, errLength
		}
		return value.OfInt(i), nil
	case pgtype.Float4OID:
		return parseFloat(b, 32)
	case pgtype.Float8OID:
		return parseFloat(b, 64)
	case pgtype.NumericOID:
		return value.OfDecimal(string(b)), nil
	case pgtype.ByteaOID:
		return parseBytes(b)
	case pgtype.UUIDOID:
		return parseUUID(b)
	case pgtype.JSONOID, pgtype.JSONBOID:
		return value.OfJSON(string(b)), nil
	case pgtype.TimestamptzOID, pgtype.TimestampOID, pgtype.DateOID:
		return parseTime(b)
	default:
		return value.OfText(string(b)), nil
	}
}

func parseFloat(b []byte, bits int) (value.Value, error) {
	f, err := strconv.ParseFloat(string(b), bits)
	if err != nil {
		return value.Value{}, errLength
	}
	return value.OfFloat(f), nil
}

// parseBytes reads both forms of bytea: hex, and the old one with octal escapes.
func parseBytes(b []byte) (value.Value, error) {
	if digits, ok := bytes.CutPrefix(b, []byte(`\x`)); ok {
		out := make([]byte, hex.DecodedLen(len(digits)))
		if _, err := hex.Decode(out, digits); err != nil {
			return value.Value{}, errLength
		}
		return value.OfBytes(out), nil
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] != '\\':
			out = append(out, b[i])
		case i+1 < len(b) && b[i+1] == '\\':
			out = append(out, '\\')
			i++
		case i+3 < len(b):
			c, err := strconv.ParseUint(string(b[i+1:i+4]), 8, 8)
			if err != nil {
				return value.Value{}, errLength
			}
			out = append(out, byte(c))
			i += 3
		default:
			return value.Value{}, errLength
		}
	}
	return value.OfBytes(out), nil
}

// parseUUID reads the canonical form, which is the only one that the server writes.
func parseUUID(b []byte) (value.Value, error) {
	var u [16]byte
	if len(b) != 36 || b[8] != '-' || b[13] != '-' || b[18] != '-' || b[23] != '-' {
		return value.Value{}, errLength
	}
	var digits [32]byte
	copy(digits[:], b[:8])
	copy(digits[8:], b[9:13])
	copy(digits[12:], b[14:18])
	copy(digits[16:], b[19:23])
	copy(digits[20:], b[24:])
	if _, err := hex.Decode(u[:], digits[:]); err != nil {
		return value.Value{}, errLength
	}
	return value.OfUUID(u), nil
}

// scanner reads the parts of a text from its front. A part that is not there makes it fail for good.
type scanner struct {
	b   []byte
	bad bool
}

// digits reads at least least and at most most digits.
func (s *scanner) digits(least, most int) int {
	n, i := 0, 0
	for ; i < len(s.b) && i < most && s.b[i] >= '0' && s.b[i] <= '9'; i++ {
		n = n*10 + int(s.b[i]-'0')
	}
	if i < least {
		s.bad = true
	}
	s.b = s.b[i:]
	return n
}

// skip reads a mark if it is there.
func (s *scanner) skip(mark string) bool {
	rest, ok := bytes.CutPrefix(s.b, []byte(mark))
	s.b = rest
	return ok
}

// expect reads a mark that has to be there.
func (s *scanner) expect(mark string) {
	if !s.skip(mark) {
		s.bad = true
	}
}

// parseTime reads a date or a timestamp with or without a zone, as DateStyle ISO has it. Without a zone it is UTC.
func parseTime(b []byte) (value.Value, error) {
	switch string(b) {
	case "infinity":
		return value.OfMicros(math.MaxInt64), nil
	case "-infinity":
		return value.OfMicros(math.MinInt64), nil
	}
	s := &scanner{b: b}
	year := s.digits(4, 7)
	s.expect("-")
	month := s.digits(2, 2)
	s.expect("-")
	day := s.digits(2, 2)
	var hour, minute, second, micro, zone int
	if s.skip(" ") && !s.skip("BC") {
		hour, minute, second, micro, zone = s.clock()
		s.skip(" ")
	}
	if bytes.HasSuffix(b, []byte(" BC")) {
		s.skip("BC")
		year = 1 - year
	}
	if s.bad || len(s.b) > 0 || year > 294277 || year < -4800 {
		return value.Value{}, errLength
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second-zone, micro*1000, time.UTC)
	if t.After(time.UnixMicro(math.MaxInt64)) {
		return value.Value{}, errRange
	}
	return value.OfTime(t), nil
}

// clock reads the time of a day and its zone in seconds east of Greenwich.
func (s *scanner) clock() (hour, minute, second, micro, zone int) {
	hour = s.digits(2, 2)
	s.expect(":")
	minute = s.digits(2, 2)
	s.expect(":")
	second = s.digits(2, 2)
	if s.skip(".") {
		before := len(s.b)
		micro = s.digits(1, 6)
		for range 6 - (before - len(s.b)) {
			micro *= 10
		}
	}
	sign := 0
	if s.skip("+") {
		sign = 1
	} else if s.skip("-") {
		sign = -1
	}
	if sign == 0 {
		return hour, minute, second, micro, 0
	}
	zone = s.digits(2, 2) * 3600
	if s.skip(":") {
		zone += s.digits(2, 2) * 60
	}
	if s.skip(":") {
		zone += s.digits(2, 2)
	}
	return hour, minute, second, micro, sign * zone
}
