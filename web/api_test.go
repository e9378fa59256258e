package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/web"
)

func handler[In, Out any](context.Context, In) (out Out, err error) { return out, nil }

type hiddenEmbed struct{ hiddenFields }

type hiddenFields struct{ A string }

type loop struct {
	Next *loop          `json:"next"`
	Any  any            `json:"any"`
	Skip chan int       `json:"-"`
	At   time.Time      `json:"at"`
	Keys map[string]int `json:"keys"`
}

func TestWrongRoutesAreReported(t *testing.T) {
	t.Parallel()

	type withChan struct {
		Inner []struct{ Notify chan int }
	}
	for name, c := range map[string]struct {
		register func(api *web.API)
		want     string
	}{
		"channel": {func(api *web.API) { web.Get(api, "/x", handler[none, withChan]) }, "withChan.Inner[].Notify is a chan int"},
		"func":    {func(api *web.API) { web.Get(api, "/x", handler[none, map[string]func()]) }, "which JSON has no form for"},
		"complex": {func(api *web.API) { web.Get(api, "/x", handler[none, *complex64]) }, "complex64"},
		"map key": {func(api *web.API) { web.Get(api, "/x", handler[none, map[float64]int]) }, "keys are float64"},
		"input":   {func(api *web.API) { web.Post(api, "/x", handler[withChan, none]) }, "Notify is a chan int"},
		"body": {func(api *web.API) {
			web.Post(api, "/x", handler[struct {
				ID   int `query:"id"`
				Body withChan
			}, none])
		}, "Notify is a chan int"},
		"pointer input":  {func(api *web.API) { web.Post(api, "/x", handler[*user, none]) }, "must be a value"},
		"body of a GET":  {func(api *web.API) { web.Get(api, "/x", handler[user, none]) }, "a GET has no body"},
		"untagged field": {func(api *web.API) { web.Get(api, "/x", handler[mixed, none]) }, "field Lost of web_test.mixed"},
		"embedded":       {func(api *web.API) { web.Post(api, "/x", handler[hiddenEmbed, none]) }, "only exported structs"},
		"path parameter": {func(api *web.API) {
			web.Get(api, "/x/{name}", handler[struct {
				ID int `path:"id"`
			}, none])
		}, "the path has no {id}"},
		"pointer parameter": {func(api *web.API) {
			web.Get(api, "/x", handler[struct {
				ID *int `query:"id"`
			}, none])
		}, "pointers are not supported"},
		"bad tag": {func(api *web.API) {
			web.Get(api, "/x", handler[struct {
				N int `query:"n" minimum:"few"`
			}, none])
		}, "few"},
		"bad pattern":       {func(api *web.API) { web.Get(api, "/{", handler[none, none]) }, "/{"},
		"status":            {func(api *web.API) { web.Get(api, "/x", handler[none, none], web.Operation{Status: 404}) }, "404 is not one of a success"},
		"body of a 204":     {func(api *web.API) { web.Get(api, "/x", handler[none, user], web.Operation{Status: 204}) }, "a 204 has no body"},
		"not a stream":      {func(api *web.API) { web.Get(api, "/x", handler[none, user], web.Operation{Stream: true}) }, "web.Stream"},
		"As of no entity":   {func(api *web.API) { web.Get(api, "/x", handler[none, int], web.As[userSchema]()) }, "needs an entity"},
		"As with a gap":     {func(api *web.API) { web.Get(api, "/x", handler[none, Line], web.As[userSchema]()) }, "Name"},
		"As of a page":      {func(api *web.API) { web.Get(api, "/x", handler[none, query.Paginated[int]], web.As[userSchema]()) }, "needs an entity"},
		"twice":             {func(api *web.API) { web.Get(api, "/x", handler[none, none]); web.Get(api, "/x", handler[none, none]) }, "GET /x"},
		"nil handler":       {func(api *web.API) { api.Handle("GET /x", nil) }, "the handler is nil"},
		"own path of urutu": {func(api *web.API) { api.Handle("GET /healthz", http.NotFoundHandler()) }, "/healthz"},
		"after the start":   {func(api *web.API) { _, _ = api.Document(); web.Get(api, "/x", handler[none, none]) }, "after the first request"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			api, _ := newAPI(web.Config{})
			c.register(api)
			err := api.Err()
			if !errors.Is(err, fault.Misconfigured) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("err = %v", err)
			}
			server := web.NewServer(web.ServerConfig{Addr: "127.0.0.1:0", Handler: api})
			if err := server.Start(t.Context()); !errors.Is(err, fault.Misconfigured) {
				t.Errorf("the server started: %v", err)
				_ = server.Stop(t.Context())
			}
			if name != "after the start" {
				send(t, api, nil, "GET", "/healthz", nil).problem(t, 500)
			}
		})
	}
}

type mixed struct {
	ID   int `query:"id"`
	Lost string
}

