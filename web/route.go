package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/casing"

	"github.com/urutu-go/urutu/uow"
)

// Get registers a typed handler for GET requests. See [Post].
func Get[In, Out any](api *API, path string, handler func(context.Context, In) (Out, error), opts ...Option) {
	register(api, http.MethodGet, path, handler, opts)
}

// Post registers a typed handler for POST requests. Each request runs it in one unit of work, whose commit comes before
// the first byte of the response.
//
// The path is a pattern of http.ServeMux without its method: "/users/{id}". In is what is read from the request. Where it
// has fields tagged path, query, header or cookie, or a field Body without a json tag, it is read as Huma reads inputs;
// else all of it is the JSON body. struct{} reads nothing. Out is written as JSON; struct{} writes nothing and answers
// 204, and a [Stream] writes itself. A POST answers 201, but 200 where its input is that of a list, such as
// query.GridRequest. Tags such as minLength, minimum, enum, format and pattern are checked before the
// unit begins, and are in the OpenAPI document.
//
// What is wrong with a route is collected and returned by [API.Err], by which a [Server] refuses to start.
func Post[In, Out any](api *API, path string, handler func(context.Context, In) (Out, error), opts ...Option) {
	register(api, http.MethodPost, path, handler, opts)
}

// Put registers a typed handler for PUT requests. See [Post].
func Put[In, Out any](api *API, path string, handler func(context.Context, In) (Out, error), opts ...Option) {
	register(api, http.MethodPut, path, handler, opts)
}

// Patch registers a typed handler for PATCH requests. See [Post].
func Patch[In, Out any](api *API, path string, handler func(context.Context, In) (Out, error), opts ...Option) {
	register(api, http.MethodPatch, path, handler, opts)
}

// Delete registers a typed handler for DELETE requests. See [Post].
func Delete[In, Out any](api *API, path string, handler func(context.Context, In) (Out, error), opts ...Option) {
	register(api, http.MethodDelete, path, handler, opts)
}

// route is a typed handler being registered.
type route struct {
	Operation
	method, path string
	in, out      reflect.Type
	present      func(out reflect.Type) (presenter, error)
}

// register makes the route's endpoint and hands it to the API. Nothing here panics: Huma and ServeMux do, over bad tags
// and patterns, and the API turns that into an error.
func register[In, Out any](
	api *API, method, path string, handler func(context.Context, In) (Out, error), opts []Option,
) {
	api.add(method+" "+path, func() (http.Handler, error) {
		r := route{
			method: method, path: path, in: reflect.TypeFor[In](), out: reflect.TypeFor[Out](), present: presentAsIs,
		}
		for _, o := range opts {
			o.apply(&r)
		}
		r.defaults()
		e, err := r.endpoint(api)
		if err != nil {
			return nil, err
		}
		e.decoder = newDecoder[In](api.huma, e.operation, e.input.shape)
		e.call = func(ctx context.Context, in any) (any, error) {
			out, err := handler(ctx, *in.(*In))
			return &out, err
		}
		return e, nil
	})
}

var (
	noneType   = reflect.TypeFor[struct{}]()
	streamType = reflect.TypeFor[Stream]()
)

func (r *route) defaults() {
	plain := strings.NewReplacer("{", "by-", "}", "", "...", "", "$", "").Replace(r.path)
	r.ID = cmp.Or(r.ID, casing.Kebab(r.method+"-"+plain))
	r.Name = cmp.Or(r.Name, r.Options.Name, r.method+" "+r.path)
	summary := strings.ReplaceAll(r.ID, "-", " ")
	r.Summary = cmp.Or(r.Summary, strings.ToUpper(summary[:1])+summary[1:])
	if r.Status == 0 {
		switch {
		case r.out == noneType:
			r.Status = http.StatusNoContent
		case r.method == http.MethodPost && !isList(r.in):
			r.Status = http.StatusCreated
		default:
			r.Status = http.StatusOK
		}
	}
}

// endpoint checks the route and builds all of its endpoint that does not depend on type parameters.
func (r *route) endpoint(api *API) (*endpoint, error) {
	in, err := inputOf(r.method, r.in)
	if err != nil {
		return nil, err
	}
	if err := checkPath(r.path, in); err != nil {
		return nil, err
	}
	p, err := r.output()
	if err != nil {
		return nil, err
	}
	e := &endpoint{
		api: api, input: in, presenter: p, status: r.Status, maxBody: cmp.Or(r.MaxBody, api.cfg.MaxBody), stream: r.Stream,
		op: uow.Op{Kind: uow.HTTP, Name: r.Name, Options: r.Options},
	}
	if r.Stream {
		e.op.Options.Retry.Attempts = -1 // what was sent cannot be sent again
	}
	e.operation = r.describe(api, p)
	for i := range in.filters {
		e.operation.Parameters = append(e.operation.Parameters, in.filters[i].describe(api.registry))
	}
	return e, nil
}

// output checks what the route answers with.
func (r *route) output() (presenter, error) {
	if r.Status < 200 || r.Status > 399 {
		return presenter{}, fmt.Errorf("status %d is not one of a success or redirection", r.Status)
	}
	if r.Stream && r.out != streamType {
		return presenter{}, fmt.Errorf("a streaming route needs an Out of type web.Stream, not %s", r.out)
	}
	if r.out == noneType || r.out == streamType {
		return presenter{}, nil
	}
	if !bodyAllowed(r.Status) {
		return presenter{}, fmt.Errorf("a %d has no body: Out must be struct{}, not %s", r.Status, r.out)
	}
	p, err := r.present(r.out)
	if err != nil {
		return presenter{}, err
	}
	return p, encodable(p.response)
}

// describe returns the operation as Huma documents it.
func (r *route) describe(api *API, p presenter) huma.Operation {
	op := huma.Operation{
		OperationID: r.ID, Method: r.method, Path: openAPIPath(r.path), Summary: r.Summary, Description: r.Description,
		Tags: slices.Clone(r.Tags), Deprecated: r.Deprecated, Hidden: r.Hidden, Security: r.Security,
		DefaultStatus: r.Status,
		MaxBodyBytes:  -1, BodyReadTimeout: -1, // the body has been read, and limited, before Huma sees it
	}
	success := &huma.Response{Description: http.StatusText(r.Status)}
	switch {
	case p.response != nil:
		success.Content = map[string]*huma.MediaType{
			"application/json": {Schema: api.registry.Schema(p.response, true, r.ID+"-response")},
		}
	case r.out == streamType:
		success.Content = map[string]*huma.MediaType{
			"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
		}
	}
	problem := api.registry.Schema(reflect.TypeFor[Problem](), true, "Problem")
	op.Responses = map[string]*huma.Response{
		strconv.Itoa(r.Status): success,
		"default": {
			Description: "A problem",
			Content:     map[string]*huma.MediaType{problemType: {Schema: problem}},
		},
	}
	return op
}
