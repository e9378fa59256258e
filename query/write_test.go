package query_test

import (
	"errors"
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

// product has every column that a write by criteria treats in its own way.
type product struct {
	ID        uuid.UUID `db:"id,pk"`
	Name      string
	Mood      string  `db:"mood,type=mood"`
	Code      string  `db:"code,secret"`
	Price     float64 `db:"price"`
	ListPrice float64
	Stock     int32
	Weight    string     `db:"weight,type=decimal"`
	Parent    *uuid.UUID `db:"parent_id"`
	Origin    string     `db:"origin,readonly"`
	Length    int        `db:"length,generated=length(name)"`
	CreatedAt time.Time  `db:"created_at,created"`
	UpdatedAt time.Time  `db:"updated_at,updated"`
	Version   int64      `db:"version,version"`
}

var now = value.OfTime(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))

func update(m *model.Model, clauses ...query.UpdateClause) *query.Write {
	return query.CompileWrite(m, clauses...)
}

func removal(m *model.Model, clauses ...query.DeleteClause) *query.Write {
	return query.CompileWrite(m, clauses...)
}

// written prints a rendered write with its arguments.
func written(t testing.TB, text query.Text, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var args []string
	for i, a := range text.Args {
		switch {
		case text.Lists != nil && text.Lists[i] != nil:
			for _, e := range text.Lists[i] {
				args = append(args, "@"+e.String())
			}
		case a == now:
			args = append(args, "now")
		default:
			args = append(args, a.String())
		}
	}
	return text.SQL + " [" + strings.Join(args, " ") + "]"
}

func TestUpdatesByCriteria(t *testing.T) {
	t.Parallel()
	m, p := modelOf[product](t)
	f, file := modelOf[file](t)
	kept := `, "updated_at" = $2, "version" = "version" + 1 WHERE "name" = $3`
	for _, c := range []struct {
		name, want, args string
		clause           query.UpdateClause
	}{
		{"set", `"name" = $1` + kept, "a'b now x", query.Set(&p.Name, "a'b")},
		{"set to zero", `"stock" = $1` + kept, "0 now x", query.Set(&p.Stock, 0)},
		{"set to NULL", `"parent_id" = $1` + kept, "NULL now x", query.Set(&p.Parent, nil)},
		{"set a type of the user's", `"mood" = $1` + kept, "fine now x", query.Set(&p.Mood, "fine")},
		{"set a decimal", `"weight" = $1` + kept, "1.50 now x", query.Set(&p.Weight, "1.50")},
		{"add", `"stock" = "stock" + $1` + kept, "-3 now x", query.Add(&p.Stock, -3)},
		{"add a fraction", `"price" = "price" + $1` + kept, "0.5 now x", query.Add(&p.Price, 0.5)},
		{"another column", `"price" = "list_price", "updated_at" = $1, "version" = "version" + 1 WHERE "name" = $2`, "now x",
			query.SetTo(&p.Price, &p.ListPrice)},
	} {
		text, err := update(m, c.clause, query.Eq(&p.Name, "x")).Update(dialect.Postgres(), now)
		if got, want := written(t, text, err), `UPDATE "products" SET `+c.want+" ["+c.args+"]"; got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, want)
		}
	}
	several := []query.UpdateClause{
		query.Eq(&p.Stock, 1), query.Set(&p.Name, "n"), nil, query.Add(&p.Stock, 1), query.In(&p.Stock, 1, 2), query.EvictTracked,
	}
	text, err := update(m, several...).Update(dialect.SQLite(), now)
	if got := written(t, text, err); !strings.HasPrefix(got, "UPDATE `products` SET `name` = ?1, `stock` = `stock` + ?2, "+
		"`updated_at` = ?3, `version` = `version` + 1 WHERE `stock` = ?4 AND (`stock` IN (") {
		t.Errorf("clauses in any order: %s", got)
	}
	for want, clauses := range map[string][]query.UpdateClause{
		`UPDATE "files" SET "path" = $1 WHERE "deleted_at" IS NULL AND "id" = $2 [a 1]`: {query.Set(&file.Path, "a"), query.Eq(&file.ID, 1)},
		`UPDATE "files" SET "path" = $1 WHERE "id" = $2 [a 1]`:                          {query.Set(&file.Path, "a"), query.Eq(&file.ID, 1), query.WithDeleted},
		`UPDATE "files" SET "path" = $1 WHERE "deleted_at" IS NULL [a]`:                 {query.Set(&file.Path, "a"), query.AllRows},
		`UPDATE "files" SET "deleted_at" = $1 [NULL]`:                                   {query.Set(&file.DeletedAt, nil), query.AllRows, query.WithDeleted},
	} {
		text, err := update(f, clauses...).Update(dialect.Postgres(), now)
		if got := written(t, text, err); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	}
}

