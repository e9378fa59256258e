package model

import (
	"database/sql"
	"encoding/json"
	"math"
	"math/big"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/value"
)

// trip is a Go value, the column it gets, and what is in it.
type trip struct {
	name     string
	in       any
	wish     wish
	typ      value.Type
	nullable bool
	cell     value.Value
}

func ptr[T any](v T) *T { return &v }

var (
	someUUID = uuid.MustParse("01890a5d-ac96-774b-bcce-b302099a8057")
	someTime = time.Date(2026, 3, 29, 1, 59, 59, 123456000, time.UTC)
)

func numberTrips() []trip {
	return []trip{
		{"bool", true, wish{}, value.TypeBool, false, value.OfBool(true)},
		{"int8 least", int8(math.MinInt8), wish{}, value.TypeInt16, false, value.OfInt(-128)},
		{"int16 least", int16(math.MinInt16), wish{}, value.TypeInt16, false, value.OfInt(math.MinInt16)},
		{"uint8 greatest", uint8(255), wish{}, value.TypeInt16, false, value.OfInt(255)},
		{"int32 least", int32(math.MinInt32), wish{}, value.TypeInt32, false, value.OfInt(math.MinInt32)},
		{"uint16 greatest", uint16(math.MaxUint16), wish{}, value.TypeInt32, false, value.OfInt(math.MaxUint16)},
		{"int least", math.MinInt, wish{}, value.TypeInt64, false, value.OfInt(math.MinInt)},
		{"int64 least", int64(math.MinInt64), wish{}, value.TypeInt64, false, value.OfInt(math.MinInt64)},
		{"int64 greatest", int64(math.MaxInt64), wish{}, value.TypeInt64, false, value.OfInt(math.MaxInt64)},
		{"uint32 greatest", uint32(math.MaxUint32), wish{}, value.TypeInt64, false, value.OfInt(math.MaxUint32)},
		{"uint greatest", uint(math.MaxUint), wish{}, value.TypeUint64, false, value.OfUint(math.MaxUint)},
		{"uint64 greatest", uint64(math.MaxUint64), wish{}, value.TypeUint64, false, value.OfUint(math.MaxUint64)},
		{"uintptr", uintptr(7), wish{}, value.TypeUint64, false, value.OfUint(7)},
		{"float32", float32(math.MaxFloat32), wish{}, value.TypeFloat32, false, value.OfFloat(math.MaxFloat32)},
		{"float64 least", math.SmallestNonzeroFloat64, wish{}, value.TypeFloat64, false, value.OfFloat(math.SmallestNonzeroFloat64)},
		{"infinity", math.Inf(-1), wish{}, value.TypeFloat64, false, value.OfFloat(math.Inf(-1))},
		{"duration", 90 * time.Minute, wish{}, value.TypeInt64, false, value.OfInt(5400e9)},
		{"enum of a number", intEnum(3), wish{}, value.TypeInt32, false, value.OfInt(3)},
		{"number with a text form", level(3), wish{}, value.TypeInt64, false, value.OfInt(3)},
		{"number stored by its text form", level(3), wish{native: value.TypeText}, value.TypeText, false, value.OfText("level-3")},
		{"decimal string", "-12.50", wish{native: value.TypeDecimal}, value.TypeDecimal, false, value.OfDecimal("-12.50")},
		{"decimal", money{big.NewRat(5, 2)}, wish{native: value.TypeDecimal}, value.TypeDecimal, false, value.OfDecimal("2.50")},
		{"big number", *big.NewInt(-12), wish{native: value.TypeDecimal}, value.TypeDecimal, false, value.OfDecimal("-12")},
	}
}

