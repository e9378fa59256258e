package session_test

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// decimal is a decimal number as its text, stored by its own Value and Scan.
type decimal string

// Value implements driver.Valuer.
func (d decimal) Value() (driver.Value, error) { return cmp.Or(string(d), "0"), nil }

// Scan implements sql.Scanner.
func (d *decimal) Scan(src any) error {
	s, ok := src.(string)
	if !ok {
		return fmt.Errorf("a decimal from a %T", src)
	}
	*d = decimal(s)
	return nil
}

// point is stored as text by its own Value and Scan.
type point struct{ X, Y int }

// Value implements driver.Valuer.
func (p point) Value() (driver.Value, error) { return fmt.Sprintf("%d/%d", p.X, p.Y), nil }

// Scan implements sql.Scanner.
func (p *point) Scan(src any) error {
	_, err := fmt.Sscanf(src.(string), "%d/%d", &p.X, &p.Y)
	return err
}

// Named kinds, and enums of string and int kind.
type (
	color   string
	level   int
	tiny    uint8
	huge    uint64
	ratio   float64
	flag    bool
	payload []byte
)

// Address is stored as columns with a prefix.
type Address struct {
	Street string
	Number int
	Moved  *time.Time
}

// Everything has a field of every type that can be stored and cannot be NULL, and of those that can by themselves.
type Everything struct {
	entity.Identifiable
	Bool     bool
	Int      int
	Int8     int8
	Int16    int16
	Int32    int32
	Int64    int64
	Uint     uint
	Uint8    uint8
	Uint16   uint16
	Uint32   uint32
	Uint64   uint64
	Uintptr  uintptr
	Float32  float32
	Float64  float64
	Text     string
	Bytes    []byte
	Hash     [20]byte
	Time     time.Time
	Wait     time.Duration
	Ref      uuid.UUID
	Array    [16]byte
	Color    color
	Level    level
	Tiny     tiny
	Huge     huge
	Ratio    ratio
	Flag     flag
	Payload  payload
	Amount   decimal `db:"amount,type=numeric"`
	Point    point
	Addr     netip.Addr
	Prefix   netip.Prefix
	Struct   Settings
	Map      map[string]int
	Slice    []string
	Structs  []Settings
	Three    [3]int
	Any      any
	Raw      json.RawMessage
	Forced   Address `db:"forced,json"`
	Home     Address `db:",prefix=home_"`
	Work     Address `db:",prefix=work_"`
	Password string  `db:"password,secret"`
}

// Nullable has every way to say that a value may be missing.
type Nullable struct {
	entity.Identifiable
	Bool        *bool
	Int         *int
	Uint64      *uint64
	Float64     *float64
	Text        *string
	Hash        *[20]byte
	Time        *time.Time
	Wait        *time.Duration
	Ref         *uuid.UUID
	Color       *color
	Level       *level
	Amount      *decimal `db:"amount,type=numeric"`
	Point       *point
	Addr        *netip.Addr
	Struct      *Settings
	NullInt     sql.Null[int]
	NullUint64  sql.Null[uint64]
	NullText    sql.Null[string]
	NullTime    sql.Null[time.Time]
	NullRef     sql.Null[uuid.UUID]
	NullColor   sql.Null[color]
	NullAmount  sql.Null[decimal] `db:"null_amount,type=numeric"`
	NullStruct  sql.Null[Settings]
	SQLString   sql.NullString
	SQLInt64    sql.NullInt64
	SQLInt32    sql.NullInt32
	SQLInt16    sql.NullInt16
	SQLByte     sql.NullByte
	SQLFloat64  sql.NullFloat64
	SQLBool     sql.NullBool
	SQLTime     sql.NullTime
	UUID        uuid.NullUUID
	DefaultText *string `db:"default_text,default='never'"`
}

var (
	everything = entity.Columns[Everything]()
)

