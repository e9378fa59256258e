package urututest_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// exampleT stands for the *testing.T that a test has and an example has not.
type exampleT struct {
	testing.TB
	cleanups []func()
}

func (t *exampleT) Helper()                  {}
func (t *exampleT) Context() context.Context { return context.Background() }
func (t *exampleT) Cleanup(f func())         { t.cleanups = append(t.cleanups, f) }

func (t *exampleT) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (t *exampleT) TempDir() string {
	dir, err := os.MkdirTemp("", "urututest-")
	if err != nil {
		panic(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (t *exampleT) end() {
	for _, f := range slices.Backward(t.cleanups) {
		f()
	}
}

func signUp(ctx context.Context, email string) error {
	return session.Add(ctx, &User{Email: email})
}

func Example() {
	t := &exampleT{} // in a test: t *testing.T
	defer t.end()

	db := urututest.SQLite(t, (*User)(nil))
	urututest.Do(t, db, func(ctx context.Context) error {
		return signUp(ctx, "ann@example.com")
	})
	urututest.Do(t, db, func(ctx context.Context) error {
		n, err := session.Count[User](ctx)
		fmt.Println("users:", n)
		return err
	})
	// Output: users: 1
}
