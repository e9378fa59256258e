package session_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// gridFields, gridOperators and gridValues are what the requests of TestPromise48_grid_same are made of.
var (
	gridFields = []string{
		"name", "note", "size", "big", "weight", "ratio", "price", "made", "madeOn", "day", "on", "status", "grade", "owner", "maker",
		"country", "parts", "label", "secret",
	}
	gridOperators = []string{
		"contains", "doesNotContain", "equals", "doesNotEqual", "startsWith", "endsWith", "isEmpty", "isNotEmpty", "isAnyOf", "=", "!=",
		">", ">=", "<", "<=", "is", "not", "after", "onOrAfter", "before", "onOrBefore",
	}
	gridValues = []string{
		`""`, `"0"`, `"aNN"`, `"%"`, `"_"`, `"\\"`, `"é"`, `"ЗНЬ"`, `"open"`, `"\ud800"`, `"\u0001"`, `"a'b\"c"`, `0`, `-0`, `9`, `9.0`, `10.5`, `-1.25`,
		`1e300`, `-1e300`, `1e-300`, `0.1`, `2147483647`, `9223372036854775807`, `18446744073709551615`, `99999999999999999999`, `true`,
		`false`, `null`, `"2026-11-29"`, `"2026-11-29T10:20:00.000Z"`, `"0000-01-01T00:00:00Z"`, `"0000-01-01"`, `"9998-12-31"`, `"A"`,
		`"01920000-0000-7000-8000-0000000000aa"`, `{"value":"open"}`, `{"value":9}`, `["ann 50%","ÉCLAIR","ж"]`, `[9,10.50,-0.125]`, `[true]`, `[null]`,
		`[[]]`, `["01920000-0000-7000-8000-0000000000aa"]`, `[{"value":"done"},"open"]`, `["A","AAA"]`,
	}
)

// TestPromise48_grid_same: every operator with every value, on every field: rows, or a BadRequest, and the same on every
// database.
func TestPromise48_grid_same(t *testing.T) {
	t.Parallel()
	var answers [2][]string
	for i, b := range backends[:2] {
		f := openGear(t, b)
		f.do(t, func(ctx context.Context) error {
			eachItem(func(body string) {
				var req query.GridRequest
				must(t, json.Unmarshal([]byte(body), &req))
				page, err := session.Grid(ctx, gearList, req, query.Eq(&gears.Tenant, 0))
				answer := gearKeys(page.Rows)
				if err != nil {
					answer = refusal(err)
				}
				if strings.HasPrefix(answer, "not refused") {
					t.Fatalf("%s: %s: %s", b.name, body, answer)
				}
				answers[i] = append(answers[i], body+": "+answer)
			})
			return nil
		})
	}
	rows := 0
	for i, answer := range answers[0] {
		if answer != answers[1][i] {
			t.Errorf("%s, but %s", answer, answers[1][i])
		}
		if !strings.Contains(answer, "filterModel.items[0]") {
			rows++
		}
	}
	if rows < 1000 {
		t.Errorf("only %d of %d requests are answered by rows", rows, len(answers[0]))
	}
}

func eachItem(ask func(body string)) {
	for _, field := range gridFields {
		for _, operator := range gridOperators {
			for _, value := range gridValues {
				ask(item(field, operator, value))
			}
		}
	}
}

// Mooded has columns of types that only its database knows.
type Mooded struct {
	ID   int64   `db:"id,pk"`
	Mood *string `db:"mood,type=mood"`
	Code string  `db:"code,type=varchar(3)"`
}

var moodeds = entity.Columns[Mooded]()

