package dialect_test

import (
	"testing"

	"github.com/urutu-go/urutu/dialect"
)

func TestPlainReturnsNothing(t *testing.T) {
	t.Parallel()
	d := dialect.Plain()
	check(t, []rendered{
		{"insert", d.Insert(dialect.Insert{Table: "users", Columns: []dialect.Column{name}, Returning: []string{"id"}}),
			"INSERT INTO `users` (`name`) VALUES (?1)"},
		{"update", d.Update(dialect.Update{Table: "users", Key: []dialect.Column{id}, Set: []dialect.Column{name}, Returning: []string{"at"}}),
			"UPDATE `users` SET `name` = ?2 WHERE `id` = ?1"},
	})
}

// What a dialect claims decides what the session asks of it.
func TestFeatures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		d    dialect.Dialect
		want dialect.Features
	}{
		{dialect.Postgres(), dialect.Features{Pipeline: true, Arrays: true, Returning: true, Locking: true, DeferrableConstraints: true, DeferrableUnique: true, Estimates: true, Isolation: true}},
		{dialect.SQLite(), dialect.Features{Returning: true, DeferrableConstraints: true, OneWriter: true}},
		{dialect.Plain(), dialect.Features{LastID: true, DeferrableConstraints: true, OneWriter: true}},
	} {
		if got := c.d.Features(); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.d.Name(), got, c.want)
		}
	}
}
