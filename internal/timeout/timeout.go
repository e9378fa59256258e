// Package timeout makes contexts that all end after the same time, with one timer for all of them. A timer of its own
// for each would be the most expensive thing that a short unit of work does besides talking to its database: taking one
// wakes another thread, which finds nothing to do.
package timeout

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Group makes contexts that end after its duration. It is safe for concurrent use.
type Group struct {
	after time.Duration

	mu          sync.Mutex // protects the members below
	first, last *timed     // the contexts that go on, in the order in which they began, and so will end
	armed       bool       // the timer runs, until the first of them ends, or one that was the first then
}

// New returns a group whose contexts end after d.
func New(d time.Duration) *Group { return &Group{after: d} }

// timed is a context of a group.
type timed struct {
	context.Context // the parent's, with an end of its own
	parent          context.Context
	cancel          context.CancelFunc
	until           time.Time
	expired         atomic.Bool
	prev, next      *timed
}

// Deadline implements context.Context.
func (t *timed) Deadline() (time.Time, bool) {
	if earlier, ok := t.parent.Deadline(); ok && earlier.Before(t.until) {
		return earlier, true
	}
	return t.until, true
}

// Err implements context.Context.
func (t *timed) Err() error {
	err := t.Context.Err()
	if err != nil && t.expired.Load() {
		err = context.DeadlineExceeded
	}
	return err
}

// Value implements context.Context. Package context finds by a key of its own what it can end derived contexts with,
// past Err, which would not be asked why: it does not find it here, and takes AfterFunc.
func (t *timed) Value(key any) any {
	v := t.Context.Value(key)
	if v == any(t.Context) {
		return t.parent.Value(key)
	}
	return v
}

// AfterFunc has f called once the context has ended. Package context looks for it.
func (t *timed) AfterFunc(f func()) (stop func() bool) { return context.AfterFunc(t.Context, f) }

// Context returns a context that ends after the group's duration, with its parent, or when the function is called, which
// the caller has to do.
func (g *Group) Context(parent context.Context) (context.Context, context.CancelFunc) {
	t := &timed{parent: parent, until: time.Now().Add(g.after)}
	t.Context, t.cancel = context.WithCancel(parent)
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.prev = g.last; t.prev != nil {
		t.prev.next = t
	} else {
		g.first = t
	}
	g.last = t
	if !g.armed {
		g.armed = true
		time.AfterFunc(g.after, g.expire)
	}
	return t, func() { g.end(t) }
}

// end ends a context early.
func (g *Group) end(t *timed) {
	g.mu.Lock()
	g.unlink(t)
	g.mu.Unlock()
	t.cancel()
}

func (g *Group) unlink(t *timed) {
	switch {
	case t.prev != nil:
		t.prev.next = t.next
	case g.first == t:
		g.first = t.next
	default:
		return // it was before
	}
	if t.next != nil {
		t.next.prev = t.prev
	} else {
		g.last = t.prev
	}
	t.prev, t.next = nil, nil
}

// expire ends the contexts whose time has come.
func (g *Group) expire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	for g.first != nil && !g.first.until.After(now) {
		t := g.first
		g.unlink(t)
		t.expired.Store(t.Context.Err() == nil) // its parent may have ended before
		t.cancel()
	}
	if g.armed = g.first != nil; g.armed {
		time.AfterFunc(g.first.until.Sub(now), g.expire)
	}
}
