package web_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/web"
)

type user struct {
	ID    int64
	Name  string
	Email string
}

type userCreate struct {
	Name  string `json:"name" minLength:"1"`
	Email string `json:"email" format:"email"`
}

type userSchema struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// noisy notes when it is encoded.
type noisy struct{ journal *journal }

func (n noisy) MarshalJSON() ([]byte, error) {
	n.journal.add("encode")
	return []byte(`"noisy"`), nil
}

// Promise 30: the commit comes before the first byte of the response, and before the result is encoded.
func TestPromise30CommitComesBeforeTheFirstByte(t *testing.T) {
	t.Parallel()

	j := &journal{}
	api, _ := newAPI(web.Config{})
	web.Post(api, "/users", func(ctx context.Context, in userCreate) (noisy, error) {
		enlist(ctx, &store{journal: j})
		j.add("run " + in.Name)
		web.ReplyTo(ctx).Header.Set("Location", "/users/1")
		return noisy{j}, uow.AfterCommit(ctx, func(context.Context) error { j.add("hook"); return nil })
	})
	ok(t, api)
	w := send(t, api, j, "POST", "/users", userCreate{"Eve", "eve@example.com"})
	w.body(t, 201, `"noisy"`)
	j.want(t, "run Eve", "commit", "hook", "encode", "respond 201")
	if h := w.Header(); h.Get("Location") != "/users/1" || h.Get("Content-Type") != "application/json" || h.Get("Content-Length") != "8" {
		t.Errorf("header %v", h)
	}
}

// Promise 30: a failed commit is a 5xx, or a 4xx where a constraint says so, and no 2xx was ever seen.
func TestPromise30FailedCommitIsNoSuccess(t *testing.T) {
	t.Parallel()

	for err, status := range map[error]int{
		io.EOF: 500, fault.ConnectionLost: 503, fault.OutcomeUnknown: 504, fault.PartialCommit: 500, fault.Unique: 409,
		&fault.Error{Kind: fault.Check, Table: "users", Constraint: "users_age_check", Err: io.EOF}: 422,
	} {
		j := &journal{}
		api, _ := newAPI(web.Config{})
		web.Post(api, "/users", func(ctx context.Context, _ none) (noisy, error) {
			enlist(ctx, &store{journal: j, commitErr: err})
			web.ReplyTo(ctx).Header.Set("Set-Cookie", "session=1")
			return noisy{j}, nil
		})
		w := send(t, api, j, "POST", "/users", nil)
		w.problem(t, status)
		j.want(t, "commit", "respond "+strconv.Itoa(status))
		if w.Header().Get("Set-Cookie") != "" {
			t.Error("a header of the failed unit was sent")
		}
	}
}

// Promise 31: a returned error rolls back.
func TestPromise31ReturnedErrorRollsBack(t *testing.T) {
	t.Parallel()

	j := &journal{}
	api, _ := newAPI(web.Config{})
	web.Get(api, "/users/{id}", func(ctx context.Context, in struct {
		ID int `path:"id"`
	}) (*user, error) {
		enlist(ctx, &store{journal: j})
		if in.ID == 8 {
			web.ReplyTo(ctx).Status = http.StatusTeapot
			return &user{}, nil
		}
		return nil, fault.Newf(fault.NotFound, "there is no user %d", in.ID)
	})
	ok(t, api)
	if p := send(t, api, j, "GET", "/users/7", nil).problem(t, 404); p.Detail != "there is no user 7" || p.Kind != fault.NotFound {
		t.Errorf("%+v", p)
	}
	j.want(t, "rollback", "respond 404")

	send(t, api, j, "GET", "/users/8", nil).problem(t, 500)
	j.want(t, "rollback", "respond 404", "rollback", "respond 500")
}

