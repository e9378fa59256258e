// Package timeout makes contexts that all end after the same time, with one timer for all of them. A timer of its own
// for each would be the most expensive thing that a short unit of work does besides talking to its database: taking one
// wakes another thread, which finds nothing to do. A context here costs next to nothing until somebody waits for its end.
package timeout

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Group makes contexts that end after its duration. It is safe for concurrent use.
type Group struct {
	after time.Duration

	mu          sync.Mutex // protects the members below, and the places of contexts in the list
	first, last *timed     // those that somebody waits for, in the order in which they will end
	rings       time.Time  // when the timer does, which is not after the first of them ends; zero where none runs
}

// New returns a group whose contexts end after d.
func New(d time.Duration) *Group { return &Group{after: d} }

// timed is a context of a group.
type timed struct {
	parent context.Context
	group  *Group
	until  time.Time

	mu      sync.Mutex // protects the members below; taken before the group's
	err     error      // why it has ended
	awaited bool       // somebody waits for the end: it is in the group's list, and follows its parent
	done    chan struct{}
	funcs   []*func()
	one     [1]*func()  // room for the usual number of them
	leave   func() bool // has the parent forget it; nil where that never ends

	prev, next *timed
	listed     bool
}

// Context returns a context that ends after the group's duration, with its parent, or when the function is called, which
// the caller has to do. It is small enough to become part of its caller, where the function then takes no memory.
func (g *Group) Context(parent context.Context) (context.Context, context.CancelFunc) {
	c := g.begin(parent)
	return c, c.cancel
}

func (g *Group) begin(parent context.Context) *timed {
	return &timed{parent: parent, group: g, until: time.Now().Add(g.after)}
}

// Deadline implements context.Context.
func (c *timed) Deadline() (time.Time, bool) {
	if earlier, ok := c.parent.Deadline(); ok && earlier.Before(c.until) {
		return earlier, true
	}
	return c.until, true
}

// Value implements context.Context.
func (c *timed) Value(key any) any { return c.parent.Value(key) }

// Err implements context.Context.
func (c *timed) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look()
	return c.err
}

// look ends the context if that is due. Where somebody waits for the end, the time is the timer's business.
func (c *timed) look() {
	switch {
	case c.err != nil:
	case c.parent.Err() != nil:
		c.finish(c.parent.Err())
	case !c.awaited && !time.Now().Before(c.until):
		c.finish(context.DeadlineExceeded)
	}
}

// Done implements context.Context.
func (c *timed) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.await()
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		}
	}
	return c.done
}

// AfterFunc has f called, in a goroutine of its own, once the context has ended. Package context looks for it.
func (c *timed) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.await(); c.err != nil {
		go f()
		return func() bool { return false }
	}
	if c.funcs == nil {
		c.funcs = c.one[:0]
	}
	c.funcs = append(c.funcs, &f)
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		i := slices.Index(c.funcs, &f)
		if i >= 0 {
			c.funcs = slices.Delete(c.funcs, i, i+1)
		}
		return i >= 0
	}
}

// AfterFunc is context.AfterFunc, with less ado where ctx is a context of a group.
func AfterFunc(ctx context.Context, f func()) (stop func() bool) {
	if c, ok := ctx.(*timed); ok {
		return c.AfterFunc(f)
	}
	return context.AfterFunc(ctx, f)
}

// cancel ends the context, if it goes on still.
func (c *timed) cancel() { c.end(context.Canceled) }

func (c *timed) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.finish(err)
	}
}

// await has the context end by itself, when its time has come or its parent ends.
func (c *timed) await() {
	if c.look(); c.awaited || c.err != nil {
		return
	}
	c.awaited = true
	if c.parent.Done() != nil {
		c.leave = AfterFunc(c.parent, func() { c.end(c.parent.Err()) })
	}
	c.group.enter(c)
}

// finish ends the context.
func (c *timed) finish(err error) {
	c.err = err
	if c.done != nil {
		close(c.done)
	}
	for _, f := range c.funcs {
		go (*f)()
	}
	c.funcs = nil
	if c.leave != nil {
		c.leave()
	}
	if c.awaited {
		c.group.mu.Lock()
		defer c.group.mu.Unlock()
		c.group.unlink(c)
	}
}

// enter puts a context into the list. Nearly always it ends after all others: it has not waited long for somebody to
// wait for it.
func (g *Group) enter(c *timed) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := g.last
	for before != nil && before.until.After(c.until) {
		before = before.prev
	}
	c.listed, c.prev = true, before
	if before != nil {
		c.next, before.next = before.next, c
	} else {
		c.next, g.first = g.first, c
	}
	if c.next != nil {
		c.next.prev = c
	} else {
		g.last = c
	}
	if g.rings.IsZero() || c.until.Before(g.rings) {
		g.ring()
	}
}

// ring sets the timer for the end of the first context. One that was set for later finds nothing to do.
func (g *Group) ring() {
	g.rings = g.first.until
	time.AfterFunc(time.Until(g.rings), g.expire)
}

// expire ends the contexts whose time has come.
func (g *Group) expire() {
	for _, c := range g.due() {
		c.end(context.DeadlineExceeded)
	}
}

// due takes them out of the list.
func (g *Group) due() (ended []*timed) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	for g.first != nil && !g.first.until.After(now) {
		ended = append(ended, g.first)
		g.unlink(g.first)
	}
	if g.rings.After(now) {
		return ended // another timer runs
	}
	g.rings = time.Time{}
	if g.first != nil {
		g.ring()
	}
	return ended
}

// unlink takes a context out of the list.
func (g *Group) unlink(c *timed) {
	if !c.listed {
		return
	}
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		g.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		g.last = c.prev
	}
	c.prev, c.next, c.listed = nil, nil, false
}