// TestGridOfNativeTypes: an enum of the database is compared as a text where that is asked, and a value that it does not
// have is the client's mistake.
func TestGridOfNativeTypes(t *testing.T) {
	t.Parallel()
	f := open(t, backends[0])
	f.do(t, func(ctx context.Context) error {
		_, err := session.From(ctx).ExecContext(ctx, "CREATE TYPE mood AS ENUM ('sad', 'happy')")
		must(t, err)
		must(t, session.CreateTables(ctx, (*Mooded)(nil)))
		return session.Add(ctx, &Mooded{1, new("sad"), "abc"}, &Mooded{2, nil, ""})
	})
	list := query.NewList[Mooded](query.Field("id", &moodeds.ID), query.Field("mood", &moodeds.Mood),
		query.Field("select", &moodeds.Mood).AsSelect(), query.Field("code", &moodeds.Code))
	for _, c := range []struct{ field, operator, value, want string }{
		{"mood", "contains", `"A"`, "1"}, {"mood", "equals", `"gloomy"`, ""}, {"mood", "isEmpty", "", "2"}, {"mood", "isNotEmpty", "", "1"},
		{"mood", "doesNotEqual", `"gloomy"`, "1 2"}, {"mood", "isAnyOf", `["SAD","gloomy"]`, "1"}, {"select", "is", `"sad"`, "1"},
		{"select", "not", `"sad"`, "2"}, {"select", "isAnyOf", `["sad","happy"]`, "1"}, {"code", "isEmpty", "", "2"}, {"code", "equals", `"ABCD"`, ""},
		{"select", "is", `"gloomy"`, "value of \"select\""}, {"select", "isAnyOf", `["gloomy","sad"]`, "value of \"select\""},
	} {
		var req query.GridRequest
		must(t, json.Unmarshal([]byte(item(c.field, c.operator, c.value)), &req))
		got := ""
		err := f.Do(t.Context(), func(ctx context.Context) error {
			page, err := session.Grid(ctx, list, req)
			for _, m := range page.Rows {
				got = strings.TrimSpace(fmt.Sprint(got, " ", m.ID))
			}
			return err
		})
		if err != nil {
			got, _ = strings.CutPrefix(refusal(err), "filterModel.items[0].")
			got, _ = strings.CutSuffix(got, " is no value that there is")
			if public := fault.Public(err); strings.Contains(public, "gloomy") || strings.Contains(public, "enum") {
				t.Errorf("shown is %q", public)
			}
		}
		if got != c.want {
			t.Errorf("%s %s %s: %q, %v, want %q", c.field, c.operator, c.value, got, err, c.want)
		}
	}
}

