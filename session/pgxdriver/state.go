package pgxdriver

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/urutu-go/urutu/value"
)

// stateKey is where a connection keeps its state among pgx's custom data.
const stateKey = "urutu"

// How long a server has, once a context is done, until it is asked to cancel, and until the connection is given up. An
// answer that is under way is waited for; that of a commit longer, since giving up means not to know.
const (
	cancelDelay, cancelLimit = 0, 3 * time.Second
	commitDelay, commitLimit = 100 * time.Millisecond, 10 * time.Second
	rollbackLimit            = 5 * time.Second
)

// state is what a connection to the server keeps for as long as it lives: its prepared statements, and memory that
// every script uses again. It is used by one goroutine at a time, the one that holds the connection.
type state struct {
	cache    *cache
	params   params
	steps    []step
	out      []byte // the encoded burst
	row      []value.Value
	bursts   uint64
	level    level
	handler  *canceler
	watcher  *watcher
	peeker   *peeker
	justUsed bool  // as it was lent: there is no need to look at it
	burst    burst // the one that is under way
}

// stateOf returns the state of a connection, and makes it at its first use.
func stateOf(ctx context.Context, pc *pgconn.PgConn) (*state, error) {
	if st := keptOf(pc); st != nil {
		return st, nil
	}
	// Text of dates is read as ISO. Connections of ours ask for that as they start; an adopted one may not have.
	if style := pc.ParameterStatus("DateStyle"); style != "" && !strings.HasPrefix(style, "ISO") {
		if err := pc.Exec(ctx, "SET datestyle TO ISO").Close(); err != nil {
			return nil, err
		}
	}
	handler := &canceler{conn: pc}
	st := &state{cache: newCache(), handler: handler, watcher: newWatcher(handler), peeker: newPeeker(pc.Conn())}
	pc.CustomData()[stateKey] = st
	return st, nil
}

// watch has the server asked to cancel when ctx is done, until the watcher is told to stop. The context is watched
// here and not by pgx, whose way an adopted connection's owner may have chosen: it could break off a commit's answer.
func (st *state) watch(ctx context.Context, commits bool) {
	st.handler.delay, st.handler.limit = cancelDelay, cancelLimit
	if commits {
		st.handler.delay, st.handler.limit = commitDelay, commitLimit
	}
	st.watcher.watch(ctx)
}

// contextHandler is the way in which contexts of statements that do not come from a session are watched.
func contextHandler(pc *pgconn.PgConn) ctxwatch.Handler {
	return &canceler{conn: pc, delay: cancelDelay, limit: cancelLimit}
}

// rollback ends an open transaction, whatever has become of the caller's context.
func rollback(pc *pgconn.PgConn) error {
	ctx, cancel := context.WithTimeout(context.Background(), rollbackLimit)
	defer cancel()
	return pc.Exec(ctx, "ROLLBACK").Close()
}

// The states of a transaction, as the server reports them.
const txIdle = 'I'
