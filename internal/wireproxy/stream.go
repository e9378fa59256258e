package wireproxy

import (
	"net"
	"sync"
	"time"
)

// stream is one direction of a line. One goroutine reads and one writes, so that what is under way for the length of the
// delay keeps nothing that comes behind it.
type stream struct {
	line       *line
	from, to   net.Conn
	fromClient bool
	filled     chan struct{} // has a token when the queue may have something

	mu      sync.Mutex
	queue   []chunk  // guarded by mu
	pending int      // chunks that are queued or just being written; guarded by mu
	free    [][]byte // buffers to use again; guarded by mu
}

// chunk is what arrived in one piece.
type chunk struct {
	buf     []byte // nil at the end of the stream
	n       int
	due     time.Time
	gate    <-chan struct{} // nil if nothing is held
	thenCut bool
}

func newStream(l *line, from, to net.Conn, fromClient bool) *stream {
	return &stream{line: l, from: from, to: to, fromClient: fromClient, filled: make(chan struct{}, 1)}
}

// read takes what arrives and queues it. The end of the stream is queued too: what came before it still leaves.
func (s *stream) read() {
	for {
		buf := s.buffer()
		n, err := s.from.Read(buf)
		if n > 0 && !s.take(buf, n) {
			return
		}
		if err != nil {
			s.push(chunk{})
			return
		}
	}
}

// take decides what becomes of bytes that have arrived, and reports whether the stream goes on.
func (s *stream) take(buf []byte, n int) bool {
	delay := time.Duration(s.line.proxy.delay.Load())
	c := chunk{buf: buf, n: n}
	if delay > 0 {
		c.due = time.Now().Add(delay)
	}
	verdict, gate := s.line.proxy.judge(buf[:n], s.fromClient)
	if verdict == Cut {
		s.line.cut()
		return false
	}
	c.gate, c.thenCut = gate, verdict == PassAndCut
	if s.fromClient {
		s.line.sent(buf[:n])
	}
	if delay <= 0 && s.passes(gate) {
		// Nothing is under way before it: a second goroutine would only cost time.
		ok := s.deliver(c)
		s.recycle(buf)
		return ok
	}
	s.push(c)
	return true
}

// passes reports whether nothing is under way and the gate is open.
func (s *stream) passes(gate <-chan struct{}) bool {
	if gate != nil {
		select {
		case <-gate:
		default:
			return false
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending == 0
}

func (s *stream) push(c chunk) {
	s.mu.Lock()
	s.queue = append(s.queue, c)
	s.pending++
	s.mu.Unlock()
	select {
	case s.filled <- struct{}{}:
	default:
	}
}

// write passes on what is queued as it becomes due.
func (s *stream) write() {
	var clock sleeper
	for {
		select {
		case <-s.filled:
		case <-s.line.gone:
			return
		}
		for c, ok := s.next(); ok; c, ok = s.next() {
			if !s.release(c, &clock) {
				s.line.cut()
				return
			}
		}
	}
}

// next takes the oldest chunk off the queue.
func (s *stream) next() (chunk, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return chunk{}, false
	}
	c := s.queue[0]
	s.queue = append(s.queue[:0], s.queue[1:]...)
	return c, true
}

// release waits until a chunk may leave and writes it. It reports whether the stream goes on.
func (s *stream) release(c chunk, clock *sleeper) bool {
	if c.buf == nil {
		return false
	}
	if c.gate != nil {
		select {
		case <-c.gate:
		case <-s.line.gone:
			return false
		}
	}
	if !c.due.IsZero() && !clock.until(c.due, s.line.gone) {
		return false
	}
	ok := s.deliver(c)
	s.recycle(c.buf)
	s.mu.Lock()
	s.pending--
	s.mu.Unlock()
	return ok
}

// deliver writes a chunk and reports whether the stream goes on.
func (s *stream) deliver(c chunk) bool {
	if c.thenCut {
		s.line.last.Store(true) // whoever gets it may answer before the cut
	} else if s.line.last.Load() {
		<-s.line.gone
		return false
	}
	if !s.fromClient {
		s.line.answered(c.buf[:c.n])
	}
	_, err := s.to.Write(c.buf[:c.n])
	if err != nil || c.thenCut {
		s.line.cut()
		return false
	}
	return true
}

// bufferSize is how much arrives in one piece at most.
const bufferSize = 1 << 16

// buffer returns one that is free, or a new one.
func (s *stream) buffer() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		b := s.free[n-1]
		s.free = s.free[:n-1]
		return b
	}
	return make([]byte, bufferSize)
}

func (s *stream) recycle(buf []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, buf)
}
