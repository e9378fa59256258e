package entity

import (
	"errors"
	"reflect"
	"strings"

	"github.com/urutu-go/urutu/fault"
)

// problems are the fields that a conversion could not do, as the caller knows them. It is the error of a [conv].
type problems []fault.Field

func (p problems) Error() string {
	parts := make([]string, len(p))
	for i, f := range p {
		parts[i] = strings.TrimSpace(f.Name + " " + f.Message)
	}
	return strings.Join(parts, "; ")
}

// problem is one of a value that does not know yet where it is.
func problem(message string) error { return problems{{Message: message}} }

// under returns the problems as those of a field or an element, "[3]", of something larger.
func (p problems) under(name string) problems {
	for i := range p {
		switch {
		case p[i].Name == "":
			p[i].Name = name
		case p[i].Name[0] == '[':
			p[i].Name = name + p[i].Name
		default:
			p[i].Name = name + "." + p[i].Name
		}
	}
	return p
}

// incoming makes the error of a conversion whose data came from a caller.
func incoming(op string, t reflect.Type, err error) error {
	wrong, ok := errors.AsType[problems](err)
	if !ok {
		return err
	}
	return &fault.Error{Kind: fault.Invalid, Op: op, Entity: t.String(), Fields: wrong}
}

// outgoing makes the error of a conversion whose data is our own. It is Internal, since no caller can do better, and
// Invalid below that, with the fields.
func outgoing(op string, t reflect.Type, err error) error {
	if err = incoming(op, t, err); fault.KindOf(err) != fault.Invalid {
		return err
	}
	return &fault.Error{Kind: fault.Internal, Op: op, Err: err}
}

// misconfigured makes the error of types that do not fit together.
func misconfigured(op string, dto, entity reflect.Type, err error) error {
	name := "nil"
	if entity != nil {
		name = entity.String()
	}
	return &fault.Error{Kind: fault.Misconfigured, Op: op, Entity: name, Err: pairError{dto, err}}
}

// pairError names the DTO that does not fit.
type pairError struct {
	dto reflect.Type
	err error
}

func (e pairError) Error() string {
	if e.dto == nil {
		return "with nil: " + e.err.Error()
	}
	return "with " + e.dto.String() + ": " + e.err.Error()
}

func (e pairError) Unwrap() error { return e.err }
