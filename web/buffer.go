package web

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
)

// errBufferFull is what a handler's Write returns once its response is larger than the buffer may be.
var errBufferFull = errors.New("web: the response is larger than its buffer may be")

// buffer is a response that is kept until its unit has committed. It offers no Unwrap, Flush or Hijack: any of them would
// let a handler, or a library that it calls, send a success before the commit. Not safe for concurrent use.
type buffer struct {
	header  http.Header // what the handler sees and sets
	sent    http.Header // the header as it was when the handler sent it, nil before that
	status  int
	body    bytes.Buffer
	limit   int64
	tooLong bool
}

var _ http.ResponseWriter = (*buffer)(nil)

// newBuffer returns a buffer that starts with the headers set on w so far.
func newBuffer(w http.ResponseWriter, limit int64) *buffer {
	return &buffer{header: w.Header().Clone(), limit: limit}
}

// Header returns the header as the handler may change it.
func (b *buffer) Header() http.Header { return b.header }

// WriteHeader settles status and header. Informational responses are dropped: nothing leaves before the commit.
func (b *buffer) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("web: invalid status code %d", status)) // as net/http does, but before the commit
	}
	if b.sent != nil || (status < 200 && status != http.StatusSwitchingProtocols) {
		return
	}
	b.status, b.sent = status, b.header.Clone()
}

// Write keeps a part of the body.
func (b *buffer) Write(p []byte) (int, error) {
	b.WriteHeader(http.StatusOK)
	if !bodyAllowed(b.status) {
		return 0, http.ErrBodyNotAllowed
	}
	if int64(b.body.Len()+len(p)) > b.limit {
		b.tooLong = true
		return 0, errBufferFull
	}
	return b.body.Write(p)
}

// WriteString keeps a part of the body.
func (b *buffer) WriteString(s string) (int, error) { return b.Write([]byte(s)) }

// finish settles a response that the handler left implicit.
func (b *buffer) finish() { b.WriteHeader(http.StatusOK) }

// deliver writes the response.
func (b *buffer) deliver(w http.ResponseWriter, head bool) {
	h := w.Header()
	clear(h)
	maps.Copy(h, b.sent)
	trailers := b.trailers()
	switch {
	case !bodyAllowed(b.status):
		h.Del("Content-Length")
		if b.status == http.StatusNotModified && b.sent.Get("Content-Length") != "" {
			h.Set("Content-Length", b.sent.Get("Content-Length"))
		}
	case head && b.body.Len() == 0:
	case len(trailers) > 0 || h.Get("Transfer-Encoding") != "":
		h.Del("Content-Length") // trailers need a chunked response
	default:
		h.Set("Content-Length", strconv.Itoa(b.body.Len()))
	}
	for name, values := range trailers {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			h[name] = values // not sent now, but net/http sends the body in chunks because of it
		}
	}
	w.WriteHeader(b.status)
	if b.body.Len() > 0 {
		_, _ = w.Write(b.body.Bytes()) // a client that went away cannot be told so
	}
	for name, values := range trailers {
		h[name] = values
	}
}

// trailers returns what the handler set after its body: the names it announced, and those with http.TrailerPrefix.
func (b *buffer) trailers() http.Header {
	found := http.Header{}
	for name, values := range b.header {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			found[name] = values
		}
	}
	for _, announced := range b.sent["Trailer"] {
		for name := range strings.SplitSeq(announced, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if values, ok := b.header[name]; ok {
				found[name] = values
			}
		}
	}
	return found
}
