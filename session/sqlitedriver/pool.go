package sqlitedriver

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"sync"

	"modernc.org/sqlite"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/session/driver"
)

// pool is two pools of database/sql over one file: readers, and a writer that is alone. It is safe for concurrent use.
type pool struct {
	readers, writer *sql.DB // the same where it was adopted
	adopted         bool
	dir             string // removed at Close; "" for none

	turn    sync.Mutex // protects the members below, and is held while the writer is lent for a read
	writers int        // who has the writer, and who waits for it
	written bool       // the writer is open, and knows what it has written

	mu     sync.Mutex // protects the members below
	closed bool
	lent   sync.WaitGroup // Add only under mu and while not closed
}

var _ driver.Pool = (*pool)(nil)

func open(cfg driver.Config, loc *location, dir string) (*pool, error) {
	forReading, err := sqlite.NewConnector(loc.dsn(true))
	if err != nil {
		return nil, err
	}
	forWriting, err := sqlite.NewConnector(loc.dsn(false))
	if err != nil {
		return nil, err
	}
	opening := make(chan struct{}, 1)
	readers := sql.OpenDB(&connector{Connector: forReading, opening: opening, readonly: true})
	readers.SetMaxOpenConns(cfg.MaxOpen)
	readers.SetMaxIdleConns(cfg.MaxIdle)
	readers.SetConnMaxLifetime(cfg.MaxLifetime)
	writer := sql.OpenDB(&connector{Connector: forWriting, opening: opening})
	writer.SetMaxOpenConns(1)
	writer.SetMaxIdleConns(1)
	writer.SetConnMaxLifetime(cfg.MaxLifetime)
	return &pool{readers: readers, writer: writer, dir: dir}, nil
}

func adopt(db *sql.DB) *pool { return &pool{readers: db, writer: db, adopted: true} }

// Dialect returns SQLite's dialect.
func (p *pool) Dialect() dialect.Dialect { return dialect.SQLite() }

// Acquire lends a reader, or the writer.
func (p *pool) Acquire(ctx context.Context, access driver.Access) (driver.Conn, error) {
	if !p.lend() {
		return nil, closedPool("sqlitedriver.Acquire")
	}
	c := &conn{pool: p, write: access == driver.Write}
	err := p.connect(ctx, c, access)
	if err != nil {
		c.giveBack()
		return nil, p.refused(ctx, "sqlitedriver.Acquire", err)
	}
	return c, nil
}

// connect gives c its connection.
func (p *pool) connect(ctx context.Context, c *conn, access driver.Access) (err error) {
	db := p.readers
	switch {
	case access == driver.Write:
		p.turn.Lock()
		p.writers++
		p.turn.Unlock()
		c.writer, db = true, p.writer
	case access == driver.ReadOne && p.turn.TryLock():
		if p.writers > 0 || !p.written || p.adopted {
			p.turn.Unlock()
			break
		}
		// A reader would have to read again every page that the writer has changed. Nobody can take the writer meanwhile, so
		// that it is not waited for: who has it could be waiting for this read.
		defer p.turn.Unlock()
		p.writers++
		c.writer, db = true, p.writer
	}
	c.sql, err = db.Conn(ctx)
	return err
}

// lend counts a connection as lent, unless the pool is closed.
func (p *pool) lend() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.lent.Add(1)
	}
	return !p.closed
}

// Ping runs a statement on a reader.
func (p *pool) Ping(ctx context.Context) error {
	if err := p.readers.PingContext(ctx); err != nil {
		return p.refused(ctx, "sqlitedriver.Ping", err)
	}
	return nil
}

// refused is the error for a connection that was not to be had: the context's own where that is why.
func (p *pool) refused(ctx context.Context, op string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return closedPool(op)
	}
	return translate(op, err)
}

// Stats returns the sums of both pools.
func (p *pool) Stats() sql.DBStats {
	sum := p.readers.Stats()
	if p.adopted {
		return sum
	}
	w := p.writer.Stats()
	sum.MaxOpenConnections += w.MaxOpenConnections
	sum.OpenConnections += w.OpenConnections
	sum.InUse += w.InUse
	sum.Idle += w.Idle
	sum.WaitCount += w.WaitCount
	sum.WaitDuration += w.WaitDuration
	sum.MaxIdleClosed += w.MaxIdleClosed
	sum.MaxIdleTimeClosed += w.MaxIdleTimeClosed
	sum.MaxLifetimeClosed += w.MaxLifetimeClosed
	return sum
}

// Close turns waiting Acquires away, waits for lent connections and closes all. A second Close waits for nothing new.
func (p *pool) Close() error {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	p.mu.Unlock()
	var errs []error
	if first && !p.adopted {
		errs = append(errs, p.readers.Close(), p.writer.Close())
	}
	p.lent.Wait()
	if first && p.dir != "" {
		errs = append(errs, os.RemoveAll(p.dir))
	}
	return translate("sqlitedriver.Close", errors.Join(errs...))
}
