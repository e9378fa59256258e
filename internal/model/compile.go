package model

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/value"
)

// compiled holds what became of each type, for ever: a model is made once, and so is its prototype.
var compiled sync.Map // reflect.Type -> func() (*Model, error)

// Of returns the model of a struct type, or of a pointer to one. It is compiled at the first call and is the same from
// then on, as is its error: a fault.Misconfigured that names the type and every field that is wrong.
func Of(t reflect.Type) (*Model, error) {
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return nil, &fault.Error{Kind: fault.Misconfigured, Op: "entity", Err: fmt.Errorf("%v is not a struct", t)}
	}
	once, ok := compiled.Load(t)
	if !ok {
		once, _ = compiled.LoadOrStore(t, sync.OnceValues(func() (*Model, error) { return compile(t) }))
	}
	return once.(func() (*Model, error))()
}

// For returns the model of T, as [Of] does.
func For[T any]() (*Model, error) { return Of(reflect.TypeFor[T]()) }

// compiler builds one model.
type compiler struct {
	m       *Model
	columns map[string]string // a column in lower case -> the field that has it
	uniques groups
	indexes groups
	wrong   []error
}

func compile(t reflect.Type) (*Model, error) {
	c := &compiler{m: &Model{Type: t, Name: t.String()}, columns: map[string]string{}}
	c.fields(t, place{})
	c.finish()
	if len(c.wrong) > 0 {
		return nil, &fault.Error{Kind: fault.Misconfigured, Op: "entity", Entity: c.m.Name, Err: errors.Join(c.wrong...)}
	}
	c.m.index()
	return c.m, nil
}

// index makes the prototype, and finds columns by their place in it and by their name.
func (m *Model) index() {
	m.proto = reflect.New(m.Type).UnsafePointer()
	m.byPlace = slices.SortedStableFunc(slices.Values(m.Fields), func(a, b *Field) int { return cmp.Compare(a.Offset, b.Offset) })
	m.byColumn = make(map[string]*Field, len(m.Fields))
	for _, f := range m.Fields {
		m.byColumn[f.Column] = f
	}
}

// place is where in the struct the compiler is.
type place struct {
	path   string // "Address."
	prefix string // of the columns: "addr_"
	offset uintptr
}

func (c *compiler) fail(name, format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Errorf("field "+name+": "+format, args...))
}

func (c *compiler) fields(t reflect.Type, at place) {
	for i := range t.NumField() {
		sf := t.Field(i)
		text, tagged := sf.Tag.Lookup("db")
		rel, related := sf.Tag.Lookup("rel")
		name := at.path + sf.Name
		switch {
		case related:
			c.relation(sf, name, rel, at)
		case strings.HasPrefix(text, "table:"):
			c.table(sf, name, text, at)
		case sf.Anonymous || sf.IsExported():
			c.field(sf, name, text, at)
		case tagged && text != "-":
			c.fail(name, "it has a db tag, and is unexported")
		}
	}
}

// table takes the table's name from an embedded entity.Table.
func (c *compiler) table(sf reflect.StructField, name, text string, at place) {
	table := strings.TrimPrefix(text, "table:")
	switch {
	case !sf.Anonymous || sf.Type.Size() > 0:
		c.fail(name, "the tag table: belongs on an embedded entity.Table")
	case c.m.Table != "":
		c.fail(name, "the table has a name already: %s", c.m.Table)
	case strings.Count(table, ".") > 1:
		c.fail(name, "table %q: it is a name, or a schema and a name", table)
	default:
		if err := checkName("table", table, true); err != nil {
			c.fail(name, "%w", err)
			return
		}
		c.m.Table = table
	}
}

// field takes a struct apart, or makes a column of anything else.
func (c *compiler) field(sf reflect.StructField, name, text string, at place) {
	tg, err := parseTag(text)
	switch {
	case err != nil:
		c.fail(name, "%w", err)
		return
	case tg.skip:
		return
	}
	in := place{path: name + ".", prefix: at.prefix + tg.prefix, offset: at.offset + sf.Offset}
	isStruct := sf.Type.Kind() == reflect.Struct && !Scalar(sf.Type)
	switch {
	case tg.prefix != "" && !isStruct:
		c.fail(name, "option prefix is for a struct that is stored as columns, not for a %s", sf.Type)
	case tg.prefix != "":
		c.fields(sf.Type, in)
	case sf.Anonymous && isStruct && !tg.json:
		if text != "" {
			c.fail(name, "an embedded struct's columns come from its own fields; its tag is -, prefix= or json")
			return
		}
		in.path = at.path // its fields are promoted
		c.fields(sf.Type, in)
	case sf.Anonymous && sf.Type.Kind() == reflect.Pointer && sf.Type.Elem().Kind() == reflect.Struct && !Scalar(sf.Type.Elem()):
		c.fail(name, "embed the struct itself, not a pointer to it")
	case !sf.IsExported():
		if text != "" {
			c.fail(name, "it has a db tag, and is unexported")
		}
	default:
		c.column(sf, name, tg, at)
	}
}

