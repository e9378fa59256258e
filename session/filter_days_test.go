package session_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// filtered returns the keys of the first tenant's gear that a filter struct finds.
func (f *fixture) filtered(t testing.TB, filter any) (keys string) {
	t.Helper()
	f.do(t, func(ctx context.Context) error {
		found, err := session.Find[Gear](ctx, query.Eq(&gears.Tenant, 0), query.ApplyFilters(filter), query.Asc(&gears.ID))
		keys = gearKeys(found)
		return err
	})
	return keys
}

// TestFiltersOfColumnsOfDays: a column of days has no zone, whichever one a filter has.
func TestFiltersOfColumnsOfDays(t *testing.T) {
	day := query.Date{Year: 2026, Month: 11, Day: 29}
	type filter struct{ Day query.DateCriteria }
	onBoth(t, func(t *testing.T, b backend) {
		f := openGear(t, b)
		for _, zone := range []*time.Location{nil, time.UTC, time.FixedZone("Tokyo", 9*3600), time.FixedZone("Honolulu", -10*3600)} {
			for want, c := range map[string]query.DateCriteria{
				"2 3": {Eq: &day}, "5": {Gt: &day}, "1": {Lt: &day}, "2 3 5": {Gte: &day}, "1 2 3": {Lte: &day},
			} {
				c.Zone = zone
				if got := f.filtered(t, filter{c}); got != want {
					t.Errorf("%+v: %s, want %s", c, got, want)
				}
			}
		}
	})
}

// TestFiltersByTheInstantsOfDays: where a column of days is compared with instants, a day is its midnight in UTC, on every
// database.
func TestFiltersByTheInstantsOfDays(t *testing.T) {
	midnight, morning := *instant("29T00:00:00"), *instant("29T10:00:00")
	type filter struct {
		Day  query.DatetimeCriteria
		Is   *time.Time             `filter:"day"`
		Some []time.Time            `filter:"day"`
		Opt  entity.Opt[time.Time]  `filter:"day"`
		Ends query.DatetimeCriteria `filter:"day"`
	}
	onBoth(t, func(t *testing.T, b backend) {
		f := openGear(t, b)
		for _, c := range []struct {
			filter filter
			want   string
		}{
			{filter{Day: query.DatetimeCriteria{Eq: &midnight}}, "2 3"},
			{filter{Day: query.DatetimeCriteria{Ne: &midnight}}, "1 4 5"},
			{filter{Day: query.DatetimeCriteria{Lt: &midnight}}, "1"},
			{filter{Day: query.DatetimeCriteria{Lte: &midnight}}, "1 2 3"},
			{filter{Day: query.DatetimeCriteria{Gt: &midnight}}, "5"},
			{filter{Day: query.DatetimeCriteria{Gte: &midnight}}, "2 3 5"},
			{filter{Day: query.DatetimeCriteria{Eq: &morning}}, ""},
			{filter{Day: query.DatetimeCriteria{Ne: &morning}}, "1 2 3 4 5"},
			{filter{Day: query.DatetimeCriteria{Lt: &morning}}, "1 2 3"},
			{filter{Day: query.DatetimeCriteria{Lte: &morning}}, "1 2 3"},
			{filter{Day: query.DatetimeCriteria{Gt: &morning}}, "5"},
			{filter{Day: query.DatetimeCriteria{Gte: &morning}}, "5"},
			{filter{Day: query.DatetimeCriteria{In: []time.Time{morning, *instant("30T00:00:00")}}}, "5"},
			{filter{Day: query.DatetimeCriteria{In: []time.Time{morning}}}, ""},
			{filter{Is: &midnight}, "2 3"},
			{filter{Is: &morning}, ""},
			{filter{Some: []time.Time{midnight, morning}}, "2 3"},
			{filter{Opt: entity.Some(morning)}, ""},
			{filter{Day: query.DatetimeCriteria{Gt: &midnight}, Ends: query.DatetimeCriteria{Lt: &morning}}, ""},
		} {
			if got := f.filtered(t, c.filter); got != c.want {
				t.Errorf("%+v: %s, want %s", c.filter, got, c.want)
			}
		}
	})
}

