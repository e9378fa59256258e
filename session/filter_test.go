package session_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

type userFilter struct {
	query.PageRequest
	Name    query.StringCriteria `json:"name"`
	Nick    query.StringCriteria `json:"nick"`
	Age     query.Criteria[int]  `json:"age"`
	Admin   *bool                `json:"admin"`
	Mails   []string             `json:"mails" filter:"email"`
	Alias   entity.Opt[string]   `json:"alias" filter:"nick"`
	Created query.DateCriteria   `json:"created" filter:"created_at"`
	Search  string               `json:"search" filter:"-"`
}

// Inject adds what follows from no single column.
func (f userFilter) Inject() []query.Clause {
	if f.Search == "" {
		return nil
	}
	return []query.Clause{query.Or(query.ContainsFold(&users.Name, f.Search), query.ContainsFold(&users.Email, f.Search))}
}

func TestFiltersOfAStruct(t *testing.T) {
	t.Parallel()
	yes := true
	seven, nine := 7, 9
	day := query.DateOf(time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC))
	nick := "B%_"
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			f := open(t, b)
			f.do(t, func(ctx context.Context) error {
				return session.Add(ctx, &User{Name: "Ann", Email: "a@x", Age: 7}, &User{Name: "Bob", Email: "b@x", Nick: &nick, Age: 9, Admin: true})
			})
			for name, c := range map[string]struct {
				filter userFilter
				want   string
			}{
				"nothing":            {userFilter{}, "Ann Bob"},
				"a text":             {userFilter{Name: query.StringCriteria{Value: "NN"}}, "Ann"},
				"no wildcards":       {userFilter{Nick: query.StringCriteria{Value: "%_", CaseSensitive: true}}, "Bob"},
				"exact":              {userFilter{Name: query.StringCriteria{Value: "ann", IsExact: true}}, "Ann"},
				"exact with case":    {userFilter{Name: query.StringCriteria{Value: "ann", IsExact: true, CaseSensitive: true}}, ""},
				"a range":            {userFilter{Age: query.Criteria[int]{Gt: &seven, Lte: &nine}}, "Bob"},
				"a list":             {userFilter{Age: query.Criteria[int]{In: []int{7, 8}}}, "Ann"},
				"differs":            {userFilter{Age: query.Criteria[int]{Ne: &seven}}, "Bob"},
				"a pointer":          {userFilter{Admin: &yes}, "Bob"},
				"a slice":            {userFilter{Mails: []string{"a@x", "c@x"}}, "Ann"},
				"null":               {userFilter{Alias: entity.Null[string]()}, "Ann"},
				"an option":          {userFilter{Alias: entity.Some(nick)}, "Bob"},
				"without a value":    {userFilter{Nick: query.StringCriteria{Null: &yes}}, "Ann"},
				"a day":              {userFilter{Created: query.DateCriteria{Eq: &day}}, "Ann Bob"},
				"after the day":      {userFilter{Created: query.DateCriteria{Gt: &day}}, ""},
				"up to the day":      {userFilter{Created: query.DateCriteria{Lte: &day}}, "Ann Bob"},
				"what it injects":    {userFilter{Search: "B@"}, "Bob"},
				"all of it together": {userFilter{Search: "x", Age: query.Criteria[int]{Eq: &seven}}, "Ann"},
			} {
				f.do(t, func(ctx context.Context) error {
					found, err := session.Find[User](ctx, query.ApplyFilters(c.filter), query.Asc(&users.Name))
					must(t, err)
					var got []string
					for _, u := range found {
						got = append(got, u.Name)
					}
					if strings.Join(got, " ") != c.want {
						t.Errorf("%s: found %q, want %q", name, got, c.want)
					}
					return nil
				})
			}
		})
	}
}

