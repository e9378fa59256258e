package query

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
	"github.com/urutu-go/urutu/value"
)

// Injector is a filter struct that has clauses of its own to add, for what does not follow from one column: a search over
// several of them, what a relation leads to.
type Injector interface {
	// Inject returns the clauses. They are joined by AND with what follows from the fields.
	Inject() []Clause
}

// ApplyFilters makes a clause of a filter struct, whose fields say what is wanted of the columns of the same names:
//
//	type ProductFilter struct {
//		query.PageRequest
//		Name  query.StringCriteria  `json:"name"`
//		Price query.Criteria[int64] `json:"price"`
//		Color *Color                `json:"color" filter:"main_color"`
//		IDs   []uuid.UUID           `json:"ids" filter:"id"`
//	}
//
//	session.Page[Product](ctx, filter.PageRequest, query.ApplyFilters(filter), query.Asc(&products.Name))
//
// The tag filter names the column where the field's own name does not; filter:"-" leaves a field to the [Injector] that
// the struct may be. A field is [Criteria], [StringCriteria] or [DateCriteria]; a pointer, which says nothing where it is
// nil; a slice, which says nothing where it is empty; or an entity.Opt, whose null asks for NULL. The zero value of
// each says nothing, and the zero filter is every row. A field of which it cannot be told what it wants is
// fault.Misconfigured, and never ignored; a value out of bounds is fault.BadRequest that names it.
//
// What it returns is a condition of an update or a deletion by criteria too.
func ApplyFilters(filter any) Filters { return Filters{filter} }

// Filters are the conditions that a filter struct describes: see [ApplyFilters].
type Filters struct{ filter any }

func (c Filters) apply(q *Select) {
	if err := c.into(q); err != nil && q.invalid == nil {
		q.invalid = err
	}
}

func (c Filters) update(w *Write) { c.apply(&w.rows) }
func (c Filters) deletes()        {}

func (c Filters) into(q *Select) error {
	v := reflect.ValueOf(c.filter)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return &fault.Error{
			Kind: fault.Misconfigured, Op: "query.ApplyFilters", Entity: q.m.Name, Message: fmt.Sprintf("%T is not a filter struct", c.filter),
		}
	}
	own := reflect.New(v.Type()).Elem() // whose fields have addresses
	own.Set(v)
	plan, err := filterPlanOf(q.m, own.Type())
	if err != nil {
		return err
	}
	for i := range plan {
		f := filtering{q: q, field: plan[i].field, name: plan[i].name}
		if err := plan[i].apply(&f, own.FieldByIndex(plan[i].index)); err != nil {
			return err
		}
	}
	if in, ok := own.Addr().Interface().(Injector); ok {
		for _, clause := range in.Inject() {
			if clause != nil {
				clause.apply(q)
			}
		}
	}
	return nil
}

// filterRule says what becomes of one field of a filter struct.
type filterRule struct {
	index []int
	name  string // as clients know it
	field *model.Field
	apply func(f *filtering, v reflect.Value) error
}

type planKey struct {
	m *model.Model
	t reflect.Type
}

// filterPlans holds the rules of filter structs, for ever.
var filterPlans sync.Map // planKey -> func() ([]filterRule, error)

func filterPlanOf(m *model.Model, t reflect.Type) ([]filterRule, error) {
	key := planKey{m, t}
	once, ok := filterPlans.Load(key)
	if !ok {
		once, _ = filterPlans.LoadOrStore(key, sync.OnceValues(func() ([]filterRule, error) { return planFilter(m, t, nil) }))
	}
	return once.(func() ([]filterRule, error))()
}

func planFilter(m *model.Model, t reflect.Type, at []int) (plan []filterRule, err error) {
	for i := range t.NumField() {
		sf := t.Field(i)
		index := slices.Concat(at, []int{i})
		column, tagged := sf.Tag.Lookup("filter")
		switch {
		case column == "-", !sf.IsExported() && !sf.Anonymous, slices.Contains(requestTypes, sf.Type):
			continue
		case sf.Anonymous && sf.Type.Kind() == reflect.Struct && !tagged:
			inner, err := planFilter(m, sf.Type, index)
			if err != nil {
				return nil, err
			}
			plan = append(plan, inner...)
			continue
		}
		rule, err := ruleFor(m, t, sf, column)
		if err != nil {
			return nil, err
		}
		rule.index = index
		plan = append(plan, rule)
	}
	return plan, nil
}

