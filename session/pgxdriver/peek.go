package pgxdriver

import (
	"context"
	sqldriver "database/sql/driver"
	"net"

	"github.com/jackc/pgx/v5"
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
		state = peek(rawConn(pc.Conn()))
	}
	if state == hungUp || state == dirty && pc.Ping(ctx) != nil {
		return sqldriver.ErrBadConn
	}
	return nil
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
