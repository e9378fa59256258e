package query

import (
	"encoding/binary"
	"math"

	"github.com/urutu-go/urutu/value"
)

// place is where a page begins or ends in an ordered list: at a row, told by the values that the list is ordered by.
type place struct {
	back   bool   // the page ends here, and does not begin
	with   bool   // the row itself is on it
	order  uint64 // what the list is ordered by
	filter uint64 // which rows are in it
	values []value.Value
}

// The bits of a place's first byte.
const (
	placeBack = 1 << iota
	placeWith
	placeKnown
)

// encode appends the place to b.
func (p *place) encode(b []byte) []byte {
	var flags byte
	if p.back {
		flags |= placeBack
	}
	if p.with {
		flags |= placeWith
	}
	b = append(b, flags)
	b = binary.BigEndian.AppendUint64(b, p.order)
	b = binary.BigEndian.AppendUint64(b, p.filter)
	for i := range p.values {
		b = appendValue(b, &p.values[i])
	}
	return b
}

// decodePlace reads a place. Not every byte string is one.
func decodePlace(b []byte) (p place, ok bool) {
	if len(b) < 17 || b[0] >= placeKnown {
		return p, false
	}
	p.back, p.with = b[0]&placeBack != 0, b[0]&placeWith != 0
	p.order, p.filter = binary.BigEndian.Uint64(b[1:]), binary.BigEndian.Uint64(b[9:])
	for b = b[17:]; len(b) > 0; {
		var v value.Value
		if v, b, ok = cutValue(b); !ok {
			return place{}, false
		}
		p.values = append(p.values, v)
	}
	return p, true
}

// appendValue appends a value: its kind, and as many bytes as it needs.
func appendValue(b []byte, v *value.Value) []byte {
	kind, hi, lo, text := value.Parts(v)
	b = append(b, byte(kind))
	switch kind {
	case value.Bool:
		return append(b, byte(hi))
	case value.Int, value.Time:
		return binary.AppendVarint(b, int64(hi))
	case value.Uint:
		return binary.AppendUvarint(b, hi)
	case value.Float:
		return binary.BigEndian.AppendUint64(b, hi)
	case value.UUID:
		return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, hi), lo)
	case value.Text, value.Bytes, value.JSON, value.Decimal:
		return append(binary.AppendUvarint(b, uint64(len(text))), text...)
	default:
		return b
	}
}

// cutValue reads a value from the beginning of b, and returns the rest.
func cutValue(b []byte) (v value.Value, rest []byte, ok bool) {
	kind, b := value.Kind(b[0]), b[1:]
	switch kind {
	case value.Null:
		return v, b, true
	case value.Bool:
		if len(b) < 1 || b[0] > 1 {
			return v, nil, false
		}
		return value.OfBool(b[0] == 1), b[1:], true
	case value.Int, value.Time:
		i, n := binary.Varint(b)
		return value.OfParts(kind, uint64(i), 0, ""), b[max(n, 0):], n > 0
	case value.Uint:
		u, n := binary.Uvarint(b)
		return value.OfUint(u), b[max(n, 0):], n > 0
	case value.Float:
		if len(b) < 8 {
			return v, nil, false
		}
		return value.OfFloat(math.Float64frombits(binary.BigEndian.Uint64(b))), b[8:], true
	case value.UUID:
		if len(b) < 16 {
			return v, nil, false
		}
		return value.OfUUID([16]byte(b)), b[16:], true
	case value.Text, value.Bytes, value.JSON, value.Decimal:
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return v, nil, false
		}
		b = b[n:]
		return value.OfParts(kind, 0, 0, string(b[:size])), b[size:], true
	default:
		return v, nil, false
	}
}
