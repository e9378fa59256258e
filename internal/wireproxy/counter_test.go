package wireproxy

import (
	"encoding/binary"
	"testing"
)

// message makes a message of a type and a body of n bytes.
func message(kind byte, n int) []byte {
	b := make([]byte, 5+n)
	b[0] = kind
	binary.BigEndian.PutUint32(b[1:], uint32(4+n))
	return b
}

// untyped makes one of the messages before a handshake proper.
func untyped(code uint32, n int) []byte {
	b := make([]byte, 8+n)
	binary.BigEndian.PutUint32(b, uint32(8+n))
	binary.BigEndian.PutUint32(b[4:], code)
	return b
}

func join(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// said is what one side says.
type said struct {
	byServer bool
	bytes    []byte
}

func client(parts ...[]byte) said { return said{false, join(parts...)} }
func server(parts ...[]byte) said { return said{true, join(parts...)} }

const startup, wantsTLS = 196608, 80877103

func TestTripsOfConversations(t *testing.T) {
	t.Parallel()
	ready := message('Z', 1)
	burst := join(message('P', 100), message('B', 20), message('E', 4), message('S', 0), message('P', 10), message('S', 0))
	cases := []struct {
		name string
		said []said
		want int
	}{
		{"a query", []said{client(message('Q', 10)), server(message('T', 9), ready)}, 1},
		{"a burst with two syncs", []said{client(burst), server(ready), server(ready)}, 1},
		{"an answer in pieces", []said{client(burst), server(message('1', 0)[:3]), server(message('1', 0)[3:], ready)}, 1},
		{"a burst in pieces, answered meanwhile", []said{
			client(burst[:50]), server(message('1', 0)), client(burst[50:120]), server(message('2', 0)), client(burst[120:]), server(ready),
		}, 1},
		{"two queries", []said{client(message('Q', 10)), server(ready), client(message('Q', 1)), server(ready)}, 2},
		{"a statement that is described first", []said{
			client(message('P', 9), message('D', 9), message('H', 0)), server(message('T', 9)),
			client(message('B', 9), message('E', 9), message('S', 0)), server(ready),
		}, 2},
		{"a copy", []said{
			client(message('Q', 10)), server(message('G', 9)),
			client(message('d', 100), message('d', 10)), client(message('c', 0)), server(message('C', 9), ready),
		}, 2},
		{"the client's farewell", []said{client(message('X', 0))}, 0},
		{"the server's farewell", []said{server(message('E', 99))}, 0},
		{"a notice that nobody asked for, then a query", []said{server(message('N', 9)), client(message('Q', 10)), server(ready)}, 1},
	}
	for _, tt := range cases {
		c := counter{}
		if n := trips(&c, client(untyped(wantsTLS, 0)), server([]byte{'N'}), client(untyped(startup, 30)),
			server(message('R', 20)), client(message('p', 30)), server(message('R', 4), message('K', 8), ready)); n != 0 {
			t.Errorf("the handshake before %s: %d trips", tt.name, n)
		}
		if n := trips(&c, tt.said...); n != tt.want {
			t.Errorf("%s: %d trips, want %d", tt.name, n, tt.want)
		}
	}
}

func trips(c *counter, conversation ...said) (n int) {
	for _, s := range conversation {
		if !s.byServer {
			c.sent(s.bytes)
		} else if c.answered(s.bytes) {
			n++
		}
	}
	return n
}
