package session_test

import (
	"context"
	"fmt"
	"time"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/value"
)

// audit is a component: a package's own table, and what its second version adds to it.
func audit() session.Component {
	return session.Component{Name: "audit", Steps: []session.Step{
		func(d dialect.Dialect) []string {
			return []string{"CREATE TABLE audit (at " + d.ColumnType(value.TypeTime, "") + " NOT NULL)"}
		},
		func(d dialect.Dialect) []string {
			return []string{"ALTER TABLE audit ADD COLUMN actor " + d.ColumnType(value.TypeText, "")}
		},
	}}
}

func ExampleDB_Install() {
	ctx := context.Background()
	db, err := session.Open(ctx, session.Config{URL: "sqlite:///:memory:", Drivers: []driver.Driver{sqlitedriver.New()}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = db.Close() }()

	fmt.Println(db.Install(ctx, audit())) // at every start, in every process

	err = db.Do(ctx, func(ctx context.Context) error {
		_, err := session.From(ctx).ExecContext(ctx, "INSERT INTO audit (at, actor) VALUES ('2026-11-22', 'ann')")
		return err
	}, uow.Options{Resolve: 10 * time.Second}) // what becomes of the commit is found out, whatever happens to its answer
	fmt.Println(err)

	_, err = db.PurgeUnits(ctx, 24*time.Hour) // now and then
	fmt.Println(err)
	// Output:
	// <nil>
	// <nil>
	// <nil>
}
