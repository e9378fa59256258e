package session_test

import (
	"context"
	"fmt"
	"log"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
)

type Gadget struct {
	entity.Identifiable
	entity.Versioned
	Name   string
	Stock  int
	Active bool
}

var gadgets = entity.Columns[Gadget]()

// openGadgets opens a database in memory with three gadgets.
func openGadgets() *session.DB {
	ctx := context.Background()
	db, err := session.Open(ctx, session.Config{URL: "sqlite:///:memory:", Drivers: []driver.Driver{sqlitedriver.New()}})
	if err == nil {
		err = db.Do(ctx, func(ctx context.Context) error {
			if err := session.CreateTables(ctx, (*Gadget)(nil)); err != nil {
				return err
			}
			return session.Add(ctx, &Gadget{Name: "lamp", Stock: 3, Active: true}, &Gadget{Name: "fan", Active: true}, &Gadget{Name: "radio", Stock: 1})
		})
	}
	if err != nil {
		log.Fatal(err)
	}
	return db
}

// Independent reads asked for together are one round trip where the database pipelines.
func ExampleBatch() {
	db := openGadgets()
	defer db.Close()

	err := db.Do(context.Background(), func(ctx context.Context) error {
		var (
			lamp     *Gadget
			active   []*Gadget
			inactive int
			soldOut  bool
		)
		err := session.Batch(ctx,
			session.FirstInto(&lamp, query.Eq(&gadgets.Name, "lamp")),
			session.FindInto(&active, query.Eq(&gadgets.Active, true), query.Asc(&gadgets.Name)),
			session.CountInto[Gadget](&inactive, query.Eq(&gadgets.Active, false)),
			session.ExistsInto[Gadget](&soldOut, query.Eq(&gadgets.Stock, 0)),
		)
		if err != nil {
			return err
		}
		fmt.Println(lamp.Stock, active[0].Name, active[1] == lamp, inactive, soldOut)
		return nil
	})
	fmt.Println(err)
	// Output:
	// 3 fan true 1 true
	// <nil>
}

// An update by criteria is one statement for all rows. What the session has of them shows what they hold.
func ExampleUpdateAll() {
	db := openGadgets()
	defer db.Close()

	err := db.Do(context.Background(), func(ctx context.Context) error {
		lamp, err := session.First[Gadget](ctx, query.Eq(&gadgets.Name, "lamp"))
		if err != nil {
			return err
		}
		n, err := session.UpdateAll[Gadget](ctx,
			query.Add(&gadgets.Stock, -1), query.Set(&gadgets.Active, false), query.Gt(&gadgets.Stock, 0))
		fmt.Println(n, lamp.Stock, lamp.Active, lamp.Version)
		return err
	})
	fmt.Println(err)
	// Output:
	// 2 2 false 2
	// <nil>
}

func ExampleDeleteAll() {
	db := openGadgets()
	defer db.Close()

	err := db.Do(context.Background(), func(ctx context.Context) error {
		fan, err := session.First[Gadget](ctx, query.Eq(&gadgets.Name, "fan"))
		if err != nil {
			return err
		}
		n, err := session.DeleteAll[Gadget](ctx, query.Eq(&gadgets.Stock, 0))
		if err != nil {
			return err
		}
		state, err := session.StateOf(ctx, fan)
		fmt.Println(n, state)
		return err
	})
	fmt.Println(err)

	err = db.Do(context.Background(), func(ctx context.Context) error {
		var forgotten []query.Predicate
		_, err := session.DeleteAll[Gadget](ctx, query.And(forgotten...))
		return err
	})
	fmt.Println(err)
	// Output:
	// 1 deleted
	// <nil>
	// session.DeleteAll: session_test.Gadget: misconfigured: no predicate leaves out a row; say query.AllRows where all of them are meant
}
