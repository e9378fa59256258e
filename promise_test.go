package urutu_test

// Promises that need the whole of it: a request from a real client, a unit of work, and a real database, on each
// database that urutu supports.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/urututest"
	"github.com/urutu-go/urutu/web"
)

// Member has a key that the session makes, dates, a version, and two columns that only the database knows.
type Member struct {
	entity.Identifiable
	entity.Dated
	entity.Versioned
	Email string `db:"email,unique"`
	Rank  string `db:"rank,default='novice'"`
	Width int64  `db:"width,generated=length(email)"`
}

type newMember struct {
	Email string `json:"email" minLength:"3"`
}

type memberView struct {
	ID      uuid.UUID `json:"id"`
	Email   string    `json:"email"`
	Version int64     `json:"version"`
	Rank    string    `json:"rank"`
	Width   int64     `json:"width"`
}

var members = entity.Columns[Member]()

// service is an API over a database with a client for it.
type service struct {
	*session.DB
	api *web.API
	url string
}

// serve runs fn with a service on each database, at the same time.
func serve(t *testing.T, fn func(t *testing.T, s *service)) {
	t.Helper()
	t.Parallel()
	urututest.Each(t, urututest.Config{Entities: []any{(*Member)(nil)}}, func(t *testing.T, db *session.DB) {
		fn(t, start(t, db))
	})
}

// start serves an API over db whose units run inside the interceptors.
func start(t *testing.T, db *session.DB, interceptors ...uow.Interceptor) *service {
	api := web.New(web.Config{Runner: db.Runner(interceptors...)})
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return &service{db, api, server.URL}
}

// post sends a body and returns the status and the answer.
func (s *service) post(t *testing.T, path, body string) (int, map[string]any) {
	t.Helper()
	resp, err := http.Post(s.url+path, "application/json", bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if len(raw) > 0 && json.Unmarshal(raw, &answer) != nil {
		t.Fatalf("%s answered %q", path, raw)
	}
	return resp.StatusCode, answer
}

// expect fails the test where a request is not answered with the status, or the table does not have as many rows.
func (s *service) expect(t *testing.T, path, body string, status int, rows int64) map[string]any {
	t.Helper()
	got, answer := s.post(t, path, body)
	if got != status {
		t.Errorf("POST %s %s: %d %v, want %d", path, body, got, answer, status)
	}
	if n := countOf[Member](t, s.DB); n != rows {
		t.Errorf("POST %s %s: %d rows, want %d", path, body, n, rows)
	}
	return answer
}

func addMember(ctx context.Context, in newMember) (*Member, error) {
	m, err := entity.From[Member](in)
	if err != nil {
		return nil, err
	}
	return m, session.Add(ctx, m)
}

// TestPromise02_one_unit_per_request: everything in a request uses one session and one transaction, and the next request
// another one, which sees it.
func TestPromise02_one_unit_per_request(t *testing.T) {
	serve(t, func(t *testing.T, s *service) {
		var units []*uow.Unit
		web.Post(s.api, "/members", func(ctx context.Context, in newMember) (*Member, error) {
			m, err := addMember(ctx, in)
			if err != nil {
				return nil, err
			}
			found, err := session.First[Member](ctx, query.Eq(&members.Email, in.Email)) // sees what was not committed yet
			if err != nil || found != m {
				t.Errorf("the same session has %v, %v", found, err)
			}
			u, _ := uow.Current(ctx)
			units = append(units, u)
			return m, nil
		}, web.As[memberView]())
		s.expect(t, "/members", `{"email":"ann@x"}`, 201, 1)
		s.expect(t, "/members", `{"email":"bob@x"}`, 201, 2)
		if len(units) != 2 || units[0] == units[1] {
			t.Errorf("two requests ran in %d units", len(units))
		}
	})
}

// TestPromise07_entering_interceptors_is_safe: where the second of two interceptors fails, the first is unwound, the
// handler does not run, and no session is left behind.
func TestPromise07_entering_interceptors_is_safe(t *testing.T) {
	serve(t, func(t *testing.T, s *service) {
		unwound := 0
		first := func(next uow.Handler) uow.Handler {
			return func(ctx context.Context, op uow.Op) error {
				if err := session.Add(ctx, &Member{Email: "from an interceptor"}); err != nil {
					return err
				}
				defer func() { unwound++ }()
				return next(ctx, op)
			}
		}
		second := func(uow.Handler) uow.Handler {
			return func(context.Context, uow.Op) error { return errors.New("the interceptor failed") }
		}
		s = start(t, s.DB, first, second)
		web.Post(s.api, "/members", func(context.Context, newMember) (*Member, error) {
			t.Error("the handler ran")
			return nil, nil
		}, web.As[memberView]())
		s.expect(t, "/members", `{"email":"ann@x"}`, 500, 0)
		if unwound != 1 {
			t.Errorf("unwound %d times", unwound)
		}
		for name, stats := range s.Stats() {
			if stats.InUse != 0 {
				t.Errorf("%s: %d connections are in use", name, stats.InUse)
			}
		}
	})
}

// TestPromise24_conversion_works_at_every_time: before the flush what only the database knows is an error that names it;
// after the flush, the commit by hand and the commit everything is there.
func TestPromise24_conversion_works_at_every_time(t *testing.T) {
	serve(t, func(t *testing.T, s *service) {
		m := &Member{Email: "ann@x"}
		complete := func(when string, version int64) {
			t.Helper()
			v, err := entity.To[memberView](m)
			want := memberView{ID: m.ID, Email: m.Email, Version: version, Rank: "novice", Width: int64(len(m.Email))}
			if err != nil || v != want || v.ID == uuid.Nil {
				t.Errorf("%s: %+v, %v, want %+v", when, v, err, want)
			}
		}
		urututest.Do(t, s.DB, func(ctx context.Context) error {
			if err := session.Add(ctx, m); err != nil {
				return err
			}
			if _, err := entity.To[struct {
				ID    uuid.UUID `json:"id"`
				Email string    `json:"email"`
			}](m); err != nil {
				t.Errorf("before the flush: %v", err)
			}
			_, err := entity.To[memberView](m)
			var e *fault.Error
			if !errors.Is(err, fault.NotPersistent) || !errors.As(err, &e) || len(e.Columns) == 0 {
				t.Errorf("before the flush: %v does not name what is not known", err)
			}
			if err := session.Flush(ctx); err != nil {
				return err
			}
			complete("after the flush", 1)
			if err := session.Commit(ctx); err != nil {
				return err
			}
			complete("after the commit by hand", 1)
			m.Email = "anna@x"
			return nil
		})
		complete("after the commit", 2)
	})
}

// TestPromise30_commit_before_the_response: what is answered is committed, generated fields are in the answer, and a
// commit that fails is no success.
func TestPromise30_commit_before_the_response(t *testing.T) {
	serve(t, func(t *testing.T, s *service) {
		web.Post(s.api, "/members", addMember, web.As[memberView]())
		answer := s.expect(t, "/members", `{"email":"ann@x"}`, 201, 1)
		if answer["rank"] != "novice" || answer["width"] != 5.0 || answer["version"] != 1.0 {
			t.Errorf("%v", answer)
		}
		answer = s.expect(t, "/members", `{"email":"ann@x"}`, 409, 1) // the handler succeeded, the commit did not
		if answer["kind"] != "unique" {
			t.Errorf("%v", answer)
		}
	})
}

// TestPromise31_an_error_response_rolls_back: a returned error, a panic, and a plain handler's error status.
func TestPromise31_an_error_response_rolls_back(t *testing.T) {
	serve(t, func(t *testing.T, s *service) {
		web.Post(s.api, "/refused", func(ctx context.Context, in newMember) (*Member, error) {
			m, err := addMember(ctx, in)
			if err == nil {
				err = errors.Join(session.Flush(ctx), fault.New(fault.Conflict, "not today"))
			}
			return m, err
		}, web.As[memberView]())
		web.Post(s.api, "/panics", func(ctx context.Context, in newMember) (*Member, error) {
			if _, err := addMember(ctx, in); err != nil || session.Flush(ctx) != nil {
				return nil, err
			}
			panic("lost")
		}, web.As[memberView]())
		plain := web.Middleware(web.MiddlewareConfig{Runner: s.Runner()})
		s.api.Handle("POST /plain", plain(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := session.Add(r.Context(), &Member{Email: r.Header.Get("Content-Type")}); err != nil {
				t.Error(err)
			}
			if r.URL.Query().Has("teapot") {
				w.WriteHeader(http.StatusTeapot)
			}
		})))
		s.expect(t, "/refused", `{"email":"ann@x"}`, 409, 0)
		s.expect(t, "/panics", `{"email":"ann@x"}`, 500, 0)
		s.expect(t, "/plain?teapot", ``, 418, 0)
		s.expect(t, "/plain", ``, 200, 1)
	})
}

