package model

import (
	"encoding/json"
	"reflect"
	"strings"
	"unsafe"

	"github.com/urutu-go/urutu/value"
)

// sameOf returns the comparison of a field with its snapshot. Nearly always the two values are equal as they stand. Only
// where they are not does it matter that two different texts may mean the same: the snapshot is then read into the Go
// type, and the two are compared as that type compares them. A field that was really changed pays for it once.
func sameOf(t reflect.Type, c codec, equal func(a, b unsafe.Pointer) bool) func(unsafe.Pointer, value.Value) (bool, value.Value, error) {
	return func(p unsafe.Pointer, snapshot value.Value) (bool, value.Value, error) {
		if kind, hi, lo, text := value.Parts(&snapshot); c.memory.holds(p, kind, hi, lo, text) {
			return true, snapshot, nil
		}
		current, err := c.encode(p)
		if err != nil || current == snapshot {
			return err == nil, current, err
		}
		if snapshot.IsNull() || (current.IsNull() && c.typ != value.TypeJSON) {
			return false, current, nil
		}
		if c.typ == value.TypeDecimal && sameDecimal(current.Str(), snapshot.Str()) {
			return true, current, nil
		}
		if equal == nil && c.typ != value.TypeJSON && current.Kind() == snapshot.Kind() {
			return false, current, nil
		}
		return meansSame(t, c, equal, p, current, snapshot), current, nil
	}
}

// meansSame reads the snapshot into a variable of its own and compares that with what is at p.
func meansSame(t reflect.Type, c codec, equal func(a, b unsafe.Pointer) bool, p unsafe.Pointer, current, snapshot value.Value) bool {
	was := reflect.New(t).UnsafePointer()
	if c.decode(was, snapshot) != nil {
		return false
	}
	if equal != nil {
		return equal(p, was)
	}
	again, err := c.encode(was)
	return err == nil && (again == current || c.typ == value.TypeJSON && sameJSON(again.Str(), current.Str()))
}

// sameJSON reports whether two JSON texts say the same, whatever the order of their keys: raw messages and types that
// write their own JSON have that in any order, and PostgreSQL in one of its own.
func sameJSON(a, b string) bool {
	x, okX := normalJSON(a)
	y, okY := normalJSON(b)
	return okX && okY && x == y
}

// normalJSON writes JSON with its keys in order and its numbers as they are.
func normalJSON(s string) (string, bool) {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return "", false
	}
	b, err := json.Marshal(v)
	return string(b), err == nil
}

// equalOf returns the type's own Equal(T) bool, or nil where it has none. Times have one, which tells nanoseconds apart
// that no database keeps: their codec does not ask.
func equalOf(t reflect.Type) func(a, b unsafe.Pointer) bool {
	pt := reflect.PointerTo(t)
	m, ok := pt.MethodByName("Equal")
	if !ok || isTime(t) || m.Type.NumIn() != 2 || m.Type.NumOut() != 1 || m.Type.Out(0) != reflect.TypeFor[bool]() {
		return nil
	}
	arg := m.Type.In(1)
	if arg != t && arg != pt {
		return nil
	}
	return func(a, b unsafe.Pointer) bool {
		x, y := reflect.NewAt(t, a), reflect.NewAt(t, b)
		if arg == t {
			y = y.Elem()
		}
		return m.Func.Call([]reflect.Value{x, y})[0].Bool()
	}
}
