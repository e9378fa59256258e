//go:build unix

package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

// writer runs random units, several at a time.
type writer struct {
	*life
	db      *session.DB
	name    string
	journal *journal

	units   atomic.Int64
	stopped atomic.Bool
	loops   sync.WaitGroup
}

// writerArrows are where a writer can die, in the order of a unit.
var writerArrows = []string{"begin", "drawn", "undone", "published", "intended", "commit", "committed", "ended"}

const unitsAtOnce = 3

func (w *writer) start(context.Context) error {
	for range unitsAtOnce {
		w.loops.Go(func() {
			for !w.stopped.Load() {
				w.unit(context.Background())
				time.Sleep(rand.N(60 * time.Millisecond))
			}
		})
	}
	return nil
}

func (w *writer) stop(context.Context) error {
	w.stopped.Store(true)
	w.loops.Wait()
	return nil
}

var (
	errGivenUp = errors.New("the unit was given up")
	errUndone  = errors.New("the savepoint was undone")
)

// unit runs one unit and writes down how it ended. Where it is run again, each attempt is a unit of its own in the ledger.
func (w *writer) unit(ctx context.Context) {
	var i *Intent
	err := recovered(func() error {
		return w.db.Do(ctx, func(ctx context.Context) error {
			if i != nil {
				w.must(w.journal.end(i.Unit, RolledBack, errors.New("it was run again")))
			}
			i = &Intent{Unit: fmt.Sprintf("%s/%d", w.name, w.units.Add(1))}
			return w.fill(ctx, i)
		}, uow.Options{Retry: uow.Retry{Attempts: 3}})
	})
	w.arrow("committed")
	if i != nil {
		w.must(w.journal.end(i.Unit, outcome(err), err))
	}
	w.arrow("ended")
}

func (w *writer) must(err error) {
	if err != nil {
		panic(err)
	}
}

// outcome is what a unit's error promises.
func outcome(err error) Outcome {
	switch {
	case err == nil:
		return Committed
	case errors.Is(err, fault.OutcomeUnknown):
		return Unknown
	default:
		return RolledBack
	}
}

// recovered returns a panic of fn as an error.
func recovered(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return fn()
}

// fill publishes one to five messages, some of which are undone, and decides how the unit ends.
func (w *writer) fill(ctx context.Context, i *Intent) error {
	w.arrow("begin")
	if err := session.Add(ctx, &Unit{Name: i.Unit}); err != nil {
		return err
	}
	for _, key := range someKeys() {
		var err error
		switch rand.N(14) {
		case 0:
			err = w.undo(ctx, i, key)
		case 1:
			err = session.Nested(ctx, func(ctx context.Context) error { return w.publish(ctx, i, key, false) })
		default:
			err = w.publish(ctx, i, key, false)
		}
		if err != nil {
			return err
		}
	}
	if chance(0.03) {
		if err := w.startOver(ctx, i); err != nil {
			return err
		}
	}
	w.arrow("published")
	w.must(w.journal.intend(i))
	w.arrow("intended")
	switch {
	case chance(0.08):
		return errGivenUp
	case chance(0.01):
		panic("the unit panics")
	}
	w.dying("commit")
	return nil
}

// dying has the process die a little later than here: while it commits.
func (l *life) dying(name string) {
	if at := l.end.Load(); at != nil && *at == name {
		time.AfterFunc(rand.N(2*time.Millisecond), func() { die(name) })
	}
}

// undo publishes in a savepoint that is rolled back.
func (w *writer) undo(ctx context.Context, i *Intent, key string) error {
	err := session.Nested(ctx, func(ctx context.Context) error {
		if err := w.publish(ctx, i, key, true); err != nil {
			return err
		}
		return errUndone
	})
	w.arrow("undone")
	if errors.Is(err, errUndone) {
		return nil
	}
	return err
}

// startOver rolls back by hand what was done so far, and publishes something else.
func (w *writer) startOver(ctx context.Context, i *Intent) error {
	if err := session.Rollback(ctx); err != nil {
		return err
	}
	for n := range i.Messages {
		i.Messages[n].Undone = true
	}
	if err := session.Add(ctx, &Unit{Name: i.Unit}); err != nil {
		return err
	}
	return w.publish(ctx, i, someKey(), false)
}

// publish publishes one message. One with a key has the next number of the key.
func (w *writer) publish(ctx context.Context, i *Intent, key string, undone bool) error {
	m := Event{Unit: i.Unit, Index: len(i.Messages), Key: key}
	var o bus.Options
	if strings.HasPrefix(key, countedPrefix) {
		err := session.From(ctx).QueryRowContext(ctx, "UPDATE counters SET seq = seq + 1 WHERE name = '"+key+"' RETURNING seq").Scan(&m.Seq)
		if err != nil {
			return err
		}
	} else if key == "" && chance(0.2) {
		o.Delay = rand.N(2*time.Second) + 1
	}
	w.arrow("drawn")
	if chance(0.3) {
		time.Sleep(rand.N(5 * time.Millisecond)) // units overlap
	}
	i.Messages = append(i.Messages, Sent{Event: m, Undone: undone, Later: o.Delay > 0})
	return bus.Publish(ctx, m, o)
}

// counted are the keys with a counter, loose the others.
var counted, loose = named(countedPrefix, 24), named("loose-", 8)

const countedPrefix = "key-"

func named(prefix string, n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("%s%02d", prefix, i))
	}
	return list
}

// someKey returns a key, or none. A few keys have most of the messages.
func someKey() string {
	switch {
	case chance(0.35):
		return ""
	case chance(0.25):
		return loose[rand.N(len(loose))]
	case chance(0.4):
		return counted[rand.N(3)]
	default:
		return counted[rand.N(len(counted))]
	}
}

// someKeys returns one to five keys, in an order in which units seldom wait for each other in a circle.
func someKeys() []string {
	list := make([]string, 1+rand.N(5))
	for i := range list {
		list[i] = someKey()
	}
	if !chance(0.05) {
		slices.SortFunc(list, strings.Compare)
	}
	return list
}

func chance(p float64) bool { return rand.Float64() < p }
