package session

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/value"
)

// TestRowIsASliceOfValues: whatever is kept in a row and changed in it, of its columns' types or not, it gives back what
// a slice of values gives back, and a copy does not change with it.
func TestRowIsASliceOfValues(t *testing.T) {
	t.Parallel()
	var s rows
	for step := range 5_000 {
		fields := make([]*model.Field, 1+rand.IntN(40))
		want := make([]value.Value, len(fields))
		odd := rand.IntN(2) == 0
		for i := range fields {
			fields[i] = &model.Field{Index: i, Type: value.Type(rand.IntN(int(value.TypeDecimal) + 1))}
			want[i] = someValue(fields[i].Type, odd)
		}
		l := layoutOf(fields)
		r := s.of(l, want)
		if r.isNone() || !r.is(want) {
			t.Fatalf("step %d: a row of %v has other values", step, want)
		}
		for range 5 {
			i, old, before := rand.IntN(len(fields)), slices.Clone(want), r
			want[i] = someValue(fields[i].Type, odd)
			r = s.copied(r)
			r.set(i, want[i])
			if !r.is(want) {
				t.Fatalf("step %d: the row has %v in column %d instead of %v", step, r.at(i), i, want[i])
			}
			if !before.is(old) {
				t.Fatalf("step %d: a row changed with its copy", step)
			}
		}
		if r.is(append(want[:len(want)-1:len(want)-1], value.OfText("another"))) {
			t.Fatalf("step %d: the row is said to have another value in its last column", step)
		}
	}
}

// someValue returns a value of a column's type or NULL, and of another type now and then where odd is set.
func someValue(t value.Type, odd bool) value.Value {
	if odd && rand.IntN(10) == 0 {
		t = value.Type(rand.IntN(int(value.TypeDecimal) + 1))
	}
	text := string(rune('a' + rand.IntN(26)))
	switch {
	case rand.IntN(8) == 0:
		return value.Value{}
	case t == value.TypeBool:
		return value.OfBool(rand.IntN(2) == 0)
	case t == value.TypeUint64:
		return value.OfUint(rand.Uint64())
	case t == value.TypeFloat32, t == value.TypeFloat64:
		return value.OfFloat(rand.NormFloat64())
	case t == value.TypeTime:
		return value.OfMicros(rand.Int64())
	case t == value.TypeUUID:
		var u [16]byte
		for i := range u {
			u[i] = byte(rand.Uint64())
		}
		return value.OfUUID(u)
	case t == value.TypeText:
		return value.OfText(text)
	case t == value.TypeBytes:
		return value.OfBytes([]byte(text[:rand.IntN(2)]))
	case t == value.TypeJSON:
		return value.OfJSON(text)
	case t == value.TypeDecimal:
		return value.OfDecimal(text)
	default:
		return value.OfInt(rand.Int64())
	}
}
