//go:build unix

package pgxdriver

import (
	"errors"
	"net"
	"syscall"
)

// peek looks at the socket without taking anything off it and without waiting. A connection that is no socket counts
// as quiet, because nothing can be known without a round trip.
func peek(c net.Conn) line {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return quiet
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return hungUp
	}
	state := hungUp
	// Control, not Read: after a slow write pgx leaves a goroutine reading in the background, which holds the descriptor's
	// read lock until something comes. Waiting for it would be waiting for a server that waits for us.
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		// The descriptor does not block: with nothing to read the call comes back with EAGAIN.
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
		switch {
		case err == nil && n > 0:
			state = dirty
		case errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR):
			state = quiet
		}
	})
	if err != nil {
		return hungUp
	}
	return state
}
