package urutu

import "context"

// Component is a part of an application that does something by itself: it serves, consumes, or ticks. An implementation
// must tolerate Stop without Start and a second Stop, and its methods are called from one goroutine at a time.
//
// It may also have any of these methods, which an App looks for:
//
//	Role() string         // the role it belongs to: see App.Roles
//	Failed() <-chan error // delivers the error by which it stopped on its own
//	StopIntake()          // takes no new work, and returns at once; Stop follows
type Component interface {
	// Name identifies the component in errors and logs.
	Name() string
	// Start begins the work and returns once it is under way. The work has the values of ctx but outlives it: it goes on
	// until Stop.
	Start(ctx context.Context) error
	// Stop takes no new work, waits for what is under way, and returns. When ctx ends first it breaks the work off and
	// returns an error.
	Stop(ctx context.Context) error
}

// Resource is something that components use: a session.DB for one. An App pings it before the first component starts and
// closes it after the last one has stopped.
//
// It may also have the method Context(ctx) context.Context, which makes it known to code that is given that context. The
// App calls it for the context that the components are started with.
type Resource interface {
	// Ping reports whether it can be used.
	Ping(ctx context.Context) error
	// Close gives it up. It must tolerate a second call.
	Close() error
}

// Closer makes a resource of a function that closes something; it is always ready. The name is for errors.
func Closer(name string, closeFn func() error) Resource { return closer{name, closeFn} }

type closer struct {
	name    string
	closeFn func() error
}

var _ Resource = closer{}

func (c closer) Name() string               { return c.name }
func (c closer) Ping(context.Context) error { return nil }
func (c closer) Close() error               { return c.closeFn() }
