package web_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/web"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// wrap returns a plain handler in a unit of work.
func wrap(cfg web.MiddlewareConfig, h http.HandlerFunc) http.Handler {
	if cfg.Logger == nil {
		cfg.Logger = quiet()
	}
	return web.Middleware(cfg)(h)
}

func noBackoff() uow.Options { return uow.Options{Retry: uow.Retry{Backoff: -1}} }

// Promise 30: also a plain handler's response leaves after the commit.
func TestPromise30PlainHandlerRespondsAfterTheCommit(t *testing.T) {
	t.Parallel()

	j := &journal{}
	h := wrap(web.MiddlewareConfig{}, func(w http.ResponseWriter, r *http.Request) {
		enlist(r.Context(), &store{journal: j})
		w.Header().Set("Content-Type", "text/csv")
		w.WriteHeader(http.StatusCreated)
		w.Header().Set("X-Late", "too late")
		w.WriteHeader(http.StatusTeapot)
		for range 3 {
			_, _ = io.WriteString(w, "a,b\n")
		}
		j.add("written")
	})
	w := send(t, h, j, "POST", "/", nil)
	w.body(t, 201, "a,b\na,b\na,b")
	j.want(t, "written", "commit", "respond 201")
	if hd := w.Header(); hd.Get("Content-Type") != "text/csv" || hd.Get("Content-Length") != "12" || hd.Get("X-Late") != "" || hd.Get("X-Request-ID") == "" {
		t.Errorf("header %v", hd)
	}
}

// Promise 30: nothing of a response whose commit failed is sent.
func TestPromise30PlainHandlersFailedCommit(t *testing.T) {
	t.Parallel()

	j := &journal{}
	h := wrap(web.MiddlewareConfig{}, func(w http.ResponseWriter, r *http.Request) {
		enlist(r.Context(), &store{journal: j, commitErr: fault.OutcomeUnknown})
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
		_, _ = io.WriteString(w, "welcome")
	})
	w := send(t, h, j, "POST", "/", nil)
	if p := w.problem(t, 504); p.Kind != fault.OutcomeUnknown || w.Header().Get("Set-Cookie") != "" {
		t.Errorf("%+v %v", p, w.Header())
	}
	j.want(t, "commit", "respond 504")
}

// Promise 31: a response of an error status rolls back, and is sent as the handler wrote it; which status that is can
// be configured.
func TestPromise31ErrorStatusRollsBack(t *testing.T) {
	t.Parallel()

	only500 := func(status int) bool { return status >= 500 }
	for _, c := range []struct {
		status int
		failed func(int) bool
		ended  string
	}{
		{200, nil, "commit"}, {302, nil, "commit"}, {399, nil, "commit"}, {400, nil, "rollback"}, {404, nil, "rollback"},
		{500, nil, "rollback"}, {404, only500, "commit"}, {503, only500, "rollback"},
	} {
		for _, stream := range []bool{false, true} {
			j := &journal{}
			h := wrap(web.MiddlewareConfig{
				Failed: c.failed, Stream: func(*http.Request) bool { return stream },
			}, func(w http.ResponseWriter, r *http.Request) {
				enlist(r.Context(), &store{journal: j})
				w.Header().Set("X-Own", "1")
				http.Error(w, "own words", c.status)
			})
			w := send(t, h, nil, "POST", "/", nil)
			w.body(t, c.status, "own words")
			if w.Header().Get("X-Own") != "1" {
				t.Errorf("%d: header %v", c.status, w.Header())
			}
			j.want(t, c.ended)
		}
	}
}

