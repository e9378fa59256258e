package query_test

import (
	"errors"
	"testing"
	"time"

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
