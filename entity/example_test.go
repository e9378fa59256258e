package entity_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
)

type Role string

type User struct {
	entity.Identifiable
	entity.Dated
	Name  string
	Email string  `db:"email,unique"`
	Phone *string `db:"phone"`
	Role  Role
}

type UserCreate struct {
	Name  string `json:"name" validate:"required,max=40"`
	Email string `json:"email" validate:"required,email"`
}

type UserSchema struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	CreatedAt time.Time `json:"created_at"`
}

type UserPatch struct {
	Name  entity.Opt[string] `json:"name,omitzero" validate:"min=1"`
	Phone entity.Opt[string] `json:"phone,omitzero" validate:"e164"`
}

func ExampleFrom() {
	user, err := entity.From[User](UserCreate{Name: "Ada", Email: "ada@example.org"})
	fmt.Println(user.Name, user.Email, user.ID == uuid.Nil, err)

	_, err = entity.From[User](UserCreate{Email: "ada"})
	fmt.Println(errors.Is(err, fault.Invalid))
	for _, field := range fault.FieldsOf(err) {
		fmt.Println(field.Name, field.Message)
	}
	// Output:
	// Ada ada@example.org true <nil>
	// true
	// name is required
	// email is not an email address
}

func ExampleTo() {
	user := &User{Name: "Ada", Email: "ada@example.org"}
	user.ID = uuid.MustParse("01890a5d-ac96-774b-bcce-b302099a8057")
	user.CreatedAt = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

	dto, err := entity.To[UserSchema](user)
	text, _ := json.Marshal(dto)
	fmt.Println(string(text), err)
	// Output:
	// {"id":"01890a5d-ac96-774b-bcce-b302099a8057","name":"Ada","email":"ada@example.org","created_at":"2026-01-02T03:04:05Z"} <nil>
}

func ExampleToSlice() {
	dtos, err := entity.ToSlice[UserCreate]([]*User{{Name: "Ada", Email: "a@x.org"}, {Name: "Bob", Email: "b@x.org"}})
	fmt.Println(dtos, err)
	// Output:
	// [{Ada a@x.org} {Bob b@x.org}] <nil>
}

func ExampleApply() {
	phone := "+4915112345678"
	user := &User{Name: "Ada", Phone: &phone, Role: "admin"}

	var patch UserPatch
	_ = json.Unmarshal([]byte(`{"phone": null}`), &patch)
	err := entity.Apply(user, patch)
	fmt.Println(user.Name, user.Phone, user.Role, entity.Present(patch), err)

	_ = json.Unmarshal([]byte(`{"name": ""}`), &patch)
	err = entity.Apply(user, patch)
	fmt.Println(user.Name, fault.FieldsOf(err))
	// Output:
	// Ada <nil> admin [phone] <nil>
	// Ada [{name must have at least 1 character}]
}

func ExampleColumns() {
	users := entity.Columns[User]()
	fmt.Println(users == entity.Columns[User]())
	// The pointer &users.Email is what query.Eq and its like take as the column.
	// Output:
	// true
}

func ExampleNew() {
	user := entity.New[User]()
	fmt.Println(user.ID.Version(), user.CreatedAt.IsZero())
	// Output:
	// VERSION_7 true
}

func ExampleCheck() {
	type Wrong struct {
		entity.Identifiable
		Email string `db:"email,uniqe"`
	}
	err := entity.Check[Wrong]()
	fmt.Println(err)
	// Output:
	// entity: entity_test.Wrong: misconfigured: field Email: unknown option "uniqe"
}

func ExampleOpt() {
	var patch UserPatch
	_ = json.Unmarshal([]byte(`{"name": "", "phone": null}`), &patch)
	name, sent := patch.Name.Get()
	fmt.Printf("%q %t\n", name, sent)
	fmt.Println(patch.Phone.IsNull())

	text, _ := json.Marshal(UserPatch{Name: entity.Some("Bob")})
	fmt.Println(string(text))
	// Output:
	// "" true
	// true
	// {"name":"Bob"}
}

func ExampleValidate() {
	err := entity.Validate(UserCreate{Name: "Ada", Email: "ada"})
	fmt.Println(fault.KindOf(err), fault.FieldsOf(err))
	// Output:
	// invalid [{email is not an email address}]
}
