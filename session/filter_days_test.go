package session_test

import (
	"context"
	"testing"
	"time"

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
