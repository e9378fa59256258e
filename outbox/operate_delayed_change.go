package outbox

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// Cancel deletes the messages that wait for their time and that the filter selects: nobody will handle them. It returns how
// many they were. A message whose time comes meanwhile is either canceled, and counted, or delivered. Where Cancel fails on
// the way, some have been. A filter that says nothing is fault.Invalid: where all of them are meant, it has All.
func (o *Operator) Cancel(ctx context.Context, f DelayedFilter) (n int, err error) {
	return o.changeDelayed(ctx, "outbox.Cancel", "an operator cancels delayed messages", f, cancel)
}

// DeliverNow has the time come of the messages that the filter selects: the worker that looks after their destination gives
// them to their lanes at once, or within a second where nothing can notify it, in the order of the times that they had. Those whose time has come
// already keep it. It returns how many messages they are. Otherwise it is like [Operator.Cancel].
func (o *Operator) DeliverNow(ctx context.Context, f DelayedFilter) (n int, err error) {
	const op = "outbox.DeliverNow"
	now, err := o.clock(ctx, op)
	if err != nil {
		return 0, err
	}
	at := now.Add(-time.Second)
	next := func(d dialect.Dialect, id int64, f DelayedFilter) driver.Statement {
		at = at.Add(time.Microsecond) // so that they stay in their order; to change one takes longer than that
		return deliverAt(d, id, f, at)
	}
	if n, err = o.changeDelayed(ctx, op, "an operator has delayed messages delivered now", f, next); n > 0 {
		o.wake(ctx, op)
	}
	return n, err
}

// wake tells workers that messages are due.
func (o *Operator) wake(ctx context.Context, op string) {
	if home, err := stateOf(session.On(o.db.Context(ctx), o.name), op); err == nil {
		home.wake(true)
	}
}

// clock asks for the database's time.
func (o *Operator) clock(ctx context.Context, op string) (now time.Time, err error) {
	ctx, d, err := o.reach(ctx, op)
	if err != nil {
		return now, err
	}
	q := prepare(d, "select now", "SELECT "+micros(d), nil, tInt)
	return now, o.ask(ctx, op, q.with(), func(row []value.Value) { now = time.UnixMicro(row[0].Int()) })
}

// delayedAlteration renders what becomes of a message that waits for its time, as far as the filter still selects it. It
// returns the message's number.
type delayedAlteration func(d dialect.Dialect, id int64, f DelayedFilter) driver.Statement

func cancel(d dialect.Dialect, id int64, f DelayedFilter) driver.Statement {
	s := newSelection(d)
	s.add("DELETE FROM urutu_message_delayed AS m")
	s.still(id, f)
	return s.statement(d, "delete urutu_message_delayed", tInt)
}

func deliverAt(d dialect.Dialect, id int64, f DelayedFilter, at time.Time) driver.Statement {
	least := "least"
	if d.Name() == "sqlite" {
		least = "min"
	}
	s := newSelection(d)
	s.add("UPDATE urutu_message_delayed AS m SET deliver_at = "+least+"(m.deliver_at, ?)", aTime(at))
	s.still(id, f)
	return s.statement(d, "update urutu_message_delayed", tInt)
}

// changeDelayed does something to the messages that the filter selects, some of a destination in each transaction.
func (o *Operator) changeDelayed(ctx context.Context, op, what string, f DelayedFilter, alter delayedAlteration) (n int, err error) {
	if f.empty() {
		return 0, &fault.Error{Kind: fault.Invalid, Op: op, Message: "which messages? A filter for all of them has All"}
	}
	if f, err = f.checked(op); err != nil {
		return 0, err
	}
	for page := (awaitedPage{end: earliest, more: true}); page.more; {
		if page, err = o.awaiting(ctx, op, f, page.end, max(changePage, len(f.IDs))); err != nil {
			return n, err
		}
		for rest := page.list; len(rest) > 0; {
			some := rest[:min(sameDestination(rest), delayedSlice)]
			changed, err := o.alterDelayed(ctx, op, some, f, alter)
			if err != nil {
				return n, err
			}
			if len(changed) > 0 {
				o.logger.InfoContext(ctx, what, "by", o.by, "connection", cmp.Or(o.name, "default"), "destination", some[0].Destination, "delayed", changed)
			}
			n, rest = n+len(changed), rest[len(some):]
		}
	}
	return n, nil
}

// sameDestination returns how many messages at the beginning of the list are for the destination of the first.
func sameDestination(list []awaited) int {
	n := 1
	for n < len(list) && list[n].dest == list[0].dest {
		n++
	}
	return n
}

// alterDelayed changes messages, as far as they still wait and the filter still selects them: a worker may have moved them,
// and a unit may have published one with the same Once. Either waits for the other, so that only one has the message.
func (o *Operator) alterDelayed(ctx context.Context, op string, list []awaited, f DelayedFilter, alter delayedAlteration) (changed []int64, err error) {
	ctx, d, err := o.reach(ctx, op)
	if err != nil {
		return nil, err
	}
	x := &exchange{}
	x.Begin, x.End = &driver.TxOptions{}, driver.Commit
	for _, m := range list {
		x.add(alter(d, m.id, f), func(row []value.Value) { changed = append(changed, row[0].Int()) })
	}
	err = colliding(func() error {
		changed = nil
		return o.db.Run(ctx, op, driver.Write, &x.Script, x)
	})
	slices.Sort(changed)
	return changed, err
}
