package web

import (
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/message"
)

type tree struct {
	N    int             `json:"n"`
	Kids []*tree         `json:"kids"`
	By   map[string]tree `json:"by"`
	Skip chan int        `json:"-"`
	Arr  [2]int          `json:"arr"`
}

func TestLocate(t *testing.T) {
	t.Parallel()

	deep := strings.Repeat(`{"kids":[`, 100) + `{"n":"x"}` + strings.Repeat(`]}`, 100)
	for data, want := range map[string]string{
		`{"n":"x"}`:                             "n",
		`{"N":"x"}`:                             "n",
		`{"kids":[{"n":1},{"n":"x"}]}`:          "kids[1].n",
		`{"by":{"b":{"n":"x"},"a":{"n":1}}}`:    "by.b.n",
		`{"arr":[1,"x"]}`:                       "arr[1]",
		`{"kids":7}`:                            "kids",
		`{"n":1}`:                               "",
		`[]`:                                    "",
		`{`:                                     "",
		`{"by":{"k":{"kids":[{"n":1.5}]}}}`:     "by.k.kids[0].n",
		`{"kids":[null,{"by":{"x":{"n":""}}}]}`: "kids[1].by.x.n",
	} {
		if got := locate(reflect.TypeFor[tree](), []byte(data)); got != want {
			t.Errorf("%s: %q, want %q", data, got, want)
		}
	}
	if got := locate(reflect.TypeFor[tree](), []byte(deep)); !strings.HasPrefix(got, "kids[0].kids[0]") || strings.Count(got, "kids") > locateDepth {
		t.Errorf("deep: %q", got)
	}
}

// FuzzLocate: whatever decodes has no wrong part, and looking for one does not panic.
func FuzzLocate(f *testing.F) {
	for _, seed := range []string{`{"n":"x"}`, `{"kids":[{"n":1},null]}`, `{"by":{"":{}}}`, `{"arr":[1,2,3]}`, `{`, `{"n":1,"N":"x"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v tree
		got := locate(reflect.TypeFor[tree](), data)
		if json.Unmarshal(data, &v) == nil && got != "" && !duplicated(data) {
			t.Fatalf("%s decodes, but %q is said to be wrong", data, got)
		}
	})
}

// duplicated reports whether a member may be there twice, in whichever case: then the last one that decodes wins for
// encoding/json, and there is nothing to find.
func duplicated(data []byte) bool {
	for _, name := range []string{`"n"`, `"kids"`, `"by"`, `"arr"`, `\u`, "\u017f", "\u212a"} {
		if strings.Count(strings.ToLower(string(data)), name) > 1 {
			return true
		}
	}
	return false
}

// FuzzTraceContext: whatever a client sends as its trace, messages can have the headers that flow from it.
func FuzzTraceContext(f *testing.F) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for _, seed := range []string{"", parent, "01" + parent[2:] + "-x", parent[:54], strings.Repeat("0", 55)} {
		f.Add(seed, "a=1")
	}
	f.Fuzz(func(t *testing.T, parent, state string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Traceparent"], r.Header["Tracestate"] = []string{parent}, []string{state, state}
		h := message.Flowing(begin(httptest.NewRecorder(), r, nil).Context())
		if err := h.Validate(); err != nil || h[message.CorrelationID] == "" || len(h) == 2 && h[message.TraceParent] == "" {
			t.Fatalf("%q, %q: %q, %v", parent, state, h, err)
		}
	})
}

// FuzzRequestID: whatever a client sends, the id that goes on is short and printable.
func FuzzRequestID(f *testing.F) {
	for _, seed := range []string{"", "abc", "a\nb", strings.Repeat("x", 200), "\x00", "é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		r.Header.Set(RequestIDHeader, sent)
		id := RequestID(begin(w, r, nil).Context())
		if len(id) == 0 || len(id) > maxRequestID || w.Header().Get(RequestIDHeader) != id {
			t.Fatalf("%q became %q", sent, id)
		}
		for _, c := range id {
			if c <= ' ' || c > '~' || c == '"' || c == '<' {
				t.Fatalf("%q became %q", sent, id)
			}
		}
	})
}
