package entity

import (
	"fmt"
	"reflect"
	"strconv"
	"unsafe"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/model"
)

// relation is a relation of an entity that a DTO is made of.
type relation struct {
	*model.Relation
	ends *model.Ends
}

// related completes the step for a relation: [To] wants it loaded, [From] makes new entities of what it is given.
func (c *compiler) related(s *step, r *model.Relation) error {
	ends, err := r.Ends()
	if err != nil {
		return err
	}
	switch {
	case c.mode == toDTO:
		s.relation = &relation{r, ends}
	case r.Kind.ToMany():
		s.conv = s.conv.whole()
	}
	return nil
}

// unloaded reports whether the relation of the entity may lead to something that was not loaded. Of the other end's key
// nothing is known here, so that a row which may or may not be there is taken for none.
func (r *relation) unloaded(entity unsafe.Pointer) bool {
	switch {
	case r.Kind.ToMany():
		return r.Many(entity) == nil
	case r.Kind == model.BelongsTo && r.One(entity) == nil:
		return !reflect.NewAt(r.ends.Local.GoType, r.ends.Local.At(entity)).Elem().IsZero()
	}
	return false
}

// missing is the error of a relation that is not loaded.
func (r *relation) missing(m *model.Model) error {
	how := "load it with query.With(&columns." + r.Name + ") or session.Load"
	if r.ends.Target.Deleted != nil {
		how += ", WithDeleted where its row may be soft-deleted"
	}
	return &fault.Error{
		Kind: fault.Internal, Op: "entity.To", Entity: m.Name,
		Message: fmt.Sprintf("the relation %s is not loaded, and the DTO shows it: %s", r.Name, how),
	}
}

// whole refuses a list in which an element is nil.
func (fn conv) whole() conv {
	return func(dst, src unsafe.Pointer, depth int) error {
		if err := fn(dst, src, depth); err != nil {
			return err
		}
		var wrong problems
		for i, p := range *(*[]unsafe.Pointer)(dst) {
			if p == nil {
				wrong = append(wrong, problems{{Message: "may not be null"}}.under("["+strconv.Itoa(i)+"]")...)
			}
		}
		if wrong != nil {
			return wrong
		}
		return nil
	}
}
