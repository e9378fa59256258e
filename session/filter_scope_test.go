package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// Berth is a row of a tenant, which may be deleted, and so may be what it refers to.
type Berth struct {
	ID      int64 `db:"id,pk"`
	Tenant  int64
	Name    string
	Touched bool
	QuayID  int64      `db:"quay_id"`
	Quay    *Quay      `rel:"quay_id"`
	Deleted *time.Time `db:"deleted,softdelete"`
}

type Quay struct {
	ID      int64 `db:"id,pk"`
	Name    string
	Deleted *time.Time `db:"deleted,softdelete"`
}

var (
	berths = entity.Columns[Berth]()
	quays  = entity.Columns[Quay]()
)

// openBerths opens a database with the berths 1 and 2 of the first tenant, 3, which it has deleted, and 4 and 5 of the
// second one. The quay of 2 and 5 is deleted.
func openBerths(t *testing.T, b backend) *fixture {
	t.Helper()
	f := open(t, b, sealed)
	gone := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	f.do(t, func(ctx context.Context) error {
		must(t, session.CreateTables(ctx, (*Berth)(nil), (*Quay)(nil)))
		must(t, session.Add(ctx, &Quay{ID: 1, Name: "here"}, &Quay{ID: 2, Name: "gone", Deleted: &gone}))
		return session.Add(ctx, &Berth{ID: 1, Tenant: 1, Name: "a", QuayID: 1}, &Berth{ID: 2, Tenant: 1, Name: "b", QuayID: 2},
			&Berth{ID: 3, Tenant: 1, Name: "a", QuayID: 1, Deleted: &gone}, &Berth{ID: 4, Tenant: 2, Name: "a", QuayID: 1},
			&Berth{ID: 5, Tenant: 2, Name: "b", QuayID: 2})
	})
	return f
}

// berthFilter injects what it holds.
type berthFilter struct {
	Clauses []query.Clause `filter:"-"`
}

func (f berthFilter) Inject() []query.Clause { return f.Clauses }

// berthFilters hold for rows of both tenants, deleted ones and others, unless they are kept apart.
var berthFilters = map[string]struct {
	clauses []query.Clause
	joins   bool
	want    string
}{
	"an OR": {[]query.Clause{query.Or(query.Eq(&berths.Name, "a"), query.Eq(&berths.Name, "b"))}, false, "1 2"},
	"an OR and a condition": {
		[]query.Clause{query.Or(query.Eq(&berths.Name, "a"), query.Eq(&berths.Name, "b")), query.Lt(&berths.ID, 9)}, false, "1 2",
	},
	"raw SQL with an OR":           {[]query.Clause{query.Raw("? = 'a' OR ? = 'b'", query.Col(&berths.Name), query.Col(&berths.Name))}, false, "1 2"},
	"raw SQL with an OR, and more": {[]query.Clause{query.Raw("1 = 0 OR 1 = 1"), query.Raw("1 = 1 OR 1 = 0")}, false, "1 2"},
	"raw SQL within an OR":         {[]query.Clause{query.Or(query.Raw("1 = 0 OR 1 = 1"), query.Eq(&berths.Name, "x"))}, false, "1 2"},
	"what is not raw SQL":          {[]query.Clause{query.Not(query.Raw("1 = 0 OR 1 = 0"))}, false, "1 2"},
	"a joined row": {
		[]query.Clause{query.Join(&berths.Quay), query.Or(query.Eq(&quays.Name, "gone"), query.Eq(&quays.Name, "here"))}, true, "1",
	},
	"a joined row by raw SQL": {
		[]query.Clause{query.Join(&berths.Quay), query.Raw("? = 'gone' OR ? = 'here'", query.Col(&quays.Name), query.Col(&quays.Name))}, true, "1",
	},
	"a joined row that is deleted": {[]query.Clause{query.Join(&berths.Quay), query.ContainsFold(&quays.Name, "GO")}, true, ""},
	"a row of another table":       {[]query.Clause{query.Any(&berths.Quay, query.Or(query.Eq(&quays.Name, "gone"), query.Eq(&quays.Name, "here")))}, false, "1"},
	"one by raw SQL":               {[]query.Clause{query.Any(&berths.Quay, query.Raw("1 = 0 OR 1 = 1"))}, false, "1"},
	"one that is not there":        {[]query.Clause{query.None(&berths.Quay, query.Raw("1 = 0 OR 1 = 1"))}, false, "2"},
	"a subquery":                   {[]query.Clause{query.InQuery(&berths.QuayID, query.Values[Quay](&quays.ID, query.Raw("1 = 0 OR 1 = 1")))}, false, "1"},
}

