package entity

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/go-playground/validator/v10"

	"github.com/urutu-go/urutu/fault"
)

// Validator is a DTO that checks itself, after the rules in its `validate` tags. Its error is returned as it is where it
// has a kind, and as fault.Invalid otherwise.
type Validator interface {
	Validate() error
}

// Validate checks a struct, or what a pointer points to, by the `validate` tags of its fields (those of
// github.com/go-playground/validator, where slices need dive) and by its own Validate method, where it is a [Validator].
// The error is fault.Invalid, and names every field that is wrong by its path in JSON. [From], [To] and [Apply] validate
// the DTO that they are given or make.
//
// A rule that does not exist, or not for the type of its field, is fault.Misconfigured.
func Validate(v any) error {
	const op = "entity.Validate"
	rv := reflect.Indirect(reflect.ValueOf(v))
	if rv.Kind() != reflect.Struct {
		return &fault.Error{Kind: fault.Misconfigured, Op: op, Err: fmt.Errorf("%T is not a struct", v)}
	}
	return validate(op, addressable(rv))
}

// addressable returns v, or a copy of it that has an address.
func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v
	}
	p := reflect.New(v.Type()).Elem()
	p.Set(v)
	return p
}

// validate checks an addressable struct.
func validate(op string, v reflect.Value) error {
	if r := rulesOf(v.Type()); r.any {
		if err := r.check(op, v); err != nil {
			return err
		}
	}
	self, ok := v.Addr().Interface().(Validator)
	if !ok {
		return nil
	}
	err := self.Validate()
	if err == nil || fault.KindOf(err) != fault.Internal {
		return err
	}
	return &fault.Error{Kind: fault.Invalid, Op: op, Entity: v.Type().String(), Message: err.Error(), Err: err}
}

// rules are what the tags of a type and of everything in it say.
type rules struct {
	any       bool // there is at least one
	opts      bool // an Opt is among the fields
	validator *validator.Validate
}

// known holds the rules of each type, for ever.
var known sync.Map // reflect.Type -> func() *rules

func rulesOf(t reflect.Type) *rules {
	once, ok := known.Load(t)
	if !ok {
		once, _ = known.LoadOrStore(t, sync.OnceValue(func() *rules { return readRules(t) }))
	}
	return once.(func() *rules)()
}

// shared is the validator of every type without an Opt. Those with one have a validator of their own, since it has to
// know each Opt's type before it is first used.
var shared = sync.OnceValue(newValidator)

func newValidator() *validator.Validate {
	return validator.New(validator.WithRequiredStructEnabled())
}

func readRules(t reflect.Type) *rules {
	r := &rules{}
	var opts []any
	readType(t, map[reflect.Type]bool{}, r, &opts)
	switch {
	case !r.any:
	case len(opts) == 0:
		r.validator = shared()
	default:
		r.opts = true
		r.validator = newValidator()
		r.validator.RegisterCustomTypeFunc(optContent, opts...)
	}
	return r
}

// readType looks for rules and for Opts in a type and whatever it contains.
func readType(t reflect.Type, seen map[reflect.Type]bool, r *rules, opts *[]any) {
	if seen[t] {
		return
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		readType(t.Elem(), seen, r, opts)
	case reflect.Struct:
		if isOpt(t) {
			*opts = append(*opts, reflect.Zero(t).Interface())
			readType(t.Field(0).Type, seen, r, opts)
			return
		}
		for i := range t.NumField() {
			f := t.Field(i)
			if tag := f.Tag.Get("validate"); tag != "" && tag != "-" {
				r.any = true
			}
			if f.IsExported() || f.Anonymous {
				readType(f.Type, seen, r, opts)
			}
		}
	}
}

// optContent shows a validator what an Opt holds, nil for nothing.
func optContent(v reflect.Value) any {
	if q := optBox(v.Type()).get(addressable(v).Addr().UnsafePointer()); q != nil {
		return reflect.NewAt(v.Type().Field(0).Type, q).Elem().Interface()
	}
	return nil
}

// check runs the validator, which panics where a tag makes no sense.
func (r *rules) check(op string, v reflect.Value) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &fault.Error{Kind: fault.Misconfigured, Op: op, Entity: v.Type().String(), Err: fmt.Errorf("a validate tag: %v", p)}
		}
	}()
	if r.opts {
		silent := map[string]bool{}
		silentOpts(v, v.Type().Name(), silent)
		err = r.validator.StructFiltered(v.Addr().Interface(), func(ns []byte) bool { return silent[string(ns)] })
	} else {
		err = r.validator.Struct(v.Addr().Interface())
	}
	var wrong validator.ValidationErrors
	if !errors.As(err, &wrong) {
		return err
	}
	fields := make([]fault.Field, len(wrong))
	for i, w := range wrong {
		fields[i] = fault.Field{Name: jsonPath(v.Type(), w), Message: message(w)}
	}
	return &fault.Error{Kind: fault.Invalid, Op: op, Entity: v.Type().String(), Fields: fields}
}

// silentOpts collects the paths of the Opts that hold nothing and need not: no other rule applies to what is not there.
func silentOpts(v reflect.Value, path string, into map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			silentOpts(v.Elem(), path, into)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			silentOpts(v.Index(i), fmt.Sprintf("%s[%d]", path, i), into)
		}
	case reflect.Struct:
		if isOpt(v.Type()) {
			q := optBox(v.Type()).get(addressable(v).Addr().UnsafePointer())
			if q != nil {
				silentOpts(reflect.NewAt(v.Type().Field(0).Type, q).Elem(), path, into)
			}
			return
		}
		silentFields(v, path, into)
	}
}

func silentFields(v reflect.Value, path string, into map[string]bool) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() && !f.Anonymous {
			continue
		}
		at := strings.TrimPrefix(path+"."+f.Name, ".")
		if isOpt(f.Type) {
			q := optBox(f.Type).get(addressable(v.Field(i)).Addr().UnsafePointer())
			if q == nil && !strings.Contains(f.Tag.Get("validate"), "required") {
				into[at] = true
				continue
			}
		}
		silentOpts(v.Field(i), at, into)
	}
}
