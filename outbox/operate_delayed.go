package outbox

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/value"
)

// lookLimit is how many messages of a destination are looked at for one page of those with a topic or a key.
const lookLimit = 5000

// ListDelayed returns a page of the messages that wait for their time and that the filter selects, without what they say:
// by destination, and those of a destination by their times. Next is what the page after this one begins with, "" where
// there is none.
//
// No index has topics and keys. For a filter with one of them a page looks at 5000 messages of a destination at most, and so
// it may have few messages, or none, and a Next all the same.
func (o *Operator) ListDelayed(ctx context.Context, f DelayedFilter, p Page) (list []Stored, next string, err error) {
	const op = "outbox.ListDelayed"
	after, err := parseAppointment(op, p.After)
	if err != nil {
		return nil, "", err
	}
	page, err := o.awaiting(ctx, op, f, after, p.limit())
	if err != nil {
		return nil, "", err
	}
	for _, m := range page.list {
		list = append(list, m.Stored)
	}
	if page.more {
		next = page.end.String()
	}
	return list, next, nil
}

// ShowDelayed returns one message that waits for its time, with all that it says. Where there is none with this number it is
// fault.NotFound: its time has come, or it was canceled.
func (o *Operator) ShowDelayed(ctx context.Context, id int64) (Stored, error) {
	const op = "outbox.ShowDelayed"
	ctx, d, err := o.reach(ctx, op)
	if err != nil {
		return Stored{}, err
	}
	q := prepare(d, "select urutu_message_delayed", "SELECT "+delayedColumns+saidColumns+delayedTables+" WHERE m.id = ?1", types(tInt), delayedSaidTypes...)
	var list []awaited
	if err := o.ask(ctx, op, q.with(value.OfInt(id)), func(row []value.Value) { list = append(list, readAwaited(row)) }); err != nil {
		return Stored{}, err
	}
	if len(list) == 0 {
		return Stored{}, &fault.Error{
			Kind: fault.NotFound, Op: op, Connection: string(o.name), Key: fmt.Sprint(id),
			Message: fmt.Sprintf("no message %d waits for its time: it has come, or the message was canceled", id),
		}
	}
	return list[0].Stored, nil
}

// awaited is a message that waits for its time, and its place.
type awaited struct {
	Stored
	appointment
}

// What a message that waits for its time is read from. Its lane is the one that it would be in now.
const (
	delayedColumns = "m.dest, m.deliver_at, m.id, n.name, (CAST(m.slot AS integer) * n.lanes) >> 10, m.once, m.msg_id, m.topic, m.key, m.created_at"
	delayedTables  = " FROM urutu_message_delayed m JOIN urutu_message_destination n ON n.id = m.dest"
)

var (
	listedTypes      = types(tDest, tTime, tInt, tText, tDest, tText, tUUID, tText, tText, tTime)
	delayedSaidTypes = append(listedTypes[:len(listedTypes):len(listedTypes)], tBytes, tBytes)
)

// readAwaited reads a message that waits for its time, of which what it says may be missing.
func readAwaited(row []value.Value) awaited {
	a := appointment{int32(row[0].Int()), row[1].Time(), row[2].Int()}
	s := Stored{
		ID: a.id, DeliverAt: a.at, Destination: row[3].Str(), Lane: int(row[4].Int()), Once: textOf(row[5]), MessageID: row[6].UUID(),
		Topic: row[7].Str(), Key: textOf(row[8]), CreatedAt: row[9].Time(), State: Delayed,
	}
	if len(row) > len(listedTypes) {
		s.say([]byte(row[10].Str()), []byte(row[11].Str()))
	}
	return awaited{s, a}
}

// awaitedPage is a part of a list. Where there may be more, it goes on behind the end.
type awaitedPage struct {
	list []awaited
	end  appointment
	more bool
}

// awaiting reads the messages that the filter selects from behind a place on, in order.
func (o *Operator) awaiting(ctx context.Context, op string, f DelayedFilter, after appointment, limit int) (page awaitedPage, err error) {
	if err := f.check(op); err != nil {
		return page, err
	}
	ctx, d, err := o.reach(ctx, op)
	if err != nil {
		return page, err
	}
	if len(f.IDs) > 0 {
		page.list, err = o.named(ctx, op, d, f, after)
	} else {
		page, err = o.walk(ctx, op, d, f, after, limit)
	}
	if len(page.list) > limit {
		page.list = page.list[:limit]
		page.end, page.more = page.list[limit-1].appointment, true
	}
	return page, err
}