// extremes are three rows: the smallest values, the zero ones, and the largest.
func extremes() []*Everything {
	moved := time.Date(2024, 2, 29, 23, 59, 59, 999999000, time.UTC)
	low := &Everything{
		Int: math.MinInt, Int8: math.MinInt8, Int16: math.MinInt16, Int32: math.MinInt32, Int64: math.MinInt64,
		Float32: -math.MaxFloat32, Float64: -math.MaxFloat64, Text: " ", Bytes: []byte{}, Payload: payload{},
		Time: time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), Wait: math.MinInt64, Color: " ", Level: math.MinInt, Ratio: ratio(math.Inf(-1)),
		Amount: "-99999999999999999999999999999999999999.000000000000000000000000000001", Point: point{math.MinInt, -1},
		Addr: netip.MustParseAddr("0.0.0.0"), Prefix: netip.MustParsePrefix("10.0.0.0/8"), Map: map[string]int{}, Slice: []string{},
		Structs: []Settings{}, Three: [3]int{-1, 0, 1}, Any: false, Raw: json.RawMessage(`null`), Home: Address{Number: -1},
	}
	high := &Everything{
		Bool: true, Int: math.MaxInt, Int8: math.MaxInt8, Int16: math.MaxInt16, Int32: math.MaxInt32, Int64: math.MaxInt64,
		Uint: math.MaxUint, Uint8: math.MaxUint8, Uint16: math.MaxUint16, Uint32: math.MaxUint32, Uint64: math.MaxUint64,
		Uintptr: math.MaxUint, Float32: math.MaxFloat32, Float64: math.MaxFloat64,
		Text: "z: 日本語 👩‍👩‍👧‍👦 \"'\\`;--\n\t{}" + strings.Repeat("long", 20000), Bytes: []byte{255, 0, 254, '\\', '"'},
		Hash: [20]byte{0: 255, 19: 1}, Time: time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC), Wait: math.MaxInt64,
		Ref: uuid.Max, Array: [16]byte(uuid.Max), Color: "zebra", Level: math.MaxInt, Tiny: math.MaxUint8, Huge: math.MaxUint64,
		Ratio: ratio(math.Inf(1)), Flag: true, Payload: payload("payload"),
		Amount: "123456789012345678901234567890123456789.000000000000000000000000000001", Point: point{math.MaxInt, 1},
		Addr: netip.MustParseAddr("fe80::1%eth0"), Prefix: netip.MustParsePrefix("2001:db8::/32"),
		Struct: Settings{Theme: "dark <&>", Sizes: []int{3, 1, 2}, More: map[string]any{"z": 1.5, "a": []any{"b", nil, true}}},
		Map:    map[string]int{"b": math.MaxInt, "a": math.MinInt}, Slice: []string{"", "x", "NULL"},
		Structs: []Settings{{Theme: "one"}, {Sizes: []int{0}}}, Three: [3]int{1, 2, math.MaxInt},
		Any: map[string]any{"n": 1e300, "s": "text"}, Raw: json.RawMessage(`{"a": [1, 2.50, null], "b": {"c": ""}}`),
		Forced: Address{"Main", 1, &moved}, Home: Address{"High", 2, &moved}, Work: Address{"Low", 3, nil}, Password: "hunter2",
	}
	return []*Everything{low, {}, high}
}

// full returns a row without NULL.
func full() *Nullable {
	now := time.Date(2026, 11, 22, 1, 2, 3, 4000, time.UTC)
	null := func(s string) sql.Null[string] { return sql.Null[string]{V: s, Valid: true} }
	return &Nullable{
		Bool: new(bool), Int: new(math.MinInt), Uint64: new(uint64(math.MaxUint64)), Float64: new(math.SmallestNonzeroFloat64),
		Text: new(string), Hash: &[20]byte{1}, Time: &now, Wait: new(time.Hour), Ref: new(uuid.Max), Color: new(color("")), Level: new(level(7)),
		Amount: new(decimal("-0.10")), Point: &point{1, 2}, Addr: new(netip.MustParseAddr("::1")), Struct: &Settings{},
		NullInt: sql.Null[int]{V: 1, Valid: true}, NullUint64: sql.Null[uint64]{V: math.MaxInt64 + 1, Valid: true}, NullText: null(""),
		NullTime: sql.Null[time.Time]{V: now, Valid: true}, NullRef: sql.Null[uuid.UUID]{Valid: true},
		NullColor: sql.Null[color]{V: "red", Valid: true}, NullAmount: sql.Null[decimal]{V: "1.50", Valid: true},
		NullStruct: sql.Null[Settings]{V: Settings{Theme: "t"}, Valid: true},
		SQLString:  sql.NullString{String: "s", Valid: true}, SQLInt64: sql.NullInt64{Int64: math.MaxInt64, Valid: true},
		SQLInt32: sql.NullInt32{Valid: true}, SQLInt16: sql.NullInt16{Int16: -1, Valid: true}, SQLByte: sql.NullByte{Byte: 255, Valid: true},
		SQLFloat64: sql.NullFloat64{Float64: 0.1, Valid: true}, SQLBool: sql.NullBool{Bool: true, Valid: true},
		SQLTime: sql.NullTime{Time: now, Valid: true}, UUID: uuid.NullUUID{UUID: uuid.Max, Valid: true}, DefaultText: new("text"),
	}
}

// onAll runs a test on every database, the driver that can do less included.
func onAll(t *testing.T, run func(t *testing.T, b backend)) {
	t.Parallel()
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			run(t, b)
		})
	}
}

// TestStorage: what goes in comes out, is not taken for a change, and can be overwritten by every other value.
func TestStorage(t *testing.T) {
	onAll(t, func(t *testing.T, b backend) {
		f := open(t, b)
		rows := extremes()
		f.do(t, func(ctx context.Context) error {
			return errors.Join(session.CreateTables(ctx, (*Everything)(nil), (*Nullable)(nil)), session.Add(ctx, rows...))
		})
		for i, want := range rows {
			expectStored(t, f, want.ID, want)
			for _, next := range rows[i:] { // and back again
				overwrite(t, f, want.ID, next)
				overwrite(t, f, want.ID, want)
			}
		}
		null, set := &Nullable{}, full()
		f.do(t, func(ctx context.Context) error { return session.Add(ctx, null, set) })
		expectStored(t, f, set.ID, set)
		for _, next := range []*Nullable{{}, full(), {}} {
			overwrite(t, f, null.ID, next)
		}
	})
}

