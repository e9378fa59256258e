package dialect_test

import (
	"fmt"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/value"
)

func ExampleDialect() {
	insert := dialect.Insert{
		Table:   "users",
		Columns: []dialect.Column{{Name: "id", Type: value.TypeUUID}, {Name: "email", Type: value.TypeText}},
		Batch:   true,
	}
	fmt.Println(dialect.Postgres().Insert(insert))
	fmt.Println(dialect.SQLite().Insert(insert))
	// Output:
	// INSERT INTO "users" ("id", "email") SELECT * FROM unnest($1::uuid[], $2::text[])
	// INSERT INTO `users` (`id`, `email`) VALUES (?1, ?2)
}
