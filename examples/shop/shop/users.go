package shop

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// User is somebody who orders. Its table is users; its key is a UUID that is there as soon as the user is added.
type User struct {
	entity.Identifiable
	entity.Dated
	Name  string
	Email string `db:"email,unique"`
}

var users = entity.Columns[User]()

// NewUser is what a client sends.
type NewUser struct {
	Name  string `json:"name" minLength:"1" maxLength:"200"`
	Email string `json:"email" format:"email" maxLength:"200"`
}

// UserView is what a client sees.
type UserView struct {
	ID        uuid.UUID `json:"id"`
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// createUser needs no check for a taken email: the database has one, and its refusal is answered with 409.
func createUser(ctx context.Context, in NewUser) (*User, error) {
	user, err := entity.From[User](in)
	if err != nil {
		return nil, err
	}
	return user, session.Add(ctx, user)
}

// ChangeEmail is what a client sends for a user who has another email.
type ChangeEmail struct {
	ID   uuid.UUID `path:"id"`
	Body struct {
		Email string `json:"email" format:"email" maxLength:"200"`
	}
}

// changeEmail changes a field, and the session writes it.
func changeEmail(ctx context.Context, in ChangeEmail) (*User, error) {
	user, err := session.Get[User](ctx, in.ID)
	if err != nil {
		return nil, err
	}
	user.Email = in.Body.Email
	return user, nil
}

func getUser(ctx context.Context, in byID) (*User, error) {
	return session.Get[User](ctx, in.ID)
}

func listUsers(ctx context.Context, page query.PageRequest) (query.Paginated[*User], error) {
	return session.Page[User](ctx, page, query.Asc(&users.Name), query.Asc(&users.ID))
}
