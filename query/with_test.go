package query_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/value"
)

type shelf struct {
	entity.Serial
	RoomID int64      `db:"room_id"`
	Title  string     `db:"title"`
	Books  []*volume  `rel:"volumes.shelf_id"`
	Rooms  []*room    `rel:"shelf_rooms(shelf_id,room_id)"`
	Key    *shelfLock `rel:"shelf_locks.shelf_id"`
}

type volume struct {
	entity.Serial
	entity.SoftDeleted
	ShelfID int64  `db:"shelf_id,secret"`
	Shelf   *shelf `rel:"shelf_id"`
	Title   string `db:"title"`
}

type room struct {
	entity.Serial
	ShelfID int64 `db:"shelf_id"`
}

type shelfLock struct {
	entity.Serial
	ShelfID int64 `db:"shelf_id"`
}

// related renders the query of the first relation for two owners.
func related(t *testing.T, d dialect.Dialect, columns string, q *query.Select) query.Text {
	t.Helper()
	with, err := q.Related()
	if err != nil {
		t.Fatal(err)
	}
	ends, err := with[0].Ends()
	if err != nil {
		t.Fatal(err)
	}
	text, err := with[0].Query.ByOwners(d, columns, ends, []value.Value{value.OfInt(7), value.OfInt(8)})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestRelationsRenderAsOneQuery(t *testing.T) {
	t.Parallel()
	shelves, s := modelOf[shelf](t)
	volumes, v := modelOf[volume](t)
	for _, c := range []struct {
		name     string
		q        *query.Select
		postgres string
		sqlite   string
	}{
		{"has many", query.Compile(shelves, query.With(&s.Books)),
			`SELECT id FROM "volumes" WHERE "shelf_id" = ANY($1::bigint[]) AND "deleted_at" IS NULL ORDER BY "id"`,
			"SELECT id FROM `volumes` WHERE `shelf_id` IN (SELECT value FROM json_each(?1)) AND `deleted_at` IS NULL ORDER BY `id`"},
		{"its order", query.Compile(shelves, query.With(&s.Books, query.Desc(&v.Title), query.WithDeleted)),
			`SELECT id FROM "volumes" WHERE "shelf_id" = ANY($1::bigint[]) ORDER BY "title" DESC, "id"`,
			"SELECT id FROM `volumes` WHERE `shelf_id` IN (SELECT value FROM json_each(?1)) ORDER BY `title` DESC, `id`"},
		{"has one", query.Compile(shelves, query.With(&s.Key)),
			`SELECT id FROM "shelf_locks" WHERE "shelf_id" = ANY($1::bigint[])`,
			"SELECT id FROM `shelf_locks` WHERE `shelf_id` IN (SELECT value FROM json_each(?1))"},
		{"belongs to", query.Compile(volumes, query.With(&v.Shelf)),
			`SELECT id FROM "shelfs" WHERE "id" = ANY($1::bigint[])`,
			"SELECT id FROM `shelfs` WHERE `id` IN (SELECT value FROM json_each(?1))"},
		{"many to many", query.Compile(shelves, query.With(&s.Rooms)),
			`SELECT t."id", t."shelf_id", l."shelf_id" FROM "shelf_rooms" AS l JOIN "rooms" AS t ON l."room_id" = t."id" ` +
				`WHERE l."shelf_id" = ANY($1::bigint[]) ORDER BY t."id"`,
			"SELECT t.`id`, t.`shelf_id`, l.`shelf_id` FROM `shelf_rooms` AS l JOIN `rooms` AS t ON l.`room_id` = t.`id` " +
				"WHERE l.`shelf_id` IN (SELECT value FROM json_each(?1)) ORDER BY t.`id`"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := related(t, dialect.Postgres(), "id", c.q).SQL; got != c.postgres {
				t.Errorf("postgres:\n got %s\nwant %s", got, c.postgres)
			}
			text := related(t, dialect.SQLite(), "id", c.q)
			if text.SQL != c.sqlite {
				t.Errorf("sqlite:\n got %s\nwant %s", text.SQL, c.sqlite)
			}
			if len(text.Lists) != 1 || len(text.Lists[0]) != 2 {
				t.Errorf("lists %v", text.Lists)
			}
		})
	}
	if secret := related(t, dialect.Postgres(), "id", query.Compile(shelves, query.With(&s.Books))).Secret; len(secret) != 1 || !secret[0] {
		t.Errorf("a secret column's values may be printed: %v", secret)
	}
}

func TestARelationTwiceIsOne(t *testing.T) {
	t.Parallel()
	m, s := modelOf[shelf](t)
	_, v := modelOf[volume](t)
	shared := query.With(&s.Books, query.With(&v.Shelf))
	q := query.Compile(m, shared, query.With(&s.Rooms), query.With(&s.Books, query.Asc(&v.Title)), query.Populate)
	with, err := q.Related()
	if err != nil || len(with) != 2 || with[0].Name != "Books" || with[1].Name != "Rooms" {
		t.Fatalf("%v, %v", with, err)
	}
	below, err := with[0].Query.Related()
	if err != nil || len(below) != 1 || below[0].Name != "Shelf" || !below[0].Query.Populate {
		t.Errorf("%v, %v", below, err)
	}
	if got := related(t, dialect.SQLite(), "id", q).SQL; !strings.HasSuffix(got, "ORDER BY `title`, `id`") {
		t.Error(got)
	}
	if alone, _ := query.Compile(m, shared).Related(); len(alone) != 1 || strings.Contains(related(t, dialect.SQLite(), "id", query.Compile(m, shared)).SQL, "title") {
		t.Error("a clause was changed by its use")
	}
}

func TestRelationsAreLoadedWhole(t *testing.T) {
	t.Parallel()
	m, s := modelOf[shelf](t)
	_, v := modelOf[volume](t)
	for _, c := range []query.Clause{query.Eq(&v.Title, "a"), query.Limit(1), query.Offset(1), query.ForShare, query.NoTracking} {
		_, err := query.Compile(m, query.With(&s.Books, c)).Rows(dialect.SQLite(), "id")
		var e *fault.Error
		if !errors.As(err, &e) || e.Kind != fault.BadRequest || !strings.Contains(e.Message, "Books") {
			t.Errorf("%v: %v", c, err)
		}
	}
	if _, err := query.Compile(m, query.With(&s.Books, query.Predicate{}, nil)).Rows(dialect.SQLite(), "id"); err != nil {
		t.Error(err)
	}
	for _, c := range []query.Clause{query.With(&s.Title), query.With(&v.Shelf), query.With(new([]*volume))} {
		if _, err := query.Compile(m, c).ByKey(dialect.SQLite(), "id", []value.Value{value.OfInt(1)}); fault.KindOf(err) != fault.Misconfigured {
			t.Errorf("%v: %v", c, err)
		}
	}
}