func ruleFor(m *model.Model, t reflect.Type, sf reflect.StructField, column string) (filterRule, error) {
	rule := filterRule{name: FilterName(sf)}
	if column == "" {
		column = model.Snake(sf.Name)
	}
	wrong := func(message string) (filterRule, error) {
		return rule, &fault.Error{
			Kind: fault.Misconfigured, Op: "query.ApplyFilters", Entity: m.Name,
			Message: "field " + sf.Name + " of " + t.String() + " " + message,
		}
	}
	var ok bool
	if rule.field, ok = m.Column(column); !ok {
		return wrong("is for a column " + column + ", which " + m.Name + ` does not have; name another in the tag filter, or say filter:"-"`)
	}
	if rule.apply = applyOf(sf.Type); rule.apply == nil {
		return wrong("is a " + sf.Type.String() + ", of which it cannot be told whether it was left out; make it a pointer or query.Criteria")
	}
	return rule, nil
}

// FilterName returns the name under which clients know a field of a filter struct: its JSON name or, without one, its own
// in snake case.
func FilterName(sf reflect.StructField) string {
	if name := jsonName(sf.Tag.Get("json")); name != "" {
		return name
	}
	return model.Snake(sf.Name)
}

var (
	criterionType = reflect.TypeFor[criterion]()

	// requestTypes say which page is wanted, and are no filter of ApplyFilters.
	requestTypes = []reflect.Type{reflect.TypeFor[PageRequest](), reflect.TypeFor[CursorRequest](), reflect.TypeFor[GridRequest]()}
)

// optional is an entity.Opt of any type.
type optional interface {
	OptionalType() reflect.Type
	IsZero() bool
	IsNull() bool
}

var optionalType = reflect.TypeFor[optional]()

// applyOf returns what applies a field of the type, or nil where there is no rule for it.
func applyOf(t reflect.Type) func(*filtering, reflect.Value) error {
	switch {
	case t.Implements(criterionType):
		return func(f *filtering, v reflect.Value) error { return v.Interface().(criterion).predicates(f) }
	case t.Implements(optionalType):
		return applyOptional
	case t.Kind() == reflect.Pointer:
		return func(f *filtering, v reflect.Value) error {
			if v.IsNil() {
				return nil
			}
			return f.equal(v.Elem())
		}
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		return func(f *filtering, v reflect.Value) error {
			return f.in(t.Elem(), v.Len(), func(i int) unsafe.Pointer { return v.Index(i).Addr().UnsafePointer() })
		}
	default:
		return nil
	}
}

func applyOptional(f *filtering, v reflect.Value) error {
	o := v.Interface().(optional)
	switch {
	case o.IsZero():
		return nil
	case o.IsNull():
		f.add("", opEq, value.Value{})
		return nil
	}
	got := v.MethodByName("Get").Call(nil)[0]
	own := reflect.New(got.Type()).Elem()
	own.Set(got)
	return f.equal(own)
}

// filtering is a filter's field on its way into a query.
type filtering struct {
	q     *Select
	field *model.Field
	name  string
}

// add adds a condition on the column; name is that of the criterion whose values they are.
func (f *filtering) add(name string, op operator, vs ...value.Value) {
	f.q.where = append(f.q.where, f.asks(name)(op, vs...))
}

// asks returns what makes conditions on the column.
func (f *filtering) asks(name string) func(op operator, vs ...value.Value) Predicate {
	from := origin{at: f.at(name)}
	return func(op operator, vs ...value.Value) Predicate { return ofNode(&compared{from, f.field, op, vs, ""}) }
}

// compare adds a comparison of the column with what a client has sent.
func (f *filtering) compare(name string, op operator, v stored) {
	f.q.where = append(f.q.where, v.compared(op, f.asks(name)))
}

// at returns what clients call one criterion of the field.
func (f *filtering) at(name string) string {
	if name != "" {
		name = "." + name
	}
	return f.name + name
}

func (f *filtering) match(op operator, text string) {
	f.q.where = append(f.q.where, ofNode(&compared{origin{}, f.field, op, nil, text}))
}

func (f *filtering) equal(v reflect.Value) error {
	x, err := f.value("", v.Type(), v.Addr().UnsafePointer())
	if err == nil {
		f.compare("", opEq, x)
	}
	return err
}

