package outbox

import (
	"context"
	"strconv"
	"time"

	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// Lag is how far behind one lane of a destination is. Finding it takes a look at the front of the lane and never counts its
// messages, so that it takes no longer the more there are.
type Lag struct {
	// Destination and Lane say which lane.
	Destination string
	Lane        int
	// Owned says that a worker looks after it, and Epoch how often one has taken it.
	Owned bool
	Epoch int64
	// Oldest is when its oldest message was published, the zero time where it is empty.
	Oldest time.Time
	// OldestWaiting is the same of its oldest message that only waits for its turn: it has not failed, and waits for none
	// that has. It is looked for among the first 1000.
	OldestWaiting time.Time
	// Retrying and Parked are how many of its messages have failed. They are counted up to 1000 together; More says that
	// there are more.
	Retrying, Parked int
	More             bool
}

// lagLimit is how many rows of a lane are looked at.
const lagLimit = 1000

// Lags returns how far behind each lane is, by destination and lane.
func (o *Operator) Lags(ctx context.Context) (list []Lag, err error) {
	const op = "outbox.Lags"
	ctx, d, err := o.reach(ctx, op)
	if err != nil {
		return nil, err
	}
	q := prepare(d, "select urutu_message_lane", lagText(micros(d)), nil, tText, tSmall, tBool, tTime, tTime, tInt, tInt, tInt)
	x := &exchange{}
	x.planned(planning(d))
	x.add(q.with(), func(row []value.Value) { list = append(list, readLag(row)) })
	return list, o.db.Run(ctx, op, driver.Read, &x.Script, x)
}

// lagText renders one row for each lane. What is looked for in a lane is ordered by a key and limited.
func lagText(now string) string {
	const (
		inLane  = " WHERE m.dest = l.dest AND m.lane = l.lane"
		oldest  = "SELECT m.created_at FROM urutu_message m" + inLane + " ORDER BY m.id LIMIT 1"
		front   = "SELECT m.dest, m.lane, m.id, m.key, m.created_at FROM urutu_message m" + inLane + " ORDER BY m.id LIMIT "
		failing = "SELECT m.parked FROM urutu_message_retry m" + inLane + " LIMIT "
	)
	limit, more := strconv.Itoa(lagLimit), strconv.Itoa(lagLimit+1)
	// A destination has no lanes in the table before somebody looks after it.
	const lanes = ", l AS (SELECT n.name, n.id AS dest, i.i AS lane, o.owner," +
		" e.until, coalesce(o.epoch, 0) AS epoch FROM urutu_message_destination n JOIN i ON i.i < n.lanes" +
		" LEFT JOIN urutu_message_lane o ON o.dest = n.id AND o.lane = i.i" +
		" LEFT JOIN urutu_message_lease e ON e.dest = n.id AND e.lane = i.i) "
	// It begins as a query does, so that it shares a transaction with what is said before it (planning).
	return "SELECT * FROM (" + everyLane + lanes + "SELECT l.name, l.lane, l.owner IS NOT NULL AND l.until > " + now + ", (" + oldest + ")," +
		" (SELECT m.created_at FROM (" + front + limit + ") m WHERE NOT" + waits + " ORDER BY m.id LIMIT 1)," +
		" (SELECT count(*) FROM (" + failing + more + ") f), (SELECT count(*) FROM (" + failing + limit + ") f WHERE f.parked), l.epoch" +
		" FROM l) l ORDER BY l.name, l.lane"
}

func readLag(row []value.Value) Lag {
	lag := Lag{Destination: row[0].Str(), Lane: int(row[1].Int()), Owned: row[2].Bool(), More: row[5].Int() > lagLimit, Epoch: row[7].Int()}
	if !row[3].IsNull() {
		lag.Oldest = row[3].Time()
	}
	if !row[4].IsNull() {
		lag.OldestWaiting = row[4].Time()
	}
	lag.Parked = int(row[6].Int())
	lag.Retrying = min(int(row[5].Int()), lagLimit) - lag.Parked
	return lag
}
