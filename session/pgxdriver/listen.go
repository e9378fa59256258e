package pgxdriver

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
)

const opListen = "pgxdriver.Listen"

var _ driver.Listener = (*pool)(nil)

// hangUp has a connection that only listens end at once with its context: it runs nothing that could be canceled.
func hangUp(pc *pgconn.PgConn) ctxwatch.Handler {
	return &pgconn.DeadlineContextWatcherHandler{Conn: pc.Conn()}
}

// Listen takes notifications over a connection of its own, which does not count among those of the pool. Behind a pooler,
// and where an *sql.DB was adopted, there is none: fault.Unsupported.
func (p *pool) Listen(ctx context.Context, channel string, heard func(payload string)) error {
	if p.dial == nil || p.pooler {
		return &fault.Error{
			Kind: fault.Unsupported, Op: opListen, Connection: p.name,
			Message: "notifications need a connection of their own to the server, which a pooler or an adopted *sql.DB does not give",
		}
	}
	cfg := p.dial.Copy()
	cfg.BuildContextWatcherHandler = hangUp
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return translate(ctx, opListen, p.name, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // it has listened, and nothing more
	if _, err = conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return translate(ctx, opListen, p.name, err)
	}
	for payload := ""; ; {
		heard(payload)
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return translate(ctx, opListen, p.name, err)
		}
		payload = n.Payload
	}
}
