package entity

import (
	"fmt"
	"reflect"
	"unsafe"

	"github.com/urutu-go/urutu/internal/model"
)

// ApplyOptions changes what [Apply] does.
type ApplyOptions struct {
	// Allow names what the patch may set although it usually may not: the key, the dates, the version, the mark of a soft
	// deletion and read-only fields, each by its Go name or column. Defaults to none.
	Allow []string
}

// Apply validates a patch, a struct or a pointer to one, and changes the entity that e points to by it. The entity has
// all of the changes, or after an error none.
//
// What the patch does not speak of stays as it is: an absent [Opt], a nil pointer, a nil slice or map. An Opt that is null
// sets the field to NULL, and is fault.Invalid where the field cannot hold that. Every other value is set, zero too. A
// struct inside of the patch whose type is another than the entity's is a patch of that struct; one of the same type
// replaces it.
//
// The key and what [From] leaves alone are left alone here too, unless the options allow them. [Present] tells what a
// patch speaks of. Errors are those of From.
func Apply(e any, patchDTO any, opts ...ApplyOptions) error {
	const op = "entity.Apply"
	var allow []string
	for _, o := range opts {
		allow = append(allow, o.Allow...)
	}
	dst := reflect.ValueOf(e)
	if dst.Kind() != reflect.Pointer || dst.IsNil() || dst.Type().Elem().Kind() != reflect.Struct {
		return misconfigured(op, reflect.TypeOf(patchDTO), reflect.TypeOf(e), fmt.Errorf("a pointer to the entity is needed, and not nil"))
	}
	t := dst.Type().Elem()
	if _, err := model.Of(t); err != nil {
		return err
	}
	src, err := structOf(op, patchDTO, t)
	if err != nil {
		return err
	}
	p, err := planOf(t, src.Type(), patch, allow)
	if err != nil {
		return misconfigured(op, src.Type(), t, err)
	}
	if err := validate(op, src); err != nil {
		return err
	}
	changed := reflect.New(t)
	changed.Elem().Set(dst.Elem())
	if err := p.run(changed.UnsafePointer(), src.Addr().UnsafePointer(), 0); err != nil {
		return incoming(op, t, err)
	}
	dst.Elem().Set(changed.Elem())
	return nil
}

// Present returns the JSON names of a patch's own fields that it speaks of, in their order: those that [Apply] would not
// pass over. Without a JSON name it is the Go name. Anything but a struct or a pointer to one has none.
func Present(patchDTO any) []string {
	v := reflect.Indirect(reflect.ValueOf(patchDTO))
	if v.Kind() != reflect.Struct {
		return nil
	}
	v = addressable(v)
	list, err := members(side{typ: v.Type()})
	if err != nil {
		return nil
	}
	var names []string
	for i := range list {
		m := &list[i]
		said := spoken(m.typ)
		if said == nil || said(unsafe.Add(v.Addr().UnsafePointer(), m.offset)) {
			names = append(names, m.shown())
		}
	}
	return names
}
