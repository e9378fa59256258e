package session

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/scope"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/value"
)

// Session is the session of one unit of work on one connection. Applications use the package's verbs, which find it in
// the context; its methods are the escape hatches to plain SQL. It is used by one goroutine at a time.
type Session struct {
	conn *connection
	unit *uow.Unit
	home *DB
	opts driver.TxOptions

	busy      atomic.Bool // one goroutine is inside a verb; it protects what follows
	abandoned atomic.Bool // the unit has ended without the session: the verb that runs ends it

	closed  bool
	failed  error // a statement failed: only a rollback helps
	inside  bool  // the hooks of a flush are running
	stray   bool  // a goroutine that one of them has started does not finish
	related bool  // an object with relations is tracked
	// unlinked: a row in between waits for a key that the database makes.
	unlinked bool
	held     driver.Conn // lent while a transaction is open
	inTx     bool
	writing  atomic.Bool  // holds the one writer of a database that has one; read by sessions of inner units
	rows     []*sql.Rows  // what QueryContext returned and may be open still
	scans    []func()     // end what QueryRowContext returned, where nobody has scanned it
	stream   *stream      // holds the connection of the transaction
	streams  atomic.Int32 // that have a connection of their own
	// prepared makes the statements of PrepareContext; nil until it is asked for one.
	prepared *sql.DB

	tracked   sync.Mutex // protects byPtr, in which sessions of inner units look too
	byPtr     byPtr
	byID      byID
	entries   []*entry // in the order in which they came
	store     *store   // what these are kept in; nil before the first one
	values    slab[value.Value]
	extras    slab[extras]
	statuses  slab[status]
	key       []value.Value // scratch
	staged    []stagedRows
	planned   plan // by the flush that is under way, of which there is one
	onFlush   []FlushHooks
	now       time.Time // of the transaction; zero until it is asked for
	base      Savepoint // the root
	root, top *Savepoint
	releases  []*Savepoint // ended savepoints whose RELEASE goes out with the next statement
	resolver  Resolver     // instead of a marker, for this transaction's commit
	names     int          // savepoints named so far
}

// On returns a context whose verbs use the named connection. An unknown name is reported by the first verb.
func On(ctx context.Context, name Name) context.Context {
	s := *scope.From(ctx)
	s.Connection = string(name)
	s.Savepoint = nil
	return scope.Into(ctx, s)
}

// NoAutoflush returns a context whose queries, raw statements included, do not flush pending changes first. Commit,
// [Flush] and [Nested] do all the same.
func NoAutoflush(ctx context.Context) context.Context {
	return autoflush(ctx, scope.FlushNone)
}

// AlwaysAutoflush returns a context whose queries flush every pending change first, and not only those of the tables
// that they name: for queries of views, and of tables that triggers write.
func AlwaysAutoflush(ctx context.Context) context.Context {
	return autoflush(ctx, scope.FlushAll)
}

func autoflush(ctx context.Context, what scope.Autoflush) context.Context {
	s := *scope.From(ctx)
	s.Autoflush = what
	return scope.Into(ctx, s)
}

// From returns the session of ctx. It is never nil: where ctx has none, every method of what is returned fails, with
// fault.NoSession outside of a unit.
func From(ctx context.Context) *Session {
	s, err := find(ctx, "session.From")
	if err != nil {
		return &Session{failed: err}
	}
	return s
}

// find returns the session that ctx says, which it opens where the unit has none yet for the connection.
func find(ctx context.Context, op string) (*Session, error) {
	sc := scope.From(ctx)
	unit, ok := sc.Unit.(*uow.Unit)
	db, hasHome := sc.Home.(*DB)
	if !ok || !hasHome {
		return nil, &fault.Error{
			Kind: fault.NoSession, Op: op,
			Message: "no unit of work in the context: run this inside db.Do, a handler, or session.New with db.Context",
		}
	}
	c, err := db.connection(op, Name(sc.Connection))
	if err != nil {
		return nil, err
	}
	if s := enlisted(unit, c); s != nil {
		return s, nil
	}
	o := &unit.Op().Options
	if !o.Allows(string(c.cfg.Name)) {
		return nil, &fault.Error{
			Kind: fault.Misconfigured, Op: op, Connection: string(c.cfg.Name),
			Message: "the operation's options do not let it use this connection",
		}
	}
	s := &Session{conn: c, unit: unit, home: db, opts: c.options(o)}
	s.base.session = s
	s.root, s.top = &s.base, &s.base
	if err := unit.Enlist(string(c.cfg.Name), c == db.def, resource{s}); err != nil {
		return nil, s.fault(op, fault.SessionClosed, closedMessage)
	}
	// Of two goroutines that are here for the first time at once, both get the session that came first.
	return enlisted(unit, c), nil
}

// enlisted returns the unit's first session on a connection, or nil.
func enlisted(unit *uow.Unit, c *connection) *Session {
	r, ok := unit.Find(func(r uow.Resource) bool { x, ok := r.(resource); return ok && x.conn == c })
	if !ok {
		return nil
	}
	return r.(resource).Session
}

const closedMessage = "the unit of work that the session belongs to has ended"