// Promise 36: a unit that is run again sees the input as it was sent, and its reply alone is sent.
func TestPromise36UnitThatIsRunAgainGetsANewInput(t *testing.T) {
	t.Parallel()

	type line struct {
		SKU string            `json:"sku"`
		Tag map[string]string `json:"tag"`
	}
	type in struct {
		Limit []int `query:"limit"`
		Body  struct {
			Lines []*line `json:"lines"`
		}
		RawBody []byte
	}
	j := &journal{}
	api, _ := newAPI(web.Config{})
	runs := 0
	web.Post(api, "/orders", func(ctx context.Context, in in) (string, error) {
		runs++
		if len(in.Body.Lines) != 1 || in.Body.Lines[0].SKU != "mug" || in.Body.Lines[0].Tag["a"] != "b" ||
			!slices.Equal(in.Limit, []int{1, 2}) || !strings.HasPrefix(string(in.RawBody), `{"lines"`) {
			t.Errorf("run %d sees %+v, %s", runs, in, in.RawBody)
		}
		in.Body.Lines[0].SKU, in.Limit[0] = "changed", 9
		in.Body.Lines[0].Tag["a"] = "changed"
		clear(in.RawBody)
		web.ReplyTo(ctx).Header.Add("X-Run", string(rune('0'+runs)))
		s := &store{journal: j}
		if runs < 3 {
			s.commitErr = fault.Serialization
		}
		enlist(ctx, s)
		return "done", nil
	}, web.Operation{Options: uow.Options{Retry: uow.Retry{Backoff: -1}}})
	ok(t, api)
	w := send(t, api, j, "POST", "/orders?limit=1,2", `{"lines":[{"sku":"mug","tag":{"a":"b"}}]}`)
	w.body(t, 201, `"done"`)
	j.want(t, "commit", "commit", "commit", "respond 201")
	if got := w.Header()["X-Run"]; !slices.Equal(got, []string{"3"}) {
		t.Errorf("headers of the runs: %v", got)
	}
}

func TestResultThatDoesNotEncodeIsAClean500(t *testing.T) {
	t.Parallel()

	j := &journal{}
	api, log := newAPI(web.Config{})
	web.Get(api, "/ratio", func(ctx context.Context, _ none) ([]float64, error) {
		enlist(ctx, &store{journal: j})
		web.ReplyTo(ctx).Header.Set("Etag", "1")
		return []float64{1, math.NaN()}, nil
	})
	ok(t, api)
	w := send(t, api, j, "GET", "/ratio", nil)
	if p := w.problem(t, 500); p.Kind != fault.Internal || w.Header().Get("Etag") != "" {
		t.Errorf("%+v %v", p, w.Header())
	}
	j.want(t, "commit", "respond 500")
	if !strings.Contains(log.String(), "has committed") || !strings.Contains(log.String(), "NaN") {
		t.Errorf("log %s", log)
	}
}

func TestPanicRollsBackAndTheServerGoesOn(t *testing.T) {
	t.Parallel()

	j := &journal{}
	api, log := newAPI(web.Config{})
	web.Get(api, "/panic", func(ctx context.Context, _ none) (none, error) {
		enlist(ctx, &store{journal: j})
		panic("secret: 42")
	})
	w := send(t, api, j, "GET", "/panic", nil)
	if p := w.problem(t, 500); strings.Contains(w.Body.String(), "secret") || p.Kind != fault.Internal {
		t.Errorf("%s", w.Body)
	}
	j.want(t, "rollback", "respond 500")
	for _, want := range []string{"secret: 42", "handler_test.go", w.Header().Get("X-Request-ID")} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q: %s", want, log)
		}
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
		t.Errorf("logged %d times: %s", n, log)
	}
	send(t, api, j, "GET", "/healthz", nil).body(t, 200, `{"status":"up"}`)
}

func TestAbortHandlerGoesOnToTheServer(t *testing.T) {
	t.Parallel()

	j := &journal{}
	api, log := newAPI(web.Config{})
	web.Get(api, "/abort", func(ctx context.Context, _ none) (none, error) {
		enlist(ctx, &store{journal: j})
		panic(http.ErrAbortHandler)
	})
	func() {
		defer func() {
			if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // the very value
				t.Errorf("recovered %v", p)
			}
		}()
		send(t, api, j, "GET", "/abort", nil)
	}()
	j.want(t, "rollback")
	if log.String() != "" {
		t.Errorf("logged: %s", log)
	}
}

