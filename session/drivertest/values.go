package drivertest

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

func valueTests() []test {
	tests := []test{
		{name: "what cannot be stored is refused", run: refusedValues},
		{name: "a result without a type is what is found", run: unknownResult},
		{name: "large unsigned integers keep their order", run: unsignedOrder},
		{name: "times keep their order", run: timeOrder},
		{name: "folded text is equal whatever its case", run: foldedText},
	}
	for t, values := range samples() {
		tests = append(tests,
			test{name: t.String() + " one by one", run: func(tt *testing.T, h *harness) { roundTrip(tt, h, t, values, false) }},
			test{name: t.String() + " in a batch", run: func(tt *testing.T, h *harness) { roundTrip(tt, h, t, values, true) }},
			test{name: t.String() + " as a parameter", run: func(tt *testing.T, h *harness) { found(tt, h, t, values) }},
			test{name: t.String() + " in a list", run: func(tt *testing.T, h *harness) { inList(tt, h, t, values) }},
		)
	}
	slices.SortFunc(tests, func(a, b test) int { return strings.Compare(a.name, b.name) })
	return tests
}

// samples are values of every type, at its ends and where encodings change. No two of a type are equal to a database.
func samples() map[value.Type][]value.Value {
	return map[value.Type][]value.Value{
		value.TypeBool:  {value.OfBool(true), value.OfBool(false)},
		value.TypeInt16: ints(math.MinInt16, -1, 0, 1, math.MaxInt16),
		value.TypeInt32: ints(math.MinInt32, -1, 0, 1, math.MaxInt32),
		value.TypeInt64: ints(math.MinInt64, -1<<53-1, -1, 0, 1, 1<<53+1, math.MaxInt64),
		value.TypeUint64: {
			value.OfUint(0), value.OfUint(1), value.OfUint(9999), value.OfUint(10000), value.OfUint(math.MaxInt64),
			value.OfUint(math.MaxInt64 + 1), value.OfUint(10000000000000000000), value.OfUint(math.MaxUint64),
		},
		value.TypeFloat32: floats(0, 0.5, -1, math.MaxFloat32, math.SmallestNonzeroFloat32, math.Inf(1), math.Inf(-1)),
		value.TypeFloat64: floats(0, 0.1, -3, 1e300, math.MaxFloat64, math.SmallestNonzeroFloat64, 1<<53, math.Inf(1), math.Inf(-1)),
		value.TypeText: {
			value.OfText(""), value.OfText("a"), value.OfText("NULL"), value.OfText(`{"x",\}'`), value.OfText("123"),
			value.OfText("Grüße, Жизнь, 日本語, 👩‍👩‍👧‍👦"), value.OfText("two\nlines\t"), value.OfText(" padded "),
			value.OfText(strings.Repeat("long ", 20000)),
		},
		value.TypeBytes: {
			value.OfBytes([]byte{}), value.OfBytes([]byte{0}), value.OfBytes([]byte("text")),
			value.OfBytes([]byte{0xff, 0, 0xfe, '\\', '"'}), value.OfBytes(slices.Repeat([]byte{0, 1, 2, 255}, 20000)),
		},
		value.TypeTime: times(
			"0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00Z", "2024-02-29T12:34:56.000001Z",
			"2024-02-29T12:34:56.789Z", "2024-02-29T14:34:57+02:00", "9999-12-31T23:59:59.999999Z"),
		value.TypeUUID: {
			value.OfUUID([16]byte{}), value.OfUUID([16]byte(slices.Repeat([]byte{0xff}, 16))),
			value.OfUUID([16]byte{0x01, 0x8f, 0x2a, 0x3b, 0x4c, 0x5d, 0x7e, 0x6f, 0x80, 0x91, 0xa2, 0xb3, 0xc4, 0xd5, 0xe6, 0xf7}),
		},
		value.TypeJSON: {
			value.OfJSON(`{"a": [1, 2.5, null, true], "ä": {"b": "\"x\""}}`), value.OfJSON(`[]`), value.OfJSON(`"text"`),
			value.OfJSON(`12`), value.OfJSON(`null`), value.OfJSON(`{}`),
		},
		value.TypeDecimal: {
			value.OfDecimal("0"), value.OfDecimal("-1.50"), value.OfDecimal("12345678901234567890.123456789012345678"),
			value.OfDecimal("0.000000000000000000001"), value.OfDecimal("1000000000000000000000000000000"),
		},
	}
}

func ints(list ...int64) (values []value.Value) {
	for _, i := range list {
		values = append(values, value.OfInt(i))
	}
	return values
}

func floats(list ...float64) (values []value.Value) {
	for _, f := range list {
		values = append(values, value.OfFloat(f))
	}
	return values
}

func times(list ...string) (values []value.Value) {
	for _, s := range list {
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
			values = append(values, value.OfTime(t))
		}
	}
	return values
}

