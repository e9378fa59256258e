package session

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/scope"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/value"
)

// Writer renders the rows that a package has staged with [StageFor]. It is compared with ==, and used by all sessions at
// once.
type Writer interface {
	// Statements returns what writes the rows: all that were staged for it since the last commit, in their order, with
	// the values of each call of [StageFor] after those of the one before.
	Statements(d dialect.Dialect, values []value.Value) []Written
}

// SnapshotWriter is a [Writer] whose statements read what may have changed since a transaction's snapshot was taken.
type SnapshotWriter interface {
	Writer
	// Current returns what follows the statements of all writers where all of a transaction's have one snapshot, with
	// REPEATABLE READ and SERIALIZABLE: it fails where what they have read is not current any more. Its values are those of the
	// statements.
	Current(d dialect.Dialect, values []value.Value) []Written
}

// Written is one statement of a [Writer].
type Written struct {
	driver.Statement
	// Done is called with the number of rows that the statement wrote, before the outcome of the commit is known. Nil
	// where nobody wants to know.
	Done func(affected int64)
	// Table is what the statement's error names.
	Table string
}

// StageFor adds values to the session of ctx, as [Stage] adds rows, for a writer that renders them its own way.
func StageFor(ctx context.Context, w Writer, values ...value.Value) error {
	return stageFor(ctx, "session.StageFor", stagedRows{Rows: Rows{Values: values}, by: w})
}

// StageEarly is [StageFor] for what is written before the rows of other writers, but behind those of [StageUnit]: what takes
// locks that others of its kind wait for, in whatever order units have staged.
func StageEarly(ctx context.Context, w Writer, values ...value.Value) error {
	return stageFor(ctx, "session.StageEarly", stagedRows{Rows: Rows{Values: values}, by: w, turn: early})
}

// StageUnit is [StageFor] for what belongs to the unit, and not to what its function did: it outlives a rollback by hand
// and is written by the commit in any case, before what was staged otherwise.
func StageUnit(ctx context.Context, w Writer, values ...value.Value) error {
	return stageFor(ctx, "session.StageUnit", stagedRows{Rows: Rows{Values: values}, by: w, turn: ofUnit})
}

func stageFor(ctx context.Context, op string, r stagedRows) error {
	s, err := enter(ctx, op)
	if err != nil {
		return err
	}
	defer s.leave(ctx)
	return s.stage(op, r)
}

// emitWriters appends what writers make of their rows, each in its turn, and then what they have read.
func (s *Session) emitWriters(b *burst) {
	var read []Written
	for _, turn := range turns {
		for i, r := range s.staged {
			if r.by == nil || r.turn != turn || s.emitted(i) {
				continue
			}
			values := slices.Clip(r.Values) // the caller's own
			for _, more := range s.staged[i+1:] {
				if more.by == r.by && more.turn == turn {
					values = append(values, more.Values...)
				}
			}
			b.addWritten(r.by.Statements(s.conn.d, values))
			if w, ok := r.by.(SnapshotWriter); ok && s.opts.Isolation > uow.ReadCommitted {
				read = append(read, w.Current(s.conn.d, values)...)
			}
		}
	}
	b.addWritten(read)
}

func (b *burst) addWritten(list []Written) {
	for _, w := range list {
		b.add(w.Statement, writtenSink{w.Done, w.Table})
	}
}

// emitted reports whether the rows at i went with earlier ones of their writer.
func (s *Session) emitted(i int) bool {
	for _, r := range s.staged[:i] {
		if r.by == s.staged[i].by && r.turn == s.staged[i].turn {
			return true
		}
	}
	return false
}

// writtenSink tells a writer how many rows its statement wrote.
type writtenSink struct {
	tell  func(int64)
	table string
}

var _ namer = writtenSink{}

func (w writtenSink) name(e *fault.Error, _ int) { e.Table = w.table }

func (writtenSink) row([]value.Value) error { return nil }

func (w writtenSink) done(affected, _ int64) error {
	if w.tell != nil {
		w.tell(affected)
	}
	return nil
}

// Run runs a script on the connection that ctx chose with [On], outside of every unit of work: for packages that keep
// tables of their own in a database ([Component]), and loop over them. Its errors are *fault.Error with op and the name
// of the connection. See driver.Conn for what Run does and r gets.
func (db *DB) Run(ctx context.Context, op string, access driver.Access, script *driver.Script, r driver.Results) error {
	c, err := db.connection(op, Name(scope.From(ctx).Connection))
	if err != nil {
		return err
	}
	s := Session{conn: c, home: db}
	conn, err := c.lend(ctx, access)
	if err != nil {
		return s.wrap(op, err)
	}
	defer conn.Release()
	return s.explain(op, conn.Run(ctx, script, r), &burst{})
}

