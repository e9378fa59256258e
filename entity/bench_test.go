package entity_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
)

type wide struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	Phone     *string   `json:"phone"`
	Role      string    `json:"role"`
}

type wideIn struct {
	ID    uuid.UUID `json:"id"`
	Name  string    `json:"name" validate:"required"`
	Email string    `json:"email" validate:"required"`
	Role  string    `json:"role"`
}

func someUser() *User {
	u := entity.New[User]()
	u.Name, u.Email, u.Role = "Ada", "ada@example.org", "admin"
	return u
}

func BenchmarkTo(b *testing.B) {
	u := someUser()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := entity.To[wide](u); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkToByHand(b *testing.B) {
	u := someUser()
	b.ReportAllocs()
	var out *wide
	for b.Loop() {
		out = &wide{u.ID.String(), u.CreatedAt, u.UpdatedAt, u.Name, u.Email, u.Phone, string(u.Role)}
	}
	_ = out
}

func BenchmarkFromWithRules(b *testing.B) {
	in := wideIn{uuid.New(), "Ada", "ada@example.org", "admin"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := entity.From[User](&in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkApply(b *testing.B) {
	u := someUser()
	p := &struct{ Name, Email entity.Opt[string] }{Name: entity.Some("Bob")}
	b.ReportAllocs()
	for b.Loop() {
		if err := entity.Apply(u, p); err != nil {
			b.Fatal(err)
		}
	}
}
