package message

import (
	"context"
	"maps"
)

type flowKey struct{}

// WithHeaders returns a context in which every message that is published has these headers, besides those that flow
// already. A transport calls it with what it trusts of a request.
func WithHeaders(ctx context.Context, h Headers) context.Context {
	if len(h) == 0 {
		return ctx
	}
	return context.WithValue(ctx, flowKey{}, Flowing(ctx).beneath(h))
}

// beneath returns new headers: those of top, and those of h that top has none of.
func (h Headers) beneath(top Headers) Headers {
	all := make(Headers, len(h)+len(top))
	maps.Copy(all, h)
	maps.Copy(all, top)
	return all
}

// Source has headers that flow in a context. It is asked for them when somebody needs them, as a message is published, from any
// goroutine.
type Source interface{ MessageHeaders() Headers }

// WithSource returns a context in which every message that is published has the headers of s, besides those that flow
// already, which hold. It is for transports: most requests publish nothing.
func WithSource(ctx context.Context, s Source) context.Context {
	if h := Flowing(ctx); len(h) > 0 {
		s = covered{s, h}
	}
	return context.WithValue(ctx, flowKey{}, s)
}

// covered is a source beneath headers that hold.
type covered struct {
	Source
	headers Headers
}

// MessageHeaders implements Source.
func (c covered) MessageHeaders() Headers { return c.Source.MessageHeaders().beneath(c.headers) }

// WithoutHeaders returns a context in which no headers flow: the work that begins in it has nothing to do with what ctx
// was about.
func WithoutHeaders(ctx context.Context) context.Context {
	if len(Flowing(ctx)) == 0 {
		return ctx
	}
	return context.WithValue(ctx, flowKey{}, Headers(nil))
}

// Flowing returns the headers that messages published in ctx have. They are not to be changed.
func Flowing(ctx context.Context) Headers {
	switch v := ctx.Value(flowKey{}).(type) {
	case Headers:
		return v
	case Source:
		return v.MessageHeaders()
	}
	return nil
}

// Flow returns those of a message's headers that go on to the messages which its handler publishes: all but what is about
// the message itself.
func (h Headers) Flow() Headers {
	out := Headers{}
	for _, name := range [...]string{TraceParent, TraceState, CorrelationID, Tenant} {
		if v, ok := h[name]; ok {
			out[name] = v
		}
	}
	return out
}
