package outbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// Incoming is a message that came from elsewhere.
type Incoming struct {
	// ID identifies the message: of two with one ID, the second is dropped. Required.
	ID [16]byte
	// Topic says what it is, and Key what it is in order with.
	Topic, Key string
	// Version is that of the payload. Defaults to 1.
	Version int
	// Headers and Payload are its own.
	Headers message.Headers
	Payload []byte
}

// Receive puts messages that came from elsewhere into the queue of a destination, which is registered already, in one
// transaction: once it returns nil, they are as safe as the database, and whoever brought them may forget them. A message
// that was received in the last seven days is dropped, whatever became of it. It returns how many were new.
//
// A message that cannot be stored is fault.Invalid, and nothing of the batch is stored.
func Receive(ctx context.Context, destination string, batch []Incoming) (fresh int, err error) {
	const op = "outbox.Receive"
	h, err := stateOf(ctx, op)
	if err != nil {
		return 0, err
	}
	rows, err := h.rows(ctx, op, batch)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	x := &exchange{}
	x.Begin, x.End = &driver.TxOptions{}, driver.Commit
	count := func(n int64) { fresh += int(n) }
	name := value.OfText(destination)
	var known bool
	x.add(h.inbox.known.with(name), func([]value.Value) { known = true })
	if st, ok := h.now.lock(rows); ok {
		x.add(st, nil)
	}
	h.inbox.receive(x, rows, name, count)
	if err := h.db.Run(session.On(ctx, h.name), op, driver.Write, &x.Script, x); err != nil {
		return 0, err
	}
	if !known {
		return 0, &fault.Error{
			Kind: fault.Misconfigured, Op: op, Connection: string(h.name), Message: fmt.Sprintf("there is no destination %q", destination),
		}
	}
	h.arrivals.add(destination, fresh, len(batch)-fresh)
	if fresh > 0 {
		h.wake(false)
	}
	return fresh, nil
}

// rows returns what is stored of a batch, each message once.
func (h *state) rows(ctx context.Context, op string, batch []Incoming) (rows []value.Value, err error) {
	seen := make(map[[16]byte]bool, len(batch))
	for i := range batch {
		m := &batch[i]
		if seen[m.ID] {
			continue
		}
		seen[m.ID] = true
		row, err := h.row(ctx, m)
		if err != nil {
			return nil, &fault.Error{Kind: fault.Invalid, Op: op, Message: fmt.Sprintf("message %d of the batch", i+1), Err: err}
		}
		rows = append(rows, row...)
	}
	return rows, nil
}

func (h *state) row(ctx context.Context, m *Incoming) ([]value.Value, error) {
	if err := (message.Type{Topic: m.Topic, Version: m.Version}).Validate(); err != nil {
		return nil, err
	}
	if err := message.CheckKey(m.Key); err != nil {
		return nil, err
	}
	if err := m.Headers.Validate(); err != nil {
		return nil, err
	}
	return h.contentRow(ctx, m.ID, m.Topic, m.Key, message.Envelope{Version: m.Version, Headers: m.Headers}, m.Payload)
}

// contentRow returns the columns of content. When the message was published is by the process's clock: nothing is decided
// by it. A message without a payload has an empty one.
func (h *state) contentRow(ctx context.Context, id [16]byte, topic, key string, e message.Envelope, payload []byte) ([]value.Value, error) {
	headers, err := e.Seal()
	if err != nil {
		return nil, err
	}
	if payload == nil {
		payload = []byte{}
	}
	k, slot := value.Value{}, int(id[15])|int(id[14])<<8
	if key != "" {
		k, slot = value.OfText(key), message.Slot(key)
	}
	return []value.Value{
		value.OfInt(int64(slot % message.Slots)), value.OfUUID(id), value.OfText(topic), k,
		value.OfBytes(headers), value.OfBytes(payload), value.OfTime(h.db.Now(ctx).UTC().Truncate(time.Microsecond)),
	}, nil
}

// inbox writes what comes from elsewhere.
type inbox struct {
	known, insert, mark, purge *query
	arrays                     bool
}

func newInbox(d dialect.Dialect) inbox {
	b := inbox{arrays: d.Features().Arrays}
	const source = " FROM urutu_message_destination d WHERE d.name = ?8"
	b.known = prepare(d, "select urutu_message_destination", "SELECT 1 FROM urutu_message_destination WHERE name = ?1", types(tText), tInt)
	old := " dest = ?1 AND at < " + from(d, "?2")
	by := "" // with statistics, SQLite's planner may read all of the table instead of looking up each key
	if !b.arrays {
		by = " INDEXED BY urutu_message_inbox_age"
	}
	b.purge = prepare(d, "delete urutu_message_inbox", "DELETE FROM urutu_message_inbox"+by+" WHERE"+old+" AND (dest, msg_id) IN"+
		" (SELECT dest, msg_id FROM urutu_message_inbox WHERE"+old+" ORDER BY at LIMIT ?3)", types(tDest, tInt, tInt))
	all := slices.Concat(contentTypes, types(tText))
	if b.arrays {
		b.insert = prepare(d, "receive urutu_message", "WITH v AS (SELECT * FROM unnest(?1::smallint[], ?2::uuid[], ?3::text[], ?4::text[],"+
			" ?5::bytea[], ?6::bytea[], ?7::timestamptz[]) WITH ORDINALITY AS v("+content+", n)), i AS ("+
			"INSERT INTO urutu_message_inbox (dest, msg_id, at) SELECT d.id, v.msg_id, "+now(d)+" FROM v, urutu_message_destination d"+
			" WHERE d.name = ?8 ORDER BY v.msg_id ON CONFLICT (dest, msg_id) DO NOTHING RETURNING msg_id)"+
			" INSERT INTO urutu_message (dest, lane, "+content+") SELECT d.id, (v.slot::int * d.lanes) >> 10, v.slot, v.msg_id, v.topic, v.key,"+
			" v.headers, v.payload, v.created_at FROM v JOIN i ON i.msg_id = v.msg_id JOIN urutu_message_destination d ON d.name = ?8"+
			" WHERE pg_current_xact_id() IS NOT NULL ORDER BY v.n", all)
		return b
	}
	b.insert = prepare(d, "receive urutu_message", "INSERT INTO urutu_message (dest, lane, "+content+
		") SELECT d.id, (?1 * d.lanes) >> 10, ?1, ?2, ?3, ?4, ?5, ?6, ?7"+source+
		" AND NOT EXISTS (SELECT 1 FROM urutu_message_inbox i WHERE i.dest = d.id AND i.msg_id = ?2)", all)
	b.mark = prepare(d, "insert urutu_message_inbox", "INSERT INTO urutu_message_inbox (dest, msg_id, at) SELECT d.id, ?1, "+now(d)+
		" FROM urutu_message_destination d WHERE d.name = ?2 ON CONFLICT (dest, msg_id) DO NOTHING", types(tUUID, tText))
	return b
}

// receive adds the statements that store the rows, unless they were received before: whether a row was written decides,
// and no error does.
func (b *inbox) receive(x *exchange, rows []value.Value, destination value.Value, count func(int64)) {
	n := len(contentTypes)
	if b.arrays {
		lists := make([][]value.Value, n+1)
		for i, v := range rows {
			lists[i%n] = append(lists[i%n], v)
		}
		x.count(b.insert.lists(lists, append(make([]value.Value, n), destination)...), count)
		return
	}
	for ; len(rows) > 0; rows = rows[n:] {
		x.count(b.insert.with(append(rows[:n:n], destination)...), count)
		x.add(b.mark.with(rows[1], destination), nil)
	}
}