// valueTable makes a table with a key and a column v of the type, and returns the insertion of values into it.
func (h *harness) valueTable(t *testing.T, typ value.Type) (table string, insert func(batch bool, values []value.Value) []driver.Statement) {
	t.Helper()
	table = h.create(t, h.column("id", value.TypeInt64, "NOT NULL PRIMARY KEY"), h.column("v", typ, ""))
	columns := []dialect.Column{idColumn, {Name: "v", Type: typ}}
	return table, func(batch bool, values []value.Value) (statements []driver.Statement) {
		s := driver.Statement{
			SQL:   h.dialect.Insert(dialect.Insert{Table: table, Columns: columns, Batch: batch}),
			Types: typesOf(columns),
		}
		for i, v := range values {
			args := []value.Value{value.OfInt(int64(i)), v}
			if batch {
				s.Batch = len(values)
				s.Args = append(s.Args, args...)
				continue
			}
			s.Args = args
			statements = append(statements, s)
		}
		if batch {
			return []driver.Statement{s}
		}
		return statements
	}
}

func roundTrip(t *testing.T, h *harness, typ value.Type, values []value.Value, batch bool) {
	values = append(slices.Clone(values), value.Value{})
	table, insert := h.valueTable(t, typ)
	h.do(t, insert(batch, values)...)
	conn := h.acquire(t, driver.Read)
	q := h.query("SELECT id, v FROM "+table+" ORDER BY id", []value.Type{value.TypeInt64, typ})
	rows := run(t, conn, script(q)).of(0).rows
	if len(rows) != len(values) {
		t.Fatalf("%d rows came back for %d", len(rows), len(values))
	}
	for i, want := range values {
		if got := rows[i][1]; !same(got, want) {
			t.Errorf("%v %.80q came back as %v %.80q", want.Kind(), want, got.Kind(), got)
		}
	}
}

// same reports whether two cells are equal. Databases may print JSON anew.
func same(a, b value.Value) bool {
	if a.Kind() != value.JSON || b.Kind() != value.JSON {
		return a == b
	}
	var x, y any
	return json.Unmarshal([]byte(a.Str()), &x) == nil && json.Unmarshal([]byte(b.Str()), &y) == nil &&
		reflect.DeepEqual(x, y)
}

// found looks each value up by itself.
func found(t *testing.T, h *harness, typ value.Type, values []value.Value) {
	if typ == value.TypeJSON {
		return // databases differ in what makes JSON equal
	}
	table, insert := h.valueTable(t, typ)
	h.do(t, insert(true, values)...)
	conn := h.acquire(t, driver.Read)
	for i, v := range values {
		q := h.query("SELECT id FROM "+table+" WHERE v = $1", []value.Type{value.TypeInt64}, arg{typ, v})
		rows := run(t, conn, script(q)).of(0).rows
		if len(rows) != 1 || rows[0][0] != value.OfInt(int64(i)) {
			t.Errorf("%.80q found as %v, want row %d", v, rows, i)
		}
	}
}

// inList looks several values up at once, in the dialect's form of a list.
func inList(t *testing.T, h *harness, typ value.Type, values []value.Value) {
	if typ == value.TypeJSON {
		return
	}
	table, insert := h.valueTable(t, typ)
	h.do(t, insert(true, values)...)
	conn := h.acquire(t, driver.Read)
	for n := range len(values) + 1 {
		q := h.listQuery(table, typ, values[:n])
		rows := run(t, conn, script(q)).of(0).rows
		if len(rows) != n {
			t.Errorf("%d rows found for %d values", len(rows), n)
		}
	}
}

// listQuery selects the rows whose v is among the values and whose id is not -1, so that the list is not all there is.
func (h *harness) listQuery(table string, typ value.Type, values []value.Value) driver.Statement {
	var b strings.Builder
	b.WriteString("SELECT id FROM " + table + " WHERE id <> ")
	h.dialect.Param(&b, 1, value.TypeInt64)
	b.WriteString(" AND ")
	used := h.dialect.In(&b, func(b *strings.Builder) { b.WriteString("v") }, 2, len(values), typ)
	s := driver.Statement{
		SQL: b.String(), Result: []value.Type{value.TypeInt64},
		Types: []value.Type{value.TypeInt64}, Args: []value.Value{value.OfInt(-1)},
	}
	switch {
	case len(values) == 0:
	case used == 1 && (len(values) > 1 || h.features.Arrays):
		s.Types, s.Args = append(s.Types, typ), append(s.Args, value.Value{})
		s.Lists = [][]value.Value{nil, values}
	default:
		s.Types, s.Args = append(s.Types, slices.Repeat([]value.Type{typ}, used)...), append(s.Args, values...)
	}
	return s
}

