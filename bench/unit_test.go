package bench

import (
	"context"
	"testing"

	"github.com/urutu-go/urutu/uow"
)

// BenchmarkUnit is what every request pays before it does anything.
func BenchmarkUnit(b *testing.B) {
	pass := func(next uow.Handler) uow.Handler { return next }
	for _, bb := range []struct {
		name         string
		interceptors []uow.Interceptor
	}{
		{"empty", nil},
		{"three interceptors", []uow.Interceptor{pass, pass, pass}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			runner := uow.NewRunner(uow.Config{Interceptors: bb.interceptors})
			nothing := func(context.Context) error { return nil }
			b.ReportAllocs()
			for b.Loop() {
				if err := runner.Do(b.Context(), uow.Op{Name: "nothing"}, nothing); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
