package web

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// locateDepth bounds how deep locate looks: each level decodes what is below it once more.
const locateDepth = 16

// locate returns the path of the first value in data that does not decode into t: "lines[0].product_id". It is "" where
// that is data itself. A type's own UnmarshalText or UnmarshalJSON says what is wrong, but not where; the client is told
// where, and the rest of such an error is not for its eyes.
func locate(t reflect.Type, data []byte) string {
	return strings.TrimPrefix(locateIn(t, data, locateDepth), ".")
}

func locateIn(t reflect.Type, data []byte, depth int) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if depth == 0 || either(t, jsonUnmarshaler) || either(t, textUnmarshaler) {
		return ""
	}
	switch t.Kind() {
	case reflect.Struct:
		var members map[string]json.RawMessage
		if json.Unmarshal(data, &members) == nil {
			return locateField(t, members, depth)
		}
	case reflect.Slice, reflect.Array:
		var items []json.RawMessage
		if json.Unmarshal(data, &items) == nil {
			return locateItem(t.Elem(), items, depth)
		}
	case reflect.Map:
		var members map[string]json.RawMessage
		if json.Unmarshal(data, &members) == nil {
			return locateMember(t.Elem(), members, depth)
		}
	}
	return ""
}

func locateField(t reflect.Type, members map[string]json.RawMessage, depth int) string {
	for _, f := range reflect.VisibleFields(t) {
		name := jsonName(f)
		if name == "" || (f.Anonymous && f.Tag.Get("json") == "") {
			continue
		}
		if raw, ok := member(members, name); ok && !decodes(f.Type, raw) {
			return "." + name + locateIn(f.Type, raw, depth-1)
		}
	}
	return ""
}

func locateItem(t reflect.Type, items []json.RawMessage, depth int) string {
	for i, raw := range items {
		if !decodes(t, raw) {
			return "[" + strconv.Itoa(i) + "]" + locateIn(t, raw, depth-1)
		}
	}
	return ""
}

func locateMember(t reflect.Type, members map[string]json.RawMessage, depth int) string {
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !decodes(t, members[name]) {
			return "." + name + locateIn(t, members[name], depth-1)
		}
	}
	return ""
}

// member finds a field's value as encoding/json does: by its exact name, else in any case.
func member(members map[string]json.RawMessage, name string) (json.RawMessage, bool) {
	if raw, ok := members[name]; ok {
		return raw, true
	}
	for key, raw := range members {
		if strings.EqualFold(key, name) {
			return raw, true
		}
	}
	return nil, false
}

func decodes(t reflect.Type, data []byte) bool {
	return json.Unmarshal(data, reflect.New(t).Interface()) == nil
}
