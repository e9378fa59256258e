// Package scope is the one value of urutu in a context: which unit of work, connection, session and savepoint the code
// that holds the context runs in. A scope is immutable; to change one is to put a changed copy into a derived context.
package scope

import "context"

type key struct{}

// Scope says where the code that holds a context runs. Its fields are set by the packages that own their types, which
// keeps this package below all of them.
type Scope struct {
	// Home knows the connections: a *session.DB, or nil.
	Home any
	// Unit is the current unit: a *uow.Unit, or nil outside of one.
	Unit any
	// Connection is the name that session.On chose, "" for the default.
	Connection string
	// Session is a session that its owner manages (session.Manager), or nil: the unit's session for Connection.
	Session any
	// Savepoint is the innermost savepoint, a *session.Savepoint, or nil.
	Savepoint any
	// Hook is set inside a flush hook: what the session whose flush runs it knows it by.
	Hook any
	// Autoflush says which pending changes a query writes first.
	Autoflush Autoflush
}

// Autoflush says which pending changes a query writes first.
type Autoflush uint8

// What a query writes first.
const (
	FlushRead Autoflush = iota // changes of the tables that it reads
	FlushNone                  // none
	FlushAll                   // all
)

// scoped is a context with a scope: both in one piece of memory, since each unit of work has some of them.
type scoped struct {
	context.Context
	Scope
}

// Value implements context.Context.
func (c *scoped) Value(k any) any {
	if k == any(key{}) {
		return &c.Scope
	}
	return c.Context.Value(k)
}

// From returns the scope of ctx; the zero Scope where it has none.
func From(ctx context.Context) *Scope {
	if c, ok := ctx.(*scoped); ok {
		return &c.Scope
	}
	if s, ok := ctx.Value(key{}).(*Scope); ok {
		return s
	}
	return &none
}

var none Scope

// Into returns a context derived from ctx that carries s.
func Into(ctx context.Context, s Scope) context.Context {
	if c, ok := ctx.(*scoped); ok {
		ctx = c.Context // whose scope nobody would see
	}
	return &scoped{ctx, s}
}