// berthReads are the verbs that read, each of which returns the keys that it finds.
var berthReads = map[string]func(ctx context.Context, clauses ...query.Clause) (string, error){
	"Find": func(ctx context.Context, clauses ...query.Clause) (string, error) {
		found, err := session.Find[Berth](ctx, append(clauses, query.Asc(&berths.ID))...)
		return berthKeys(found), err
	},
	"Page": func(ctx context.Context, clauses ...query.Clause) (string, error) {
		page, err := session.Page[Berth](ctx, query.PageRequest{PageSize: 10}, append(clauses, query.Asc(&berths.ID))...)
		return ofTotal(berthKeys(page.Items), page.Total), err
	},
	"a page past the end": func(ctx context.Context, clauses ...query.Clause) (string, error) {
		found, err := session.Find[Berth](ctx, append(clauses, query.Asc(&berths.ID))...)
		if err != nil {
			return "", err
		}
		page, err := session.Page[Berth](ctx, query.PageRequest{Page: 9, PageSize: 10}, clauses...)
		return ofTotal(berthKeys(found), page.Total), err
	},
	"Seek": func(ctx context.Context, clauses ...query.Clause) (string, error) {
		var found []*Berth
		req := query.CursorRequest{PageSize: 1}
		for range 9 {
			page, err := session.Seek[Berth](ctx, req, append(clauses, query.Desc(&berths.Name), query.Asc(&berths.ID), query.CountExact)...)
			if err != nil {
				return "", err
			}
			found = append(page.Items, found...)
			if req.Cursor = page.Next; req.Cursor == "" {
				return ofTotal(berthKeys(found), *page.Total), nil
			}
		}
		return "pages without end", nil
	},
	"Count": func(ctx context.Context, clauses ...query.Clause) (string, error) {
		found, err := session.Find[Berth](ctx, append(clauses, query.Asc(&berths.ID))...)
		if err != nil {
			return "", err
		}
		n, err := session.Count[Berth](ctx, clauses...)
		return ofTotal(berthKeys(found), n), err
	},
	"Stream": func(ctx context.Context, clauses ...query.Clause) (string, error) {
		var found []*Berth
		for b, err := range session.Stream[Berth](ctx, append(clauses, query.Asc(&berths.ID))...) {
			if err != nil {
				return "", err
			}
			found = append(found, b)
		}
		return berthKeys(found), nil
	},
	"Select": func(ctx context.Context, clauses ...query.Clause) (string, error) {
		rows, err := session.Select[berthRow, Berth](ctx, append(clauses, query.Asc(&berths.ID))...)
		return berthRows(rows), err
	},
	"Select of groups": func(ctx context.Context, clauses ...query.Clause) (string, error) {
		rows, err := session.Select[berthCount, Berth](ctx, append(clauses, query.Put(&berthCounts.N, query.Rows()))...)
		if err != nil || len(rows) > 1 { // the whole is a group of a tenant
			return fmt.Sprint(rows), err
		}
		n := int64(0)
		for _, r := range rows {
			n = r.N
		}
		found, err := session.Select[berthRow, Berth](ctx, append(clauses, query.Distinct, query.Asc(&berths.ID))...)
		return ofTotal(berthRows(found), n), err
	},
	"SelectPage": func(ctx context.Context, clauses ...query.Clause) (string, error) {
		page, err := session.SelectPage[berthRow, Berth](ctx, query.PageRequest{PageSize: 10}, clauses...)
		return ofTotal(berthRows(page.Items), page.Total), err
	},
	"SelectPage past the end": func(ctx context.Context, clauses ...query.Clause) (string, error) {
		rows, err := session.Select[berthRow, Berth](ctx, append(clauses, query.Asc(&berths.ID))...)
		if err != nil {
			return "", err
		}
		page, err := session.SelectPage[berthRow, Berth](ctx, query.PageRequest{Page: 9, PageSize: 10}, clauses...)
		return ofTotal(berthRows(rows), page.Total), err
	},
	"Exists": func(ctx context.Context, clauses ...query.Clause) (string, error) {
		return eachBerth(func(id int64) (bool, error) {
			return session.Exists[Berth](ctx, append(clauses, query.Eq(&berths.ID, id))...)
		})
	},
	"First": func(ctx context.Context, clauses ...query.Clause) (string, error) {
		last := int64(0)
		return eachBerth(func(id int64) (bool, error) {
			b, err := session.First[Berth](ctx, append(clauses, query.Gt(&berths.ID, last), query.Asc(&berths.ID))...)
			if err == nil && b.ID == id {
				last = id
			}
			return last == id, err
		})
	},
	"Get": func(ctx context.Context, clauses ...query.Clause) (string, error) {
		return eachBerth(func(id int64) (bool, error) {
			b, err := session.Get[Berth](ctx, id, clauses...)
			return b != nil && b.ID == id, err
		})
	},
	"Get of what the session has": func(ctx context.Context, clauses ...query.Clause) (string, error) {
		if _, err := session.Find[Berth](ctx, query.WithDeleted); err != nil {
			return "", err
		}
		return eachBerth(func(id int64) (bool, error) {
			b, err := session.Get[Berth](ctx, id, clauses...)
			return b != nil && b.ID == id, err
		})
	},
	"Lock": func(ctx context.Context, clauses ...query.Clause) (string, error) {
		return eachBerth(func(id int64) (bool, error) {
			b, err := session.Repository[Berth]{}.Lock(ctx, id, clauses...)
			return b != nil && b.ID == id, err
		})
	},
	"Find with a lock": func(ctx context.Context, clauses ...query.Clause) (string, error) {
		found, err := session.Find[Berth](ctx, append(clauses, query.ForUpdateSkipLocked, query.Asc(&berths.ID))...)
		return berthKeys(found), err
	},
	"Batch": func(ctx context.Context, clauses ...query.Clause) (string, error) {
		var found []*Berth
		var one [5]*Berth
		var n int64
		var some bool
		all := []session.Read{
			session.FindInto(&found, append(clauses, query.Asc(&berths.ID))...), session.CountInto[Berth](&n, clauses...),
			session.ExistsInto[Berth](&some, clauses...),
		}
		for i := range one {
			all = append(all, session.LookupInto(&one[i], i+1, clauses...))
		}
		if err := session.Batch(ctx, all...); err != nil {
			return "", err
		}
		by, err := eachBerth(func(id int64) (bool, error) { return one[id-1] != nil, nil })
		if keys := berthKeys(found); by != keys || some != (n > 0) {
			return fmt.Sprintf("%q, by their keys %q, and some: %t", keys, by, some), err
		}
		return ofTotal(by, n), err
	},
	"Grid by its number": func(ctx context.Context, clauses ...query.Clause) (string, error) {
		var found []*Berth
		req := anyBerth()
		for range 9 {
			page, err := session.Grid(ctx, berthList, req, clauses...)
			if err != nil {
				return "", err
			}
			if found = append(found, page.Rows...); len(page.Rows) == 0 {
				return ofTotal(berthKeys(found), page.RowCount), nil
			}
			req.PaginationModel.Page++
		}
		return "pages without end", nil
	},
	"Grid by a cursor": func(ctx context.Context, clauses ...query.Clause) (string, error) {
		var found []*Berth
		req := anyBerth()
		req.Start = []byte(`""`)
		for range 9 {
			page, err := session.Grid(ctx, berthList, req, append(clauses, query.CountExact)...)
			if err != nil {
				return "", err
			}
			if found = append(found, page.Rows...); page.PageInfo.NextCursor == "" {
				return ofTotal(berthKeys(found), page.RowCount), nil
			}
			req.Start = fmt.Appendf(nil, "%q", page.PageInfo.NextCursor)
		}
		return "pages without end", nil
	},
}

