package model

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"unsafe"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/value"
)

// shapes holds what became of each type as a [Shape], for ever.
var shapes sync.Map // reflect.Type -> func() (*Model, error)

// Shape returns the model of a struct that rows of a query are read into: as [Of] does, but without a table, a key, and
// whatever else only an entity has. It is made once.
func Shape(t reflect.Type) (*Model, error) {
	if t == nil || t.Kind() != reflect.Struct {
		return nil, &fault.Error{Kind: fault.Misconfigured, Op: "query", Err: fmt.Errorf("%v is not a struct", t)}
	}
	once, ok := shapes.Load(t)
	if !ok {
		once, _ = shapes.LoadOrStore(t, sync.OnceValues(func() (*Model, error) { return shape(t) }))
	}
	return once.(func() (*Model, error))()
}

func shape(t reflect.Type) (*Model, error) {
	c := &compiler{m: &Model{Type: t, Name: t.String()}, columns: map[string]string{}}
	c.fields(t, place{})
	if len(c.m.Fields) == 0 && len(c.wrong) == 0 {
		c.wrong = append(c.wrong, errors.New("it has no fields to read into"))
	}
	if len(c.wrong) > 0 {
		return nil, &fault.Error{Kind: fault.Misconfigured, Op: "query", Entity: c.m.Name, Err: errors.Join(c.wrong...)}
	}
	c.m.index()
	return c.m, nil
}

// Codec is how variables of a type that is no field of an entity are stored.
type Codec struct {
	Type     value.Type
	Nullable bool
	Encode   func(p unsafe.Pointer) (value.Value, error)
	Decode   func(p unsafe.Pointer, v value.Value) error
}

// codecs holds the codecs of types, for ever.
var codecs sync.Map // reflect.Type -> func() (*Codec, error)

// CodecOf returns the codec of a type, made once.
func CodecOf(t reflect.Type) (*Codec, error) {
	once, ok := codecs.Load(t)
	if !ok {
		once, _ = codecs.LoadOrStore(t, sync.OnceValues(func() (*Codec, error) {
			c, err := codecOf(t, wish{})
			if err != nil {
				return nil, err
			}
			return &Codec{c.typ, c.nullable, c.encode, c.decode}, nil
		}))
	}
	return once.(func() (*Codec, error))()
}
