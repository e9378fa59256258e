package web_test

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/web"
)

// streams registers a route whose handler enlists s and answers with a stream.
func streams(t *testing.T, j *journal, s *store, write func(ctx context.Context, w http.ResponseWriter) error, opts ...web.Option) *web.API {
	t.Helper()
	api, _ := newAPI(web.Config{})
	web.Get(api, "/stream", func(ctx context.Context, _ none) (web.Stream, error) {
		enlist(ctx, s)
		j.add("run")
		web.ReplyTo(ctx).Header.Set("X-Reply", "1")
		return web.Stream{ContentType: "text/plain", Write: write}, nil
	}, opts...)
	ok(t, api)
	return api
}

func TestStreamIsWrittenAfterTheCommit(t *testing.T) {
	t.Parallel()

	j := &journal{}
	api := streams(t, j, &store{journal: j}, func(ctx context.Context, w http.ResponseWriter) error {
		if _, inside := uow.Current(ctx); inside {
			t.Error("the stream is inside the unit")
		}
		_, err := io.WriteString(w, "a")
		return err
	})
	w := send(t, api, j, "GET", "/stream", nil)
	w.body(t, 200, "a")
	j.want(t, "run", "commit", "respond 200")
	if h := w.Header(); h.Get("Content-Type") != "text/plain" || h.Get("X-Reply") != "1" {
		t.Errorf("header %v", h)
	}

	failed := &journal{}
	api = streams(t, failed, &store{journal: failed, commitErr: fault.Unique}, func(context.Context, http.ResponseWriter) error {
		t.Error("written in spite of the failed commit")
		return nil
	})
	send(t, api, failed, "GET", "/stream", nil).problem(t, 409)
}

func TestStreamInsideTheUnit(t *testing.T) {
	t.Parallel()

	j := &journal{}
	api := streams(t, j, &store{journal: j}, func(ctx context.Context, w http.ResponseWriter) error {
		if _, inside := uow.Current(ctx); !inside {
			t.Error("the stream is outside of the unit")
		}
		_, err := io.WriteString(w, "a")
		return err
	}, web.Operation{Stream: true, Status: 202})
	send(t, api, j, "GET", "/stream", nil).body(t, 202, "a")
	j.want(t, "run", "respond 202", "commit")
}

func TestStreamThatFails(t *testing.T) {
	t.Parallel()

	early := func(context.Context, http.ResponseWriter) error { return fault.NotFound }
	late := func(_ context.Context, w http.ResponseWriter) error {
		_, _ = io.WriteString(w, "half of it")
		return io.ErrUnexpectedEOF
	}
	whole := func(_ context.Context, w http.ResponseWriter) error {
		_, err := io.WriteString(w, "half of it")
		return err
	}
	nothing := func(context.Context, http.ResponseWriter) error { return nil }
	for name, c := range map[string]struct {
		write  func(context.Context, http.ResponseWriter) error
		commit error
		inside bool
		status int // 0: the connection is broken off
	}{
		"early":                  {early, nil, false, 404},
		"early inside":           {early, nil, true, 404},
		"late":                   {late, nil, false, 0},
		"late inside":            {late, nil, true, 0},
		"commit fails":           {whole, fault.Serialization, true, 0},
		"nothing":                {nothing, nil, false, 200},
		"nothing inside":         {nothing, nil, true, 200},
		"commit fails untouched": {nothing, fault.Serialization, true, 503},
		"no function":            {nil, nil, false, 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			j := &journal{}
			api := streams(t, j, &store{journal: &journal{}, commitErr: c.commit}, c.write, web.Operation{Stream: c.inside})
			defer func() {
				if p := recover(); (p == http.ErrAbortHandler) != (c.status == 0) { //nolint:errorlint // the very value
					t.Errorf("recovered %v", p)
				}
				j.want(t, map[bool][]string{
					true:  {"run", "respond 200"},
					false: {"run", "respond " + strconv.Itoa(c.status)},
				}[c.status == 0]...)
			}()
			w := send(t, api, j, "GET", "/stream", nil)
			if c.status >= 400 {
				w.problem(t, c.status)
				if w.Header().Get("X-Reply") != "" {
					t.Error("the reply's header went out with the problem")
				}
			}
		})
	}
}
