package sqlitedriver

import (
	sqldriver "database/sql/driver"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/urutu-go/urutu/value"
)

const uuidText = "018f2a3b-4c5d-7e6f-8091-a2b3c4d5e6f7"

func uuid(t testing.TB) value.Value {
	t.Helper()
	u, ok := parseUUID(uuidText)
	if !ok {
		t.Fatal("the test's UUID is none")
	}
	return value.OfUUID(u)
}

func TestEncode(t *testing.T) {
	t.Parallel()

	leap := value.OfTime(time.Date(2024, 2, 29, 12, 34, 56, 7000, time.FixedZone("", 7200)))
	for _, c := range []struct {
		v    value.Value
		t    value.Type
		want any
	}{
		{value.Value{}, value.TypeText, nil},
		{value.OfBool(true), value.TypeBool, true},
		{value.OfInt(-1), value.TypeInt64, int64(-1)},
		{value.OfInt(5), value.TypeUint64, int64(5)},
		{value.OfInt(5), value.TypeFloat64, 5.0},
		{value.OfInt(5), value.TypeDecimal, "5"},
		{value.OfUint(math.MaxInt64), value.TypeUint64, int64(math.MaxInt64)},
		{value.OfUint(math.MaxInt64 + 1), value.TypeUint64, "09223372036854775808"},
		{value.OfUint(math.MaxUint64), value.TypeUnknown, "18446744073709551615"},
		{value.OfUint(7), value.TypeInt32, int64(7)},
		{value.OfUint(7), value.TypeFloat32, 7.0},
		{value.OfUint(7), value.TypeDecimal, "7"},
		{value.OfFloat(1.5), value.TypeFloat64, 1.5},
		{value.OfFloat(1e21), value.TypeDecimal, "1000000000000000000000"},
		{value.OfText("ä"), value.TypeText, "ä"},
		{value.OfText("018F2A3B4C5D7E6F8091A2B3C4D5E6F7"), value.TypeUUID, uuidText},
		{value.OfText("2024-02-29T14:34:56.000007+02:00"), value.TypeTime, "2024-02-29 12:34:56.000007+00:00"},
		{leap, value.TypeTime, "2024-02-29 10:34:56.000007+00:00"},
		{value.OfMicros(0), value.TypeUnknown, "1970-01-01 00:00:00.000000+00:00"},
		{value.OfMicros(-1), value.TypeTime, "1969-12-31 23:59:59.999999+00:00"},
		{value.OfMicros(minMicros), value.TypeTime, "0000-01-01 00:00:00.000000+00:00"},
		{value.OfMicros(maxMicros), value.TypeTime, "9999-12-31 23:59:59.999999+00:00"},
		{uuid(t), value.TypeUUID, uuidText},
		{value.OfJSON(`{"a":1}`), value.TypeJSON, `{"a":1}`},
		{value.OfDecimal("1.50"), value.TypeDecimal, "1.50"},
		{value.OfBytes([]byte("x")), value.TypeText, "x"},
	} {
		if got, err := encode(c.v, c.t); err != nil || got != c.want {
			t.Errorf("encode(%v %q, %v) = %#v, %v, want %#v", c.v.Kind(), c.v, c.t, got, err, c.want)
		}
	}
	got, err := encode(value.OfBytes([]byte{}), value.TypeBytes)
	if b, ok := got.([]byte); err != nil || !ok || b == nil {
		t.Errorf("an empty byte string becomes %#v, %v", got, err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		v value.Value
		t value.Type
	}{
		{value.OfFloat(math.NaN()), value.TypeFloat64},
		{value.OfFloat(math.NaN()), value.TypeFloat32},
		{value.OfMicros(minMicros - 1), value.TypeTime},
		{value.OfMicros(maxMicros + 1), value.TypeTime},
		{value.OfMicros(math.MinInt64), value.TypeTime},
		{value.OfMicros(math.MaxInt64), value.TypeTime},
		{value.OfText("\xff"), value.TypeText},
		{value.OfJSON("\xff"), value.TypeJSON},
		{value.OfBytes([]byte{0xff}), value.TypeText},
		{value.OfText("no uuid"), value.TypeUUID},
		{value.OfText("no time"), value.TypeTime},
		{value.OfInt(-1), value.TypeUint64},
		{value.OfUint(math.MaxUint64), value.TypeInt64},
	} {
		if got, err := encode(c.v, c.t); err == nil {
			t.Errorf("encode(%q, %v) = %#v, want an error", c.v, c.t, got)
		}
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()

	noon := value.OfTime(time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC))
	for _, c := range []struct {
		cell sqldriver.Value
		t    value.Type
		want value.Value
	}{
		{nil, value.TypeInt64, value.Value{}},
		{int64(1), value.TypeBool, value.OfBool(true)},
		{int64(0), value.TypeBool, value.OfBool(false)},
		{"true", value.TypeBool, value.OfBool(true)},
		{"F", value.TypeBool, value.OfBool(false)},
		{"maybe", value.TypeBool, value.OfText("maybe")},
		{int64(3), value.TypeInt16, value.OfInt(3)},
		{3.0, value.TypeInt64, value.OfInt(3)},
		{3.5, value.TypeInt64, value.OfFloat(3.5)},
		{"42", value.TypeInt32, value.OfInt(42)},
		{"four", value.TypeInt32, value.OfText("four")},
		{int64(3), value.TypeUint64, value.OfUint(3)},
		{int64(-3), value.TypeUint64, value.OfInt(-3)},
		{"18446744073709551615", value.TypeUint64, value.OfUint(math.MaxUint64)},
		{int64(3), value.TypeFloat64, value.OfFloat(3)},
		{"1.5", value.TypeFloat32, value.OfFloat(1.5)},
		{int64(3), value.TypeText, value.OfText("3")},
		{[]byte("x"), value.TypeText, value.OfText("x")},
		{"x", value.TypeBytes, value.OfBytes([]byte("x"))},
		{[]byte(nil), value.TypeBytes, value.OfBytes([]byte{})},
		{[]byte(nil), value.TypeUnknown, value.OfBytes([]byte{})},
		{noon.Time().In(time.FixedZone("", 3600)), value.TypeTime, noon},
		{noon.Time(), value.TypeUnknown, noon},
		{noon.Time(), value.TypeText, value.OfText("2024-02-29 12:00:00.000000+00:00")},
		{"2024-02-29 12:00:00", value.TypeTime, noon},
		{"2024-02-29T12:00:00Z", value.TypeTime, noon},
		{"2024-02-29 14:00+02:00", value.TypeTime, value.OfText("2024-02-29 14:00+02:00")},
		{"2024-02-29 12:00", value.TypeTime, noon},
		{int64(1709208000), value.TypeTime, noon},
		{"noon", value.TypeTime, value.OfText("noon")},
		{uuidText, value.TypeUUID, uuid(t)},
		{[]byte("0123456789abcdef"), value.TypeUUID, value.OfUUID([16]byte([]byte("0123456789abcdef")))},
		{"me", value.TypeUUID, value.OfText("me")},
		{"{}", value.TypeJSON, value.OfJSON("{}")},
		{[]byte("{}"), value.TypeJSON, value.OfJSON("{}")},
		{int64(3), value.TypeJSON, value.OfJSON("3")},
		{1.5, value.TypeJSON, value.OfJSON("1.5")},
		{"1.50", value.TypeDecimal, value.OfDecimal("1.50")},
		{1e21, value.TypeDecimal, value.OfDecimal("1000000000000000000000")},
		{math.Inf(1), value.TypeDecimal, value.OfFloat(math.Inf(1))},
		{"x", value.TypeUnknown, value.OfText("x")},
	} {
		if got := decode(c.cell, c.t); got != c.want {
			t.Errorf("decode(%#v, %v) = %v %q, want %v %q", c.cell, c.t, got.Kind(), got, c.want.Kind(), c.want)
		}
	}
}

// types are all of them.
func types() []value.Type {
	return []value.Type{
		value.TypeUnknown, value.TypeBool, value.TypeInt16, value.TypeInt32, value.TypeInt64, value.TypeUint64,
		value.TypeFloat32, value.TypeFloat64, value.TypeText, value.TypeBytes, value.TypeTime, value.TypeUUID,
		value.TypeJSON, value.TypeDecimal,
	}
}

// FuzzDecode: no cell makes decoding panic, NULL comes from NULL only, and what was read can be written and read again.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"", "1", "-1.5", "true", uuidText, "2024-02-29 12:34:56.000001+00:00", "{}", "1e400", "\xff"} {
		f.Add(s, int64(len(s)), 0.5)
	}
	f.Fuzz(func(t *testing.T, s string, i int64, x float64) {
		cells := []sqldriver.Value{s, []byte(s), i, x, time.UnixMicro(i).UTC(), i%2 == 0}
		for _, typ := range types() {
			for _, cell := range cells {
				v := decode(cell, typ)
				if v.IsNull() {
					t.Fatalf("decode(%#v, %v) is NULL", cell, typ)
				}
				written, err := encode(v, typ)
				if err != nil {
					continue
				}
				if again := decode(written, typ); again != v && !slices.Contains([]value.Kind{value.Bool, value.Time}, v.Kind()) {
					t.Fatalf("decode(%#v, %v) = %v %q, written as %#v, read as %v %q",
						cell, typ, v.Kind(), v, written, again.Kind(), again)
				}
			}
		}
	})
}

