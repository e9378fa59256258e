//go:build unix

package pgxdriver

import (
	"errors"
	"net"
	"syscall"
)

// peeker looks at the socket of a connection without taking anything off it and without waiting. It is used by one
// goroutine at a time.
type peeker struct {
	raw   syscall.RawConn // nil where the connection is no socket
	look  func(fd uintptr)
	found line
}

// newPeeker returns the peeker of a connection, TLS or not.
func newPeeker(c net.Conn) *peeker {
	p := &peeker{}
	if sc, ok := rawConn(c).(syscall.Conn); ok {
		p.raw, _ = sc.SyscallConn() // has no error but for what is no connection
	}
	p.look = func(fd uintptr) { p.found = lookAt(int(fd)) }
	return p
}

// peek looks. A connection that is no socket counts as quiet, because nothing can be known without a round trip.
func (p *peeker) peek() line {
	if p.raw == nil {
		return quiet
	}
	// Control, not Read: after a slow write pgx leaves a goroutine reading in the background, which holds the descriptor's
	// read lock until something comes. Waiting for it would be waiting for a server that waits for us.
	if p.raw.Control(p.look) != nil {
		return hungUp
	}
	return p.found
}

func lookAt(fd int) line {
	var b [1]byte
	// The descriptor does not block: with nothing to read the call comes back with EAGAIN.
	n, _, err := syscall.Recvfrom(fd, b[:], syscall.MSG_PEEK)
	switch {
	case err == nil && n > 0:
		return dirty
	case errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR):
		return quiet
	}
	return hungUp
}