func TestPromise36PlainHandlerIsRunAgain(t *testing.T) {
	t.Parallel()

	j := &journal{}
	runs := 0
	h := wrap(web.MiddlewareConfig{Options: noBackoff()}, func(w http.ResponseWriter, r *http.Request) {
		runs++
		if got := r.FormValue("name"); got != "Eve" || r.Header.Get("X-In") != "1" {
			t.Errorf("run %d sees %q, %v", runs, got, r.Header)
		}
		r.Form.Set("name", "changed")
		r.Header.Set("X-In", "changed")
		w.Header().Add("X-Run", strconv.Itoa(runs))
		_, _ = io.WriteString(w, strconv.Itoa(runs))
		s := &store{journal: j}
		if runs < 3 {
			s.commitErr = fault.Deadlock
		}
		enlist(r.Context(), s)
	})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(url.Values{"name": {"Eve"}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-In", "1")
	w := serve(h, j, r)
	w.body(t, 200, "3")
	j.want(t, "commit", "commit", "commit", "respond 200")
	if got := w.Header()["X-Run"]; !slices.Equal(got, []string{"3"}) {
		t.Errorf("headers %v", got)
	}
}

func TestRequestBodyIsReplayedFromWhereverItWasRead(t *testing.T) {
	t.Parallel()

	const sent = "0123456789"
	for name, c := range map[string]struct {
		limit  int64
		first  int // bytes that the first run reads
		status int
		runs   int
	}{
		"all":             {10, 10, 200, 2},
		"a part":          {10, 4, 200, 2},
		"nothing":         {10, 0, 200, 2},
		"too large":       {9, 10, 503, 1},
		"too large later": {9, 4, 200, 2}, // the second run reads on from the source
	} {
		j := &journal{}
		runs := 0
		h := wrap(web.MiddlewareConfig{Options: noBackoff(), MaxReplay: c.limit}, func(_ http.ResponseWriter, r *http.Request) {
			runs++
			n := len(sent)
			s := &store{journal: j}
			if runs == 1 {
				n, s.commitErr = c.first, fault.Serialization
			}
			b := make([]byte, n)
			if _, err := io.ReadFull(r.Body, b); err != nil || string(b) != sent[:n] {
				t.Errorf("%s: run %d read %q: %v", name, runs, b, err)
			}
			if err := r.Body.Close(); err != nil {
				t.Error(err)
			}
			enlist(r.Context(), s)
		})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", io.MultiReader(strings.NewReader(sent[:3]), strings.NewReader(sent[3:])))
		w := serve(h, nil, r)
		if w.Code != c.status || runs != c.runs {
			t.Errorf("%s: %d after %d runs: %s", name, w.Code, runs, w.Body)
		}
		if c.status == 503 {
			w.problem(t, 503)
		}
	}
}

func TestResponseLargerThanItsBuffer(t *testing.T) {
	t.Parallel()

	j := &journal{}
	h := wrap(web.MiddlewareConfig{MaxResponse: 10}, func(w http.ResponseWriter, r *http.Request) {
		enlist(r.Context(), &store{journal: j})
		if _, err := w.Write(make([]byte, 10)); err != nil {
			t.Error(err)
		}
		if _, err := w.Write([]byte("x")); err == nil {
			t.Error("more than the limit was accepted")
		}
	})
	send(t, h, j, "POST", "/", nil).problem(t, 500)
	j.want(t, "rollback", "respond 500")
}

// Security: a handler must not be able to send anything before the commit.
func TestBufferedResponseOffersNoWayAround(t *testing.T) {
	t.Parallel()

	j := &journal{}
	h := wrap(web.MiddlewareConfig{}, func(w http.ResponseWriter, r *http.Request) {
		enlist(r.Context(), &store{journal: j})
		if _, flushes := w.(http.Flusher); flushes {
			t.Error("it flushes")
		}
		if _, hijacks := w.(http.Hijacker); hijacks {
			t.Error("it hijacks")
		}
		if _, unwraps := w.(interface{ Unwrap() http.ResponseWriter }); unwraps {
			t.Error("it unwraps")
		}
		if err := http.NewResponseController(w).Flush(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("flush: %v", err)
		}
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusAccepted)
		j.add("handled")
	})
	if w := send(t, h, j, "POST", "/", nil); w.Code != 202 {
		t.Errorf("%d", w.Code)
	}
	j.want(t, "handled", "commit", "respond 202")
}

func TestPanicInAPlainHandlerRollsBack(t *testing.T) {
	t.Parallel()

	j := &journal{}
	log := &logbook{}
	h := wrap(web.MiddlewareConfig{Logger: slog.New(slog.NewTextHandler(log, nil))}, func(w http.ResponseWriter, r *http.Request) {
		enlist(r.Context(), &store{journal: j})
		_, _ = io.WriteString(w, "half of it")
		w.WriteHeader(99) // net/http panics too, but after the commit it would be too late
	})
	send(t, h, j, "GET", "/", nil).problem(t, 500)
	j.want(t, "rollback", "respond 500")
	if !strings.Contains(log.String(), "invalid status code 99") {
		t.Errorf("log %s", log)
	}
	abort := wrap(web.MiddlewareConfig{}, func(_ http.ResponseWriter, r *http.Request) {
		enlist(r.Context(), &store{journal: j})
		panic(http.ErrAbortHandler)
	})
	func() {
		defer func() {
			if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // the very value
				t.Errorf("recovered %v", p)
			}
		}()
		send(t, abort, j, "GET", "/", nil)
	}()
	j.want(t, "rollback", "respond 500", "rollback")
}

