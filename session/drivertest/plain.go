package drivertest

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
)

// Plain wraps a driver of SQLite into one for the scheme "plain" that can do less: its dialect is dialect.Plain, its
// connections refuse RETURNING with fault.Unsupported, and a script goes to the database one statement at a time. The
// rest of the URL is d's own: plain:///:memory:.
func Plain(d driver.Driver) driver.Driver { return plainDriver{d} }

type plainDriver struct{ driver.Driver }

var _ driver.Driver = plainDriver{}

func (plainDriver) Name() string      { return "plain" }
func (plainDriver) Schemes() []string { return []string{"plain"} }

func (d plainDriver) Open(ctx context.Context, cfg driver.Config) (driver.Pool, error) {
	if _, rest, ok := strings.Cut(cfg.URL, ":"); ok {
		cfg.URL = d.Driver.Schemes()[0] + ":" + rest
	}
	pool, err := d.Driver.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return plainPool{pool}, nil
}

type plainPool struct{ driver.Pool }

func (plainPool) Dialect() dialect.Dialect { return dialect.Plain() }

func (p plainPool) Acquire(ctx context.Context, access driver.Access) (driver.Conn, error) {
	conn, err := p.Pool.Acquire(ctx, access)
	if err != nil {
		return nil, err
	}
	if lender, ok := conn.(driver.SQLConn); ok {
		return plainLender{plainConn{conn}, lender}, nil
	}
	return plainConn{conn}, nil
}

// plainLender is a plainConn that lends its database/sql connection.
type plainLender struct {
	plainConn
	lender driver.SQLConn
}

var (
	_ driver.SQLConn  = plainLender{}
	_ driver.SQLGuard = plainLender{}
)

func (c plainLender) SQLConn() *sql.Conn { return c.lender.SQLConn() }

func (c plainLender) SQLReady() error {
	if g, ok := c.lender.(driver.SQLGuard); ok {
		return g.SQLReady()
	}
	return nil
}

func (c plainLender) SQLError(ctx context.Context, err error) error {
	if g, ok := c.lender.(driver.SQLGuard); ok {
		return g.SQLError(ctx, err)
	}
	return err
}

type plainConn struct{ driver.Conn }

// Run runs the parts of the script one by one, and puts together what the contract says of the whole.
func (c plainConn) Run(ctx context.Context, s *driver.Script, r driver.Results) error {
	if err := refuseReturning(s); err != nil {
		return err
	}
	if s.Begin != nil {
		if err := c.Conn.Run(ctx, &driver.Script{Begin: s.Begin}, driver.Discard); err != nil {
			return err
		}
	}
	for i := range s.Statements {
		err := c.Conn.Run(ctx, &driver.Script{Statements: s.Statements[i : i+1]}, shifted{r, i})
		if err != nil {
			if s.Begin != nil {
				c.rollback(ctx)
			}
			return at(i, err)
		}
	}
	if s.End == driver.Stay {
		return nil
	}
	if err := c.Conn.Run(ctx, &driver.Script{End: s.End}, driver.Discard); err != nil {
		c.rollback(ctx)
		if s.Begin == nil && len(s.Statements) == 0 {
			return err
		}
		return at(driver.AtEnd, err)
	}
	return nil
}

// rollback ends the transaction whatever became of the context. What it fails with is Release's to deal with.
func (c plainConn) rollback(ctx context.Context) {
	_ = c.Conn.Run(context.WithoutCancel(ctx), &driver.Script{End: driver.Rollback}, driver.Discard)
}

func refuseReturning(s *driver.Script) error {
	for i := range s.Statements {
		if strings.Contains(strings.ToUpper(s.Statements[i].SQL), "RETURNING") {
			return &driver.ScriptError{Statement: i, Row: -1, Err: fault.Wrap(fault.Unsupported, "drivertest.Run",
				errors.New("the database knows no RETURNING"))}
		}
	}
	return nil
}

// at moves an error to the part of the script that was running.
func at(part int, err error) error {
	var e *driver.ScriptError
	if !errors.As(err, &e) {
		return err
	}
	return &driver.ScriptError{Statement: part, Row: e.Row, Err: e.Err}
}

// shifted hands on the results of a script's only statement as those of statement i.
type shifted struct {
	results driver.Results
	i       int
}

func (s shifted) Row(_ int, row []driver.Cell) error { return s.results.Row(s.i, row) }

func (s shifted) Done(_ int, affected, lastID int64) error {
	return s.results.Done(s.i, affected, lastID)
}
