package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// journal is what happened, in order. Safe for concurrent use.
type journal struct {
	mu   sync.Mutex
	seen []string
}

func (j *journal) add(s string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seen = append(j.seen, s)
}

func (j *journal) want(t *testing.T, want ...string) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if !slices.Equal(j.seen, want) {
		t.Errorf("got  %q\nwant %q", j.seen, want)
	}
}

// store is a resource that notes what the runner does with it.
type store struct {
	journal   *journal
	commitErr error
	onCommit  func()
}

var _ uow.Resource = (*store)(nil)

func (s *store) Pending(context.Context) bool  { return true }
func (s *store) Prepare(context.Context) error { return nil }

func (s *store) Commit(context.Context) error {
	s.journal.add("commit")
	if s.onCommit != nil {
		s.onCommit()
	}
	return s.commitErr
}

func (s *store) Rollback(context.Context) error {
	s.journal.add("rollback")
	return nil
}

// enlist makes the store part of the unit in ctx.
func enlist(ctx context.Context, s *store) {
	u, ok := uow.Current(ctx)
	if !ok {
		panic("no unit in the context")
	}
	if err := u.Enlist("store", true, s); err != nil {
		panic(err)
	}
}

// wire is a response that notes when its first byte leaves.
type wire struct {
	*httptest.ResponseRecorder
	journal *journal
	left    bool
}

func (w *wire) WriteHeader(status int) {
	if !w.left && status >= 200 {
		w.left = true
		w.journal.add("respond " + strconv.Itoa(status))
	}
	w.ResponseRecorder.WriteHeader(status)
}

func (w *wire) Write(b []byte) (int, error) {
	if !w.left {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseRecorder.Write(b)
}

// send has h answer a request. A body that is not a string or nil is sent as JSON.
func send(t *testing.T, h http.Handler, j *journal, method, target string, body any) *wire {
	t.Helper()
	var r *http.Request
	switch b := body.(type) {
	case nil:
		r = httptest.NewRequestWithContext(t.Context(), method, target, nil)
	case string:
		r = httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(b))
		r.Header.Set("Content-Type", "application/json")
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		r = httptest.NewRequestWithContext(t.Context(), method, target, bytes.NewReader(encoded))
		r.Header.Set("Content-Type", "application/json")
	}
	return serve(h, j, r)
}

func serve(h http.Handler, j *journal, r *http.Request) *wire {
	if j == nil {
		j = &journal{}
	}
	w := &wire{ResponseRecorder: httptest.NewRecorder(), journal: j}
	h.ServeHTTP(w, r)
	return w
}

// problem decodes the response as a problem and checks that it is one of that status.
func (w *wire) problem(t *testing.T, status int) web.Problem {
	t.Helper()
	var p web.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	if w.Code != status || p.Status != status || w.Header().Get("Content-Type") != "application/problem+json" ||
		p.Title != http.StatusText(status) || p.Kind == "" || p.Detail == "" {
		t.Errorf("want a problem of status %d: got %d %v %s", status, w.Code, w.Header(), w.Body)
	}
	return p
}

// body checks status and body.
func (w *wire) body(t *testing.T, status int, want string) {
	t.Helper()
	if got := strings.TrimSpace(w.Body.String()); w.Code != status || got != want {
		t.Errorf("got  %d %s\nwant %d %s", w.Code, got, status, want)
	}
}

// newAPI returns an API with a log that can be read.
func newAPI(cfg web.Config) (*web.API, *logbook) {
	l := &logbook{}
	cfg.Logger = slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return web.New(cfg), l
}

// logbook is a log that can be read. Safe for concurrent use.
type logbook struct {
	mu   sync.Mutex
	text strings.Builder
}

var _ io.Writer = (*logbook)(nil)

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// ok fails the test where the API has registration errors.
func ok(t *testing.T, api *web.API) {
	t.Helper()
	if err := api.Err(); err != nil {
		t.Fatal(err)
	}
}

type none = struct{}
