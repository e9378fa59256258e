package pgxdriver

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
)

// pool lends the connections of one *sql.DB.
type pool struct {
	db      *sql.DB
	name    string
	adopted bool // the *sql.DB is somebody else's to close
	pooler  bool
	dial    *pgx.ConnConfig // for connections besides the pool's; nil where it was adopted
	log     *slog.Logger

	mu     sync.Mutex
	lent   int           // guarded by mu
	closed bool          // guarded by mu
	idle   chan struct{} // closed once the pool is closed and nothing is lent; guarded by mu
}

var _ driver.Pool = (*pool)(nil)

// Dialect returns PostgreSQL's.
func (p *pool) Dialect() dialect.Dialect { return dialect.Postgres() }

// Stats returns the statistics of the *sql.DB.
func (p *pool) Stats() sql.DBStats { return p.db.Stats() }

// Acquire lends a connection. All of them are alike, so that access does not matter.
func (p *pool) Acquire(ctx context.Context, _ driver.Access) (driver.Conn, error) {
	if !p.lend() {
		return nil, p.closedError()
	}
	sc, err := p.db.Conn(ctx)
	if err != nil {
		p.returned()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, translate(ctx, opAcquire, p.name, err)
	}
	return &conn{pool: p, sc: sc}, nil
}

// Ping makes one round trip on any connection.
func (p *pool) Ping(ctx context.Context) error {
	if err := p.db.PingContext(ctx); err != nil {
		return translate(ctx, opPing, p.name, err)
	}
	return nil
}

// Close waits for what is lent and closes the connections, unless the *sql.DB was adopted.
func (p *pool) Close() error {
	p.mu.Lock()
	if !p.closed {
		p.closed, p.idle = true, make(chan struct{})
		if p.lent == 0 {
			close(p.idle)
		}
	}
	idle := p.idle
	p.mu.Unlock()
	<-idle
	if p.adopted {
		return nil
	}
	return p.db.Close()
}

// lend counts a connection as lent, unless the pool is closed.
func (p *pool) lend() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.lent++
	return true
}

// returned counts one back.
func (p *pool) returned() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lent--
	if p.closed && p.lent == 0 {
		close(p.idle)
	}
}

func (p *pool) closedError() error {
	return &fault.Error{Kind: fault.ConnectionLost, Op: opAcquire, Connection: p.name, Err: errors.New("the pool is closed")}
}
