package pgxdriver

import (
	"context"
	sqldriver "database/sql/driver"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// line is what a look at an idle connection's socket shows.
type line uint8

const (
	quiet  line = iota // open, and nothing has come
	dirty              // something has come that nobody asked for
	hungUp             // closed by the other side
)

// shouldPing keeps pgx from pinging idle connections: checkIdle looks at them.
func shouldPing(context.Context, stdlib.ShouldPingParams) bool { return false }

// checkIdle has the pool discard an idle connection that the server has closed. It pings only where something has come
// on the connection meanwhile, most often the server's farewell.
func checkIdle(ctx context.Context, c *pgx.Conn) error {
	pc := c.PgConn()
	state := dirty
	if pc.Frontend().ReadBufferLen() == 0 {
		state = peekerOf(pc).peek()
	}
	if state == hungUp || state == dirty && pc.Ping(ctx) != nil {
		return sqldriver.ErrBadConn
	}
	return nil
}

// peekerOf returns what looks at a connection's socket, which is kept with what else is kept for the connection.
func peekerOf(pc *pgconn.PgConn) *peeker {
	if st, ok := pc.CustomData()[stateKey].(*state); ok {
		return st.peeker
	}
	return newPeeker(pc.Conn())
}

// rawConn returns the connection below TLS.
func rawConn(c net.Conn) net.Conn {
	for {
		inner, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return c
		}
		c = inner.NetConn()
	}
}
