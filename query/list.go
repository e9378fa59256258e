package query

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
)

// List is what the clients of a list endpoint may filter, sort and search T's rows by. It is made once:
//
//	var orderList = query.NewList[Order](
//		query.Join(&orders.User),
//		query.Field("created_at", &orders.CreatedAt),
//		query.Field("status", &orders.Status).AsSelect(),
//		query.Field("total_cents", &orders.TotalCents),
//		query.Field("customer", &users.Name).Searched(),
//		query.Desc(&orders.CreatedAt), // where a client says nothing
//	)
//
// What a client names is looked up here, and nothing that is not here is ever read for it. So the list is authorization
// too: by filtering, a client finds out what is in a column, also in one that it is never shown.
//
// A List is immutable and safe for concurrent use.
type List[T any] struct {
	def  *listing
	zone *time.Location
}

// ListPart is a part of a [List]: a [ListField], a [Joined] table whose columns are among its fields, or a [Sort] of the
// order that rows have where a client asks for none.
type ListPart interface{ list(def *listing) }

// NewList returns a list of its parts. It is called where packages are initialized and so has no error: where a part is
// wrong, whatever uses the list reports it as fault.Misconfigured. [List.Check] reports it at once.
func NewList[T any](parts ...ListPart) *List[T] {
	def := &listing{byName: map[string]*listed{}}
	m, err := model.For[T]()
	if err != nil {
		def.wrong = append(def.wrong, err)
	} else {
		def.m = m
		for _, p := range parts {
			p.list(def)
		}
		def.resolve()
	}
	return &List[T]{def, time.UTC}
}

// In returns the list with days that begin and end in a zone: those of date fields, which are UTC's otherwise. A nil zone
// is UTC.
func (l *List[T]) In(zone *time.Location) *List[T] {
	if zone == nil {
		zone = time.UTC
	}
	return &List[T]{l.def, zone}
}

// Check returns what is wrong with the list, as a fault.Misconfigured, or nil.
func (l *List[T]) Check() error { return l.def.check() }

// listing is a List of any type.
type listing struct {
	m      *model.Model
	fields []ListField
	joins  []Joined
	order  []Sort // where a client asks for none

	byName    map[string]*listed
	searched  []*listed
	orderWide bool // the order refers to joined tables
	wrong     []error
}

// listed is a field of a list, with what it stands for.
type listed struct {
	ListField
	kind   kind
	column *model.Field // nil for an expression
	codec  *model.Codec // how the field's values are stored
	joined bool         // it is of another table than the list's own
}

func (f ListField) list(def *listing) { def.fields = append(def.fields, f) }
func (j Joined) list(def *listing)    { def.joins = append(def.joins, j) }
func (s Sort) list(def *listing)      { def.order = append(def.order, s) }

func (d *listing) check() error {
	if len(d.wrong) == 0 {
		return nil
	}
	e := &fault.Error{Kind: fault.Misconfigured, Op: "query.NewList", Err: errors.Join(d.wrong...)}
	if d.m != nil {
		e.Entity = d.m.Name
	}
	return e
}

// resolve finds out what each field is.
func (d *listing) resolve() {
	q := &Select{m: d.m, joins: d.joins, several: len(d.joins) > 0}
	r, err := newRenderer(nil, q)
	if err != nil {
		d.wrong = append(d.wrong, err)
		return
	}
	for _, f := range d.fields {
		if err := d.add(r, f); err != nil {
			d.wrong = append(d.wrong, fmt.Errorf("the field %q: %w", f.name, err))
		}
	}
	for _, s := range d.order {
		joined, err := r.reaches(s.node())
		if err != nil {
			d.wrong = append(d.wrong, fmt.Errorf("the order: %w", err))
		}
		d.orderWide = d.orderWide || joined
	}
}

// maxFieldName is how long the name of a field may be.
const maxFieldName = 100

