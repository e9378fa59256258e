package query_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // zones, also on a machine without them

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
)

// FuzzCriteria: whatever a query string says, criteria are read, or refused with a BadRequest that names the operator.
func FuzzCriteria(f *testing.F) {
	for _, seed := range [][2]string{
		{"", "7"}, {"eq", "null"}, {"gte", "2026-11-29T12:00:00Z"}, {"in", "0198a3f0-7c11-7b3a-9d60-0d6d3b1c2a01"}, {"null", "true"},
		{"value", `"`}, {"is_exact", "maybe"}, {"lt", "1e400"}, {"ne", "-9223372036854775809"}, {"lte", "2026-02-30"}, {"\x00", "\xff"},
	} {
		f.Add(seed[0], seed[1], true)
	}
	f.Fuzz(func(t *testing.T, op, text string, twice bool) {
		texts := []string{text}
		if twice {
			texts = append(texts, text)
		}
		for _, c := range []interface {
			SetQuery(values map[string][]string) error
			IsZero() bool
		}{
			&query.Criteria[int16]{}, &query.Criteria[uint64]{}, &query.Criteria[float64]{}, &query.Criteria[bool]{}, &query.Criteria[string]{},
			&query.Criteria[uuid.UUID]{}, &query.DatetimeCriteria{}, &query.StringCriteria{}, &query.DateCriteria{},
		} {
			err := c.SetQuery(map[string][]string{op: texts})
			if err == nil {
				continue
			}
			if fields := fault.FieldsOf(err); !errors.Is(err, fault.BadRequest) || len(fields) != 1 || fields[0].Name != op {
				t.Errorf("%T, %q: %v", c, op, err)
			}
		}
	})
}

// FuzzDate: a date that is read is written as it was.
func FuzzDate(f *testing.F) {
	for _, seed := range []string{"2026-11-29", "0000-01-01", "2026-02-29", "2026-1-1", "", "9999-12-31", " 2026-11-29"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var d query.Date
		if err := d.UnmarshalText([]byte(text)); err != nil {
			return
		}
		if d.String() != text {
			t.Errorf("%q became %v", text, d)
		}
		if begin, end := d.In(time.UTC); query.DateOf(begin) != d || end.Sub(begin) != 24*time.Hour {
			t.Errorf("%v is from %v to %v", d, begin, end)
		}
	})
}

// spoken is stored as a number, and known by names: as text, which JSON has in quotes.
type spoken int8

func (s spoken) MarshalText() ([]byte, error) { return []byte(strings.Repeat("A", int(s))), nil }

func (s *spoken) UnmarshalText(text []byte) error {
	*s = -1 // also where it is none
	if strings.Trim(string(text), "A") != "" {
		return errors.New("no such name")
	}
	*s = spoken(len(text))
	return nil
}

// inscribed is spoken by a form of its own in JSON, which takes numbers too.
type inscribed int64

func (w *inscribed) UnmarshalJSON(data []byte) error {
	if n, err := strconv.Atoi(string(data)); err == nil {
		*w = inscribed(n)
		return nil
	}
	var s spoken
	err := json.Unmarshal(data, &s)
	*w = inscribed(s)
	return err
}