func TestDeletionsByCriteria(t *testing.T) {
	t.Parallel()
	m, p := modelOf[product](t)
	f, file := modelOf[file](t)
	text, err := removal(m, query.Or(query.Lt(&p.Price, 1), query.IsNull(&p.Parent)), query.Ne(&p.Stock, 2)).
		Delete(dialect.Postgres(), now)
	if got, want := written(t, text, err), `DELETE FROM "products" WHERE ("price" < $1 OR "parent_id" IS NULL) AND "stock" <> $2 [1 2]`; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	text, err = removal(m, query.AllRows).Delete(dialect.SQLite(), now)
	if got, want := written(t, text, err), "DELETE FROM `products` []"; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	text, err = removal(f, query.Eq(&file.Path, "a")).Delete(dialect.Postgres(), now)
	if got, want := written(t, text, err), `UPDATE "files" SET "deleted_at" = $1 WHERE "deleted_at" IS NULL AND "path" = $2 [now a]`; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestWritesDeclareTheirParameters(t *testing.T) {
	t.Parallel()
	m, p := modelOf[product](t)
	clauses := []query.UpdateClause{query.Set(&p.Code, "s3cret"), query.Set(&p.Mood, "fine"), query.Eq(&p.Code, "old")}
	text, err := update(m, clauses...).Update(dialect.Postgres(), now)
	if err != nil {
		t.Fatal(err)
	}
	if len(text.Secret) != 4 || !text.Secret[0] || text.Secret[1] || text.Secret[2] || !text.Secret[3] {
		t.Errorf("secret are %v", text.Secret)
	}
	if text.Types[0] != value.TypeText || text.Types[1] != value.TypeUnknown || text.Types[2] != value.TypeTime {
		t.Errorf("types are %v: PostgreSQL finds out what a mood is", text.Types)
	}
	text, err = update(m, clauses...).Update(dialect.SQLite(), now)
	if err != nil || text.Types[1] != value.TypeText {
		t.Errorf("types are %v, %v: SQLite does not know the user's types", text.Types, err)
	}
}

func TestWritesRefuse(t *testing.T) {
	t.Parallel()
	m, p := modelOf[product](t)
	other := product{}
	for name, set := range map[string][]query.UpdateClause{
		"ID":             {query.Set(&p.ID, uuid.New())},
		"Origin":         {query.Set(&p.Origin, "x")},
		"Length":         {query.Add(&p.Length, 1)},
		"CreatedAt":      {query.Set(&p.CreatedAt, time.Now())},
		"UpdatedAt":      {query.SetTo(&p.UpdatedAt, &p.CreatedAt)},
		"Version":        {query.Add(&p.Version, 1)},
		"Stock":          {query.Set(&p.Stock, 1), query.Set(&p.Name, "n"), query.Add(&p.Stock, 1)},
		"entity.Columns": {query.Set(&other.Name, "n")},
		"sets nothing":   {query.Eq(&p.Name, "n")},
		"query.AllRows":  {query.Set(&p.Name, "n"), query.And()},
	} {
		if name != "query.AllRows" {
			set = append(set, query.AllRows)
		}
		_, err := update(m, set...).Update(dialect.Postgres(), now)
		if !errors.Is(err, fault.Misconfigured) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := update(m, query.SetTo(&p.Price, &other.Price), query.AllRows).Update(dialect.Postgres(), now); !errors.Is(err, fault.Misconfigured) {
		t.Errorf("a column of another struct: %v", err)
	}
	if _, err := removal(m, query.Eq(&other.Name, "n")).Delete(dialect.Postgres(), now); !errors.Is(err, fault.Misconfigured) {
		t.Errorf("a predicate on another struct: %v", err)
	}
}

// injector is a filter that says nothing but what it injects.
type injector struct{ clauses []query.Clause }

func (i injector) Inject() []query.Clause { return i.clauses }

// What a write cannot have is refused where a filter injects it, and not left out: it would meet other rows than are meant.
func TestWritesRefuseWhatFiltersInject(t *testing.T) {
	t.Parallel()
	m, p := modelOf[product](t)
	name := query.Col(&p.Name)
	for what, clause := range map[string]query.Clause{
		"Having":   query.Having(query.Rows().Gt(1)),
		"Distinct": query.Distinct,
		"Put":      query.Put(new(string), name),
		"GroupBy":  query.GroupBy(name),
		"an order": query.Asc(&p.Name),
		"a limit":  query.Limit(1),
		"a lock":   query.ForUpdate,
	} {
		in := query.ApplyFilters(injector{[]query.Clause{query.Eq(&p.Name, "n"), clause}})
		if _, err := update(m, query.Set(&p.Name, "x"), in).Update(dialect.Postgres(), now); !errors.Is(err, fault.Misconfigured) {
			t.Errorf("an update with %s: %v", what, err)
		}
		if _, err := removal(m, in).Delete(dialect.SQLite(), now); !errors.Is(err, fault.Misconfigured) {
			t.Errorf("a deletion with %s: %v", what, err)
		}
	}
}

// What a list that turned out empty makes of a filter must not rewrite a table.
func TestWritesWantAPredicateThatLeavesOutARow(t *testing.T) {
	t.Parallel()
	m, p := modelOf[product](t)
	some, every, none := query.Eq(&p.Name, "n"), query.NotIn(&p.Name), query.In(&p.Name)
	for i, c := range []struct {
		where   query.Predicate
		refused bool
	}{
		{query.Predicate{}, true}, {query.And(), true}, {query.Or(), false}, {every, true}, {none, false}, {some, false},
		{query.Not(query.And()), false}, {query.Not(query.Or()), true}, {query.Not(some), false}, {query.Not(none), true},
		{query.And(every, query.Predicate{}), true}, {query.And(every, some), false}, {query.And(every, none), false},
		{query.Not(query.And(every, none)), true}, {query.Not(query.And(some, some)), false},
		{query.Or(some, every), true}, {query.Or(some, none), false}, {query.Or(none, none), false}, {query.Not(query.Or(none, none)), true},
		{query.Not(query.Or(none, some)), false}, {query.And(query.And(), query.Or(query.Not(none))), true},
	} {
		_, err := removal(m, c.where, query.Predicate{}).Delete(dialect.Postgres(), now)
		if errors.Is(err, fault.Misconfigured) != c.refused {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// Assignments and predicates are values: one serves any number of writes.
func TestAssignmentsKeepTheirOperand(t *testing.T) {
	t.Parallel()
	m, p := modelOf[product](t)
	name := "before"
	set := query.Set(&p.Name, name)
	name = "after"
	for range 2 {
		text, err := update(m, set, query.AllRows).Update(dialect.Postgres(), now)
		if err != nil || text.Args[0].Str() != "before" {
			t.Errorf("%v, %v", text.Args, err)
		}
	}
	_ = name
}

func BenchmarkWrite(b *testing.B) {
	m, p := modelOf[product](b)
	d := dialect.Postgres()
	b.ReportAllocs()
	for b.Loop() {
		clauses := []query.UpdateClause{query.Set(&p.Name, "a"), query.Add(&p.Stock, -1), query.Eq(&p.Name, "b")}
		if _, err := update(m, clauses...).Update(d, now); err != nil {
			b.Fatal(err)
		}
	}
}
