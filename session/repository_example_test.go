package session_test

import (
	"context"
	"fmt"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
)

type Plant struct {
	entity.Serial
	Name   string  `db:"name,unique"`
	Place  *string `db:"place"`
	Height int
}

var plants = entity.Columns[Plant]()

// Plants says more about plants than every repository does.
type Plants struct{ session.Repository[Plant] }

func (r Plants) Tall(ctx context.Context) ([]*Plant, error) {
	return r.List(ctx, query.Ge(&plants.Height, 100), query.Asc(&plants.Name))
}

// PlantPatch is what may be changed of a plant.
type PlantPatch struct {
	Place  entity.Opt[string] `json:"place,omitzero"`
	Height entity.Opt[int]    `json:"height,omitzero"`
}

func openPlants(ctx context.Context) *session.DB {
	db, err := session.Open(ctx, session.Config{URL: "sqlite:///:memory:", Drivers: []driver.Driver{sqlitedriver.New()}})
	if err == nil {
		err = db.Do(ctx, func(ctx context.Context) error {
			if err := session.CreateTables(ctx, (*Plant)(nil)); err != nil {
				return err
			}
			window := "window"
			return session.Add(ctx, &Plant{Name: "fern", Place: &window, Height: 40}, &Plant{Name: "palm", Height: 180}, &Plant{Name: "yucca", Height: 120})
		})
	}
	if err != nil {
		panic(err)
	}
	return db
}

func ExampleRepository() {
	ctx := context.Background()
	db := openPlants(ctx)
	defer func() { _ = db.Close() }()
	var repo Plants
	err := db.Do(ctx, func(ctx context.Context) error {
		tall, err := repo.Tall(ctx)
		if err != nil {
			return err
		}
		fmt.Println(len(tall), tall[0].Name)
		fern, err := repo.UpdateByID(ctx, 1, PlantPatch{Place: entity.Null[string](), Height: entity.Some(41)})
		if err != nil {
			return err
		}
		fmt.Println(fern.Name, fern.Place, fern.Height)
		missing, err := repo.Difference(ctx, session.Keys([]int{3, 7, 1, 7, 8})...)
		if err != nil {
			return err
		}
		fmt.Println("not there:", missing)
		n, err := repo.DeleteByID(ctx, 2, 3, 7)
		fmt.Println("deleted:", n)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 2 palm
	// fern <nil> 41
	// not there: [7 8]
	// deleted: 2
}

// The row is found by its name, and changed where it is there.
func ExampleUpsert() {
	ctx := context.Background()
	db := openPlants(ctx)
	defer func() { _ = db.Close() }()
	err := db.Do(ctx, func(ctx context.Context) error {
		for _, name := range []string{"fern", "moss"} {
			p, err := session.Upsert(ctx, &Plant{Name: name, Height: 5}, query.OnConflict(&plants.Name), query.Overwrite(&plants.Height))
			if err != nil {
				return err
			}
			fmt.Println(p.Name, p.Height, p.Place != nil)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// fern 5 true
	// moss 5 false
}

// A stream reads row by row. What the loop does besides is done on another connection.
func ExampleStream() {
	ctx := context.Background()
	db := openPlants(ctx)
	defer func() { _ = db.Close() }()
	err := db.Do(ctx, func(ctx context.Context) error {
		for plant, err := range session.Stream[Plant](ctx, query.Asc(&plants.Height)) {
			if err != nil {
				return err
			}
			fmt.Println(plant.Name)
			if plant.Height > 100 {
				break // and the rest is not read
			}
			if err := session.Add(ctx, &Plant{Name: "small " + plant.Name}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// fern
	// yucca
}