func textTrips() []trip {
	return []trip{
		{"string", "Ærø \x00 ✓", wish{}, value.TypeText, false, value.OfText("Ærø \x00 ✓")},
		{"empty string", "", wish{}, value.TypeText, false, value.OfText("")},
		{"enum of a string", stringEnum("open"), wish{}, value.TypeText, false, value.OfText("open")},
		{"json.Number", json.Number("1e400"), wish{}, value.TypeText, false, value.OfText("1e400")},
		{"bytes", []byte{0, 255}, wish{}, value.TypeBytes, true, value.OfBytes([]byte{0, 255})},
		{"no bytes", []byte{}, wish{}, value.TypeBytes, true, value.OfBytes([]byte{})},
		{"nil bytes", []byte(nil), wish{}, value.TypeBytes, true, value.Value{}},
		{"array of bytes", digest{1, 2}, wish{}, value.TypeBytes, false, value.OfBytes(append([]byte{1, 2}, make([]byte, 18)...))},
		{"time", someTime, wish{}, value.TypeTime, false, value.OfTime(someTime)},
		{"zero time", time.Time{}, wish{}, value.TypeTime, false, value.OfTime(time.Time{})},
		{"last time", time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC), wish{}, value.TypeTime, false, value.OfMicros(253402300799999999)},
		{"type of a time", stamp(someTime), wish{}, value.TypeTime, false, value.OfTime(someTime)},
		{"UUID", someUUID, wish{}, value.TypeUUID, false, value.OfUUID(someUUID)},
		{"sixteen bytes", ident(someUUID), wish{}, value.TypeUUID, false, value.OfUUID(someUUID)},
		{"UUID as text", someUUID, wish{native: value.TypeText}, value.TypeText, false, value.OfText(someUUID.String())},
		{"UUID as bytes", someUUID, wish{native: value.TypeBytes}, value.TypeBytes, false, value.OfBytes(someUUID[:])},
		{"string as UUID", someUUID.String(), wish{native: value.TypeUUID}, value.TypeUUID, false, value.OfUUID(someUUID)},
		{"empty string as UUID", "", wish{native: value.TypeUUID}, value.TypeUUID, false, value.OfUUID([16]byte{})},
		{"network address", netip.MustParseAddr("fe80::1%eth0"), wish{}, value.TypeText, false, value.OfText("fe80::1%eth0")},
		{"no network address", netip.Addr{}, wish{}, value.TypeText, false, value.OfText("")},
		{"slice with a text form", net.IPv4(10, 0, 0, 1), wish{}, value.TypeText, true, value.OfText("10.0.0.1")},
		{"nil slice with a text form", net.IP(nil), wish{}, value.TypeText, true, value.Value{}},
	}
}

func nullTrips() []trip {
	return []trip{
		{"pointer", ptr(int64(0)), wish{}, value.TypeInt64, true, value.OfInt(0)},
		{"nil pointer", (*int64)(nil), wish{}, value.TypeInt64, true, value.Value{}},
		{"pointer to a time", &someTime, wish{}, value.TypeTime, true, value.OfTime(someTime)},
		{"pointer to an enum", ptr(stringEnum("")), wish{}, value.TypeText, true, value.OfText("")},
		{"pointer to a struct", &address{Street: "x"}, wish{}, value.TypeJSON, true, value.OfJSON(`{"street":"x"}`)},
		{"pointer to a big number", big.NewInt(12), wish{}, value.TypeText, true, value.OfText("12")},
		{"sql.Null", sql.Null[uint64]{V: 9, Valid: true}, wish{}, value.TypeUint64, true, value.OfUint(9)},
		{"sql.Null of nothing", sql.Null[uuid.UUID]{}, wish{}, value.TypeUUID, true, value.Value{}},
		{"sql.NullString", sql.NullString{String: "", Valid: true}, wish{}, value.TypeText, true, value.OfText("")},
		{"sql.NullInt32", sql.NullInt32{Int32: -1, Valid: true}, wish{}, value.TypeInt32, true, value.OfInt(-1)},
		{"sql.NullByte", sql.NullByte{Byte: 255, Valid: true}, wish{}, value.TypeInt16, true, value.OfInt(255)},
		{"sql.NullTime", sql.NullTime{Time: someTime, Valid: true}, wish{}, value.TypeTime, true, value.OfTime(someTime)},
		{"uuid.NullUUID", uuid.NullUUID{UUID: someUUID, Valid: true}, wish{}, value.TypeUUID, true, value.OfUUID(someUUID)},
		{"nullable type of one's own", optional{"x", true}, wish{}, value.TypeText, true, value.OfText("x")},
		{"null of one's own type", optional{}, wish{}, value.TypeText, true, value.Value{}},
		{"pointer to a scanner", &money{big.NewRat(1, 2)}, wish{native: value.TypeDecimal}, value.TypeDecimal, true, value.OfDecimal("0.50")},
	}
}

