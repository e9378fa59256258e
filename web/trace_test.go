package web_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/web"
)

// TestTraceOfARequestFlows: what a request publishes has its id for a correlation, and goes on with its trace where that is one:
// in typed handlers, in plain ones, and behind the middleware.
func TestTraceOfARequestFlows(t *testing.T) {
	t.Parallel()
	var seen message.Headers
	api, _ := newAPI(web.Config{})
	web.Get(api, "/typed", func(ctx context.Context, _ none) (string, error) {
		seen = message.Flowing(ctx)
		return "", nil
	})
	plain := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = message.Flowing(r.Context())
		_, _ = io.WriteString(w, "ok")
	})
	api.Handle("GET /plain", plain)
	ok(t, api)
	mux := http.NewServeMux()
	mux.Handle("/", api)
	mux.Handle("/middleware", web.Middleware(web.MiddlewareConfig{})(plain))
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for _, path := range []string{"/typed", "/plain", "/middleware"} {
		for _, s := range []struct {
			parents, states []string
			want            message.Headers
		}{
			{want: message.Headers{}},
			{[]string{parent}, nil, message.Headers{"traceparent": parent}},
			{[]string{parent}, []string{"a=1,b=2", "c=3"}, message.Headers{"traceparent": parent, "tracestate": "a=1,b=2,c=3"}},
			{[]string{parent}, []string{strings.Repeat("x", 513)}, message.Headers{"traceparent": parent}},
			{[]string{parent}, []string{"a=\xff"}, message.Headers{"traceparent": parent}},
			{[]string{parent, parent}, []string{"a=1"}, message.Headers{}},
			{[]string{"01" + parent[2:] + "-more"}, nil, message.Headers{"traceparent": "01" + parent[2:] + "-more"}},
			{[]string{"01" + parent[2:] + "more"}, nil, message.Headers{}},
			{[]string{parent + "-more"}, nil, message.Headers{}},
			{[]string{"ff" + parent[2:]}, nil, message.Headers{}},
			{[]string{strings.ToUpper(parent)}, nil, message.Headers{}},
			{[]string{strings.Replace(parent, "4bf92f3577b34da6a3ce929d0e0e4736", strings.Repeat("0", 32), 1)}, nil, message.Headers{}},
			{[]string{strings.Replace(parent, "00f067aa0ba902b7", strings.Repeat("0", 16), 1)}, nil, message.Headers{}},
			{[]string{strings.Replace(parent, "-", "_", 1)}, nil, message.Headers{}},
			{[]string{""}, []string{"a=1"}, message.Headers{}},
		} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
			r.Header["Traceparent"], r.Header["Tracestate"] = s.parents, s.states
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			s.want[message.CorrelationID] = w.Header().Get(web.RequestIDHeader)
			if w.Code != http.StatusOK || !maps.Equal(seen, s.want) {
				t.Errorf("%s, %q, %q: %d, %q flows, want %q", path, s.parents, s.states, w.Code, seen, s.want)
			}
		}
	}
}
