package dialect_test

import (
	"strings"
	"testing"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/value"
)

func TestPostgresInsert(t *testing.T) {
	t.Parallel()
	d := dialect.Postgres()
	check(t, []rendered{
		{"one", d.Insert(dialect.Insert{Table: "users", Columns: []dialect.Column{id, name}}),
			`INSERT INTO "users" ("id", "name") VALUES ($1, $2)`},
		{"returning", d.Insert(dialect.Insert{Table: "sales.users", Columns: []dialect.Column{name}, Returning: []string{"id", "at"}}),
			`INSERT INTO "sales"."users" ("name") VALUES ($1) RETURNING "id", "at"`},
		{"no columns", d.Insert(dialect.Insert{Table: "users", Returning: []string{"id"}}),
			`INSERT INTO "users" DEFAULT VALUES RETURNING "id"`},
		{"native", d.Insert(dialect.Insert{Table: "users", Columns: []dialect.Column{id, mood}}),
			`INSERT INTO "users" ("id", "mood") VALUES ($1, $2::mood)`},
		{"batch", d.Insert(dialect.Insert{Table: "users", Columns: []dialect.Column{id, version, mood}, Batch: true}),
			`INSERT INTO "users" ("id", "version", "mood") SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::mood[])`},
	})
}

func TestPostgresUpdate(t *testing.T) {
	t.Parallel()
	d := dialect.Postgres()
	key := []dialect.Column{id}
	check(t, []rendered{
		{"one", d.Update(dialect.Update{Table: "users", Key: key, Version: version, Set: []dialect.Column{name}}),
			`WITH u AS (UPDATE "users" x SET "name" = $3, "version" = x."version" + 1 WHERE x."id" = $1 AND x."version" = $2` +
				` RETURNING 1) SELECT ('urutu:stale:' || (count(*) + 1))::int FROM u HAVING count(*) = 0`},
		{"no version", d.Update(dialect.Update{Table: "users", Key: key, Set: []dialect.Column{name, mood}}),
			`WITH u AS (UPDATE "users" x SET "name" = $2, "mood" = $3::mood WHERE x."id" = $1` +
				` RETURNING 1) SELECT ('urutu:stale:' || (count(*) + 1))::int FROM u HAVING count(*) = 0`},
		{"only a check", d.Update(dialect.Update{Table: "users", Key: key}),
			`WITH u AS (UPDATE "users" x SET "id" = x."id" WHERE x."id" = $1` +
				` RETURNING 1) SELECT ('urutu:stale:' || (count(*) + 1))::int FROM u HAVING count(*) = 0`},
		{"returning", d.Update(dialect.Update{Table: "users", Key: key, Version: version, Set: []dialect.Column{name}, Returning: []string{"at"}}),
			`WITH u AS (UPDATE "users" x SET "name" = $3, "version" = x."version" + 1 WHERE x."id" = $1 AND x."version" = $2` +
				` RETURNING "at", 1 AS "urutu:ord") SELECT u."at", CASE WHEN u."urutu:ord" IS NULL THEN` +
				` ('urutu:stale:' || coalesce(u."urutu:ord", 1))::int END FROM (SELECT 1) v LEFT JOIN u ON true`},
		{"batch", d.Update(dialect.Update{Table: "users", Key: key, Version: version, Set: []dialect.Column{name}, Batch: true}),
			`WITH v AS (SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[]) WITH ORDINALITY AS v(k1, o, s1, n)),` +
				` l AS (SELECT 1 FROM "users" x JOIN v ON x."id" = v.k1 ORDER BY x."id" FOR NO KEY UPDATE OF x),` +
				` u AS (UPDATE "users" x SET "name" = v.s1, "version" = x."version" + 1 FROM v WHERE x."id" = v.k1` +
				` AND x."version" = v.o AND (SELECT count(*) FROM l) >= 0 RETURNING v.n)` +
				` SELECT ('urutu:stale:' || min(v.n))::int FROM v LEFT JOIN u USING (n) WHERE u.n IS NULL HAVING count(*) > 0`},
	})
}

func TestPostgresDelete(t *testing.T) {
	t.Parallel()
	d := dialect.Postgres()
	part := dialect.Column{Name: "part", Type: value.TypeInt32}
	check(t, []rendered{
		{"one", d.Delete(dialect.Delete{Table: "users", Key: []dialect.Column{id, part}, Version: version}),
			`WITH u AS (DELETE FROM "users" x WHERE x."id" = $1 AND x."part" = $2 AND x."version" = $3` +
				` RETURNING 1) SELECT ('urutu:stale:' || (count(*) + 1))::int FROM u HAVING count(*) = 0`},
		{"batch", d.Delete(dialect.Delete{Table: "users", Key: []dialect.Column{id, part}, Batch: true}),
			`WITH v AS (SELECT * FROM unnest($1::uuid[], $2::integer[]) WITH ORDINALITY AS v(k1, k2, n)),` +
				` l AS (SELECT 1 FROM "users" x JOIN v ON x."id" = v.k1 AND x."part" = v.k2 ORDER BY x."id", x."part" FOR UPDATE OF x),` +
				` u AS (DELETE FROM "users" x USING v WHERE x."id" = v.k1 AND x."part" = v.k2` +
				` AND (SELECT count(*) FROM l) >= 0 RETURNING v.n)` +
				` SELECT ('urutu:stale:' || min(v.n))::int FROM v LEFT JOIN u USING (n) WHERE u.n IS NULL HAVING count(*) > 0`},
	})
}

