package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/web"
)

// order is a JSON body with lines.
type order struct {
	UserID uuid.UUID `json:"user_id"`
	Lines  []Line    `json:"lines" minItems:"1"`
	Note   *string   `json:"note,omitempty"`
	Due    time.Time `json:"due,omitzero"`
}

// Line is exported because it is embedded below.
type Line struct {
	ProductID uuid.UUID `json:"product_id"`
	Quantity  int       `json:"quantity" minimum:"1"`
}

const id = "0198a3f0-7c11-7b3a-9d60-0d6d3b1c2a01"

// Promise 32: invalid input is a 422 with the names of the fields, and nothing has begun.
func TestPromise32InvalidInputNamesItsFields(t *testing.T) {
	t.Parallel()

	f := func(s ...string) (fields []fault.Field) {
		for i := 0; i < len(s); i += 2 {
			fields = append(fields, fault.Field{Name: s[i], Message: s[i+1]})
		}
		return fields
	}
	good := `{"product_id":"` + id + `","quantity":1}`
	for name, c := range map[string]struct {
		body   string
		status int
		kind   fault.Kind
		fields []fault.Field
	}{
		"missing":       {`{"lines":[` + good + `]}`, 422, fault.Invalid, f("user_id", "is required")},
		"missing below": {`{"user_id":"` + id + `","lines":[{"product_id":"` + id + `"}]}`, 422, fault.Invalid, f("lines[0].quantity", "is required")},
		"two": {
			`{"user_id":"` + id + `","lines":[` + good + `,{"product_id":"` + id + `","quantity":0}],"more":1}`, 422, fault.Invalid,
			f("lines[1].quantity", "expected number >= 1", "more", "unexpected property"),
		},
		"wrong type":   {`{"user_id":7,"lines":[` + good + `]}`, 422, fault.Invalid, f("user_id", "expected string")},
		"no items":     {`{"user_id":"` + id + `","lines":[]}`, 422, fault.Invalid, f("lines", "expected array length >= 1")},
		"not a UUID":   {`{"user_id":"x","lines":[` + good + `]}`, 422, fault.Invalid, f("user_id", "expected string to be RFC 4122 uuid: invalid UUID length: 1")},
		"not a time":   {`{"user_id":"` + id + `","lines":[` + good + `],"due":"tomorrow"}`, 422, fault.Invalid, f("due", "expected string to be RFC 3339 date-time")},
		"not an array": {`[]`, 422, fault.Invalid, f("body", "expected object")},
		"number":       {`{"user_id":"` + id + `","lines":[{"product_id":"` + id + `","quantity":99999999999999999999}]}`, 422, fault.Invalid, f("lines[0].quantity", "has the wrong form")},
		"not JSON":     {`{"user_id":`, 400, fault.BadRequest, f("body", "is not valid JSON")},
		"more than one": {
			`{"user_id":"` + id + `","lines":[` + good + `]} {}`, 400, fault.BadRequest, f("body", "is not valid JSON"),
		},
		"huge number": {`{"user_id":"` + id + `","lines":[{"product_id":"` + id + `","quantity":1e999}]}`, 400, fault.BadRequest, f("lines[0].quantity", "has the wrong form")},
		"nothing":     {``, 400, fault.BadRequest, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			j := &journal{}
			runner := uow.NewRunner(uow.Config{Interceptors: []uow.Interceptor{func(next uow.Handler) uow.Handler {
				return func(ctx context.Context, op uow.Op) error { j.add("unit"); return next(ctx, op) }
			}}})
			api, _ := newAPI(web.Config{Runner: runner})
			web.Post(api, "/orders", func(context.Context, order) (none, error) { j.add("run"); return none{}, nil })
			ok(t, api)
			w := send(t, api, nil, "POST", "/orders", c.body)
			p := w.problem(t, c.status)
			if p.Kind != c.kind || !reflect.DeepEqual(p.Errors, c.fields) {
				t.Errorf("got  %s %+v\nwant %s %+v", p.Kind, p.Errors, c.kind, c.fields)
			}
			if strings.Contains(w.Body.String(), "web_test") || strings.Contains(w.Body.String(), "json:") {
				t.Errorf("the problem tells of Go: %s", w.Body)
			}
			j.want(t)
		})
	}
}

