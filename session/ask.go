package session

import (
	"context"

	"github.com/urutu-go/urutu/internal/scope"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/value"
)

// Ask is [DB.Run] for what a unit has to know before it goes on, and which only reads. A unit that holds a connection asks over
// it, and so does not wait for a second one while others like it hold all there are; where rows or a stream of it are open, and
// in a unit inside of another one, it takes one from the pool. Of the unit nothing fails with it, unless its connection is lost.
func (db *DB) Ask(ctx context.Context, op string, script *driver.Script, r driver.Results) error {
	s := db.holder(ctx, op)
	if s == nil {
		return db.Run(ctx, op, driver.Read, script, r)
	}
	defer s.leave(ctx)
	return s.aside(ctx, op, script, r)
}

// holder enters the session of ctx if it holds a connection that is free for a script, and returns nil if not.
func (db *DB) holder(ctx context.Context, op string) *Session {
	sc := scope.From(ctx)
	unit, inside := sc.Unit.(*uow.Unit)
	c, err := db.connection(op, Name(sc.Connection))
	if err != nil || !inside || sc.Home != any(db) || enlisted(unit, c) == nil {
		return nil
	}
	s, err := enter(ctx, op)
	if err != nil {
		return nil // whatever the unit does next says why
	}
	if s.held != nil && s.betweenRows(op) == nil {
		return s
	}
	s.leave(ctx)
	return nil
}

// aside runs a script on the connection that the session holds, in a savepoint of the database's, to which it goes back either
// way: so the transaction keeps no locks of it.
func (s *Session) aside(ctx context.Context, op string, script *driver.Script, r driver.Results) error {
	inside := &Savepoint{name: "urutu_ask", emitted: true}
	var refused error
	b := &burst{}
	b.add(control("SAVEPOINT ", inside), nil)
	for i, st := range script.Statements {
		b.add(st, answer{r, i, &refused})
	}
	b.add(control("ROLLBACK TO SAVEPOINT ", inside), nil)
	b.add(control("RELEASE SAVEPOINT ", inside), nil)
	err := s.exchange(ctx, op, b, driver.Stay)
	if err == nil {
		return s.wrap(op, refused)
	}
	if s.failed == nil || !s.inTx {
		return err
	}
	failed := s.failed
	s.failed = nil
	if s.undoInDatabase(ctx, op, inside, failed) != nil {
		s.failed = failed
	}
	return err
}

// answer hands on what one statement of a script brings back, as long as nothing was refused.
type answer struct {
	to      driver.Results
	i       int
	refused *error
}

func (a answer) row(cells []value.Value) error {
	if *a.refused == nil {
		*a.refused = a.to.Row(a.i, cells)
	}
	return nil
}

func (a answer) done(affected, lastID int64) error {
	if *a.refused == nil {
		*a.refused = a.to.Done(a.i, affected, lastID)
	}
	return nil
}
