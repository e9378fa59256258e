package outbox

import (
	"context"
	"fmt"
	"slices"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/value"
)

const (
	// delayedSlice is how many messages that wait for their time are read at once, or changed in one transaction, at most.
	// They are so few that PostgreSQL takes an index for them, whatever it believes of the table.
	delayedSlice = 100
	// lookLimit is how many messages are looked at for one page.
	lookLimit = 5000
)

// ListDelayed returns a page of the messages that wait for their time and that the filter selects, without what they say:
// by destination, and those of a destination by their times. Next is what the page after this one begins with, "" where
// there is none.
//
// No index has topics and keys: where the filter has one, messages are looked at to see whether it selects them. A page looks
// at 5000 at most, and so it may have few messages, or none, and a Next all the same.
func (o *Operator) ListDelayed(ctx context.Context, f DelayedFilter, p Page) (list []Stored, next string, err error) {
	const op = "outbox.ListDelayed"
	after, err := parseAppointment(op, p.After)
	if err != nil {
		return nil, "", err
	}
	if f, err = f.checked(op); err != nil {
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
	q := prepare(d, "select urutu_message_delayed", "SELECT "+delayedColumns+saidColumns+" FROM urutu_message_delayed m WHERE m.id = ?1", types(tInt), delayedSaidTypes...)
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

// delayedColumns is what a message that waits for its time is read from. Its lane is the one that it would be in now. What
// its destination says is looked up for each: of a join PostgreSQL may believe that it has few rows, and read and sort the
// whole table for a page.
const delayedColumns = "m.dest, m.deliver_at, m.id, (SELECT n.name FROM urutu_message_destination n WHERE n.id = m.dest)," +
	" (CAST(m.slot AS integer) * (SELECT n.lanes FROM urutu_message_destination n WHERE n.id = m.dest)) >> 10," +
	" m.once, m.msg_id, m.topic, m.key, m.created_at"

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
	ctx, d, err := o.reach(ctx, op)
	if err != nil {
		return page, err
	}
	if len(f.IDs) > 0 || f.Once != "" {
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

// named reads all of those behind a place that the filter has the numbers of, or what makes them unique.
func (o *Operator) named(ctx context.Context, op string, d dialect.Dialect, f DelayedFilter, after appointment) (list []awaited, err error) {
	column, names := "m.id", f.IDs
	if len(names) == 0 {
		column = "m.dest"
		if names, err = o.destinations(ctx, op, d, f); err != nil {
			return nil, err
		}
	}
	for some := range slices.Chunk(names, delayedSlice) {
		s := newSelection(d)
		s.add("SELECT " + delayedColumns + " FROM urutu_message_delayed m WHERE ")
		s.in(column, some)
		if len(f.IDs) == 0 {
			s.add(" AND m.once = ?", aText(f.Once))
		}
		err := o.ask(ctx, op, s.statement(d, "select urutu_message_delayed", listedTypes...), func(row []value.Value) {
			if m := readAwaited(row); f.selects(m) && m.compare(after) > 0 {
				list = append(list, m)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(list, func(a, b awaited) int { return a.compare(b.appointment) })
	return list, nil
}

// destinations returns the numbers of the destinations that the filter selects.
func (o *Operator) destinations(ctx context.Context, op string, d dialect.Dialect, f DelayedFilter) (ids []int64, err error) {
	q := prepare(d, "select urutu_message_destination", "SELECT id FROM urutu_message_destination WHERE name = ?1 OR ?1 = '' ORDER BY id", types(tText), tInt)
	return ids, o.ask(ctx, op, q.with(value.OfText(f.Destination)), func(row []value.Value) { ids = append(ids, row[0].Int()) })
}

// walk reads one more than the limit, where there are as many. It goes along the index, and leaps over what the filter has
// no times for.
func (o *Operator) walk(ctx context.Context, op string, d dialect.Dialect, f DelayedFilter, after appointment, limit int) (page awaitedPage, err error) {
	dests, err := o.destinations(ctx, op, d, f)
	if err != nil || len(dests) == 0 {
		return page, err
	}
	place := after
	if begin := opening(int32(dests[0])); place.compare(begin) < 0 {
		place = begin
	}
	for looked := 0; looked < lookLimit; {
		slice, err := o.slice(ctx, op, d, place)
		if err != nil {
			return page, err
		}
		leapt := false
		for _, m := range slice {
			if int64(m.dest) > dests[len(dests)-1] {
				return page, nil
			}
			if place, leapt = f.leap(m.appointment); leapt {
				break
			}
			looked++
			if f.selects(m) {
				page.list = append(page.list, m)
			}
			if len(page.list) > limit {
				return page, nil
			}
		}
		if len(slice) < delayedSlice && !leapt {
			return page, nil
		}
	}
	page.end, page.more = place, true
	return page, nil
}

// slice reads what comes behind a place. The condition is one of the whole key of the index: by a destination alone, a
// planner that knows nothing of the table would rather sort all that the destination has.
func (o *Operator) slice(ctx context.Context, op string, d dialect.Dialect, after appointment) (list []awaited, err error) {
	conditions := []string{"(m.dest, m.deliver_at, m.id) > (?1, ?2, ?3)"}
	if d.Name() == "sqlite" { // where many have the same time, it would read all of them to compare their numbers
		conditions = []string{"m.dest = ?1 AND m.deliver_at = ?2 AND m.id > ?3", "(m.dest, m.deliver_at) > (?1, ?2)"}
	}
	for _, c := range conditions {
		room := delayedSlice - len(list)
		if room == 0 {
			break
		}
		q := prepare(d, "select urutu_message_delayed", "SELECT "+delayedColumns+" FROM urutu_message_delayed m WHERE "+c+
			" ORDER BY m.dest, m.deliver_at, m.id LIMIT ?4", types(tDest, tTime, tInt, tInt), listedTypes...)
		st := q.with(value.OfInt(int64(after.dest)), value.OfTime(after.at), value.OfInt(after.id), value.OfInt(int64(room)))
		if err := o.ask(ctx, op, st, func(row []value.Value) { list = append(list, readAwaited(row)) }); err != nil {
			return nil, err
		}
	}
	return list, nil
}
