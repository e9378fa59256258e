package session_test

import (
	"context"
	"testing"
	"time"

	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

// BenchmarkResolve is a unit that adds one entity, with and without the marker by which its commit can be looked into.
func BenchmarkResolve(b *testing.B) {
	for _, be := range backends[:2] {
		for name, o := range map[string]uow.Options{"off": {}, "on": {Resolve: 10 * time.Second}} {
			b.Run(be.name+"/"+name, func(b *testing.B) {
				db := benchDB(b, be)
				must(b, db.Install(b.Context()))
				b.ReportAllocs()
				for b.Loop() {
					err := db.Do(b.Context(), func(ctx context.Context) error { return session.Add(ctx, &Parent{Name: "a"}) }, o)
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
