package query_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/value"
)

type person struct {
	ID        uuid.UUID `db:"id,pk"`
	Name      string
	Nick      *string
	Age       int
	Height    *float64
	CreatedAt time.Time
}

type file struct {
	ID        int64 `db:"id,pk"`
	Path      string
	DeletedAt *time.Time `db:"deleted_at,softdelete"`
}

func modelOf[T any](t testing.TB) (*model.Model, *T) {
	t.Helper()
	m, err := model.For[T]()
	if err != nil {
		t.Fatal(err)
	}
	return m, m.Proto().(*T)
}

// where renders the condition alone, with its arguments, for a dialect.
func where(t testing.TB, d dialect.Dialect, m *model.Model, clauses ...query.Clause) string {
	t.Helper()
	text, err := query.Compile(m, clauses...).Rows(d, "*")
	if err != nil {
		t.Fatal(err)
	}
	_, cond, _ := strings.Cut(text.SQL, " WHERE ")
	var args []string
	for i, a := range text.Args {
		if text.Lists != nil && text.Lists[i] != nil {
			for _, e := range text.Lists[i] {
				args = append(args, "@"+e.String())
			}
			continue
		}
		args = append(args, a.String())
	}
	return cond + " [" + strings.Join(args, " ") + "]"
}

func TestPredicatesRenderAsBoundParameters(t *testing.T) {
	t.Parallel()
	m, p := modelOf[person](t)
	nick := "n'"
	for _, c := range []struct {
		name     string
		clause   query.Clause
		postgres string
		sqlite   string
	}{
		{"eq", query.Eq(&p.Name, "a'b"), `"name" = $1 [a'b]`, "`name` = ?1 [a'b]"},
		{"eq nil", query.Eq(&p.Nick, nil), `"nick" IS NULL []`, "`nick` IS NULL []"},
		{"eq pointer", query.Eq(&p.Nick, &nick), `"nick" = $1 [n']`, "`nick` = ?1 [n']"},
		{"ne", query.Ne(&p.Name, "a"), `"name" <> $1 [a]`, "`name` <> ?1 [a]"},
		{"ne nullable", query.Ne(&p.Nick, &nick), `("nick" <> $1 OR "nick" IS NULL) [n']`, "(`nick` <> ?1 OR `nick` IS NULL) [n']"},
		{"ne nil", query.Ne(&p.Nick, nil), `"nick" IS NOT NULL []`, "`nick` IS NOT NULL []"},
		{"lt", query.Lt(&p.Age, 3), `"age" < $1 [3]`, "`age` < ?1 [3]"},
		{"le", query.Le(&p.Age, 3), `"age" <= $1 [3]`, "`age` <= ?1 [3]"},
		{"gt", query.Gt(&p.Age, 3), `"age" > $1 [3]`, "`age` > ?1 [3]"},
		{"ge", query.Ge(&p.Age, 3), `"age" >= $1 [3]`, "`age` >= ?1 [3]"},
		{"in", query.In(&p.Age, 1, 2), `("age" = ANY($1::bigint[])) [@1 @2]`, "(`age` IN (SELECT value FROM json_each(?1))) [@1 @2]"},
		{"in one", query.In(&p.Age, 1), `("age" = ANY($1::bigint[])) [@1]`, "(`age` IN (?1)) [1]"},
		{"is null", query.IsNull(&p.Nick), `"nick" IS NULL []`, "`nick` IS NULL []"},
		{"not null", query.NotNull(&p.Nick), `"nick" IS NOT NULL []`, "`nick` IS NOT NULL []"},
		{"contains", query.Contains(&p.Name, `5%_\`), `"name" LIKE $1 ESCAPE '\' [%5\%\_\\%]`, "`name` LIKE ?1 ESCAPE '\\' [%5\\%\\_\\\\%]"},
		{"prefix", query.HasPrefix(&p.Name, "a"), `"name" LIKE $1 ESCAPE '\' [a%]`, "`name` LIKE ?1 ESCAPE '\\' [a%]"},
		{"suffix", query.HasSuffix(&p.Name, "a"), `"name" LIKE $1 ESCAPE '\' [%a]`, "`name` LIKE ?1 ESCAPE '\\' [%a]"},
		{"and of nothing", query.And(), `1 = 1 []`, "1 = 1 []"},
		{"or of nothing", query.Or(), `1 = 0 []`, "1 = 0 []"},
		{"or in parentheses", query.Or(query.Eq(&p.Age, 1), query.And(query.Eq(&p.Age, 2), query.Eq(&p.Name, "x"))),
			`("age" = $1 OR ("age" = $2 AND "name" = $3)) [1 2 x]`, "(`age` = ?1 OR (`age` = ?2 AND `name` = ?3)) [1 2 x]"},
		{"not", query.Not(query.Eq(&p.Age, 1)), `NOT ("age" = $1) [1]`, "NOT (`age` = ?1) [1]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := where(t, dialect.Postgres(), m, c.clause); got != c.postgres {
				t.Errorf("postgres:\n got %s\nwant %s", got, c.postgres)
			}
			if got := where(t, dialect.SQLite(), m, c.clause); got != c.sqlite {
				t.Errorf("sqlite:\n got %s\nwant %s", got, c.sqlite)
			}
		})
	}
}

