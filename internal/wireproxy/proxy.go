package wireproxy

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy passes on bytes between clients and one server.
type Proxy struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	trips    atomic.Int64
	accepted atomic.Int64
	delay    atomic.Int64 // nanoseconds

	mu      sync.Mutex
	closed  bool          // guarded by mu
	lines   []*line       // those that are open; guarded by mu
	ended   int           // lines that are not open any more; guarded by mu
	left    *sync.Cond    // ended has grown; its lock is mu
	gate    chan struct{} // replies pass when it is closed; guarded by mu
	onSent  Watch         // guarded by mu
	onReply Watch         // guarded by mu
}

// New starts a proxy in front of the server at target, a host and a port. It listens on a free port of 127.0.0.1.
func New(target string) (*Proxy, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("wireproxy: %w", err)
	}
	p := &Proxy{listener: l, target: target, gate: make(chan struct{})}
	p.left = sync.NewCond(&p.mu)
	close(p.gate)
	p.running.Go(p.accept)
	return p, nil
}

// Start is New for a test, which fails if there is an error, and closes the proxy as it ends.
func Start(tb testing.TB, target string) *Proxy {
	tb.Helper()
	p, err := New(target)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Close)
	return p
}

// Close breaks all lines and waits until everything has ended. A second Close does nothing.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.left.Broadcast()
	_ = p.listener.Close()
	p.Sever()
	p.running.Wait()
}

// Addr returns the host and port where the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// URL returns a connection URL that leads through the proxy, without encryption.
func (p *Proxy) URL(direct string) string {
	u, err := url.Parse(direct)
	if err != nil {
		return direct // whoever connects says what is wrong with it
	}
	u.Host = p.Addr()
	q := u.Query()
	q.Set("sslmode", "disable")
	u.RawQuery = q.Encode()
	return u.String()
}

// Trips returns the number of round trips so far, on all lines.
func (p *Proxy) Trips() int { return int(p.trips.Load()) }

// Connections returns the number of connections that were accepted so far. A request to cancel is one.
func (p *Proxy) Connections() int { return int(p.accepted.Load()) }

// SetDelay makes the way longer by d in each direction, for what arrives from now on. Bytes leave d after they came, in
// order, however many are under way: the delay takes nothing from the bandwidth. They are late by some microseconds
// where the machine has a processor to spare.
func (p *Proxy) SetDelay(d time.Duration) { p.delay.Store(int64(d)) }

// accept takes connections until the listener is closed.
func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.accepted.Add(1)
		p.running.Go(func() { p.connect(client) })
	}
}

// connect dials the server for one client and passes on what they say until one of them hangs up.
func (p *Proxy) connect(client net.Conn) {
	dialer := net.Dialer{Timeout: 10 * time.Second}
	server, err := dialer.DialContext(context.Background(), "tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	for _, c := range []net.Conn{client, server} {
		_ = c.(*net.TCPConn).SetNoDelay(true) // Go's default, but what is measured here must not depend on it
	}
	l := &line{proxy: p, client: client, server: server, gone: make(chan struct{}), done: make(chan struct{})}
	if !p.enter(l) {
		l.cut()
		return
	}
	l.run()
	p.leave(l)
}

// enter notes an open line, unless the proxy is closed.
func (p *Proxy) enter(l *line) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.lines = append(p.lines, l)
	}
	return !p.closed
}

// leave forgets a line that has ended.
func (p *Proxy) leave(l *line) {
	p.mu.Lock()
	p.lines = slices.DeleteFunc(p.lines, func(o *line) bool { return o == l })
	p.ended++
	p.mu.Unlock()
	p.left.Broadcast()
	close(l.done)
}
