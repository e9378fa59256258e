package query

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/value"
)

// Bounds of what a client may ask for by criteria.
const (
	// MaxValues is how many values a list among criteria may have.
	MaxValues = 500
	// MaxText is how many bytes a text among criteria may have.
	MaxText = 1000
)

// Criteria is what a filter says of one column: everything that is set has to hold. The zero Criteria says nothing. As
// JSON it is an object, {"gte": 10, "lt": 20}; in a query string total[gte]=10&total[lt]=20, where total=10 is short for
// total[eq]=10. V is the type of the column, or what its pointer points to: numbers, times, booleans, UUIDs, enums.
type Criteria[V any] struct {
	Eq  *V `json:"eq,omitempty" doc:"Equals"`
	Ne  *V `json:"ne,omitempty" doc:"Differs from; what has no value differs from every value"`
	Gt  *V `json:"gt,omitempty" doc:"Is greater than"`
	Lt  *V `json:"lt,omitempty" doc:"Is less than"`
	Gte *V `json:"gte,omitempty" doc:"Is at least"`
	Lte *V `json:"lte,omitempty" doc:"Is at most"`
	// In is a list of which the value has to be one. An empty list says nothing.
	In []V `json:"in,omitempty" maxItems:"500" doc:"Is one of"`
	// Null asks for rows without a value, or for rows with one.
	Null *bool `json:"null,omitempty" doc:"Has no value, or has one"`
}

// DatetimeCriteria are criteria for instants. A day, in a column of days, is its midnight in UTC. What lies between two
// instants that the column can hold, whose parts are microseconds, equals neither and is between them.
type DatetimeCriteria = Criteria[time.Time]

// StringCriteria is what a filter says of a text column. Its zero value says nothing. In a query string name=ann is short
// for name[value]=ann.
type StringCriteria struct {
	// Value is what the text has to contain or, where IsExact, to be. An empty one says nothing unless IsExact.
	Value string `json:"value,omitempty" maxLength:"1000" doc:"The text to look for"`
	// IsExact compares the whole text.
	IsExact bool `json:"is_exact,omitempty" doc:"The whole text has to be the value"`
	// CaseSensitive tells upper from lower case. Accents always matter.
	CaseSensitive bool `json:"case_sensitive,omitempty" doc:"Upper and lower case differ"`
	// In is a list of which the whole text has to be one, case and all. An empty list says nothing.
	In []string `json:"in,omitempty" maxItems:"500" doc:"Is one of"`
	// Null asks for rows without a value, or for rows with one.
	Null *bool `json:"null,omitempty" doc:"Has no value, or has one"`
}

// Date is a day of the calendar, "2026-11-29" as text and JSON. The zero Date is none.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf returns the day that t is on, in t's own zone.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

// In returns the instant at which the day begins in a zone, and that at which the next one does.
func (d Date) In(zone *time.Location) (begin, end time.Time) {
	return startOf(d.Year, d.Month, d.Day, zone), startOf(d.Year, d.Month, d.Day+1, zone)
}

// startOf returns the instant at which a day begins: its midnight, the first one where clocks go back so that there are two.
// Where they are put forward over midnight it is the instant at which they are.
func startOf(year int, month time.Month, day int, zone *time.Location) time.Time {
	t := time.Date(year, month, day, 0, 0, 0, 0, zone)
	changed, changes := t.ZoneBounds()
	// Of a midnight that there is not t is what it would be by the clocks before the change, or by those behind it.
	midnight, shown := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix(), t.Unix()+aheadAt(t)
	switch {
	case shown < midnight:
		return changes
	case shown > midnight:
		return changed
	case changed.IsZero(): // clocks never were
		return t
	}
	ahead := aheadAt(changed.Add(-1)) - aheadAt(t) // of what they are, before they were changed
	if first := t.Add(-time.Duration(ahead) * time.Second); first.Before(changed) {
		return first
	}
	return t
}

// aheadAt returns by how many seconds clocks in t's zone are ahead of UTC at t.
func aheadAt(t time.Time) int64 {
	_, seconds := t.Zone()
	return int64(seconds)
}

// String returns the day as "2026-11-29".
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day) }

// MarshalText implements encoding.TextMarshaler.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads "2026-11-29", and nothing else.
func (d *Date) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.DateOnly, string(text))
	if err != nil {
		return fault.New(fault.BadRequest, "is not a date like 2026-11-29")
	}
	*d = DateOf(t)
	return nil
}