// enter begins a verb: it finds the session, makes sure that nobody else is using it, and that it can be used. The
// caller calls leave.
func enter(ctx context.Context, op string) (*Session, error) {
	s, err := find(ctx, op)
	if err != nil {
		return nil, err
	}
	if err := s.acquire(ctx, op); err != nil {
		return nil, err
	}
	if s.failed != nil {
		err := s.fault(op, fault.SessionFailed, "an earlier statement failed; roll back first")
		err.Err = s.failed
		s.leave(ctx)
		return nil, err
	}
	return s, nil
}

// acquire takes the session for one verb. A hook of the flush that is under way is let in beside it.
func (s *Session) acquire(ctx context.Context, op string) error {
	h := s.hookOf(ctx)
	if h != nil && h.ended.Load() {
		return s.fault(op, fault.ScopeClosed, "the flush that the context belongs to has ended")
	}
	if !s.gate(h).CompareAndSwap(false, true) {
		return s.fault(op, fault.ConcurrentUse,
			"another goroutine is using the session; ask for reads together with session.Batch, or give each goroutine a "+
				"unit of its own with session.New")
	}
	switch sp, _ := scope.From(ctx).Savepoint.(*Savepoint); {
	case s.closed:
		defer s.leave(ctx)
		return s.fault(op, fault.SessionClosed, closedMessage)
	case sp != nil && sp.session == s && sp.ended:
		defer s.leave(ctx)
		return s.fault(op, fault.ScopeClosed, "the savepoint that the context belongs to has ended")
	}
	return nil
}

// leave ends a verb.
func (s *Session) leave(ctx context.Context) {
	h := s.hookOf(ctx)
	s.gate(h).Store(false)
	if h == nil {
		s.reap(ctx)
	}
}

// hook is one run of a flush's hooks. Its context lets them into the session beside the flush, one verb at a time.
type hook struct {
	session *Session
	busy    atomic.Bool
	ended   atomic.Bool
}

// hookOf returns the run of this session's hooks that ctx belongs to, or nil.
func (s *Session) hookOf(ctx context.Context) *hook {
	if h, ok := scope.From(ctx).Hook.(*hook); ok && h.session == s {
		return h
	}
	return nil
}

// gate returns what lets one verb at a time in: the session's own, or that of its hooks.
func (s *Session) gate(h *hook) *atomic.Bool {
	if h != nil {
		return &h.busy
	}
	return &s.busy
}

// outsideFlush refuses what a hook of a flush may not do.
func (s *Session) outsideFlush(op string) error {
	if s.inside {
		return s.fault(op, fault.Flushing, "a flush is under way")
	}
	return nil
}

// fault returns an error of this session.
func (s *Session) fault(op string, kind fault.Kind, message string) *fault.Error {
	e := &fault.Error{Kind: kind, Op: op, Message: message}
	if s.conn != nil {
		e.Connection = string(s.conn.cfg.Name)
	}
	return e
}

// time returns the one reading of the clock that stamps everything in this transaction.
func (s *Session) time() time.Time {
	if s.now.IsZero() {
		s.now = s.conn.cfg.Clock().UTC().Truncate(time.Microsecond)
	}
	return s.now
}

// track makes the session know an object.
func (s *Session) track(e *entry) {
	s.tracked.Lock()
	s.byPtr.put(e)
	s.tracked.Unlock()
	s.entries = append(s.entries, e)
	s.related = s.related || len(e.relations) > 0
	if e.known {
		s.byID.put(e)
	}
	if e.state == Persistent {
		s.reads(e)
	}
}

// untrack makes it forget one. Its place in the list is given back by sweep.
func (s *Session) untrack(e *entry) {
	s.tracked.Lock()
	s.byPtr.remove(e)
	s.tracked.Unlock()
	s.unmap(e)
	e.unlisted = true
}

// unmap takes an entry out of the identity map.
func (s *Session) unmap(e *entry) {
	if e.known {
		s.byID.remove(e)
	}
}

// identifyAs enters an object into the identity map under its key.
func (s *Session) identifyAs(e *entry, key []value.Value) {
	s.unmap(e)
	e.id, e.known = identify(e.Model, key), true
	s.byID.put(e)
}

// sweep drops what was untracked from the list.
func (s *Session) sweep() {
	kept := s.entries[:0]
	for _, e := range s.entries {
		if !e.unlisted {
			kept = append(kept, e)
		}
	}
	clear(s.entries[len(kept):])
	s.entries = kept
}

// tracks reports whether the session follows the object at p; sessions of inner units ask.
func (s *Session) tracks(p unsafe.Pointer) bool {
	s.tracked.Lock()
	defer s.tracked.Unlock()
	e := s.byPtr.get(p)
	return e != nil && !e.free.Load()
}

// entryAt returns the entry of the object at p, or nil.
func (s *Session) entryAt(p unsafe.Pointer) *entry {
	s.tracked.Lock()
	defer s.tracked.Unlock()
	return s.byPtr.get(p)
}

// enclosing calls f for the sessions of the units around this one, innermost first, until it returns true.
func (s *Session) enclosing(f func(*Session) bool) bool {
	for u := s.unit.Parent(); u != nil; u = u.Parent() {
		found := false
		u.Find(func(r uow.Resource) bool {
			x, ok := r.(resource)
			found = ok && f(x.Session)
			return found
		})
		if found {
			return true
		}
	}
	return false
}