func (f *filtering) in(t reflect.Type, n int, at func(i int) unsafe.Pointer) error {
	if n > MaxValues {
		return f.bad("in", "has more than "+strconv.Itoa(MaxValues)+" values")
	}
	vs := make([]value.Value, 0, n)
	for i := range n {
		v, err := f.value("in", t, at(i))
		if err != nil {
			return err
		}
		if !v.above { // which nothing equals that the column can hold
			vs = append(vs, v.Value)
		}
	}
	switch {
	case n == 0:
	case len(vs) == 0:
		f.q.where = append(f.q.where, Or())
	default:
		f.add("in", opIn, vs...)
	}
	return nil
}

func (f *filtering) null(wanted *bool) {
	if wanted == nil {
		return
	}
	if *wanted {
		f.add("", opIsNull)
	} else {
		f.add("", opNotNull)
	}
}

// value reads the variable at p as a value of the column.
func (f *filtering) value(name string, t reflect.Type, p unsafe.Pointer) (stored, error) {
	encode := f.encoding(t)
	if encode == nil {
		return stored{}, f.misuse("is stored as " + f.field.Type.String() + ", and the filter's values are of type " + t.String())
	}
	x, err := encode(p)
	if err != nil {
		return stored{}, f.bad(name, err.Error())
	}
	v, wrong := stored{Value: x}, ""
	switch v.Kind() {
	case value.Text:
		wrong = textWrong(v.Str())
	case value.Decimal:
		wrong = numberWrong(v.Str())
	case value.Bytes:
		if len(v.Str()) > MaxText {
			wrong = "is longer than " + strconv.Itoa(MaxText) + " bytes"
		}
	case value.Time:
		at := instantOf(x, t, p)
		v, wrong = kept(at, f.field.IsDay()), instantWrong(at)
	}
	if wrong != "" {
		return v, f.bad(name, wrong)
	}
	return v, nil
}

// encoding returns what reads a variable of the type as a value of the column, or nil where there is nothing that does. What a
// tag has made a decimal or a UUID is one in a filter as well, which has no such tag.
func (f *filtering) encoding(t reflect.Type) func(p unsafe.Pointer) (value.Value, error) {
	if c, err := model.CodecOf(t); err == nil && c.Type == f.field.Type {
		return c.Encode
	}
	switch own := f.field.GoType; {
	case f.field.Type != value.TypeDecimal && f.field.Type != value.TypeUUID:
		return nil
	case own == t:
		return f.field.Encode
	case own == reflect.PointerTo(t):
		return func(p unsafe.Pointer) (value.Value, error) { return f.field.Encode(unsafe.Pointer(&p)) }
	default:
		return nil
	}
}

func (f *filtering) bad(name, message string) error {
	return &fault.Error{
		Kind: fault.BadRequest, Op: "query.ApplyFilters", Entity: f.q.m.Name, Fields: []fault.Field{{Name: f.at(name), Message: message}},
	}
}

func (f *filtering) misuse(message string) error {
	return &fault.Error{
		Kind: fault.Misconfigured, Op: "query.ApplyFilters", Entity: f.q.m.Name, Columns: []string{f.field.Column},
		Message: "the filter " + f.name + ": the column " + f.field.Column + " " + message,
	}
}

// compared compares a column of the query's own table with values.
type compared struct {
	from   origin
	field  *model.Field
	op     operator
	values []value.Value
	text   string
}

func (c *compared) several() bool    { return false }
func (c *compared) aggregates() bool { return false }

func (c *compared) sent() (origin, *model.Field, []value.Value) { return c.from, c.field, c.values }

func (c *compared) render(r *renderer) error {
	f := r.mine(c.field)
	switch c.op {
	case opIsNull:
		r.column(f)
		r.write(" IS NULL")
	case opNotNull:
		r.column(f)
		r.write(" IS NOT NULL")
	case opIn:
		r.member(opIn, f, c.values, false)
	case opContains, opContainsFold, opEqFold:
		r.matchText(c.op, f, c.text)
	default:
		r.compare(c.op, f, c.values[0])
	}
	return nil
}

// jsonName returns the name that a json tag gives, "" where it gives none.
func jsonName(tag string) string {
	name, _, _ := strings.Cut(tag, ",")
	if name == "-" {
		return ""
	}
	return name
}
