package model

import (
	"encoding/json"
	"fmt"
	"reflect"
	"unsafe"

	"github.com/urutu-go/urutu/value"
)

// jsonNull is JSON's own null, which is a value and not NULL.
const jsonNull = "null"

// jsonCodec stores a type as the JSON that encoding/json makes of it, whose maps are in the order of their keys. A nil
// slice, map or interface is NULL, or empty where the column takes no NULL.
func jsonCodec(t reflect.Type, w wish) (codec, error) {
	if err := checkJSON(t, map[reflect.Type]bool{}); err != nil {
		return codec{}, err
	}
	holdsNil := t.Kind() == reflect.Slice || t.Kind() == reflect.Map || t.Kind() == reflect.Interface
	raw := isByteSlice(t) // json.RawMessage and its like, where a null is what the user wrote
	ofNil := value.Value{}
	if w.notNull {
		ofNil = value.OfJSON(emptyJSON(t))
	}
	return codec{
		typ:      value.TypeJSON,
		nullable: holdsNil && !w.notNull,
		encode: func(p unsafe.Pointer) (value.Value, error) {
			v := reflect.NewAt(t, p)
			if holdsNil && v.Elem().IsNil() {
				return ofNil, nil
			}
			b, err := json.Marshal(v.Interface())
			if err != nil {
				return value.Value{}, err
			}
			if holdsNil && !raw && string(b) == jsonNull {
				return ofNil, nil
			}
			return value.OfJSON(string(b)), nil
		},
		decode: func(p unsafe.Pointer, v value.Value) error {
			if v.IsNull() && holdsNil {
				reflect.NewAt(t, p).Elem().SetZero()
				return nil
			}
			s, err := asJSON(v)
			if err != nil {
				return err
			}
			// Into a fresh variable: Unmarshal merges into maps and structs that are there.
			fresh := reflect.New(t)
			if err := json.Unmarshal([]byte(s), fresh.Interface()); err != nil {
				return err
			}
			reflect.NewAt(t, p).Elem().Set(fresh.Elem())
			return nil
		},
	}, nil
}

// emptyJSON is what a nil of the type is written as where it must not be NULL.
func emptyJSON(t reflect.Type) string {
	switch {
	case t.Kind() == reflect.Map:
		return "{}"
	case t.Kind() == reflect.Slice && !isByteSlice(t):
		return "[]"
	default:
		return jsonNull
	}
}

// checkJSON reports what in a type would be lost on its way through JSON. It trusts types with methods of their own.
func checkJSON(t reflect.Type, seen map[reflect.Type]bool) error {
	if seen[t] || hasJSON(t) || hasText(t) {
		return nil
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		return fmt.Errorf("%s cannot be stored", t)
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return fmt.Errorf("%s cannot be read back: nothing says which type to make", t)
		}
		return nil
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return checkJSON(t.Elem(), seen)
	case reflect.Map:
		if k := t.Key(); !hasText(k) && k.Kind() != reflect.String && (k.Kind() < reflect.Int || k.Kind() > reflect.Uintptr) {
			return fmt.Errorf("%s cannot be stored: a %s is no key of a JSON object", t, k)
		}
		return checkJSON(t.Elem(), seen)
	case reflect.Struct:
		return checkJSONStruct(t, seen)
	}
	return nil
}

func checkJSONStruct(t reflect.Type, seen map[reflect.Type]bool) error {
	visible := 0
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() && !f.Anonymous {
			continue
		}
		visible++
		if f.Tag.Get("json") == "-" {
			continue
		}
		if err := checkJSON(f.Type, seen); err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
	}
	if visible == 0 && t.NumField() > 0 {
		return fmt.Errorf("%s has nothing that can be stored: all of its fields are unexported", t)
	}
	return nil
}
