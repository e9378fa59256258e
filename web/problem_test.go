package web_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/web"
)

func TestProblemOfAKind(t *testing.T) {
	t.Parallel()

	for kind, status := range map[fault.Kind]int{
		fault.BadRequest: 400, fault.Unauthenticated: 401, fault.Forbidden: 403, fault.NotFound: 404, fault.Conflict: 409,
		fault.Unique: 409, fault.ForeignKey: 409, fault.Stale: 409, fault.Invalid: 422, fault.NotNull: 422, fault.Check: 422,
		fault.Unsupported: 501, fault.Serialization: 503, fault.Deadlock: 503, fault.LockTimeout: 503, fault.PoolTimeout: 503,
		fault.StatementTimeout: 503, fault.ConnectionLost: 503, fault.Canceled: 503, fault.OutcomeUnknown: 504,
		fault.PartialCommit: 500, fault.Internal: 500,
	} {
		p := web.ProblemOf(fmt.Errorf("x: %w", &fault.Error{Kind: kind, Op: "session.Flush"}))
		if p.Status != status || p.Kind != kind || p.Detail != fault.Public(kind) || p.Title != http.StatusText(status) {
			t.Errorf("%s: %+v", kind, p)
		}
	}
	for _, kind := range []fault.Kind{
		fault.NoSession, fault.SessionClosed, fault.SessionFailed, fault.ScopeClosed, fault.ConcurrentUse, fault.Flushing,
		fault.ReadOnly, fault.IdentityConflict, fault.NotPersistent, fault.Deleted, fault.KeyChanged, fault.DependencyCycle,
		fault.Misconfigured,
	} {
		p := web.ProblemOf(&fault.Error{Kind: kind, Message: "connection analytics is unknown"})
		if p.Status != 500 || p.Kind != fault.Internal || p.Detail != fault.Public(fault.Internal) {
			t.Errorf("%s: %+v", kind, p)
		}
	}
}

func TestProblemOfOtherErrors(t *testing.T) {
	t.Parallel()

	field := fault.Field{Name: "email", Message: "is taken"}
	for name, c := range map[string]struct {
		err    error
		status int
		kind   fault.Kind
		detail string
		fields int
	}{
		"no kind":    {io.EOF, 500, fault.Internal, fault.Public(io.EOF), 0},
		"own":        {fault.New(fault.Conflict, "only 2 left"), 409, fault.Conflict, "only 2 left", 0},
		"fields":     {fault.InvalidFields("op", field), 422, fault.Invalid, fault.Public(fault.Invalid), 1},
		"deadline":   {context.DeadlineExceeded, 503, fault.StatementTimeout, fault.Public(fault.StatementTimeout), 0},
		"huma's":     {huma.Error410Gone("moved away"), 410, fault.BadRequest, "moved away", 0},
		"huma's 500": {huma.NewError(200, "not an error"), 500, fault.Internal, "not an error", 0},
		"partial": {
			&uow.PartialCommitError{Durable: []string{"a"}, Failed: "b", Err: &fault.Error{Kind: fault.ConnectionLost}}, 500,
			fault.PartialCommit, fault.Public(fault.PartialCommit), 0,
		},
	} {
		p := web.ProblemOf(c.err)
		if p.Status != c.status || p.Kind != c.kind || p.Detail != c.detail || len(p.Errors) != c.fields {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// Security: neither the client nor a proxy's log learns of tables, constraints, statements or values.
func TestProblemTellsNothingOfTheDatabase(t *testing.T) {
	t.Parallel()

	driver := errors.New(`ERROR: duplicate key value violates unique constraint "users_email_key" (SQLSTATE 23505): Key (email)=(eve@example.com)`)
	err := &fault.Error{
		Kind: fault.Unique, Op: "session.Flush", Connection: "main", Entity: "shop.User", Key: "7", Table: "users",
		Constraint: "users_email_key", Columns: []string{"email"}, Code: "23505", Err: driver,
	}
	for _, e := range []error{err, driver, errors.Join(driver, err)} {
		w := &wire{ResponseRecorder: httptest.NewRecorder(), journal: &journal{}}
		web.WriteProblem(w, httptest.NewRequest(http.MethodPost, "/", nil), e)
		for _, secret := range []string{"users", "email", "23505", "main", "shop", "Flush", "eve"} {
			if strings.Contains(w.Body.String(), secret) {
				t.Errorf("%s tells %q", w.Body, secret)
			}
		}
	}
}

func TestProblemIsLoggedWhereItIsTheServersFault(t *testing.T) {
	t.Parallel()

	api, log := newAPI(web.Config{})
	web.Get(api, "/{kind}", func(_ context.Context, in struct {
		Kind string `path:"kind"`
	}) (none, error) {
		return none{}, &fault.Error{Kind: fault.Kind(in.Kind), Table: "users"}
	})
	ok(t, api)
	for _, c := range []struct{ kind, level, retry string }{
		{"not_found", "", ""}, {"unique", "", ""}, {"deadlock", "WARN", "1"}, {"no_session", "ERROR", ""}, {"outcome_unknown", "ERROR", ""},
	} {
		before := len(log.String())
		w := send(t, api, nil, "GET", "/"+c.kind, nil)
		line := log.String()[before:]
		if c.level == "" {
			if line != "" {
				t.Errorf("%s is logged: %s", c.kind, line)
			}
			continue
		}
		if w.Header().Get("Retry-After") != c.retry {
			t.Errorf("%s: Retry-After %q", c.kind, w.Header().Get("Retry-After"))
		}
		for _, want := range []string{"level=" + c.level, c.kind, "request_id=" + w.Header().Get("X-Request-ID"), "users"} {
			if !strings.Contains(line, want) {
				t.Errorf("%s: the log lacks %q: %s", c.kind, want, line)
			}
		}
	}
}

func TestUnknownPathsAndMethodsAreProblems(t *testing.T) {
	t.Parallel()

	api, _ := newAPI(web.Config{})
	web.Get(api, "/users", func(context.Context, none) (none, error) { return none{}, nil })
	ok(t, api)
	if p := send(t, api, nil, "GET", "/nope", nil).problem(t, 404); p.Kind != fault.NotFound {
		t.Errorf("%+v", p)
	}
	w := send(t, api, nil, "DELETE", "/users", nil)
	if w.problem(t, 405); w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("Allow %q", w.Header().Get("Allow"))
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()

	api, _ := newAPI(web.Config{})
	web.Get(api, "/id", func(ctx context.Context, _ none) (string, error) { return web.RequestID(ctx), nil })
	ok(t, api)
	for sent, kept := range map[string]bool{
		"abc-123_x.y:z": true, id: true, "4bf92f3577b34da6/a3ce+929d0e0e4736==": true, strings.Repeat("a", 128): true,
		"": false, "a b": false, "a\tb": false, "é": false, `a"b`: false, "<x>": false, strings.Repeat("a", 129): false, "a;b": false,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/id", nil)
		r.Header.Set("X-Request-ID", sent)
		w := serve(api, nil, r)
		got := w.Header().Get("X-Request-ID")
		if (got == sent) != kept || got == "" || strings.TrimSpace(w.Body.String()) != `"`+got+`"` {
			t.Errorf("sent %q, got %q, body %s", sent, got, w.Body)
		}
		if !kept && (len(got) != 36 || got[14] != '7') {
			t.Errorf("made %q, not a UUIDv7", got)
		}
	}
	if web.RequestID(t.Context()) != "" {
		t.Error("an id outside of a request")
	}
}