func (d *listing) add(r *renderer, f ListField) error {
	switch {
	case f.name == "" || len(f.name) > maxFieldName || strings.ContainsAny(f.name, ", +") || f.name[0] == '-':
		return errors.New("is no name that can be sorted by: it has a comma, a space, a plus or a minus before it, or no or too many letters")
	case d.byName[f.name] != nil:
		return errors.New("is listed twice")
	}
	l := &listed{ListField: f}
	var err error
	if l.joined, err = r.reaches(f.n); err != nil {
		return err
	}
	if c, ok := f.n.(column); ok {
		own, err := r.field(c)
		if err != nil {
			return err
		}
		l.column = own.Field
		l.codec = &model.Codec{Type: own.Type, Nullable: own.nullable(), Encode: own.Encode, Decode: own.Decode}
	} else if l.codec, err = model.CodecOf(f.typ); err != nil {
		return err
	}
	if l.kind, err = l.kindOf(); err != nil {
		return err
	}
	d.byName[f.name] = l
	if f.searched {
		d.searched = append(d.searched, l)
	}
	return nil
}

// reaches reports whether what is filtered or sorted by is of more tables than the query's own.
func (r *renderer) reaches(n node) (bool, error) {
	if n == (nothing{}) {
		return false, n.render(r)
	}
	if n.aggregates() {
		return false, errors.New("an aggregate of the list's own rows; query.Over is one of what a relation leads to")
	}
	c, ok := n.(column)
	if !ok {
		return n.several(), nil
	}
	f, err := r.field(c)
	return err == nil && f.src.rel != nil, err
}

// of refuses a query of other rows than the list is of.
func (d *listing) of(q *Select) error {
	if err := d.check(); err != nil {
		return err
	}
	if q.m != d.m {
		return &fault.Error{
			Kind: fault.Misconfigured, Op: "query.List", Entity: q.m.Name, Message: "the list is one of " + d.m.Name,
		}
	}
	return nil
}

// join joins a query with what the list's fields are of.
func (d *listing) join(q *Select) {
	for _, j := range d.joins {
		j.apply(q)
	}
}

// find returns the field that a client names.
func (d *listing) find(at, name string) (*listed, error) {
	if f := d.byName[name]; f != nil {
		return f, nil
	}
	return nil, refused(at, "there is no field "+quoted(name)+" here")
}

// quoted returns what a client has sent as part of a message, the beginning of it where it is long.
func quoted(s string) string {
	const most = 60
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return `"` + s + `"`
}

// refused is the error for a part of a request that a list does not take.
func refused(at, message string) error {
	return &fault.Error{Kind: fault.BadRequest, Op: "query.List", Fields: []fault.Field{{Name: at, Message: message}}}
}

// ListField is what clients of a [List] may filter and sort by, under a name of its own. It is an immutable value.
type ListField struct {
	name     string
	n        node
	typ      reflect.Type
	as       kind // nothing: what follows from the type
	searched bool
	noFilter bool
	noSort   bool
}

// Field is a column that clients know by a name: one of the list's own table, or of one that is joined. How it is
// filtered follows from what it is stored as: texts, numbers and decimals, times (by the minute), days, booleans, UUIDs.
func Field[V any](name string, col *V) ListField { return Computed(name, Col(col)) }

// Computed is an expression that clients know by a name. It may not be an aggregate of the list's own rows; [Over] is one
// of what a relation leads to.
func Computed[V any](name string, e Expr[V]) ListField {
	return ListField{name: name, n: e.node(), typ: reflect.TypeFor[V]()}
}

// AsSelect makes the field one of few values, which a client picks from: the grid's singleSelect. Its values are compared
// as a whole, in the form that they have in JSON.
func (f ListField) AsSelect() ListField {
	f.as = selectKind
	return f
}

// AsDate makes a field of times one of days, which begin and end in the zone of [List.In]. A column of days is one without
// it, and its days have no zone.
func (f ListField) AsDate() ListField {
	f.as = dateKind
	return f
}

// Searched lets the quick filter search the field: a text, or a select of texts, for what it contains in any case; a
// number or a UUID for those that are equal. Other fields cannot be searched.
func (f ListField) Searched() ListField {
	f.searched = true
	return f
}

// SortOnly lets clients sort by the field and not filter by it.
func (f ListField) SortOnly() ListField {
	f.noFilter = true
	return f
}

// FilterOnly lets clients filter by the field and not sort by it.
func (f ListField) FilterOnly() ListField {
	f.noSort = true
	return f
}
