package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// Gear has a column of every type that a list can filter by.
type Gear struct {
	ID       int64 `db:"id,pk"`
	Tenant   int64
	Name     *string
	Note     string
	Size     *int32
	Big      uint64
	Weight   *float64
	Ratio    float32
	Price    *string `db:"price,type=numeric"`
	Made     *time.Time
	Day      *time.Time `db:"day,type=date"`
	On       *bool      `db:"is_on"`
	Status   *string
	Grade    Grade
	Owner    *uuid.UUID
	MakerID  *uuid.UUID `db:"maker_id,ref=makers"`
	Maker    *Maker     `rel:"maker_id"`
	Parts    []*Part    `rel:"parts.gear_id"`
	Secret   string
	Password string     `db:"password,secret"`
	Deleted  *time.Time `db:"deleted,softdelete"`
}

// Grade is stored as a number, and a word for whoever reads JSON.
type Grade int

func (g Grade) MarshalJSON() ([]byte, error) { return json.Marshal(strings.Repeat("A", int(g))) }

func (g *Grade) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	if strings.Trim(text, "A") != "" {
		return errors.New("no grade")
	}
	*g = Grade(len(text))
	return nil
}

type Maker struct {
	entity.Identifiable
	Name    string
	Country *string
}

type Part struct {
	ID     int64 `db:"id,pk"`
	GearID int64 `db:"gear_id,ref=gears"`
	Count  int64
}

var (
	gears  = entity.Columns[Gear]()
	makers = entity.Columns[Maker]()
	parts  = entity.Columns[Part]()
)

// gearList has all columns of a gear but its secret.
var gearList = query.NewList[Gear](
	query.Join(&gears.Maker),
	query.Field("id", &gears.ID),
	query.Field("name", &gears.Name).Searched(),
	query.Field("note", &gears.Note),
	query.Field("size", &gears.Size).Searched(),
	query.Field("big", &gears.Big),
	query.Field("weight", &gears.Weight),
	query.Field("ratio", &gears.Ratio),
	query.Field("price", &gears.Price).Searched(),
	query.Field("made", &gears.Made),
	query.Field("madeOn", &gears.Made).AsDate(),
	query.Field("day", &gears.Day).AsDate(),
	query.Field("on", &gears.On),
	query.Field("status", &gears.Status).AsSelect(),
	query.Field("grade", &gears.Grade).AsSelect(),
	query.Field("owner", &gears.Owner).Searched(),
	query.Field("maker", &makers.Name).Searched(),
	query.Field("country", &makers.Country),
	query.Field("password", &gears.Password),
	query.Computed("parts", query.Over(&gears.Parts, query.Sum(query.Col(&parts.Count)))),
	query.Computed("label", query.Coalesce(query.Col(&gears.Status), new("none"))),
	query.Field("onlySorted", &gears.Size).SortOnly(),
	query.Field("onlyFiltered", &gears.Size).FilterOnly(),
)

var gearOwner = uuid.MustParse("01920000-0000-7000-8000-0000000000aa")

// instant is a time of the day on which most is made.
func instant(text string) *time.Time {
	t, err := time.Parse(time.RFC3339Nano, "2026-11-"+text+"Z")
	if err != nil {
		panic(err)
	}
	return &t
}