// DateCriteria are criteria for a day, or for the one that an instant is on. The zero value says nothing.
type DateCriteria struct {
	Eq  *Date `json:"eq,omitempty" format:"date" doc:"Is on the day"`
	Gt  *Date `json:"gt,omitempty" format:"date" doc:"Is after the day"`
	Lt  *Date `json:"lt,omitempty" format:"date" doc:"Is before the day"`
	Gte *Date `json:"gte,omitempty" format:"date" doc:"Is on the day or after it"`
	Lte *Date `json:"lte,omitempty" format:"date" doc:"Is on the day or before it"`
	// Null asks for rows without a value, or for rows with one.
	Null *bool `json:"null,omitempty" doc:"Has no value, or has one"`
	// Zone is where days begin and end. Defaults to UTC. It is the program's to set, and not the client's. A column of days
	// has no zone: there the days are those that it holds.
	Zone *time.Location `json:"-"`
}

// criterion is a field of a filter struct that says what it wants of a column itself.
type criterion interface {
	// predicates adds what has to hold for the column to a filter.
	predicates(f *filtering) error
	// IsZero reports whether it says nothing.
	IsZero() bool
}

// IsZero reports whether the criteria say nothing.
func (c Criteria[V]) IsZero() bool {
	return c.Eq == nil && c.Ne == nil && c.Gt == nil && c.Lt == nil && c.Gte == nil && c.Lte == nil && len(c.In) == 0 && c.Null == nil
}

func (c Criteria[V]) predicates(f *filtering) error {
	for _, one := range []struct {
		name string
		op   operator
		v    *V
	}{{"eq", opEq, c.Eq}, {"ne", opNe, c.Ne}, {"gt", opGt, c.Gt}, {"lt", opLt, c.Lt}, {"gte", opGe, c.Gte}, {"lte", opLe, c.Lte}} {
		if one.v == nil {
			continue
		}
		v, err := f.value(one.name, reflect.TypeFor[V](), unsafe.Pointer(one.v))
		if err != nil {
			return err
		}
		f.compare(one.name, one.op, v)
	}
	if err := f.in(reflect.TypeFor[V](), len(c.In), func(i int) unsafe.Pointer { return unsafe.Pointer(&c.In[i]) }); err != nil {
		return err
	}
	f.null(c.Null)
	return nil
}

// IsZero reports whether the criteria say nothing.
func (c StringCriteria) IsZero() bool {
	return c.Value == "" && !c.IsExact && len(c.In) == 0 && c.Null == nil
}

func (c StringCriteria) predicates(f *filtering) error {
	if f.field.Type != value.TypeText {
		return f.misuse("holds no text")
	}
	if wrong := textWrong(c.Value); wrong != "" {
		return f.bad("value", wrong)
	}
	switch {
	case c.IsExact && c.CaseSensitive:
		f.add("value", opEq, value.OfText(c.Value))
	case c.IsExact:
		f.match(opEqFold, c.Value)
	case c.Value == "":
	case c.CaseSensitive:
		f.match(opContains, c.Value)
	default:
		f.match(opContainsFold, c.Value)
	}
	if err := f.in(reflect.TypeFor[string](), len(c.In), func(i int) unsafe.Pointer { return unsafe.Pointer(&c.In[i]) }); err != nil {
		return err
	}
	f.null(c.Null)
	return nil
}

// IsZero reports whether the criteria say nothing.
func (c DateCriteria) IsZero() bool {
	return c.Eq == nil && c.Gt == nil && c.Lt == nil && c.Gte == nil && c.Lte == nil && c.Null == nil
}

func (c DateCriteria) predicates(f *filtering) error {
	if f.field.Type != value.TypeTime {
		return f.misuse("holds no instant")
	}
	zone := c.Zone
	if zone == nil || f.field.IsDay() {
		zone = time.UTC
	}
	// Half-open ranges of instants, which an index on the column serves.
	add := func(name string, d *Date, ask func(time.Time, func(operator, ...value.Value) Predicate) Predicate, ofNext bool) {
		if d == nil {
			return
		}
		begin, end := d.In(zone)
		if ofNext {
			begin = end
		}
		f.q.where = append(f.q.where, ask(begin, f.asks(name)))
	}
	add("eq", c.Eq, since, false)
	add("eq", c.Eq, until, true)
	add("gt", c.Gt, since, true)
	add("lt", c.Lt, until, false)
	add("gte", c.Gte, since, false)
	add("lte", c.Lte, until, true)
	f.null(c.Null)
	return nil
}

