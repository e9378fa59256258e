package wireproxy

import (
	"bytes"
	"slices"
	"sync"
)

// Verdict says what becomes of bytes that have arrived.
type Verdict uint8

// The verdicts.
const (
	Pass       Verdict = iota // they are passed on
	Cut                       // they are dropped, and the line is cut
	PassAndCut                // they are passed on, and then the line is cut
)

// Watch looks at bytes that have arrived in one piece, and decides on them. It must not keep them.
type Watch func(b []byte) Verdict

// OnSent has watch look at everything that clients send from now on; nil ends that. There is one at a time.
func (p *Proxy) OnSent(watch Watch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onSent = watch
}

// OnReply has watch look at everything that the server sends from now on; nil ends that. There is one at a time.
func (p *Proxy) OnReply(watch Watch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onReply = watch
}

// CutBeforeSent cuts the first line on which a client sends bytes with match in them, and the server does not get them.
func (p *Proxy) CutBeforeSent(match []byte) { p.OnSent(once(match, Cut)) }

// CutAfterSent cuts the first line on which a client sends bytes with match in them, as soon as the server has got them;
// its answer is not passed on. The server acts on them at a time of its own, or not at all if the client asks it to
// cancel, as pgx does when a line breaks; a test that must know that it did takes CutBeforeReply.
func (p *Proxy) CutAfterSent(match []byte) { p.OnSent(once(match, PassAndCut)) }

// CutBeforeReply cuts the first line on which the server sends bytes with match in them, and the client does not get
// them: by then the server has done what was asked.
func (p *Proxy) CutBeforeReply(match []byte) { p.OnReply(once(match, Cut)) }

// once returns a watch that gives its verdict once, on bytes that match.
func once(match []byte, v Verdict) Watch {
	match = slices.Clone(match)
	var mu sync.Mutex
	used := false
	return func(b []byte) Verdict {
		mu.Lock()
		defer mu.Unlock()
		if used || !bytes.Contains(b, match) {
			return Pass
		}
		used = true
		return v
	}
}

// HoldReplies keeps what the server sends from the clients until release is called, which has no effect the second
// time. Requests still pass.
func (p *Proxy) HoldReplies() (release func()) {
	gate := make(chan struct{})
	p.mu.Lock()
	p.gate = gate
	p.mu.Unlock()
	return sync.OnceFunc(func() { close(gate) })
}

// Sever cuts all lines that are open now, and returns once they are gone. New ones can be made.
func (p *Proxy) Sever() {
	for _, l := range p.open() {
		l.cut()
		<-l.done
	}
}

// AwaitEnded waits until n of the connections that were ever accepted have ended, by whatever side, or the proxy was
// closed.
func (p *Proxy) AwaitEnded(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.ended < n && !p.closed {
		p.left.Wait()
	}
}

func (p *Proxy) open() []*line {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines)
}

// judge returns the verdict on bytes, and the gate that they have to pass.
func (p *Proxy) judge(b []byte, fromClient bool) (Verdict, <-chan struct{}) {
	p.mu.Lock()
	watch, gate := p.onReply, p.gate
	if fromClient {
		watch, gate = p.onSent, nil
	}
	p.mu.Unlock()
	if watch == nil {
		return Pass, gate
	}
	return watch(b), gate
}
