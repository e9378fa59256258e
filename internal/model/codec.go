package model

import (
	"database/sql"
	"database/sql/driver"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"time"
	"unsafe"

	"github.com/urutu-go/urutu/value"
)

// codec is how a Go type is stored. The pointers that its functions take are addresses of a variable of that type.
type codec struct {
	typ      value.Type
	nullable bool
	memory   Memory
	encode   func(p unsafe.Pointer) (value.Value, error)
	decode   func(p unsafe.Pointer, v value.Value) error
	same     func(p unsafe.Pointer, snapshot value.Value) (bool, value.Value, error)
}

// wish is what a tag says about how a field is to be stored.
type wish struct {
	json    bool
	notNull bool
	day     bool       // the column is one of days
	native  value.Type // what the type option stands for, TypeUnknown where it says nothing that matters here
}

var (
	timeType    = reflect.TypeFor[time.Time]()
	uuidArray   = reflect.TypeFor[[16]byte]()
	bytesType   = reflect.TypeFor[[]byte]()
	valuerType  = reflect.TypeFor[driver.Valuer]()
	scannerType = reflect.TypeFor[sql.Scanner]()
	textOut     = reflect.TypeFor[encoding.TextMarshaler]()
	textIn      = reflect.TypeFor[encoding.TextUnmarshaler]()
	jsonOut     = reflect.TypeFor[json.Marshaler]()
	jsonIn      = reflect.TypeFor[json.Unmarshaler]()
)

// codecOf chooses the codec of a type. What comes first wins: the tag's json option, types whose storage is fixed (times,
// UUIDs, the nullable types of database/sql), a type's own Scan and Value, the basic kinds, a type's own text form, and
// JSON for the rest.
func codecOf(t reflect.Type, w wish) (codec, error) {
	c, err := chooseCodec(t, w)
	if err != nil {
		return codec{}, err
	}
	if c.same == nil {
		c.same = sameOf(t, c, equalOf(t))
	}
	return c, nil
}

func chooseCodec(t reflect.Type, w wish) (codec, error) {
	switch {
	case t.Kind() == reflect.Pointer:
		return pointerCodec(t, w)
	case w.json:
		return jsonCodec(t, w)
	case isTime(t):
		return timeCodec(w.day), nil
	case IsNull(t):
		return nullCodec(t, w)
	case t.Kind() == reflect.Array && t.ConvertibleTo(uuidArray):
		return uuidCodec(w)
	case implements(t, valuerType), implements(t, scannerType):
		return valuerCodec(t, w)
	}
	if hasText(t) && (!isBasic(t.Kind()) || w.native == value.TypeText) {
		return textCodec(t, w)
	}
	if c, ok := basicCodec(t.Kind(), w); ok {
		return c, nil
	}
	if isByteSlice(t) && !hasJSON(t) {
		return bytesCodec(w), nil
	}
	if t.Kind() == reflect.Array && t.Elem().Kind() == reflect.Uint8 && !hasJSON(t) {
		return byteArrayCodec(t.Len()), nil
	}
	return jsonCodec(t, w)
}

// implements reports whether a *t has the interface's methods.
func implements(t, i reflect.Type) bool { return reflect.PointerTo(t).Implements(i) }

func hasText(t reflect.Type) bool { return implements(t, textOut) && implements(t, textIn) }

func hasJSON(t reflect.Type) bool { return implements(t, jsonOut) && implements(t, jsonIn) }

func isTime(t reflect.Type) bool { return t.Kind() == reflect.Struct && t.ConvertibleTo(timeType) }

func isByteSlice(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && t.ConvertibleTo(bytesType)
}

func isBasic(k reflect.Kind) bool {
	return k >= reflect.Bool && k <= reflect.Float64 || k == reflect.String
}

// Scalar reports whether a struct type is stored as one value of its own, and so is not taken apart where it is embedded.
func Scalar(t reflect.Type) bool {
	return isTime(t) || IsNull(t) || implements(t, valuerType) || implements(t, scannerType) || hasText(t)
}

// errNull says that NULL was read into a type that cannot hold it.
func errNull(t reflect.Type) error {
	return fmt.Errorf("the column is NULL, which a %s cannot hold", t)
}

// mismatch says that a value of one kind was read into a type that does not take it.
func mismatch(v value.Value, want string) error {
	return fmt.Errorf("the column holds a %s, not a %s", kindNames[v.Kind()], want)
}

var kindNames = [...]string{
	value.Null: "NULL", value.Bool: "boolean", value.Int: "number", value.Uint: "number", value.Float: "number",
	value.Text: "text", value.Bytes: "byte string", value.Time: "time", value.UUID: "UUID", value.JSON: "JSON text",
	value.Decimal: "decimal number",
}
