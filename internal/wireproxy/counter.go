package wireproxy

import "encoding/binary"

// counter follows the protocol far enough to say what a round trip is.
type counter struct {
	ready    bool   // the handshake is over
	raw      bool   // the server's next byte is the answer to a request for encryption
	asked    bool   // the client has sent something that was not answered yet
	requests frames // what the client sends, once the handshake is over
	replies  frames // what the server sends until then
}

// sent follows what a client sends.
func (c *counter) sent(b []byte) {
	if !c.ready {
		c.raw = asksForEncryption(b)
		return
	}
	c.asked = true
	c.requests.follow(b)
}

// answered follows what the server sends, and reports whether that ends a round trip: it does if the client waits for
// it. An answer to the first half of a burst, while the client still sends the second, does not.
func (c *counter) answered(b []byte) bool {
	if !c.ready {
		c.shake(b)
		return false
	}
	if !c.asked || !c.requests.waits() {
		return false
	}
	c.asked = false
	return true
}

// shake follows the server's part of the handshake, which ends with the first ReadyForQuery.
func (c *counter) shake(b []byte) {
	if c.raw {
		c.raw, b = false, b[1:]
	}
	c.replies.follow(b)
	c.ready = c.replies.last == 'Z' && c.replies.whole()
}

// asksForEncryption recognizes the requests that come before a handshake proper: an SSLRequest or a GSSENCRequest.
func asksForEncryption(b []byte) bool {
	if len(b) != 8 {
		return false
	}
	code := binary.BigEndian.Uint32(b[4:])
	return code == 80877103 || code == 80877104
}

// frames follows a stream of messages, each a byte for its type, four for its length without the type, and the rest.
type frames struct {
	header [5]byte
	have   int  // bytes of the header
	left   int  // bytes of the body that are to come
	last   byte // the type of the last message
}

// follow takes the stream's next bytes.
func (f *frames) follow(b []byte) {
	for len(b) > 0 {
		if f.left > 0 {
			n := min(f.left, len(b))
			f.left, b = f.left-n, b[n:]
			continue
		}
		n := copy(f.header[f.have:], b)
		f.have, b = f.have+n, b[n:]
		if f.have == len(f.header) {
			f.have, f.last = 0, f.header[0]
			f.left = int(binary.BigEndian.Uint32(f.header[1:])) - 4
		}
	}
}

// whole reports whether the stream is between two messages.
func (f *frames) whole() bool { return f.have == 0 && f.left <= 0 }

// waits reports whether the last message is whole, and one after which a client has to wait for its answer: Query, Sync,
// Flush, a function call, a password, or the end of a copy. Data of a copy is none of these, nor is a Parse.
func (f *frames) waits() bool {
	if !f.whole() {
		return false
	}
	switch f.last {
	case 'Q', 'S', 'H', 'F', 'p', 'c', 'f':
		return true
	}
	return false
}
