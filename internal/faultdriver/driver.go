package faultdriver

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"sync"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
)

// Plan chooses the fault of a script; nil is none. It is called from the goroutines that run scripts.
type Plan func(s *driver.Script) Fault

// Driver is a driver with faults. It is safe for concurrent use.
type Driver struct {
	driver.Driver
	late sync.WaitGroup

	mu   sync.Mutex
	plan Plan // guarded by mu
}

// New wraps d, without any fault.
func New(d driver.Driver) *Driver { return &Driver{Driver: d} }

// Inject has plan choose the faults from now on; nil ends that.
func (d *Driver) Inject(plan Plan) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.plan = plan
}

// Wait returns once every script has ended that runs on while nobody listens to it.
func (d *Driver) Wait() { d.late.Wait() }

// Open implements driver.Driver.
func (d *Driver) Open(ctx context.Context, cfg driver.Config) (driver.Pool, error) {
	p, err := d.Driver.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return pool{p, d}, nil
}

func (d *Driver) faultOf(s *driver.Script) Fault {
	d.mu.Lock()
	plan := d.plan
	d.mu.Unlock()
	if plan == nil {
		return nil
	}
	return plan(s)
}

type pool struct {
	driver.Pool
	d *Driver
}

var _ driver.Listener = pool{}

// Acquire implements driver.Pool.
func (p pool) Acquire(ctx context.Context, access driver.Access) (driver.Conn, error) {
	c, err := p.Pool.Acquire(ctx, access)
	if err != nil {
		return nil, err
	}
	return &Conn{real: c, d: p.d}, nil
}

// Listen implements driver.Listener, as far as the real pool does.
func (p pool) Listen(ctx context.Context, channel string, heard func(payload string)) error {
	if l, ok := p.Pool.(driver.Listener); ok {
		return l.Listen(ctx, channel, heard)
	}
	return &fault.Error{Kind: fault.Unsupported, Op: "faultdriver.Listen", Message: "the real pool does not listen"}
}

// Conn is a lent connection.
type Conn struct {
	real driver.Conn
	d    *Driver
	lost bool // nobody hears of it any more
	late bool // it is still busy all the same, and given back after that
}

var (
	_ driver.Conn     = (*Conn)(nil)
	_ driver.SQLConn  = (*Conn)(nil)
	_ driver.SQLGuard = (*Conn)(nil)
)

// Run implements driver.Conn.
func (c *Conn) Run(ctx context.Context, s *driver.Script, r driver.Results) error {
	if c.lost {
		return broken(fault.ConnectionLost, driver.AtBegin, errLost)
	}
	if f := c.d.faultOf(s); f != nil {
		return f(ctx, c, s, r)
	}
	return c.real.Run(ctx, s, r)
}

// Release implements driver.Conn.
func (c *Conn) Release() {
	if !c.late {
		c.real.Release()
	}
}

// SQLConn implements driver.SQLConn.
func (c *Conn) SQLConn() *sql.Conn { return c.real.(driver.SQLConn).SQLConn() }

// SQLReady implements driver.SQLGuard, as far as the real connection does.
func (c *Conn) SQLReady() error {
	if g, ok := c.real.(driver.SQLGuard); ok {
		return g.SQLReady()
	}
	return nil
}

// SQLError implements driver.SQLGuard, as far as the real connection does.
func (c *Conn) SQLError(ctx context.Context, err error) error {
	if g, ok := c.real.(driver.SQLGuard); ok {
		return g.SQLError(ctx, err)
	}
	return err
}

// cut breaks the connection.
func (c *Conn) cut() {
	c.lost = true
	c.sever()
}

// sever has the pool close the connection, and the server roll back what was begun on it.
func (c *Conn) sever() {
	_ = c.SQLConn().Raw(func(any) error { return sqldriver.ErrBadConn })
}

// leave has the connection finish something while nobody listens, and severs it after that.
func (c *Conn) leave(finish func()) {
	c.lost, c.late = true, true
	c.d.late.Go(func() {
		finish()
		c.sever()
		c.real.Release()
	})
}
