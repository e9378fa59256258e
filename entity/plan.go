package entity

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
)

// mode is the direction of a conversion.
type mode uint8

const (
	toDTO   mode = iota // entity -> DTO
	fromDTO             // DTO -> new entity
	patch               // patch DTO -> existing entity
)

// conv converts the variable at src into the one at dst. Depth counts the structs around them.
type conv func(dst, src unsafe.Pointer, depth int) error

// when returns the conversion where said holds, and leaves the rest alone.
func (fn conv) when(said func(unsafe.Pointer) bool) conv {
	return func(dst, src unsafe.Pointer, depth int) error {
		if !said(src) {
			return nil
		}
		return fn(dst, src, depth)
	}
}

// maxDepth is how deeply structs may contain each other before they are taken to contain themselves.
const maxDepth = 256

// plan is the compiled conversion of one struct type into another.
type plan struct {
	steps []step
	root  *model.Model // of the source, where that is an entity with fields that only the database knows
	base  uintptr      // the source's place in that entity
}

// step converts one field.
type step struct {
	name     string // as the caller knows it
	dst, src uintptr
	conv     conv
	server   *model.Field // the source is a field that only the database knows
	relation *relation    // the source is one
}

func (p *plan) run(dst, src unsafe.Pointer, depth int) error {
	if depth > maxDepth {
		return problem("is nested too deeply: does it contain itself?")
	}
	var wrong problems
	for i := range p.steps {
		s := &p.steps[i]
		if s.server != nil && p.unknown(s.server, src) {
			return &fault.Error{
				Kind: fault.NotPersistent, Op: "entity.To", Entity: p.root.Name, Columns: []string{s.server.Column},
				Err: fmt.Errorf("the database generates %s, which is not known before the flush", s.server.Name),
			}
		}
		if s.relation != nil && s.relation.unloaded(unsafe.Add(src, -int(p.base))) {
			return s.relation.missing(p.root)
		}
		err := s.conv(unsafe.Add(dst, s.dst), unsafe.Add(src, s.src), depth+1)
		if err == nil {
			continue
		}
		sub, ok := errors.AsType[problems](err)
		if !ok {
			return err
		}
		wrong = append(wrong, sub.under(s.name)...)
	}
	if wrong != nil {
		return wrong
	}
	return nil
}

// unknown reports whether the database has yet to fill the field: a serial key that is zero, and in an entity that awaits
// its flush, a default whose field is zero and whatever is generated.
func (p *plan) unknown(f *model.Field, src unsafe.Pointer) bool {
	entity := unsafe.Add(src, -int(p.base))
	zero := func() bool { return reflect.NewAt(f.GoType, f.At(entity)).Elem().IsZero() }
	if f.Serial {
		return zero()
	}
	return model.IsPending(entity) && (f.Generated != "" || zero())
}

// planKey identifies a compiled plan.
type planKey struct {
	dst, src reflect.Type
	mode     mode
	allow    string
}

// plans holds what became of each pair of types, for ever.
var plans sync.Map // planKey -> func() (*plan, error)

// planOf returns the plan for a pair of struct types, compiled at its first use.
func planOf(dst, src reflect.Type, m mode, allow []string) (*plan, error) {
	key := planKey{dst: dst, src: src, mode: m}
	if len(allow) > 0 {
		sorted := slices.Clone(allow)
		slices.Sort(sorted)
		key.allow = strings.Join(sorted, ",")
	}
	once, ok := plans.Load(key)
	if !ok {
		once, _ = plans.LoadOrStore(key, sync.OnceValues(func() (*plan, error) { return compile(key, allow) }))
	}
	return once.(func() (*plan, error))()
}

// compiler builds the conversions of one pair of types. Types may contain themselves, so each conversion is known by its
// pair before it is made.
type compiler struct {
	mode  mode
	known map[pair]*conv
}

type pair struct{ dst, src side }

func compile(key planKey, allow []string) (*plan, error) {
	c := &compiler{mode: key.mode, known: map[pair]*conv{}}
	return c.plan(sideOf(key.dst), sideOf(key.src), allow)
}

// plan matches the fields of two structs. Every field of the DTO needs its counterpart; what else the entity has is left
// alone.
func (c *compiler) plan(dst, src side, allow []string) (*plan, error) {
	dto, ent := src, dst
	if c.mode == toDTO {
		dto, ent = dst, src
	}
	list, err := members(dto)
	if err != nil {
		return nil, err
	}
	x, err := indexOf(ent)
	if err != nil {
		return nil, err
	}
	open, err := allowed(x, allow)
	if err != nil {
		return nil, err
	}
	p := &plan{root: src.root, base: src.base}
	var wrong []error
	for i := range list {
		if err := c.field(p, dto, ent, &list[i], x, open); err != nil {
			wrong = append(wrong, err)
		}
	}
	return p, errors.Join(wrong...)
}

// field adds the step for one field of the DTO.
func (c *compiler) field(p *plan, dto, ent side, m *member, x index, open map[*member]bool) error {
	found, err := x.find(m)
	switch {
	case err != nil:
		return err
	case found == nil && m.loose:
		return nil
	case found == nil:
		return fmt.Errorf(`field %s: the entity has no such field; name it with dto:"..." or leave it out with dto:"-"`, m.goName)
	case c.mode != toDTO && c.closed(ent.root, found) && !open[found]:
		return nil
	case c.mode == patch && found.relation != nil:
		return fmt.Errorf(`field %s: it is a relation, which a patch does not change; leave it out with dto:"-"`, m.goName)
	}
	s := step{name: m.shown(), dst: found.offset, src: m.offset}
	if c.mode == toDTO {
		s.dst, s.src = m.offset, found.offset
		if found.field != nil && found.field.Server() {
			s.server = found.field
		}
		s.conv, err = c.conv(dto.inside(m), ent.inside(found))
	} else {
		s.conv, err = c.conv(ent.inside(found), dto.inside(m))
	}
	if err == nil && found.relation != nil {
		err = c.related(&s, found.relation)
	}
	if err != nil {
		return fmt.Errorf("field %s: %w", m.goName, err)
	}
	if said := spoken(m.typ); said != nil && c.mode != toDTO {
		s.conv = s.conv.when(said)
	}
	p.steps = append(p.steps, s)
	return nil
}

// closed reports whether a DTO may write the column only where it is allowed to: what the session keeps, what is
// read-only, and in a patch the key. What the database computes is never written.
func (c *compiler) closed(root *model.Model, m *member) bool {
	f := m.field
	if f == nil || root == nil {
		return false
	}
	kept := f == root.Created || f == root.Updated || f == root.Version || f == root.Deleted
	return kept || f.ReadOnly || f.Generated != "" || (c.mode == patch && f.Key)
}

// allowed finds the members that the options name.
func allowed(x index, names []string) (map[*member]bool, error) {
	open := make(map[*member]bool, len(names))
	for _, name := range names {
		m := x.byGo[name]
		if m == nil {
			m = x.byName[name]
		}
		if m == nil {
			return nil, fmt.Errorf("allow names %q, which the entity does not have", name)
		}
		if m.field != nil && m.field.Generated != "" {
			return nil, fmt.Errorf("allow names %q, which the database computes", name)
		}
		open[m] = true
	}
	return open, nil
}
