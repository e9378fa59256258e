package session_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// TestDaysAtTheEndsOfTime: the first and the last day that a column can hold are days like others, also in a zone where they
// begin before the one or end behind the other. "Up to 9999-12-31" is what many send who mean no end.
func TestDaysAtTheEndsOfTime(t *testing.T) {
	tokyo, honolulu := time.FixedZone("Tokyo", 9*3600), time.FixedZone("Honolulu", -10*3600)
	first, last := query.Date{Year: 0, Month: 1, Day: 1}, query.Date{Year: 9999, Month: 12, Day: 31}
	onBoth(t, func(t *testing.T, b backend) {
		f := open(t, b)
		f.do(t, func(ctx context.Context) error {
			must(t, session.CreateTables(ctx, (*Gear)(nil), (*Maker)(nil)))
			for i, at := range []time.Time{
				time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC),
				time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC),
			} {
				must(t, session.Add(ctx, &Gear{ID: int64(i + 1), Made: &at}))
			}
			return session.Add(ctx, &Gear{ID: 4})
		})
		for _, c := range []struct {
			operator string
			day      query.Date
			zone     *time.Location
			want     string
		}{
			{"is", last, time.UTC, "3"}, {"is", last, tokyo, ""}, {"is", last, honolulu, "3"}, {"not", last, time.UTC, "1 2"},
			{"not", last, honolulu, "1 2"}, {"after", last, time.UTC, ""}, {"after", last, tokyo, "3"}, {"onOrAfter", last, honolulu, "3"},
			{"before", last, time.UTC, "1 2"}, {"onOrBefore", last, time.UTC, "1 2 3"}, {"onOrBefore", last, honolulu, "1 2 3"},
			{"is", first, time.UTC, "1"}, {"is", first, tokyo, "1"}, {"not", first, tokyo, "2 3"}, {"before", first, tokyo, ""},
			{"onOrAfter", first, tokyo, "1 2 3"}, {"onOrAfter", first, honolulu, "2 3"}, {"onOrBefore", first, tokyo, "1"},
		} {
			if got := f.asked(t, gearList.In(c.zone), item("madeOn", c.operator, `"`+c.day.String()+`"`)); got != c.want {
				t.Errorf("%s %s in %s: %s, want %s", c.operator, c.day, c.zone, got, c.want)
			}
			made := query.DateCriteria{Zone: c.zone}
			switch c.operator {
			case "is":
				made.Eq = &c.day
			case "after":
				made.Gt = &c.day
			case "onOrAfter":
				made.Gte = &c.day
			case "before":
				made.Lt = &c.day
			case "onOrBefore":
				made.Lte = &c.day
			default:
				continue
			}
			f.do(t, func(ctx context.Context) error {
				found, err := session.Find[Gear](ctx, query.ApplyFilters(struct{ Made query.DateCriteria }{made}), query.Asc(&gears.ID))
				if got := gearKeys(found); got != c.want {
					t.Errorf("criteria %s %s in %s: %s, want %s", c.operator, c.day, c.zone, got, c.want)
				}
				return err
			})
		}
		for operator, want := range map[string]string{"is": "3", "not": "1 2"} {
			if got := f.asked(t, gearList, item("made", operator, `"9999-12-31T23:59:30Z"`)); got != want {
				t.Errorf("%s in the last minute: %s, want %s", operator, got, want)
			}
		}
		if sent := fmt.Sprint(f.trips()); strings.Contains(sent, "10000") {
			t.Errorf("sent %s", sent)
		}
	})
}
