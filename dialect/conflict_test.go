package dialect_test

import (
	"testing"

	"github.com/urutu-go/urutu/dialect"
)

func TestInsertWithConflict(t *testing.T) {
	t.Parallel()
	some := dialect.Insert{
		Table: "users", Columns: []dialect.Column{id, name}, Returning: []string{"id", "at"},
		Conflict: &dialect.Conflict{Target: []string{"name"}, Set: []string{"at"}, Increase: "version"},
	}
	versioned, nothing := some, some
	versioned.Conflict = &dialect.Conflict{Target: []string{"id", "name"}, Increase: "version"}
	nothing.Conflict = &dialect.Conflict{Target: []string{"id", "name"}}
	check(t, []rendered{
		{"postgres", dialect.Postgres().Insert(some), `INSERT INTO "users" AS x ("id", "name") VALUES ($1, $2)` +
			` ON CONFLICT ("name") DO UPDATE SET "at" = excluded."at", "version" = x."version" + 1 RETURNING "id", "at"`},
		{"sqlite", dialect.SQLite().Insert(some), "INSERT INTO `users` AS x (`id`, `name`) VALUES (?1, ?2)" +
			" ON CONFLICT (`name`) DO UPDATE SET `at` = excluded.`at`, `version` = x.`version` + 1 RETURNING `id`, `at`"},
		{"plain", dialect.Plain().Insert(some), "INSERT INTO `users` AS x (`id`, `name`) VALUES (?1, ?2)" +
			" ON CONFLICT (`name`) DO UPDATE SET `at` = excluded.`at`, `version` = x.`version` + 1"},
		{"nothing but the version", dialect.Postgres().Insert(versioned), `INSERT INTO "users" AS x ("id", "name") VALUES ($1, $2)` +
			` ON CONFLICT ("id", "name") DO UPDATE SET "version" = x."version" + 1 RETURNING "id", "at"`},
		{"nothing at all", dialect.SQLite().Insert(nothing), "INSERT INTO `users` AS x (`id`, `name`) VALUES (?1, ?2)" +
			" ON CONFLICT (`id`, `name`) DO UPDATE SET `id` = excluded.`id` RETURNING `id`, `at`"},
	})
}
