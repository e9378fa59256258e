package model

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/value"
)

type tenFields struct {
	ID        uuid.UUID `db:",pk"`
	CreatedAt time.Time `db:",created"`
	UpdatedAt time.Time `db:",updated"`
	Version   int64     `db:",version"`
	Name      string
	Email     string
	Age       int32
	Score     float64
	Active    bool
	Boss      *uuid.UUID
}

func someTenFields() *tenFields {
	return &tenFields{
		ID: someUUID, CreatedAt: someTime, UpdatedAt: someTime, Version: 3, Name: "Ada", Email: "ada@example.org", Age: 36,
		Score: 0.5, Active: true, Boss: &someUUID,
	}
}

func encodeAll(m *Model, e *tenFields, into []value.Value) []value.Value {
	for _, f := range m.Fields {
		v, err := f.Get(ptrOf(e))
		if err != nil {
			panic(err)
		}
		into = append(into, v)
	}
	return into
}

func TestEncodingScalarsDoesNotAllocate(t *testing.T) {
	m, e, cells := must[tenFields](t), someTenFields(), make([]value.Value, 0, 10)
	if n := testing.AllocsPerRun(100, func() { cells = encodeAll(m, e, cells[:0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		for i, f := range m.Fields {
			if same, _, err := f.Same(f.At(ptrOf(e)), cells[i]); !same || err != nil {
				t.Error(f.Name)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations to compare", n)
	}
}

func BenchmarkEncodeTenFields(b *testing.B) {
	m, e, cells := must[tenFields](b), someTenFields(), make([]value.Value, 0, 10)
	b.ReportAllocs()
	for b.Loop() {
		cells = encodeAll(m, e, cells[:0])
	}
}

func BenchmarkSameTenFields(b *testing.B) {
	m, e := must[tenFields](b), someTenFields()
	cells := encodeAll(m, e, nil)
	b.ReportAllocs()
	for b.Loop() {
		for i, f := range m.Fields {
			if same, _, _ := f.Same(f.At(ptrOf(e)), cells[i]); !same {
				b.Fatal(f.Name)
			}
		}
	}
}

func BenchmarkDecodeTenFields(b *testing.B) {
	m, e := must[tenFields](b), someTenFields()
	cells := encodeAll(m, e, nil)
	b.ReportAllocs()
	for b.Loop() {
		for i, f := range m.Fields {
			if err := f.Set(ptrOf(e), cells[i]); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkModelLookup(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := For[tenFields](); err != nil {
			b.Fatal(err)
		}
	}
}
