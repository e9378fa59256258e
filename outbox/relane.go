package outbox

import (
	"context"
	"fmt"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// MaxLanes is how many lanes a destination may have.
const MaxLanes = 64

// relaneLock bounds how long it waits for each of its locks, since who publishes waits for it meanwhile.
const relaneLock = 5 * time.Second

// Relane changes the number of a destination's lanes, which bounds how many processes share its work, on the connection
// that ctx chose. It moves what is stored, in one transaction during which nobody publishes; what is in hand meanwhile is
// handled again. The messages of a key stay in their order. Where a unit that publishes or handles takes longer than 5 s, it
// is fault.LockTimeout, and nothing has changed.
func Relane(ctx context.Context, destination string, lanes int) error {
	const op = "outbox.Relane"
	h, err := stateOf(ctx, op)
	if err != nil {
		return err
	}
	if lanes < 1 || lanes > MaxLanes {
		return &fault.Error{Kind: fault.Invalid, Op: op, Message: fmt.Sprintf("a destination has between 1 and %d lanes, not %d", MaxLanes, lanes)}
	}
	d, err := h.db.Dialect(ctx)
	if err != nil {
		return err
	}
	found := int64(0)
	x := &exchange{}
	x.Begin, x.End = &driver.TxOptions{LockTimeout: relaneLock}, driver.Commit
	if !h.ordered {
		// Whoever publishes has read the number of lanes, and whoever notes a failure in which of them the message is: those are
		// waited for, and the others wait for this, as do those who take lanes.
		x.add(prepare(d, "lock urutu_message", "LOCK TABLE urutu_message IN EXCLUSIVE MODE", nil).with(), nil)
		x.add(prepare(d, "lock urutu_message_lane", "LOCK TABLE urutu_message_lane, urutu_message_lease IN SHARE ROW EXCLUSIVE MODE", nil).with(), nil)
	}
	name, n := value.OfText(destination), value.OfInt(int64(lanes))
	const dest = "(SELECT id FROM urutu_message_destination WHERE name = ?1)"
	one := func(text string) { x.add(prepare(d, "relane", text, types(tText)).with(name), nil) }
	both := func(text string) { x.add(prepare(d, "relane", text, types(tText, tDest)).with(name, n), nil) }
	x.count(prepare(d, "relane", "UPDATE urutu_message_destination SET lanes = ?2 WHERE name = ?1", types(tText, tDest)).with(name, n),
		func(affected int64) { found = affected })
	// Where who publishes reads it.
	both("UPDATE urutu_message_subscription SET lanes = ?2 WHERE dest = " + dest)
	const message = "urutu_message m WHERE m.dest = urutu_message_retry.dest AND m.lane = urutu_message_retry.lane AND m.id = urutu_message_retry.id"
	one("DELETE FROM urutu_message_retry WHERE dest = " + dest + " AND NOT EXISTS (SELECT 1 FROM " + message + ")")
	both("UPDATE urutu_message_retry SET lane = (SELECT (m.slot * ?2) >> 10 FROM " + message + ") WHERE dest = " + dest)
	both("UPDATE urutu_message SET lane = (slot * ?2) >> 10 WHERE dest = " + dest)
	// No lane gets an epoch that one of its number had: whoever had that would take it for the same. So those that stay get
	// one above all, also of those that go, and those that come begin with it.
	one("UPDATE urutu_message_lane SET owner = NULL, epoch = (SELECT max(l.epoch) + 1 FROM urutu_message_lane l WHERE l.dest = " + dest + ")," +
		" deaths = 0, doubt = 0 WHERE dest = " + dest)
	both("DELETE FROM urutu_message_lane WHERE lane >= ?2 AND dest = " + dest)
	one("DELETE FROM urutu_message_lease WHERE dest = " + dest)
	x.add(registerLanes(d).with(name), nil)
	x.add(registerLeases(d).with(name), nil)
	ctx = session.On(ctx, h.name)
	if err := colliding(func() error { return h.db.Run(ctx, op, driver.Write, &x.Script, x) }); err != nil {
		return err
	}
	if found == 0 {
		return &fault.Error{Kind: fault.NotFound, Op: op, Connection: string(h.name), Message: fmt.Sprintf("there is no destination %q", destination)}
	}
	return nil
}
