package sqlitedriver

import (
	"context"
	sqldriver "database/sql/driver"
	"strconv"
	"time"

	"github.com/urutu-go/urutu/session/driver"
)

// connector opens connections of one kind to one database.
type connector struct {
	sqldriver.Connector
	// opening is a lock shared by all connectors of a pool. Connections open one by one: the first switches the file to
	// WAL, and SQLite answers "busy" at once to one that comes in between.
	opening  chan struct{}
	readonly bool
}

// Connect opens a connection. It waits for other processes as a BEGIN does.
func (c *connector) Connect(ctx context.Context) (sqldriver.Conn, error) {
	select {
	case c.opening <- struct{}{}:
		defer func() { <-c.opening }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var opened sqldriver.Conn
	err := untilFree(ctx, defaultLockTimeout, func() (err error) {
		opened, err = c.Connector.Connect(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return newRawConn(opened.(sqliteConn), c.readonly), nil
}

// sqliteConn is what the SQLite package's connections can do.
type sqliteConn interface {
	sqldriver.Conn
	sqldriver.ConnBeginTx
	sqldriver.ConnPrepareContext
	sqldriver.ExecerContext
	sqldriver.QueryerContext
	sqldriver.Pinger
	sqldriver.SessionResetter
	sqldriver.Validator
}

// rawConn is a physical connection with what is kept for it: prepared statements and buffers. database/sql sees to it
// that one goroutine uses it at a time.
type rawConn struct {
	sqliteConn
	stmts    *statements
	readonly bool // query_only is its normal state
	broken   bool // to be closed when it comes back
	busy     int  // PRAGMA busy_timeout, in milliseconds

	args  []sqldriver.NamedValue
	cells []sqldriver.Value
	row   []driver.Cell
}

var _ sqldriver.NamedValueChecker = (*rawConn)(nil)

func newRawConn(base sqliteConn, readonly bool) *rawConn {
	return &rawConn{sqliteConn: base, stmts: newStatements(base), readonly: readonly, busy: busyTimeout}
}

// Unwrap returns the SQLite package's own connection, for whoever needs its backup or limits. It is reached through
// (*sql.Conn).Raw.
func (c *rawConn) Unwrap() any { return c.sqliteConn }

// Close closes the prepared statements and the connection.
func (c *rawConn) Close() error {
	c.stmts.close()
	return c.sqliteConn.Close()
}

// IsValid reports whether the pool may keep the connection.
func (c *rawConn) IsValid() bool { return !c.broken && c.sqliteConn.IsValid() }

// CheckNamedValue stores what comes through database/sql as the driver itself stores it: the SQLite package would write
// times as text that does not sort, and refuse large integers.
func (c *rawConn) CheckNamedValue(arg *sqldriver.NamedValue) error {
	if u, ok := arg.Value.(uint64); ok {
		arg.Value = encodeUint(u)
		return nil
	}
	v, err := sqldriver.DefaultParameterConverter.ConvertValue(arg.Value)
	if err != nil {
		return err
	}
	if t, ok := v.(time.Time); ok {
		if v, err = encodeTime(t.UnixMicro()); err != nil {
			return err
		}
	}
	arg.Value = v
	return nil
}

// exec runs a statement of the driver's own, which takes no parameters and no time.
func (c *rawConn) exec(text string) error {
	st, err := c.stmts.get(text)
	if err != nil {
		return err
	}
	_, err = st.ExecContext(context.Background(), nil)
	return err
}

// setReadonly switches query_only.
func (c *rawConn) setReadonly(on bool) error {
	if on {
		return c.exec("PRAGMA query_only = 1")
	}
	return c.exec("PRAGMA query_only = 0")
}

// setBusyTimeout sets how many milliseconds SQLite itself waits for a lock.
func (c *rawConn) setBusyTimeout(ms int) error {
	if c.busy == ms {
		return nil
	}
	if err := c.exec("PRAGMA busy_timeout = " + strconv.Itoa(ms)); err != nil {
		return err
	}
	c.busy = ms
	return nil
}
