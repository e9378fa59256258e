package pgxdriver

import (
	"context"
	sqldriver "database/sql/driver"
	"net"
	"time"

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

// justUsed is how soon after it was lent the last time a connection is lent again without a look at it. A look is a
// system call, which one that goes from hand to hand need not make each time: what has come in between would come a
// moment later as well.
const justUsed = 500 * time.Microsecond

// shouldPing keeps pgx from pinging idle connections: checkIdle looks at those that this says have been idle.
func shouldPing(_ context.Context, p stdlib.ShouldPingParams) bool {
	if st := keptOf(p.Conn.PgConn()); st != nil {
		st.justUsed = p.IdleDuration < justUsed
	}
	return false
}

// checkIdle has the pool discard an idle connection that the server has closed. It pings only where something has come
// on the connection meanwhile, most often the server's farewell.
func checkIdle(ctx context.Context, c *pgx.Conn) error {
	pc := c.PgConn()
	found := dirty
	if pc.Frontend().ReadBufferLen() == 0 {
		found = lookAtIdle(pc)
	}
	if found == hungUp || found == dirty && pc.Ping(ctx) != nil {
		return sqldriver.ErrBadConn
	}
	return nil
}

// lookAtIdle looks at a connection's socket, unless it was in use just now.
func lookAtIdle(pc *pgconn.PgConn) line {
	st := keptOf(pc)
	switch {
	case st == nil:
		return newPeeker(pc.Conn()).peek()
	case st.justUsed:
		return quiet
	default:
		return st.peeker.peek()
	}
}

// keptOf returns the state of a connection that has been used, or nil.
func keptOf(pc *pgconn.PgConn) *state {
	st, _ := pc.CustomData()[stateKey].(*state)
	return st
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
