package message_test

import (
	"context"
	"maps"
	"testing"

	"github.com/urutu-go/urutu/message"
)

func TestHeadersOfAContext(t *testing.T) {
	t.Parallel()
	want := func(ctx context.Context, want message.Headers) {
		t.Helper()
		if got := message.Flowing(ctx); !maps.Equal(got, want) {
			t.Errorf("what flows is %q, want %q", got, want)
		}
	}
	ctx := t.Context()
	want(ctx, nil)
	want(message.WithHeaders(ctx, nil), nil)

	given := message.Headers{"a": "1", "b": "1"}
	outer := message.WithHeaders(ctx, given)
	given["a"] = "changed later"
	want(outer, message.Headers{"a": "1", "b": "1"})

	inner := message.WithHeaders(outer, message.Headers{"b": "2", "c": "2"})
	want(inner, message.Headers{"a": "1", "b": "2", "c": "2"})
	want(outer, message.Headers{"a": "1", "b": "1"})
	want(message.WithHeaders(inner, nil), message.Headers{"a": "1", "b": "2", "c": "2"})

	none := message.WithoutHeaders(inner)
	want(none, nil)
	want(message.WithHeaders(none, message.Headers{"d": "3"}), message.Headers{"d": "3"})
	if message.WithoutHeaders(ctx) != ctx {
		t.Error("a context without headers is another one without them")
	}
}

// request is what a transport knows.
type request struct{ asked int }

func (r *request) MessageHeaders() message.Headers {
	r.asked++
	return message.Headers{"a": "1", "b": "1"}
}

// silent is a source that has nothing to say.
type silent struct{}

func (silent) MessageHeaders() message.Headers { return nil }

// TestSource: a transport's headers flow as those of a context do, and are asked for only as they are needed.
func TestSource(t *testing.T) {
	t.Parallel()
	r := &request{}
	ctx := message.WithSource(t.Context(), r)
	if r.asked > 0 {
		t.Error("the source is asked before anything is published")
	}
	inner := message.WithHeaders(ctx, message.Headers{"b": "2"})
	behind := message.WithSource(message.WithHeaders(t.Context(), message.Headers{"b": "2", "tenant": "t"}), r)
	for got, want := range map[string]message.Headers{
		"of the source": {"a": "1", "b": "1"}, "with others": {"a": "1", "b": "2"}, "none": nil,
		"behind others": {"a": "1", "b": "2", "tenant": "t"}, "silent": {"b": "2"},
	} {
		silent := message.WithSource(message.WithHeaders(t.Context(), message.Headers{"b": "2"}), silent{})
		ctx := map[string]context.Context{"of the source": ctx, "silent": silent, "with others": inner, "behind others": behind, "none": message.WithoutHeaders(ctx)}[got]
		if flow := message.Flowing(ctx); !maps.Equal(flow, want) {
			t.Errorf("%s: %q", got, flow)
		}
	}
}

// TestFlow: the cause and the trace go on, what is about one message does not, and nobody's headers are changed.
func TestFlow(t *testing.T) {
	t.Parallel()
	h := message.Headers{
		message.TraceParent: "p", message.TraceState: "s", message.CorrelationID: "c", message.CausationID: "x", message.Tenant: "t", "more": "m",
	}
	before := maps.Clone(h)
	flow := h.Flow()
	want := message.Headers{message.TraceParent: "p", message.TraceState: "s", message.CorrelationID: "c", message.Tenant: "t"}
	if !maps.Equal(flow, want) {
		t.Errorf("what flows is %q", flow)
	}
	flow["new"] = "x"
	if !maps.Equal(h, before) {
		t.Errorf("the headers became %q", h)
	}
	if flow := message.Headers(nil).Flow(); flow == nil || len(flow) != 0 {
		t.Errorf("of nothing flows %v", flow)
	}
}
