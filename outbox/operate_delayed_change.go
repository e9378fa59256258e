package outbox

import (
	"cmp"
	"context"
	"slices"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// Cancel deletes the messages that wait for their time and that the filter selects: nobody will handle them. It returns how
// many they were. A message whose time comes meanwhile is canceled or delivered, and counted only if it was canceled. Where
// Cancel fails on the way, some have been. A filter that says nothing is fault.Invalid: where all of them are meant, it has
// All.
func (o *Operator) Cancel(ctx context.Context, f DelayedFilter) (n int, err error) {
	return o.changeDelayed(ctx, "outbox.Cancel", "an operator cancels delayed messages", f, cancel)
}

// DeliverNow has the time come of the messages that the filter selects: the engine that looks after their destination moves
// them to their lanes as it looks for such messages the next time, within a second, in the order of the times that they had.
// Those whose time has come already keep it. It returns how many messages they are. Otherwise it is like [Operator.Cancel].
func (o *Operator) DeliverNow(ctx context.Context, f DelayedFilter) (n int, err error) {
	return o.changeDelayed(ctx, "outbox.DeliverNow", "an operator has delayed messages delivered now", f, deliverNow)
}

// alterationOfDelayed renders what becomes of some messages that wait for their time, and returns their numbers.
type alterationOfDelayed func(d dialect.Dialect, ids []int64, f DelayedFilter) driver.Statement

// changeDelayed does something to the messages that the filter selects, a page of a destination in each transaction.
func (o *Operator) changeDelayed(
	ctx context.Context, op, what string, f DelayedFilter, change alterationOfDelayed,
) (n int, err error) {
	if f.empty() {
		return 0, &fault.Error{Kind: fault.Invalid, Op: op, Message: "which messages? A filter for all of them has All"}
	}
	for page := (awaitedPage{end: earliest, more: true}); page.more; {
		if page, err = o.awaiting(ctx, op, f, page.end, changePage); err != nil {
			return n, err
		}
		for rest := page.list; len(rest) > 0; {
			same := rest[:sameDestination(rest)]
			changed, err := o.alterDelayed(ctx, op, same, f, change)
			if err != nil {
				return n, err
			}
			if len(changed) > 0 {
				o.logger.InfoContext(ctx, what, "by", o.by, "connection", cmp.Or(o.name, "default"), "destination", same[0].Destination, "delayed", changed)
			}
			n, rest = n+len(changed), rest[len(same):]
		}
	}
	return n, nil
}

// sameDestination returns how many messages at the beginning of the list are for the destination of the first.
func sameDestination(list []awaited) int {
	n := slices.IndexFunc(list, func(m awaited) bool { return m.dest != list[0].dest })
	if n < 0 {
		return len(list)
	}
	return n
}

// alterDelayed changes messages, as far as they still wait and the filter still selects them: an engine may have moved them,
// and a unit may have published one with the same Once.
func (o *Operator) alterDelayed(
	ctx context.Context, op string, list []awaited, f DelayedFilter, change alterationOfDelayed,
) (changed []int64, err error) {
	ctx, d, err := o.reach(ctx, op)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(list))
	for i, m := range list {
		ids[i] = m.id
	}
	script := &driver.Script{Statements: []driver.Statement{change(d, ids, f)}}
	for try := 1; ; try++ {
		changed = nil
		err = o.db.Run(ctx, op, driver.Write, script, collect{func(row []value.Value) { changed = append(changed, row[0].Int()) }})
		if err == nil {
			slices.Sort(changed)
			return changed, nil
		}
		if try == changeTries || !fault.IsRetryable(err) {
			return nil, err
		}
	}
}

// still appends that the rows m are those with these numbers that the filter selects.
func (s *selection) still(ids []int64, f DelayedFilter) {
	s.add(" WHERE ")
	s.in("m.id", ids)
	s.placed(f)
	s.sifted(f)
	s.add(" RETURNING id")
}

func cancel(d dialect.Dialect, ids []int64, f DelayedFilter) driver.Statement {
	s := newSelection(d)
	s.add("DELETE FROM urutu_message_delayed AS m")
	s.still(ids, f)
	return s.statement(d, "delete urutu_message_delayed", tInt)
}

// deliverNow has each time a microsecond behind the one before, so that the messages stay in their order; all of them are
// over, since a page has fewer messages than a millisecond has microseconds.
func deliverNow(d dialect.Dialect, ids []int64, f DelayedFilter) driver.Statement {
	s := newSelection(d)
	list := param{typ: tInt, list: ofInts(ids)}
	s.add("UPDATE urutu_message_delayed AS m SET deliver_at = ")
	if d.Name() == "sqlite" {
		s.add("min(m.deliver_at, "+sqliteTime+", '-0.001 seconds') || (SELECT format('%03d+00:00', e.key) FROM json_each(?) e WHERE e.value = m.id))", list)
	} else {
		s.add("least(m.deliver_at, statement_timestamp() + (array_position(?, m.id) - 1000) * interval '1 microsecond')", list)
	}
	s.still(ids, f)
	return s.statement(d, "update urutu_message_delayed", tInt)
}
