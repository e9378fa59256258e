package model

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"unsafe"

	"github.com/urutu-go/urutu/fault"
)

// RelationKind says where the foreign key of a relation is.
type RelationKind uint8

// The kinds of relations.
const (
	// BelongsTo: a column of this table refers to the other row. The field is a *T.
	BelongsTo RelationKind = iota
	// HasOne: a column of the other table refers to this row. The field is a *T.
	HasOne
	// HasMany is the same with a []*T.
	HasMany
	// ManyToMany: rows of a third table refer to both. The field is a []*T.
	ManyToMany
)

// String returns the kind's name.
func (k RelationKind) String() string {
	return [...]string{"belongs to", "has one", "has many", "many to many"}[k]
}

// ToMany reports whether the field is a slice.
func (k RelationKind) ToMany() bool { return k >= HasMany }

// Relation is a field that holds the entities on the other end of a foreign key: a *T or a []*T with a rel tag.
type Relation struct {
	Index  int // in Model.Relations
	Name   string
	Kind   RelationKind
	GoType reflect.Type
	Offset uintptr
	// Ends resolves the other end, once. What is wrong with the relation is its error, a fault.Misconfigured.
	Ends func() (*Ends, error)
}

// Ends are the two ends of a relation: rows belong together where Local, of the model that has the relation, equals
// Foreign, of the target; or, where there is a Link, where one of its rows has both.
type Ends struct {
	Target  *Model
	Local   *Field
	Foreign *Field
	// Link is the model of the table in between, and LinkLocal and LinkForeign its two fields; nil but for ManyToMany.
	Link                   *Model
	LinkLocal, LinkForeign *Field
}

// At returns the address of the field in the struct at base.
func (r *Relation) At(base unsafe.Pointer) unsafe.Pointer { return unsafe.Add(base, r.Offset) }

// One returns what a *T field points to.
func (r *Relation) One(base unsafe.Pointer) unsafe.Pointer { return *(*unsafe.Pointer)(r.At(base)) }

// SetOne makes a *T field point to the struct at p, which must be a T, or to nothing.
func (r *Relation) SetOne(base, p unsafe.Pointer) { *(*unsafe.Pointer)(r.At(base)) = p }

// Many returns the elements of a []*T field, without a copy. A nil slice stays nil.
func (r *Relation) Many(base unsafe.Pointer) []unsafe.Pointer {
	return *(*[]unsafe.Pointer)(r.At(base))
}

// SetMany makes a []*T field a slice of the structs at all, which must be Ts. The field keeps the slice.
func (r *Relation) SetMany(base unsafe.Pointer, all []unsafe.Pointer) {
	*(*[]unsafe.Pointer)(r.At(base)) = all
}

// RelationAt returns the relation that p names, where p is the address of a field of the prototype.
func (m *Model) RelationAt(p unsafe.Pointer, t reflect.Type) (*Relation, bool) {
	return m.RelationIn(m.Place(p), t)
}

// RelationIn returns the relation of the type that is at an offset from the start of the struct.
func (m *Model) RelationIn(offset uintptr, t reflect.Type) (*Relation, bool) {
	for _, r := range m.Relations {
		if r.Offset == offset && r.GoType == t {
			return r, true
		}
	}
	return nil, false
}

// relation notes a field with a rel tag. Its other end is looked at when it is first used: two types may refer to each
// other.
func (c *compiler) relation(sf reflect.StructField, name, text string, at place) {
	db, tagged := sf.Tag.Lookup("db")
	switch {
	case tagged && db != "-":
		c.fail(name, "a relation is no column: its db tag is - or missing")
		return
	case !sf.IsExported():
		c.fail(name, "it has a rel tag, and is unexported")
		return
	}
	r := &Relation{Index: len(c.m.Relations), Name: name, GoType: sf.Type, Offset: at.offset + sf.Offset}
	t, many := sf.Type, false
	if t.Kind() == reflect.Slice {
		t, many = t.Elem(), true
	}
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		c.fail(name, "a relation is a pointer to an entity or a slice of such pointers, not a %s", sf.Type)
		return
	}
	spec, err := parseRelation(text, many)
	if err != nil {
		c.fail(name, "%w", err)
		return
	}
	r.Kind = spec.kind
	m := c.m
	r.Ends = sync.OnceValues(func() (*Ends, error) {
		e, err := spec.resolve(m, t.Elem())
		if err != nil {
			return nil, &fault.Error{
				Kind: fault.Misconfigured, Op: "entity", Entity: m.Name, Err: fmt.Errorf("field %s: %w", name, err),
			}
		}
		return e, nil
	})
	c.m.Relations = append(c.m.Relations, r)
}

// relationSpec is a parsed rel tag.
type relationSpec struct {
	kind    RelationKind
	table   string // of the target, or the one in between
	columns [2]string
}