// FuzzTime: every instant that can be stored is read back, and its text has the place that the instant has.
func FuzzTime(f *testing.F) {
	f.Add(int64(0), int64(1))
	f.Add(int64(minMicros), int64(maxMicros))
	f.Fuzz(func(t *testing.T, a, b int64) {
		x, errX := encodeTime(a)
		y, errY := encodeTime(b)
		if inRange := a >= minMicros && a <= maxMicros; inRange != (errX == nil) {
			t.Fatalf("encodeTime(%d): %v", a, errX)
		}
		if errX != nil || errY != nil {
			return
		}
		if back, ok := parseTime(x.(string)); !ok || back != a {
			t.Fatalf("%d became %q and came back as %d", a, x, back)
		}
		if x != time.UnixMicro(a).UTC().Format(timeLayout) {
			t.Fatalf("%d became %q", a, x)
		}
		if (a < b) != (x.(string) < y.(string)) {
			t.Fatalf("%q and %q are not in the order of %d and %d", x, y, a, b)
		}
	})
}

// FuzzUUID: whatever is read as a UUID is the same one in its canonical form.
func FuzzUUID(f *testing.F) {
	f.Add(uuidText)
	f.Add("018F2A3B4C5D7E6F8091A2B3C4D5E6F7")
	f.Fuzz(func(t *testing.T, s string) {
		u, ok := parseUUID(s)
		if !ok {
			return
		}
		if again, ok := parseUUID(value.FormatUUID(u)); !ok || again != u {
			t.Fatalf("%q is %x, and then %x", s, u, again)
		}
	})
}