func jsonTrips() []trip {
	return []trip{
		{"struct", address{"x", 1}, wish{}, value.TypeJSON, false, value.OfJSON(`{"street":"x","zip":1}`)},
		{"slice", []string{"a"}, wish{}, value.TypeJSON, true, value.OfJSON(`["a"]`)},
		{"empty slice", []string{}, wish{}, value.TypeJSON, true, value.OfJSON(`[]`)},
		{"nil slice", []string(nil), wish{}, value.TypeJSON, true, value.Value{}},
		{"named slice", tags{"a"}, wish{}, value.TypeJSON, true, value.OfJSON(`["a"]`)},
		{"map", labels{"b": 1, "a": 2}, wish{}, value.TypeJSON, true, value.OfJSON(`{"a":2,"b":1}`)},
		{"nil map", labels(nil), wish{}, value.TypeJSON, true, value.Value{}},
		{"array", [2]int{1, 2}, wish{}, value.TypeJSON, false, value.OfJSON(`[1,2]`)},
		{"raw message", json.RawMessage(`{"a":[]}`), wish{}, value.TypeJSON, true, value.OfJSON(`{"a":[]}`)},
		{"raw null", json.RawMessage(`null`), wish{}, value.TypeJSON, true, value.OfJSON(`null`)},
		{"nil raw message", json.RawMessage(nil), wish{}, value.TypeJSON, true, value.Value{}},
		{"bytes with a JSON form", blob(`1`), wish{}, value.TypeJSON, true, value.OfJSON(`1`)},
		{"string as JSON", "x", wish{json: true}, value.TypeJSON, false, value.OfJSON(`"x"`)},
		{"time as JSON", someTime, wish{json: true}, value.TypeJSON, false, value.OfJSON(`"2026-03-29T01:59:59.123456Z"`)},
		{"pointer as JSON", ptr(1), wish{json: true}, value.TypeJSON, true, value.OfJSON(`1`)},
		{"map of structs", map[int]address{1: {"x", 0}}, wish{}, value.TypeJSON, true, value.OfJSON(`{"1":{"street":"x"}}`)},
	}
}

func TestEveryTypeComesBackAsItWas(t *testing.T) {
	t.Parallel()
	for _, list := range [][]trip{numberTrips(), textTrips(), nullTrips(), jsonTrips()} {
		for _, tt := range list {
			t.Run(tt.name, func(t *testing.T) { t.Parallel(); roundTrip(t, tt) })
		}
	}
}

func roundTrip(t *testing.T, tt trip) {
	in := reflect.New(reflect.TypeOf(tt.in))
	in.Elem().Set(reflect.ValueOf(tt.in))
	c, err := codecOf(in.Elem().Type(), tt.wish)
	if err != nil {
		t.Fatal(err)
	}
	if c.typ != tt.typ || c.nullable != tt.nullable {
		t.Errorf("stored as %s, nullable %t; want %s, %t", c.typ, c.nullable, tt.typ, tt.nullable)
	}
	cell, err := c.encode(in.UnsafePointer())
	if err != nil || cell != tt.cell {
		t.Fatalf("encoded as %#v, %v; want %#v", cell, err, tt.cell)
	}
	out := reflect.New(in.Elem().Type())
	if err := c.decode(out.UnsafePointer(), cell); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(out.Interface(), in.Interface()) {
		t.Errorf("came back as %#v, was %#v", out.Elem(), in.Elem())
	}
	same, current, err := c.same(out.UnsafePointer(), cell)
	if !same || current != cell || err != nil {
		t.Errorf("differs from its own snapshot: %t %v %v", same, current, err)
	}
	if !cell.IsNull() {
		same, _, err := c.same(in.UnsafePointer(), value.Value{})
		if same || err != nil {
			t.Errorf("the same as NULL: %t %v", same, err)
		}
	}
}

