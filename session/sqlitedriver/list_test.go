package sqlitedriver

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/urutu-go/urutu/value"
)

func TestEncodeList(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		list []value.Value
		t    value.Type
		want string
	}{
		{nil, value.TypeText, `[]`},
		{[]value.Value{value.OfInt(1), value.OfInt(math.MinInt64)}, value.TypeInt64, `[1,-9223372036854775808]`},
		{[]value.Value{value.OfUint(7), value.OfUint(math.MaxUint64)}, value.TypeUint64, `[7,"18446744073709551615"]`},
		{[]value.Value{value.OfBool(true), value.OfBool(false)}, value.TypeBool, `[true,false]`},
		{[]value.Value{value.OfFloat(math.Inf(1)), value.OfFloat(math.Inf(-1)), value.OfFloat(0.1)}, value.TypeFloat64, `[9e999,-9e999,0.1]`},
		{[]value.Value{value.OfText("\"\\\x00\x1fä")}, value.TypeText, `["\"\\\u0000\u001fä"]`},
		{[]value.Value{value.OfBytes([]byte{0, 255}), value.OfBytes([]byte{})}, value.TypeBytes, `[["00ff"],[""]]`},
		{[]value.Value{uuid(t), {}}, value.TypeUUID, `["` + uuidText + `",null]`},
		{[]value.Value{value.OfJSON(`{"a":1}`)}, value.TypeJSON, `["{\"a\":1}"]`},
	} {
		if got, err := encodeList(c.list, c.t); err != nil || got != c.want {
			t.Errorf("%v: %v, %v, want %s", c.t, got, err, c.want)
		}
	}
	if _, err := encodeList([]value.Value{value.OfFloat(1), value.OfFloat(math.NaN())}, value.TypeFloat64); err == nil {
		t.Error("a NaN was encoded")
	}
}

// FuzzEncodeList: what a list holds is what it was made of, whatever the text.
func FuzzEncodeList(f *testing.F) {
	f.Add("a", `b"],["`)
	f.Add("\x00\\", "\u2028é\x7f")
	f.Fuzz(func(t *testing.T, a, b string) {
		encoded, err := encodeList([]value.Value{value.OfText(a), value.OfText(b)}, value.TypeText)
		if err != nil {
			return // not UTF-8
		}
		var back []string
		if err := json.Unmarshal([]byte(encoded.(string)), &back); err != nil {
			t.Fatal(err)
		}
		if len(back) != 2 || back[0] != a || back[1] != b {
			t.Errorf("%q came back as %q", []string{a, b}, back)
		}
	})
}
