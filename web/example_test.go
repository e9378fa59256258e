package web_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/web"
)

type Account struct {
	ID       int64
	Email    string
	Password string
}

type AccountCreate struct {
	Email string `json:"email" format:"email"`
}

type AccountSchema struct {
	ID    int64  `json:"id"`
	Email string `json:"email"`
}

func createAccount(ctx context.Context, in AccountCreate) (*Account, error) {
	if in.Email == "eve@example.com" {
		return nil, fault.New(fault.Conflict, "that address is taken")
	}
	web.ReplyTo(ctx).Header.Set("Location", "/accounts/7")
	return &Account{ID: 7, Email: in.Email, Password: "hash"}, nil
}

func Example() {
	api := web.New(web.Config{Title: "accounts"})
	web.Post(api, "/accounts", createAccount, web.As[AccountSchema]())
	if err := api.Err(); err != nil {
		fmt.Println(err)
	}

	for _, body := range []string{`{"email":"bob@example.com"}`, `{"email":"eve@example.com"}`, `{"email":"x"}`} {
		w := httptest.NewRecorder()
		api.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/accounts", strings.NewReader(body)))
		fmt.Println(w.Code, w.Header().Get("Location"), strings.TrimSpace(w.Body.String()))
	}
	// Output:
	// 201 /accounts/7 {"id":7,"email":"bob@example.com"}
	// 409  {"status":409,"title":"Conflict","detail":"that address is taken","kind":"conflict"}
	// 422  {"status":422,"title":"Unprocessable Entity","detail":"a value in the request is not acceptable","kind":"invalid","errors":[{"name":"email","message":"expected string to be RFC 5322 email: mail: missing '@' or angle-addr"}]}
}

func ExampleMiddleware() {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = uow.AfterCommit(r.Context(), func(context.Context) error {
			fmt.Println("committed")
			return nil
		})
		_, _ = io.WriteString(w, "hello")
	})
	w := httptest.NewRecorder()
	web.Middleware(web.MiddlewareConfig{})(handler).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	fmt.Println(w.Code, w.Body)
	// Output:
	// committed
	// 200 hello
}
