package outbox

import (
	"cmp"
	"context"
	"fmt"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// Subscription says that a destination gets the messages of a topic.
type Subscription struct {
	Destination, Topic string
}

// Subscriptions returns who gets what, by destination and topic.
func (o *Operator) Subscriptions(ctx context.Context) (list []Subscription, err error) {
	const op = "outbox.Subscriptions"
	ctx, d, err := o.reach(ctx, op)
	if err != nil {
		return nil, err
	}
	q := prepare(d, "select urutu_message_subscription", "SELECT n.name, s.topic FROM urutu_message_subscription s"+
		" JOIN urutu_message_destination n ON n.id = s.dest ORDER BY n.name, s.topic", nil, tText, tText)
	return list, o.ask(ctx, op, q.with(), func(row []value.Value) {
		list = append(list, Subscription{row[0].Str(), row[1].Str()})
	})
}

// Unsubscribe ends a subscription: units that commit from now on store no messages of the topic for the destination. What
// is stored stays, and is handled, or parked as [Unknown] by workers without a handler for it; [Operator.Discard] deletes
// it. A worker that has a handler for the topic subscribes again when it starts.
//
// A destination that has the topic's name keeps it, with fault.Conflict: its messages are tasks, which are stored until
// somebody handles them. Where there is no such subscription it is fault.NotFound.
func (o *Operator) Unsubscribe(ctx context.Context, destination, topic string) error {
	const op = "outbox.Unsubscribe"
	ctx, d, err := o.reach(ctx, op)
	if err != nil {
		return err
	}
	if destination == topic {
		return &fault.Error{
			Kind: fault.Conflict, Op: op, Connection: string(o.name),
			Message: fmt.Sprintf("the messages of %q are tasks, which are kept until somebody handles them", topic),
		}
	}
	q := prepare(d, "delete urutu_message_subscription", "DELETE FROM urutu_message_subscription WHERE topic = ?2"+
		" AND dest = (SELECT id FROM urutu_message_destination WHERE name = ?1)", types(tText, tText))
	var ended int64
	x := &exchange{}
	x.count(q.with(value.OfText(destination), value.OfText(topic)), func(n int64) { ended = n })
	if err := o.db.Run(ctx, op, driver.Write, &x.Script, x); err != nil {
		return err
	}
	if ended == 0 {
		return &fault.Error{
			Kind: fault.NotFound, Op: op, Connection: string(o.name),
			Message: fmt.Sprintf("the destination %q has not subscribed to the topic %q", destination, topic),
		}
	}
	o.logger.InfoContext(ctx, "an operator ends a subscription", "by", o.by, "connection", cmp.Or(o.name, "default"),
		"destination", destination, "topic", topic)
	return nil
}

// Discard deletes what is stored of a topic for a destination that has not subscribed to it any more: what waits for its
// turn or its time, and what has failed. It returns how many messages they were, also where it fails on the way. A unit
// that commits while the subscription ends may store another one.
//
// While the subscription stands it is fault.Conflict.
func (o *Operator) Discard(ctx context.Context, destination, topic string) (n int, err error) {
	const op = "outbox.Discard"
	list, err := o.Subscriptions(ctx)
	if err != nil {
		return 0, err
	}
	for _, s := range list {
		if s.Destination == destination && s.Topic == topic {
			return 0, &fault.Error{
				Kind: fault.Conflict, Op: op, Connection: string(o.name),
				Message: fmt.Sprintf("the destination %q has subscribed to the topic %q: unsubscribe it first", destination, topic),
			}
		}
	}
	const what = "an operator discards messages"
	n, err = o.changeEach(ctx, op, what, Filter{}, discard, func(after position) ([]found, error) {
		return o.stored(ctx, op, destination, topic, after)
	})
	for more := err == nil; more; {
		var ids []int64
		ids, err = o.discardDelayed(ctx, op, destination, topic)
		if len(ids) > 0 {
			o.logger.InfoContext(ctx, what, "by", o.by, "connection", cmp.Or(o.name, "default"), "destination", destination, "delayed", ids)
		}
		n, more = n+len(ids), err == nil && len(ids) == changePage
	}
	return n, err
}

// stored reads the places of the messages of a topic, a page at a time.
func (o *Operator) stored(ctx context.Context, op, destination, topic string, after position) (list []found, err error) {
	ctx, d, err := o.reach(ctx, op)
	if err != nil {
		return nil, err
	}
	q := prepare(d, "select urutu_message", "SELECT m.dest, m.lane, m.id FROM urutu_message m JOIN urutu_message_destination n ON n.id = m.dest"+
		" WHERE n.name = ?1 AND m.topic = ?2 AND (m.lane, m.id) > (?3, ?4) ORDER BY m.dest, m.lane, m.id LIMIT ?5",
		types(tText, tText, tSmall, tInt, tInt), tDest, tSmall, tInt)
	st := q.with(value.OfText(destination), value.OfText(topic), value.OfInt(int64(after.lane)), value.OfInt(after.id), value.OfInt(changePage))
	return list, o.ask(ctx, op, st, func(row []value.Value) {
		p := position{int32(row[0].Int()), int16(row[1].Int()), row[2].Int()}
		list = append(list, found{Stored{ID: p.id, Destination: destination}, p})
	})
}

// discard deletes messages, whatever became of them so far.
func discard(d dialect.Dialect, p position, ids []int64, _ Filter, touch driver.Statement) []driver.Statement {
	messages := newSelection(d)
	messages.add("DELETE FROM urutu_message")
	messages.inLane(p, "id", ids)
	messages.add(" RETURNING id")
	return []driver.Statement{
		messages.statement(d, "delete urutu_message", tInt), touch, forgetGone(d, p, ids),
	}
}

// discardDelayed deletes some of the messages of a topic that wait for their time.
func (o *Operator) discardDelayed(ctx context.Context, op, destination, topic string) (ids []int64, err error) {
	ctx, d, err := o.reach(ctx, op)
	if err != nil {
		return nil, err
	}
	q := prepare(d, "delete urutu_message_delayed", "DELETE FROM urutu_message_delayed WHERE id IN (SELECT m.id FROM urutu_message_delayed m"+
		" JOIN urutu_message_destination n ON n.id = m.dest WHERE n.name = ?1 AND m.topic = ?2 ORDER BY m.id LIMIT ?3) RETURNING id",
		types(tText, tText, tInt), tInt)
	x := &exchange{}
	x.add(q.with(value.OfText(destination), value.OfText(topic), value.OfInt(changePage)), func(row []value.Value) { ids = append(ids, row[0].Int()) })
	return ids, o.db.Run(ctx, op, driver.Write, &x.Script, x)
}
