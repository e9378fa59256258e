package model

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/urutu-go/urutu/value"
)

// TestDecodeTakesWhatHoldsTheSame lists what databases may call a thing.
func TestDecodeTakesWhatHoldsTheSame(t *testing.T) {
	t.Parallel()
	utc := time.Date(2026, 1, 2, 3, 4, 5, 600000000, time.UTC)
	for _, tt := range []struct {
		cell value.Value
		want any
		wish wish
	}{
		{value.OfInt(1), true, wish{}},
		{value.OfText("f"), false, wish{}},
		{value.OfUint(5), int8(5), wish{}},
		{value.OfFloat(5), int32(5), wish{}},
		{value.OfText("-5"), int64(-5), wish{}},
		{value.OfDecimal("5.00"), int64(5), wish{}},
		{value.OfBool(true), 1, wish{}},
		{value.OfText("09223372036854775808"), uint64(1 << 63), wish{}},
		{value.OfDecimal("18446744073709551615"), uint64(math.MaxUint64), wish{}},
		{value.OfInt(7), uint64(7), wish{}},
		{value.OfInt(1 << 53), float64(1 << 53), wish{}},
		{value.OfUint(1 << 63), float64(1 << 63), wish{}},
		{value.OfDecimal("0.1"), 0.1, wish{}},
		{value.OfFloat(0.1), float32(0.1), wish{}},
		{value.OfBytes([]byte("x")), "x", wish{}},
		{value.OfUUID(someUUID), someUUID.String(), wish{}},
		{value.OfInt(12), "12", wish{}},
		{value.OfText("x"), []byte("x"), wish{}},
		{value.OfUUID(someUUID), someUUID[:], wish{}},
		{value.OfText(someUUID.String()), someUUID, wish{}},
		{value.OfBytes(someUUID[:]), someUUID, wish{}},
		{value.OfText(`["a"]`), []string{"a"}, wish{}},
		{value.OfBytes([]byte(`["a"]`)), []string{"a"}, wish{}},
		{value.OfText("2026-01-02 03:04:05.600000+00:00"), utc, wish{}},
		{value.OfText("2026-01-02T05:04:05.6+02:00"), utc, wish{}},
		{value.OfText("2026-01-02 03:04:05.6+00"), utc, wish{}},
		{value.OfText("2026-01-02 03:04:05.6"), utc, wish{}},
		{value.OfText("2026-01-02"), time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), wish{}},
		{value.OfInt(3), "3", wish{native: value.TypeDecimal}},
		{value.OfInt(1), optional{"1", true}, wish{}},
	} {
		out := reflect.New(reflect.TypeOf(tt.want))
		c, err := codecOf(out.Elem().Type(), tt.wish)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.decode(out.UnsafePointer(), tt.cell); err != nil {
			t.Errorf("%v %v into a %T: %v", tt.cell.Kind(), tt.cell, tt.want, err)
		} else if !reflect.DeepEqual(out.Elem().Interface(), tt.want) {
			t.Errorf("%v into a %T: %v", tt.cell, tt.want, out.Elem())
		}
	}
}

func TestDecodeNeverLoses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		cell value.Value
		into any
	}{
		{value.OfInt(300), int8(0)},
		{value.OfInt(-129), int8(0)},
		{value.OfInt(256), uint8(0)},
		{value.OfInt(-1), uint8(0)},
		{value.OfInt(40000), int16(0)},
		{value.OfInt(70000), uint16(0)},
		{value.OfInt(1 << 31), int32(0)},
		{value.OfInt(1 << 32), uint32(0)},
		{value.OfUint(1 << 63), int64(0)},
		{value.OfInt(-1), uint64(0)},
		{value.OfFloat(0.5), 0},
		{value.OfFloat(1 << 63), 0},
		{value.OfFloat(math.NaN()), 0},
		{value.OfDecimal("5.01"), 0},
		{value.OfText("99999999999999999999"), uint64(0)},
		{value.OfInt(1<<53 + 1), 0.0},
		{value.OfInt(math.MaxInt64), 0.0},
		{value.OfUint(math.MaxUint64), 0.0},
		{value.OfFloat(1e300), float32(0)},
		{value.OfInt(2), true},
		{value.OfText("yes"), true},
		{value.OfBytes([]byte{0xff}), ""},
		{value.OfBool(true), ""},
		{value.OfInt(1), []byte{}},
		{value.OfBytes([]byte{1}), digest{}},
		{value.OfBytes([]byte{1}), someUUID},
		{value.OfText("x"), someUUID},
		{value.OfText("yesterday"), time.Time{}},
		{value.OfText("2026-02-30"), time.Time{}},
		{value.OfInt(0), time.Time{}},
		{value.OfText("{"), address{}},
		{value.OfInt(1), address{}},
		{value.OfInt(1), []string{}},
		{value.OfUUID(someUUID), map[string]int{}},
		{value.OfText("x"), ptr(1)},
	} {
		out := reflect.New(reflect.TypeOf(tt.into))
		c, err := codecOf(out.Elem().Type(), wish{})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.decode(out.UnsafePointer(), tt.cell); err == nil {
			t.Errorf("%v went into a %T as %v", tt.cell, tt.into, out.Elem())
		}
		if !out.Elem().IsZero() {
			t.Errorf("%v left %v in a %T", tt.cell, out.Elem(), tt.into)
		}
	}
}

