package pgxdriver

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// samples are values that come back from a column of their type as they were.
func samples() map[value.Type][]value.Value {
	at := func(s string) value.Value {
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			panic(err)
		}
		return value.OfTime(t)
	}
	return map[value.Type][]value.Value{
		value.TypeBool:    {value.OfBool(true), value.OfBool(false)},
		value.TypeInt16:   {value.OfInt(math.MinInt16), value.OfInt(math.MaxInt16)},
		value.TypeInt32:   {value.OfInt(math.MinInt32), value.OfInt(math.MaxInt32)},
		value.TypeInt64:   {value.OfInt(math.MinInt64), value.OfInt(math.MaxInt64)},
		value.TypeUint64:  {value.OfUint(0), value.OfUint(math.MaxUint64)},
		value.TypeFloat32: {value.OfFloat(float64(float32(0.1))), value.OfFloat(math.NaN()), value.OfFloat(math.Inf(-1))},
		value.TypeFloat64: {value.OfFloat(0.1), value.OfFloat(math.MaxFloat64), value.OfFloat(math.NaN()), value.OfFloat(math.Inf(1))},
		value.TypeText:    {value.OfText(""), value.OfText(`a "quoted" \ {x,NULL} ü 🙂`), value.OfText("NULL")},
		value.TypeBytes:   {value.OfBytes([]byte{}), value.OfBytes([]byte("\x00\xff\\\"x"))},
		value.TypeTime: {at("2026-02-03T04:05:06.789012Z"), at("0001-01-01T00:00:00Z"), at("1969-12-31T23:59:59.999999Z"),
			at("9999-12-31T23:59:59.999999Z"), value.OfMicros(firstMicro), value.OfMicros(math.MaxInt64 - 1),
			value.OfMicros(math.MaxInt64), value.OfMicros(math.MinInt64)},
		value.TypeUUID:    {value.OfUUID([16]byte{1, 2, 3, 0xff, 15: 9}), value.OfUUID([16]byte{})},
		value.TypeJSON:    {value.OfJSON(`{"a": [1, "x", null]}`), value.OfJSON(`null`), value.OfJSON(`"\"{}\\"`)},
		value.TypeDecimal: {value.OfDecimal("0.10"), value.OfDecimal("-123456789012345678901234567890.5"), value.OfDecimal("NaN")},
	}
}

// Every type as a parameter, an element of an array and a result: cold, warm, and behind a pooler.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	for _, pooler := range []bool{false, true} {
		f := setup(t, func(cfg *driver.Config) { cfg.Pooler = pooler; cfg.URL += "&timezone=Asia/Kathmandu" })
		c := f.lend()
		d := f.pool.Dialect()
		for typ, all := range samples() {
			column := d.ColumnType(typ, "")
			all = append(all, value.Value{})
			for _, v := range all {
				s := driver.Statement{SQL: "SELECT $1::" + column, Types: []value.Type{typ}, Args: []value.Value{v}, Result: []value.Type{typ}}
				loose := s
				loose.Types = []value.Type{value.TypeUnknown}
				for range 2 {
					if got := f.must(c, nil, driver.Stay, s)[0][0]; got != v {
						t.Errorf("%v: %v came back as %v of kind %d", typ, v, got, got.Kind())
					}
					if got := f.must(c, nil, driver.Stay, loose)[0][0]; got != v {
						t.Errorf("%v as unknown: %v came back as %v of kind %d", typ, v, got, got.Kind())
					}
				}
			}
			column, _, _ = strings.Cut(column, "(")
			for _, as := range []value.Type{typ, value.TypeUnknown} {
				batch := driver.Statement{SQL: "SELECT v FROM unnest($1::" + column + "[]) WITH ORDINALITY u(v, n) ORDER BY n",
					Types: []value.Type{as}, Args: all, Batch: len(all), Result: []value.Type{typ}}
				list := batch
				list.Batch, list.Args, list.Lists = 0, make([]value.Value, 1), [][]value.Value{all}
				list.SQL += " DESC"
				for i, row := range f.must(c, nil, driver.Stay, batch) {
					if row[0] != all[i] {
						t.Errorf("%v in an array of %v: %v came back as %v", typ, as, all[i], row[0])
					}
				}
				for i, row := range f.must(c, nil, driver.Stay, list) {
					if row[0] != all[len(all)-1-i] {
						t.Errorf("%v in a list of %v: %v came back as %v", typ, as, all[len(all)-1-i], row[0])
					}
				}
			}
		}
	}
}

