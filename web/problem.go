package web

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/urutu-go/urutu/fault"
)

// Problem is the body of every response that is not a success: the problem details of RFC 9457 with the kind and the
// fields of a fault. Its content type is application/problem+json. It never holds anything that a driver said, nor the
// name of a table or constraint.
type Problem struct {
	// Status is the response's status, repeated.
	Status int `json:"status"`
	// Title is the status in words.
	Title string `json:"title"`
	// Detail is a sentence for whoever made the request: fault.Public of the error.
	Detail string `json:"detail,omitempty"`
	// Kind classifies the problem for programs: "unique", "invalid", "not_found".
	Kind fault.Kind `json:"kind"`
	// Errors are the fields of the request that are wrong.
	Errors []fault.Field `json:"errors,omitempty"`
}

// problemType is the content type of a Problem.
const problemType = "application/problem+json"

// answer is an error whose status does not follow from its kind: a route that does not exist, a body that is too large.
type answer struct {
	status int
	err    error
}

func (a *answer) Error() string { return a.err.Error() }
func (a *answer) Unwrap() error { return a.err }

func refuse(status int, kind fault.Kind, message string) error {
	return &answer{status, &fault.Error{Kind: kind, Op: "web", Message: message}}
}

// ProblemOf returns how a client is told of err. The status follows from the kind:
//
//	400 bad_request     401 unauthenticated     403 forbidden     404 not_found
//	409 conflict, unique, foreign_key, stale    422 invalid, not_null, check
//	501 unsupported     503 serialization, deadlock, timeouts, connection_lost, canceled
//	504 outcome_unknown
//	500 everything else, of which the client learns no more than internal or partial_commit
//
// Errors of package huma keep their status.
func ProblemOf(err error) Problem {
	kind := fault.KindOf(err)
	p := Problem{Status: statusOf(kind), Kind: kind, Detail: fault.Public(err), Errors: fault.FieldsOf(err)}
	var a *answer
	var h huma.StatusError
	switch {
	case errors.As(err, &a):
		p.Status = a.status
	case kind == fault.Internal && errors.As(err, &h):
		p.Status, p.Kind, p.Detail = h.GetStatus(), kindOf(h.GetStatus()), h.Error()
	}
	if p.Status < 400 || p.Status > 599 {
		p.Status = http.StatusInternalServerError
	}
	p.Title = http.StatusText(p.Status)
	if p.Status >= 500 {
		p.Errors = nil
	}
	if p.Status == http.StatusInternalServerError && p.Kind != fault.PartialCommit && kind != fault.Internal {
		// A session used wrongly, a bad set-up: the program's own affair.
		p.Kind, p.Detail = fault.Internal, fault.Public(fault.Internal)
	}
	return p
}

// statusOf returns the status that a kind is answered with.
func statusOf(kind fault.Kind) int {
	switch kind {
	case fault.BadRequest:
		return http.StatusBadRequest
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict, fault.Unique, fault.ForeignKey, fault.Stale:
		return http.StatusConflict
	case fault.Invalid, fault.NotNull, fault.Check:
		return http.StatusUnprocessableEntity
	case fault.Unsupported:
		return http.StatusNotImplemented
	case fault.Serialization, fault.Deadlock, fault.LockTimeout, fault.StatementTimeout, fault.PoolTimeout,
		fault.ConnectionLost, fault.Canceled:
		return http.StatusServiceUnavailable
	case fault.OutcomeUnknown:
		return http.StatusGatewayTimeout
	default:
		return http.StatusInternalServerError
	}
}

// kindOf returns the kind that fits a status which did not come from one.
func kindOf(status int) fault.Kind {
	switch status {
	case http.StatusUnauthorized:
		return fault.Unauthenticated
	case http.StatusForbidden:
		return fault.Forbidden
	case http.StatusNotFound:
		return fault.NotFound
	case http.StatusConflict:
		return fault.Conflict
	case http.StatusUnprocessableEntity:
		return fault.Invalid
	case http.StatusNotImplemented:
		return fault.Unsupported
	}
	if status >= 400 && status < 500 {
		return fault.BadRequest
	}
	return fault.Internal
}

// WriteProblem answers the request with err as a [Problem], and logs what the client is not told. It is what typed
// handlers' errors go through; plain handlers may use it too. It must be called before anything was written to w.
func WriteProblem(w http.ResponseWriter, r *http.Request, err error) {
	p := ProblemOf(err)
	logProblem(r, p, err)
	body, encodeErr := json.Marshal(p)
	if encodeErr != nil { // strings and numbers always encode
		body = []byte("{}")
	}
	h := w.Header()
	for _, name := range []string{"Content-Encoding", "Etag", "Last-Modified", "Trailer"} {
		h.Del(name) // of the response that this one replaces
	}
	h.Set("Content-Type", problemType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	if p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // a client that went away cannot be told so
}

// logProblem logs server errors; what a client did wrong is its own affair, and one that went away hears nothing.
func logProblem(r *http.Request, p Problem, err error) {
	if p.Status < 500 {
		return
	}
	ctx := r.Context()
	level := slog.LevelError
	switch {
	case ctx.Err() != nil && fault.KindOf(err) == fault.Canceled:
		level = slog.LevelDebug
	case p.Status == http.StatusServiceUnavailable, p.Status == http.StatusNotImplemented:
		level = slog.LevelWarn
	}
	c := callOf(ctx)
	c.log().Log(
		ctx, level, "request failed", "request_id", c.id, "method", r.Method, "path", r.URL.Path, "status", p.Status,
		"kind", string(fault.KindOf(err)), "error", err,
	)
}