type listQuery struct {
	Limit  int       `query:"limit" minimum:"1" default:"20"`
	Status string    `query:"status" enum:"open,paid"`
	Since  time.Time `query:"since"`
	Tenant string    `header:"X-Tenant" required:"true"`
	Cookie string    `cookie:"session"`
	ID     uuid.UUID `path:"id"`
}

func TestPromise32ParametersAreChecked(t *testing.T) {
	t.Parallel()

	api, _ := newAPI(web.Config{})
	var got listQuery
	web.Get(api, "/users/{id}/orders", func(_ context.Context, in listQuery) (none, error) { got = in; return none{}, nil })
	ok(t, api)
	request := func(target string, set func(h http.Header)) *wire {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
		set(r.Header)
		return serve(api, nil, r)
	}
	w := request("/users/"+id+"/orders?status=open&since=2026-01-02T03:04:05Z", func(h http.Header) {
		h.Set("X-Tenant", "acme")
		h.Set("Cookie", "session=abc")
	})
	want := listQuery{20, "open", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "acme", "abc", uuid.MustParse(id)}
	if w.Code != 204 || got != want {
		t.Errorf("%d: got %+v, want %+v", w.Code, got, want)
	}
	p := request("/users/x/orders?limit=zero&status=lost&since=now", func(http.Header) {}).problem(t, 422)
	var names []string
	for _, f := range p.Errors {
		names = append(names, f.Name)
	}
	if !reflect.DeepEqual(names, []string{"limit", "status", "since", "X-Tenant", "id"}) {
		t.Errorf("%+v", p.Errors)
	}
}

func TestBodyWithParameters(t *testing.T) {
	t.Parallel()

	api, _ := newAPI(web.Config{})
	web.Put(api, "/users/{id}", func(_ context.Context, in struct {
		ID   int `path:"id"`
		Body userCreate
	}) (string, error) {
		return fmt.Sprintf("%d %s", in.ID, in.Body.Name), nil
	})
	web.Post(api, "/list", func(_ context.Context, in []Line) (int, error) { return len(in), nil })
	web.Post(api, "/comment", func(_ context.Context, in struct {
		Body string `json:"body"`
	}) (string, error) {
		return in.Body, nil
	})
	ok(t, api)
	send(t, api, nil, "PUT", "/users/7", userCreate{"Eve", "eve@example.com"}).body(t, 200, `"7 Eve"`)
	send(t, api, nil, "POST", "/list", []Line{{Quantity: 1}, {Quantity: 2}}).body(t, 201, `2`)
	send(t, api, nil, "POST", "/comment", `{"body":"hi"}`).body(t, 201, `"hi"`)
	if p := send(t, api, nil, "POST", "/list", `[{"product_id":"`+id+`","quantity":0}]`).problem(t, 422); p.Errors[0].Name != "[0].quantity" {
		t.Errorf("%+v", p.Errors)
	}
}

func TestPatchTellsAbsentNullAndValueApart(t *testing.T) {
	t.Parallel()

	type patch struct {
		Name entity.Opt[string]    `json:"name,omitzero"`
		Age  entity.Opt[int]       `json:"age,omitzero"`
		Ref  entity.Opt[uuid.UUID] `json:"ref,omitzero"`
	}
	api, _ := newAPI(web.Config{})
	var got patch
	web.Patch(api, "/users", func(_ context.Context, in patch) (none, error) { got = in; return none{}, nil })
	ok(t, api)
	send(t, api, nil, "PATCH", "/users", `{"name":null,"age":0}`).body(t, 204, "")
	if _, value := got.Name.Get(); value || got.Name.IsZero() || !got.Ref.IsZero() {
		t.Errorf("%+v", got)
	}
	if age, value := got.Age.Get(); !value || age != 0 {
		t.Errorf("age %d, %v", age, value)
	}
	if p := send(t, api, nil, "PATCH", "/users", `{"age":"old"}`).problem(t, 422); p.Errors[0].Name != "age" {
		t.Errorf("%+v", p.Errors)
	}
}

