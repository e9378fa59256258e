package web

import (
	"reflect"

	"github.com/urutu-go/urutu/uow"
)

// Option is something that a route is registered with: an [Operation] or what [As] returns.
type Option interface {
	apply(r *route)
}

// Operation describes a route. Every field may be left out.
type Operation struct {
	// ID is the OpenAPI operation id. Defaults to method and path: "post-users".
	ID string
	// Name names the unit of work for interceptors, logs and spans. Defaults to method and path: "POST /users".
	Name string
	// Summary and Description are shown in the documentation. Summary defaults to the ID in words.
	Summary, Description string
	// Tags group operations in the documentation.
	Tags []string
	// Status is that of a success. Defaults to 204 where Out is struct{}, 201 for Post and 200 else.
	Status int
	// Options are those of the unit of work. Streaming routes are not retried.
	Options uow.Options
	// MaxBody is how many bytes a request's body may have. Defaults to the API's.
	MaxBody int64
	// Stream is for an Out of type Stream, and makes its Write run inside the unit. See there what that costs.
	Stream bool
	// Deprecated marks the operation in the documentation; Hidden leaves it out.
	Deprecated, Hidden bool
	// Security are the OpenAPI security requirements.
	Security []map[string][]string
}

func (o Operation) apply(r *route) { r.Operation = o }

// As makes the route answer with a D in place of the entity that its handler returns: the entity is mapped by entity.To
// once the unit has committed, so that generated fields are there. The handler's Out is an entity, a pointer to one, a
// slice of either, a query.Paginated or a query.GridPage of either; the response is a D, a []D, or a page of Ds accordingly.
func As[D any]() Option { return as[D]{} }

type as[D any] struct{}

func (as[D]) apply(r *route) { r.present = presenterAs[D] }

// presenter makes the response's body of a handler's result, given as a pointer to its Out.
type presenter struct {
	// response is the type of the body.
	response reflect.Type
	build    func(out any) (any, error)
}
