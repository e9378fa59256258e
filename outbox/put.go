package outbox

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/value"
)

// Outgoing is a message on its way into the tables.
type Outgoing struct {
	// Type is the message's type, which was validated.
	Type message.Type
	// ID identifies the message wherever it goes. Required.
	ID [16]byte
	// Key is its key, "" for none.
	Key string
	// Headers travel with it.
	Headers message.Headers
	// Payload is what its handlers decode; nil is an empty one.
	Payload []byte
	// At is when it is to be delivered; the zero time for at once. Delay is the same as a distance from the commit, by the
	// database's clock. Not both.
	At    time.Time
	Delay time.Duration
	// Once identifies a message that waits for its time, for each destination; "" for none.
	Once string
	// Again says what happens where one with the same Once waits already.
	Again Again
}

// Again says what a second publication does to the first one, which still waits for its time. The zero value keeps the
// first as it is.
type Again struct {
	// Payload replaces what the message says.
	Payload bool
	// Time says what becomes of the time.
	Time Time
}

// Time says which of two times holds.
type Time uint8

// Which of two times holds.
const (
	FirstTime   Time = iota // that of the first publication
	LastTime                // that of the last one
	EarlierTime             // the earlier one
	LaterTime               // the later one
)

// Put adds a message to the session of ctx: its rows, one for each destination that is subscribed when the unit commits,
// are written by the commit, and only by it. Every error is known before: fault.Invalid for what cannot be stored,
// fault.Misconfigured for a connection without the tables of [Component].
func Put(ctx context.Context, m Outgoing) error {
	const op = "outbox.Put"
	home, err := stateOf(ctx, op)
	if err != nil {
		return err
	}
	if err := home.check(ctx, op, &m); err != nil {
		return err
	}
	if m.Type.Kind == message.Task && !home.knows(m.Type.Topic) {
		if err := home.announce(ctx, m.Type.Topic); err != nil {
			return err
		}
	}
	row, err := home.contentRow(ctx, m.ID, m.Type.Topic, m.Key, message.Envelope{Version: m.Type.Version, Headers: m.Headers}, m.Payload)
	if err != nil {
		return fault.Wrap(fault.Invalid, op, err)
	}
	var woken uow.Hook
	if m.waits() {
		woken = home.wokenLater
		err = session.StageEarly(ctx, &home.delayed, append(row, m.when(), onceOf(m.Once), value.OfInt(m.Delay.Microseconds()), m.Again.value())...)
	} else {
		woken = home.signal(m.Type.Topic, row[0].Int())
		err = session.StageFor(ctx, &home.now, row...)
	}
	if err != nil {
		return err
	}
	return uow.AfterCommit(ctx, woken)
}

// waits reports whether the message waits for its time.
func (m *Outgoing) waits() bool { return m.Delay > 0 || !m.At.IsZero() }

// when is the time that it was given, null where that is a delay.
func (m *Outgoing) when() value.Value {
	if m.At.IsZero() {
		return value.Value{}
	}
	return value.OfTime(m.At)
}

func onceOf(once string) value.Value {
	if once == "" {
		return value.Value{}
	}
	return value.OfText(once)
}

// check refuses what could not be stored.
func (h *state) check(ctx context.Context, op string, m *Outgoing) error {
	err := m.Type.Validate()
	if err == nil {
		err = message.CheckKey(m.Key)
	}
	if err == nil {
		err = message.CheckKey(m.Once)
	}
	if err == nil {
		err = m.Headers.Validate()
	}
	if err != nil {
		return fault.Wrap(fault.Invalid, op, err)
	}
	switch {
	case m.Delay != 0 && !m.At.IsZero():
		return refuse(op, "%s: a message has a Delay or an At, not both", m.Type.Topic)
	case m.Delay < 0:
		return refuse(op, "%s: the Delay of a message is negative", m.Type.Topic)
	case m.Once != "" && !m.waits():
		return refuse(op, "%s: only a message that waits for its time can be unique while it waits", m.Type.Topic)
	}
	if !m.At.IsZero() && !deliverable(m.At) {
		return refuse(op, "%s: the year %d is no time to deliver a message", m.Type.Topic, m.At.Year())
	}
	if m.Type.Required && m.Type.Kind == message.Event {
		return h.required(ctx, op, m.Type)
	}
	return nil
}

func refuse(op, format string, args ...any) error {
	return &fault.Error{Kind: fault.Invalid, Op: op, Message: fmt.Sprintf(format, args...)}
}

// immediate writes messages that are to be delivered at once.
type immediate struct {
	once           sync.Once
	one, many      *query
	slot, allSlots *query // that take the locks of one, or of some; nil where there is one writer
	dropped        func(n int64, topics ...string)
}

