package wireproxy

import (
	"net"
	"sync"
	"sync/atomic"
)

// line is one client's connection to the server.
type line struct {
	proxy          *Proxy
	client, server net.Conn
	gone           chan struct{} // closed when it is cut or has ended
	done           chan struct{} // closed when nothing of it runs any more
	once           sync.Once
	last           atomic.Bool // nothing passes any more but what is just being written, after which the line is cut

	mu    sync.Mutex
	count counter // guarded by mu
}

// run passes bytes on in both directions until the line ends.
func (l *line) run() {
	var both sync.WaitGroup
	for _, s := range []*stream{
		newStream(l, l.client, l.server, true),
		newStream(l, l.server, l.client, false),
	} {
		both.Go(s.read)
		both.Go(s.write)
	}
	both.Wait()
}

// cut ends the line.
func (l *line) cut() {
	l.once.Do(func() {
		close(l.gone)
		_ = l.client.Close()
		_ = l.server.Close()
	})
}

// sent notes what a client has sent.
func (l *line) sent(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count.sent(b)
}

// answered notes what is about to be given to the client.
func (l *line) answered(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count.answered(b) {
		l.proxy.trips.Add(1)
	}
}
