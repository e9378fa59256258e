package web

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// encode returns v as JSON. HTML is not escaped: the content type says what it is.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

var (
	jsonMarshaler   = reflect.TypeFor[json.Marshaler]()
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// encodable returns an error that names the first part of t which JSON has no form for: a channel, a function, a
// complex number. What hides behind an interface is not known before it is there.
func encodable(t reflect.Type) error {
	return walkEncodable(t, t.String(), map[reflect.Type]bool{})
}

func walkEncodable(t reflect.Type, path string, seen map[reflect.Type]bool) error {
	if seen[t] || either(t, jsonMarshaler) || either(t, textMarshaler) {
		return nil
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return fmt.Errorf("%s is a %s, which JSON has no form for", path, t)
	case reflect.Pointer:
		return walkEncodable(t.Elem(), path, seen)
	case reflect.Slice, reflect.Array:
		return walkEncodable(t.Elem(), path+"[]", seen)
	case reflect.Map:
		if err := encodableKey(t.Key(), path); err != nil {
			return err
		}
		return walkEncodable(t.Elem(), path+"[]", seen)
	case reflect.Struct:
		return walkFields(t, path, seen)
	}
	return nil
}

func encodableKey(t reflect.Type, path string) error {
	switch t.Kind() {
	case reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint,
		reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return nil
	}
	if t.Implements(textMarshaler) {
		return nil
	}
	return fmt.Errorf("%s is a map whose keys are %s, which JSON has no form for", path, t)
}

func walkFields(t reflect.Type, path string, seen map[reflect.Type]bool) error {
	for f := range t.Fields() {
		if f.Tag.Get("json") == "-" || (!f.IsExported() && !f.Anonymous) {
			continue
		}
		if err := walkEncodable(f.Type, path+"."+f.Name, seen); err != nil {
			return err
		}
	}
	return nil
}

// either reports whether t or a pointer to it implements the interface.
func either(t, iface reflect.Type) bool {
	return t.Implements(iface) || reflect.PointerTo(t).Implements(iface)
}

// jsonName returns the name under which encoding/json knows the field, "" where it does not.
func jsonName(f reflect.StructField) string {
	tag := f.Tag.Get("json")
	if tag == "-" || !f.IsExported() {
		return ""
	}
	if name, _, _ := strings.Cut(tag, ","); name != "" {
		return name
	}
	return f.Name
}
