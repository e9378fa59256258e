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

// Retry has the messages that the filter selects tried again as if they had never failed: those that are parked, and those
// whose pause is not over. Messages that wait behind them follow. It returns how many they are. They are changed lane by
// lane; where it fails on the way, some have been. A filter that says nothing is fault.Invalid: where all of them are
// meant, it has the State AnyState.
func (o *Operator) Retry(ctx context.Context, f Filter) (n int, err error) {
	return o.change(ctx, "outbox.Retry", "an operator has messages tried again", f, retryAgain)
}

// Skip deletes the messages that the filter selects, so that those of their keys that wait behind them go on: nobody will
// handle them. It returns how many they were; Export writes them down before. Otherwise it is like [Operator.Retry].
func (o *Operator) Skip(ctx context.Context, f Filter) (n int, err error) {
	return o.change(ctx, "outbox.Skip", "an operator skips messages", f, deleteSkipped)
}

// changePage is how many messages are changed in one transaction, at most.
const changePage = 500

// alteration renders what becomes of some messages of a lane. One of its statements returns their numbers. It puts touch,
// which tells the lane's owner to look again, where it locks as workers do: the message, its lane, what was noted about it.
type alteration func(d dialect.Dialect, p position, ids []int64, f Filter, touch driver.Statement) []driver.Statement

// change does something to the messages that the filter selects, one lane in each transaction: whoever renews the leases
// locks several lanes, and two of that sort could wait for each other.
func (o *Operator) change(ctx context.Context, op, what string, f Filter, alter alteration) (n int, err error) {
	if f.empty() {
		return 0, &fault.Error{Kind: fault.Invalid, Op: op, Message: "which messages? A filter for all of them says in which state"}
	}
	return o.changeEach(ctx, op, what, f, alter, func(after position) ([]found, error) {
		return o.failing(ctx, op, f, after, changePage, false)
	})
}

// changeEach does something to the messages that look finds, a page after a position at a time.
func (o *Operator) changeEach(
	ctx context.Context, op, what string, f Filter, alter alteration, look func(after position) ([]found, error),
) (n int, err error) {
	for after := first; ; {
		list, err := look(after)
		if err != nil || len(list) == 0 {
			return n, err
		}
		for rest := list; len(rest) > 0; {
			lane := rest[:sameLane(rest)]
			changed, err := o.alter(ctx, op, lane, f, alter)
			if err != nil {
				return n, err
			}
			if len(changed) > 0 {
				o.logger.InfoContext(ctx, what, "by", o.by, "connection", cmp.Or(o.name, "default"), "destination", lane[0].Destination, "messages", changed)
			}
			n, rest = n+len(changed), rest[len(lane):]
		}
		if len(list) < changePage {
			return n, nil
		}
		after = list[len(list)-1].position
	}
}

// sameLane returns how many messages at the beginning of the list are in the lane of the first.
func sameLane(list []found) int {
	n := 1
	for n < len(list) && list[n].dest == list[0].dest && list[n].lane == list[0].lane {
		n++
	}
	return n
}

// alter changes messages of one lane, as far as the filter still selects them.
func (o *Operator) alter(ctx context.Context, op string, lane []found, f Filter, alter alteration) (changed []int64, err error) {
	ctx, d, err := o.reach(ctx, op)
	if err != nil {
		return nil, err
	}
	p := lane[0].position
	ids := make([]int64, len(lane))
	for i, m := range lane {
		ids[i] = m.id
	}
	touch := prepare(d, "update urutu_message_lane", "UPDATE urutu_message_lane SET touched = touched + 1 WHERE dest = ?1 AND lane = ?2",
		types(tDest, tSmall))
	script := &driver.Script{Begin: &driver.TxOptions{}, End: driver.Commit}
	script.Statements = alter(d, p, ids, f, touch.with(value.OfInt(int64(p.dest)), value.OfInt(int64(p.lane))))
	take := func(row []value.Value) { changed = append(changed, row[0].Int()) }
	err = colliding(func() error {
		changed = nil
		return o.db.Run(ctx, op, driver.Write, script, collect{take, take})
	})
	slices.Sort(changed)
	return changed, err
}

// inLane appends that the rows are those of a lane with these numbers.
func (s *selection) inLane(p position, column string, ids []int64) {
	s.add(" WHERE dest = ? AND lane = ? AND ", anInt(tDest, int64(p.dest)), anInt(tSmall, int64(p.lane)))
	s.in(column, ids)
}

func retryAgain(d dialect.Dialect, p position, ids []int64, f Filter, touch driver.Statement) []driver.Statement {
	s := newSelection(d)
	s.add("UPDATE urutu_message_retry AS r SET parked = false, attempts = 0, deaths = 0, next_at = " + now(d))
	s.inLane(p, "id", ids)
	s.where(f)
	s.add(" RETURNING id")
	return []driver.Statement{touch, s.statement(d, "update urutu_message_retry", tInt)}
}

func deleteSkipped(d dialect.Dialect, p position, ids []int64, f Filter, touch driver.Statement) []driver.Statement {
	messages := newSelection(d)
	messages.add("DELETE FROM urutu_message")
	messages.inLane(p, "id", ids)
	messages.add(" AND EXISTS (SELECT 1 FROM urutu_message_retry r WHERE r.dest = urutu_message.dest AND r.lane = urutu_message.lane" +
		" AND r.id = urutu_message.id")
	messages.where(f)
	messages.add(") RETURNING id")
	return []driver.Statement{
		messages.statement(d, "delete urutu_message", tInt), touch, forgetGone(d, p, ids),
	}
}

// forgetGone deletes what was noted about messages that are not there any more.
func forgetGone(d dialect.Dialect, p position, ids []int64) driver.Statement {
	retries := newSelection(d)
	retries.add("DELETE FROM urutu_message_retry")
	retries.inLane(p, "id", ids)
	retries.add(" AND NOT EXISTS (SELECT 1 FROM urutu_message m WHERE m.dest = urutu_message_retry.dest AND m.lane = urutu_message_retry.lane" +
		" AND m.id = urutu_message_retry.id)")
	return retries.statement(d, "delete urutu_message_retry")
}
