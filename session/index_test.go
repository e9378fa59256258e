package session

import (
	"math/rand/v2"
	"testing"

	"github.com/urutu-go/urutu/internal/model"
)

// TestIndexIsAMap: whatever is put in and taken out, an index finds what a map finds.
func TestIndexIsAMap(t *testing.T) {
	t.Parallel()
	m := &model.Model{}
	var x byID
	want := map[identity]*entry{}
	var all []*entry
	for step := range 20_000 {
		key := identity{m: m, hi: rand.Uint64N(400)}
		switch rand.IntN(4) {
		case 0:
			key = identity{m: m, str: string(rune('a' + rand.IntN(26)))}
			fallthrough
		case 1, 2:
			e := &entry{}
			e.id = key
			x.put(e)
			want[key] = e
			all = append(all, e)
		case 3:
			if len(all) == 0 {
				continue
			}
			e := all[rand.IntN(len(all))] // it may have been replaced, or taken out before
			x.remove(e)
			if want[e.id] == e {
				delete(want, e.id)
			}
		}
		if got := x.get(key); got != want[key] || x.n != len(want) {
			t.Fatalf("step %d: %p instead of %p, %d entries instead of %d", step, got, want[key], x.n, len(want))
		}
	}
	for key, e := range want {
		if x.get(key) != e {
			t.Fatalf("%v is lost", key)
		}
	}
}

func BenchmarkIndex(b *testing.B) {
	m := &model.Model{}
	entries := make([]entry, 1000)
	for i := range entries {
		entries[i].id = identity{m: m, hi: rand.Uint64(), lo: rand.Uint64()}
	}
	b.Run("index", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var x byID
			for i := range entries {
				if x.get(entries[i].id) == nil {
					x.put(&entries[i])
				}
			}
		}
	})
	b.Run("map", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			x := map[identity]*entry{}
			for i := range entries {
				if x[entries[i].id] == nil {
					x[entries[i].id] = &entries[i]
				}
			}
		}
	})
}