func TestNullGoesOnlyWhereItCanBeHeld(t *testing.T) {
	t.Parallel()
	for _, into := range []any{true, 1, uint(1), 1.5, float32(1), "x", someTime, someUUID, digest{}, address{}, money{}, level(1), [2]int{}} {
		c, err := codecOf(reflect.TypeOf(into), wish{})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.decode(reflect.New(reflect.TypeOf(into)).UnsafePointer(), value.Value{}); err == nil {
			t.Errorf("NULL went into a %T", into)
		}
	}
}

// TestDecodeReplaces: what was in the variable neither stays nor is written through, as objects may share it.
func TestDecodeReplaces(t *testing.T) {
	t.Parallel()
	shared, raw, before := 1, []byte("old"), labels{"old": 1}
	p, b, l := &shared, raw, before
	for _, err := range []error{decodeInto(&p, value.OfInt(2)), decodeInto(&b, value.OfText("new")), decodeInto(&l, value.OfText(`{"new":2}`))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if *p != 2 || shared != 1 || string(b) != "new" || string(raw) != "old" || len(l) != 1 || len(before) != 1 || before["old"] != 1 {
		t.Errorf("%d %d %s %s %v %v", *p, shared, b, raw, l, before)
	}

	n, o, s := sql.Null[int]{V: 1, Valid: true}, optional{"x", true}, address{"old", 1}
	for _, err := range []error{decodeInto(&p, value.Value{}), decodeInto(&b, value.Value{}), decodeInto(&l, value.Value{}), decodeInto(&n, value.Value{}), decodeInto(&o, value.Value{})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if p != nil || b != nil || l != nil || n != (sql.Null[int]{}) || o != (optional{}) {
		t.Errorf("NULL left %v %v %v %v %v", p, b, l, n, o)
	}
	if err := decodeInto(&s, value.OfJSON(`{"street":"new"}`)); err != nil || s != (address{"new", 0}) {
		t.Errorf("%v, %v", s, err)
	}
}

// scribble is a type whose Scan writes before it fails.
type scribble struct{ s string }

func (s scribble) Value() (driver.Value, error) { return s.s, nil }

func (s *scribble) Scan(src any) error {
	s.s = "scribbled"
	return errors.New("no")
}

func TestAFailedDecodeLeavesWhatWasThere(t *testing.T) {
	t.Parallel()
	s, a := scribble{"before"}, address{"before", 1}
	if err := decodeInto(&s, value.OfText("x")); err == nil || s.s != "before" {
		t.Errorf("%v, %v", s, err)
	}
	if err := decodeInto(&a, value.OfJSON(`{"street":"after","zip":"x"}`)); err == nil || a.Street != "before" {
		t.Errorf("%v, %v", a, err)
	}
}

func decodeInto[T any](p *T, v value.Value) error {
	c, err := codecOf(reflect.TypeFor[T](), wish{})
	if err != nil {
		return err
	}
	return c.decode(unsafe.Pointer(p), v)
}

func TestSameDecimal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"0", "-0.00", true}, {"+1", "1", true}, {".5", "0.50", true}, {"5.", "5", true}, {"1e-2", "0.01", true},
		{"120", "1.2E2", true}, {"1", "-1", false}, {"10", "1", false}, {"", "", false}, {".", ".", false}, {"1e", "1e", false},
		{"NaN", "NaN", false}, {"1_0", "10", false}, {"1.2.3", "1.2.3", false},
	} {
		if got := sameDecimal(tt.a, tt.b); got != tt.want {
			t.Errorf("%q and %q: %t", tt.a, tt.b, got)
		}
	}
}