// level knows its own text form.
type level int

func (l *level) UnmarshalText(b []byte) error {
	switch string(b) {
	case "low":
		*l = 1
	case "high":
		*l = 2
	case "odd":
		return fault.New(fault.Invalid, "odd levels are out of stock")
	default:
		return fmt.Errorf("level %q: secret detail", b)
	}
	return nil
}

func TestTypeThatRefusesItsTextIsNamedByItsPath(t *testing.T) {
	t.Parallel()

	type deep struct {
		ByName map[string][]*level `json:"by_name"`
		Line
		Other struct {
			Level level
		} `json:"other"`
	}
	api, _ := newAPI(web.Config{})
	web.Post(api, "/levels", func(context.Context, deep) (none, error) { return none{}, nil })
	ok(t, api)
	const rest = `,"product_id":"` + id + `","quantity":1,"other":{"Level":"%s"}}`
	p := send(t, api, nil, "POST", "/levels", fmt.Sprintf(`{"by_name":{"a":["low"],"b":["low","wrong"]}`+rest, "high")).problem(t, 422)
	if len(p.Errors) != 1 || p.Errors[0] != (fault.Field{Name: "by_name.b[1]", Message: "has the wrong form"}) {
		t.Errorf("%+v", p.Errors)
	}
	p = send(t, api, nil, "POST", "/levels", fmt.Sprintf(`{"by_name":{}`+rest, "wrong")).problem(t, 422)
	if len(p.Errors) != 1 || p.Errors[0].Name != "other.Level" {
		t.Errorf("%+v", p.Errors)
	}
	p = send(t, api, nil, "POST", "/levels", fmt.Sprintf(`{"by_name":{}`+rest, "odd")).problem(t, 422)
	if len(p.Errors) != 1 || p.Errors[0] != (fault.Field{Name: "other.Level", Message: "odd levels are out of stock"}) {
		t.Errorf("%+v", p.Errors)
	}
}

// resolved is an input that checks itself.
type resolved struct {
	From int `query:"from"`
	To   int `query:"to"`
}

func (r *resolved) Resolve(huma.Context) []error {
	if r.From > r.To {
		return []error{&huma.ErrorDetail{Location: "query.from", Message: "must not lie behind to", Value: r.From}}
	}
	return nil
}

func TestInputMayCheckItself(t *testing.T) {
	t.Parallel()

	api, _ := newAPI(web.Config{})
	web.Get(api, "/range", func(context.Context, resolved) (none, error) { return none{}, nil })
	ok(t, api)
	send(t, api, nil, "GET", "/range?from=1&to=2", nil).body(t, 204, "")
	p := send(t, api, nil, "GET", "/range?from=3&to=2", nil).problem(t, 422)
	if len(p.Errors) != 1 || p.Errors[0] != (fault.Field{Name: "from", Message: "must not lie behind to"}) {
		t.Errorf("%+v", p.Errors)
	}
}

