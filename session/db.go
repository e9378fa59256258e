package session

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/scope"
	"github.com/urutu-go/urutu/internal/timeout"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
)

// DB is a set of named database connections, one of them the default. It is made once, lives as long as the program,
// and is safe for concurrent use.
type DB struct {
	conns  []*connection // in the order of their configuration
	def    *connection
	runner *uow.Runner
}

// connection is one named connection of a DB.
type connection struct {
	cfg    Config
	pool   driver.Pool
	d      dialect.Dialect
	marker string   // inserts a marker
	metas  sync.Map // *model.Model -> *meta
	staged shapes
	bursts sync.Pool // of *burst, which are empty
	stores sync.Pool // of *store, which are too
	plans  sync.Pool // of *planMemory
	// installed has the versions of the components that were found.
	installed sync.Map // string -> int
	// locals is what other packages keep for a connection.
	locals sync.Map // reflect.Type -> a pointer to it
	ids    idSource
	waits  *timeout.Group // nil where a wait for a connection may take forever

	cursors     *query.CursorKeys
	warnCursors sync.Once // that their key is a random one
}

// Open opens the connections and makes a round trip on each, so that a wrong address is known at once. Exactly one
// connection is the default: the one that says so, or the only one. Errors are fault.Misconfigured or what the database
// said, name the connection and never hold a password.
func Open(ctx context.Context, cfgs ...Config) (*DB, error) {
	db := &DB{}
	for _, cfg := range cfgs {
		if err := db.open(ctx, cfg.withDefaults()); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	if err := db.chooseDefault(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	db.runner = db.Runner()
	if err := db.Ping(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func (db *DB) open(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	if _, ok := db.find(cfg.Name); ok {
		return cfg.misconfigured(errors.New("Name: another connection has it already"))
	}
	drv, err := cfg.driver()
	if err != nil {
		return err
	}
	cursors, err := query.NewCursorKeys(cfg.CursorKeys...)
	if err != nil {
		return cfg.misconfigured(err)
	}
	pool, err := drv.Open(ctx, driver.Config{
		Name: string(cfg.Name), URL: cfg.URL, Adopt: cfg.Connector,
		MaxOpen: cfg.PoolSize + cfg.MaxOverflow, MaxIdle: cfg.PoolSize, MaxLifetime: cfg.PoolRecycle,
		Pooler: cfg.Pooler, Logger: cfg.Logger,
	})
	if err != nil {
		return &fault.Error{Kind: fault.KindOf(err), Op: "session.Open", Connection: string(cfg.Name), Err: err}
	}
	c := &connection{cfg: cfg, pool: pool, d: pool.Dialect(), marker: markerInsert(pool.Dialect()), cursors: cursors}
	if cfg.PoolTimeout > 0 {
		c.waits = timeout.New(cfg.PoolTimeout)
	}
	db.conns = append(db.conns, c)
	return nil
}

// chooseDefault finds the one default connection.
func (db *DB) chooseDefault() error {
	var marked []*connection
	for _, c := range db.conns {
		if c.cfg.Default {
			marked = append(marked, c)
		}
	}
	if len(db.conns) == 1 {
		marked = db.conns
	}
	if len(marked) == 1 {
		db.def = marked[0]
		return nil
	}
	what := "none of " + names(db.conns)
	if len(db.conns) == 0 {
		what = "no connection is configured, so none"
	} else if len(marked) > 1 {
		what = names(marked) + " each"
	}
	return &fault.Error{
		Kind: fault.Misconfigured, Op: "session.Open",
		Message: fmt.Sprintf("exactly one connection must be the default; %s is marked so", what),
	}
}

func names(conns []*connection) string {
	var list []string
	for _, c := range conns {
		list = append(list, string(c.cfg.Name))
	}
	return strings.Join(list, ", ")
}

func (db *DB) find(name Name) (*connection, bool) {
	if name == Default {
		return db.def, db.def != nil
	}
	i := slices.IndexFunc(db.conns, func(c *connection) bool { return c.cfg.Name == name })
	if i < 0 {
		return nil, false
	}
	return db.conns[i], true
}

// connection returns the named connection or an error that names the known ones.
func (db *DB) connection(op string, name Name) (*connection, error) {
	if c, ok := db.find(name); ok {
		return c, nil
	}
	return nil, &fault.Error{
		Kind: fault.Misconfigured, Op: op, Connection: string(name),
		Message: "there is no such connection; there is " + names(db.conns),
	}
}

// Context returns a context that knows the connections, so that [New] works in it outside of a unit.
func (db *DB) Context(ctx context.Context) context.Context {
	s := *scope.From(ctx)
	if s.Home == db {
		return ctx
	}
	return scope.Into(ctx, scope.Scope{Home: db, Connection: s.Connection})
}

// Runner returns a runner whose units know the connections, with the interceptors around each. A transport takes it.
func (db *DB) Runner(interceptors ...uow.Interceptor) *uow.Runner {
	return uow.NewRunner(uow.Config{
		Interceptors: interceptors,
		Context:      db.Context,
		Logger:       db.def.cfg.Logger,
		Observer:     db.def.cfg.Observer,
	})
}

// Do runs fn as one whole unit of work: its sessions commit together when fn returns nil and roll back otherwise, and
// the whole is run again where opts allow it. Inside a unit of the same DB, Do joins it: fn runs in that unit, whose own
// options count (asking for others is fault.Unsupported), and an error of fn fails that unit.
func (db *DB) Do(ctx context.Context, fn func(ctx context.Context) error, opts ...uow.Options) error {
	var o uow.Options
	if len(opts) > 0 {
		o = opts[0]
	}
	if s := scope.From(ctx); s.Home == db && s.Unit != nil {
		return join(ctx, s.Unit.(*uow.Unit), o, fn)
	}
	return db.runner.Do(ctx, uow.Op{Kind: uow.Job, Name: o.Name, Options: o}, fn)
}

// join runs fn in a unit that is under way.
func join(ctx context.Context, u *uow.Unit, o uow.Options, fn func(ctx context.Context) error) error {
	if u.Ended() {
		return &fault.Error{Kind: fault.SessionClosed, Op: "session.Do", Message: closedMessage}
	}
	if err := sameOptions("session.Do", &u.Op().Options, o); err != nil {
		return err
	}
	err := fn(ctx)
	if err != nil {
		u.Fail(&fault.Error{Kind: fault.SessionFailed, Op: "session.Do", Message: "a part of the unit failed", Err: err})
	}
	return err
}

// sameOptions refuses transaction options that differ from those of the unit that is being joined: they could not be
// given any more, and leaving them out silently would be worse.
func sameOptions(op string, have *uow.Options, want uow.Options) error {
	if want.ReadOnly && !have.ReadOnly || want.Isolation != uow.DefaultIsolation && want.Isolation != have.Isolation ||
		want.StatementTimeout != 0 && want.StatementTimeout != have.StatementTimeout ||
		want.LockTimeout != 0 && want.LockTimeout != have.LockTimeout || want.Resolve != 0 && want.Resolve != have.Resolve {
		return &fault.Error{
			Kind: fault.Unsupported, Op: op,
			Message: "the options of a transaction are those of the unit of work it joins; use session.New for others",
		}
	}
	return nil
}

// Ping makes a round trip on each connection and joins their errors.
func (db *DB) Ping(ctx context.Context) error {
	var errs []error
	for _, c := range db.conns {
		if err := c.pool.Ping(ctx); err != nil {
			errs = append(errs, &fault.Error{Kind: pingKind(err), Op: "session.Ping", Connection: string(c.cfg.Name), Err: err})
		}
	}
	return errors.Join(errs...)
}

func pingKind(err error) fault.Kind {
	if k := fault.KindOf(err); k != fault.Internal {
		return k
	}
	return fault.ConnectionLost
}

// Stats returns the statistics of each connection's pool.
func (db *DB) Stats() map[Name]sql.DBStats {
	stats := make(map[Name]sql.DBStats, len(db.conns))
	for _, c := range db.conns {
		stats[c.cfg.Name] = c.pool.Stats()
	}
	return stats
}

// Close closes the connections, waiting for those in use. A second Close does nothing.
func (db *DB) Close() error {
	var errs []error
	for _, c := range slices.Backward(db.conns) {
		if err := c.pool.Close(); err != nil {
			errs = append(errs, &fault.Error{Kind: fault.Internal, Op: "session.Close", Connection: string(c.cfg.Name), Err: err})
		}
	}
	return errors.Join(errs...)
}

// idSource makes UUIDs of version 7 that grow, also within a millisecond. It is safe for concurrent use.
type idSource struct{ last atomic.Int64 }

// next returns the UUID for the instant now, whose upper 60 bits are the time in 4096ths of a millisecond, moved on
// where that one was given out before.
func (s *idSource) next(now time.Time, random [8]byte) (u [16]byte) {
	ticks := now.UnixMilli()<<12 | int64(now.Nanosecond()%int(time.Millisecond))<<12/int64(time.Millisecond)
	for {
		last := s.last.Load()
		ticks = max(ticks, last+1)
		if s.last.CompareAndSwap(last, ticks) {
			break
		}
	}
	ms, sub := uint64(ticks)>>12, uint64(ticks)&0xfff
	for i := range 6 {
		u[i] = byte(ms >> (40 - 8*i))
	}
	u[6], u[7] = 0x70|byte(sub>>8), byte(sub)
	copy(u[8:], random[:])
	u[8] = u[8]&0x3f | 0x80
	return u
}

// options returns the transaction options of an operation on this connection.
func (c *connection) options(o *uow.Options) driver.TxOptions {
	return driver.TxOptions{
		Isolation:        cmp.Or(o.Isolation, c.cfg.Isolation),
		ReadOnly:         o.ReadOnly || c.cfg.ReadOnly,
		StatementTimeout: cmp.Or(o.StatementTimeout, c.cfg.StatementTimeout),
		LockTimeout:      cmp.Or(o.LockTimeout, c.cfg.LockTimeout),
	}
}
