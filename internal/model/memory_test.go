package model

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/value"
)

type (
	namedInt  int64
	namedText string
	namedTime time.Time
	namedUUID [16]byte
)

// TestMemoryIsWhatTheCodecDoes: a field whose memory is its value is filled as Set fills it, and holds what it was filled
// with and nothing else.
func TestMemoryIsWhatTheCodecDoes(t *testing.T) {
	t.Parallel()
	ints := func() value.Value { return value.OfInt(rand.Int64() - 1<<62) }
	texts := func() value.Value { return value.OfText(string(rune('a' + rand.IntN(26)))) }
	times := func() value.Value { return value.OfMicros(rand.Int64N(1 << 48)) }
	bools := func() value.Value { return value.OfBool(rand.IntN(2) == 0) }
	floats := func() value.Value { return value.OfFloat(rand.NormFloat64()) }
	orNull := func(some func() value.Value) func() value.Value {
		return func() value.Value {
			if rand.IntN(4) == 0 {
				return value.Value{}
			}
			return some()
		}
	}
	uuids := func() value.Value { // which often differ in one half only
		var u uuid.UUID
		u[rand.IntN(len(u))] = 1
		return value.OfUUID(u)
	}
	for _, c := range []struct {
		typ    reflect.Type
		memory Memory
		some   func() value.Value
	}{
		{reflect.TypeFor[int64](), Int64, ints},
		{reflect.TypeFor[namedInt](), Int64, ints},
		{reflect.TypeFor[int16](), Opaque, func() value.Value { return value.OfInt(int64(int16(rand.Int64()))) }},
		{reflect.TypeFor[uint64](), Opaque, func() value.Value { return value.OfUint(rand.Uint64()) }},
		{reflect.TypeFor[string](), String, texts},
		{reflect.TypeFor[namedText](), String, texts},
		{reflect.TypeFor[bool](), Bool, bools},
		{reflect.TypeFor[float64](), Float64, floats},
		{reflect.TypeFor[float32](), Opaque, func() value.Value { return value.OfFloat(float64(rand.Float32())) }},
		{reflect.TypeFor[*string](), pointed | String, orNull(texts)},
		{reflect.TypeFor[*int64](), pointed | Int64, orNull(ints)},
		{reflect.TypeFor[*bool](), pointed | Bool, orNull(bools)},
		{reflect.TypeFor[*time.Time](), pointed | Time, orNull(times)},
		{reflect.TypeFor[*int16](), pointed, orNull(func() value.Value { return value.OfInt(int64(int16(rand.Int64()))) })},
		{reflect.TypeFor[time.Time](), Time, times},
		{reflect.TypeFor[namedTime](), Time, times},
		{reflect.TypeFor[uuid.UUID](), UUID, uuids},
		{reflect.TypeFor[namedUUID](), UUID, uuids},
	} {
		cd, err := codecOf(c.typ, wish{})
		if err != nil {
			t.Fatal(err)
		}
		f := Field{Memory: cd.memory, Encode: cd.encode, Decode: cd.decode, Same: cd.same}
		if f.Memory != c.memory {
			t.Errorf("the memory of a %s is %d, not %d", c.typ, f.Memory, c.memory)
		}
		for range 100 {
			testMemory(t, &f, c.typ, c.some(), c.some())
		}
	}
}

func testMemory(t *testing.T, f *Field, typ reflect.Type, v, other value.Value) {
	t.Helper()
	filled, set := reflect.New(typ), reflect.New(typ)
	if err := f.Fill(filled.UnsafePointer(), &v); err != nil {
		t.Fatalf("%s: %v", typ, err)
	}
	if err := f.Set(set.UnsafePointer(), v); err != nil {
		t.Fatalf("%s: %v", typ, err)
	}
	if !reflect.DeepEqual(filled.Interface(), set.Interface()) {
		t.Errorf("%s was filled with %v, not %v", typ, filled.Elem(), set.Elem())
	}
	holds := func(v value.Value) bool {
		kind, hi, lo, text := value.Parts(&v)
		return f.Holds(filled.UnsafePointer(), kind, hi, lo, text)
	}
	same := func(v value.Value) bool {
		same, _, err := f.Same(filled.UnsafePointer(), v)
		return same && err == nil
	}
	for _, x := range []value.Value{v, other, {}, value.OfText("?"), value.OfUint(7)} {
		if got, want := holds(x), x == v && (f.Memory&^pointed != Opaque || f.Memory == pointed && x.IsNull()); got != want {
			t.Errorf("%s holds %v: %t, not %t", typ, x, got, want)
		}
		if same(x) != (x == v) {
			t.Errorf("%s is the same as %v: %t", typ, x, same(x))
		}
	}
}