// TestNamesOfNumbersAreGivenAsInJSON: what is stored as a number and has a form of its own in JSON has it in query strings.
func TestNamesOfNumbersAreGivenAsInJSON(t *testing.T) {
	t.Parallel()
	text := func(v any, err error) string {
		if err != nil {
			return fault.FieldsOf(err)[0].Name + " " + fault.FieldsOf(err)[0].Message
		}
		body, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	for _, c := range []struct {
		op, spoken, inscribed string
		texts                 []string
	}{
		{"eq", `{"eq":"AA"}`, `{"eq":2}`, []string{"AA"}},
		{"", `{"eq":"AA"}`, `{"eq":2}`, []string{"AA"}},
		{"lte", `{"lte":""}`, `{"lte":0}`, []string{""}},
		{"in", `{"in":["A","AA"]}`, `{"in":[1,2]}`, []string{"A", "AA"}},
		{"", `{"in":["A","AA"]}`, `{"in":[1,2]}`, []string{"A", "AA"}},
		{"eq", "eq is not one of its values", `{"eq":3}`, []string{"3"}},
		{"in", "in is not one of its values", "in is not one of its values", []string{"A", "B"}},
		{"ne", "ne is not one of its values", "ne is not one of its values", []string{"null"}},
	} {
		var s query.Criteria[spoken]
		if got := text(&s, s.SetQuery(map[string][]string{c.op: c.texts})); got != c.spoken {
			t.Errorf("%s %q as text: %s, want %s", c.op, c.texts, got, c.spoken)
		}
		var w query.Criteria[inscribed]
		if got := text(&w, w.SetQuery(map[string][]string{c.op: c.texts})); got != c.inscribed {
			t.Errorf("%s %q as JSON: %s, want %s", c.op, c.texts, got, c.inscribed)
		}
	}
	for _, strange := range []string{"null", " null ", `"7"`, "AA", ""} {
		var n query.Criteria[int16]
		if got := text(&n, n.SetQuery(map[string][]string{"eq": {strange}})); got != "eq is not a whole number of its size" {
			t.Errorf("%q as a number: %s", strange, got)
		}
	}
}

// TestDaysBeginWhereTheirMidnightIs: at the first one of two, and where clocks were put forward over it.
func TestDaysBeginWhereTheirMidnightIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, day, begin, end string }{
		{"Asia/Amman", "2021-10-29", "2021-10-28T21:00:00Z", "2021-10-29T22:00:00Z"},        // back from 01:00 to 00:00
		{"Asia/Amman", "2021-03-26", "2021-03-25T22:00:00Z", "2021-03-26T21:00:00Z"},        // on from 00:00 to 01:00
		{"Asia/Gaza", "2021-10-29", "2021-10-28T21:00:00Z", "2021-10-29T22:00:00Z"},         // back from 01:00 to 00:00
		{"Asia/Beirut", "2021-10-31", "2021-10-30T22:00:00Z", "2021-10-31T22:00:00Z"},       // back from 00:00 to 23:00
		{"Asia/Beirut", "2021-10-30", "2021-10-29T21:00:00Z", "2021-10-30T22:00:00Z"},       // the day before it
		{"America/Havana", "2021-11-07", "2021-11-07T04:00:00Z", "2021-11-08T05:00:00Z"},    // back from 01:00 to 00:00
		{"America/Havana", "2021-03-14", "2021-03-14T05:00:00Z", "2021-03-15T04:00:00Z"},    // on from 00:00 to 01:00
		{"America/Toronto", "1919-03-31", "1919-03-31T04:30:00Z", "1919-04-01T04:00:00Z"},   // on from 23:30 to 00:30
		{"Atlantic/Azores", "2021-10-31", "2021-10-31T00:00:00Z", "2021-11-01T01:00:00Z"},   // back from 01:00 to 00:00, where UTC is
		{"Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z"},      // which there was not
		{"Pacific/Kwajalein", "1993-08-21", "1993-08-21T12:00:00Z", "1993-08-21T12:00:00Z"}, // nor this one
		{"America/St_Johns", "2007-11-04", "2007-11-04T02:30:00Z", "2007-11-05T03:30:00Z"},  // back from 00:01 to 23:01
		{"UTC", "0000-01-01", "0000-01-01T00:00:00Z", "0000-01-02T00:00:00Z"},               // where no clocks ever changed
		{"Etc/GMT-2", "0000-01-01", "-0001-12-31T22:00:00Z", "0000-01-01T22:00:00Z"},        // nor here
	} {
		begin, end := day(t, c.day).In(zone(t, c.zone))
		format := func(at time.Time) string { return at.UTC().Format(time.RFC3339) }
		if format(begin) != c.begin || format(end) != c.end {
			t.Errorf("%s in %s is from %s to %s, want %s to %s", c.day, c.zone, format(begin), format(end), c.begin, c.end)
		}
	}
}

