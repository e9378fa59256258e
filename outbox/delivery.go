package outbox

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/value"
)

// Delivery is a message in the hand of a consumer.
type Delivery struct {
	// ID identifies the message wherever it went.
	ID [16]byte
	// Topic and Key are its own; Key is "" for none.
	Topic, Key string
	// Envelope is what message.Unseal reads, and Payload what its publisher encoded.
	Envelope, Payload []byte
	// CreatedAt is when it was published.
	CreatedAt time.Time
	// Failures is how often handling it has failed before.
	Failures int

	id      int64
	place   value.Value // in its table
	lane    *lane
	home    *state
	started bool // it is in hand
	noted   bool // there is a row about its failures, which an operator may have set to none
	deaths  int  // how often its process has died, as far as is known, while it was in hand
	probe   bool // it is noted that it is in hand, before it is
}

// Acknowledge makes the unit of work in ctx the one that has handled the message: its commit deletes the message, and
// fails with fault.Stale if somebody else has handled it, or this process has lost the lane that it is in. It outlives a
// rollback by hand. Where the unit writes to other databases too, the message's commits last: what is lost in between is
// handled again.
func (d *Delivery) Acknowledge(ctx context.Context) error {
	retried := value.OfBool(d.noted)
	owner, epoch := d.lane.owner()
	err := session.StageUnit(session.On(ctx, d.home.name), &d.home.acks, value.OfInt(int64(d.lane.dest.id)), value.OfInt(int64(d.lane.number)), value.OfInt(d.id),
		value.OfUUID(owner), value.OfInt(epoch), d.place, retried)
	if u, ok := uow.Current(ctx); ok && err == nil {
		u.CommitLast(string(d.home.name))
	}
	return err
}

const messageTable = "urutu_message"

// acknowledgement deletes the message that a unit has handled.
type acknowledgement struct {
	once  sync.Once
	gone  *query
	retry *query
}

var _ session.Writer = (*acknowledgement)(nil)

func (w *acknowledgement) prepare(d dialect.Dialect) {
	params := types(tDest, tSmall, tInt, tUUID, tInt)
	text := "DELETE FROM urutu_message WHERE dest = ?1 AND lane = ?2 AND id = ?3 AND EXISTS" +
		" (SELECT 1 FROM urutu_message_lane l WHERE l.dest = ?1 AND l.lane = ?2 AND l.owner = ?4 AND l.epoch = ?5)"
	if d.Name() == "postgres" { // it has a place, which costs the same in a table of any size: the plan is kept
		params, text = append(params, tText), text+" AND ctid = ?6::text::tid"
	}
	if d.Features().Pipeline {
		text = "WITH u AS (" + text + " RETURNING 1) SELECT ('urutu:stale:' || (count(*) + 1))::int FROM u HAVING count(*) = 0"
	}
	w.gone = prepare(d, "delete urutu_message", text, params)
	w.retry = forgetRetry(d)
}

// forgetRetry deletes what was noted about a message's failures.
func forgetRetry(d dialect.Dialect) *query {
	return prepare(d, "delete urutu_message_retry",
		"DELETE FROM urutu_message_retry WHERE dest = ?1 AND lane = ?2 AND id = ?3", types(tDest, tSmall, tInt))
}

// Statements implements session.Writer.
func (w *acknowledgement) Statements(d dialect.Dialect, values []value.Value) []session.Written {
	w.once.Do(func() { w.prepare(d) })
	var list []session.Written
	for ; len(values) > 0; values = values[7:] {
		st := w.gone.with(values[:len(w.gone.types)]...)
		st.Checked, st.Expect = true, 1
		list = append(list, session.Written{Statement: st, Table: messageTable})
		if values[6].Bool() {
			list = append(list, session.Written{Statement: w.retry.with(values[:3]...)})
		}
	}
	return list
}

// gone reports whether a unit failed because its message is not there any more, or not this process's to handle.
func gone(err error) bool {
	var e *fault.Error
	return errors.Is(err, errBehind) || errors.As(err, &e) && e.Kind == fault.Stale && e.Table == messageTable
}

// outage reports whether an error says nothing about the message: the database could not be asked. A unit whose outcome
// is not known is one of these: its message is there if it was not committed.
func outage(err error) bool {
	switch fault.KindOf(err) {
	case fault.ConnectionLost, fault.OutcomeUnknown, fault.PoolTimeout:
		return true
	default:
		return false
	}
}
