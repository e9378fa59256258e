package dialect_test

import (
	"strings"
	"testing"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/value"
)

func TestSQLiteWrites(t *testing.T) {
	t.Parallel()
	d := dialect.SQLite()
	key := []dialect.Column{id}
	check(t, []rendered{
		{"insert", d.Insert(dialect.Insert{Table: "users", Columns: []dialect.Column{id, mood}, Returning: []string{"at"}}),
			"INSERT INTO `users` (`id`, `mood`) VALUES (?1, ?2) RETURNING `at`"},
		{"insert batch", d.Insert(dialect.Insert{Table: "sales.users", Columns: []dialect.Column{id}, Batch: true}),
			"INSERT INTO `sales.users` (`id`) VALUES (?1)"},
		{"insert nothing", d.Insert(dialect.Insert{Table: "users"}), "INSERT INTO `users` DEFAULT VALUES"},
		{"update", d.Update(dialect.Update{Table: "users", Key: key, Version: version, Set: []dialect.Column{name}, Returning: []string{"at"}}),
			"UPDATE `users` SET `name` = ?3, `version` = `version` + 1 WHERE `id` = ?1 AND `version` = ?2 RETURNING `at`"},
		{"update without version", d.Update(dialect.Update{Table: "users", Key: key, Set: []dialect.Column{name, mood}}),
			"UPDATE `users` SET `name` = ?2, `mood` = ?3 WHERE `id` = ?1"},
		{"update of the version", d.Update(dialect.Update{Table: "users", Key: key, Version: version}),
			"UPDATE `users` SET `version` = `version` + 1 WHERE `id` = ?1 AND `version` = ?2"},
		{"only a check", d.Update(dialect.Update{Table: "users", Key: key}), "UPDATE `users` SET `id` = `id` WHERE `id` = ?1"},
		{"delete", d.Delete(dialect.Delete{Table: "users", Key: []dialect.Column{id, name}, Version: version, Batch: true}),
			"DELETE FROM `users` WHERE `id` = ?1 AND `name` = ?2 AND `version` = ?3"},
	})
}

func TestSQLiteClauses(t *testing.T) {
	t.Parallel()
	d := dialect.SQLite()
	three, used := in(d, 4, 3, value.TypeUUID)
	one, single := in(d, 4, 1, value.TypeBytes)
	bytes, _ := in(d, 4, 2, value.TypeBytes)
	none, zero := in(d, 4, 0, value.TypeUUID)
	serial, includesKey := d.SerialType(value.TypeInt64)
	check(t, []rendered{
		{"in", three, "c IN (SELECT value FROM json_each(?4))"},
		{"in one", one, "c IN (?4)"},
		{"in bytes", bytes, "c IN (SELECT CASE type WHEN 'array' THEN unhex(value ->> 0) ELSE value END FROM json_each(?4))"},
		{"in nothing", none, "1 = 0"},
		{"param", text(func(b *strings.Builder) { d.Param(b, 12, value.TypeText) }), "?12"},
		{"paging", pagings(d), "; LIMIT +?5; LIMIT +?5 OFFSET ?10; LIMIT -1 OFFSET ?10;"},
		{"locking", lockings(d), ";;;;;;"},
		{"fold", text(func(b *strings.Builder) { d.Fold(b, appendColumn) }), "urutu_fold(c)"},
		{"types", columnTypes(d), "unknown TEXT; bool BOOLEAN; int16 INTEGER; int32 INTEGER; int64 INTEGER; uint64 BLOB; float32 REAL; " +
			"float64 REAL; text TEXT; bytes BLOB; time DATETIME; uuid TEXT; json TEXT; decimal TEXT COLLATE urutu_decimal"},
		{"native", d.ColumnType(value.TypeDecimal, "numeric(10,2)"), "TEXT COLLATE urutu_decimal"},
		{"serial", serial, "INTEGER PRIMARY KEY AUTOINCREMENT"},
	})
	if used != 1 || single != 1 || zero != 0 || !includesKey {
		t.Errorf("In used %d, %d and %d parameters, the serial type includes the key: %v", used, single, zero, includesKey)
	}
}

// FuzzSQLiteIdent reads the quoted text back: it is one identifier and nothing else, whatever the name.
func FuzzSQLiteIdent(f *testing.F) {
	for _, s := range []string{"users", "sales.people", "we`ird", "``", "", "nul\x00", "x`; DROP TABLE users; --"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got, rest := unquote(t, dialect.Quote(dialect.SQLite(), name), '`')
		if want := strings.ReplaceAll(name, "\x00", ""); got != want || rest != "" {
			t.Errorf("%q reads back as %q and %q", name, got, rest)
		}
	})
}
