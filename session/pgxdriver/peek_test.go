//go:build unix

package pgxdriver

import (
	"net"
	"testing"
	"time"
)

// sockets returns both ends of a connection.
func sockets(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if ours, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if theirs, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	return ours, theirs
}

// TestPeekDoesNotWaitForAReader: pgx may leave a goroutine that reads in the background, and a peek that waited for it
// would wait for a server that waits for us.
func TestPeekDoesNotWaitForAReader(t *testing.T) {
	t.Parallel()
	ours, theirs := sockets(t)
	read := make(chan error)
	go func() {
		_, err := ours.Read(make([]byte, 1))
		read <- err
	}()
	seen := make(chan line, 1)
	go func() {
		state, p := quiet, newPeeker(ours)
		for begin := time.Now(); state == quiet && time.Since(begin) < 20*time.Millisecond; {
			state = p.peek() // again and again, so that the reader has begun by some of them
		}
		seen <- state
	}()
	select {
	case state := <-seen:
		if state != quiet {
			t.Errorf("a silent line is %v", state)
		}
	case <-time.After(20 * time.Second):
		t.Error("the peek waits for the reader")
	}
	if _, err := theirs.Write([]byte{0}); err != nil {
		t.Error(err)
	}
	if err := <-read; err != nil {
		t.Error(err)
	}
}