// refusedValues: a value that a database cannot store exactly is either stored all the same or fault.Invalid, and
// nothing of the script is.
func refusedValues(t *testing.T, h *harness) {
	for _, c := range []struct {
		name string
		typ  value.Type
		v    value.Value
	}{
		{"NaN", value.TypeFloat64, value.OfFloat(math.NaN())},
		{"NaN of 32 bits", value.TypeFloat32, value.OfFloat(math.NaN())},
		{"a NUL in text", value.TypeText, value.OfText("a\x00b")},
		{"text that is not UTF-8", value.TypeText, value.OfText("a\xffb")},
		{"a year of five digits", value.TypeTime, value.OfTime(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))},
		{"a year before 0", value.TypeTime, value.OfTime(time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC))},
		{"the year 0", value.TypeTime, value.OfTime(time.Date(0, 2, 29, 1, 2, 3, 4000, time.UTC))},
	} {
		table, insert := h.valueTable(t, c.typ)
		for _, batch := range []bool{false, true} {
			conn := h.acquire(t, driver.Write)
			s := transaction(insert(batch, []value.Value{{}, c.v})...)
			err := conn.Run(t.Context(), s, driver.Discard)
			if err == nil {
				q := h.query("SELECT v FROM "+table+" WHERE id = 1", []value.Type{c.typ})
				if got := run(t, conn, script(q)).of(0).rows[0][0]; got != c.v {
					t.Errorf("%s came back as %q", c.name, got)
				}
				run(t, conn, transaction(h.statement("DELETE FROM "+table)))
			} else if !errors.Is(err, fault.Invalid) || !namesParameter(err, 2) {
				t.Errorf("%s: %v, want %s with a *driver.ParamError for parameter 2", c.name, err, fault.Invalid)
			}
			h.wantIDs(t, table)
			conn.Release()
		}
	}
}

// namesParameter reports whether err says which parameter it is about.
func namesParameter(err error, n int) bool {
	var e *driver.ParamError
	return errors.As(err, &e) && e.Param == n
}

func unknownResult(t *testing.T, h *harness) {
	table := h.stock(t)
	unknown := []value.Type{value.TypeUnknown, value.TypeUnknown, value.TypeUnknown, value.TypeUnknown}
	conn := h.acquire(t, driver.Read)
	q := h.query("SELECT id, name, parent, count(*) FROM "+table+" WHERE id = 2 GROUP BY id, name, parent", unknown)
	rows := run(t, conn, script(q)).of(0).rows
	want := []value.Value{value.OfInt(2), value.OfText("two"), {}, value.OfInt(1)}
	if len(rows) != 1 || !slices.Equal(rows[0], want) {
		t.Errorf("%v came back, want %v", rows, want)
	}
}

func unsignedOrder(t *testing.T, h *harness) { ordered(t, h, value.TypeUint64) }
func timeOrder(t *testing.T, h *harness)     { ordered(t, h, value.TypeTime) }

// ordered wants the order and comparisons of the database to be those of the samples, which are in order.
func ordered(t *testing.T, h *harness, typ value.Type) {
	values := samples()[typ]
	table, insert := h.valueTable(t, typ)
	h.do(t, insert(true, values)...)
	conn := h.acquire(t, driver.Read)
	q := h.query("SELECT v FROM "+table+" ORDER BY v", []value.Type{typ})
	for i, row := range run(t, conn, script(q)).of(0).rows {
		if row[0] != values[i] {
			t.Errorf("%v is at place %d, want %v", row[0], i, values[i])
		}
	}
	for i, v := range values {
		q := h.query("SELECT count(*) FROM "+table+" WHERE v < $1", []value.Type{value.TypeInt64}, arg{typ, v})
		if got := run(t, conn, script(q)).of(0).rows[0][0]; got != value.OfInt(int64(i)) {
			t.Errorf("%v rows are below %v, want %d", got, v, i)
		}
	}
}

func foldedText(t *testing.T, h *harness) {
	table := h.create(t, h.column("id", value.TypeInt64, "NOT NULL"), h.column("v", value.TypeText, ""))
	words := [][2]string{{"Hello", "hELLO"}, {"Grüße ÄÖÜ", "grüße äöü"}, {"ЖИЗНЬ", "жизнь"}, {"Éclair", "éCLAIR"}}
	for i, w := range words {
		h.do(t, h.statement("INSERT INTO "+table+" (id, v) VALUES ($1, $2)", integer(int64(i)), text(w[0])))
	}
	h.do(t, h.statement("INSERT INTO "+table+" (id, v) VALUES (99, NULL)"))
	var b strings.Builder
	h.dialect.Fold(&b, func(b *strings.Builder) { b.WriteString("v") })
	b.WriteString(" = ")
	h.dialect.Fold(&b, func(b *strings.Builder) { h.dialect.Param(b, 1, value.TypeText) })
	for i, w := range words {
		q := h.query("SELECT id FROM "+table+" WHERE "+b.String(), []value.Type{value.TypeInt64}, text(w[1]))
		if got := h.ask(t, q); got != value.OfInt(int64(i)) {
			t.Errorf("%q found row %v, want %s", w[1], got, strconv.Itoa(i))
		}
	}
}
