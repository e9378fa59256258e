package web

import (
	"bytes"
	"io"
)

// replay is a request's body that can be read again by a unit that is run again: what the first run read is remembered,
// up to a limit. Not safe for concurrent use.
type replay struct {
	source io.ReadCloser
	seen   bytes.Buffer
	limit  int64
	full   bool // more was read than is remembered: it cannot be read again
}

// reader returns a body that starts from the beginning.
func (p *replay) reader() io.ReadCloser {
	return &replayReader{replay: p, past: bytes.NewReader(p.seen.Bytes())}
}

// replayReader reads what was seen and then the rest.
type replayReader struct {
	replay *replay
	past   *bytes.Reader
}

func (r *replayReader) Read(b []byte) (int, error) {
	if r.past.Len() > 0 {
		return r.past.Read(b)
	}
	p := r.replay
	n, err := p.source.Read(b)
	if int64(p.seen.Len()+n) > p.limit {
		p.full = true
	}
	if p.full {
		p.seen = bytes.Buffer{} // no longer of use
	} else {
		p.seen.Write(b[:n])
	}
	return n, err
}

// Close does nothing: the server closes the body, and another run may still want it.
func (r *replayReader) Close() error { return nil }
