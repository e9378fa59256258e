package pgxdriver

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/urutu-go/urutu/internal/timeout"
)

// cancelSettle is how long a request to cancel that the server has taken may need to reach the statement. Before that
// the next statement must not begin, or it would be the one that is canceled.
const cancelSettle = 100 * time.Millisecond

// canceler has the server asked to cancel the statement of a context that is done, and gives the connection up where
// that does not end it. Unlike pgx's own handler it sees a request through that it has begun, also where the statement
// ends meanwhile: hanging up on one ends a PgBouncer before 1.20 (its issue 801), and all of its clients with it.
type canceler struct {
	conn         *pgconn.PgConn
	delay, limit time.Duration // until the server is asked, and until the connection is given up

	ended chan struct{} // closed when the statement has ended
	done  chan struct{} // closed when nothing is under way any more
}

var _ ctxwatch.Handler = (*canceler)(nil)

// watcher has a canceler called when the context of a burst is done. It does what pgx's own does, of which each burst
// takes more memory.
type watcher struct {
	handler *canceler
	call    func()        // calls it, and says so
	called  chan struct{} // has room for that
	stop    func() bool   // while a context is watched
}

func newWatcher(handler *canceler) *watcher {
	w := &watcher{handler: handler, called: make(chan struct{}, 1)}
	w.call = func() {
		handler.HandleCancel(context.Background())
		w.called <- struct{}{}
	}
	return w
}

func (w *watcher) watch(ctx context.Context) { w.stop = timeout.AfterFunc(ctx, w.call) }

// unwatch returns once nothing is under way any more.
func (w *watcher) unwatch() {
	if !w.stop() {
		<-w.called
		w.handler.HandleUnwatchAfterCancel()
	}
	w.stop = nil
}

// HandleCancel implements ctxwatch.Handler.
func (c *canceler) HandleCancel(context.Context) {
	ended, done := make(chan struct{}), make(chan struct{})
	c.ended, c.done = ended, done
	deadline := time.Now().Add(c.limit)
	_ = c.conn.Conn().SetDeadline(deadline) // fails where the connection is closed, which the statement says
	go func() {
		defer close(done)
		select {
		case <-ended:
			return
		case <-time.After(c.delay):
		}
		ctx, cancel := context.WithDeadline(context.Background(), deadline)
		defer cancel()
		_ = c.conn.CancelRequest(ctx) // where nobody takes it, the deadline ends the statement
		time.Sleep(cancelSettle)
	}()
}

// HandleUnwatchAfterCancel implements ctxwatch.Handler.
func (c *canceler) HandleUnwatchAfterCancel() {
	close(c.ended)
	<-c.done
	_ = c.conn.Conn().SetDeadline(time.Time{})
}
