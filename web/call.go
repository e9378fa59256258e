package web

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"

	"github.com/google/uuid"
)

// RequestIDHeader is the header that carries a request's id, both ways.
const RequestIDHeader = "X-Request-ID"

// maxRequestID is how long a request id of a client's may be.
const maxRequestID = 128

// call is what the package knows of a request from its beginning. It is immutable.
type call struct {
	id     string
	logger *slog.Logger
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
	return r.WithContext(context.WithValue(r.Context(), callKey{}, &call{id: id, logger: logger}))
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