// parseRelation parses a rel tag: a column of this table, table.column of the target, or link(column, column) of a table
// in between, whose first column refers to this one.
func parseRelation(text string, many bool) (relationSpec, error) {
	var s relationSpec
	name, rest, linked := strings.Cut(text, "(")
	dot := strings.LastIndexByte(name, '.')
	switch {
	case linked:
		inner, tail, closed := strings.Cut(rest, ")")
		first, second, two := strings.Cut(inner, ",")
		if !closed || !two || tail != "" {
			return s, fmt.Errorf("rel:%q: a table in between is written as table(own_id,other_id)", text)
		}
		s.kind, s.table, s.columns = ManyToMany, strings.TrimSpace(name), [2]string{strings.TrimSpace(first), strings.TrimSpace(second)}
		if !many {
			return s, errors.New("a relation by a table in between is a slice")
		}
	case dot >= 0 && many:
		s.kind, s.table, s.columns[0] = HasMany, name[:dot], name[dot+1:]
	case dot >= 0:
		s.kind, s.table, s.columns[0] = HasOne, name[:dot], name[dot+1:]
	case many:
		return s, fmt.Errorf("rel:%q: many rows refer to this one by a column of theirs: write table.column", text)
	default:
		s.kind, s.columns[0] = BelongsTo, name
	}
	return s, s.check()
}

func (s relationSpec) check() error {
	if s.table != "" || s.kind != BelongsTo {
		if err := checkName("table", s.table, true); err != nil {
			return err
		}
	}
	for _, column := range s.columns {
		if column == "" && s.kind != ManyToMany && s.columns[0] != "" {
			continue
		}
		if err := checkName("column name", column, false); err != nil {
			return err
		}
	}
	return nil
}

// resolve finds the two ends of the relation that m has to t.
func (s relationSpec) resolve(m *Model, t reflect.Type) (*Ends, error) {
	target, err := Of(t)
	if err != nil {
		return nil, err
	}
	e := &Ends{Target: target}
	switch s.kind {
	case BelongsTo:
		return e, s.belongsTo(e, m)
	case ManyToMany:
		return e, s.manyToMany(e, m)
	default:
		return e, s.has(e, m)
	}
}

// belongsTo: the key is a column of m, and refers to the target's key or to the column that its ref option names.
func (s relationSpec) belongsTo(e *Ends, m *Model) (err error) {
	if e.Local, err = columnOf(m, s.columns[0]); err != nil {
		return err
	}
	e.Foreign, err = referenced(m, e.Local, e.Target)
	return err
}

// has: the key is a column of the target.
func (s relationSpec) has(e *Ends, m *Model) (err error) {
	if s.table != e.Target.Table {
		return fmt.Errorf("the table of %s is %s, not %s", e.Target.Name, e.Target.Table, s.table)
	}
	if e.Foreign, err = columnOf(e.Target, s.columns[0]); err != nil {
		return err
	}
	e.Local, err = referenced(e.Target, e.Foreign, m)
	return err
}

// referenced returns the column of to that a column refers to: the one that its ref option names, or else the key.
func referenced(from *Model, f *Field, to *Model) (*Field, error) {
	for _, r := range from.References {
		if r.Field == f && r.Table == to.Table {
			return fitting(f, to, r.Target)
		}
	}
	if len(to.Key) != 1 {
		return nil, fmt.Errorf("the key of %s has %d columns, and a relation refers to one", to.Name, len(to.Key))
	}
	return fitting(f, to, to.Key[0].Column)
}

func fitting(f *Field, to *Model, column string) (*Field, error) {
	target, err := columnOf(to, column)
	if err == nil && target.Type != f.Type {
		err = fmt.Errorf("column %s is a %s, and %s.%s is a %s", f.Column, f.Type, to.Table, column, target.Type)
	}
	return target, err
}

func columnOf(m *Model, name string) (*Field, error) {
	f, ok := m.Column(name)
	if !ok {
		return nil, fmt.Errorf("%s has no column %s", m.Name, name)
	}
	return f, nil
}

// manyToMany makes a model of the table in between. Relations that name the same table from both of its ends share it.
func (s relationSpec) manyToMany(e *Ends, m *Model) error {
	if len(m.Key) != 1 || len(e.Target.Key) != 1 {
		return errors.New("a table in between needs keys of one column on both ends")
	}
	e.Local, e.Foreign = m.Key[0], e.Target.Key[0]
	mine := linkField("A", s.columns[0], m)
	theirs := linkField("B", s.columns[1], e.Target)
	if s.columns[1] < s.columns[0] { // one order, whichever end it is seen from
		mine.Name, theirs.Name = theirs.Name, mine.Name
		mine, theirs = theirs, mine
	}
	link, err := Of(reflect.StructOf([]reflect.StructField{{
		Name: "Table", Anonymous: true, Type: reflect.TypeFor[Table](), Tag: reflect.StructTag(`db:"table:` + s.table + `"`),
	}, mine, theirs}))
	if err != nil {
		return err
	}
	e.Link = link
	if e.LinkLocal, err = columnOf(link, s.columns[0]); err != nil {
		return err
	}
	e.LinkForeign, err = columnOf(link, s.columns[1])
	return err
}

// Table is embedded in the structs of tables in between, whose name its tag says.
type Table struct{}

func linkField(name, column string, to *Model) reflect.StructField {
	key := to.Key[0]
	tag := column + ",pk,ref=" + to.Table + "." + key.Column + ",ondelete=cascade"
	if key.Native != "" {
		tag += ",type=" + key.Native
	}
	tag = fmt.Sprintf("db:%q", tag)
	return reflect.StructField{Name: name, Type: key.GoType, Tag: reflect.StructTag(tag)}
}