// berthRow and berthCount are what is selected of berths.
type berthRow struct{ ID int64 }

type berthCount struct{ Tenant, N int64 }

var berthCounts = query.Fields[berthCount]()

func berthRows(rows []berthRow) string {
	found := make([]*Berth, len(rows))
	for i, r := range rows {
		found[i] = &Berth{ID: r.ID}
	}
	return berthKeys(found)
}

// eachBerth returns the keys of the berths that a verb finds, one by one. fault.NotFound is none.
func eachBerth(find func(id int64) (bool, error)) (string, error) {
	var found []*Berth
	for id := int64(1); id <= 5; id++ {
		ok, err := find(id)
		if err != nil && !errors.Is(err, fault.NotFound) {
			return "", err
		}
		if ok && err == nil {
			found = append(found, &Berth{ID: id})
		}
	}
	return berthKeys(found), nil
}

var berthList = query.NewList[Berth](query.Field("id", &berths.ID), query.Field("name", &berths.Name).Searched(), query.Asc(&berths.ID))

// anyBerth is a grid's request for pages of one, whose own filter and search hold for every row, of whichever tenant, by one
// of their ORs.
func anyBerth() query.GridRequest {
	return query.GridRequest{
		PaginationModel: &query.GridPagination{PageSize: 1},
		FilterModel: &query.GridFilter{
			Items: []query.GridItem{
				{Field: "id", Operator: ">", Value: []byte("0")}, {Field: "name", Operator: "equals", Value: []byte(`"a"`)},
			},
			LogicOperator: "or", QuickFilterLogicOperator: "or", QuickFilterValues: []json.RawMessage{[]byte(`"a"`), []byte(`"b"`)},
		},
	}
}

