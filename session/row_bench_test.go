package session

import (
	"testing"

	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/value"
)

// BenchmarkRow is what it takes to keep one row of a usual table, and to look at all of its values.
func BenchmarkRow(b *testing.B) {
	types := []value.Type{value.TypeUUID, value.TypeTime, value.TypeTime, value.TypeInt64, value.TypeText, value.TypeText, value.TypeInt64, value.TypeInt64}
	cells := []value.Value{value.OfUUID([16]byte{1}), value.OfMicros(1), value.OfMicros(2), value.OfInt(1), value.OfText("a"), value.OfText("b"), value.OfInt(5), value.OfInt(6)}
	fields := make([]*model.Field, len(types))
	for i, t := range types {
		fields[i] = &model.Field{Index: i, Type: t}
	}
	l := layoutOf(fields)
	b.Run("keep", func(b *testing.B) {
		b.ReportAllocs()
		var s rows
		for b.Loop() {
			_ = s.of(l, cells)
		}
	})
	b.Run("look", func(b *testing.B) {
		var s rows
		r := s.of(l, cells)
		for b.Loop() {
			if !r.is(cells) {
				b.Fatal()
			}
		}
	})
}
