package entity

import (
	"fmt"
	"reflect"
	"strconv"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
)

// FromOptions changes what [From] does.
type FromOptions struct {
	// Allow names what the DTO may set although it usually may not: the dates, the version, the mark of a soft deletion
	// and read-only fields, each by its Go name or column. Defaults to none.
	Allow []string
}

// From validates a DTO, a struct or a pointer to one, and makes a T of it: every field that the DTO declares is copied
// to the entity's field of that name, its key included. What the DTO does not declare is zero, and left to the session.
// The package documentation has the rules of matching and converting.
//
// Fields that the session keeps (created, updated, version, softdelete) and those tagged readonly stay zero even where
// the DTO declares them, unless the options allow them; what the database computes always does. A nil pointer and an
// absent [Opt] say nothing.
//
// Values that are not acceptable are fault.Invalid, with every field by its path in JSON. A DTO that does not fit the
// entity is fault.Misconfigured: the same error at every call.
func From[T any](dto any, opts ...FromOptions) (*T, error) {
	const op = "entity.From"
	var allow []string
	for _, o := range opts {
		allow = append(allow, o.Allow...)
	}
	t := reflect.TypeFor[T]()
	if _, err := model.Of(t); err != nil {
		return nil, err
	}
	src, err := structOf(op, dto, t)
	if err != nil {
		return nil, err
	}
	p, err := planOf(t, src.Type(), fromDTO, allow)
	if err != nil {
		return nil, misconfigured(op, src.Type(), t, err)
	}
	if err := validate(op, src); err != nil {
		return nil, err
	}
	dst := reflect.New(t)
	if err := p.run(dst.UnsafePointer(), src.Addr().UnsafePointer(), 0); err != nil {
		return nil, incoming(op, t, err)
	}
	return dst.Interface().(*T), nil
}

// structOf returns the struct that v is or points to, with an address.
func structOf(op string, v any, other reflect.Type) (reflect.Value, error) {
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer {
		rv = rv.Elem()
	}
	if rv.Kind() != reflect.Struct {
		return rv, misconfigured(op, other, reflect.TypeOf(v), fmt.Errorf("a struct or a pointer to one is needed, and not nil"))
	}
	return addressable(rv), nil
}

// To makes a D, a DTO or a pointer to one, of an entity or of any other struct: every field that the DTO declares is
// copied from the entity's field of that name, nested ones and those of embedded structs included; what else the entity
// has is ignored. The package documentation has the rules of matching and converting. The DTO shares no slice, map or
// pointer with the entity, and is validated.
//
// A field that only the database knows (a serial key, a default, a generated column) of an entity that awaits its flush
// is fault.NotPersistent, and the error names it; such an entity is to be passed by its pointer. A DTO with a field that
// the entity does not have is fault.Misconfigured. An entity that does not meet the DTO's rules, or is nil where the DTO
// needs a value, is a mistake of the program: fault.Internal, and below that fault.Invalid with the fields.
func To[D any](e any) (D, error) {
	const op = "entity.To"
	var dto D
	dst := reflect.ValueOf(&dto).Elem()
	if dst.Kind() == reflect.Pointer && dst.Type().Elem().Kind() == reflect.Struct {
		dst.Set(reflect.New(dst.Type().Elem()))
		dst = dst.Elem()
	}
	if err := convertTo(op, dst, e); err != nil {
		var none D
		return none, err
	}
	return dto, nil
}

func convertTo(op string, dst reflect.Value, e any) error {
	t := dst.Type()
	src, err := structOf(op, e, t)
	if err != nil {
		return err
	}
	if t.Kind() != reflect.Struct {
		return misconfigured(op, t, src.Type(), fmt.Errorf("a DTO is a struct or a pointer to one"))
	}
	p, err := planOf(t, src.Type(), toDTO, nil)
	if err != nil {
		return misconfigured(op, t, src.Type(), err)
	}
	if err := p.run(dst.Addr().UnsafePointer(), src.Addr().UnsafePointer(), 0); err != nil {
		return outgoing(op, src.Type(), err)
	}
	return outgoing(op, src.Type(), validate(op, dst))
}

// ToSlice makes a D of each entity, as [To] does. The result is never nil, so that in JSON it is [] and not null; fields
// in errors begin with the entity's index.
func ToSlice[D any, E any](es []E) ([]D, error) {
	dtos := make([]D, len(es))
	for i := range es {
		// By its pointer, where it is not one itself.
		var e any = es[i]
		if reflect.TypeFor[E]().Kind() == reflect.Struct {
			e = &es[i]
		}
		d, err := To[D](e)
		if err != nil {
			return nil, atIndex(err, i)
		}
		dtos[i] = d
	}
	return dtos, nil
}

// atIndex adds an element's index to the fields of an error.
func atIndex(err error, i int) error {
	fields := fault.FieldsOf(err)
	if fields == nil {
		return err
	}
	under := problems(append([]fault.Field(nil), fields...)).under("[" + strconv.Itoa(i) + "]")
	return &fault.Error{Kind: fault.KindOf(err), Op: "entity.ToSlice", Fields: under, Err: err}
}

// CheckPair reports whether [To] can make the DTO of the entity; both are types of structs or of pointers to them. The
// error is the fault.Misconfigured that To would return at its first call. A route calls it when it is registered.
func CheckPair(dto, entity reflect.Type) error {
	const op = "entity.CheckPair"
	d, e := pointee(dto), pointee(entity)
	if d == nil || e == nil || d.Kind() != reflect.Struct || e.Kind() != reflect.Struct {
		return misconfigured(op, dto, entity, fmt.Errorf("both have to be structs or pointers to them"))
	}
	if _, err := planOf(d, e, toDTO, nil); err != nil {
		return misconfigured(op, dto, entity, err)
	}
	return nil
}

func pointee(t reflect.Type) reflect.Type {
	if t != nil && t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}