// berthWrites are the verbs that write.
var berthWrites = map[string]func(ctx context.Context, filter, scope query.DeleteClause) error{
	"UpdateAll": func(ctx context.Context, filter, scope query.DeleteClause) error {
		return second(session.UpdateAll[Berth](ctx, query.Set(&berths.Touched, true), filter, scope))
	},
	"DeleteAll": func(ctx context.Context, filter, scope query.DeleteClause) error {
		return second(session.DeleteAll[Berth](ctx, filter, scope))
	},
}

func berthKeys(all []*Berth) string {
	var keys []string
	for _, b := range all {
		keys = append(keys, fmt.Sprint(b.ID))
	}
	return strings.Join(keys, " ")
}

// ofTotal returns the keys, and says so where there are not n.
func ofTotal(keys string, n int64) string {
	if len(strings.Fields(keys)) == int(n) {
		return keys
	}
	return fmt.Sprintf("%s of %d", keys, n)
}

// Whatever a filter injects, nothing of another tenant and nothing that is deleted is read, counted or written.
func TestNoFilterLeavesItsScope(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f := openBerths(t, b)
		for name, c := range berthFilters {
			filter, scope := query.ApplyFilters(berthFilter{c.clauses}), query.Eq(&berths.Tenant, 1)
			for verb, read := range berthReads {
				f.do(t, func(ctx context.Context) error {
					got, err := read(ctx, filter, scope)
					if got != c.want {
						t.Errorf("%s by %s: %q, want %q", verb, name, got, c.want)
					}
					return err
				})
			}
			for verb, write := range berthWrites {
				err := f.Do(t.Context(), func(ctx context.Context) error {
					before := berthStates(t, ctx)
					err := write(ctx, filter, scope)
					var changed []string
					for key, state := range berthStates(t, ctx) {
						if before[key] != state {
							changed = append(changed, fmt.Sprint(key+1))
						}
					}
					want := c.want
					if c.joins {
						want = "" // it is refused
					}
					if got := strings.Join(changed, " "); got != want || (err != nil) != c.joins {
						t.Errorf("%s by %s: %q, %v, want %q", verb, name, got, err, want)
					}
					return errInner // undone
				})
				if !errors.Is(err, errInner) {
					t.Errorf("%s by %s: %v", verb, name, err)
				}
			}
		}
	})
}

// berthStates returns what can be written of each row, the deleted ones too, by their keys.
func berthStates(t *testing.T, ctx context.Context) (states [5]string) {
	t.Helper()
	rows, err := session.From(ctx).QueryContext(ctx, "SELECT id, touched, deleted IS NULL FROM berths")
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var id int64
		var touched, live bool
		must(t, rows.Scan(&id, &touched, &live))
		states[id-1] = fmt.Sprint(touched, live)
	}
	must(t, rows.Err())
	return states
}
