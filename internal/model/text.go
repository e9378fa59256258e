package model

import (
	"encoding"
	"errors"
	"reflect"
	"unicode/utf8"
	"unsafe"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/value"
)

// textCodec stores a type by its own text form. A nil map or slice is NULL.
func textCodec(t reflect.Type, w wish) (codec, error) {
	typ := value.TypeText
	if w.native == value.TypeDecimal || w.native == value.TypeUUID {
		typ = w.native
	}
	holdsNil := t.Kind() == reflect.Slice || t.Kind() == reflect.Map
	return codec{
		typ:      typ,
		nullable: holdsNil && !w.notNull,
		encode: func(p unsafe.Pointer) (value.Value, error) {
			v := reflect.NewAt(t, p)
			if holdsNil && !w.notNull && v.Elem().IsNil() {
				return value.Value{}, nil
			}
			b, err := v.Interface().(encoding.TextMarshaler).MarshalText()
			if err != nil {
				return value.Value{}, err
			}
			return textAs(string(b), typ)
		},
		decode: func(p unsafe.Pointer, v value.Value) error {
			if v.IsNull() {
				if !holdsNil {
					return errNull(t)
				}
				reflect.NewAt(t, p).Elem().SetZero()
				return nil
			}
			s, err := asText(v)
			if err != nil {
				return err
			}
			fresh := reflect.New(t)
			if err := fresh.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)); err != nil {
				return err
			}
			reflect.NewAt(t, p).Elem().Set(fresh.Elem())
			return nil
		},
	}, nil
}

// textAs returns a text as a value of the type.
func textAs(s string, typ value.Type) (value.Value, error) {
	switch typ {
	case value.TypeDecimal:
		return decimalOf(s)
	case value.TypeUUID:
		u, err := uuid.Parse(s)
		if err != nil {
			return value.Value{}, errors.New("is not a UUID")
		}
		return value.OfUUID(u), nil
	}
	if !utf8.ValidString(s) {
		return value.Value{}, errUTF8
	}
	return value.OfText(s), nil
}