func TestFiltersWithoutARule(t *testing.T) {
	t.Parallel()
	f := open(t, backends[1])
	for _, c := range []struct {
		filter any
		kind   fault.Kind
		text   string
	}{
		{struct{ Color *string }{}, fault.Misconfigured, "a column color"},
		{struct{ Name string }{}, fault.Misconfigured, "of which it cannot be told"},
		{struct{ Age query.Criteria[string] }{Age: query.Criteria[string]{In: []string{"x"}}}, fault.Misconfigured, "stored as int64"},
		{7, fault.Misconfigured, "is not a filter struct"},
		{struct{ Name query.StringCriteria }{query.StringCriteria{Value: strings.Repeat("x", query.MaxText+1)}}, fault.BadRequest, "longer than"},
		{struct{ Age query.Criteria[int] }{query.Criteria[int]{In: make([]int, query.MaxValues+1)}}, fault.BadRequest, "more than 500"},
	} {
		err := f.Do(t.Context(), func(ctx context.Context) error {
			_, err := session.Find[User](ctx, query.ApplyFilters(c.filter))
			return err
		})
		text := ""
		if err != nil {
			text = err.Error()
		}
		for _, field := range fault.FieldsOf(err) {
			text += field.Name + " " + field.Message
		}
		if fault.KindOf(err) != c.kind || !strings.Contains(text, c.text) {
			t.Errorf("%T: %v (%s)", c.filter, err, text)
		}
	}
}

// agedFilter is a filter that others build on: it says which page is wanted as well.
type agedFilter struct {
	query.PageRequest
	Age query.Criteria[int] `json:"age"`
}

// limiting injects what is more than a condition.
type limiting struct {
	Age query.Criteria[int] `json:"age"`
}

func (limiting) Inject() []query.Clause {
	return []query.Clause{query.Gt(&users.Age, 0), query.Limit(1)}
}

// A filter that is embedded counts, whatever it embeds itself.
func TestFiltersBuildOnFilters(t *testing.T) {
	t.Parallel()
	f := open(t, backends[1])
	seven := 7
	filter := struct {
		agedFilter
		Name query.StringCriteria `json:"name"`
	}{agedFilter: agedFilter{Age: query.Criteria[int]{Eq: &seven}}}
	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, &User{Name: "Ann", Email: "a@x", Age: 7}, &User{Name: "Bob", Email: "b@x", Age: 9}))
		n, err := session.Count[User](ctx, query.ApplyFilters(filter))
		must(t, err)
		if n != 1 {
			t.Errorf("found %d", n)
		}
		return nil
	})
}

func TestFiltersOfWrites(t *testing.T) {
	t.Parallel()
	f := open(t, backends[1])
	seven := 7
	f.do(t, func(ctx context.Context) error {
		return session.Add(ctx, &User{Name: "Ann", Email: "a@x", Age: 7}, &User{Name: "Bob", Email: "b@x", Age: 9})
	})
	remove := func(filter any) (n int64, err error) {
		err = f.Do(t.Context(), func(ctx context.Context) error {
			n, err = session.DeleteAll[User](ctx, query.ApplyFilters(filter))
			return err
		})
		return n, err
	}
	for _, c := range []struct {
		filter any
		text   string
	}{
		{limiting{}, "a filter injects"},
		{agedFilter{}, "query.AllRows"},
		{struct{ Color *string }{}, "a column color"},
	} {
		if n, err := remove(c.filter); n != 0 || fault.KindOf(err) != fault.Misconfigured || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%T: deleted %d, %v", c.filter, n, err)
		}
	}
	if n, err := remove(agedFilter{Age: query.Criteria[int]{Eq: &seven}}); n != 1 || err != nil {
		t.Errorf("deleted %d, %v", n, err)
	}
}

// Coined has columns that are decimals and UUIDs by their tags.
type Coined struct {
	ID    int64   `db:"id,pk"`
	Price decimal `db:"price,type=numeric"`
	Fee   *string `db:"fee,type=numeric"`
	Owner string  `db:"owner,type=uuid"`
}

