package model

import (
	"database/sql"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/value"
)

// FuzzParseTag checks that no tag makes the parser fall over, and that what it accepts is safe to use as names.
func FuzzParseTag(f *testing.F) {
	for _, seed := range []string{"", "-", "id,pk,serial", ",type=numeric(12,2),default='a,b'", ",prefix=a_", "a,ref=b.c,ondelete=setnull", "((,'"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tg, err := parseTag(text)
		if err != nil {
			return
		}
		for _, name := range []string{tg.column, tg.prefix, tg.ref} {
			if strings.ContainsAny(name, "\"'`;\x00 ,()") || !utf8.ValidString(name) {
				t.Errorf("%q: name %q", text, name)
			}
		}
		if tg.serial && !tg.pk {
			t.Errorf("%q: serial without pk", text)
		}
	})
}

// decoded are the types whose decoders are fuzzed.
var decoded = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[int8](), reflect.TypeFor[int64](), reflect.TypeFor[uint8](), reflect.TypeFor[uint64](),
	reflect.TypeFor[float32](), reflect.TypeFor[float64](), reflect.TypeFor[string](), reflect.TypeFor[[]byte](),
	reflect.TypeFor[time.Time](), reflect.TypeFor[uuid.UUID](), reflect.TypeFor[digest](), reflect.TypeFor[address](),
	reflect.TypeFor[map[string]any](), reflect.TypeFor[*int](), reflect.TypeFor[sql.Null[string]](), reflect.TypeFor[money](),
	reflect.TypeFor[optional](), reflect.TypeFor[level](),
}

// FuzzDecode gives every decoder every cell. What is decoded must encode, and decode to the same again.
func FuzzDecode(f *testing.F) {
	for kind := range 11 {
		f.Add(kind, int64(-1), "2026-01-02 03:04:05.6+00")
	}
	f.Add(5, int64(0), `{"street":"x"}`)
	f.Add(5, int64(0), "12.50")
	f.Fuzz(func(t *testing.T, kind int, n int64, s string) {
		cell := fuzzCell(kind, n, s)
		for _, typ := range decoded {
			c, err := codecOf(typ, wish{})
			if err != nil {
				t.Fatal(err)
			}
			p := reflect.New(typ)
			if c.decode(p.UnsafePointer(), cell) != nil {
				if !p.Elem().IsZero() {
					t.Errorf("a failed decoding left %v", p.Elem())
				}
				continue
			}
			v, err := c.encode(p.UnsafePointer())
			if err != nil {
				continue // text that is no UTF-8, a year too far: a database may hold what is refused
			}
			again := reflect.New(typ)
			if err := c.decode(again.UnsafePointer(), v); err != nil {
				t.Fatalf("%s: %v was encoded as %v, and cannot be read: %v", typ, cell, v, err)
			}
			if w, err := c.encode(again.UnsafePointer()); err != nil || w != v {
				t.Fatalf("%s: %v became %v, then %v, %v", typ, cell, v, w, err)
			}
		}
	})
}

func fuzzCell(kind int, n int64, s string) value.Value {
	switch kind {
	case 1:
		return value.OfBool(n&1 == 1)
	case 2:
		return value.OfInt(n)
	case 3:
		return value.OfUint(uint64(n))
	case 4:
		return value.OfFloat(float64(n) / 3)
	case 5:
		return value.OfText(s)
	case 6:
		return value.OfBytes([]byte(s))
	case 7:
		return value.OfMicros(n)
	case 8:
		var u [16]byte
		copy(u[:], s)
		return value.OfUUID(u)
	case 9:
		return value.OfJSON(s)
	case 10:
		return value.OfDecimal(s)
	}
	return value.Value{}
}