// SetQuery reads the criteria from what a query string says of them: the values by operator, "" for those without one.
// What is wrong is a fault.BadRequest whose field is the operator. It is what package web calls.
func (c *Criteria[V]) SetQuery(values map[string][]string) error {
	one := map[string]**V{"eq": &c.Eq, "ne": &c.Ne, "gt": &c.Gt, "lt": &c.Lt, "gte": &c.Gte, "lte": &c.Lte}
	return eachValue(values, func(name string, texts []string) error {
		switch to := one[name]; {
		case name == "in" || name == "" && len(texts) > 1:
			for _, text := range texts {
				v, err := parse[V](text)
				if err != nil {
					return err
				}
				c.In = append(c.In, *v)
			}
			return nil
		case name == "null":
			return setOnce(&c.Null, texts)
		case name == "":
			return setOnce(&c.Eq, texts)
		case to != nil:
			return setOnce(to, texts)
		default:
			return errNoCriterion
		}
	})
}

// SetQuery is that of [Criteria].
func (c *StringCriteria) SetQuery(values map[string][]string) error {
	return eachValue(values, func(name string, texts []string) (err error) {
		var text *string
		var flag *bool
		switch name {
		case "in":
			c.In = slices.Clone(texts)
		case "null":
			err = setOnce(&c.Null, texts)
		case "", "value":
			if c.Value != "" {
				return errTwice
			}
			if err = setOnce(&text, texts); err == nil {
				c.Value = *text
			}
		case "is_exact":
			if err = setOnce(&flag, texts); err == nil {
				c.IsExact = *flag
			}
		case "case_sensitive":
			if err = setOnce(&flag, texts); err == nil {
				c.CaseSensitive = *flag
			}
		default:
			err = errNoCriterion
		}
		return err
	})
}

// SetQuery is that of [Criteria].
func (c *DateCriteria) SetQuery(values map[string][]string) error {
	one := map[string]**Date{"": &c.Eq, "eq": &c.Eq, "gt": &c.Gt, "lt": &c.Lt, "gte": &c.Gte, "lte": &c.Lte}
	return eachValue(values, func(name string, texts []string) error {
		if name == "null" {
			return setOnce(&c.Null, texts)
		}
		if to := one[name]; to != nil {
			return setOnce(to, texts)
		}
		return errNoCriterion
	})
}

var errTwice = fault.New(fault.BadRequest, "is given more than once")

var errNoCriterion = fault.New(fault.BadRequest, "is no criterion here")

// eachValue calls set for each operator, and names it in its error.
func eachValue(values map[string][]string, set func(name string, texts []string) error) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if err := set(name, values[name]); err != nil {
			return &fault.Error{
				Kind: fault.BadRequest, Op: "query.Criteria", Fields: []fault.Field{{Name: name, Message: fault.Public(err)}},
			}
		}
	}
	return nil
}

func setOnce[V any](to **V, texts []string) error {
	if *to != nil || len(texts) != 1 {
		return errTwice
	}
	v, err := parse[V](texts[0])
	*to = v
	return err
}

// parse reads a V as a query string has it: what JSON has in quotes without them. What is stored as a number may have a
// form of its own there, as an enum that is known by names.
func parse[V any](text string) (*V, error) {
	v := new(V)
	if d, ok := any(v).(*Date); ok {
		return v, d.UnmarshalText([]byte(text))
	}
	c, err := model.CodecOf(reflect.TypeFor[V]())
	if err != nil {
		return nil, err
	}
	if unquoted(c.Type) && strings.TrimSpace(text) != "null" && json.Unmarshal([]byte(text), v) == nil {
		return v, nil
	}
	want := wants[c.Type]
	if unquoted(c.Type) && c.Type != value.TypeDecimal {
		if !hasForm(reflect.TypeFor[V]()) {
			return nil, fault.New(fault.BadRequest, "is not "+want)
		}
		want = wants[value.TypeUnknown]
	}
	v = new(V) // the one before may have been read in part
	quoted, err := json.Marshal(text)
	if err != nil || json.Unmarshal(quoted, v) != nil {
		return nil, fault.New(fault.BadRequest, "is not "+want)
	}
	return v, nil
}

// unquoted reports whether JSON has values of the type without quotes.
func unquoted(t value.Type) bool {
	return t >= value.TypeBool && t <= value.TypeFloat64 || t == value.TypeDecimal
}

var wants = map[value.Type]string{
	value.TypeBool: "true or false", value.TypeInt16: "a whole number of its size", value.TypeInt32: "a whole number of its size",
	value.TypeInt64: "a whole number of its size", value.TypeUint64: "a whole number of its size", value.TypeFloat32: "a number",
	value.TypeFloat64: "a number", value.TypeText: "one of its values", value.TypeBytes: "text in base64",
	value.TypeTime: "a time like 2026-11-29T12:00:00Z", value.TypeUUID: "a UUID", value.TypeJSON: "one of its values",
	value.TypeDecimal: "a number", value.TypeUnknown: "one of its values",
}