func TestRecursiveTypesAreFine(t *testing.T) {
	t.Parallel()

	api, _ := newAPI(web.Config{})
	web.Post(api, "/loop", func(_ context.Context, in struct {
		Name string `json:"name"`
	}) (*loop, error) {
		return &loop{Next: &loop{}}, nil
	})
	ok(t, api)
	if w := send(t, api, nil, "POST", "/loop", `{"name":"x"}`); w.Code != 201 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// node walks a document of any shape.
func node(t *testing.T, v any, path ...string) any {
	t.Helper()
	for _, p := range path {
		m, _ := v.(map[string]any)
		if v = m[p]; v == nil {
			t.Fatalf("the document has no %v (at %s): %v", path, p, m)
		}
	}
	return v
}

func TestOpenAPIDocument(t *testing.T) {
	t.Parallel()

	type patch struct {
		Name entity.Opt[string]    `json:"name,omitzero"`
		Ref  entity.Opt[uuid.UUID] `json:"ref,omitzero"`
	}
	api, _ := newAPI(web.Config{Title: "Shop", Version: "1.2.3"})
	web.Post(api, "/users", handler[userCreate, *user], web.As[userSchema](), web.Operation{Tags: []string{"users"}})
	web.Get(api, "/users/{id}/orders/{rest...}", handler[struct {
		ID   uuid.UUID `path:"id"`
		Rest string    `path:"rest"`
	}, none])
	web.Get(api, "/page", handler[struct{ query.PageRequest }, query.Paginated[*user]], web.As[userSchema]())
	web.Patch(api, "/users", handler[patch, order])
	web.Get(api, "/hidden", handler[none, none], web.Operation{Hidden: true})
	ok(t, api)

	w := send(t, api, nil, "GET", "/openapi.json", nil)
	var doc any
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Code != 200 {
		t.Fatalf("%d %v", w.Code, err)
	}
	if fromCode, err := api.Document(); err != nil || string(fromCode) != w.Body.String() {
		t.Errorf("Document differs: %v", err)
	}
	if node(t, doc, "info", "title") != "Shop" || node(t, doc, "openapi") != "3.1.0" {
		t.Errorf("%v", node(t, doc, "info"))
	}
	post := node(t, doc, "paths", "/users", "post")
	if node(t, post, "operationId") != "post-users" || node(t, post, "summary") != "Post users" {
		t.Errorf("%v", post)
	}
	ref := func(v any, want string) {
		t.Helper()
		if got := node(t, v, "schema", "$ref"); got != "#/components/schemas/"+want {
			t.Errorf("ref %v, want %s", got, want)
		}
	}
	ref(node(t, post, "responses", "201", "content", "application/json"), "UserSchema")
	ref(node(t, post, "requestBody", "content", "application/json"), "UserCreate")
	ref(node(t, post, "responses", "default", "content", "application/problem+json"), "Problem")
	ref(node(t, doc, "paths", "/page", "get", "responses", "200", "content", "application/json"), "PaginatedUserSchema")
	node(t, doc, "paths", "/users/{id}/orders/{rest}", "get", "responses", "204")
	schemas := node(t, doc, "components", "schemas")
	if got := node(t, schemas, "Order", "properties", "user_id", "format"); got != "uuid" {
		t.Errorf("a UUID is %v", got)
	}
	if got, _ := json.Marshal(node(t, schemas, "Patch", "properties", "name", "type")); string(got) != `["string","null"]` {
		t.Errorf("an Opt is %s", got)
	}
	if m := schemas.(map[string]any); m["ErrorModel"] != nil || m["User"] != nil {
		t.Errorf("the document tells of more than it should: %v", m)
	}
	if strings.Contains(w.Body.String(), "/hidden") {
		t.Error("a hidden route is documented")
	}
}

func TestTypesOfOneNameGetTheirOwnSchemas(t *testing.T) {
	t.Parallel()

	type user struct { // not the user of this package
		Nick string `json:"nick"`
	}
	api, _ := newAPI(web.Config{})
	web.Get(api, "/a", func(context.Context, none) (user, error) { return user{}, nil })
	web.Get(api, "/b", packageUser)
	web.Get(api, "/c", func(context.Context, none) (web.Problem, error) { return web.Problem{}, nil })
	ok(t, api)
	doc, err := api.Document()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"User":{`, `"Web_testUser":{`, `"nick":{`, `"Problem":{`} {
		if !strings.Contains(string(doc), want) {
			t.Errorf("the document lacks %s: %s", want, doc)
		}
	}
}

func packageUser(context.Context, none) (user, error) { return user{}, nil }

func TestDocsCanBeSwitchedOff(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		cfg        web.Config
		docs, spec int
	}{
		{web.Config{Title: "<Shop>"}, 200, 200}, {web.Config{NoDocs: true}, 404, 200}, {web.Config{NoOpenAPI: true}, 404, 404},
	} {
		api, _ := newAPI(c.cfg)
		page := send(t, api, nil, "GET", "/docs", nil)
		if page.Code != c.docs {
			t.Errorf("%+v: /docs %d", c.cfg, page.Code)
		}
		if c.docs == 200 && (!strings.Contains(page.Body.String(), "/openapi.yaml") || strings.Contains(page.Body.String(), "<Shop>") ||
			page.Header().Get("Content-Security-Policy") == "") {
			t.Errorf("page %s", page.Body)
		}
		for _, path := range []string{"/openapi.json", "/openapi.yaml"} {
			if w := send(t, api, nil, "GET", path, nil); w.Code != c.spec {
				t.Errorf("%+v: %s %d", c.cfg, path, w.Code)
			}
		}
	}
}

func TestHealthAndReadiness(t *testing.T) {
	t.Parallel()

	down := errors.New("password authentication failed for user \"shop\"")
	for name, c := range map[string]struct {
		checks []web.Check
		up     bool
	}{
		"none":  {nil, true},
		"up":    {[]web.Check{{"a", func(context.Context) error { return nil }}}, true},
		"down":  {[]web.Check{{"a", func(context.Context) error { return nil }}, {"db", func(context.Context) error { return down }}}, false},
		"panic": {[]web.Check{{"db", func(context.Context) error { panic(down) }}}, false},
	} {
		api, log := newAPI(web.Config{Ready: c.checks})
		w := send(t, api, nil, "GET", "/readyz", nil)
		if c.up {
			w.body(t, 200, `{"status":"up"}`)
		} else {
			w.body(t, 503, `{"status":"down"}`)
			if !strings.Contains(log.String(), "password authentication") || !strings.Contains(log.String(), "check=db") {
				t.Errorf("%s: log %s", name, log)
			}
		}
		send(t, api, nil, "GET", "/healthz", nil).body(t, 200, `{"status":"up"}`)
	}
}

func TestReadinessIsBounded(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		api, _ := newAPI(web.Config{Ready: []web.Check{{"a", hang}, {"b", hang}}})
		send(t, api, nil, "GET", "/readyz", nil).body(t, 503, `{"status":"down"}`)
		if d := time.Since(begin); d != 2*time.Second {
			t.Errorf("took %s", d)
		}
	})
}

func TestMiddlewareOfTheAPIWrapsEverything(t *testing.T) {
	t.Parallel()

	j := &journal{}
	around := func(name string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if web.RequestID(r.Context()) == "" {
					t.Error("no request id yet")
				}
				j.add("enter " + name)
				w.Header().Add("Vary", name)
				next.ServeHTTP(w, r)
			})
		}
	}
	api, _ := newAPI(web.Config{Middleware: []func(http.Handler) http.Handler{around("1"), around("2")}})
	api.Handle("GET /plain", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	ok(t, api)
	if w := send(t, api, j, "GET", "/plain", nil); w.Code != http.StatusTeapot {
		t.Errorf("%d", w.Code)
	}
	if w := send(t, api, j, "GET", "/nope", nil); w.Header().Get("Vary") != "1" {
		t.Errorf("a problem lost the headers of the middleware: %v", w.Header())
	}
	j.want(t, "enter 1", "enter 2", "respond 418", "enter 1", "enter 2", "respond 404")
}

func TestPanicInAPlainHandler(t *testing.T) {
	t.Parallel()

	api, log := newAPI(web.Config{})
	api.Handle("GET /early", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("early") }))
	api.Handle("GET /late", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half of it"))
		panic("late")
	}))
	ok(t, api)
	send(t, api, nil, "GET", "/early", nil).problem(t, 500)
	func() {
		defer func() {
			if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // the very value
				t.Errorf("recovered %v", p)
			}
		}()
		serve(api, nil, httptest.NewRequest(http.MethodGet, "/late", nil))
	}()
	if !strings.Contains(log.String(), "panic=early") || !strings.Contains(log.String(), "panic=late") {
		t.Errorf("log %s", log)
	}
}

// The first requests come at once: the document is rendered once, and every one of them is answered. For the race detector.
func TestFirstRequestsComeAtOnce(t *testing.T) {
	t.Parallel()

	api, _ := newAPI(web.Config{})
	web.Post(api, "/users", handler[userCreate, *user], web.As[userSchema]())
	ok(t, api)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			if i%2 == 0 {
				if w := serve(api, nil, httptest.NewRequest(http.MethodGet, "/openapi.yaml", nil)); w.Code != 200 || w.Body.Len() == 0 {
					t.Errorf("%d %s", w.Code, w.Body)
				}
				return
			}
			body := strings.NewReader(`{"name":"Eve","email":"eve@example.com"}`)
			if w := serve(api, nil, httptest.NewRequest(http.MethodPost, "/users", body)); w.Code != 201 {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	wg.Wait()
}
