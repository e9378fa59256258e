package faultdriver

import (
	"context"
	"errors"
	"slices"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
)

// Fault is what becomes of a script. It is called instead of the connection's Run.
type Fault func(ctx context.Context, c *Conn, s *driver.Script, r driver.Results) error

var errLost = errors.New("the line is broken")

// broken is the error of a driver whose line broke.
func broken(kind fault.Kind, at int, cause error) error {
	return &driver.ScriptError{Statement: at, Row: -1, Err: &fault.Error{Kind: kind, Op: "faultdriver.Run", Err: cause}}
}

// unheard is the error of a script that was sent and not answered.
func unheard(s *driver.Script, cause error) error {
	if s.End == driver.Commit {
		return broken(fault.OutcomeUnknown, driver.AtEnd, cause)
	}
	return broken(fault.ConnectionLost, driver.AtBegin, cause)
}

// LoseScript breaks the line before anything is sent.
func LoseScript(_ context.Context, c *Conn, _ *driver.Script, _ driver.Results) error {
	c.cut()
	return broken(fault.ConnectionLost, driver.AtBegin, errLost)
}

// LoseEnd breaks the line once the server has run the statements, and before it gets the COMMIT or ROLLBACK. The client
// does not know which of it has arrived.
func LoseEnd(ctx context.Context, c *Conn, s *driver.Script, _ driver.Results) error {
	_ = c.real.Run(ctx, &driver.Script{Begin: s.Begin, Statements: s.Statements}, driver.Discard)
	c.cut()
	return unheard(s, errLost)
}

// LoseAnswer breaks the line once the server has run everything. Of its answer the client gets nothing.
func LoseAnswer(ctx context.Context, c *Conn, s *driver.Script, _ driver.Results) error {
	return loseAnswer(ctx, c, s, driver.Discard)
}

// LoseLastAnswer is LoseAnswer, but the client gets everything up to the answer to the COMMIT or ROLLBACK.
func LoseLastAnswer(ctx context.Context, c *Conn, s *driver.Script, r driver.Results) error {
	return loseAnswer(ctx, c, s, r)
}

func loseAnswer(ctx context.Context, c *Conn, s *driver.Script, r driver.Results) error {
	_ = c.real.Run(ctx, s, r) // whatever it was, nobody hears of it
	c.cut()
	return unheard(s, errLost)
}

// Hang has the server run the statements and then say nothing until the context is done. The COMMIT is never done.
func Hang(ctx context.Context, c *Conn, s *driver.Script, _ driver.Results) error {
	_ = c.real.Run(ctx, &driver.Script{Begin: s.Begin, Statements: s.Statements}, driver.Discard)
	<-ctx.Done()
	c.cut()
	return unheard(s, ctx.Err())
}

// Late has the server run the statements and then break the line, unnoticed by the server: it ends the transaction as
// the script says when proceed is closed, and rolls back if abort is. Until then the transaction is open, and its locks are
// held.
func Late(proceed, abort <-chan struct{}) Fault {
	return func(ctx context.Context, c *Conn, s *driver.Script, _ driver.Results) error {
		ctx = context.WithoutCancel(ctx)
		end := s.End
		_ = c.real.Run(ctx, &driver.Script{Begin: s.Begin, Statements: s.Statements}, driver.Discard)
		c.leave(func() {
			select {
			case <-proceed:
				_ = c.real.Run(ctx, &driver.Script{End: end}, driver.Discard)
			case <-abort:
			}
		})
		return unheard(s, errLost)
	}
}

// Delay keeps the script somewhere between client and server, after the client has lost the line, until deliver is
// closed. What becomes of it then is given to done.
func Delay(deliver <-chan struct{}, done func(error)) Fault {
	return func(ctx context.Context, c *Conn, s *driver.Script, _ driver.Results) error {
		ctx = context.WithoutCancel(ctx)
		kept := copyOf(s)
		c.leave(func() {
			<-deliver
			done(c.real.Run(ctx, kept, driver.Discard))
		})
		return unheard(s, errLost)
	}
}

// copyOf returns a script that stays as it is when its owner goes on.
func copyOf(s *driver.Script) *driver.Script {
	out := *s
	if s.Begin != nil {
		begin := *s.Begin
		out.Begin = &begin
	}
	out.Statements = slices.Clone(s.Statements)
	for i := range out.Statements {
		out.Statements[i].Args = slices.Clone(out.Statements[i].Args)
	}
	return &out
}