var _ session.SnapshotWriter = (*immediate)(nil)

func (w *immediate) prepare(d dialect.Dialect) {
	// A subscription has its destination's number of lanes, so that who publishes asks nothing of that one.
	const insert = "INSERT INTO urutu_message (dest, lane, " + content + ") SELECT s.dest, (?1 * s.lanes) >> 10, ?1, ?2, ?3, ?4, ?5, ?6, ?7" +
		" FROM urutu_message_subscription s WHERE s.topic = ?3"
	if d.Features().OneWriter {
		w.one = prepare(d, "insert urutu_message", insert+" ORDER BY s.dest", contentTypes)
		w.many = w.one
		return
	}
	// A transaction has its number before it draws one for a message, so that whoever reads can tell for how long it has
	// to expect messages with lower numbers. The rows of one message are not sorted, which would be a third of its price: the
	// order of destinations is of no account.
	w.one = prepare(d, "insert urutu_message", "INSERT INTO urutu_message (dest, lane, "+content+")"+
		" SELECT s.dest, (?1::int * s.lanes) >> 10, ?1::smallint, ?2::uuid, s.topic, ?4::text, ?5::bytea, ?6::bytea, ?7::timestamptz"+
		" FROM urutu_message_subscription s WHERE s.topic = ?3 AND pg_current_xact_id() IS NOT NULL", contentTypes)
	w.many = prepare(d, "insert urutu_message", "INSERT INTO urutu_message (dest, lane, "+content+")"+
		" SELECT s.dest, (v.slot::int * s.lanes) >> 10, v.slot, v.msg_id, v.topic, v.key, v.headers, v.payload, v.created_at"+
		" FROM unnest(?1::smallint[], ?2::uuid[], ?3::text[], ?4::text[], ?5::bytea[], ?6::bytea[], ?7::timestamptz[])"+
		" WITH ORDINALITY AS v("+content+", place) JOIN urutu_message_subscription s ON s.topic = v.topic"+
		" WHERE pg_current_xact_id() IS NOT NULL ORDER BY v.place, s.dest", contentTypes)
	w.slot = prepare(d, "lock urutu_message", "SELECT pg_advisory_xact_lock(?1, ?2) IS NULL", types(tDest, tDest), tBool)
	w.allSlots = lockAll(d)
}

// lockAll takes some locks of a space, in their order.
func lockAll(d dialect.Dialect) *query {
	return prepare(d, "lock urutu_message", "SELECT count(pg_advisory_xact_lock(?1, n)) FROM unnest(?2) AS n", types(tDest, tDest), tInt)
}

const (
	// lockSpace is the first half of the advisory locks that order the messages of a slot.
	lockSpace = 1970435445
	// onceSpace is that of the locks of messages that are unique while they wait.
	onceSpace = lockSpace + 1
)

// Statements implements session.Writer. Two units that write messages of one key take turns from here to the end of their
// commit, so that the messages' numbers follow the order of the commits.
func (w *immediate) Statements(d dialect.Dialect, values []value.Value) []session.Written {
	w.once.Do(func() { w.prepare(d) })
	var list []session.Written
	if st, ok := w.lock(values); ok {
		list = append(list, session.Written{Statement: st})
	}
	n := int64(len(values) / len(contentTypes))
	st := w.one.with(values...)
	if n > 1 {
		st = w.many.batch(values)
	}
	return append(list, session.Written{Statement: st, Done: func(affected int64) {
		if affected < n {
			w.dropped(n-affected, topicsOf(values, len(contentTypes))...)
		}
	}})
}

// Current implements session.SnapshotWriter.
func (w *immediate) Current(d dialect.Dialect, values []value.Value) []session.Written {
	return current(d, topicsOf(values, len(contentTypes)))
}

// current renders that the subscriptions to some topics, and the numbers of lanes, are what a transaction with one snapshot
// has seen, or fails. Who changes them waits then for its end: [Relane] does since messages were inserted before.
func current(d dialect.Dialect, topics []string) []session.Written {
	if d.Features().OneWriter {
		return nil
	}
	q := prepare(d, "lock urutu_message_subscription", "SELECT count(*) FROM (SELECT 1 FROM urutu_message_subscription s"+
		" WHERE s.topic = ANY (?1) FOR SHARE) s", types(tText), tInt)
	return []session.Written{{Statement: q.lists([][]value.Value{ofTexts(topics)}, value.Value{})}}
}

// topicsOf returns the topic of each message, of which every one has so many values.
func topicsOf(values []value.Value, each int) (topics []string) {
	for i := 2; i < len(values); i += each {
		topics = append(topics, values[i].Str())
	}
	return topics
}