func TestBodyLimits(t *testing.T) {
	t.Parallel()

	api, _ := newAPI(web.Config{MaxBody: 10})
	web.Post(api, "/small", func(_ context.Context, in []int) (int, error) { return len(in), nil })
	web.Post(api, "/large", func(_ context.Context, in []int) (int, error) { return len(in), nil }, web.Operation{MaxBody: 20})
	ok(t, api)
	send(t, api, nil, "POST", "/small", `[1,2,3,45]`).body(t, 201, "4") // the limit itself is allowed
	send(t, api, nil, "POST", "/small", `[1,2,3,456]`).problem(t, 413)
	send(t, api, nil, "POST", "/large", `[1,2,3,456]`).body(t, 201, "4")
	chunked := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/small", io.MultiReader(strings.NewReader(`[1,2,3,456]`)))
	chunked.ContentLength = -1
	serve(api, nil, chunked).problem(t, 413)
	broken := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/small", io.MultiReader(strings.NewReader(`[`), failing{io.ErrUnexpectedEOF}))
	if p := serve(api, nil, broken).problem(t, 400); p.Detail != "the body cannot be read" {
		t.Errorf("%+v", p)
	}
	slow := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/small", failing{timeout{}})
	serve(api, nil, slow).problem(t, 408)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

type timeout struct{}

func (timeout) Error() string   { return "i/o timeout" }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

func TestContentTypes(t *testing.T) {
	t.Parallel()

	api, _ := newAPI(web.Config{})
	web.Post(api, "/n", func(_ context.Context, in []int) (int, error) { return len(in), nil })
	ok(t, api)
	for contentType, status := range map[string]int{
		"": 201, "application/json": 201, "Application/JSON; charset=utf-8": 201, "application/vnd.api+json": 201,
		"text/plain": 415, "application/x-www-form-urlencoded": 415, "json": 415, ";": 415,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/n", strings.NewReader(`[1]`))
		r.Header.Set("Content-Type", contentType)
		if w := serve(api, nil, r); w.Code != status {
			t.Errorf("%q: %d %s, want %d", contentType, w.Code, w.Body, status)
		} else if status == 415 {
			w.problem(t, 415)
		}
	}
}

func TestMultipartSurvivesARetry(t *testing.T) {
	t.Parallel()

	type in struct {
		RawBody huma.MultipartFormFiles[struct {
			Name string        `form:"name"`
			File huma.FormFile `form:"file" required:"true"`
		}]
	}
	api, _ := newAPI(web.Config{})
	runs := 0
	web.Post(api, "/files", func(_ context.Context, in in) (string, error) {
		runs++
		data := in.RawBody.Data()
		content, err := io.ReadAll(data.File)
		if err != nil {
			return "", err
		}
		if runs == 1 {
			return "", fault.Serialization
		}
		return data.Name + " " + string(content), nil
	}, web.Operation{Options: uow.Options{Retry: uow.Retry{Backoff: -1}}})
	ok(t, api)
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	part, err := m.CreateFormFile("file", "a.txt")
	if err == nil {
		_, err = part.Write([]byte("content"))
	}
	if err = errors.Join(err, m.WriteField("name", "Eve"), m.Close()); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/files", &b)
	r.Header.Set("Content-Type", m.FormDataContentType())
	serve(api, nil, r).body(t, 201, `"Eve content"`)
}

// FuzzInput sends any body to a typed handler: it is a success or the client's fault, never the server's.
func FuzzInput(f *testing.F) {
	for _, seed := range []string{
		`{"user_id":"` + id + `","lines":[{"product_id":"` + id + `","quantity":1}]}`, `{"lines":[null]}`, `[`, `null`, `"\ud800"`,
		`{"USER_ID":"x","lines":[{"product_id":"` + id + `","quantity":1e400}]}`, "\x00", `{"user_id":1,"user_id":2}`,
	} {
		f.Add([]byte(seed))
	}
	api := web.New(web.Config{})
	web.Post(api, "/orders", func(_ context.Context, in order) (order, error) { return in, nil })
	if err := api.Err(); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/orders", bytes.NewReader(body))
		w := serve(api, nil, r)
		if w.Code != 201 && w.Code != 400 && w.Code != 422 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Fatalf("the response is no JSON: %s", w.Body)
		}
	})
}
