// Package web runs one unit of work for each HTTP request, and answers only once the unit has committed.
//
// # Overview
//
// An [API] has typed handlers. A handler is a function from its input to its output, and knows nothing of HTTP:
//
//	api := web.New(web.Config{Title: "shop", Version: "1.0.0", Runner: db.Runner()})
//	web.Post(api, "/users", users.Create, web.As[UserSchema]())
//	web.Get(api, "/users/{id}", users.Get, web.As[UserSchema]())
//
//	func (c *Users) Create(ctx context.Context, in UserCreate) (*User, error)
//	func (c *Users) Get(ctx context.Context, in struct{ ID uuid.UUID `path:"id"` }) (*User, error)
//
// [Post] says how an input is read; the tags are those of Huma (https://huma.rocks), which checks the input and describes
// the API: /openapi.json, /openapi.yaml and, unless switched off, /docs. [As] names the DTO that an entity is answered as.
// [Operation] names, documents and tunes a route. [ReplyTo] adds headers or another status to a response, and a [Stream]
// is an output that is written bit by bit.
//
// Any other http.Handler gets the same by [Middleware]. A [Server] listens, as a component of an urutu.App.
//
// # Lifecycle
//
// For each request, in this order:
//
//  1. the body is read, the input decoded and checked: what is wrong with it costs no unit;
//  2. the runner begins a unit and calls its interceptors and the handler;
//  3. the unit commits, or is rolled back where the handler returned an error, panicked, or its client went away;
//  4. the output is mapped and encoded into memory;
//  5. the first byte of the response is written.
//
// So a client that was told of a success can rely on it, and its next request finds what it wrote. A unit that the runner
// runs again, because of a serialization failure for one, gets an input decoded anew, and nobody has seen anything of the
// first run. What the order costs is that a response is held in memory; [Operation.Stream] and MiddlewareConfig.Stream
// are the ways out, and say what they cost.
//
// Routes are registered first and served afterwards: the first request ends the registration.
//
// # Errors
//
// Every answer that is not a success is a [Problem], application/problem+json with the kind of the fault. [ProblemOf]
// says which kind gets which status. What a client may not know, the cause of a 5xx, is logged with the request's id,
// which is in the X-Request-ID header of each response. A panic is a 500, and the server goes on.
//
// Input that breaks a rule of its tags is a 422 that names each field; a body that is no JSON is a 400. So is whatever is
// wrong with the input of a list endpoint, one that embeds query.PageRequest, a parameter that it has no rule for included: a
// filter that is ignored shows more than was asked for. For the same reason a query string of which a part cannot be read
// is a 400 wherever parameters are read from it, and so is an operator, name[operator], of a parameter that takes none.
//
// What is wrong with a route (a tag that does not parse, a type that JSON has no form for, two routes for one pattern) is
// an error of [API.Err], and a Server does not start with it. Registration does not panic.
//
// # What flows on
//
// What a request publishes has the request's id for its correlation-id, the client's traceparent where it is well formed,
// and then its tracestate where it is printable and of at most 512 bytes: message.Flowing has them in the handler's context.
// Headers that a middleware around the API has put into the context with message.WithHeaders hold. Nothing else of a
// request is trusted: a tenant comes from whoever has checked it.
//
// # Concurrency
//
// An API is safe for concurrent use once its routes are registered, and so is a Server at any time. A handler runs in the
// goroutine of its request; its [Reply] belongs to it alone.
package web
