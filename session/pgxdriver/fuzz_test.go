package pgxdriver

import (
	"testing"

	"github.com/urutu-go/urutu/value"
)

// oids are the column types that are decoded in a way of their own, and one that is not known.
var oids = []uint32{16, 17, 20, 21, 23, 25, 26, 114, 700, 701, 1082, 1114, 1184, 1700, 2950, 3802, 99999}

// FuzzDecode: no cell makes the decoder panic, and what it makes of one is a value that can be a parameter again.
func FuzzDecode(f *testing.F) {
	for i := range oids {
		for typ, all := range samples() {
			for _, v := range all {
				b, _ := appendValue(nil, typ, v)
				f.Add(uint8(i), uint8(typ), true, b)
				b, _ = appendLoose(nil, v)
				f.Add(uint8(i), uint8(typ), false, b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, which, as uint8, binary bool, b []byte) {
		oid, typ, format := oids[int(which)%len(oids)], value.Type(as)%(value.TypeDecimal+1), int16(textFormat)
		if binary {
			format = formatOf(oid)
		}
		v, err := decode(oid, format, typ, b)
		if err != nil {
			return
		}
		if b != nil && v.IsNull() {
			t.Errorf("%q of type %d is NULL", b, oid)
		}
		if again, err := appendLoose(nil, v); err == nil && v.Kind() == value.Time {
			back, err := decodeText(1184, again)
			if err != nil || back != v {
				t.Errorf("%v as text is %s and that %v: %v", v, again, back, err)
			}
		}
	})
}

// FuzzBinary: the binary form of a number, an instant or a UUID is read back as it was.
func FuzzBinary(f *testing.F) {
	f.Add(int64(0), 0.0, uint64(0))
	f.Add(int64(-1), -1.5, ^uint64(0))
	f.Fuzz(func(t *testing.T, i int64, x float64, u uint64) {
		for _, c := range []struct {
			t value.Type
			v value.Value
		}{
			{value.TypeInt16, value.OfInt(i)}, {value.TypeInt32, value.OfInt(i)}, {value.TypeInt64, value.OfInt(i)},
			{value.TypeFloat64, value.OfFloat(x)}, {value.TypeUint64, value.OfUint(u)}, {value.TypeTime, value.OfMicros(i)},
			{value.TypeUUID, value.OfUUID([16]byte{byte(i), byte(u), 15: byte(i >> 8)})},
		} {
			b, err := appendValue(nil, c.t, c.v)
			if err != nil {
				continue
			}
			w := wireOf(c.t)
			got, err := decode(w.oid, w.format, c.t, b)
			if err != nil || got != c.v {
				t.Errorf("%v as %v came back as %v: %v", c.v, c.t, got, err)
			}
		}
	})
}

// FuzzEscape: an element of a text array reads back as it was.
func FuzzEscape(f *testing.F) {
	f.Add("", "x")
	f.Add(`prefix"`, `a "b" \ c\`)
	f.Fuzz(func(t *testing.T, before, s string) {
		b := escapeFrom(append([]byte(before), s...), len(before))
		if string(b[:len(before)]) != before {
			t.Fatalf("%q became %q", before, b)
		}
		var back []byte
		for i := len(before); i < len(b); i++ {
			if b[i] == '\\' {
				i++
			} else if b[i] == '"' {
				t.Fatalf("%q has a bare quote", b)
			}
			back = append(back, b[i])
		}
		if string(back) != s {
			t.Errorf("%q reads back as %q", s, back)
		}
	})
}
