package model

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/urutu-go/urutu/value"
)

func ptrOf[T any](p *T) unsafe.Pointer { return unsafe.Pointer(p) }

// TestSame covers the session's cases 43 to 45: what counts as a change.
func TestSame(t *testing.T) {
	t.Parallel()
	paris := time.FixedZone("Paris", 3600)
	flip := false
	for _, tt := range []struct {
		name     string
		is       any
		wish     wish
		snapshot value.Value
		want     bool
	}{
		{"case 43: a changed map", labels{"a": 1}, wish{}, value.OfJSON(`{"a":2}`), false},
		{"case 43: changed bytes", []byte{1}, wish{}, value.OfBytes([]byte{2}), false},
		{"case 44: another zone", someTime.In(paris), wish{}, value.OfTime(someTime), true},
		{"case 44: below a microsecond", someTime.Add(999), wish{}, value.OfTime(someTime), true},
		{"case 44: a microsecond", someTime.Add(1000), wish{}, value.OfTime(someTime), false},
		{"case 44: pointer to another zone", ptr(someTime.In(paris)), wish{}, value.OfTime(someTime), true},
		{"an hour of a day", someTime, wish{day: true}, value.OfTime(someTime.Truncate(24 * time.Hour)), true},
		{"another day", someTime.Add(24 * time.Hour), wish{day: true}, value.OfTime(someTime.Truncate(24 * time.Hour)), false},
		{"case 45: NaN", math.NaN(), wish{}, value.OfFloat(math.Float64frombits(0x7ff8000000000002)), true},
		{"case 45: negative zero", math.Copysign(0, -1), wish{}, value.OfFloat(0), true},
		{"case 45: decimal scale", "1.0", wish{native: value.TypeDecimal}, value.OfDecimal("1.00"), true},
		{"case 45: decimal exponent", "1e2", wish{native: value.TypeDecimal}, value.OfDecimal("100"), true},
		{"case 45: another decimal", "1.01", wish{native: value.TypeDecimal}, value.OfDecimal("1.001"), false},
		{"case 45: nil is not empty", []string(nil), wish{}, value.OfJSON("[]"), false},
		{"case 45: empty is not nil", []string{}, wish{}, value.Value{}, false},
		{"case 45: nil bytes are not empty", []byte(nil), wish{}, value.OfBytes([]byte{}), false},
		{"case 45: empty bytes are not nil", []byte{}, wish{}, value.Value{}, false},
		{"case 45: Equal of a string", folded("A@B"), wish{}, value.OfText("a@b"), true},
		{"case 45: Equal says no", folded("A@C"), wish{}, value.OfText("a@b"), false},
		{"case 45: Equal through a pointer", ptr(folded("A@B")), wish{}, value.OfText("a@b"), true},
		{"case 45: Equal of a decimal", money{}, wish{native: value.TypeDecimal}, value.OfDecimal("0"), true},
		{"case 45: a set in another order", shuffled{[]string{"b", "a"}, &flip}, wish{}, value.OfText("a,b"), true},
		{"case 45: another set", shuffled{[]string{"b"}, nil}, wish{}, value.OfText("a,b"), false},
		{"jsonb has spaces and an order of its own", address{"x", 7}, wish{}, value.OfJSON(`{"zip": 7, "street": "x"}`), true},
		{"jsonb with a field that the struct dropped", address{"x", 0}, wish{}, value.OfJSON(`{"street": "x", "old": 1}`), true},
		{"jsonb of a map", labels{"b": 1, "a": 2}, wish{}, value.OfJSON(`{"b": 1, "a": 2}`), true},
		{"raw JSON in another order", json.RawMessage(`{"b":1,"a":2}`), wish{}, value.OfJSON(`{"a": 2, "b": 1}`), true},
		{"raw JSON, a digit further than floats go", json.RawMessage(`9007199254740993`), wish{}, value.OfJSON(`9007199254740992`), false},
		{"jsonb, changed", address{"y", 7}, wish{}, value.OfJSON(`{"zip": 7, "street": "x"}`), false},
		{"jsonb null of a slice", []string(nil), wish{}, value.OfJSON(`null`), true},
		{"a number for a boolean", true, wish{}, value.OfInt(1), true},
		{"a text for a UUID", someUUID, wish{}, value.OfText(someUUID.String()), true},
		{"a text for a time", someTime, wish{}, value.OfText("2026-03-29 01:59:59.123456+00:00"), true},
		{"a text for a time, below a microsecond", someTime.Add(999), wish{}, value.OfText("2026-03-29 01:59:59.123456+00:00"), true},
		{"a snapshot that cannot be read", 5, wish{}, value.OfText("five"), false},
	} {
		p := reflect.New(reflect.TypeOf(tt.is))
		p.Elem().Set(reflect.ValueOf(tt.is))
		c, err := codecOf(p.Elem().Type(), tt.wish)
		if err != nil {
			t.Fatal(err)
		}
		same, current, err := c.same(p.UnsafePointer(), tt.snapshot)
		if same != tt.want || err != nil {
			t.Errorf("%s: %t, %v", tt.name, same, err)
		}
		if want, _ := c.encode(p.UnsafePointer()); tt.name[:7] != "case 45" && current != want {
			t.Errorf("%s: current is %v, not %v", tt.name, current, want)
		}
	}
}
