package web

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// shape is how a handler's input is read from the request.
type shape uint8

const (
	// shapeParams is a Huma input: tagged parameters, perhaps a Body.
	shapeParams shape = iota
	// shapeBody is a value that is the JSON body as a whole.
	shapeBody
)

var (
	resolver         = reflect.TypeFor[huma.Resolver]()
	resolverWithPath = reflect.TypeFor[huma.ResolverWithPath]()
)

// input is what is known of a handler's In.
type input struct {
	shape shape
	// json is the type that the JSON body is decoded into, nil where there is none.
	json reflect.Type
	// body reports whether the request's body is read at all.
	body bool
	// raw is the index of a RawBody of bytes, nil where there is none.
	raw []int
	// path are the names of the path parameters.
	path []string
	// list: it is that of a list endpoint, whose mistakes are 400s. params are its query parameters, besides its filters.
	list    bool
	params  map[string]param
	filters []filter
	// query reports whether anything of it is read from the query string.
	query bool
}

// inputOf looks at In and says how it is read, or what is wrong with it.
func inputOf(method string, t reflect.Type) (input, error) {
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface {
		return input{}, fmt.Errorf("input %s must be a value, so that a handler never meets nil", t)
	}
	f := fields{grid: isGrid(t)}
	if t.Kind() == reflect.Struct {
		f.collect(t)
	}
	if t.Kind() == reflect.Struct && (len(f.params) > 0 || f.body != nil || f.raw || t.NumField() == 0) {
		in, err := paramsInput(t, &f)
		in.list, in.params, in.filters = isList(t), paramsOf(t), filtersOf(t)
		in.query = in.list || len(in.params) > 0 || len(in.filters) > 0 || resolves(t)
		return in, err
	}
	if method == http.MethodGet || method == http.MethodDelete || method == http.MethodHead {
		return input{}, fmt.Errorf("a %s has no body: the fields of %s need a path, query, header or cookie tag", method, t)
	}
	list := isList(t)
	return input{shape: shapeBody, json: t, body: true, list: list, query: list || resolves(t)}, decodable(t)
}

// resolves reports whether an input looks at the request itself.
func resolves(t reflect.Type) bool { return either(t, resolver) || either(t, resolverWithPath) }

// decodable returns an error where a JSON body cannot be a t.
func decodable(t reflect.Type) error {
	return errors.Join(encodable(t), unseen(t, map[reflect.Type]bool{}))
}

// unseen returns an error that names a struct which is embedded under an unexported name: encoding/json fills its fields,
// but Huma does not know them and would refuse them as unexpected.
func unseen(t reflect.Type, seen map[reflect.Type]bool) error {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return unseen(t.Elem(), seen)
	case reflect.Struct:
	default:
		return nil
	}
	if seen[t] || either(t, jsonUnmarshaler) || either(t, textUnmarshaler) {
		return nil
	}
	seen[t] = true
	for f := range t.Fields() {
		if f.Anonymous && !f.IsExported() {
			return fmt.Errorf("%s embeds %s: only exported structs can be embedded in an input", t, f.Type)
		}
		if err := unseen(f.Type, seen); err != nil {
			return err
		}
	}
	return nil
}

func paramsInput(t reflect.Type, f *fields) (input, error) {
	in := input{shape: shapeParams, path: f.path, body: f.raw || f.body != nil}
	if raw, ok := t.FieldByName("RawBody"); ok && raw.Type == reflect.TypeFor[[]byte]() {
		in.raw = raw.Index
	}
	var errs []error
	if f.body != nil {
		in.json = f.body
		errs = append(errs, decodable(f.body))
	}
	if !resolves(t) {
		for _, name := range f.plain {
			errs = append(errs, fmt.Errorf("field %s of %s is neither a parameter nor the Body: nothing would fill it", name, t))
		}
	}
	return in, errors.Join(errs...)
}

// fields are the fields of an input, embedded structs included, sorted by what fills them.
type fields struct {
	params []string
	path   []string
	plain  []string
	body   reflect.Type
	raw    bool
	grid   bool // criteria are members of the JSON that a grid sends, and no parameters
}

func (s *fields) collect(t reflect.Type) {
	for f := range t.Fields() {
		switch {
		case f.Anonymous && f.IsExported() && f.Type.Kind() == reflect.Struct:
			s.collect(f.Type)
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			s.plain = append(s.plain, f.Name) // Huma does not look into it
		case !f.IsExported():
		case isCriteria(f) && !s.grid:
			s.params = append(s.params, f.Name)
		case isParam(f):
			s.params = append(s.params, f.Name)
			if name := f.Tag.Get("path"); name != "" {
				s.path = append(s.path, name)
			}
		case f.Name == "Body" && f.Tag.Get("json") == "":
			s.body = f.Type
		case f.Name == "RawBody":
			s.raw = true
		default:
			s.plain = append(s.plain, f.Name)
		}
	}
}

func isParam(f reflect.StructField) bool {
	return slices.ContainsFunc([]string{"path", "query", "header", "cookie"}, func(tag string) bool {
		return f.Tag.Get(tag) != ""
	})
}

// openAPIPath turns a ServeMux pattern's path into OpenAPI's form: {rest...} is {rest}, {$} is nothing.
func openAPIPath(path string) string {
	return strings.ReplaceAll(strings.ReplaceAll(path, "...}", "}"), "{$}", "")
}

// checkPath returns an error where In wants a path parameter that the path does not have.
func checkPath(path string, in input) error {
	for _, name := range in.path {
		if !strings.Contains(path, "{"+name+"}") && !strings.Contains(path, "{"+name+"...}") {
			return fmt.Errorf("the path has no {%s}, which the input asks for", name)
		}
	}
	return nil
}
