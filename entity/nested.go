package entity

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"unsafe"

	"github.com/urutu-go/urutu/internal/model"
)

// box is a type that holds a value of another type, or nothing: a pointer, one of database/sql's nullable types, an Opt.
type box struct {
	elem reflect.Type
	// get returns the address of the value, nil for nothing.
	get func(p unsafe.Pointer) unsafe.Pointer
	// null makes it hold nothing.
	null func(p unsafe.Pointer)
	// fill makes it hold something, and returns the address to put it.
	fill func(p unsafe.Pointer) unsafe.Pointer
}

func boxOf(t reflect.Type) (box, bool) {
	switch {
	case t.Kind() == reflect.Pointer:
		return pointerBox(t.Elem()), true
	case isOpt(t):
		return optBox(t), true
	case model.IsNull(t):
		return nullBox(t), true
	}
	return box{}, false
}

func pointerBox(elem reflect.Type) box {
	at := func(p unsafe.Pointer) *unsafe.Pointer { return (*unsafe.Pointer)(p) }
	return box{
		elem: elem,
		get:  func(p unsafe.Pointer) unsafe.Pointer { return *at(p) },
		null: func(p unsafe.Pointer) { *at(p) = nil },
		fill: func(p unsafe.Pointer) unsafe.Pointer {
			fresh := reflect.New(elem)
			if old := *at(p); old != nil { // a patch changes parts of what is there, in a copy of its own
				fresh.Elem().Set(reflect.NewAt(elem, old).Elem())
			}
			*at(p) = fresh.UnsafePointer()
			return fresh.UnsafePointer()
		},
	}
}

func nullBox(t reflect.Type) box {
	valid := t.Field(1).Offset // the value is at 0
	return box{
		elem: t.Field(0).Type,
		get: func(p unsafe.Pointer) unsafe.Pointer {
			if *(*bool)(unsafe.Add(p, valid)) {
				return p
			}
			return nil
		},
		null: func(p unsafe.Pointer) { reflect.NewAt(t, p).Elem().SetZero() },
		fill: func(p unsafe.Pointer) unsafe.Pointer { *(*bool)(unsafe.Add(p, valid)) = true; return p },
	}
}

func optBox(t reflect.Type) box {
	offset := t.Field(1).Offset // of the state; the value is at 0
	state := func(p unsafe.Pointer) *optState { return (*optState)(unsafe.Add(p, offset)) }
	return box{
		elem: t.Field(0).Type,
		get: func(p unsafe.Pointer) unsafe.Pointer {
			if *state(p) == optValue {
				return p
			}
			return nil
		},
		null: func(p unsafe.Pointer) { reflect.NewAt(t, p).Elem().SetZero(); *state(p) = optNull },
		fill: func(p unsafe.Pointer) unsafe.Pointer { *state(p) = optValue; return p },
	}
}

// boxed converts where one type or both can hold nothing.
func (c *compiler) boxed(dst, src side, db, sb box, dNull, sNull bool) (conv, error) {
	into, from := dst, src
	if dNull {
		into = sideOf(db.elem)
	}
	if sNull {
		from = sideOf(sb.elem)
	}
	if c.mode == patch && dNull && into.root != nil {
		return nil, fmt.Errorf("a %s is an entity of its own: apply a patch to that", into.typ)
	}
	inner, err := c.conv(into, from)
	if err != nil {
		return nil, err
	}
	fill := func(p unsafe.Pointer) unsafe.Pointer { return p }
	null := nothing(dst.typ)
	if dNull {
		fill, null = db.fill, db.null
	}
	if !sNull {
		return func(d, s unsafe.Pointer, depth int) error { return inner(fill(d), s, depth) }, nil
	}
	incoming := c.mode != toDTO
	return func(d, s unsafe.Pointer, depth int) error {
		q := sb.get(s)
		switch {
		case q != nil:
			return inner(fill(d), q, depth)
		case null != nil:
			null(d)
			return nil
		case incoming:
			return problem("may not be null")
		default:
			return problem("has no value, and the field needs one")
		}
	}, nil
}