func TestPostgresClauses(t *testing.T) {
	t.Parallel()
	d := dialect.Postgres()
	serial16, _ := d.SerialType(value.TypeInt16)
	serial, includesKey := d.SerialType(value.TypeInt64)
	check(t, []rendered{
		{"param", text(func(b *strings.Builder) { d.Param(b, 12, value.TypeText) }), "$12"},
		{"paging", pagings(d), "; LIMIT $5; LIMIT $5 OFFSET $10; OFFSET $10;"},
		{"locking", lockings(d), "; FOR UPDATE; FOR UPDATE NOWAIT; FOR UPDATE SKIP LOCKED; FOR SHARE; FOR NO KEY UPDATE;"},
		{"fold", text(func(b *strings.Builder) { d.Fold(b, appendColumn) }), `lower((c)::text COLLATE "und-x-icu")`},
		{"types", columnTypes(d), "unknown text; bool boolean; int16 smallint; int32 integer; int64 bigint; uint64 numeric(20,0); " +
			"float32 real; float64 double precision; text text; bytes bytea; time timestamptz; uuid uuid; json jsonb; decimal numeric"},
		{"native", d.ColumnType(value.TypeDecimal, "numeric(10,2)"), "numeric(10,2)"},
		{"serial16", serial16, "smallint GENERATED BY DEFAULT AS IDENTITY"},
		{"serial", serial, "bigint GENERATED BY DEFAULT AS IDENTITY"},
	})
	if includesKey {
		t.Error("the identity column says PRIMARY KEY by itself")
	}
}

func TestPostgresIn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n, used int
		t       value.Type
		want    string
	}{
		{3, 1, value.TypeUUID, "c = ANY($4::uuid[])"},
		{1, 1, value.TypeUint64, "c = ANY($4::numeric[])"},
		{2, 1, value.TypeUnknown, "c = ANY($4)"},
		{0, 0, value.TypeUUID, "1 = 0"},
	} {
		if got, used := in(dialect.Postgres(), 4, c.n, c.t); got != c.want || used != c.used {
			t.Errorf("In of %d %v: %s and %d parameters, want %s and %d", c.n, c.t, got, used, c.want, c.used)
		}
	}
}

// A cast to a type with a length cuts what is too long, where the assignment to the column refuses it. So no cast may
// keep one.
func TestPostgresCastsKeepNoLength(t *testing.T) {
	t.Parallel()
	for native, want := range map[string]string{
		"varchar(50)":                 "varchar",
		"CHARACTER  VARYING (50)":     "CHARACTER VARYING",
		"char(3)":                     "bpchar",
		"national char(3)":            "bpchar",
		"bit(8)":                      "varbit",
		"numeric(10, 2)":              "numeric",
		"timestamp(3) with time zone": "timestamp with time zone",
		`text COLLATE "C"`:            "text",
		"bigserial":                   "bigint",
		"serial":                      "integer",
		"smallserial":                 "smallint",
		`"Mood"`:                      `"Mood"`,
		"geometry(Point,4326)":        "geometry",
	} {
		sql := dialect.Postgres().Insert(dialect.Insert{Table: "t", Columns: []dialect.Column{{Name: "c", Native: native}}, Batch: true})
		if want := `INSERT INTO "t" ("c") SELECT * FROM unnest($1::` + want + `[])`; sql != want {
			t.Errorf("%s: %s, want %s", native, sql, want)
		}
	}
}

// FuzzPostgresIdent reads the quoted text back: it is one or two quoted identifiers and nothing else, whatever the name.
func FuzzPostgresIdent(f *testing.F) {
	for _, s := range []string{"users", "sales.people", `we"ird`, `".`, ".", "", "a.b.c", "nul\x00", `x"; DROP TABLE users; --`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		rest := dialect.Quote(dialect.Postgres(), name)
		var parts []string
		for rest != "" {
			part, after := unquote(t, rest, '"')
			parts, rest = append(parts, part), strings.TrimPrefix(after, ".")
		}
		if got, want := strings.Join(parts, "."), strings.ReplaceAll(name, "\x00", ""); got != want || len(parts) > 2 {
			t.Errorf("%q reads back as %q", name, parts)
		}
	})
}

// unquote reads one quoted identifier off the front of s, as a database does.
func unquote(t *testing.T, s string, mark byte) (name, rest string) {
	t.Helper()
	if s[0] != mark {
		t.Fatalf("%q does not begin with a mark", s)
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != mark {
			b.WriteByte(s[i])
			continue
		}
		if i+1 == len(s) || s[i+1] != mark {
			return b.String(), s[i+1:]
		}
		b.WriteByte(mark)
		i++
	}
	t.Fatalf("%q has no end", s)
	return "", ""
}
