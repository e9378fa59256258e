package pgxdriver_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/pgxdriver"
)

func ExampleNew() {
	d := pgxdriver.New()
	fmt.Println(d.Name(), d.Schemes())

	_, err := d.Open(context.Background(), driver.Config{Name: "main", URL: "postgres://app:secret@db:port/shop"})
	fmt.Println(errors.Is(err, fault.Misconfigured))
	// Output:
	// postgres [postgres postgresql]
	// true
}