// named reads all of those that the filter has the numbers of.
func (o *Operator) named(ctx context.Context, op string, d dialect.Dialect, f DelayedFilter, after appointment) (list []awaited, err error) {
	s := newSelection(d)
	s.add("SELECT " + delayedColumns + delayedTables + " WHERE ")
	s.in("m.id", f.IDs)
	if f.Destination != "" {
		s.add(" AND n.name = ?", aText(f.Destination))
	}
	s.placed(f)
	s.sifted(f)
	err = o.ask(ctx, op, s.statement(d, "select urutu_message_delayed", listedTypes...), func(row []value.Value) {
		if m := readAwaited(row); m.compare(after) > 0 {
			list = append(list, m)
		}
	})
	slices.SortFunc(list, func(a, b awaited) int { return a.compare(b.appointment) })
	return list, err
}

// walk reads one more than the limit, where there are as many. It goes from one destination to the next: the times of each
// are in order.
func (o *Operator) walk(ctx context.Context, op string, d dialect.Dialect, f DelayedFilter, after appointment, limit int) (page awaitedPage, err error) {
	dests, err := o.delaying(ctx, op, d, f, after.dest)
	if err != nil {
		return page, err
	}
	for _, dest := range dests {
		if dest != after.dest {
			after = appointment{dest: dest}
		}
		if f.sifts() {
			if page.end, page.more, err = o.lookEnd(ctx, op, d, f, after); err != nil {
				return page, err
			}
		}
		s := newSelection(d)
		s.add("SELECT " + delayedColumns + delayedTables)
		s.behind(f, after)
		if page.more {
			s.add(" AND (m.deliver_at, m.id) <= (?, ?)", aTime(page.end.at), anInt(tInt, page.end.id))
		}
		s.sifted(f)
		s.add(" ORDER BY m.deliver_at, m.id LIMIT ?", anInt(tInt, int64(limit+1-len(page.list))))
		err := o.ask(ctx, op, s.statement(d, "select urutu_message_delayed", listedTypes...), func(row []value.Value) {
			page.list = append(page.list, readAwaited(row))
		})
		if err != nil || page.more || len(page.list) > limit {
			return page, err
		}
	}
	return page, nil
}

// behind appends that the rows m are those of a destination behind a place that an index finds for the filter.
func (s *selection) behind(f DelayedFilter, after appointment) {
	s.add(" WHERE m.dest = ?", anInt(tDest, int64(after.dest)))
	s.placed(f)
	if !after.at.IsZero() {
		s.add(" AND (m.deliver_at, m.id) > (?, ?)", aTime(after.at), anInt(tInt, after.id))
	}
}

// delaying returns the destinations, from a number on, for which an index finds something.
func (o *Operator) delaying(ctx context.Context, op string, d dialect.Dialect, f DelayedFilter, from int32) (dests []int32, err error) {
	s := newSelection(d)
	s.add("SELECT n.id FROM urutu_message_destination n WHERE n.id >= ?", anInt(tDest, int64(from)))
	if f.Destination != "" {
		s.add(" AND n.name = ?", aText(f.Destination))
	}
	// As a scalar it is looked up for each destination: as EXISTS it may become a join that reads all that waits.
	s.add(" AND coalesce((SELECT true FROM urutu_message_delayed m WHERE m.dest = n.id")
	s.placed(f)
	s.add(" LIMIT 1), false) ORDER BY n.id")
	return dests, o.ask(ctx, op, s.statement(d, "select urutu_message_delayed", tDest), func(row []value.Value) {
		dests = append(dests, int32(row[0].Int()))
	})
}

// lookEnd finds how far a destination is looked at for a page. There is no end where less is left.
func (o *Operator) lookEnd(ctx context.Context, op string, d dialect.Dialect, f DelayedFilter, after appointment) (end appointment, more bool, err error) {
	s := newSelection(d)
	s.add("SELECT m.deliver_at, m.id FROM urutu_message_delayed m")
	s.behind(f, after)
	s.add(" ORDER BY m.deliver_at, m.id LIMIT 1 OFFSET " + strconv.Itoa(lookLimit-1))
	err = o.ask(ctx, op, s.statement(d, "select urutu_message_delayed", tTime, tInt), func(row []value.Value) {
		end, more = appointment{after.dest, row[0].Time(), row[1].Int()}, true
	})
	return end, more, err
}
