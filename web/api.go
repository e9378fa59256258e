package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/uow"
)

// Config is how an [API] is made. The zero value is usable.
type Config struct {
	// Title and Version are those of the OpenAPI document. They default to "API" and "0.0.0".
	Title, Version string
	// Description is that of the OpenAPI document.
	Description string
	// Runner runs the units of work. Defaults to one without interceptors that knows no database.
	Runner *uow.Runner
	// Logger takes server errors. Defaults to slog.Default().
	Logger *slog.Logger
	// MaxBody is how many bytes a request's body may have, unless its route says otherwise. Defaults to 1 MiB.
	MaxBody int64
	// Middleware wraps everything that the API serves, the first outermost: authentication, CORS, compression. It runs
	// outside of the units.
	Middleware []func(http.Handler) http.Handler
	// Ready are what /readyz asks. An API without any is always ready.
	Ready []Check
	// ReadyTimeout bounds the checks together. Defaults to 2 seconds.
	ReadyTimeout time.Duration
	// NoDocs switches /docs off, NoOpenAPI /openapi.json and /openapi.yaml, and with them /docs.
	NoDocs, NoOpenAPI bool
}

// withDefaults returns a copy of c whose fields are all set.
func (c Config) withDefaults() Config {
	c.Title = cmp.Or(c.Title, "API")
	c.Version = cmp.Or(c.Version, "0.0.0")
	c.MaxBody = cmp.Or(c.MaxBody, 1<<20)
	c.ReadyTimeout = cmp.Or(c.ReadyTimeout, 2*time.Second)
	c.Middleware = slices.Clone(c.Middleware)
	c.Ready = slices.Clone(c.Ready)
	if c.Runner == nil {
		c.Runner = uow.NewRunner(uow.Config{Logger: c.Logger})
	}
	return c
}

// API is an http.Handler with typed routes. Routes are registered before the first request; from then on it is immutable
// and safe for concurrent use.
type API struct {
	cfg      Config
	mux      *http.ServeMux
	huma     huma.API
	registry *registry

	mu     sync.Mutex // protects errs, frozen and all registration
	errs   []error
	frozen bool

	freeze  sync.Once
	handler http.Handler
	json    []byte
	yaml    []byte
}

// New returns an API without routes but for /healthz, /readyz, /openapi.json, /openapi.yaml and /docs.
func New(cfg Config) *API {
	a := &API{cfg: cfg.withDefaults(), mux: http.NewServeMux(), registry: newRegistry()}
	a.huma = huma.NewAPI(huma.Config{OpenAPI: &huma.OpenAPI{
		Info:       &huma.Info{Title: a.cfg.Title, Version: a.cfg.Version, Description: a.cfg.Description},
		Components: &huma.Components{Schemas: a.registry},
	}}, &decoder{})
	a.mux.HandleFunc("GET /healthz", a.serveHealth)
	a.mux.HandleFunc("GET /readyz", a.serveReady)
	if !a.cfg.NoOpenAPI {
		a.mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
			serveBytes(w, "application/openapi+json", a.json)
		})
		a.mux.HandleFunc("GET /openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
			serveBytes(w, "application/openapi+yaml", a.yaml)
		})
		if !a.cfg.NoDocs {
			a.mux.Handle("GET /docs", docs(a.cfg.Title))
		}
	}
	return a
}

// Handle registers a plain handler under a pattern of http.ServeMux. It has a request id, and its panics are answered
// and logged, but it runs in no unit of work unless it is wrapped by a [Middleware].
func (a *API) Handle(pattern string, h http.Handler) {
	a.add(pattern, func() (http.Handler, error) {
		if h == nil {
			return nil, errors.New("the handler is nil")
		}
		return h, nil
	})
}

// OpenAPI returns the document that the routes are described in. It may be changed (security schemes, servers) until the
// first request.
func (a *API) OpenAPI() *huma.OpenAPI { return a.huma.OpenAPI() }

// Document returns the OpenAPI document as JSON. As the first request does, it ends the registration of routes.
func (a *API) Document() ([]byte, error) {
	a.start()
	return slices.Clone(a.json), a.Err()
}

// Err returns what was wrong with the registered routes, joined, or nil. A [Server] asks before it starts; an API that
// is served in spite of its errors answers every request with a 500.
func (a *API) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return errors.Join(a.errs...)
}

// add registers the handler that build makes, or notes why it cannot be.
func (a *API) add(pattern string, build func() (http.Handler, error)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("%v", p)
			}
		}()
		if a.frozen {
			return errors.New("registered after the first request")
		}
		h, err := build()
		if err != nil {
			return err
		}
		a.mux.Handle(pattern, h)
		return nil
	}()
	if err != nil {
		a.errs = append(a.errs, &fault.Error{Kind: fault.Misconfigured, Op: "web: " + pattern, Err: err})
	}
}

// start ends the registration, once.
func (a *API) start() {
	a.freeze.Do(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.frozen = true
		var err error
		if a.json, a.yaml, err = document(a.huma.OpenAPI()); err != nil {
			a.errs = append(a.errs, &fault.Error{Kind: fault.Misconfigured, Op: "web", Err: err})
		}
		a.handler = http.HandlerFunc(a.route)
		if err := errors.Join(a.errs...); err != nil {
			a.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { WriteProblem(w, r, err) })
		}
		for _, m := range slices.Backward(a.cfg.Middleware) {
			a.handler = m(a.handler)
		}
	})
}

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.start()
	r = begin(w, r, a.cfg.Logger)
	t := track(w)
	defer recoverPanic(t, r)
	a.handler.ServeHTTP(t, r)
}

// route finds the request's handler. What ServeMux says about paths and methods that it does not know becomes a problem.
func (a *API) route(w http.ResponseWriter, r *http.Request) {
	h, pattern := a.mux.Handler(r)
	if pattern != "" {
		a.mux.ServeHTTP(w, r)
		return
	}
	var refused refusal
	h.ServeHTTP(&refused, r)
	if allow := refused.Header().Get("Allow"); allow != "" {
		w.Header().Set("Allow", allow)
	}
	if refused.status == http.StatusMethodNotAllowed {
		WriteProblem(w, r, refuse(refused.status, fault.BadRequest, "the method is not allowed here"))
		return
	}
	WriteProblem(w, r, refuse(http.StatusNotFound, fault.NotFound, "there is no such path"))
}

// refusal notes the status that ServeMux answers with.
type refusal struct {
	discard
	status int
}

func (r *refusal) WriteHeader(status int) { r.status = status }

// recoverPanic is deferred around handlers: a panic becomes a logged 500 and the server goes on. The panic that asks for
// the connection to be broken off goes on to net/http, as does one that comes in the middle of a response.
func recoverPanic(w *tracker, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	err, ok := p.(error)
	if ok && errors.Is(err, http.ErrAbortHandler) {
		panic(http.ErrAbortHandler)
	}
	stack := debug.Stack()
	var wrapped *uow.PanicError
	if ok && errors.As(err, &wrapped) {
		stack = wrapped.Stack
	}
	c := callOf(r.Context())
	c.log().ErrorContext(
		r.Context(), "handler panicked", "request_id", c.id, "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(p),
		"stack", string(stack),
	)
	failResponse(w, r.WithContext(quiet(r.Context())), fault.Internal)
}

// quiet returns a context whose request logs nothing more.
func quiet(ctx context.Context) context.Context {
	return context.WithValue(ctx, callKey{}, &call{id: callOf(ctx).id, logger: slog.New(slog.DiscardHandler)})
}

func serveBytes(w http.ResponseWriter, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(body)
}