// TestFiltersBetweenInstants: what a column cannot hold equals nothing in it, and is between the two instants around it.
func TestFiltersBetweenInstants(t *testing.T) {
	at := *instant("29T10:20:30.5")
	between, before := at.Add(700*time.Nanosecond), at.Add(-300*time.Nanosecond)
	late := time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600))
	type filter struct {
		Made query.DatetimeCriteria `json:"made"`
		Is   *time.Time             `filter:"made"`
	}
	onBoth(t, func(t *testing.T, b backend) {
		f := openGear(t, b)
		for _, c := range []struct {
			filter filter
			want   string
		}{
			{filter{Made: query.DatetimeCriteria{Eq: &at}}, "3"},
			{filter{Made: query.DatetimeCriteria{Eq: &between}}, ""},
			{filter{Made: query.DatetimeCriteria{Ne: &between}}, "1 2 3 4 5"},
			{filter{Made: query.DatetimeCriteria{Lt: &between}}, "1 2 3"},
			{filter{Made: query.DatetimeCriteria{Lte: &between}}, "1 2 3"},
			{filter{Made: query.DatetimeCriteria{Gt: &between}}, "5"},
			{filter{Made: query.DatetimeCriteria{Gte: &between}}, "5"},
			{filter{Made: query.DatetimeCriteria{Lte: &before}}, "1 2"},
			{filter{Made: query.DatetimeCriteria{Gt: &before}}, "3 5"},
			{filter{Made: query.DatetimeCriteria{In: []time.Time{between, at}}}, "3"},
			{filter{Is: &between}, ""},
		} {
			if got := f.filtered(t, c.filter); got != c.want {
				t.Errorf("%+v: %s, want %s", c.filter, got, c.want)
			}
		}
		moment := query.NewList[Gear](query.Field("made", &gears.Made), query.Field("select", &gears.Made).AsSelect())
		for _, c := range []gridCase{
			{"", "made", "before", `"2026-11-29T10:20:30.5000007Z"`, "1 2 3"},
			{"", "made", "onOrAfter", `"2026-11-29T10:20:30.5000007Z"`, "5"},
			{"", "made", "is", `"2026-11-29T10:20:30.5000007Z"`, "3"},
			{"", "select", "is", `"2026-11-29T10:20:30.5Z"`, "3"},
			{"", "select", "is", `"2026-11-29T10:20:30.5000007Z"`, ""},
			{"", "select", "isAnyOf", `["2026-11-29T10:20:30.5000007Z"]`, ""},
			{"", "select", "not", `"2026-11-29T10:20:30.5000007Z"`, "1 2 3 4 5"},
		} {
			if got := f.asked(t, moment, item(c.field, c.operator, c.value)); got != c.want {
				t.Errorf("%s %s %s: %s, want %s", c.field, c.operator, c.value, got, c.want)
			}
		}
		err := f.Do(t.Context(), func(ctx context.Context) error {
			return second(session.Find[Gear](ctx, query.ApplyFilters(filter{Made: query.DatetimeCriteria{Lt: &late}})))
		})
		if got := refusal(err); got != "made.lt is outside of the years 0 to 9999" {
			t.Errorf("behind all there are: %s", got)
		}
	})
}

// TestListsOfColumnsOfDays: a column of days is a date of the grid without being told so.
func TestListsOfColumnsOfDays(t *testing.T) {
	days := query.NewList[Gear](query.Field("day", &gears.Day), query.Field("select", &gears.Day).AsSelect())
	onBoth(t, func(t *testing.T, b backend) {
		f := openGear(t, b)
		for _, day := range []string{`"2026-11-29"`, `"2026-11-29T00:00:00.000Z"`, `"2026-11-29T10:00:00.000Z"`, `"2026-11-29T23:30:00-05:00"`} {
			wanted := []string{"is 2 3", "not 1 5", "after 5", "onOrAfter 2 3 5", "before 1", "onOrBefore 1 2 3"}
			if strings.Contains(day, "-05:00") { // which is the 30th
				wanted = []string{"is 5", "not 1 2 3", "after", "onOrAfter 5", "before 1 2 3", "onOrBefore 1 2 3 5"}
			}
			for _, zone := range []*time.Location{time.UTC, time.FixedZone("Tokyo", 9*3600)} {
				for _, want := range wanted {
					operator, keys, _ := strings.Cut(want, " ")
					if got := f.asked(t, days.In(zone), item("day", operator, day)); got != keys {
						t.Errorf("%s %s in %s: %s, want %s", operator, day, zone, got, keys)
					}
				}
			}
		}
		for value, want := range map[string]string{`"2026-11-29T00:00:00Z"`: "2 3", `"2026-11-29T10:00:00Z"`: ""} {
			if got := f.asked(t, days, item("select", "is", value)); got != want {
				t.Errorf("select %s: %s, want %s", value, got, want)
			}
		}
	})
}
