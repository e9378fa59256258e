package web

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/message"
)

// RequestIDHeader is the header that carries a request's id, both ways.
const RequestIDHeader = "X-Request-ID"

// maxRequestID is how long a request id of a client's may be, and maxTrace each part of its trace context: everybody passes on
// as much.
const (
	maxRequestID = 128
	maxTrace     = 512
)

// call is what the package knows of a request from its beginning. It is immutable.
type call struct {
	id     string
	logger *slog.Logger
	// parents and states are the client's trace context, as it was sent.
	parents, states []string
}

var _ message.Source = (*call)(nil)

// MessageHeaders implements message.Source: the request's id correlates what follows from it, and its trace goes on.
func (c *call) MessageHeaders() message.Headers {
	h := message.Headers{}
	if c.id != "" {
		h[message.CorrelationID] = c.id
	}
	if len(c.parents) == 1 && validTraceParent(c.parents[0]) {
		h[message.TraceParent] = c.parents[0]
		if state := strings.Join(c.states, ","); validTraceState(state) {
			h[message.TraceState] = state
		}
	}
	return h
}

type callKey struct{}

// begin gives the request its id, unless it has one already because the handler is wrapped twice, and tells the client.
func begin(w http.ResponseWriter, r *http.Request, logger *slog.Logger) *http.Request {
	if _, ok := r.Context().Value(callKey{}).(*call); ok {
		return r
	}
	id := r.Header.Get(RequestIDHeader)
	if !validRequestID(id) {
		id = newRequestID()
	}
	w.Header().Set(RequestIDHeader, id)
	c := &call{id: id, logger: logger, parents: r.Header["Traceparent"], states: r.Header["Tracestate"]}
	return r.WithContext(message.WithSource(context.WithValue(r.Context(), callKey{}, c), c))
}

// callOf returns the call that ctx belongs to; an empty one outside of a request.
func callOf(ctx context.Context) *call {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c
	}
	return &call{}
}

func (c *call) log() *slog.Logger {
	return cmp.Or(c.logger, slog.Default())
}

// RequestID returns the id of the request that ctx belongs to: the client's own where it sent an acceptable one, else a
// UUIDv7. Outside of a request it is "".
func RequestID(ctx context.Context) string { return callOf(ctx).id }

// validRequestID reports whether an id that a client sent can go into logs and back to the client as it is.
func validRequestID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '.', c == ':', c == '+', c == '/', c == '=':
		default:
			return false
		}
	}
	return true
}

// validTraceParent reports whether a traceparent is one that W3C's Trace Context describes, of any version.
func validTraceParent(v string) bool {
	const trace, parent = "00000000000000000000000000000000", "0000000000000000"
	if len(v) < 55 || len(v) > 55 && (v[:2] == "00" || v[55] != '-') || len(v) > maxTrace {
		return false
	}
	for i := range 55 {
		c, dash := v[i], i == 2 || i == 35 || i == 52
		if dash != (c == '-') || !dash && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return v[:2] != "ff" && v[3:35] != trace && v[36:52] != parent && !strings.ContainsFunc(v[55:], unprintable)
}

// validTraceState reports whether there is a tracestate that can be passed on.
func validTraceState(v string) bool {
	return v != "" && len(v) <= maxTrace && !strings.ContainsFunc(v, unprintable)
}

func unprintable(r rune) bool { return r < ' ' || r > '~' }

func newRequestID() string {
	id, err := uuid.NewV7()
	if err != nil {
		return "" // only where the system has no randomness, and then nothing else works either
	}
	return id.String()
}

// Reply is what a typed handler adds to its response: a status other than its route's, and headers. It belongs to one
// run of the handler; nothing of it is sent when the unit fails. Not safe for concurrent use.
type Reply struct {
	// Status replaces the route's status. It must be a success or a redirection, from 200 to 399: errors are returned, so
	// that the unit is rolled back. Defaults to the route's.
	Status int
	// Header is added to the response's.
	Header http.Header
}

type replyKey struct{}

// ReplyTo returns the reply of the typed handler that ctx was given to. Anywhere else it returns one that nobody sends.
//
//	web.ReplyTo(ctx).Header.Set("Location", "/users/"+user.ID.String())
func ReplyTo(ctx context.Context) *Reply {
	if r, ok := ctx.Value(replyKey{}).(*Reply); ok {
		return r
	}
	return newReply()
}

func newReply() *Reply { return &Reply{Header: http.Header{}} }
