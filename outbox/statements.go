package outbox

import (
	"slices"
	"strconv"
	"strings"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// statements are those of an engine, for one dialect.
type statements struct {
	arrays bool // a statement takes any number of lanes

	fetch, sweep, horizon, blocked, due, later, ours *query
	scan                                             *query // of what was left of a topic
	sweepWhole, sweepPast                            *query // of a whole lane, and around what was left of topics

	beat, renewing, renew, lanes, workers, claiming, claim, claimed, release, leaving, leave, depart, bury *query

	first               *query // the first message between two numbers
	below               *query // what is left where nothing can be
	retry, delete, move *query
	trust, acquit       *query
	forget, heal        *query
	grasp               *query // before forget, where that takes more than one statement
	planning            *query // before what is asked all the time, or of much; nil where a plan is what it is
	moved, waiting      *query // where that takes more than one statement
	upcoming            *query // when the next move is
}

func newStatements(d dialect.Dialect) *statements {
	s := &statements{arrays: d.Features().Arrays}
	s.reading(d)
	s.leasing(d)
	s.writing(d)
	return s
}

const (
	// noted is the condition that a message has failed: it is parked or waits for its retry, also as a new owner of its
	// lane begins at the front. As a scalar it is looked up by its key for each message, whatever a planner believes. It must
	// not be a test for null: PostgreSQL takes it for granted that hardly anything is null, and so that it has to look at
	// the whole lane to find a few messages that have not failed.
	noted = " coalesce((SELECT true FROM urutu_message_retry r WHERE r.dest = m.dest AND r.lane = m.lane AND r.id = m.id), false)"
	// waits is the condition that a message waits for a retry, of itself or of an earlier one of its key.
	waits = " (" + noted +
		" OR m.key IS NOT NULL AND EXISTS (SELECT 1 FROM urutu_message_retry r" +
		" WHERE r.dest = m.dest AND r.lane = m.lane AND r.key = m.key AND r.id < m.id))"
	retried = " FROM urutu_message_retry r JOIN urutu_message m ON" + itself
	itself  = " m.dest = r.dest AND m.lane = r.lane AND m.id = r.id"
)

// window is how many messages a sweep looks at before the floor. Many may be left there for long: behind one that is
// parked, or of a topic that has no room.
const window = 10_000

// windowed renders the sweep of a lane for what matches, from ?3 to ?4. First it looks from where on there is anything at all,
// before ?5: what was deleted is in the way of each look for as long as any transaction may still see it. Where that is
// behind ?3, or the window ends before ?4, which is before ?5 only, a row without a message says so.
func windowed(columns, match, limit string) string {
	const lane = "FROM urutu_message m WHERE m.dest = ?1 AND m.lane = ?2 AND m.id > "
	return "WITH b AS (SELECT coalesce((SELECT m.id - 1 " + lane + "?3 AND m.id <= ?5 ORDER BY m.id LIMIT 1)," +
		" CASE WHEN ?3 < ?5 THEN ?5 ELSE ?3 END) AS first)," +
		" w AS (SELECT coalesce((SELECT m.id " + lane + "(SELECT first FROM b) AND m.id < ?5" +
		" ORDER BY m.id LIMIT 1 OFFSET " + strconv.Itoa(window-1) + "), ?4) AS upto) SELECT m.*, NULL FROM (" +
		"SELECT " + columns + " " + lane + "(SELECT first FROM b) AND m.id <= (SELECT upto FROM w)" +
		" AND " + match + " AND NOT" + waits + " ORDER BY m.id LIMIT " + limit +
		") m UNION ALL SELECT ?1, ?2, upto, NULL, NULL, NULL, NULL, NULL, NULL, NULL, first FROM b, w WHERE first > ?3 OR upto < ?4"
}

func (s *statements) reading(d dialect.Dialect) {
	columns := messageColumns + placeOf(d)
	fetch := "SELECT " + columns + " FROM urutu_message m WHERE m.dest = ?1 AND m.lane = ?2 AND m.id > ?3" +
		" AND NOT" + noted + " ORDER BY m.id LIMIT ?4"
	sweep := "SELECT " + columns + " FROM urutu_message m WHERE m.dest = ?1 AND m.lane = ?2 AND m.id > ?3 AND m.id <= ?4" +
		" AND m.id NOT IN (SELECT value FROM json_each(?5)) AND NOT" + waits + " ORDER BY m.id LIMIT ?6"
	whole := windowed(columns, "m.id NOT IN (SELECT value FROM json_each(?6))", "?7")
	blocked := "SELECT DISTINCT r.dest, r.lane, r.key FROM urutu_message_retry r WHERE r.dest = ?1 AND r.lane = ?2 AND r.key IS NOT NULL"
	due := "SELECT " + columns + ", r.attempts, r.deaths" + retried +
		" WHERE r.dest = ?1 AND r.lane = ?2 AND NOT r.parked AND r.next_at <= " + now(d) +
		" AND r.dest || ' ' || r.topic NOT IN (SELECT value FROM json_each(?3)) ORDER BY r.next_at, r.id LIMIT ?4"
	scan := "SELECT " + columns + " FROM urutu_message m WHERE m.dest = ?1 AND m.lane = ?2 AND m.topic = ?3 AND m.id > ?4 AND m.id <= ?5" +
		" AND m.id NOT IN (SELECT value FROM json_each(?6)) AND NOT" + waits + " ORDER BY m.id LIMIT ?7"
	past := windowed(columns, "m.id NOT IN (SELECT value FROM json_each(?6)) AND (m.id > ?5 OR m.topic NOT IN (SELECT value FROM json_each(?7))"+
		" OR m.key IN (SELECT value FROM json_each(?8)))", "?9")
	later := "SELECT r.dest, r.lane, " + until(d, "min(r.next_at)") + " FROM urutu_message_retry r" +
		" WHERE r.dest = ?1 AND r.lane = ?2 AND NOT r.parked AND r.next_at > " + now(d) + " GROUP BY r.dest, r.lane"
	// Nobody else has had the lane in between, nor was anything put into it from other lanes, which may belong before what was
	// seen of it: an epoch never comes back.
	ours := "SELECT l.dest, l.lane FROM urutu_message_lane l WHERE l.dest = ?1 AND l.lane = ?2 AND l.epoch = ?3"
	first := "SELECT m.dest, m.lane, m.id FROM urutu_message m WHERE m.dest = ?1 AND m.lane = ?2 AND m.id > ?3 AND m.id <= ?4 ORDER BY m.id LIMIT 1"
	if s.arrays {
		each := func(from, columns, text string) string {
			text = strings.NewReplacer("?1", "h.dest", "?2", "h.lane").Replace(text)
			return "SELECT m.* FROM unnest(" + from + ") AS h(" + columns + ") CROSS JOIN LATERAL (" + text + ") m"
		}
		fetch = each("?1, ?2, ?3", "dest, lane, hint", strings.Replace(fetch, "?3", "h.hint", 1))
		sweep = strings.NewReplacer("?3", "h.floor", "?4", "h.hint", "NOT IN (SELECT value FROM json_each(?5))", "NOT IN (SELECT unnest(?5))").Replace(sweep)
		sweep = each("?1, ?2, ?3, ?4", "dest, lane, floor, hint", sweep)
		whole = strings.NewReplacer("?3", "h.floor", "?4", "h.hint", "?5", "h.settled",
			"NOT IN (SELECT value FROM json_each(?6))", "<> ALL (?6)").Replace(whole)
		whole = each("?1, ?2, ?3, ?4, ?5", "dest, lane, floor, hint, settled", whole)
		scan = strings.NewReplacer("?3", "h.topic", "?4", "h.after", "?5", "h.hint", "NOT IN (SELECT value FROM json_each(?6))", "<> ALL (?6)").Replace(scan)
		scan = each("?1, ?2, ?3, ?4, ?5", "dest, lane, topic, after, hint", scan)
		past = strings.NewReplacer("NOT IN (SELECT value FROM json_each(?6))", "<> ALL (?6)", "NOT IN (SELECT value FROM json_each(?7))", "<> ALL (?7)",
			"IN (SELECT value FROM json_each(?8))", "= ANY (?8)").Replace(past)
		past = "SELECT * FROM (" + past + ") m" // a query like the others, so that it shares their transaction
		ours = "SELECT h.dest, h.lane FROM unnest(?1, ?2, ?3) AS h(dest, lane, epoch)" +
			" WHERE (SELECT l.epoch FROM urutu_message_lane l WHERE l.dest = h.dest AND l.lane = h.lane) = h.epoch"
		blocked = each("?1, ?2", "dest, lane", blocked)
		first = each("?1, ?2, ?3, ?4", "dest, lane, after, upto", strings.NewReplacer("?3", "h.after", "?4", "h.upto").Replace(first))
		// Each message is looked up by the whole key: a planner that knows of no messages joins whole lanes.
		due = strings.Replace(due, " JOIN urutu_message m ON"+itself, " CROSS JOIN LATERAL (SELECT m.*, m.ctid FROM urutu_message m WHERE"+itself+" OFFSET 0) m", 1)
		due = strings.Replace(due, "NOT IN (SELECT value FROM json_each(?3))", "<> ALL (?3)", 1)
		due, later = each("?1, ?2", "dest, lane", due), each("?1, ?2", "dest, lane", later)
	}
	swept := slices.Concat(messageTypes, types(tInt))
	s.fetch = prepare(d, "fetch urutu_message", fetch, types(tDest, tSmall, tInt, tInt), messageTypes...)
	s.sweep = prepare(d, "sweep urutu_message", sweep, types(tDest, tSmall, tInt, tInt, tInt, tInt), messageTypes...)
	s.sweepWhole = prepare(d, "sweep urutu_message", whole, types(tDest, tSmall, tInt, tInt, tInt, tInt, tInt), swept...)
	s.scan = prepare(d, "scan urutu_message", scan, types(tDest, tSmall, tText, tInt, tInt, tInt, tInt), messageTypes...)
	s.sweepPast = prepare(d, "sweep urutu_message", past, types(tDest, tSmall, tInt, tInt, tInt, tInt, tText, tText, tInt), swept...)
	s.blocked = prepare(d, "select urutu_message_retry", blocked, types(tDest, tSmall), tDest, tSmall, tText)
	s.first = prepare(d, "select urutu_message", first, types(tDest, tSmall, tInt, tInt), tDest, tSmall, tInt)
	s.ours = prepare(d, "select urutu_message_lane", ours, types(tDest, tSmall, tInt), tDest, tSmall)
	s.due = prepare(d, "select urutu_message_retry", due, types(tDest, tSmall, tText, tInt),
		append(messageTypes[:len(messageTypes):len(messageTypes)], tDest, tDest)...)
	s.later = prepare(d, "select urutu_message_retry", later, types(tDest, tSmall), tDest, tSmall, tInt)
	if s.arrays {
		// age() counts from the next transaction's number, which the snapshot's xmax is not: that is the one after the last
		// transaction that has ended.
		s.horizon = prepare(d, "select snapshot", "SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint,"+
			" age('3'::xid)::bigint, s::text FROM pg_current_snapshot() AS s", nil, tInt, tInt, tInt, tText)
	}
}

func (s *statements) leasing(d dialect.Dialect) {
	now := micros(d)
	s.beat = prepare(d, "insert urutu_message_worker", "INSERT INTO urutu_message_worker (dest, owner, until) VALUES (?1, ?2, "+now+" + ?3)"+
		" ON CONFLICT (dest, owner) DO UPDATE SET until = excluded.until", types(tDest, tUUID, tInt))
	// Where somebody takes one of the lanes at this moment, his lease is made longer by next to nothing.
	const held = " WHERE dest = ?1 AND until > 0 AND lane IN (SELECT l.lane FROM urutu_message_lane l WHERE l.dest = ?1 AND l.owner = ?2)"
	const renew = "UPDATE urutu_message_lease SET until = "
	s.renew = prepare(d, "update urutu_message_lease", renew+now+" + ?3"+held, types(tDest, tUUID, tInt))
	if s.arrays {
		// A lane's bottom comes with it, where what was deleted stays in the way: with one writer it is 0. That of a lane which
		// this process has lost is not changed.
		const bottom = ", bottom = coalesce((SELECT u.bottom FROM unnest(?4, ?5, ?6) AS u(lane, epoch, bottom) JOIN urutu_message_lane l" +
			" ON l.dest = ?1 AND l.lane = u.lane AND l.epoch = u.epoch WHERE u.lane = urutu_message_lease.lane), bottom)"
		s.renew = prepare(d, "update urutu_message_lease", renew+now+" + ?3"+bottom+held,
			types(tDest, tUUID, tInt, tSmall, tInt, tInt))
	}
	s.below = prepare(d, "select urutu_message", "SELECT m.id FROM urutu_message m WHERE m.dest = ?1 AND m.lane = ?2 AND m.id <= ?3"+
		" ORDER BY m.id LIMIT 1", types(tDest, tSmall, tInt), tInt)
	if s.arrays { // one after the other, as whoever takes several of them locks them
		s.renewing = prepare(d, "lock urutu_message_lease", "SELECT lane FROM urutu_message_lease"+held+" ORDER BY lane FOR UPDATE",
			types(tDest, tUUID), tSmall)
	}
	s.lanes = prepare(d, "select urutu_message_lane", "SELECT l.lane, l.owner, l.epoch,"+
		" (SELECT e.until FROM urutu_message_lease e WHERE e.dest = l.dest AND e.lane = l.lane), "+now+", l.touched"+
		" FROM urutu_message_lane l WHERE l.dest = ?1 ORDER BY l.lane", types(tDest), tSmall, tUUID, tInt, tInt, tInt, tInt)
	// Nobody is to be heard of for longer than a lease. Whoever seems to be has died before the clock was set back.
	s.workers = prepare(d, "select urutu_message_worker", "SELECT count(*) FROM urutu_message_worker WHERE dest = ?1 AND until > "+now+
		" AND until <= "+now+" + 2 * ?2", types(tDest, tInt), tInt)
	// Whoever gives a lane back says so by a lease that ended at 0. Otherwise its owner has died, for all that is known. A
	// lease that is renewed at this moment is waited for.
	const died, lane = "CASE WHEN ?5 > 0 AND owner <> ?4 THEN ", " WHERE dest = ?1 AND lane = ?2"
	renewed, given := "", ""
	if s.arrays {
		renewed, given = " FOR UPDATE", " FOR SHARE"
		s.claiming = prepare(d, "lock urutu_message_lane", "SELECT l.lane FROM urutu_message_lane l WHERE l.dest = ?1 AND l.lane = ?2 FOR UPDATE",
			types(tDest, tSmall), tSmall) // lanes before leases, as whoever gives one back locks them
	}
	s.claim = prepare(d, "update urutu_message_lane", "UPDATE urutu_message_lane SET owner = ?4, epoch = epoch + 1"+
		", deaths = "+died+"deaths + 1 ELSE deaths END, doubt = "+died+"coalesce((SELECT max(m.id) FROM urutu_message m"+
		" WHERE m.dest = urutu_message_lane.dest AND m.lane = urutu_message_lane.lane), 0) ELSE doubt END"+
		lane+" AND epoch = ?3 AND EXISTS (SELECT 1 FROM urutu_message_lease e WHERE e.dest = ?1 AND e.lane = ?2 AND e.until = ?5"+renewed+")"+
		" RETURNING lane, epoch, touched, deaths, doubt", types(tDest, tSmall, tInt, tUUID, tInt), tSmall, tInt, tInt, tDest, tInt)
	const mine = " AND EXISTS (SELECT 1 FROM urutu_message_lane l WHERE l.dest = ?1 AND l.lane = ?2 AND l.owner = ?3 AND l.epoch = ?4"
	s.claimed = prepare(d, "update urutu_message_lease", "UPDATE urutu_message_lease SET until = "+now+" + ?5"+lane+mine+")"+
		" RETURNING lane, bottom", types(tDest, tSmall, tUUID, tInt, tInt), tSmall, tInt)
	s.trust = prepare(d, "update urutu_message_lane", "UPDATE urutu_message_lane SET deaths = 0, doubt = 0"+
		" WHERE dest = ?1 AND lane = ?2 AND owner = ?3 AND epoch = ?4", types(tDest, tSmall, tUUID, tInt))
	s.release = prepare(d, "update urutu_message_lease", "UPDATE urutu_message_lease SET until = 0"+lane+mine+given+")",
		types(tDest, tSmall, tUUID, tInt))
	const all = " FROM urutu_message_lane l WHERE l.dest = ?1 AND l.owner = ?2"
	if s.arrays {
		s.leaving = prepare(d, "lock urutu_message_lane", "SELECT l.lane"+all+" ORDER BY l.lane FOR SHARE", types(tDest, tUUID), tSmall)
	}
	s.leave = prepare(d, "update urutu_message_lease", "UPDATE urutu_message_lease SET until = 0 WHERE dest = ?1 AND lane IN (SELECT l.lane"+all+")",
		types(tDest, tUUID))
	s.depart = prepare(d, "delete urutu_message_worker", "DELETE FROM urutu_message_worker WHERE dest = ?1 AND owner = ?2", types(tDest, tUUID))
	s.bury = prepare(d, "delete urutu_message_worker", "DELETE FROM urutu_message_worker WHERE dest = ?1 AND until < "+now+" - 60000000",
		types(tDest))
}

// planning tells PostgreSQL how to plan what comes next in a transaction; it returns nil for others. A planner believes that
// the few rows of a table which had many are all over its index, and that reading the table is cheaper: it is not to read
// whole tables. And as such a table grows, it believes each minute that what it has planned once has become dearer than what it
// had planned for single values before, and plans for the values at hand from then on, every time: it is to keep its plan. Nor is
// it to compile what it believes to be that dear, which it does each time it runs.
func planning(d dialect.Dialect) *query {
	if d.Name() != "postgres" {
		return nil
	}
	return prepare(d, "set plan_cache_mode", "SELECT set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true),"+
		" set_config('jit', 'off', true)", nil, tText, tText, tText)
}

func (s *statements) writing(d dialect.Dialect) {
	s.planning = planning(d)
	// What was noted of a message outlives it where the unit that handled it had a snapshot that is older than the note.
	s.heal = prepare(d, "delete urutu_message_retry", "DELETE FROM urutu_message_retry WHERE dest = ?1 AND lane = ?2 AND coalesce((SELECT false FROM urutu_message m"+
		" WHERE m.dest = urutu_message_retry.dest AND m.lane = urutu_message_retry.lane AND m.id = urutu_message_retry.id), true)", types(tDest, tSmall))
	s.upcoming = prepare(d, "select urutu_message_delayed", "SELECT "+until(d, "deliver_at")+" FROM urutu_message_delayed"+
		" WHERE dest = ?1 AND deliver_at > "+now(d)+" ORDER BY deliver_at LIMIT 1", types(tDest), tInt)
	const columns = "dest, lane, id, topic, key, attempts, next_at, parked, reason, last_error, failed_at, deaths"
	const owned = " FROM urutu_message m JOIN urutu_message_lane l ON l.dest = m.dest AND l.lane = m.lane" +
		" WHERE m.dest = ?1 AND m.lane = ?2 AND m.id = ?3 AND l.owner = ?11 AND l.epoch = ?12"
	// mover is the condition that the destination's first lane is still this process's: only its owner moves what is due, one
	// after the other.
	const mover = " AND EXISTS (SELECT 1 FROM urutu_message_lane l WHERE l.dest = ?1 AND l.lane = 0 AND l.epoch = ?3"
	next := from(d, "?6")
	retry := "INSERT INTO urutu_message_retry (" + columns + ") SELECT m.dest, m.lane, m.id, m.topic, ?4, ?5, " + next + ", ?7, ?8, ?9, " + now(d) + ", ?10" + owned
	if s.arrays {
		retry = "INSERT INTO urutu_message_retry (" + columns + ") SELECT m.dest, m.lane, m.id, m.topic, ?4::text, ?5::int, " + next +
			", ?7::boolean, ?8::text, ?9::text, " + now(d) + ", ?10::int" + owned +
			// Whoever is just deleting the message has done so before, and whoever takes the lane sees the note: else it could
			// outlive its message, and block the key for ever.
			" FOR UPDATE OF m FOR SHARE OF l"
	}
	set := ""
	for _, c := range [...]string{"key", "attempts", "next_at", "parked", "reason", "last_error", "failed_at", "deaths"} {
		set += ", " + c + " = excluded." + c
	}
	s.retry = prepare(d, "insert urutu_message_retry", retry+" ON CONFLICT (dest, lane, id) DO UPDATE SET "+set[2:],
		types(tDest, tSmall, tInt, tText, tDest, tInt, tBool, tText, tText, tDest, tUUID, tInt))
	s.acquit = prepare(d, "update urutu_message_retry", "UPDATE urutu_message_retry SET deaths = deaths - 1 WHERE dest = ?1 AND lane = ?2 AND id = ?3"+
		" AND deaths > 0 AND EXISTS (SELECT 1 FROM urutu_message_lane l WHERE l.dest = ?1 AND l.lane = ?2 AND l.owner = ?4 AND l.epoch = ?5)",
		types(tDest, tSmall, tInt, tUUID, tInt))
	if s.arrays {
		// Each number is looked up by the whole key, and what is found is deleted where it is. A planner that knows nothing of a
		// table that has grown would rather read whole lanes, were that among the conditions, which it believes to have a few
		// hundred rows; and the whole table without it, so that it is told not to (planning).
		found := func(table string) *query {
			return prepare(d, "delete "+table, "DELETE FROM "+table+" WHERE ctid = ANY (ARRAY(SELECT (SELECT m.ctid FROM "+table+" m"+
				" WHERE m.dest = ?1 AND m.lane = u.lane AND m.id = u.id) FROM unnest(?2, ?3) AS u(lane, id)))", types(tDest, tSmall, tInt))
		}
		s.delete, s.forget = found("urutu_message"), found("urutu_message_retry")
		// A note that somebody changes at this moment has another place then.
		s.grasp = prepare(d, "lock urutu_message_retry", "SELECT count(*) FROM unnest(?2, ?3) AS u(lane, id) CROSS JOIN LATERAL (SELECT 1 FROM urutu_message_retry r"+
			" WHERE r.dest = ?1 AND r.lane = u.lane AND r.id = u.id OFFSET 0 FOR UPDATE) r", types(tDest, tSmall, tInt), tInt)
		s.move = prepare(d, "move urutu_message_delayed", "WITH d AS (DELETE FROM urutu_message_delayed WHERE ctid = ANY (ARRAY(SELECT ctid"+
			" FROM urutu_message_delayed WHERE dest = ?1 AND deliver_at <= "+now(d)+mover+" FOR SHARE) ORDER BY deliver_at, id LIMIT ?2 FOR UPDATE SKIP LOCKED)) RETURNING *)"+
			" INSERT INTO urutu_message (dest, lane, "+content+") SELECT d.dest, (d.slot::int * n.lanes) >> 10, "+content+
			" FROM d JOIN urutu_message_destination n ON n.id = d.dest WHERE pg_current_xact_id() IS NOT NULL ORDER BY d.deliver_at, d.id",
			types(tDest, tInt, tInt))
		return
	}
	s.forget = prepare(d, "delete urutu_message_retry",
		"DELETE FROM urutu_message_retry WHERE dest = ?1 AND lane = ?2 AND id IN (SELECT value FROM json_each(?3))", types(tDest, tSmall, tInt))
	s.delete = prepare(d, "delete urutu_message", "DELETE FROM urutu_message WHERE dest = ?1 AND lane = ?2 AND id IN (SELECT value FROM json_each(?3))",
		types(tDest, tSmall, tInt))
	// What is deleted is what was inserted, by a time that was asked for before.
	s.move = prepare(d, "move urutu_message_delayed", "INSERT INTO urutu_message (dest, lane, "+content+") SELECT d.dest, (d.slot * n.lanes) >> 10, "+
		content+" FROM urutu_message_delayed d JOIN urutu_message_destination n ON n.id = d.dest"+
		" WHERE d.dest = ?1 AND d.deliver_at <= ?4"+mover+") ORDER BY d.deliver_at, d.id LIMIT ?2", types(tDest, tInt, tInt, tTime))
	s.waiting = prepare(d, "select urutu_message_delayed",
		"SELECT "+now(d)+" FROM urutu_message_delayed WHERE dest = ?1 AND deliver_at <= "+now(d)+" LIMIT 1", types(tDest), tTime)
	// With statistics, the planner may read all that waits instead of looking up each number.
	s.moved = prepare(d, "delete urutu_message_delayed", "DELETE FROM urutu_message_delayed INDEXED BY urutu_message_delayed_due"+
		" WHERE dest = ?1 AND deliver_at <= ?4 AND id IN"+
		" (SELECT id FROM urutu_message_delayed WHERE dest = ?1 AND deliver_at <= ?4"+mover+") ORDER BY deliver_at, id LIMIT ?2)", types(tDest, tInt, tInt, tTime))
}

// colliding runs a transaction that may collide with others, which is tried a few times.
func colliding(run func() error) (err error) {
	for range 5 {
		if err = run(); !fault.IsRetryable(err) {
			break
		}
	}
	return err
}

// exchange is a script under construction, and what takes its results.
type exchange struct {
	driver.Script
	results collect
	counts  []func(affected int64)
}

func (x *exchange) add(st driver.Statement, row func([]value.Value)) {
	x.Statements, x.results, x.counts = append(x.Statements, st), append(x.results, row), append(x.counts, nil)
}

// planned adds what has a database plan the rest as it is to be planned, where it has to be told.
func (x *exchange) planned(q *query) {
	if q != nil {
		x.add(q.with(), nil)
	}
}

// count adds a statement of which only the number of rows counts.
func (x *exchange) count(st driver.Statement, f func(affected int64)) {
	x.add(st, nil)
	x.counts[len(x.counts)-1] = f
}

// Row implements driver.Results.
func (x *exchange) Row(i int, row []driver.Cell) error { return x.results.Row(i, row) }

// Done implements driver.Results.
func (x *exchange) Done(i int, affected, _ int64) error {
	if x.counts[i] != nil {
		x.counts[i](affected)
	}
	return nil
}

var _ driver.Results = (*exchange)(nil)
