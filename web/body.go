package web

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/urutu-go/urutu/fault"
)

// newBody returns a request body that holds data.
func newBody(data []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(data)) }

// maxGrow is how much memory a client gets for announcing a body that it has not sent yet.
const maxGrow = 64 << 10

// readBody reads the request's body, of at most limit bytes.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if r.ContentLength > limit {
		return nil, tooLarge()
	}
	var b bytes.Buffer
	if r.ContentLength > 0 {
		b.Grow(int(min(r.ContentLength, maxGrow)) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(http.MaxBytesReader(w, r.Body, limit)); err != nil {
		return nil, bodyError(err)
	}
	return b.Bytes(), nil
}

func tooLarge() error {
	return refuse(http.StatusRequestEntityTooLarge, fault.BadRequest, "the body is too large")
}

func bodyError(err error) error {
	var large *http.MaxBytesError
	var network net.Error
	switch {
	case errors.As(err, &large):
		return tooLarge()
	case errors.As(err, &network) && network.Timeout():
		return refuse(http.StatusRequestTimeout, fault.BadRequest, "the body took too long to arrive")
	default:
		return &answer{http.StatusBadRequest, &fault.Error{
			Kind: fault.BadRequest, Op: "web", Message: "the body cannot be read", Err: err,
		}}
	}
}
