package web

import (
	"cmp"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
)

// criteria is a field of an input that reads what a query string says of it by itself: query.Criteria and its like. The
// values are those of name and name[operator], by operator, "" for none.
type criteria interface {
	SetQuery(values map[string][]string) error
}

// listInput is what an input of a list endpoint is or embeds: query.PageRequest, query.GridRequest.
type listInput interface{ ListInput() }

var (
	criteriaType  = reflect.TypeFor[criteria]()
	listInputType = reflect.TypeFor[listInput]()
	gridType      = reflect.TypeFor[query.GridRequest]()
)

// filter is a criteria field of an input.
type filter struct {
	index []int
	name  string // of the parameter
	typ   reflect.Type
}

// filtersOf returns the criteria fields of an input, those of embedded structs included.
func filtersOf(t reflect.Type) (all []filter) {
	for _, f := range reflect.VisibleFields(t) {
		if !isCriteria(f) {
			continue
		}
		all = append(all, filter{index: f.Index, name: query.FilterName(f), typ: f.Type})
	}
	return all
}

func isCriteria(f reflect.StructField) bool {
	return f.IsExported() && !f.Anonymous && reflect.PointerTo(f.Type).Implements(criteriaType)
}

// paramNames returns the names of an input's query parameters.
func paramNames(t reflect.Type) map[string]bool {
	names := map[string]bool{}
	for _, f := range reflect.VisibleFields(t) {
		if tag := f.Tag.Get("query"); tag != "" {
			name, _, _ := strings.Cut(tag, ",")
			names[name] = true
		}
	}
	return names
}

// isList reports whether an input is that of a list endpoint.
func isList(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	if t.Implements(listInputType) {
		return true
	}
	for f := range t.Fields() {
		if f.Anonymous && isList(f.Type) || f.Name == "Body" && isList(f.Type) {
			return true
		}
	}
	return false
}

// isGrid reports whether an input is or embeds what a grid sends.
func isGrid(t reflect.Type) bool {
	if t == gridType || t.Kind() != reflect.Struct {
		return t == gridType
	}
	for f := range t.Fields() {
		if f.Anonymous && isGrid(f.Type) {
			return true
		}
	}
	return false
}

// requireLess makes what may be left out of a body optional in its schema: criteria anywhere and, in what is or embeds the
// input of a list, every field whose zero value asks nothing. A tag required says otherwise.
func requireLess(s *huma.Schema, t reflect.Type) {
	before := len(s.Required)
	list := isList(t)
	for _, f := range reflect.VisibleFields(t) {
		if _, said := f.Tag.Lookup("required"); said || !isCriteria(f) && !(list && asksNothing(f.Type)) {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		name = cmp.Or(name, f.Name)
		s.Required = slices.DeleteFunc(s.Required, func(r string) bool { return r == name })
	}
	if len(s.Required) < before {
		s.PrecomputeMessages() // which looks at what is required
	}
}

// asksNothing reports whether the zero value of a filter struct's field says that there is no such filter.
func asksNothing(t reflect.Type) bool {
	_, opt := optional(t)
	return opt || t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice
}

// operator splits a parameter's name[operator].
func operator(key string) (name, op string) {
	name, rest, ok := strings.Cut(key, "[")
	if !ok || !strings.HasSuffix(rest, "]") {
		return key, ""
	}
	return name, strings.TrimSuffix(rest, "]")
}

// setFilters fills the criteria fields of the input at in, and refuses parameters of a list that it has no rule for: a
// filter that is not applied would show more rows than were asked for.
func (i *input) setFilters(in reflect.Value, params url.Values) error {
	values := map[string]map[string][]string{}
	var unknown []fault.Field
	for _, key := range slices.Sorted(maps.Keys(params)) {
		name, op := operator(key)
		switch {
		case i.hasFilter(name):
			if values[name] == nil {
				values[name] = map[string][]string{}
			}
			values[name][op] = params[key]
		case i.list && !i.params[key] && !i.params[name]:
			unknown = append(unknown, fault.Field{Name: key, Message: "there is no such filter here"})
		}
	}
	if len(unknown) > 0 {
		return &fault.Error{Kind: fault.BadRequest, Op: "web.decode", Fields: unknown[:min(len(unknown), maxFields)]}
	}
	for _, f := range i.filters {
		if values[f.name] == nil {
			continue
		}
		if err := in.FieldByIndex(f.index).Addr().Interface().(criteria).SetQuery(values[f.name]); err != nil {
			return underName(err, f.name)
		}
	}
	return nil
}

func (i *input) hasFilter(name string) bool {
	return slices.ContainsFunc(i.filters, func(f filter) bool { return f.name == name })
}

// underName says of an error about an operator which parameter it is one of.
func underName(err error, name string) error {
	e := &fault.Error{Kind: fault.KindOf(err), Op: "web.decode", Err: err}
	for _, f := range fault.FieldsOf(err) {
		if f.Name != "" {
			f.Name = "[" + f.Name + "]"
		}
		e.Fields = append(e.Fields, fault.Field{Name: name + f.Name, Message: f.Message})
	}
	return e
}

// describe returns the criteria as the document has parameters.
func (f *filter) describe(r huma.Registry) *huma.Param {
	explode := true
	return &huma.Param{
		Name: f.name, In: "query", Style: "deepObject", Explode: &explode, Schema: r.Schema(f.typ, true, f.name),
		Description: f.name + "=value, or " + f.name + "[operator]=value",
	}
}