// TestPromise32_invalid_input: 422 with the name of the field, and nothing is written.
func TestPromise32_invalid_input(t *testing.T) {
	serve(t, func(t *testing.T, s *service) {
		web.Post(s.api, "/members", addMember, web.As[memberView]())
		answer := s.expect(t, "/members", `{"email":"x"}`, 422, 0)
		fields, _ := answer["errors"].([]any)
		if len(fields) != 1 || fields[0].(map[string]any)["name"] != "email" {
			t.Errorf("%v", answer)
		}
	})
}

// TestPromise36_a_request_is_retried: a request whose row another unit changed in between is run again with a fresh
// session and fresh input, and answered once.
func TestPromise36_a_request_is_retried(t *testing.T) {
	serve(t, func(t *testing.T, s *service) {
		m := &Member{Email: "ann@x"}
		urututest.Do(t, s.DB, func(ctx context.Context) error { return session.Add(ctx, m) })
		attempts := 0
		rename := func(ctx context.Context, in newMember) (*Member, error) {
			attempts++
			found, err := session.Get[Member](ctx, m.ID)
			if err != nil {
				return nil, err
			}
			if attempts == 1 { // somebody else is faster
				err := session.New(ctx, func(ctx context.Context) error {
					other, err := session.Get[Member](ctx, m.ID)
					if err == nil {
						other.Rank = "expert"
					}
					return err
				})
				if err != nil {
					return nil, err
				}
			}
			found.Email = in.Email
			in.Email = "spoilt"
			return found, nil
		}
		web.Post(s.api, "/rename", rename, web.As[memberView](),
			web.Operation{Options: uow.Options{Retry: uow.Retry{Kinds: []fault.Kind{fault.Stale}}}})
		answer := s.expect(t, "/rename", `{"email":"anna@x"}`, 201, 1)
		if attempts != 2 || answer["rank"] != "expert" || answer["email"] != "anna@x" || answer["version"] != 3.0 {
			t.Errorf("%d attempts, %v", attempts, answer)
		}
	})
}