// overwrite stores the values of an object in the row with another one's key.
func overwrite[T any](t *testing.T, f *fixture, key uuid.UUID, values *T) {
	t.Helper()
	want := *values
	reflect.ValueOf(&want).Elem().FieldByName("ID").Set(reflect.ValueOf(key))
	f.do(t, func(ctx context.Context) error {
		obj, err := session.Get[T](ctx, key)
		if err == nil {
			*obj = want
		}
		return err
	})
	expectStored(t, f, key, &want)
}

// expectStored loads the object anew, compares every field, and checks that it is not dirty then.
func expectStored[T any](t *testing.T, f *fixture, key uuid.UUID, want *T) {
	t.Helper()
	f.reset()
	got := row[T](t, f, key)
	if f.sent("UPDATE") || f.sent("BEGIN") {
		t.Errorf("just loaded, and written: %v", f.trips())
	}
	is, was := reflect.ValueOf(got).Elem(), reflect.ValueOf(want).Elem()
	for i := range is.NumField() {
		if !reflect.DeepEqual(is.Field(i).Interface(), was.Field(i).Interface()) && !sameText(is.Field(i), was.Field(i)) {
			t.Errorf("%s: %#v came back as %#v", is.Type().Field(i).Name, was.Field(i).Interface(), is.Field(i).Interface())
		}
	}
}

// sameText reports whether two fields are raw JSON that differs in spaces only, or the decimal 0, whose zero value has no
// text.
func sameText(a, b reflect.Value) bool {
	if x, ok := a.Interface().(json.RawMessage); ok {
		return strings.ReplaceAll(string(x), " ", "") == strings.ReplaceAll(string(b.Interface().(json.RawMessage)), " ", "")
	}
	x, ok := a.Interface().(decimal)
	return ok && cmp.Or(x, "0") == cmp.Or(b.Interface().(decimal), "0")
}

// TestStorageRefuses: what a database cannot hold as it is, is refused with the name of the field or its column.
func TestStorageRefuses(t *testing.T) {
	onAll(t, func(t *testing.T, b backend) {
		f := open(t, b)
		f.do(t, func(ctx context.Context) error { return session.CreateTables(ctx, (*Everything)(nil)) })
		for what, c := range map[string]struct {
			change func(e *Everything)
			column string
			only   string // on this database
		}{
			"a year too late":      {func(e *Everything) { e.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "time", ""},
			"a year too early":     {func(e *Everything) { e.Time = time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC) }, "time", ""},
			"text that is no UTF8": {func(e *Everything) { e.Text = "\xff" }, "text", ""},
			"no decimal":           {func(e *Everything) { e.Amount = "one" }, "amount", ""},
			"JSON that is none":    {func(e *Everything) { e.Raw = json.RawMessage("{") }, "raw", ""},
			"NaN":                  {func(e *Everything) { e.Float64 = math.NaN() }, "float64", "sqlite plain"},
			"a small NaN":          {func(e *Everything) { e.Float32 = float32(math.NaN()) }, "float32", "sqlite plain"},
			"NUL in text":          {func(e *Everything) { e.Text = "a\x00b" }, "text", "postgres"},
			"NUL in JSON":          {func(e *Everything) { e.Struct.Theme = "a\x00b" }, "struct", "postgres"},
		} {
			if c.only != "" && !strings.Contains(c.only, f.backend.name) {
				continue
			}
			e := &Everything{}
			c.change(e)
			err := f.Do(t.Context(), func(ctx context.Context) error { return session.Add(ctx, e) })
			var fe *fault.Error
			if !errors.Is(err, fault.Invalid) || !errors.As(err, &fe) || !slices.Equal(fe.Columns, []string{c.column}) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if n := count[Everything](t, f); n > 0 {
			t.Errorf("%d rows", n)
		}
	})
}

// TestStorageNaN: PostgreSQL holds it, and it is no change of itself.
func TestStorageNaN(t *testing.T) {
	t.Parallel()
	f := open(t, backends[0])
	e := &Everything{Float64: math.NaN(), Float32: float32(math.NaN())}
	f.do(t, func(ctx context.Context) error {
		return errors.Join(session.CreateTables(ctx, (*Everything)(nil)), session.Add(ctx, e))
	})
	f.reset()
	f.do(t, func(ctx context.Context) error {
		got, err := session.First[Everything](ctx, query.Eq(&everything.Float64, math.NaN()))
		if err == nil && (!math.IsNaN(got.Float64) || !math.IsNaN(float64(got.Float32))) {
			t.Errorf("NaN came back as %v and %v", got.Float64, got.Float32)
		}
		return err
	})
	if f.sent("UPDATE") {
		t.Errorf("sent %v", f.trips())
	}
}