func TestClausesComeInAnyOrder(t *testing.T) {
	t.Parallel()
	m, p := modelOf[person](t)
	text, err := query.Compile(m,
		query.Limit(10), query.Desc(&p.Height), query.Eq(&p.Age, 1), nil, query.Asc(&p.Name), query.ForUpdateNoWait,
		query.Offset(5), query.Gt(&p.Age, 0)).Rows(dialect.Postgres(), "*")
	if err != nil {
		t.Fatal(err)
	}
	want := `SELECT * FROM "persons" WHERE "age" = $1 AND "age" > $2 ORDER BY "height" DESC NULLS LAST, "name" LIMIT $3 OFFSET $4 FOR UPDATE NOWAIT`
	if m.Table == "people" {
		want = strings.Replace(want, "persons", "people", 1)
	}
	if text.SQL != want {
		t.Errorf("got  %s\nwant %s", text.SQL, want)
	}
}

func TestSoftDeletedRowsAreLeftOutOfEveryQuery(t *testing.T) {
	t.Parallel()
	m, f := modelOf[file](t)
	cond := query.Or(query.Eq(&f.Path, "a"), query.Eq(&f.Path, "b"))
	if got := where(t, dialect.Postgres(), m, cond); !strings.HasPrefix(got, `"deleted_at" IS NULL AND ("path"`) {
		t.Errorf("an OR escapes the condition: %s", got)
	}
	if got := where(t, dialect.Postgres(), m, cond, query.WithDeleted); strings.Contains(got, "deleted_at") {
		t.Errorf("WithDeleted: %s", got)
	}
}

func TestForeignPointerIsAnErrorOfTheTerminalCall(t *testing.T) {
	t.Parallel()
	m, p := modelOf[person](t)
	other, name := person{}, ""
	for _, c := range []query.Clause{
		query.Eq(&other.Name, "a"), query.Eq(&name, "a"), query.Asc(&other.Age), query.Not(query.IsNull(&name)),
		query.Contains(&p.Age, "1"), // no text
	} {
		if _, err := query.Compile(m, c).Rows(dialect.Postgres(), "*"); !errors.Is(err, fault.Misconfigured) {
			t.Errorf("%#v: %v", c, err)
		}
	}
}

