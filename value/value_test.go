package value_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/urutu-go/urutu/value"
)

func TestValuesAreEqualExactlyWhenTheyAreTheSameCell(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 123456789, time.UTC)
	for _, c := range []struct {
		name string
		a, b value.Value
		same bool
	}{
		{"time zones", value.OfTime(now), value.OfTime(now.In(time.FixedZone("x", 3600))), true},
		{"below a microsecond", value.OfTime(now), value.OfTime(now.Add(200)), true},
		{"a microsecond", value.OfTime(now), value.OfTime(now.Add(time.Microsecond)), false},
		{"zeros", value.OfFloat(0), value.OfFloat(math.Copysign(0, -1)), true},
		{"NaNs", value.OfFloat(math.NaN()), value.OfFloat(math.Float64frombits(0x7ff8000000000002)), true},
		{"nil and empty", value.OfBytes(nil), value.OfBytes([]byte{}), false},
		{"nil and NULL", value.OfBytes(nil), value.Value{}, true},
		{"text and JSON", value.OfText("1"), value.OfJSON("1"), false},
		{"int and uint", value.OfInt(1), value.OfUint(1), false},
		{"false and NULL", value.OfBool(false), value.Value{}, false},
	} {
		if (c.a == c.b) != c.same {
			t.Errorf("%s: %v and %v", c.name, c.a, c.b)
		}
	}
}

func TestValuesGiveBackWhatTheyHold(t *testing.T) {
	t.Parallel()
	u := [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255}
	at := time.Date(-1, 2, 3, 4, 5, 6, 7000, time.UTC)
	switch {
	case value.OfInt(math.MinInt64).Int() != math.MinInt64:
		t.Error("int")
	case value.OfUint(math.MaxUint64).Uint() != math.MaxUint64:
		t.Error("uint")
	case value.OfFloat(math.Inf(-1)).Float() != math.Inf(-1):
		t.Error("float")
	case value.OfUUID(u).UUID() != u:
		t.Error("uuid")
	case !value.OfTime(at).Time().Equal(at) || value.OfMicros(at.UnixMicro()) != value.OfTime(at):
		t.Error("time")
	case !value.OfBool(true).Bool() || value.OfText("x").Str() != "x":
		t.Error("bool or text")
	}
	b := []byte("ab")
	v := value.OfBytes(b)
	b[0] = 'x'
	if v.Str() != "ab" {
		t.Error("a value shares the memory of what it was made of")
	}
}

func TestTypeNames(t *testing.T) {
	t.Parallel()
	if got := fmt.Sprint(value.TypeUnknown, value.TypeDecimal, value.Type(200)); got != "unknown decimal unknown" {
		t.Error(got)
	}
}

func ExampleValue_String() {
	fmt.Println(value.OfUUID([16]byte{15: 1}), value.OfBytes([]byte("abc")), value.Value{})
	fmt.Println(value.OfText("abc").Size(), value.OfInt(1).Size())
	// Output:
	// 00000000-0000-0000-0000-000000000001 3 bytes NULL
	// 3 8
}

func TestAValueTakenApartIsTheSameTogether(t *testing.T) {
	t.Parallel()
	for _, v := range []value.Value{
		{}, value.OfBool(true), value.OfInt(-1), value.OfUint(math.MaxUint64), value.OfFloat(1.5), value.OfText("a"),
		value.OfBytes([]byte{}), value.OfMicros(-1), value.OfUUID([16]byte{1, 15: 2}), value.OfJSON("{}"), value.OfDecimal("1.50"),
	} {
		if got := value.OfParts(value.Parts(&v)); got != v {
			t.Errorf("%v became %v", v, got)
		}
	}
}
