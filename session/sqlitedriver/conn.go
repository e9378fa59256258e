package sqlitedriver

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
)

// conn is one lent connection. One goroutine uses it at a time; running finds out who does not.
type conn struct {
	pool    *pool
	sql     *sql.Conn
	own     *rawConn // what wraps the connection of an adopted pool while it is lent
	write   bool     // acquired for writing
	writer  bool     // it is the writer
	lent    bool     // the *sql.Conn was lent on, so that its state is not known
	tx      transaction
	running atomic.Bool
	given   bool // given back
}

var (
	_ driver.Conn     = (*conn)(nil)
	_ driver.SQLConn  = (*conn)(nil)
	_ driver.SQLGuard = (*conn)(nil)
)

// Run runs the script statement by statement.
func (c *conn) Run(ctx context.Context, s *driver.Script, r driver.Results) error {
	if !c.running.CompareAndSwap(false, true) {
		return failed(driver.AtBegin, -1, fault.Wrap(fault.ConcurrentUse, opRun,
			errors.New("the connection is running a script already")))
	}
	defer c.running.Store(false)
	var result error
	err := c.sql.Raw(func(physical any) error {
		raw, err := c.attach(physical)
		if err != nil {
			return err
		}
		result = (&execution{conn: c, raw: raw, ctx: ctx, results: r}).start(s)
		return nil
	})
	if err != nil {
		return failed(driver.AtBegin, -1, translate(opRun, err))
	}
	return result
}

// attach returns the physical connection with what the driver keeps for it.
func (c *conn) attach(physical any) (*rawConn, error) {
	if raw, ok := physical.(*rawConn); ok {
		return raw, nil
	}
	if c.own == nil {
		base, ok := physical.(sqliteConn)
		if !ok {
			return nil, fault.Wrap(fault.Misconfigured, opRun, errors.New("not a connection of modernc.org/sqlite"))
		}
		c.own = newRawConn(base, false)
	}
	return c.own, nil
}

// SQLConn lends the *sql.Conn, with SQLite's own waiting for locks switched on. What is done to it is undone at Release
// as far as the driver knows: an open transaction, query_only and foreign_keys.
func (c *conn) SQLConn() *sql.Conn {
	if !c.lent {
		c.lent = true
		// An error here is one that the next use of the connection meets as well.
		_ = c.sql.Raw(func(physical any) error {
			raw, err := c.attach(physical)
			if err == nil && !c.pool.adopted {
				err = raw.setBusyTimeout(busyTimeout)
			}
			return err
		})
	}
	return c.sql
}

// Release rolls back what is open and gives the connection back, or has it closed where that fails. Rolling back is
// local and takes no deadline. A second Release does nothing.
func (c *conn) Release() {
	if c.given {
		return
	}
	c.given = true
	// An error here is the connection's, and then database/sql has closed it.
	_ = c.sql.Raw(func(physical any) error {
		raw, err := c.attach(physical)
		if err == nil {
			c.clean(raw)
		}
		return err
	})
	_ = c.sql.Close()
	c.giveBack()
}

// giveBack has the pool forget that the connection is lent.
func (c *conn) giveBack() {
	if p := c.pool; c.writer {
		p.turn.Lock()
		p.writers--
		p.written = p.written || c.sql != nil
		p.turn.Unlock()
	}
	c.pool.lent.Done()
}

// clean brings the connection back to what it was when it was acquired.
func (c *conn) clean(raw *rawConn) {
	if c.tx.open || c.lent {
		c.tx.rollback(raw)
	}
	if c.lent && !c.pool.adopted {
		err := raw.exec("PRAGMA foreign_keys = 1")
		if raw.setReadonly(raw.readonly) != nil || err != nil {
			raw.broken = true
		}
	}
	if c.own != nil {
		c.own.stmts.close()
	}
}