func TestAnInterfaceComesBackAsJSONDoes(t *testing.T) {
	t.Parallel()
	c, err := codecOf(reflect.TypeFor[any](), wish{})
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[any]any{nil: nil, 1.5: 1.5, "x": "x", true: true, (*int)(nil): nil, 7: 7.0} {
		var out any = "before"
		cell, err := c.encode(ptrOf(&in))
		if err != nil {
			t.Fatal(err)
		}
		if cell.IsNull() != (want == nil) {
			t.Errorf("%#v is stored as %v", in, cell)
		}
		if err := c.decode(ptrOf(&out), cell); err != nil || out != want {
			t.Errorf("%#v came back as %#v, %v", in, out, err)
		}
		if same, _, err := c.same(ptrOf(&out), cell); !same || err != nil {
			t.Errorf("%#v differs from its snapshot", in)
		}
	}
}

func TestNotNullWritesEmpty(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   any
		want value.Value
	}{
		{[]byte(nil), value.OfBytes([]byte{})},
		{[]string(nil), value.OfJSON("[]")},
		{labels(nil), value.OfJSON("{}")},
		{json.RawMessage(nil), value.OfJSON("null")},
	} {
		in := reflect.New(reflect.TypeOf(tt.in))
		c, err := codecOf(in.Elem().Type(), wish{notNull: true})
		if err != nil {
			t.Fatal(err)
		}
		if v, err := c.encode(in.UnsafePointer()); v != tt.want || err != nil || c.nullable {
			t.Errorf("a nil %T is %v, %v, nullable %t", tt.in, v, err, c.nullable)
		}
		// A row from before the column was NOT NULL can still be read.
		if err := c.decode(in.UnsafePointer(), value.Value{}); err != nil || !in.Elem().IsNil() {
			t.Errorf("NULL into a %T: %v", tt.in, err)
		}
	}
}

func TestWhatCannotBeStored(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		in   any
		wish wish
	}{
		{"invalid UTF-8", "\xff", wish{}},
		{"a time after 9999", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), wish{}},
		{"a time before the year 0", time.Date(-1, 12, 31, 23, 59, 59, 0, time.UTC), wish{}},
		{"NaN in JSON", []float64{math.NaN()}, wish{}},
		{"broken raw JSON", json.RawMessage("{"), wish{}},
		{"a text as a decimal", "twelve", wish{native: value.TypeDecimal}},
		{"a text as a UUID", "twelve", wish{native: value.TypeUUID}},
	} {
		in := reflect.New(reflect.TypeOf(tt.in))
		in.Elem().Set(reflect.ValueOf(tt.in))
		c, err := codecOf(in.Elem().Type(), tt.wish)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := c.encode(in.UnsafePointer()); err == nil {
			t.Errorf("%s: stored as %v", tt.name, v)
		}
		if same, _, err := c.same(in.UnsafePointer(), value.OfText("before")); err == nil || same {
			t.Errorf("%s: compared without an error", tt.name)
		}
	}
}

func TestTypesWithoutACodec(t *testing.T) {
	t.Parallel()
	type opaque struct{ _ int }
	for _, tt := range []struct {
		in   any
		wish wish
		want string
	}{
		{make(chan int), wish{}, "cannot be stored"},
		{func() {}, wish{}, "cannot be stored"},
		{complex64(1), wish{}, "cannot be stored"},
		{struct{ C complex128 }{}, wish{}, "field C"},
		{[]map[string]chan int{}, wish{}, "cannot be stored"},
		{map[float64]int{}, wish{}, "no key of a JSON object"},
		{struct{ E error }{}, wish{}, "cannot be read back"},
		{opaque{}, wish{}, "unexported"},
		{ptr(ptr(1)), wish{}, "null twice"},
		{&[]byte{}, wish{}, "null twice"},
		{sql.Null[*int]{}, wish{}, "null twice"},
		{ptr(sql.NullBool{}), wish{}, "null twice"},
		{ptr(1), wish{notNull: true}, "notnull contradicts"},
		{sql.NullBool{}, wish{notNull: true}, "notnull contradicts"},
		{onlyValuer{}, wish{}, "cannot be read back"},
		{onlyScanner{}, wish{}, "cannot be written"},
		{riddle{}, wish{}, "type="},
	} {
		_, err := codecOf(reflect.TypeOf(tt.in), tt.wish)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%T: %v, want ...%s...", tt.in, err, tt.want)
		}
	}
}
