package pgxdriver

import (
	"encoding/binary"

	"github.com/urutu-go/urutu/value"
)

// elements are the elements of an array parameter: n values, each stride after the one before.
type elements struct {
	values    []value.Value
	n, stride int
}

func (e elements) at(i int) value.Value { return e.values[i*e.stride] }

// appendArray appends a one-dimensional array in the format of its element type. An error comes with the position of
// the element.
func appendArray(b []byte, t value.Type, e elements) ([]byte, int, error) {
	if w := wireOf(t); w.format == binaryFormat {
		return appendBinaryArray(b, t, w.oid, e)
	}
	return appendTextArray(b, t, e)
}

func appendBinaryArray(b []byte, t value.Type, oid uint32, e elements) ([]byte, int, error) {
	dimensions, nulls := uint32(1), uint32(0)
	if e.n == 0 {
		dimensions = 0
	}
	for i := range e.n {
		if e.at(i).IsNull() {
			nulls = 1
			break
		}
	}
	b = binary.BigEndian.AppendUint32(b, dimensions)
	b = binary.BigEndian.AppendUint32(b, nulls)
	b = binary.BigEndian.AppendUint32(b, oid)
	if e.n == 0 {
		return b, 0, nil
	}
	b = binary.BigEndian.AppendUint32(b, uint32(e.n))
	b = binary.BigEndian.AppendUint32(b, 1)
	for i := range e.n {
		v := e.at(i)
		if v.IsNull() {
			b = binary.BigEndian.AppendUint32(b, 0xffffffff)
			continue
		}
		start := len(b)
		b = append(b, 0, 0, 0, 0)
		var err error
		if b, err = appendValue(b, t, v); err != nil {
			return b, i, err
		}
		binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	}
	return b, 0, nil
}

// appendTextArray appends {"a","b",NULL}, with every element quoted.
func appendTextArray(b []byte, t value.Type, e elements) ([]byte, int, error) {
	b = append(b, '{')
	for i := range e.n {
		if i > 0 {
			b = append(b, ',')
		}
		v := e.at(i)
		if v.IsNull() {
			b = append(b, "NULL"...)
			continue
		}
		b = append(b, '"')
		start := len(b)
		var err error
		if b, err = appendValue(b, t, v); err != nil {
			return b, i, err
		}
		b = append(escapeFrom(b, start), '"')
	}
	return append(b, '}'), 0, nil
}

// escapeFrom puts a backslash before each quote and backslash in b[start:].
func escapeFrom(b []byte, start int) []byte {
	more := 0
	for _, c := range b[start:] {
		if c == '"' || c == '\\' {
			more++
		}
	}
	if more == 0 {
		return b
	}
	from := len(b)
	b = append(b, make([]byte, more)...)
	for to := len(b); from > start; {
		from, to = from-1, to-1
		b[to] = b[from]
		if c := b[from]; c == '"' || c == '\\' {
			to--
			b[to] = '\\'
		}
	}
	return b
}