// lock returns the statement that takes the locks of the messages' slots, if any of them has a key.
func (w *immediate) lock(values []value.Value) (driver.Statement, bool) {
	if w.slot == nil {
		return driver.Statement{}, false
	}
	switch slots := slotsOf(values); len(slots) {
	case 0:
		return driver.Statement{}, false
	case 1: // without a set of rows to gather and to count
		return w.slot.with(value.OfInt(lockSpace), value.OfInt(slots[0])), true
	default:
		return w.allSlots.lists([][]value.Value{nil, ofInts(slots)}, value.OfInt(lockSpace), value.Value{}), true
	}
}

// slotsOf returns the slots of the messages with keys, in order, each once.
func slotsOf(values []value.Value) (slots []int64) {
	for i := 0; i < len(values); i += len(contentTypes) {
		if !values[i+3].IsNull() {
			slots = append(slots, values[i].Int())
		}
	}
	slices.Sort(slots)
	return slices.Compact(slots)
}

// delayed writes messages that wait for their time.
type delayed struct {
	once    sync.Once
	queries [2 * times]*query // by the number of an Again
	lock    *query            // of those that are unique while they wait; nil where there is one writer
	dropped func(n int64, topics ...string)
}

var _ session.SnapshotWriter = (*delayed)(nil)

// delayedTypes are the types of a message that waits: its content, its time, what it is unique by, and its delay. With its
// values comes what it does to the one that waits already.
var delayedTypes = append(slices.Clone(contentTypes), tTime, tText, tInt)

// times is how many ways there are to choose between two times.
const times = 4

// value is the number of an Again.
func (a Again) value() value.Value {
	n := int64(a.Time & (times - 1))
	if a.Payload {
		n += times
	}
	return value.OfInt(n)
}

func (w *delayed) prepare(d dialect.Dialect) {
	row := "?1, ?2, ?3, ?4, ?5, ?6, ?7, coalesce(?8, " + from(d, "?10") + "), ?9"
	if !d.Features().OneWriter {
		row = "?1::smallint, ?2::uuid, s.topic, ?4::text, ?5::bytea, ?6::bytea, ?7::timestamptz," +
			" coalesce(?8::timestamptz, " + from(d, "?10") + "), ?9::text"
		w.lock = lockAll(d)
	}
	for i := range w.queries {
		w.queries[i] = prepare(d, "insert urutu_message_delayed", "INSERT INTO urutu_message_delayed (dest, "+content+", deliver_at, once)"+
			" SELECT s.dest, "+row+" FROM urutu_message_subscription s WHERE s.topic = ?3 ORDER BY s.dest ON CONFLICT (dest, once) DO "+
			conflict(d, Again{Payload: i >= times, Time: Time(i % times)}), delayedTypes)
	}
}

// conflict renders what becomes of the message that waits already.
func conflict(d dialect.Dialect, again Again) string {
	least, greatest := "least", "greatest"
	if d.Name() == "sqlite" {
		least, greatest = "min", "max"
	}
	const at = "(urutu_message_delayed.deliver_at, excluded.deliver_at)"
	set := ""
	if again.Payload {
		for _, c := range [...]string{"slot", "msg_id", "topic", "key", "headers", "payload"} {
			set += ", " + c + " = excluded." + c
		}
	}
	switch again.Time {
	case LastTime:
		set += ", deliver_at = excluded.deliver_at"
	case EarlierTime:
		set += ", deliver_at = " + least + at
	case LaterTime:
		set += ", deliver_at = " + greatest + at
	}
	if set == "" {
		return "NOTHING"
	}
	return "UPDATE SET " + set[2:]
}

// Statements implements session.Writer. Each message is a statement of its own, in the order in which they were published,
// since two of them may meet. Locks of those that are unique come before: units that publish them in different orders, or for
// destinations that they have in common in different orders, would wait for each other.
func (w *delayed) Statements(d dialect.Dialect, values []value.Value) []session.Written {
	w.once.Do(func() { w.prepare(d) })
	n := len(delayedTypes)
	var list []session.Written
	if locks := oncesOf(values); w.lock != nil && len(locks) > 0 {
		list = append(list, session.Written{Statement: w.lock.lists([][]value.Value{nil, ofInts(locks)}, value.OfInt(onceSpace), value.Value{})})
	}
	for ; len(values) > 0; values = values[n+1:] {
		row := values[:n:n]
		list = append(list, session.Written{Statement: w.queries[values[n].Int()].with(row...), Done: func(affected int64) {
			if affected == 0 && row[8].IsNull() { // one with a Once may have met another
				w.dropped(1, row[2].Str())
			}
		}})
	}
	return list
}

