package session_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
)

// benchDB opens a database without the spy in between.
func benchDB(b *testing.B, be backend) *session.DB {
	b.Helper()
	db := openConfig(b, session.Config{URL: be.url(b), Drivers: []driver.Driver{be.driver()}})
	must(b, db.Do(b.Context(), func(ctx context.Context) error { return session.CreateTables(ctx, allEntities...) }))
	return db
}

// BenchmarkUnit is a unit that touches no database.
func BenchmarkUnit(b *testing.B) {
	db := benchDB(b, backends[1])
	ctx := b.Context()
	nothing := func(context.Context) error { return nil }
	b.ReportAllocs()
	for b.Loop() {
		if err := db.Do(ctx, nothing); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkInsert is a unit that adds one entity.
func BenchmarkInsert(b *testing.B) {
	for _, be := range backends[:2] {
		b.Run(be.name, func(b *testing.B) {
			db := benchDB(b, be)
			ctx := b.Context()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				err := db.Do(ctx, func(ctx context.Context) error {
					return session.Add(ctx, &User{Name: "Ann", Email: fmt.Sprint(i)})
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkUpdate is a unit that reads an entity by its key, changes it and commits.
func BenchmarkUpdate(b *testing.B) {
	for _, be := range backends[:2] {
		b.Run(be.name, func(b *testing.B) {
			db := benchDB(b, be)
			ctx := b.Context()
			a := &Account{}
			must(b, db.Do(ctx, func(ctx context.Context) error { return session.Add(ctx, a) }))
			b.ReportAllocs()
			for b.Loop() {
				err := db.Do(ctx, func(ctx context.Context) error {
					a, err := session.Get[Account](ctx, a.ID)
					if err != nil {
						return err
					}
					a.Balance++
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFind reads a thousand tracked entities.
func BenchmarkFind(b *testing.B) {
	for _, be := range backends[:2] {
		b.Run(be.name, func(b *testing.B) {
			db := benchDB(b, be)
			ctx := b.Context()
			must(b, db.Do(ctx, func(ctx context.Context) error {
				for i := range 1000 {
					if err := session.Add(ctx, &User{Name: "Ann", Email: fmt.Sprint(i)}); err != nil {
						return err
					}
				}
				return nil
			}))
			b.ReportAllocs()
			for b.Loop() {
				err := db.Do(ctx, func(ctx context.Context) error {
					found, err := session.Find[User](ctx)
					if err == nil && len(found) != 1000 {
						b.Fatal(len(found))
					}
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