func TestGoexitInAHandlerRollsBack(t *testing.T) {
	t.Parallel()

	j := &journal{}
	api, _ := newAPI(web.Config{})
	web.Get(api, "/exit", func(ctx context.Context, _ none) (none, error) {
		enlist(ctx, &store{journal: j})
		runtime.Goexit()
		return none{}, nil
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		serve(api, j, httptest.NewRequest(http.MethodGet, "/exit", nil))
	}()
	<-done
	j.want(t, "rollback")
}

func TestInterceptorsDecideTheResponseToo(t *testing.T) {
	t.Parallel()

	around := func(f func(ctx context.Context, op uow.Op, next uow.Handler) error) *uow.Runner {
		return uow.NewRunner(uow.Config{Interceptors: []uow.Interceptor{func(next uow.Handler) uow.Handler {
			return func(ctx context.Context, op uow.Op) error { return f(ctx, op, next) }
		}}})
	}
	for name, c := range map[string]struct {
		runner *uow.Runner
		status int
		ended  string
	}{
		"refuses":  {around(func(context.Context, uow.Op, uow.Handler) error { return fault.Forbidden }), 403, ""},
		"skips":    {around(func(context.Context, uow.Op, uow.Handler) error { return nil }), 204, ""},
		"swallows": {around(func(ctx context.Context, op uow.Op, next uow.Handler) error { _ = next(ctx, op); return nil }), 204, "commit"},
		"replaces": {around(func(ctx context.Context, op uow.Op, next uow.Handler) error {
			if err := next(ctx, op); !errors.Is(err, io.EOF) || op.Name != "POST /x/{id}" || op.Kind != uow.HTTP {
				t.Errorf("op %+v, err %v", op, err)
			}
			return fault.Conflict
		}), 409, "rollback"},
	} {
		j := &journal{}
		api, _ := newAPI(web.Config{Runner: c.runner})
		web.Post(api, "/x/{id}", func(ctx context.Context, _ none) (string, error) {
			enlist(ctx, &store{journal: j})
			web.ReplyTo(ctx).Header.Set("X-Reply", "1")
			return "", io.EOF
		})
		ok(t, api)
		w := send(t, api, nil, "POST", "/x/1", nil)
		if w.Code != c.status || w.Header().Get("X-Reply") != "" || (c.status == 204 && w.Body.Len() != 0) {
			t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
		}
		if c.ended == "" {
			j.want(t)
		} else {
			j.want(t, c.ended)
		}
	}
}

func TestStatusOfASuccess(t *testing.T) {
	t.Parallel()

	api, _ := newAPI(web.Config{})
	value := func(context.Context, none) (string, error) { return "x", nil }
	nothing := func(context.Context, none) (none, error) { return none{}, nil }
	redirect := func(ctx context.Context, _ none) (none, error) {
		r := web.ReplyTo(ctx)
		r.Status = http.StatusSeeOther
		r.Header.Set("Location", "/elsewhere")
		return none{}, nil
	}
	empty := func(ctx context.Context, _ none) (string, error) {
		web.ReplyTo(ctx).Status = http.StatusNotModified
		return "unsent", nil
	}
	web.Get(api, "/value", value)
	web.Post(api, "/value", value)
	web.Put(api, "/value", value)
	web.Patch(api, "/value", value)
	web.Delete(api, "/value", value)
	web.Get(api, "/nothing", nothing)
	web.Post(api, "/nothing", nothing)
	web.Post(api, "/accepted", value, web.Operation{Status: 202})
	web.Get(api, "/redirect", redirect)
	web.Get(api, "/empty", empty)
	ok(t, api)
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/value", 200, `"x"`},
		{"POST", "/value", 201, `"x"`},
		{"PUT", "/value", 200, `"x"`},
		{"PATCH", "/value", 200, `"x"`},
		{"DELETE", "/value", 200, `"x"`},
		{"GET", "/nothing", 204, ""},
		{"POST", "/nothing", 204, ""},
		{"POST", "/accepted", 202, `"x"`},
		{"GET", "/redirect", 303, ""},
		{"GET", "/empty", 304, ""},
	} {
		t.Log(c.method, c.path)
		send(t, api, nil, c.method, c.path, nil).body(t, c.status, c.body)
	}
}

func TestNilSliceIsAnEmptyArray(t *testing.T) {
	t.Parallel()

	api, _ := newAPI(web.Config{})
	web.Get(api, "/list", func(context.Context, none) ([]string, error) { return nil, nil })
	web.Get(api, "/pointer", func(context.Context, none) (*user, error) { return nil, nil })
	ok(t, api)
	send(t, api, nil, "GET", "/list", nil).body(t, 200, "[]")
	send(t, api, nil, "GET", "/pointer", nil).body(t, 200, "null")
}

