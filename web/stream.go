package web

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"net"
	"net/http"

	"github.com/urutu-go/urutu/fault"
)

// Stream is the Out of a typed handler that writes its response bit by bit: a large file, server-sent events.
//
// Write is called once the unit has committed, so the promise stands that no success is seen before it; what Write reads
// it must therefore open itself, for the unit's session has ended.
//
// A route with [Operation.Stream] calls Write inside the unit instead, so that it can read rows while it writes them.
// That costs the promise: the client sees a 200 before the commit. If Write or the commit fails after the first byte, the
// connection is broken off, which is all that is left to say. The unit holds its connection as long as the client takes
// to read, and it is not retried. Such routes should only read.
type Stream struct {
	// ContentType is the response's. Defaults to application/octet-stream.
	ContentType string
	// Write writes the body. The response can be flushed with an http.ResponseController. An error before the first byte
	// is answered as a problem.
	Write func(ctx context.Context, w http.ResponseWriter) error
}

// write runs a stream.
func (x *exchange) write(ctx context.Context, s *Stream) error {
	if s.Write == nil {
		return &fault.Error{Kind: fault.Misconfigured, Op: "web.Stream", Message: "Write is not set"}
	}
	x.before = x.w.Header().Clone()
	h := x.header()
	h.Set("Content-Type", cmp.Or(s.ContentType, "application/octet-stream"))
	x.w.status = cmp.Or(x.reply.Status, x.endpoint.status)
	if err := s.Write(ctx, x.w); err != nil {
		return err
	}
	if !x.stream {
		x.w.begin()
	}
	return nil
}

// tracker is a response that knows whether anything of it has left. Not safe for concurrent use, as no response is.
type tracker struct {
	http.ResponseWriter
	status int // what an implicit WriteHeader sends; then what was sent
	begun  bool
}

var (
	_ http.Flusher  = (*tracker)(nil)
	_ http.Hijacker = (*tracker)(nil)
	_ io.ReaderFrom = (*tracker)(nil)
)

func track(w http.ResponseWriter) *tracker {
	return &tracker{ResponseWriter: w, status: http.StatusOK}
}

// WriteHeader sends the status and the header.
func (t *tracker) WriteHeader(status int) {
	if !t.begun && (status >= 200 || status == http.StatusSwitchingProtocols) {
		t.begun, t.status = true, status
	}
	t.ResponseWriter.WriteHeader(status)
}

// begin sends the header if it has not been sent.
func (t *tracker) begin() {
	if !t.begun {
		t.WriteHeader(t.status)
	}
}

// Write sends a part of the body.
func (t *tracker) Write(b []byte) (int, error) {
	t.begin()
	return t.ResponseWriter.Write(b)
}

// ReadFrom sends a part of the body from r, by the operating system where it can.
func (t *tracker) ReadFrom(r io.Reader) (int64, error) {
	t.begin()
	return io.Copy(t.ResponseWriter, r)
}

// Flush sends what is buffered, where the connection can.
func (t *tracker) Flush() { _ = t.FlushError() }

// FlushError sends what is buffered.
func (t *tracker) FlushError() error {
	t.begin()
	return http.NewResponseController(t.ResponseWriter).Flush()
}

// Hijack hands the connection over, where it can be.
func (t *tracker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err == nil {
		t.begun, t.status = true, http.StatusSwitchingProtocols
	}
	return conn, rw, err
}

// Unwrap lets an http.ResponseController reach the connection.
func (t *tracker) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// failResponse answers with a problem, or breaks the connection off where a response has begun, so that the client does
// not take what it has for the whole.
func failResponse(w *tracker, r *http.Request, err error) {
	if !w.begun {
		WriteProblem(w, r, err)
		return
	}
	logProblem(r, Problem{Status: http.StatusInternalServerError}, err)
	panic(http.ErrAbortHandler)
}

// bodyAllowed reports whether a response of that status has a body.
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
