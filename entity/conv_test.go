package entity

import (
	"database/sql"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

func convert(m mode, in any, out reflect.Value) error {
	c := &compiler{mode: m, known: map[pair]*conv{}}
	src := reflect.New(reflect.TypeOf(in))
	src.Elem().Set(reflect.ValueOf(in))
	fn, err := c.conv(sideOf(out.Type()), sideOf(src.Elem().Type()))
	if err != nil {
		return err
	}
	return fn(out.Addr().UnsafePointer(), src.UnsafePointer(), 0)
}

func TestNumbersThatFit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want any }{
		{int8(-3), int64(-3)}, {int64(127), int8(127)}, {300, uint16(300)}, {uint64(5), int32(5)}, {uint32(7), uint8(7)},
		{1 << 53, float64(1 << 53)}, {uint64(1 << 63), float64(1 << 63)}, {int16(3), float32(3)}, {float32(0.5), 0.5}, {0.1, float32(0.1)},
		{math.Inf(1), float32(math.Inf(1))}, {time.Second, int64(1e9)}, {int64(math.MinInt64), float64(math.MinInt64)},
	} {
		out := reflect.New(reflect.TypeOf(tt.want)).Elem()
		if err := convert(toDTO, tt.in, out); err != nil || out.Interface() != tt.want {
			t.Errorf("%T %v into a %T: %v, %v", tt.in, tt.in, tt.want, out, err)
		}
	}
}

func TestNumbersThatDoNotFit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, into any }{
		{128, int8(0)}, {-129, int8(0)}, {-1, uint8(0)}, {-1, uint64(0)}, {256, uint8(0)}, {uint64(1 << 63), int64(0)}, {uint32(200), int8(0)},
		{1<<53 + 1, 0.0}, {math.MaxInt64, 0.0}, {uint64(math.MaxUint64), 0.0}, {1<<24 + 1, float32(0)}, {1e300, float32(0)},
		{1.5, 0}, {1.0, int64(0)}, {true, 1}, {1, true}, {"1", 1}, {1, "1"}, {[]byte("x"), "x"}, {"x", []byte{}},
		{[]int{1}, [1]int{}}, {[2]int{}, [1]int64{}}, {map[string]int{}, map[int]int{}}, {struct{}{}, 1}, {make(chan int), 1}, {any(1), "x"},
	} {
		out := reflect.New(reflect.TypeOf(tt.into)).Elem()
		if err := convert(toDTO, tt.in, out); err == nil {
			t.Errorf("%T %v went into a %T as %v", tt.in, tt.in, tt.into, out)
		}
	}
}

func TestOtherConversions(t *testing.T) {
	t.Parallel()
	type stamp time.Time
	type kind string
	type id [16]byte
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	u := uuid.New()
	one := 1
	for _, tt := range []struct{ in, want any }{
		{at, stamp(at)}, {stamp(at), at}, {at, "2026-01-02T03:04:05+01:00"},
		{kind("x"), "x"}, {"x", kind("x")}, {u, u.String()}, {u.String(), u}, {id(u), u}, {u, id(u)}, {[2]int8{1, 2}, [2]int{1, 2}},
		{[2]int{1, 2}, []int64{1, 2}}, {map[kind]int{"a": 1}, map[string]int64{"a": 1}}, {[]kind{}, []string{}}, {[]kind(nil), []string(nil)},
		{map[string]int(nil), map[kind]int(nil)}, {1, &one}, {&one, int64(1)}, {&one, sql.Null[int8]{V: 1, Valid: true}},
		{sql.NullInt16{}, (*int)(nil)}, {sql.NullString{String: "x", Valid: true}, kind("x")}, {(*int)(nil), Null[int]()}, {&one, Some(int64(1))},
		{json.RawMessage(`[1,2]`), []int{1, 2}}, {json.RawMessage(nil), []int(nil)}, {struct{ A int }{1}, map[string]any{"A": 1.0}},
		{map[string]any{"A": 1.0}, struct{ A int }{1}}, {[]any{"x"}, []any{"x"}}, {uuid.NullUUID{UUID: u, Valid: true}, u.String()},
	} {
		out := reflect.New(reflect.TypeOf(tt.want)).Elem()
		if err := convert(toDTO, tt.in, out); err != nil || !reflect.DeepEqual(out.Interface(), tt.want) {
			t.Errorf("%T %v into a %T: %v, %v", tt.in, tt.in, tt.want, out, err)
		}
	}
}

func TestNilInsideOfInput(t *testing.T) {
	t.Parallel()
	one := 1
	out := reflect.New(reflect.TypeFor[[]int]()).Elem()
	if err := convert(fromDTO, []*int{&one, nil}, out); err == nil || err.Error() != "[1] may not be null" {
		t.Errorf("%v", err)
	}
}

func TestConversionsIntoInterfaces(t *testing.T) {
	t.Parallel()
	var out struct{ V any }
	for _, in := range []any{struct{ V int }{3}, struct{ V any }{3}} {
		out.V = nil
		if err := convert(toDTO, in, reflect.ValueOf(&out).Elem()); err != nil || out.V != 3 {
			t.Errorf("%v, %v", out, err)
		}
	}
	var no struct{ V error }
	if err := convert(toDTO, struct{ V int }{3}, reflect.ValueOf(&no).Elem()); err == nil {
		t.Error("a number is no error")
	}
}

type treeA struct {
	Name string
	Kids []*treeA
	Up   *treeA
}

type treeB struct {
	Name string
	Kids []treeB
	Up   *treeB
}

func TestTypesThatContainThemselves(t *testing.T) {
	t.Parallel()
	in := treeA{Name: "root", Kids: []*treeA{{Name: "kid", Kids: []*treeA{{Name: "grandkid"}}}}}
	got, err := To[treeB](&in)
	want := treeB{Name: "root", Kids: []treeB{{Name: "kid", Kids: []treeB{{Name: "grandkid"}}}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	in.Kids[0].Up = &in
	if _, err := To[treeB](&in); err == nil || !strings.Contains(err.Error(), "contain itself") {
		t.Errorf("%v", err)
	}
}

// TestPlansAreCompiledOnce also gives the race detector something to look at.
func TestPlansAreCompiledOnce(t *testing.T) {
	t.Parallel()
	type a struct{ X, Y string }
	type b struct{ Y string }
	var wg sync.WaitGroup
	found := make([]*plan, 16)
	for i := range found {
		wg.Go(func() {
			found[i], _ = planOf(reflect.TypeFor[b](), reflect.TypeFor[a](), toDTO, nil)
			if got, err := To[b](a{"x", "y"}); err != nil || got.Y != "y" {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	wg.Wait()
	for _, p := range found {
		if p == nil || p != found[0] {
			t.Fatal("compiled twice")
		}
	}
}

func TestShadowedFieldsAreNotSeen(t *testing.T) {
	t.Parallel()
	type Base struct{ Name, Other string }
	type entity struct {
		Name string
		Base
	}
	type dto struct{ Name, Other string }
	got, err := To[dto](entity{"outer", Base{"inner", "o"}})
	if err != nil || got != (dto{"outer", "o"}) {
		t.Errorf("%+v, %v", got, err)
	}
}
