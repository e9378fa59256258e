package drivertest_test

import (
	"context"
	"fmt"

	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/drivertest"
	"github.com/urutu-go/urutu/session/sqlitedriver"
)

// What works on a plain database works on one without RETURNING.
func ExamplePlain() {
	d := drivertest.Plain(sqlitedriver.New())
	pool, err := d.Open(context.Background(), driver.Config{URL: "plain:///:memory:", MaxOpen: 2, MaxIdle: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	features := pool.Dialect().Features()
	fmt.Println(d.Name(), features.Returning, features.LastID)
	// Output: plain false true
}