// A column that is not what it was declared as is read by what it is, and then as what was declared if nothing is lost.
func TestOtherColumnTypes(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := f.lend()
	f.must(c, nil, driver.Stay, statement("CREATE TYPE mood AS ENUM ('sad', 'ok')"))
	day := value.OfTime(time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC))
	noon := value.OfTime(time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC))
	for _, p := range []struct {
		sql  string
		as   value.Type
		want value.Value
	}{
		{"7::smallint", value.TypeInt64, value.OfInt(7)},
		{"7::bigint", value.TypeInt16, value.OfInt(7)},
		{"sum(7::bigint)", value.TypeInt64, value.OfInt(7)},
		{"7::numeric", value.TypeUint64, value.OfUint(7)},
		{"7::int", value.TypeUint64, value.OfUint(7)},
		{"7::int", value.TypeFloat64, value.OfFloat(7)},
		{"7::int", value.TypeDecimal, value.OfDecimal("7")},
		{"0.5::numeric", value.TypeFloat64, value.OfFloat(0.5)},
		{"0.1::real", value.TypeFloat32, value.OfFloat(float64(float32(0.1)))},
		{"'x'::varchar(5)", value.TypeText, value.OfText("x")},
		{"'x'::char(3)", value.TypeText, value.OfText("x  ")},
		{"'x'::name", value.TypeText, value.OfText("x")},
		{"'ok'::mood", value.TypeText, value.OfText("ok")},
		{"'ok'::mood", value.TypeUnknown, value.OfText("ok")},
		{"'10.0.0.1'::inet", value.TypeText, value.OfText("10.0.0.1")},
		{"'{a,b}'::text[]", value.TypeText, value.OfText("{a,b}")},
		{"'1 day'::interval", value.TypeText, value.OfText("1 day")},
		{"'{\"a\":1}'::json", value.TypeJSON, value.OfJSON(`{"a":1}`)},
		{"'{\"a\":1}'::text", value.TypeJSON, value.OfJSON(`{"a":1}`)},
		{"'2026-02-03'::date", value.TypeTime, day},
		{"'2026-02-03'::date", value.TypeUnknown, day},
		{"'2026-02-03 12:00'::timestamp", value.TypeTime, noon},
		{"'2026-02-03 12:00+00'::timestamptz", value.TypeUnknown, noon},
		{"'infinity'::date", value.TypeTime, value.OfMicros(math.MaxInt64)},
		{"gen_random_uuid() IS NOT NULL", value.TypeUnknown, value.OfBool(true)},
		{"'00000000-0000-0000-0000-000000000001'::uuid", value.TypeText, value.OfText("00000000-0000-0000-0000-000000000001")},
		{"1::int", value.TypeBool, value.OfBool(true)},
		{"'x'::text", value.TypeBytes, value.OfBytes([]byte("x"))},
		{`'\x6869'::bytea`, value.TypeUnknown, value.OfBytes([]byte("hi"))},
		{"5::oid", value.TypeInt64, value.OfInt(5)},
		{"NULL", value.TypeInt64, value.Value{}},
	} {
		for _, warmth := range []string{"cold", "warm"} {
			if got := f.must(c, nil, driver.Stay, query([]value.Type{p.as}, "SELECT "+p.sql))[0][0]; got != p.want {
				t.Errorf("%s: %s as %v came back as %v of kind %d", warmth, p.sql, p.as, got, got.Kind())
			}
		}
	}
}

// What cannot be stored is refused before anything is sent, and the error does not hold the value.
func TestRefusedParameters(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := f.lend()
	ok := statement("SELECT 1")
	for _, p := range []struct {
		as value.Type
		v  value.Value
	}{
		{value.TypeInt16, value.OfInt(40000)},
		{value.TypeInt32, value.OfInt(math.MinInt32 - 1)},
		{value.TypeInt64, value.OfUint(math.MaxUint64)},
		{value.TypeInt64, value.OfText("4711")},
		{value.TypeUint64, value.OfInt(-4711)},
		{value.TypeUint64, value.OfDecimal("4711")},
		{value.TypeFloat32, value.OfFloat(1e300)},
		{value.TypeFloat64, value.OfInt(1<<53 + 1)},
		{value.TypeText, value.OfText("4711\x00")},
		{value.TypeText, value.OfText("4711\xff")},
		{value.TypeText, value.OfInt(4711)},
		{value.TypeJSON, value.OfJSON("\"4711\xff\"")},
		{value.TypeJSON, value.OfInt(4711)},
		{value.TypeBool, value.OfInt(1)},
		{value.TypeBytes, value.OfInt(4711)},
		{value.TypeUUID, value.OfBytes([]byte("4711"))},
		{value.TypeTime, value.OfInt(4711)},
		{value.TypeTime, value.OfMicros(firstMicro - 1)},
		{value.TypeUnknown, value.OfMicros(firstMicro - 1)},
		{value.TypeUnknown, value.OfText("4711\x00")},
		{value.TypeDecimal, value.OfDecimal("4711; DROP")},
		{value.TypeDecimal, value.OfBool(true)},
	} {
		one := driver.Statement{SQL: "SELECT $1", Query: "test", Types: []value.Type{p.as}, Args: []value.Value{p.v}}
		batch := one
		batch.Batch, batch.Args = 2, []value.Value{{}, p.v}
		for row, s := range []driver.Statement{one, batch} {
			n := f.trips(func() {
				_, err := f.run(c, begin, driver.Commit, ok, s)
				e := scriptError(t, err)
				if !errors.Is(err, fault.Invalid) || e.Statement != 1 || e.Row != row || strings.Contains(err.Error(), "4711") {
					t.Errorf("%v for %v: statement %d row %d: %v", p.v, p.as, e.Statement, e.Row, err)
				}
			})
			if n != 0 {
				t.Errorf("%v for %v: %d trips", p.v, p.as, n)
			}
		}
	}
	wrong := statement("SELECT $1", value.OfInt(1))
	wrong.Args = nil
	if _, err := f.run(c, nil, driver.Stay, wrong); !errors.Is(err, fault.Internal) {
		t.Errorf("a missing argument: %v", err)
	}
	f.must(c, nil, driver.Stay, ok)
}

// Every kind as a parameter of every type is either taken or refused, and nothing panics.
func TestAnyKindForAnyType(t *testing.T) {
	t.Parallel()
	for typ := value.TypeUnknown; typ <= value.TypeDecimal+1; typ++ {
		for _, all := range samples() {
			for _, v := range all {
				b, err := appendValue(nil, typ, v)
				if err == nil && len(b) == 0 && v.Size() > 0 {
					t.Errorf("%v as %v is nothing", v, typ)
				}
				for _, oid := range []uint32{0, 16, 17, 20, 21, 23, 25, 26, 114, 700, 701, 1082, 1114, 1184, 1700, 2950, 3802} {
					_, _ = decode(oid, formatOf(oid), typ%(value.TypeDecimal+1), b)
				}
			}
		}
	}
}