func (c *compiler) column(sf reflect.StructField, name string, tg tag, at place) {
	f := &Field{
		Index: len(c.m.Fields), Name: name, Column: at.prefix + tg.column, GoType: sf.Type, Offset: at.offset + sf.Offset,
		Native: tg.native, Key: tg.pk, Serial: tg.serial, ServerDefault: tg.defaultTo, Generated: tg.generated,
		ReadOnly: tg.readonly, Secret: tg.secret, Unique: tg.unique,
	}
	if tg.column == "" {
		f.Column += Snake(sf.Name)
	}
	if sf.Type.Size() == 0 {
		c.fail(name, "a %s holds nothing that could be stored", sf.Type)
		return
	}
	cd, err := codecOf(sf.Type, wish{json: tg.json, notNull: tg.notNull, day: f.IsDay(), native: nativeType(tg.native)})
	if err != nil {
		c.fail(name, "%w", err)
		return
	}
	f.Type, f.Nullable, f.Memory = cd.typ, cd.nullable, cd.memory
	f.Encode, f.Decode, f.Same = cd.encode, cd.decode, cd.same
	if other, ok := c.columns[strings.ToLower(f.Column)]; ok {
		c.fail(name, "column %s is that of %s already", f.Column, other)
		return
	}
	if err := checkName("column name", f.Column, false); err != nil {
		c.fail(name, "%w", err)
		return
	}
	c.columns[strings.ToLower(f.Column)] = name
	c.m.Fields = append(c.m.Fields, f)
	c.roles(f, tg)
	c.constraints(f, tg)
}

// roles notes what the session has to do with a field, and checks that its type allows that.
func (c *compiler) roles(f *Field, tg tag) {
	if tg.pk {
		c.key(f)
	}
	instant := f.Type == value.TypeTime
	c.role(&c.m.Created, f, "created", tg.created, instant && !f.Nullable, "a time.Time")
	c.role(&c.m.Updated, f, "updated", tg.updated, instant && !f.Nullable, "a time.Time")
	c.role(&c.m.Version, f, "version", tg.version, isInteger(f.Type) && !f.Nullable, "a whole number")
	c.role(&c.m.Deleted, f, "softdelete", tg.softDelete, instant && f.Nullable, "a *time.Time or sql.Null[time.Time]")
}

func (c *compiler) role(at **Field, f *Field, option string, wanted, fits bool, want string) {
	switch {
	case !wanted:
	case !fits:
		c.fail(f.Name, "option %s is for %s, not for a %s", option, want, f.GoType)
	case *at != nil:
		c.fail(f.Name, "option %s is that of %s already", option, (*at).Name)
	default:
		*at = f
	}
}

func (c *compiler) key(f *Field) {
	switch {
	case f.Nullable:
		c.fail(f.Name, "a %s can be NULL, and a primary key cannot", f.GoType)
	case f.Type == value.TypeJSON, f.Type == value.TypeFloat32, f.Type == value.TypeFloat64, f.Type == value.TypeDecimal:
		c.fail(f.Name, "a %s does not identify a row: equal values may look different", f.Type)
	case f.Serial && (!isInteger(f.Type) || f.Type == value.TypeUint64):
		c.fail(f.Name, "option serial is for a signed number or one of up to 32 bits, not for a %s", f.GoType)
	}
	c.m.Key = append(c.m.Key, f)
}

func isInteger(t value.Type) bool { return t >= value.TypeInt16 && t <= value.TypeUint64 }

// finish checks and names what needs the whole struct.
func (c *compiler) finish() {
	m := c.m
	if m.Table == "" && (m.Type.Name() == "" || strings.ContainsRune(m.Type.Name(), '[')) {
		c.wrong = append(c.wrong, errors.New(`a type without a plain name needs a table: embed entity.Table with db:"table:..."`))
	} else if m.Table == "" {
		m.Table = plural(Snake(m.Type.Name()))
	}
	if m.Type.Name() == "" && m.Table != "" {
		m.Name = m.Table
	}
	if len(m.Key) == 0 && len(c.wrong) == 0 {
		c.wrong = append(c.wrong, errors.New("it has no primary key: embed entity.Identifiable, or tag a field with pk"))
	}
	if len(m.Key) > 1 {
		for _, f := range m.Key {
			if f.Serial {
				c.fail(f.Name, "a serial key is the whole key, not one of %d columns", len(m.Key))
			}
		}
	}
	c.nameConstraints()
}