// TestFiltersOfNativeTypes: so are those of filter structs, in every verb that takes them, and what is refused is named.
func TestFiltersOfNativeTypes(t *testing.T) {
	t.Parallel()
	type filter struct {
		query.PageRequest
		Mood  query.StringCriteria   `json:"mood"`
		Is    query.Criteria[string] `json:"is" filter:"mood"`
		Moods []string               `json:"moods" filter:"mood"`
		None  entity.Opt[string]     `json:"none" filter:"mood"`
		Code  query.StringCriteria   `json:"code"`
	}
	f := open(t, backends[0])
	f.do(t, func(ctx context.Context) error {
		must(t, second(session.From(ctx).ExecContext(ctx, "CREATE TYPE mood AS ENUM ('sad', 'happy')")))
		must(t, session.CreateTables(ctx, (*Mooded)(nil)))
		return session.Add(ctx, &Mooded{1, new("sad"), "abc"}, &Mooded{2, nil, ""}, &Mooded{3, new("happy"), "A"})
	})
	found := func(all []*Mooded) string {
		var keys []string
		for _, m := range all {
			keys = append(keys, strconv.FormatInt(m.ID, 10))
		}
		return strings.Join(keys, " ")
	}
	verbs := map[string]func(ctx context.Context, in filter) (string, error){
		"Page": func(ctx context.Context, in filter) (string, error) {
			page, err := session.Page[Mooded](ctx, in.PageRequest, query.ApplyFilters(in))
			return found(page.Items), err
		},
		"Seek": func(ctx context.Context, in filter) (string, error) {
			page, err := session.Seek[Mooded](ctx, query.CursorRequest{}, query.ApplyFilters(in))
			return found(page.Items), err
		},
		"Find": func(ctx context.Context, in filter) (string, error) {
			all, err := session.Find[Mooded](ctx, query.ApplyFilters(in), query.Asc(&moodeds.ID))
			return found(all), err
		},
		"Count": func(ctx context.Context, in filter) (string, error) {
			return "", second(session.Count[Mooded](ctx, query.ApplyFilters(in)))
		},
		"UpdateAll": func(ctx context.Context, in filter) (string, error) {
			return "", second(session.UpdateAll[Mooded](ctx, query.SetTo(&moodeds.Code, &moodeds.Code), query.ApplyFilters(in)))
		},
		"DeleteAll": func(ctx context.Context, in filter) (string, error) {
			return "", second(session.DeleteAll[Mooded](ctx, query.Eq(&moodeds.ID, 0), query.ApplyFilters(in)))
		},
	}
	for _, c := range []struct {
		filter filter
		want   string
	}{
		{filter{Mood: query.StringCriteria{Value: "A", CaseSensitive: true}}, ""},
		{filter{Mood: query.StringCriteria{Value: "a", CaseSensitive: true}}, "1 3"},
		{filter{Mood: query.StringCriteria{Value: "A"}}, "1 3"},
		{filter{Mood: query.StringCriteria{Value: "SAD", IsExact: true}}, "1"},
		{filter{Mood: query.StringCriteria{Value: "gloomy", IsExact: true}}, ""},
		{filter{Mood: query.StringCriteria{Value: "sad", IsExact: true, CaseSensitive: true}}, "1"},
		{filter{Code: query.StringCriteria{Value: "a", CaseSensitive: true}}, "1"},
		{filter{Is: query.Criteria[string]{Gt: new("sad")}}, "3"},
		{filter{Moods: []string{"happy"}}, "3"},
		{filter{None: entity.Null[string]()}, "2"},
		{filter{Mood: query.StringCriteria{Value: "gloomy", IsExact: true, CaseSensitive: true}}, "mood.value"},
		{filter{Mood: query.StringCriteria{In: []string{"sad", "gloomy"}}}, "mood.in"},
		{filter{Is: query.Criteria[string]{Eq: new("gloomy")}}, "is.eq"},
		{filter{Is: query.Criteria[string]{Ne: new("gloomy"), Eq: new("sad")}}, "is.ne"},
		{filter{Is: query.Criteria[string]{In: []string{"gloomy"}}}, "is.in"},
		{filter{Moods: []string{"gloomy"}, Code: query.StringCriteria{Value: "gloomy", IsExact: true, CaseSensitive: true}}, "moods.in"},
		{filter{None: entity.Some("gloomy"), Moods: []string{"sad", "happy"}}, "none"},
	} {
		for verb, ask := range verbs {
			var got string
			err := f.Do(t.Context(), func(ctx context.Context) (err error) {
				got, err = ask(ctx, c.filter)
				return err
			})
			if err != nil {
				got, _ = strings.CutSuffix(refusal(err), " is no value that there is")
				if public := fault.Public(err); strings.Contains(public, "gloomy") || strings.Contains(public, "enum") {
					t.Errorf("shown is %q", public)
				}
			} else if verb == "Count" || strings.HasSuffix(verb, "All") {
				continue
			}
			if got != c.want {
				t.Errorf("%s %+v: %q, %v, want %q", verb, c.filter, got, err, c.want)
			}
		}
	}
}

