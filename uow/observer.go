package uow

import "context"

// Observer sees what units and sessions do, as it happens: the seam for spans, metrics and tests. It is called from
// the goroutine that does the work, must be safe for concurrent use, and must not use the session.
type Observer interface {
	// Start is called as something begins. What happens inside it gets the returned context; end is called once when it
	// is over.
	Start(ctx context.Context, span Span) (inner context.Context, end func(Result))
}

// Span is something that begins.
type Span struct {
	// Kind says what.
	Kind SpanKind
	// Name is the operation's name, or the statement's short description: "insert users".
	Name string
	// Op is the kind of the operation, for SpanUnit.
	Op Kind
	// Connection is the connection's name, for everything but units and hooks.
	Connection string
	// Attempt counts a unit's attempts from 1.
	Attempt int
	// Statements is the number of statements that a script holds.
	Statements int
}

// Result is how it ended.
type Result struct {
	// Rows is the number of rows that a script wrote and returned.
	Rows int64
	// Err is the error, or nil.
	Err error
}

// SpanKind says what a span covers.
type SpanKind uint8

// What spans cover.
const (
	// SpanUnit is one attempt of an operation, its commit included.
	SpanUnit SpanKind = iota
	// SpanAcquire is the wait for a connection.
	SpanAcquire
	// SpanScript is one exchange with a database.
	SpanScript
	// SpanHook is one hook after the end of a unit.
	SpanHook
)

// Observe starts a span with o, which may be nil.
func Observe(ctx context.Context, o Observer, span Span) (context.Context, func(Result)) {
	if o == nil {
		return ctx, noEnd
	}
	return o.Start(ctx, span)
}

func noEnd(Result) {}
