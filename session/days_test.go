package session_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// TestDaysAtTheEndsOfTime: the first and the last day that a column can hold are days like others, also in a zone where they
// begin before the one or end behind the other. "Up to 9999-12-31" is what many send who mean no end.
func TestDaysAtTheEndsOfTime(t *testing.T) {
	tokyo, honolulu := time.FixedZone("Tokyo", 9*3600), time.FixedZone("Honolulu", -10*3600)
	first, last := query.Date{Year: 0, Month: 1, Day: 1}, query.Date{Year: 9999, Month: 12, Day: 31}
	inTheWest(t, func(t *testing.T, b backend) {
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

// inTheWest is onBoth, with a server whose zone is west of UTC: where an instant is taken for a day of that zone, a midnight of
// UTC becomes the day before.
func inTheWest(t *testing.T, run func(t *testing.T, b backend)) {
	onBoth(t, func(t *testing.T, b backend) {
		if direct := b.url; b.name == "postgres" {
			b.url = func(t testing.TB) string { return direct(t) + "&timezone=America/Sao_Paulo" }
		}
		run(t, b)
	})
}

// Stamped has an instant in a column without a zone.
type Stamped struct {
	ID int64     `db:"id,pk"`
	At time.Time `db:"at,type=timestamp"`
}

var stampeds = entity.Columns[Stamped]()

// TestTimestampsWithoutAZone: a timestamp that has no zone is UTC, as it is written, changed, compared and read.
func TestTimestampsWithoutAZone(t *testing.T) {
	inTheWest(t, func(t *testing.T, b backend) {
		f := open(t, b)
		at := time.Date(2026, 11, 29, 12, 30, 0, 0, time.UTC)
		f.do(t, func(ctx context.Context) error {
			must(t, session.CreateTables(ctx, (*Stamped)(nil)))
			return session.Add(ctx, &Stamped{1, at}, &Stamped{2, at})
		})
		f.do(t, func(ctx context.Context) error {
			get[Stamped](t, ctx, int64(2)).At = at.Add(time.Hour)
			return nil
		})
		f.do(t, func(ctx context.Context) error {
			found, err := session.Find[Stamped](ctx, query.In(&stampeds.At, at, at.Add(time.Hour)), query.Asc(&stampeds.ID))
			if err != nil || len(found) != 2 || !found[0].At.Equal(at) || !found[1].At.Equal(at.Add(time.Hour)) {
				t.Errorf("found %v, %v", found, err)
			}
			return err
		})
	})
}

// Shift is on a day.
type Shift struct {
	ID  int64      `db:"id,pk"`
	Day time.Time  `db:"day,type=date"`
	Off *time.Time `db:"off,type=date"`
}

var shifts = entity.Columns[Shift]()

// TestDays: an instant in a column of days is the day in UTC that it is on, on every database: as it is written, as it is
// compared, and as a change is looked for.
func TestDays(t *testing.T) {
	inTheWest(t, func(t *testing.T, b backend) {
		f := open(t, b)
		day := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
		late := time.Date(2026, 11, 29, 20, 30, 0, 0, time.FixedZone("", -2*3600)) // in UTC too
		before := time.Date(2026, 11, 29, 1, 30, 0, 0, time.FixedZone("", 2*3600)) // the day before in UTC
		f.do(t, func(ctx context.Context) error {
			must(t, session.CreateTables(ctx, (*Shift)(nil)))
			return session.Add(ctx, &Shift{1, late, &before}, &Shift{2, before, nil})
		})
		f.do(t, func(ctx context.Context) error {
			for name, c := range map[string]struct {
				where query.Predicate
				want  int
			}{
				"equal, midnight":  {query.Eq(&shifts.Day, day), 1},
				"equal, late":      {query.Eq(&shifts.Day, late), 1},
				"equal, a pointer": {query.Eq(&shifts.Off, &before), 1},
				"after":            {query.Gt(&shifts.Day, late), 0},
				"not before":       {query.Ge(&shifts.Day, late), 1},
				"before":           {query.Lt(&shifts.Day, late), 1},
				"none of":          {query.NotIn(&shifts.Day, late), 1},
				"one of":           {query.In(&shifts.Day, before, late), 2},
			} {
				if n, err := session.Count[Shift](ctx, c.where); err != nil || n != int64(c.want) {
					t.Errorf("%s: %d, %v, want %d", name, n, err, c.want)
				}
			}
			s, err := session.Get[Shift](ctx, int64(1))
			must(t, err)
			if !s.Day.Equal(day) || !s.Off.Equal(day.AddDate(0, 0, -1)) {
				t.Errorf("read back are %v and %v", s.Day, s.Off)
			}
			s.Day, s.Off = late, &before
			if changed, err := session.IsModified(ctx, s); err != nil || changed {
				t.Errorf("another hour of the day is a change: %t, %v", changed, err)
			}
			return nil
		})
	})
}

// Feast has a day for its key, and a Meal is on the day of one.
type Feast struct {
	Day   time.Time  `db:"day,pk,type=date"`
	Eve   *time.Time `db:"eve,type=date,unique"`
	Name  string
	Meals []*Meal `rel:"meals.day"`
}

type Meal struct {
	ID    int64        `db:"id,pk"`
	Day   time.Time    `db:"day,type=date,ref=feasts.day"`
	Until sql.NullTime `db:"until,type=date"`
	Feast *Feast       `rel:"day"`
}

var (
	feasts = entity.Columns[Feast]()
	meals  = entity.Columns[Meal]()
)

// early and late are hours of a day of November in UTC, of which their own zones say that it is the day before, and the next
// one.
func early(day int) time.Time { return midnight(day).Add(time.Hour).In(time.FixedZone("", -2*3600)) }
func late(day int) time.Time {
	return midnight(day).Add(22*time.Hour + 1).In(time.FixedZone("", 3*3600))
}

func midnight(day int) time.Time { return time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC) }

func valid(at time.Time) sql.NullTime { return sql.NullTime{Time: at, Valid: true} }

// openFeasts opens a database with feasts on the days given.
func openFeasts(t *testing.T, b backend, days ...int) *fixture {
	t.Helper()
	f := open(t, b, sealed)
	f.do(t, func(ctx context.Context) error {
		must(t, session.CreateTables(ctx, (*Feast)(nil), (*Meal)(nil)))
		for _, day := range days {
			must(t, session.Add(ctx, &Feast{Day: late(day), Name: fmt.Sprint(day)}))
		}
		return nil
	})
	f.reset()
	return f
}

// stands returns what a column of days holds, as text: the days of November, and whatever is no midnight as it stands.
func (f *fixture) stands(t *testing.T, table, column, order string) string {
	t.Helper()
	var all []string
	f.do(t, func(ctx context.Context) error {
		rows, err := session.From(ctx).QueryContext(ctx, fmt.Sprintf("SELECT CAST(%s AS text) FROM %s ORDER BY %s", column, table, order))
		must(t, err)
		defer rows.Close()
		for rows.Next() {
			var text sql.NullString
			must(t, rows.Scan(&text))
			day := "-"
			if text.Valid {
				day = strings.TrimPrefix(text.String, "2026-11-")
			}
			if f.backend.name != "postgres" {
				day = strings.TrimSuffix(day, " 00:00:00.000000+00:00")
			}
			all = append(all, day)
		}
		return rows.Err()
	})
	return strings.Join(all, " ")
}

func mealKeys(all []*Meal) string {
	var keys []string
	for _, m := range all {
		keys = append(keys, fmt.Sprint(m.ID))
	}
	return strings.Join(keys, " ")
}

// TestDaysAsKeys: every hour of a day is the same key, to the session and to the database. An object keeps the hour that it was
// given until it is read again.
func TestDaysAsKeys(t *testing.T) {
	inTheWest(t, func(t *testing.T, b backend) {
		f := openFeasts(t, b, 28)
		f.do(t, func(ctx context.Context) error {
			feast := &Feast{Day: late(29), Name: "new"}
			must(t, session.Add(ctx, feast))
			wantFault(t, session.Add(ctx, &Feast{Day: early(29)}), fault.IdentityConflict)
			must(t, session.Flush(ctx))
			f.reset()
			for _, hour := range []time.Time{midnight(29), early(29), late(29)} {
				if get[Feast](t, ctx, hour) != feast {
					t.Errorf("another object at %v", hour)
				}
			}
			wantTrips(t, f, 0)
			if found, err := session.Find[Feast](ctx, query.Eq(&feasts.Day, early(29))); len(found) != 1 || found[0] != feast || err != nil {
				t.Errorf("found %v, %v", found, err)
			}
			if !feast.Day.Equal(late(29)) {
				t.Errorf("its day has become %v", feast.Day)
			}
			feast.Day, feast.Name = early(29), "renamed" // which is the key that it has
			must(t, session.Flush(ctx))
			must(t, session.Refresh(ctx, feast))
			if !feast.Day.Equal(midnight(29)) || feast.Name != "renamed" {
				t.Errorf("read again it is %+v", feast)
			}
			return nil
		})
		f.do(t, func(ctx context.Context) error {
			found, missing, err := session.GetMany[Feast](ctx, early(29), late(29), early(30))
			if len(found) != 2 || found[0] != found[1] || len(missing) != 1 || !found[0].Day.Equal(midnight(29)) {
				t.Errorf("found %v, missing %v", found, missing)
			}
			return err
		})
		for _, c := range []struct {
			name string
			unit func(ctx context.Context) error
			kind fault.Kind
		}{
			{"added", func(ctx context.Context) error { return session.Add(ctx, &Feast{Day: early(29), Name: "added"}) }, fault.Unique},
			{"moved", func(ctx context.Context) error { get[Feast](t, ctx, late(29)).Day = early(30); return nil }, fault.KeyChanged},
			{"upserted", func(ctx context.Context) error {
				return second(session.Upsert(ctx, &Feast{Day: early(29), Name: "upserted"}))
			}, ""},
			{"merged", func(ctx context.Context) error {
				return second(session.Merge(ctx, &Feast{Day: late(29), Name: "merged"}))
			}, ""},
			{"set", func(ctx context.Context) error {
				return second(session.UpdateAll[Feast](ctx, query.Set(&feasts.Name, "set"), query.Eq(&feasts.Day, late(29))))
			}, ""},
		} {
			if err := f.Do(t.Context(), c.unit); fault.KindOf(err) != c.kind {
				t.Errorf("%s: %v", c.name, err)
			}
			if got := row[Feast](t, f, early(29)).Name; c.kind == "" && got != c.name {
				t.Errorf("%s: it is %s", c.name, got)
			}
		}
		if got := f.stands(t, "feasts", "day", "day"); got != "28 29" {
			t.Errorf("stored is %s", got)
		}
		f.do(t, func(ctx context.Context) error {
			n, err := session.Repository[Feast]{}.DeleteByID(ctx, late(29), early(29))
			if n != 1 {
				t.Errorf("%d rows deleted", n)
			}
			return err
		})
	})
}

// TestDaysAsForeignKeys: a row refers to another one by any hour of its day, and what they say of it agrees.
func TestDaysAsForeignKeys(t *testing.T) {
	inTheWest(t, func(t *testing.T, b backend) {
		f := openFeasts(t, b, 28)
		f.do(t, func(ctx context.Context) error {
			feast := &Feast{Day: late(29), Meals: []*Meal{{ID: 4}}}
			must(t, session.Add(ctx, feast))
			return session.Add(ctx, &Meal{ID: 1, Day: early(29)}, &Meal{ID: 2, Feast: feast}, &Meal{ID: 3, Day: early(29), Feast: feast},
				&Meal{ID: 5, Day: early(28)})
		})
		if got := f.stands(t, "meals", "day", "id"); got != "29 29 29 29 28" {
			t.Errorf("stored is %s", got)
		}
		f.do(t, func(ctx context.Context) error {
			all, err := session.Find[Meal](ctx, query.With(&meals.Feast), query.Asc(&meals.ID))
			must(t, err)
			feast, other := get[Feast](t, ctx, early(29)), get[Feast](t, ctx, early(28))
			for _, m := range all[:4] {
				if m.Feast != feast {
					t.Errorf("meal %d is of %+v", m.ID, m.Feast)
				}
				m.Day = late(29) // no change
			}
			f.reset()
			must(t, session.Flush(ctx))
			wantTrips(t, f, 0)
			all[0].Day = early(28) // another one
			all[1].Feast = other
			must(t, session.Flush(ctx))
			if all[0].Feast != nil || !all[1].Day.Equal(other.Day) {
				t.Errorf("the changed key has the feast %v, the changed feast the key %v", all[0].Feast, all[1].Day)
			}
			return nil
		})
		if got := f.stands(t, "meals", "day", "id"); got != "28 28 29 29 28" {
			t.Errorf("then stored is %s", got)
		}
		f.do(t, func(ctx context.Context) error {
			added := &Meal{ID: 6, Day: early(28)}
			must(t, session.Add(ctx, added))
			must(t, session.Flush(ctx))
			must(t, session.Load(ctx, []*Meal{added}, query.With(&meals.Feast)))
			all, err := session.Find[Feast](ctx, query.With(&feasts.Meals, query.Asc(&meals.ID)), query.Asc(&feasts.Day))
			must(t, err)
			if added.Feast != all[0] || mealKeys(all[0].Meals) != "1 2 5 6" || mealKeys(all[1].Meals) != "3 4" {
				t.Errorf("it is of %+v, and the feasts are %+v", added.Feast, all)
			}
			for name, clauses := range map[string][]query.Clause{
				"a join":     {query.Join(&meals.Feast), query.Eq(&feasts.Day, late(29))},
				"a relation": {query.Any(&meals.Feast, query.Eq(&feasts.Day, late(29)))},
				"a subquery": {query.InQuery(&meals.Day, query.Values[Feast](&feasts.Day, query.Eq(&feasts.Day, late(29))))},
				"a column":   {query.Join(&meals.Feast), query.Col(&meals.Day).EqTo(query.Col(&feasts.Day)), query.Col(&feasts.Day).Eq(late(29))},
			} {
				found, err := session.Find[Meal](ctx, append(clauses, query.Asc(&meals.ID))...)
				if got := mealKeys(found); got != "3 4" || err != nil {
					t.Errorf("by %s: %s, %v", name, got, err)
				}
			}
			return nil
		})
		wantFault(t, f.Do(t.Context(), func(ctx context.Context) error { return session.Add(ctx, &Meal{ID: 7, Day: early(30)}) }), fault.ForeignKey)
	})
}

// TestDaysThatAreWritten: whichever verb writes an instant, what is stored is its day. Nothing is written for another hour of
// the day that is stored.
func TestDaysThatAreWritten(t *testing.T) {
	inTheWest(t, func(t *testing.T, b backend) {
		f := openFeasts(t, b, 27, 28, 29, 30)
		all := func(ctx context.Context) []*Meal {
			found, err := session.Find[Meal](ctx, query.Asc(&meals.ID))
			must(t, err)
			return found
		}
		for _, c := range []struct {
			name        string
			unit        func(ctx context.Context) error
			days, until string
			sent        string // on PostgreSQL; "" where it makes no difference
		}{
			{"insert of one", func(ctx context.Context) error {
				return session.Add(ctx, &Meal{ID: 1, Day: late(27), Until: valid(early(28))})
			}, "27", "28", "INSERT"},
			{"insert of many", func(ctx context.Context) error {
				return session.Add(ctx, &Meal{ID: 2, Day: early(28), Until: valid(late(29))}, &Meal{ID: 3, Day: late(29)},
					&Meal{ID: 4, Day: early(29), Until: valid(late(30))})
			}, "27 28 29 29", "28 29 - 30", "unnest("},
			{"another hour", func(ctx context.Context) error {
				for _, m := range all(ctx) {
					m.Day, m.Until.Time = m.Day.Add(23*time.Hour), m.Until.Time.Add(5*time.Hour)
				}
				return nil
			}, "27 28 29 29", "28 29 - 30", ""},
			{"update of one", func(ctx context.Context) error {
				m := all(ctx)[2]
				m.Day, m.Until = late(30), valid(early(30))
				return nil
			}, "27 28 30 29", "28 29 30 30", ""},
			{"update of many", func(ctx context.Context) error {
				for i, m := range all(ctx) {
					m.Day, m.Until = late(30-i), valid(early(30-i))
				}
				return nil
			}, "30 29 28 27", "30 29 28 27", "unnest("},
			{"update to NULL", func(ctx context.Context) error { all(ctx)[1].Until.Valid = false; return nil }, "30 29 28 27", "30 - 28 27", ""},
			{"Set", func(ctx context.Context) error {
				return second(session.UpdateAll[Meal](ctx, query.Set(&meals.Day, late(29)), query.Set(&meals.Until, valid(early(29))), query.Eq(&meals.Day, late(27))))
			}, "30 29 28 29", "30 - 28 29", ""},
			{"Set to NULL", func(ctx context.Context) error {
				return second(session.UpdateAll[Meal](ctx, query.Set(&meals.Until, sql.NullTime{}), query.Eq(&meals.Until, valid(late(28)))))
			}, "30 29 28 29", "30 - - 29", ""},
			{"Upsert", func(ctx context.Context) error {
				return second(session.UpsertMany(ctx, []*Meal{{ID: 2, Day: late(28), Until: valid(early(30))}, {ID: 5, Day: early(27), Until: valid(late(27))}}))
			}, "30 28 28 29 27", "30 30 - 29 27", ""},
			{"Overwrite", func(ctx context.Context) error {
				return second(session.Upsert(ctx, &Meal{ID: 3, Day: late(27), Until: valid(early(29))}, query.Overwrite(&meals.Until)))
			}, "30 28 28 29 27", "30 30 29 29 27", ""},
			{"DeleteAll", func(ctx context.Context) error {
				return second(session.DeleteAll[Meal](ctx, query.In(&meals.Day, early(28), late(27)), query.Ge(&meals.Until, valid(late(29)))))
			}, "30 29 27", "30 29 27", ""},
		} {
			f.reset()
			f.do(t, c.unit)
			if onPostgres(f) && !f.sent(c.sent) || c.name == "another hour" && f.sent("UPDATE") {
				t.Errorf("%s: sent %q", c.name, f.trips())
			}
			if got := f.stands(t, "meals", "day", "id"); got != c.days {
				t.Errorf("%s: the days are %s, want %s", c.name, got, c.days)
			}
			if got := f.stands(t, "meals", "until", "id"); got != c.until {
				t.Errorf("%s: until %s, want %s", c.name, got, c.until)
			}
		}
	})
}

// TestUpsertByADay: a unique key of days is met by any hour of the day.
func TestUpsertByADay(t *testing.T) {
	byEve := query.OnConflict(&feasts.Eve)
	inTheWest(t, func(t *testing.T, b backend) {
		f := openFeasts(t, b, 28, 29)
		for _, c := range []struct {
			feast Feast
			by    query.UpsertClause
			day   int
			eves  string
		}{
			{Feast{Day: early(28), Eve: new(late(27)), Name: "a row"}, nil, 28, "27 -"},
			{Feast{Day: early(26), Eve: new(late(25)), Name: "a new row"}, byEve, 26, "25 27 -"},
			{Feast{Day: early(24), Eve: new(early(27)), Name: "another hour"}, byEve, 28, "25 27 -"},
			{Feast{Day: late(29), Eve: new(early(28)), Name: "another row"}, nil, 29, "25 27 28"},
		} {
			f.do(t, func(ctx context.Context) error {
				got, err := session.Upsert(ctx, &c.feast, c.by)
				if err == nil && !got.Day.Truncate(24*time.Hour).Equal(midnight(c.day)) {
					t.Errorf("%s: it is of %v", c.feast.Name, got.Day)
				}
				return err
			})
			if got := row[Feast](t, f, late(c.day)).Name; got != c.feast.Name {
				t.Errorf("%s: it is %s", c.feast.Name, got)
			}
			if got := f.stands(t, "feasts", "eve", "day"); got != c.eves {
				t.Errorf("%s: the eves are %s, want %s", c.feast.Name, got, c.eves)
			}
		}
		err := f.Do(t.Context(), func(ctx context.Context) error { return session.Add(ctx, &Feast{Day: early(21), Eve: new(early(25))}) })
		wantFault(t, err, fault.Unique)
	})
}

// TestDaysThatMayBeNull: a sql.NullTime is compared by its day, and no row without one is at, before or behind it.
func TestDaysThatMayBeNull(t *testing.T) {
	inTheWest(t, func(t *testing.T, b backend) {
		f := openFeasts(t, b, 29)
		f.do(t, func(ctx context.Context) error {
			return session.Add(ctx, &Meal{ID: 1, Day: late(29), Until: valid(late(29))}, &Meal{ID: 2, Day: late(29)},
				&Meal{ID: 3, Day: early(29), Until: valid(early(30))})
		})
		f.do(t, func(ctx context.Context) error {
			for name, c := range map[string]struct {
				where query.Predicate
				want  string
			}{
				"equal":            {query.Eq(&meals.Until, valid(early(29))), "1"},
				"equal, midnight":  {query.Eq(&meals.Until, valid(midnight(29))), "1"},
				"NULL":             {query.Eq(&meals.Until, sql.NullTime{Time: late(29)}), "2"},
				"another day":      {query.Ne(&meals.Until, valid(early(29))), "2 3"},
				"before":           {query.Lt(&meals.Until, valid(late(30))), "1"},
				"up to":            {query.Le(&meals.Until, valid(early(29))), "1"},
				"after":            {query.Gt(&meals.Until, valid(early(29))), "3"},
				"from":             {query.Ge(&meals.Until, valid(late(29))), "1 3"},
				"one of":           {query.In(&meals.Until, valid(late(30)), valid(early(28))), "3"},
				"none of":          {query.NotIn(&meals.Until, valid(late(30)), valid(early(28))), "1 2"},
				"one of many, day": {query.In(&meals.Day, late(28), early(29)), "1 2 3"},
			} {
				found, err := session.Find[Meal](ctx, c.where, query.Asc(&meals.ID))
				if got := mealKeys(found); got != c.want || err != nil {
					t.Errorf("%s: %s, %v, want %s", name, got, err, c.want)
				}
			}
			m := get[Meal](t, ctx, int64(1))
			if !m.Until.Time.Equal(midnight(29)) {
				t.Errorf("read back is %v", m.Until)
			}
			for i, u := range []sql.NullTime{valid(early(29)), valid(late(29)), valid(late(30)), {Time: m.Until.Time}} {
				m.Until = u
				if changed, err := session.IsModified(ctx, m); err != nil || changed != (i > 1) {
					t.Errorf("%v is a change: %t, %v", u, changed, err)
				}
			}
			return session.Refresh(ctx, m)
		})
	})
}

// TestSeekOverDays: a list by days goes on behind a day whatever hours its rows were given, in the unit that gave them too,
// and under a filter that names another hour of its day.
func TestSeekOverDays(t *testing.T) {
	inTheWest(t, func(t *testing.T, b backend) {
		f := openFeasts(t, b, 27, 28, 29, 30)
		f.do(t, func(ctx context.Context) error {
			must(t, session.Add(ctx, &Meal{ID: 1, Day: late(28)}, &Meal{ID: 2, Day: late(29), Until: valid(late(30))},
				&Meal{ID: 3, Day: early(29)}, &Meal{ID: 4, Day: late(29), Until: valid(early(30))},
				&Meal{ID: 5, Day: early(29)}, &Meal{ID: 6, Day: late(30)}, &Meal{ID: 7, Day: early(30)}, &Meal{ID: 8, Day: late(27)}))
			return walkMeals(t, ctx)
		})
		f.do(t, func(ctx context.Context) error { return walkMeals(t, ctx) })
	})
}

// walkMeals walks lists of meals forth and back.
func walkMeals(t *testing.T, ctx context.Context) error {
	for _, c := range []struct {
		name  string
		order []query.Clause
		want  string
	}{
		{"by day", []query.Clause{query.Asc(&meals.Day)}, "1 2|3 4|5 6|7"},
		{"the last day first", []query.Clause{query.Desc(&meals.Day), query.Asc(&meals.ID)}, "6 7|2 3|4 5|1"},
		{"by a day that may be NULL", []query.Clause{query.Asc(&meals.Until), query.Asc(&meals.ID)}, "2 4|1 3|5 6|7"},
		{"NULL first", []query.Clause{query.Desc(&meals.Until).NullsFirst(), query.Desc(&meals.ID)}, "7 6|5 3|1 4|2"},
	} {
		var pages, back []string
		var cursors []string
		req := query.CursorRequest{PageSize: 2}
		for hour := early(28); ; hour = hour.Add(time.Hour) { // another one for each page
			page, err := session.Seek[Meal](ctx, req, append(c.order, query.Ge(&meals.Day, hour))...)
			if err != nil {
				return err
			}
			pages, cursors = append(pages, mealKeys(page.Items)), append(cursors, page.Prev)
			if req.Cursor = page.Next; req.Cursor == "" {
				break
			}
		}
		for req.Cursor = cursors[len(cursors)-1]; req.Cursor != ""; {
			page, err := session.Seek[Meal](ctx, req, append(c.order, query.Ge(&meals.Day, late(28)))...)
			if err != nil {
				return err
			}
			back = append([]string{mealKeys(page.Items)}, back...)
			req.Cursor = page.Prev
		}
		if got := strings.Join(pages, "|"); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if got, want := strings.Join(back, "|"), c.want[:strings.LastIndexByte(c.want, '|')]; got != want {
			t.Errorf("%s, back: %s, want %s", c.name, got, want)
		}
	}
	return nil
}

// TestDaysOfPrograms: the program's own instant means its day; a client that asks for an instant which is no midnight finds
// no day that equals it.
func TestDaysOfPrograms(t *testing.T) {
	type filter struct{ Day query.Criteria[time.Time] }
	inTheWest(t, func(t *testing.T, b backend) {
		f := openFeasts(t, b, 28, 29)
		for at, want := range map[time.Time]string{midnight(29): "1 1", early(29): "1 0", late(29): "1 0", early(30): "0 0"} {
			f.do(t, func(ctx context.Context) error {
				program, err := session.Count[Feast](ctx, query.Eq(&feasts.Day, at))
				must(t, err)
				client, err := session.Count[Feast](ctx, query.ApplyFilters(filter{query.Criteria[time.Time]{Eq: &at}}))
				if got := fmt.Sprint(program, client); got != want {
					t.Errorf("%v: %s, want %s", at, got, want)
				}
				return err
			})
		}
	})
}

// TestDaysThatWereStoredWithHours: what SQLite was given before a day was cut to its midnight stays as it is, and unchanged to
// a session that reads it, until it is written again.
func TestDaysThatWereStoredWithHours(t *testing.T) {
	t.Parallel()
	f := open(t, backends[1])
	at := time.Date(2026, 11, 29, 10, 30, 0, 0, time.UTC)
	found := func() (keys string) {
		f.do(t, func(ctx context.Context) error {
			all, err := session.Find[Shift](ctx, query.Eq(&shifts.Day, at), query.Asc(&shifts.ID))
			for _, s := range all {
				keys += fmt.Sprint(s.ID)
			}
			return err
		})
		return keys
	}
	f.do(t, func(ctx context.Context) error {
		must(t, session.CreateTables(ctx, (*Shift)(nil)))
		return second(session.From(ctx).ExecContext(ctx, `INSERT INTO shifts (id, day) VALUES
			(1, '2026-11-29 10:30:00.000000+00:00'), (2, '2026-11-29 10:30:00.000000+00:00'), (3, '2026-11-29 10:30:00.000000+00:00')`))
	})
	f.do(t, func(ctx context.Context) error {
		s := get[Shift](t, ctx, int64(1))
		if changed, err := session.IsModified(ctx, s); changed || err != nil || !s.Day.Equal(at) {
			t.Errorf("%+v is changed: %t, %v", s, changed, err)
		}
		return nil
	})
	for _, c := range []struct {
		name, keys string
		unit       func(ctx context.Context) error
	}{
		{"nothing", "", func(context.Context) error { return nil }},
		{"its object", "1", func(ctx context.Context) error {
			s := get[Shift](t, ctx, int64(1))
			s.Day = s.Day.Truncate(24 * time.Hour)
			return nil
		}},
		{"Set", "12", func(ctx context.Context) error {
			return second(session.UpdateAll[Shift](ctx, query.Set(&shifts.Day, at), query.Eq(&shifts.ID, 2)))
		}},
		{"all, as docs/storage.md says", "123", func(ctx context.Context) error {
			return second(session.From(ctx).ExecContext(ctx, "UPDATE shifts SET day = substr(day, 1, 10) || ' 00:00:00.000000+00:00'"))
		}},
	} {
		f.do(t, c.unit)
		if got := found(); got != c.keys {
			t.Errorf("%s: found are %q, want %q", c.name, got, c.keys)
		}
	}
	if got := f.stands(t, "shifts", "day", "id"); got != "29 29 29" {
		t.Errorf("stored is %s", got)
	}
}

// Locker has days where others have instants that the session keeps.
type Locker struct {
	ID   int64 `db:"id,pk"`
	Name string
	Made time.Time  `db:"made,created,type=date"`
	Seen time.Time  `db:"seen,updated,type=date"`
	Gone *time.Time `db:"gone,softdelete,type=date"`
}

var lockers = entity.Columns[Locker]()

// TestDaysThatTheSessionKeeps: created, updated and softdelete columns of days hold the day in UTC, whichever verb keeps them.
func TestDaysThatTheSessionKeeps(t *testing.T) {
	inTheWest(t, func(t *testing.T, b backend) {
		f := open(t, b) // at noon of the 22nd
		f.do(t, func(ctx context.Context) error {
			must(t, session.CreateTables(ctx, (*Locker)(nil)))
			return session.Add(ctx, &Locker{ID: 1}, &Locker{ID: 2}, &Locker{ID: 3}, &Locker{ID: 4}, &Locker{ID: 5})
		})
		for _, unit := range []func(ctx context.Context) error{
			func(ctx context.Context) error { get[Locker](t, ctx, int64(1)).Name = "changed"; return nil },
			func(ctx context.Context) error {
				return second(session.UpdateAll[Locker](ctx, query.Set(&lockers.Name, "set"), query.Eq(&lockers.ID, 2)))
			},
			func(ctx context.Context) error { return session.Delete(ctx, get[Locker](t, ctx, int64(3))) },
			func(ctx context.Context) error {
				return second(session.DeleteAll[Locker](ctx, query.Eq(&lockers.ID, 4)))
			},
			func(ctx context.Context) error { return second(session.Upsert(ctx, &Locker{ID: 5, Name: "upserted"})) },
		} {
			f.do(t, unit)
		}
		for column, want := range map[string]string{"made": "22 22 22 22 22", "seen": "22 22 22 22 22", "gone": "- - 22 22 -"} {
			if got := f.stands(t, "lockers", column, "id"); got != want {
				t.Errorf("%s: %s, want %s", column, got, want)
			}
		}
	})
}

// Ring and Bell are linked by their days.
type Ring struct {
	Day   time.Time `db:"day,pk,type=date"`
	Bells []*Bell   `rel:"ring_bells(ring_day,bell_day)"`
}

// Bell is the other side of Ring.
type Bell struct {
	Day time.Time `db:"day,pk,type=date"`
}

var rings = entity.Columns[Ring]()

// TestLinksBetweenDays: a table in between has the types of the keys, whatever the server's zone is.
func TestLinksBetweenDays(t *testing.T) {
	inTheWest(t, func(t *testing.T, b backend) {
		f := open(t, b)
		f.do(t, func(ctx context.Context) error {
			must(t, session.CreateTables(ctx, (*Ring)(nil), (*Bell)(nil)))
			return session.Add(ctx, &Ring{Day: late(29), Bells: []*Bell{{Day: early(28)}, {Day: late(27)}}})
		})
		if got := f.stands(t, "ring_bells", "bell_day", "bell_day"); got != "27 28" {
			t.Errorf("stored is %s", got)
		}
		f.do(t, func(ctx context.Context) error {
			all, err := session.Find[Ring](ctx, query.With(&rings.Bells))
			if err == nil && (len(all) != 1 || len(all[0].Bells) != 2) {
				t.Errorf("found %+v", all)
			}
			return err
		})
	})
}