// TestDaysBeginWhereClocksArePutOn: also where it is from before midnight to behind it, which no zone east of UTC has had yet.
func TestDaysBeginWhereClocksArePutOn(t *testing.T) {
	t.Parallel()
	at := time.Date(2021, 3, 25, 21, 30, 0, 0, time.UTC)
	begin, end := day(t, "2021-03-26").In(changing(t, at, 2*3600, 3*3600)) // from 23:30 to 00:30
	if want := time.Date(2021, 3, 26, 21, 0, 0, 0, time.UTC); !begin.Equal(at) || !end.Equal(want) {
		t.Errorf("the day is from %v to %v, want %v to %v", begin, end, at, want)
	}
}

// changing is a zone whose clocks change once, from so many seconds ahead of UTC to so many others.
func changing(t testing.TB, at time.Time, before, after uint32) *time.Location {
	t.Helper()
	number := binary.BigEndian.AppendUint32
	tz := append([]byte("TZif"), make([]byte, 16+3*4)...)    // version 1, without leap seconds
	for _, n := range []uint32{1, 2, 4, uint32(at.Unix())} { // one change, two kinds of clocks, four letters
		tz = number(tz, n)
	}
	tz = append(number(append(tz, 1), before), 0, 0)
	tz = append(number(tz, after), 0, 2)
	z, err := time.LoadLocationFromTZData("changing", append(tz, "A\x00B\x00"...))
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func day(t testing.TB, text string) (d query.Date) {
	t.Helper()
	if err := d.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return d
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// dayZones are zones whose clocks change in every way there is, and some whose do not.
var dayZones = []string{
	"UTC", "Etc/GMT-14", "Etc/GMT+12", "Africa/Cairo", "Africa/Casablanca", "Africa/Monrovia", "America/Asuncion", "America/Caracas",
	"America/Godthab", "America/Havana", "America/New_York", "America/Santiago", "America/Sao_Paulo", "America/Scoresbysund",
	"America/St_Johns", "America/Toronto", "Antarctica/Troll", "Asia/Amman", "Asia/Beirut", "Asia/Damascus", "Asia/Gaza",
	"Asia/Kathmandu", "Asia/Pyongyang", "Asia/Tehran", "Asia/Tokyo", "Atlantic/Azores", "Australia/Lord_Howe", "Europe/Berlin", "Europe/Dublin",
	"Europe/Lisbon", "Pacific/Apia", "Pacific/Chatham", "Pacific/Kwajalein",
}

// TestDaysOfAllZones: a day begins at an instant that is on it, right behind one that is not, and ends where the next one
// begins. One that there is not has no instants.
func TestDaysOfAllZones(t *testing.T) {
	t.Parallel()
	for _, name := range dayZones {
		z := zone(t, name)
		for _, years := range [][2]int{{1917, 1922}, {1971, 1974}, {1992, 1995}, {2005, 2013}, {2018, 2025}, {2036, 2039}} {
			before := query.Date{Year: years[0] - 1, Month: time.December, Day: 31}
			for noon := time.Date(years[0], 1, 1, 12, 0, 0, 0, time.UTC); noon.Year() <= years[1]; noon = noon.AddDate(0, 0, 1) {
				d := query.DateOf(noon)
				begin, end := d.In(z)
				next, _ := query.DateOf(noon.AddDate(0, 0, 1)).In(z)
				if end.Before(begin) || !end.Equal(next) {
					t.Errorf("%v in %s is from %v to %v, and the next one begins at %v", d, name, begin, end, next)
				}
				if begin.Equal(end) {
					continue
				}
				if got := query.DateOf(begin.In(z)); got != d {
					t.Errorf("%v in %s begins at %v", d, name, begin)
				}
				if got := query.DateOf(begin.Add(-1).In(z)); got != before {
					t.Errorf("%v in %s begins behind %v, want %v", d, name, got, before)
				}
				before = d
			}
		}
	}
}
