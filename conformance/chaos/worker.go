//go:build unix

package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

// worker handles messages.
type worker struct {
	*life
	db     *session.DB
	name   string
	marks  string // the parameters of an INSERT, as the database writes them
	broker string // the broker: a file
	worker *bus.Worker
	relay  *outbox.Engine
}

// workerArrows are where a worker can die, in the order of a unit.
var workerArrows = []string{"handle", "effect", "followed", "commit", "committed", "send", "sending", "sent"}

func (w *worker) start(ctx context.Context) error {
	if err := w.startRelay(ctx); err != nil {
		return err
	}
	w.worker = w.bus().Worker()
	return w.worker.Start(ctx)
}

func (w *worker) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	w.worker.StopIntake()
	return errors.Join(w.relay.Stop(ctx), w.worker.Stop(ctx))
}

// retry has messages tried again soon, and for ever: in the end none is left.
var retry = outbox.Retry{Attempts: -1, Pause: 50 * time.Millisecond, MaxPause: 300 * time.Millisecond}

// bus returns the handlers.
func (w *worker) bus() *bus.Bus {
	b := bus.New(w.db, bus.Config{})
	opts := bus.Handler{Concurrency: 4, Retry: retry}
	for _, group := range []string{ledgerGroup, mirrorGroup} {
		opts.Group = group
		bus.Handle(b, func(ctx context.Context, m Event) error { return w.handle(ctx, group, m) }, opts)
	}
	opts.Group = ""
	bus.Handle(b, func(ctx context.Context, m Follow) error { return w.handle(ctx, followUps, m.Event) }, opts)
	return b
}

var errHandler = errors.New("the handler fails")

// handle leaves an effect, and may fail before it or after it.
func (w *worker) handle(ctx context.Context, group string, m Event) error {
	w.arrow("handle")
	if chance(0.02) {
		return errHandler
	}
	if chance(0.3) {
		time.Sleep(rand.N(4 * time.Millisecond))
	}
	info, _ := bus.Current(ctx)
	e := &Effect{
		Grp: group, Message: fmt.Sprintf("%x", info.ID), Unit: m.Unit, Idx: int64(m.Index), Key: m.Key, Seq: m.Seq,
		Worker: w.name, At: time.Now().UnixMicro(), Follows: group == ledgerGroup && chance(0.25),
	}
	if chance(0.03) {
		twin := *e
		if err := session.Nested(ctx, func(ctx context.Context) error {
			return errors.Join(session.Add(ctx, &twin), errUndone)
		}); !errors.Is(err, errUndone) {
			return err
		}
	}
	if err := w.leave(ctx, e); err != nil {
		return err
	}
	w.arrow("effect")
	switch {
	case chance(0.02):
		return errHandler
	case chance(0.01):
		panic("the handler panics")
	}
	if e.Follows {
		if err := bus.Publish(ctx, Follow{m}); err != nil {
			return err
		}
	}
	w.arrow("followed")
	w.dying("commit")
	return uow.AfterCommit(ctx, func(context.Context) error {
		w.arrow("committed")
		return nil
	})
}

// leave writes the effect: with the commit, or at once, by a statement of its own.
func (w *worker) leave(ctx context.Context, e *Effect) error {
	if chance(0.7) {
		return session.Add(ctx, e)
	}
	args := []any{e.Grp, e.Message, e.Unit, e.Idx, e.Key, e.Seq, e.Worker, e.At, e.Follows}
	_, err := session.From(ctx).ExecContext(ctx,
		"INSERT INTO effects (grp, message, unit, idx, key, seq, worker, at, follows) VALUES ("+w.marks+")", args...)
	return err
}