// TestFaultsOfTheProgramAreNoClients: what an update computes is at fault, and not what a client has sent beside it.
func TestFaultsOfTheProgramAreNoClients(t *testing.T) {
	t.Parallel()
	type filter struct {
		Day  query.DateCriteria   `json:"day"`
		Mood query.StringCriteria `json:"mood"`
	}
	f := open(t, backends[0])
	f.do(t, func(ctx context.Context) error {
		must(t, second(session.From(ctx).ExecContext(ctx, "CREATE TYPE mood AS ENUM ('sad', 'happy')")))
		must(t, session.CreateTables(ctx, (*Brooded)(nil)))
		return session.Add(ctx, &Brooded{1, time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC), "sad", 30_000, "", 0})
	})
	sad := query.StringCriteria{Value: "sad", IsExact: true, CaseSensitive: true}
	innocent := query.ApplyFilters(filter{query.DateCriteria{Gte: &query.Date{Year: 2026, Month: 11, Day: 29}}, sad})
	for name, at := range map[string]query.UpdateClause{
		"a sum out of range":      query.Add(&broodeds.Small, 30_000),
		"a text that is too long": query.Set(&broodeds.Code, "abcd"),
		"a division by zero":      query.Raw("1 / (? - 1) = 1", query.Col(&broodeds.ID)),
		"no value of its type":    query.Set(&broodeds.Mood, "gloomy"),
	} {
		err := f.Do(t.Context(), func(ctx context.Context) error {
			return second(session.UpdateAll[Brooded](ctx, query.SetTo(&broodeds.Other, &broodeds.Small), at, innocent))
		})
		if fault.KindOf(err) != fault.Invalid || len(fault.FieldsOf(err)) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Brooded has columns that can be overflown beside those that clients are asked about.
type Brooded struct {
	ID    int64     `db:"id,pk"`
	Day   time.Time `db:"day,type=date"`
	Mood  string    `db:"mood,type=mood"`
	Small int16
	Code  string `db:"code,type=varchar(3)"`
	Other int16
}

var broodeds = entity.Columns[Brooded]()

// Priced has decimals that must not be there twice.
type Priced struct {
	ID    int64  `db:"id,pk"`
	Price string `db:"price,type=numeric,unique"`
}

var priceds = entity.Columns[Priced]()

// TestDecimalsAreNumbers: they are equal, ordered and unique as numbers on every database.
func TestDecimalsAreNumbers(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f := open(t, b)
		f.do(t, func(ctx context.Context) error {
			must(t, session.CreateTables(ctx, (*Priced)(nil)))
			return session.Add(ctx, &Priced{1, "9"}, &Priced{2, "10.0"}, &Priced{3, "-1e2"}, &Priced{4, "0.5"})
		})
		for name, c := range map[string]struct {
			clauses []query.Clause
			want    string
		}{
			"equal":     {[]query.Clause{query.Eq(&priceds.Price, "10")}, "2"},
			"differ":    {[]query.Clause{query.Ne(&priceds.Price, "10.00"), query.Asc(&priceds.ID)}, "1 3 4"},
			"less":      {[]query.Clause{query.Lt(&priceds.Price, "9.5"), query.Asc(&priceds.ID)}, "1 3 4"},
			"one of":    {[]query.Clause{query.In(&priceds.Price, "9.0", "-100"), query.Asc(&priceds.ID)}, "1 3"},
			"ascending": {[]query.Clause{query.Asc(&priceds.Price)}, "3 4 1 2"},
			"greatest":  {[]query.Clause{query.Desc(&priceds.Price), query.Limit(1)}, "2"},
		} {
			f.do(t, func(ctx context.Context) error {
				found, err := session.Find[Priced](ctx, c.clauses...)
				must(t, err)
				var got []string
				for _, p := range found {
					got = append(got, fmt.Sprint(p.ID))
				}
				if strings.Join(got, " ") != c.want {
					t.Errorf("%s: %v, want %s", name, got, c.want)
				}
				return nil
			})
		}
		err := f.Do(t.Context(), func(ctx context.Context) error { return session.Add(ctx, &Priced{5, "9.000"}) })
		if fault.KindOf(err) != fault.Unique {
			t.Errorf("9.000 beside 9: %v", err)
		}
	})
}
