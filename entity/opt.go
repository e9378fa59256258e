package entity

import (
	"encoding/json"
	"reflect"
)

// Opt is a field of a patch that tells three things apart: it was not sent (absent), it was sent as null, or it was sent
// with a value, be that zero. The zero Opt is absent. [Apply] leaves a field alone, sets it to NULL, or sets it.
//
//	type UserPatch struct {
//		Name  entity.Opt[string] `json:"name,omitzero" validate:"min=1"`
//		Phone entity.Opt[string] `json:"phone,omitzero"`
//	}
//
// Tag it omitzero, so that an absent one is left out when the patch itself is encoded. Validation tags apply to the
// value; they see an absent or null Opt only where they say required.
//
// An Opt is a value like any other: safe for concurrent reads.
type Opt[T any] struct {
	value T
	state optState
}

type optState uint8

const (
	optAbsent optState = iota
	optNull
	optValue
)

// Some returns an Opt with a value.
func Some[T any](v T) Opt[T] { return Opt[T]{value: v, state: optValue} }

// Null returns an Opt that is null.
func Null[T any]() Opt[T] { return Opt[T]{state: optNull} }

// Get returns the value, and whether there is one.
func (o Opt[T]) Get() (T, bool) { return o.value, o.state == optValue }

// Or returns the value, or other where there is none.
func (o Opt[T]) Or(other T) T {
	if o.state == optValue {
		return o.value
	}
	return other
}

// IsZero reports whether o is absent. It is what the JSON option omitzero asks.
func (o Opt[T]) IsZero() bool { return o.state == optAbsent }

// IsNull reports whether o was sent as null.
func (o Opt[T]) IsNull() bool { return o.state == optNull }

// MarshalJSON encodes the value, and null where there is none.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if o.state != optValue {
		return []byte("null"), nil
	}
	return json.Marshal(o.value)
}

// UnmarshalJSON decodes a value or null. That it is called at all means that the field was sent.
func (o *Opt[T]) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*o = Null[T]()
		return nil
	}
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	*o = Some(v)
	return nil
}

// OptionalType returns the type *T: what an Opt looks like to a schema of the API, a T that may be null. A transport
// that describes types finds it by this method.
func (o Opt[T]) OptionalType() reflect.Type { return reflect.TypeFor[*T]() }

func (o Opt[T]) optional() {}

// optional is implemented by every Opt, and by nothing else.
type optional interface {
	OptionalType() reflect.Type
	optional()
}

var optionalType = reflect.TypeFor[optional]()

// isOpt reports whether t is an Opt; one that is embedded in another type does not make that one.
func isOpt(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.Implements(optionalType) && t.PkgPath() == optionalType.PkgPath() &&
		t.NumField() == 2 && t.Field(1).Type == reflect.TypeFor[optState]()
}
