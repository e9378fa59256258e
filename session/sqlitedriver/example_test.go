package sqlitedriver_test

import (
	"context"
	"fmt"

	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
	"github.com/urutu-go/urutu/value"
)

// printer prints the first cell of each row.
type printer struct{}

func (printer) Row(_ int, row []driver.Cell) error {
	fmt.Println(row[0])
	return nil
}

func (printer) Done(int, int64, int64) error { return nil }

// The session does this; a program hands it the driver.
func Example() {
	ctx := context.Background()
	pool, err := sqlitedriver.New().Open(ctx, driver.Config{URL: "sqlite:///:memory:", MaxOpen: 5, MaxIdle: 5})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	conn, err := pool.Acquire(ctx, driver.Write)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Release()
	err = conn.Run(ctx, &driver.Script{
		Begin: &driver.TxOptions{},
		Statements: []driver.Statement{
			{SQL: "CREATE TABLE users (name TEXT)"},
			{
				SQL:   "INSERT INTO users (name) VALUES (?1)",
				Types: []value.Type{value.TypeText}, Args: []value.Value{value.OfText("Ann"), value.OfText("Bob")}, Batch: 2,
			},
			{SQL: "SELECT name FROM users ORDER BY name", Result: []value.Type{value.TypeText}},
		},
		End: driver.Commit,
	}, printer{})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// Ann
	// Bob
}