// oncesOf returns the second halves of the locks of those that are unique, in order, each once.
func oncesOf(values []value.Value) (locks []int64) {
	for each := len(delayedTypes) + 1; len(values) > 0; values = values[each:] {
		if once := values[8]; !once.IsNull() {
			h := fnv.New32a()
			_, _ = h.Write([]byte(once.Str())) // it never fails
			locks = append(locks, int64(int32(h.Sum32())))
		}
	}
	slices.Sort(locks)
	return slices.Compact(locks)
}

// Current implements session.SnapshotWriter.
func (w *delayed) Current(d dialect.Dialect, values []value.Value) []session.Written {
	return current(d, topicsOf(values, len(delayedTypes)+1))
}

// announcement makes the destination and the subscription of a task. Its lanes come with whoever handles it: a unit that
// touched them would be in the way of those who renew them.
type announcement struct {
	once  sync.Once
	query [2]*query
	lock  *query // nil where there is one writer
}

var _ session.Writer = (*announcement)(nil)

func (w *announcement) prepare(d dialect.Dialect) {
	w.query = [2]*query{registerDestination(d), registerSubscription(d)}
	if !d.Features().OneWriter {
		w.lock = prepare(d, "lock urutu_message", "LOCK TABLE urutu_message IN ROW EXCLUSIVE MODE", nil)
	}
}

// Statements implements session.Writer.
func (w *announcement) Statements(d dialect.Dialect, values []value.Value) []session.Written {
	w.once.Do(func() { w.prepare(d) })
	var list []session.Written
	if w.lock != nil { // as the message's INSERT will: before the number of lanes is read, which [Relane] changes behind this lock
		list = append(list, session.Written{Statement: w.lock.with()})
	}
	slices.SortFunc(values, func(a, b value.Value) int { return cmp.Compare(a.Str(), b.Str()) })
	for _, topic := range slices.Compact(values) {
		for _, st := range [...]driver.Statement{
			w.query[0].with(topic, value.OfInt(int64(lanesOf(d)))), w.query[1].with(topic, topic),
		} {
			list = append(list, session.Written{Statement: st})
		}
	}
	return list
}

// lanesOf is how many lanes a destination has. On a database with one writer several processes gain nothing from sharing
// one.
func lanesOf(d dialect.Dialect) int {
	if d.Features().OneWriter {
		return 1
	}
	return 16
}

func registerDestination(d dialect.Dialect) *query {
	return prepare(d, "insert urutu_message_destination",
		"INSERT INTO urutu_message_destination (name, lanes) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING", types(tText, tSmall))
}

// registerSubscription subscribes a destination to a topic, with its number of lanes: behind a lock that [Relane] takes too.
// A transaction with one snapshot fails where the number has changed since.
func registerSubscription(d dialect.Dialect) *query {
	lock := ""
	if !d.Features().OneWriter {
		lock = " FOR SHARE OF n"
	}
	return prepare(d, "insert urutu_message_subscription",
		"INSERT INTO urutu_message_subscription (topic, dest, lanes) SELECT ?2, n.id, n.lanes FROM urutu_message_destination n WHERE n.name = ?1"+
			" AND NOT EXISTS (SELECT 1 FROM urutu_message_subscription s WHERE s.topic = ?2 AND s.dest = n.id)"+lock+
			" ON CONFLICT (topic, dest) DO NOTHING", types(tText, tText))
}

// registerLanes makes the lanes of a destination that are missing, with the highest epoch of those that are there.
func registerLanes(d dialect.Dialect) *query {
	return prepare(d, "insert urutu_message_lane",
		"INSERT INTO urutu_message_lane (dest, lane, epoch, touched)"+
			" WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 63)"+
			" SELECT d.id, n.i, coalesce((SELECT max(l.epoch) FROM urutu_message_lane l WHERE l.dest = d.id), 0), 0"+
			" FROM urutu_message_destination d JOIN n ON n.i < d.lanes WHERE d.name = ?1"+
			" ON CONFLICT (dest, lane) DO NOTHING", types(tText))
}

// registerLeases makes those of the lanes, which are over.
func registerLeases(d dialect.Dialect) *query {
	return prepare(d, "insert urutu_message_lease",
		"INSERT INTO urutu_message_lease (dest, lane, until) SELECT l.dest, l.lane, 0 FROM urutu_message_lane l"+
			" JOIN urutu_message_destination d ON d.id = l.dest WHERE d.name = ?1 ON CONFLICT (dest, lane) DO NOTHING", types(tText))
}