func TestAsMapsAfterTheCommit(t *testing.T) {
	t.Parallel()

	api, _ := newAPI(web.Config{})
	late := func(ctx context.Context, u *user) *user {
		enlist(ctx, &store{journal: &journal{}, onCommit: func() { u.ID = 7 }}) // a key that the database made
		return u
	}
	web.Post(api, "/users", func(ctx context.Context, in userCreate) (*user, error) {
		return late(ctx, &user{Name: in.Name, Email: in.Email}), nil
	}, web.As[userSchema]())
	web.Get(api, "/users", func(ctx context.Context, _ none) ([]*user, error) {
		return []*user{late(ctx, &user{Name: "Eve"}), {ID: 1, Name: "Bob"}}, nil
	}, web.As[userSchema]())
	web.Get(api, "/values", func(context.Context, none) ([]user, error) {
		return []user{{ID: 1, Name: "Bob"}}, nil
	}, web.As[userSchema]())
	web.Get(api, "/none", func(context.Context, none) ([]*user, error) { return nil, nil }, web.As[userSchema]())
	web.Get(api, "/value", func(context.Context, none) (user, error) { return user{ID: 2, Name: "Al"}, nil }, web.As[userSchema]())
	web.Get(api, "/nil", func(context.Context, none) (*user, error) { return nil, nil }, web.As[userSchema]())
	web.Get(api, "/page", func(_ context.Context, in struct{ query.PageRequest }) (query.Paginated[*user], error) {
		return query.Paginated[*user]{Items: []*user{{ID: 3, Name: "Cy"}}, Total: 21, Page: in.Page, PageSize: in.PageSize}, nil
	}, web.As[userSchema]())
	web.Get(api, "/counted", func(context.Context, none) (query.Paginated[*user], error) {
		return query.Paginated[*user]{Items: []*user{}, Total: -1, PageSize: 20, Precision: query.Unknown, HasNext: new(false)}, nil
	}, web.As[userSchema]())
	web.Get(api, "/walk", func(_ context.Context, in struct{ query.CursorRequest }) (query.CursorPage[*user], error) {
		return query.CursorPage[*user]{Items: []*user{{ID: 3, Name: "Cy"}}, Prev: in.Cursor, PageSize: in.PageSize, Total: new(int64(9)), Precision: query.AtLeast}, nil
	}, web.As[userSchema]())
	ok(t, api)
	send(t, api, nil, "POST", "/users", userCreate{"Eve", "eve@example.com"}).body(t, 201, `{"id":7,"name":"Eve"}`)
	for path, want := range map[string]string{
		"/users":                     `[{"id":7,"name":"Eve"},{"id":1,"name":"Bob"}]`,
		"/values":                    `[{"id":1,"name":"Bob"}]`,
		"/none":                      `[]`,
		"/value":                     `{"id":2,"name":"Al"}`,
		"/nil":                       `null`,
		"/page?page=2&page_size=9":   `{"items":[{"id":3,"name":"Cy"}],"total":21,"page":2,"page_size":9}`,
		"/counted":                   `{"items":[],"total":-1,"page":0,"page_size":20,"precision":"unknown","has_next":false}`,
		"/walk?cursor=c&page_size=9": `{"items":[{"id":3,"name":"Cy"}],"next":"","prev":"c","page_size":9,"total":9,"precision":"at_least"}`,
	} {
		send(t, api, nil, "GET", path, nil).body(t, 200, want)
	}
	for target, field := range map[string]string{
		"/page?page_size=999": "page_size", "/walk?page_size=999": "page_size", "/walk?name=ann": "name",
		"/walk?cursor=" + strings.Repeat("a", query.MaxCursor+1): "cursor",
	} {
		if p := send(t, api, nil, "GET", target, nil).problem(t, 400); len(p.Errors) != 1 || p.Errors[0].Name != field {
			t.Errorf("%s: %+v", target, p)
		}
	}
}

func TestHeadAnswersAsGetDoes(t *testing.T) {
	t.Parallel()

	api, _ := newAPI(web.Config{})
	web.Get(api, "/users/{id}", func(_ context.Context, in struct {
		ID uuid.UUID `path:"id"`
	}) (string, error) {
		return in.ID.String(), nil
	})
	ok(t, api)
	server := httptest.NewServer(api)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, server.URL+"/users/"+uuid.Nil.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || len(b) != 0 || resp.StatusCode != 200 || resp.ContentLength != 39 {
		t.Errorf("%d, length %d, body %q, %v", resp.StatusCode, resp.ContentLength, b, err)
	}
}

func TestClientThatGoesAwayRollsBackQuietly(t *testing.T) {
	t.Parallel()

	j := &journal{}
	api, log := newAPI(web.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	web.Get(api, "/slow", func(ctx context.Context, _ none) (none, error) {
		enlist(ctx, &store{journal: j})
		cancel()
		<-ctx.Done()
		return none{}, ctx.Err()
	})
	serve(api, nil, httptest.NewRequestWithContext(ctx, http.MethodGet, "/slow", nil))
	j.want(t, "rollback")
	if strings.Contains(log.String(), "level=ERROR") || strings.Contains(log.String(), "level=WARN") {
		t.Errorf("log %s", log)
	}
}

func TestReplyOutsideOfAHandlerIsNobodys(t *testing.T) {
	t.Parallel()

	web.ReplyTo(t.Context()).Header.Set("X", "y")
	if web.ReplyTo(t.Context()).Header.Get("X") != "" {
		t.Error("the reply is shared")
	}
}