// spoken returns how to tell whether a DTO says anything about a field of the type, or nil where it always does. A nil
// pointer, slice or map, and an absent Opt, say nothing.
func spoken(t reflect.Type) func(unsafe.Pointer) bool {
	switch {
	case t.Kind() == reflect.Slice, t.Kind() == reflect.Map, t.Kind() == reflect.Pointer:
		return func(p unsafe.Pointer) bool { return *(*unsafe.Pointer)(p) != nil }
	case isOpt(t):
		state := t.Field(1).Offset
		return func(p unsafe.Pointer) bool { return *(*optState)(unsafe.Add(p, state)) != optAbsent }
	}
	return nil
}

// nothing returns how a type that is no box holds nothing, or nil if it cannot.
func nothing(t reflect.Type) func(unsafe.Pointer) {
	switch t.Kind() {
	case reflect.Slice, reflect.Map, reflect.Interface:
		return func(p unsafe.Pointer) { reflect.NewAt(t, p).Elem().SetZero() }
	}
	return nil
}

func isList(t reflect.Type) bool { return t.Kind() == reflect.Slice || t.Kind() == reflect.Array }

// lists converts slices and arrays, element by element. Slices are never shared, and a nil one stays nil.
func (c *compiler) lists(d, s reflect.Type) (conv, error) {
	inner, err := c.elem(d.Elem(), s.Elem())
	if err != nil {
		return nil, err
	}
	if d.Kind() == reflect.Array && (s.Kind() != reflect.Array || s.Len() != d.Len()) {
		return nil, fmt.Errorf("a %s cannot be made from a %s", d, s)
	}
	dSize, sSize := d.Elem().Size(), s.Elem().Size()
	return func(dst, src unsafe.Pointer, depth int) error {
		from := reflect.NewAt(s, src).Elem()
		into := reflect.NewAt(d, dst).Elem()
		n := from.Len()
		if s.Kind() == reflect.Slice && from.IsNil() {
			into.SetZero()
			return nil
		}
		if d.Kind() == reflect.Slice {
			into.Set(reflect.MakeSlice(d, n, n))
			dst = into.UnsafePointer()
		}
		if s.Kind() == reflect.Slice {
			src = from.UnsafePointer()
		}
		return each(n, func(i int) error {
			return inner(unsafe.Add(dst, uintptr(i)*dSize), unsafe.Add(src, uintptr(i)*sSize), depth+1)
		})
	}, nil
}

// each collects the problems of n elements.
func each(n int, do func(i int) error) error {
	var wrong problems
	for i := range n {
		err := do(i)
		if err == nil {
			continue
		}
		sub, ok := errors.AsType[problems](err)
		if !ok {
			return err
		}
		wrong = append(wrong, sub.under("["+strconv.Itoa(i)+"]")...)
	}
	if wrong != nil {
		return wrong
	}
	return nil
}

// maps converts maps, key by key. A nil one stays nil.
func (c *compiler) maps(d, s reflect.Type) (conv, error) {
	key, err := c.elem(d.Key(), s.Key())
	elem, err2 := c.elem(d.Elem(), s.Elem())
	if err = errors.Join(err, err2); err != nil {
		return nil, err
	}
	return func(dst, src unsafe.Pointer, depth int) error {
		from := reflect.NewAt(s, src).Elem()
		into := reflect.NewAt(d, dst).Elem()
		if from.IsNil() {
			into.SetZero()
			return nil
		}
		out := reflect.MakeMapWithSize(d, from.Len())
		sk, sv := reflect.New(s.Key()), reflect.New(s.Elem())
		for it := from.MapRange(); it.Next(); {
			sk.Elem().Set(it.Key())
			sv.Elem().Set(it.Value())
			dk, dv := reflect.New(d.Key()), reflect.New(d.Elem())
			if err := key(dk.UnsafePointer(), sk.UnsafePointer(), depth+1); err != nil {
				return err
			}
			if err := elem(dv.UnsafePointer(), sv.UnsafePointer(), depth+1); err != nil {
				return err
			}
			out.SetMapIndex(dk.Elem(), dv.Elem())
		}
		into.Set(out)
		return nil
	}, nil
}
