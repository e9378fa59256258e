package entity

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"

	"github.com/urutu-go/urutu/internal/model"
)

// member is an exported field of a struct, or of a struct embedded in it, as conversions see it.
type member struct {
	goName   string // "Email", or the path "Home.Zip" of a column inside a struct
	jsonName string // from the json tag, "" where there is none
	dto      string // from the dto tag
	loose    bool   // tagged json:"-": matched by its Go name, and no matter if nothing is there
	typ      reflect.Type
	offset   uintptr
	field    *model.Field // the column that it is, nil for what is none
	relation *model.Relation
}

// shown is the member's name in errors: as it is in JSON.
func (m *member) shown() string {
	if m.jsonName != "" {
		return m.jsonName
	}
	return m.goName
}

// side is one struct of a conversion. Where it is an entity, or a struct of columns inside of one, root is that
// entity's model and base the struct's place in it.
type side struct {
	typ  reflect.Type
	root *model.Model
	base uintptr
}

// inside returns the struct in one of the side's members: a part of the entity if its fields are columns, else on its own.
func (s side) inside(m *member) side {
	if s.root == nil || m.field != nil {
		return sideOf(m.typ)
	}
	at := s.base + m.offset
	for _, f := range s.root.Fields {
		if f.Offset >= at && f.Offset < at+m.typ.Size() {
			return side{typ: m.typ, root: s.root, base: at}
		}
	}
	return sideOf(m.typ)
}

// sideOf looks whether a struct is an entity of its own.
func sideOf(t reflect.Type) side {
	if t.Kind() != reflect.Struct {
		return side{typ: t}
	}
	m, err := model.Of(t)
	if err != nil {
		return side{typ: t}
	}
	return side{typ: t, root: m}
}

// related reports whether the struct is an entity with relations.
func (s side) related() bool { return s.root != nil && len(s.root.Relations) > 0 }

// members lists the fields of a struct as Go promotes them.
func members(s side) ([]member, error) {
	var list []member
	err := walk(s, s.typ, 0, &list)
	return list, err
}

func walk(s side, t reflect.Type, offset uintptr, list *[]member) error {
	for i := range t.NumField() {
		sf := t.Field(i)
		name, tagged := jsonName(sf)
		dto := sf.Tag.Get("dto")
		at := offset + sf.Offset
		promotes := sf.Anonymous && dto == "" && (!tagged || name == "-")
		switch {
		case dto == "-":
		case promotes && sf.Type.Kind() == reflect.Struct && !model.Scalar(sf.Type):
			if err := walk(s, sf.Type, at, list); err != nil {
				return err
			}
		case promotes && sf.Type.Kind() == reflect.Pointer:
			return fmt.Errorf("field %s: embed the struct itself, not a pointer to it", sf.Name)
		case !sf.IsExported() || !promoted(s.typ, sf, at):
		default:
			m := member{goName: sf.Name, dto: dto, typ: sf.Type, offset: at, loose: name == "-"}
			if tagged && !m.loose {
				m.jsonName = name
			}
			if s.root != nil {
				m.field, _ = s.root.FieldAt(s.base+at, sf.Type)
				m.relation, _ = s.root.RelationIn(s.base+at, sf.Type)
			}
			*list = append(*list, m)
		}
	}
	return nil
}

// jsonName returns the name in a field's json tag, and whether it has one.
func jsonName(sf reflect.StructField) (string, bool) {
	name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
	return name, name != ""
}

// promoted reports whether a selector on the root reaches this very field, and not one of the same name above it.
func promoted(root reflect.Type, sf reflect.StructField, offset uintptr) bool {
	found, ok := root.FieldByName(sf.Name)
	if !ok || found.Type != sf.Type {
		return false
	}
	at := uintptr(0)
	for t, i := root, 0; i < len(found.Index); i++ {
		if t.Kind() != reflect.Struct {
			return false
		}
		f := t.Field(found.Index[i])
		at, t = at+f.Offset, f.Type
	}
	return at == offset
}

// index finds the members of an entity by what a DTO may call them.
type index struct {
	byGo   map[string]*member
	byName map[string]*member // by JSON name, and by column
}

// indexOf indexes an entity's members. Columns inside of a struct are found by their path, "Home.Zip", and column.
func indexOf(s side) (index, error) {
	list, err := members(s)
	if err != nil {
		return index{}, err
	}
	if s.root != nil && s.base == 0 {
		list = append(list, nested(s.root, list)...)
	}
	x := index{byGo: map[string]*member{}, byName: map[string]*member{}}
	for i := range list {
		m := &list[i]
		x.byGo[m.goName] = m
		if m.jsonName != "" {
			x.byName[m.jsonName] = m
		}
	}
	for i := range list {
		name := model.Snake(list[i].goName)
		if f := list[i].field; f != nil {
			name = f.Column
		}
		if _, ok := x.byName[name]; !ok {
			x.byName[name] = &list[i]
		}
	}
	return x, nil
}

// nested lists the columns that are no members of the entity itself.
func nested(m *model.Model, list []member) []member {
	have := map[*model.Field]bool{}
	for i := range list {
		have[list[i].field] = true
	}
	var more []member
	for _, f := range m.Fields {
		if !have[f] {
			more = append(more, member{goName: f.Name, typ: f.GoType, offset: f.Offset, field: f})
		}
	}
	return more
}

// find returns the member that a DTO's field names: the one its dto tag names, else the one with its JSON name (as the
// entity's JSON name or column), else the one with its Go name. Nil is none. Where JSON name and Go name find different
// ones, neither is a safe guess.
func (x index) find(m *member) (*member, error) {
	if m.dto != "" {
		if found := cmp.Or(x.byGo[m.dto], x.byName[m.dto]); found != nil {
			return found, nil
		}
		return nil, fmt.Errorf("field %s: the entity has no %s, which its dto tag names", m.goName, m.dto)
	}
	byGo := x.byGo[m.goName]
	if m.jsonName == "" {
		return byGo, nil
	}
	byName := x.byName[m.jsonName]
	if byName != nil && byGo != nil && byName != byGo {
		return nil, fmt.Errorf("field %s: its JSON name is that of %s, its Go name another's; say which with a dto tag", m.goName, byName.goName)
	}
	return cmp.Or(byName, byGo), nil
}