func TestPageRequestBounds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in    query.PageRequest
		field string
		size  int
	}{
		{query.PageRequest{}, "", 20},
		{query.PageRequest{Page: 3, PageSize: 200}, "", 200},
		{query.PageRequest{PageSize: 201}, "page_size", 0},
		{query.PageRequest{PageSize: -1}, "page_size", 0},
		{query.PageRequest{Page: -1}, "page", 0},
		{query.PageRequest{Page: math.MaxInt, PageSize: 100}, "page", 0},
	} {
		got, err := c.in.Normalize()
		fields := fault.FieldsOf(err)
		switch {
		case c.field == "" && (err != nil || got.PageSize != c.size):
			t.Errorf("%+v: %+v %v", c.in, got, err)
		case c.field != "" && (!errors.Is(err, fault.BadRequest) || len(fields) != 1 || fields[0].Name != c.field):
			t.Errorf("%+v: %v", c.in, err)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	m, p := modelOf[person](b)
	d := dialect.Postgres()
	b.ReportAllocs()
	for b.Loop() {
		q := query.Compile(m, query.Eq(&p.Name, "a"), query.Gt(&p.Age, 3), query.Desc(&p.CreatedAt), query.Limit(20))
		if _, err := q.Rows(d, "*"); err != nil {
			b.Fatal(err)
		}
	}
}

// TestPagesAreOrderedByTheKeyInTheDirectionOfTheLastLevel: as those by a cursor are, so that the same index serves both.
func TestPagesAreOrderedByTheKeyInTheDirectionOfTheLastLevel(t *testing.T) {
	t.Parallel()
	m, p := modelOf[person](t)
	name, folded := query.Col(&p.Name), query.Folded(query.Col(&p.Name))
	row := make([]value.Value, len(m.Fields)+2) // and what is computed
	for what, c := range map[string]struct {
		clauses []query.Clause
		want    string
	}{
		"no order":              {nil, `ORDER BY "id" LIMIT`},
		"up":                    {[]query.Clause{query.Desc(&p.Age), query.Asc(&p.Name)}, `ORDER BY "age" DESC, "name", "id" LIMIT`},
		"down":                  {[]query.Clause{query.Asc(&p.Name), query.Desc(&p.Age)}, `ORDER BY "name", "age" DESC, "id" DESC LIMIT`},
		"twice":                 {[]query.Clause{query.Desc(&p.Age), query.Asc(&p.Age)}, `ORDER BY "age" DESC, "age", "id" DESC LIMIT`},
		"twice, by expressions": {[]query.Clause{name.Asc(), name.Desc()}, `ORDER BY "name", "name" DESC, "id" LIMIT`},
		"twice, either way":     {[]query.Clause{query.Desc(&p.Name), name.Asc()}, `ORDER BY "name" DESC, "name", "id" DESC LIMIT`},
		"what is computed":      {[]query.Clause{folded.Asc(), folded.Desc()}, `"und-x-icu") DESC NULLS LAST, "id" DESC LIMIT`},
		"down, a peek":          {[]query.Clause{query.CountHasNext, query.Desc(&p.Age)}, `ORDER BY "age" DESC, "id" DESC LIMIT`},
	} {
		q := query.Compile(m, c.clauses...)
		q.Part(query.Window{Offset: 3, Size: 2})
		if text, err := q.Rows(dialect.Postgres(), "*"); err != nil || !strings.Contains(text.SQL, c.want) {
			t.Errorf("%s: %v in %s, want %s", what, err, text.SQL, c.want)
		}
		if by := sought(t, false, row, c.clauses...); strings.Contains(by, "id DESC") != strings.Contains(c.want, `"id" DESC`) {
			t.Errorf("%s: a cursor goes another way, %s", what, by)
		}
	}
}

// TestNULLIsPlacedWhereItCanBe: of a column that is never NULL nothing is said, whichever way it is named, since an index
// would have to say the same.
func TestNULLIsPlacedWhereItCanBe(t *testing.T) {
	t.Parallel()
	m, p := modelOf[person](t)
	for _, c := range []struct {
		sort query.Sort
		want string
	}{
		{query.Desc(&p.Name), `"name" DESC`},
		{query.Col(&p.Name).Desc(), `"name" DESC`},
		{query.Col(&p.Name).Asc().NullsFirst(), `"name"`},
		{query.Desc(&p.Nick), `"nick" DESC NULLS LAST`},
		{query.Col(&p.Nick).Desc(), `"nick" DESC NULLS LAST`},
		{query.Col(&p.Nick).Asc().NullsFirst(), `"nick" NULLS FIRST`},
		{query.Plus(query.Col(&p.Age), query.Col(&p.Age)).Desc(), `("age" + "age") DESC NULLS LAST`},
	} {
		text, err := query.Compile(m, c.sort).Rows(dialect.Postgres(), "*")
		if _, got, _ := strings.Cut(text.SQL, " ORDER BY "); err != nil || got != c.want {
			t.Errorf("%v: %s, want %s", err, got, c.want)
		}
	}
}

// TestOperandsAreCopies: what a predicate was made of may change behind it, and lists of any type keep their order.
func TestOperandsAreCopies(t *testing.T) {
	t.Parallel()
	m, p := modelOf[person](t)
	ages, both := []int{3, 1, 2}, []query.Predicate{query.Eq(&p.Age, 4), query.HasPrefix(&p.Name, "a")}
	q := query.Compile(m, query.In(&p.Age, ages...), query.Or(both...), query.Not(both[0]))
	ages[0], both[0], both[1] = 9, query.Eq(&p.Age, 9), query.Eq(&p.Age, 9)
	text, err := q.Rows(dialect.Postgres(), "*")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range text.Lists[0] {
		got = append(got, v.String())
	}
	for _, v := range text.Args[1:] {
		got = append(got, v.String())
	}
	if want := "3 1 2 4 a% 4"; strings.Join(got, " ") != want {
		t.Errorf("%s, want %s, in %s", got, want, text.SQL)
	}
}
