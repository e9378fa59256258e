package entity

import (
	"database/sql"
	"database/sql/driver"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"time"
	"unsafe"

	"github.com/urutu-go/urutu/internal/model"
)

// conv returns the conversion between two types, made once for each pair.
func (c *compiler) conv(dst, src side) (conv, error) {
	if fn := plainCopy(dst.typ, src.typ); fn != nil {
		return fn, nil
	}
	key := pair{dst, src}
	if made, ok := c.known[key]; ok {
		return func(d, s unsafe.Pointer, depth int) error { return (*made)(d, s, depth) }, nil
	}
	made := new(conv)
	c.known[key] = made
	fn, err := c.make(dst, src)
	*made = fn
	return fn, err
}

// elem is conv for types that are not fields of a struct.
func (c *compiler) elem(dst, src reflect.Type) (conv, error) { return c.conv(sideOf(dst), sideOf(src)) }

// make chooses how to convert. The order matters: what can be null comes before what it holds, a type's own text form
// before its kind.
func (c *compiler) make(dst, src side) (conv, error) {
	d, s := dst.typ, src.typ
	db, dNull := boxOf(d)
	sb, sNull := boxOf(s)
	switch {
	case d == s:
		return c.same(d, db, dNull)
	case dNull || sNull:
		return c.boxed(dst, src, db, sb, dNull, sNull)
	case d.Kind() == reflect.Interface:
		return intoInterface(d, s)
	case isText(d, s):
		return textConv(d, s)
	case basic(d.Kind()) && basic(s.Kind()):
		return basicConv(d, s)
	case isJSON(d, s):
		return jsonConv(d, s), nil
	case d.Kind() == reflect.Struct && s.Kind() == reflect.Struct && !model.Scalar(d) && !model.Scalar(s):
		return c.structs(dst, src)
	case opaque(s) && s.ConvertibleTo(d):
		return convertAs(d, s), nil
	case isList(d) && isList(s):
		return c.lists(d, s)
	case d.Kind() == reflect.Map && s.Kind() == reflect.Map:
		return c.maps(d, s)
	}
	return nil, fmt.Errorf("a %s cannot be made from a %s", d, s)
}

// same copies a type into itself, so that the two share nothing that could be changed: what a pointer points to and
// what is in slices and maps is copied, but for types whose parts are none of our business.
func (c *compiler) same(t reflect.Type, b box, canBeNull bool) (conv, error) {
	switch {
	case canBeNull && !opaque(b.elem): // a *big.Int and its like must not be copied
		return c.sameBox(t, b)
	case t.Kind() == reflect.Slice:
		return c.lists(t, t)
	case t.Kind() == reflect.Map:
		return c.maps(t, t)
	case sideOf(t).related():
		return nil, fmt.Errorf("a %s is an entity with relations, and would be copied with everything that hangs on it; use a DTO", t)
	case t.Kind() == reflect.Struct && !opaque(t):
		p := &plan{}
		for i := range t.NumField() {
			f := t.Field(i)
			fn, err := c.elem(f.Type, f.Type)
			if err != nil {
				return nil, err
			}
			p.steps = append(p.steps, step{name: f.Name, dst: f.Offset, src: f.Offset, conv: fn})
		}
		return p.run, nil
	}
	return setAs(t), nil
}

func (c *compiler) sameBox(t reflect.Type, b box) (conv, error) {
	inner, err := c.elem(b.elem, b.elem)
	if err != nil {
		return nil, err
	}
	set := setAs(t)
	return func(dst, src unsafe.Pointer, depth int) error {
		q := b.get(src)
		if q == nil {
			return set(dst, src, depth)
		}
		return inner(b.fill(dst), q, depth+1)
	}, nil
}

func (c *compiler) structs(dst, src side) (conv, error) {
	p, err := c.plan(dst, src, nil)
	if err != nil {
		return nil, err
	}
	return p.run, nil
}

var (
	timeType    = reflect.TypeFor[time.Time]()
	rawType     = reflect.TypeFor[json.RawMessage]()
	objectType  = reflect.TypeFor[map[string]any]()
	textOut     = reflect.TypeFor[encoding.TextMarshaler]()
	textIn      = reflect.TypeFor[encoding.TextUnmarshaler]()
	valuerType  = reflect.TypeFor[driver.Valuer]()
	scannerType = reflect.TypeFor[sql.Scanner]()
)

// has reports whether a *t has the interface's methods.
func has(t, i reflect.Type) bool { return reflect.PointerTo(t).Implements(i) }

// opaque reports whether a type is a value as a whole, whose parts are none of our business.
func opaque(t reflect.Type) bool {
	if t.Kind() != reflect.Struct || isOpt(t) {
		return false
	}
	if model.Scalar(t) {
		return true
	}
	for i := range t.NumField() {
		if f := t.Field(i); !f.IsExported() && !f.Anonymous {
			return true
		}
	}
	return false
}

// isJSON reports whether one of the types is JSON of any shape and the other has one.
func isJSON(d, s reflect.Type) bool {
	free := func(t reflect.Type) bool { return t == rawType || t == objectType }
	shaped := func(t reflect.Type) bool {
		switch t.Kind() {
		case reflect.Struct, reflect.Map, reflect.Slice, reflect.Array:
			return true
		}
		return t.Kind() == reflect.Interface
	}
	return d != s && ((free(d) && shaped(s)) || (free(s) && shaped(d)))
}

// jsonConv goes through the JSON of the source.
func jsonConv(d, s reflect.Type) conv {
	return func(dst, src unsafe.Pointer, _ int) error {
		from := reflect.NewAt(s, src)
		if k := s.Kind(); (k == reflect.Slice || k == reflect.Map) && from.Elem().IsNil() {
			return nil
		}
		b, err := json.Marshal(from.Interface())
		if err != nil {
			return problem("cannot be encoded as JSON")
		}
		into := reflect.New(d)
		if json.Unmarshal(b, into.Interface()) != nil {
			return problem("is not JSON of the right shape")
		}
		reflect.NewAt(d, dst).Elem().Set(into.Elem())
		return nil
	}
}

// intoInterface puts the value itself into an interface.
func intoInterface(d, s reflect.Type) (conv, error) {
	if !s.Implements(d) {
		return nil, fmt.Errorf("a %s is no %s", s, d)
	}
	return func(dst, src unsafe.Pointer, _ int) error {
		reflect.NewAt(d, dst).Elem().Set(reflect.NewAt(s, src).Elem())
		return nil
	}, nil
}

// convertAs copies between two types of the same structure: time.Time and a type made of it.
func convertAs(d, s reflect.Type) conv {
	return func(dst, src unsafe.Pointer, _ int) error {
		reflect.NewAt(d, dst).Elem().Set(reflect.NewAt(s, src).Elem().Convert(d))
		return nil
	}
}

func setAs(t reflect.Type) conv {
	return func(dst, src unsafe.Pointer, _ int) error {
		reflect.NewAt(t, dst).Elem().Set(reflect.NewAt(t, src).Elem())
		return nil
	}
}