func TestInterceptorsAroundAPlainHandler(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		err    error
		call   bool
		status int
		ended  []string
	}{
		"refuses":  {fault.Unauthenticated, false, 401, nil},
		"skips":    {nil, false, 204, nil},
		"swallows": {nil, true, 404, []string{"commit"}},
		"replaces": {fault.Conflict, true, 409, []string{"rollback"}},
	} {
		j := &journal{}
		runner := uow.NewRunner(uow.Config{Interceptors: []uow.Interceptor{func(next uow.Handler) uow.Handler {
			return func(ctx context.Context, op uow.Op) error {
				if c.call {
					_ = next(ctx, op)
				}
				return c.err
			}
		}}})
		h := wrap(web.MiddlewareConfig{Runner: runner}, func(w http.ResponseWriter, r *http.Request) {
			enlist(r.Context(), &store{journal: j})
			http.Error(w, "none", http.StatusNotFound)
		})
		if w := send(t, h, nil, "GET", "/", nil); w.Code != c.status {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		j.want(t, c.ended...)
	}
}

func TestNameOfAPlainOperation(t *testing.T) {
	t.Parallel()

	var names []string
	runner := uow.NewRunner(uow.Config{Interceptors: []uow.Interceptor{func(next uow.Handler) uow.Handler {
		return func(ctx context.Context, op uow.Op) error {
			names = append(names, string(op.Kind)+" "+op.Name)
			return next(ctx, op)
		}
	}}})
	h := wrap(web.MiddlewareConfig{Runner: runner}, func(http.ResponseWriter, *http.Request) {})
	mux := http.NewServeMux()
	mux.Handle("GET /users/{id}", h)
	mux.Handle("/any/", h)
	send(t, mux, nil, "GET", "/users/7", nil)
	send(t, mux, nil, "POST", "/any/thing", nil)
	send(t, h, nil, "PUT", "/users/7", nil)
	own := wrap(web.MiddlewareConfig{Runner: runner, Name: func(*http.Request) string { return "own" }}, func(http.ResponseWriter, *http.Request) {})
	send(t, own, nil, "PUT", "/", nil)
	if want := []string{"http GET /users/{id}", "http POST /any/", "http PUT", "http own"}; !slices.Equal(names, want) {
		t.Errorf("got %q", names)
	}
}

// wireUp serves a handler over a real connection and returns the response with its body.
func wireUp(t *testing.T, h http.Handler, method string) (*http.Response, string, error) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := server.Client().Do(r)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

func TestBufferedResponseOverTheWire(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		method  string
		handler http.HandlerFunc
		status  int
		body    string
		length  int64
		trailer string
	}{
		"implicit":   {"GET", func(http.ResponseWriter, *http.Request) {}, 200, "", 0, ""},
		"no content": {"GET", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204); _, _ = w.Write([]byte("x")) }, 204, "", 0, ""},
		"head":       {"HEAD", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("body")) }, 200, "", 4, ""},
		"head without a body": {"HEAD", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99")
		}, 200, "", 99, ""},
		"wrong length": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99")
			_, _ = w.Write([]byte("body"))
		}, 200, "body", 4, ""},
		"large": {"GET", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte("x"), 10000)) }, 200, strings.Repeat("x", 10000), 10000, ""},
		"announced trailer": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum, X-Unset")
			_, _ = w.Write([]byte("body"))
			w.Header().Set("X-Sum", "42")
		}, 200, "body", -1, "42"},
		"prefixed trailer": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("body"))
			w.Header().Set(http.TrailerPrefix+"X-Sum", "43")
		}, 200, "body", -1, "43"},
		"not modified": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Etag", `"1"`)
			w.WriteHeader(http.StatusNotModified)
		}, 304, "", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			resp, body, err := wireUp(t, wrap(web.MiddlewareConfig{}, c.handler), c.method)
			if err != nil || resp.StatusCode != c.status || body != c.body || resp.Trailer.Get("X-Sum") != c.trailer {
				t.Errorf("%v: %d %q, trailer %v", err, resp.StatusCode, body, resp.Trailer)
			}
			if resp.ContentLength != c.length && c.status == 200 {
				t.Errorf("length %d, want %d", resp.ContentLength, c.length)
			}
		})
	}
}