// openGear opens a database with gear 1 to 7. 4 has no value wherever that is possible, 6 is of another tenant, 7 is deleted.
func openGear(t testing.TB, b backend) *fixture {
	t.Helper()
	f := open(t, b)
	acme, zeta := &Maker{Name: "Acme"}, &Maker{Name: "Zeta", Country: new("BR")}
	f.do(t, func(ctx context.Context) error {
		must(t, session.CreateTables(ctx, (*Gear)(nil), (*Maker)(nil), (*Part)(nil)))
		must(t, session.Add(ctx, acme, zeta))
		return session.Flush(ctx)
	})
	all := []*Gear{
		{ID: 1, Name: new("Ann 50%"), Note: "x", Size: new(int32(9)), Big: 1<<64 - 1, Weight: new(0.5), Ratio: 0.1, Price: new("9"),
			Made: instant("28T23:59:59.999999"), Day: instant("28T00:00:00"), On: new(true), Status: new("open"), Grade: 1, Owner: &gearOwner, MakerID: &acme.ID},
		{ID: 2, Name: new("ÉCLAIR"), Note: "ab_c", Size: new(int32(10)), Big: 1 << 63, Weight: new(1e300), Ratio: 0.5, Price: new("10.50"),
			Made: instant("29T00:00:00"), Day: instant("29T00:00:00"), On: new(false), Status: new("Open"), Grade: 2, MakerID: &zeta.ID},
		{ID: 3, Name: new("Жизнь\\"), Size: new(int32(-3)), Big: 3, Weight: new(-1.5), Price: new("100"),
			Made: instant("29T10:20:30.5"), Day: instant("29T00:00:00"), On: new(true), Status: new(""), Grade: 2},
		{ID: 4, Password: "hidden"},
		{ID: 5, Name: new(""), Note: "Ann", Size: new(int32(9)), Big: 5, Weight: new(0.0), Price: new("-0.125"),
			Made: instant("30T00:00:00"), Day: instant("30T00:00:00"), On: new(false), Status: new("done"), Grade: 3, MakerID: &acme.ID},
		{ID: 6, Tenant: 2, Name: new("Ann of another tenant")},
		{ID: 7, Name: new("Ann who is deleted"), Deleted: instant("29T00:00:00")},
	}
	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, all...))
		must(t, session.Flush(ctx))
		return session.Add(ctx, &Part{ID: 1, GearID: 1, Count: 2}, &Part{ID: 2, GearID: 1, Count: 3}, &Part{ID: 3, GearID: 5, Count: 7})
	})
	f.reset()
	return f
}

// ask answers a grid's request for the first tenant's gear, in the order of the keys unless it says another.
func (f *fixture) ask(t testing.TB, list *query.List[Gear], body string) (page query.GridPage[*Gear], err error) {
	t.Helper()
	var req query.GridRequest
	if err := json.Unmarshal([]byte(body), &req); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	err = f.Do(t.Context(), func(ctx context.Context) error {
		page, err = session.Grid(ctx, list, req, query.Eq(&gears.Tenant, 0))
		return err
	})
	return page, err
}

// asked returns the keys of the gear that a request finds.
func (f *fixture) asked(t testing.TB, list *query.List[Gear], body string) string {
	t.Helper()
	page, err := f.ask(t, list, body)
	if err != nil {
		return fmt.Sprint(err)
	}
	if int(page.RowCount) != len(page.Rows) || knownNext(page.PageInfo) != "false" {
		t.Errorf("%s: %d of %d rows, more: %s", body, len(page.Rows), page.RowCount, knownNext(page.PageInfo))
	}
	return gearKeys(page.Rows)
}

// knownNext prints whether there is a next page.
func knownNext(info query.GridPageInfo) string {
	if info.HasNextPage == nil {
		return "unknown"
	}
	return strconv.FormatBool(*info.HasNextPage)
}

func gearKeys(rows []*Gear) string {
	var keys []string
	for _, g := range rows {
		keys = append(keys, fmt.Sprint(g.ID))
	}
	return strings.Join(keys, " ")
}

// item is a request with one filter item; value is JSON, "" for none.
func item(field, operator, value string) string {
	return `{"filterModel":{"items":[` + itemOf(field, operator, value) + `]}}`
}

func itemOf(field, operator, value string) string {
	if value != "" {
		value = `,"value":` + value
	}
	return fmt.Sprintf(`{"id":48213,"field":%q,"operator":%q,"fromInput":":r5:"%s}`, field, operator, value)
}

// refusal returns the field that a request is refused for and what is said of it, where it is a BadRequest.
func refusal(err error) string {
	if fault.KindOf(err) != fault.BadRequest {
		return fmt.Sprint("not refused: ", err)
	}
	var all []string
	for _, f := range fault.FieldsOf(err) {
		all = append(all, f.Name+" "+f.Message)
	}
	return strings.Join(all, "; ")
}
