package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

type benchIn struct {
	Name string `json:"name" minLength:"1"`
	Age  int    `json:"age" minimum:"0"`
}

func BenchmarkTypedHandler(b *testing.B) {
	api := New(Config{})
	Post(api, "/users/{tenant}", func(_ context.Context, in benchIn) (benchIn, error) { return in, nil })
	if err := api.Err(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "/users/acme", strings.NewReader(`{"name":"Eve","age":42}`))
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		if w.Code != http.StatusCreated {
			b.Fatal(w.Body)
		}
	}
}