func TestHeadersOfTheHandlerReplaceThoseAroundIt(t *testing.T) {
	t.Parallel()

	h := wrap(web.MiddlewareConfig{}, func(w http.ResponseWriter, _ *http.Request) {
		if w.Header().Get("Vary") != "Origin" {
			t.Error("the handler does not see the headers around it")
		}
		w.Header().Del("Vary")
		w.Header().Set("X-New", "1")
	})
	w := &wire{ResponseRecorder: httptest.NewRecorder(), journal: &journal{}}
	w.Header().Set("Vary", "Origin")
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Header().Get("Vary") != "" || w.Header().Get("X-New") != "1" {
		t.Errorf("header %v", w.Header())
	}
}

func TestStreamingPlainHandler(t *testing.T) {
	t.Parallel()

	always := func(*http.Request) bool { return true }
	j := &journal{}
	good := wrap(web.MiddlewareConfig{Stream: always}, func(w http.ResponseWriter, r *http.Request) {
		enlist(r.Context(), &store{journal: j})
		_, _ = io.WriteString(w, "a")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		w.(http.Flusher).Flush()
		_, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader("b"))
		j.add("written")
	})
	send(t, good, j, "GET", "/", nil).body(t, 200, "ab")
	j.want(t, "respond 200", "written", "commit")

	runs := 0
	late := wrap(web.MiddlewareConfig{Stream: always, Options: noBackoff()}, func(w http.ResponseWriter, r *http.Request) {
		runs++
		enlist(r.Context(), &store{journal: &journal{}, commitErr: fault.Serialization})
		_, _ = io.WriteString(w, "half of it")
		_ = http.NewResponseController(w).Flush()
	})
	if _, body, err := wireUp(t, late, "GET"); err == nil || runs != 1 {
		t.Errorf("the client takes %q for the whole, after %d runs", body, runs)
	}

	empty := wrap(web.MiddlewareConfig{Stream: always}, func(_ http.ResponseWriter, r *http.Request) {
		enlist(r.Context(), &store{journal: &journal{}, commitErr: fault.Unique})
	})
	send(t, empty, nil, "GET", "/", nil).problem(t, 409)

	quiet := wrap(web.MiddlewareConfig{Stream: always}, func(http.ResponseWriter, *http.Request) {})
	send(t, quiet, nil, "GET", "/", nil).body(t, 200, "")
}

func TestHijackedConnection(t *testing.T) {
	t.Parallel()

	h := wrap(web.MiddlewareConfig{Stream: func(*http.Request) bool { return true }}, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
		_ = rw.Flush()
	})
	if _, body, err := wireUp(t, h, "GET"); err != nil || body != "hi" {
		t.Errorf("%q, %v", body, err)
	}
}

func TestMiddlewareInsideAnAPI(t *testing.T) {
	t.Parallel()

	j := &journal{}
	api, _ := newAPI(web.Config{})
	api.Handle("GET /export", wrap(web.MiddlewareConfig{}, func(w http.ResponseWriter, r *http.Request) {
		enlist(r.Context(), &store{journal: j})
		_, _ = io.WriteString(w, web.RequestID(r.Context()))
	}))
	ok(t, api)
	w := send(t, api, j, "GET", "/export", nil)
	w.body(t, 200, w.Header().Get("X-Request-ID"))
	j.want(t, "commit", "respond 200")
}