// lend takes a connection from the pool, for which it waits no longer than the pool's own timeout.
func (c *connection) lend(ctx context.Context, access driver.Access) (driver.Conn, error) {
	if c.waits == nil {
		return c.pool.Acquire(ctx, access)
	}
	wait, cancel := c.waits.Context(ctx)
	defer cancel()
	conn, err := c.pool.Acquire(wait, access)
	if err != nil && ctx.Err() == nil && wait.Err() != nil {
		err = &fault.Error{Kind: fault.PoolTimeout, Message: fmt.Sprintf("no connection came free within %s", c.cfg.PoolTimeout), Err: err}
	}
	return conn, err
}

// Listen calls heard once it listens on a channel of the database that ctx chose with [On], with "", and then whenever somebody
// notifies the channel, with what that one says, until ctx is done or the connection breaks. It blocks and always returns an error:
// fault.Unsupported where the database or its driver has no such thing.
func (db *DB) Listen(ctx context.Context, channel string, heard func(payload string)) error {
	const op = "session.Listen"
	c, err := db.connection(op, Name(scope.From(ctx).Connection))
	if err != nil {
		return err
	}
	l, ok := c.pool.(driver.Listener)
	if !ok {
		return &fault.Error{Kind: fault.Unsupported, Op: op, Connection: string(c.cfg.Name), Message: "the database does not notify its clients"}
	}
	s := Session{conn: c, home: db}
	return s.wrap(op, l.Listen(ctx, channel, heard))
}

// Dialect returns the dialect of the connection that ctx chose with [On].
func (db *DB) Dialect(ctx context.Context) (dialect.Dialect, error) {
	c, err := db.connection("session.Dialect", Name(scope.From(ctx).Connection))
	if err != nil {
		return nil, err
	}
	return c.d, nil
}

// Logger returns where the connection that ctx chose with [On] logs to: slog.Default() where it was not told otherwise, or
// where there is no such connection.
func (db *DB) Logger(ctx context.Context) *slog.Logger {
	if c, ok := db.find(Name(scope.From(ctx).Connection)); ok && c.cfg.Logger != nil {
		return c.cfg.Logger
	}
	return slog.Default()
}

// Now is the time by the clock of the connection that ctx chose with [On]: see [Config.Clock].
func (db *DB) Now(ctx context.Context) time.Time {
	if c, ok := db.find(Name(scope.From(ctx).Connection)); ok {
		return c.cfg.Clock()
	}
	return time.Now()
}

// Durable reports whether the connection that ctx chose with [On] was opened with [Config.Durable].
func (db *DB) Durable(ctx context.Context) bool {
	c, ok := db.find(Name(scope.From(ctx).Connection))
	return ok && c.cfg.Durable
}

// Installed reports whether a component, at its present version or a later one, is installed on the connection that ctx
// chose with [On]. It asks the database until it is.
func (db *DB) Installed(ctx context.Context, c Component) (bool, error) {
	const op = "session.Installed"
	conn, err := db.connection(op, Name(scope.From(ctx).Connection))
	if err != nil {
		return false, err
	}
	if v, ok := conn.installed.Load(c.Name); ok && v.(int) >= len(c.Steps) {
		return true, nil
	}
	v, err := db.installed(ctx, op, conn, c)
	switch fault.KindOf(err) {
	case "":
		conn.installed.Store(c.Name, v)
		return v >= len(c.Steps), nil
	case fault.Internal: // there is no table to ask
		return false, nil
	}
	return false, err
}

// Home returns the DB of ctx and the name of the connection that ctx chose. Outside of [DB.Context] and of units it is
// fault.NoSession.
func Home(ctx context.Context) (*DB, Name, error) {
	const op = "session.Home"
	sc := scope.From(ctx)
	db, ok := sc.Home.(*DB)
	if !ok {
		return nil, "", &fault.Error{Kind: fault.NoSession, Op: op, Message: "the context knows no database: see db.Context"}
	}
	c, err := db.connection(op, Name(sc.Connection))
	if err != nil {
		return nil, "", err
	}
	return db, c.cfg.Name, nil
}

// Local returns the one T that the connection which ctx chose keeps for whoever T belongs to: a zero T at first. Outside
// of [DB.Context] and of units it is fault.NoSession.
func Local[T any](ctx context.Context) (*T, error) {
	db, name, err := Home(ctx)
	if err != nil {
		return nil, err
	}
	c, _ := db.find(name)
	if v, ok := c.locals.Load(reflect.TypeFor[T]()); ok {
		return v.(*T), nil
	}
	v, _ := c.locals.LoadOrStore(reflect.TypeFor[T](), new(T))
	return v.(*T), nil
}
