package fault_test

import (
	"errors"
	"fmt"

	"github.com/urutu-go/urutu/fault"
)

func Example() {
	err := fmt.Errorf("sign up: %w", &fault.Error{
		Kind: fault.Unique, Op: "session.Flush", Entity: "shop.User", Table: "users", Constraint: "users_email_key",
		Columns: []string{"email"}, Err: errors.New("duplicate key value (email)=(eve@example.com)"),
	})

	fmt.Println("kind:", fault.KindOf(err), errors.Is(err, fault.Unique))
	var e *fault.Error
	if errors.As(err, &e) {
		fmt.Println("constraint:", e.Constraint)
	}
	fmt.Println("shown:", fault.Public(err))
	// Output:
	// kind: unique true
	// constraint: users_email_key
	// shown: something with that value exists already
}

func ExampleNewf() {
	err := fault.Newf(fault.Conflict, "only %d left of %s", 2, "mug")
	fmt.Println(fault.Public(err))
	// Output: only 2 left of mug
}
