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

// param is a query parameter that is no filter: Huma reads it.
type param struct {
	object bool // it has members, which are parameters name[member]
	many   bool // it is a list with a parameter for each value
}

// paramsOf returns the query parameters of an input by their names, those of embedded structs included.
func paramsOf(t reflect.Type) map[string]param {
	params := map[string]param{}
	for _, f := range reflect.VisibleFields(t) {
		if tag := f.Tag.Get("query"); tag != "" {
			words := strings.Split(tag, ",")
			params[words[0]] = param{
				object: slices.Contains(words[1:], "deepObject"),
				many:   slices.Contains(words[1:], "explode") && f.Type.Kind() == reflect.Slice,
			}
		}
	}
	return params
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

// setFilters fills the criteria fields of the input at in, and refuses parameters that it has no rule for: a filter that is
// not applied would show more rows than were asked for.
func (i *input) setFilters(in reflect.Value, params url.Values) error {
	values := map[string]map[string][]string{}
	var unheeded []fault.Field
	for _, key := range slices.Sorted(maps.Keys(params)) {
		name, op := operator(key)
		if i.hasFilter(name) {
			if values[name] == nil {
				values[name] = map[string][]string{}
			}
			values[name][op] = append(values[name][op], params[key]...) // name and name[] have no operator either
		} else if why := i.unheeded(key, len(params[key])); why != "" {
			unheeded = append(unheeded, fault.Field{Name: key, Message: why})
		}
	}
	if len(unheeded) > 0 {
		return &fault.Error{Kind: fault.BadRequest, Op: "web.decode", Fields: unheeded[:min(len(unheeded), maxFields)]}
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

// unheeded says why a parameter, or all but the first of its values, would be passed over; "" where it is read, and where
// it is nobody's and the input is not that of a list.
func (i *input) unheeded(key string, values int) string {
	name, _, bracket := strings.Cut(key, "[")
	p, known := i.params[key]
	of, ofKnown := i.params[name]
	switch {
	case known && i.list && values > 1 && !p.many:
		return "is given more than once"
	case known, bracket && of.object:
		return ""
	case bracket && ofKnown:
		return "takes no operator"
	case i.list, bracket && i.hasFilter(name):
		return "there is no such filter here"
	}
	return ""
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