// TestFiltersOfWhatATagMakes: what a tag stores as a decimal or a UUID is filtered by values of the field's own type.
func TestFiltersOfWhatATagMakes(t *testing.T) {
	coins := entity.Columns[Coined]()
	const owner = "01920000-0000-7000-8000-0000000000aa"
	type filter struct {
		Price  query.Criteria[decimal] `json:"price"`
		Prices []decimal               `filter:"price"`
		Fee    query.Criteria[string]  `json:"fee"`
		Exact  *string                 `filter:"fee"`
		None   entity.Opt[string]      `filter:"fee"`
		Owner  query.Criteria[string]  `json:"owner"`
	}
	onBoth(t, func(t *testing.T, b backend) {
		f := open(t, b)
		f.do(t, func(ctx context.Context) error {
			must(t, session.CreateTables(ctx, (*Coined)(nil)))
			return session.Add(ctx, &Coined{ID: 1, Price: "9", Fee: new("0.5")}, &Coined{ID: 2, Price: "10.50", Owner: owner})
		})
		find := func(in filter) (got string, err error) {
			err = f.Do(t.Context(), func(ctx context.Context) error {
				found, err := session.Find[Coined](ctx, query.ApplyFilters(in), query.Desc(&coins.ID))
				for _, c := range found {
					got += strconv.FormatInt(c.ID, 10)
				}
				return err
			})
			return got, err
		}
		for want, in := range map[string]filter{
			"21": {}, "2": {Price: query.Criteria[decimal]{Gt: new(decimal("9.00"))}}, "1": {Prices: []decimal{"9.0", "8"}},
		} {
			if got, err := find(in); err != nil || got != want {
				t.Errorf("%+v: %s, %v, want %s", in, got, err, want)
			}
		}
		for i, in := range []filter{
			{Price: query.Criteria[decimal]{Ne: new(decimal("9.0"))}}, {Fee: query.Criteria[string]{Ne: new(".5")}}, {None: entity.Null[string]()},
			{Owner: query.Criteria[string]{Eq: new(strings.ToUpper(owner))}}, {Price: query.Criteria[decimal]{In: []decimal{"105e-1"}}},
		} {
			if got, err := find(in); err != nil || got != "2" {
				t.Errorf("filter %d: %s, %v", i, got, err)
			}
		}
		if got, err := find(filter{Exact: new("0.50")}); err != nil || got != "1" {
			t.Errorf("exact: %s, %v", got, err)
		}
		for name, in := range map[string]filter{
			"price.eq": {Price: query.Criteria[decimal]{Eq: new(decimal("nine"))}}, "price.lt": {Price: query.Criteria[decimal]{Lt: new(decimal("1e999999"))}},
			"fee.eq": {Fee: query.Criteria[string]{Eq: new(strings.Repeat("9", 200))}}, "owner.eq": {Owner: query.Criteria[string]{Eq: new("nobody")}},
		} {
			if _, err := find(in); fault.KindOf(err) != fault.BadRequest || len(fault.FieldsOf(err)) != 1 || fault.FieldsOf(err)[0].Name != name {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestFiltersRefuseWhatNoTextHas: NUL, which PostgreSQL cannot hold, and what is no UTF-8 are the client's mistake on every
// database, and nothing is sent.
func TestFiltersRefuseWhatNoTextHas(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f := open(t, b)
		for _, text := range []string{"a\x00", "\xff"} {
			for name, filter := range map[string]userFilter{
				"name.value": {Name: query.StringCriteria{Value: text}},
				"nick.value": {Nick: query.StringCriteria{Value: text, IsExact: true, CaseSensitive: true}},
				"name.in":    {Name: query.StringCriteria{In: []string{"a", text}}},
				"mails.in":   {Mails: []string{text}},
				"alias":      {Alias: entity.Some(text)},
			} {
				f.reset()
				err := f.Do(t.Context(), func(ctx context.Context) error {
					return second(session.Page[User](ctx, query.PageRequest{}, query.ApplyFilters(filter)))
				})
				if fields := fault.FieldsOf(err); fault.KindOf(err) != fault.BadRequest || len(fields) != 1 || fields[0].Name != name {
					t.Errorf("%s %q: %v", name, text, err)
				}
				if f.sent("SELECT") {
					t.Errorf("%s %q: sent %v", name, text, f.trips())
				}
			}
		}
	})
}
