package outbox

import (
	"context"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/value"
)

// Horizon is what holds back the clean-up of a PostgreSQL database: the rows of messages that were deleted since then
// are still there, and whoever looks for messages reads past them.
type Horizon struct {
	// Age is how many transactions have begun on the server since the oldest one that may still be seen: by an open
	// transaction of this database, a prepared one, or a replication slot.
	Age int64
	// Open is for how long the oldest transaction of this database is open, as far as the operator's user may see it.
	Open time.Duration
}

// Horizon returns what holds back the clean-up of the database. Where that is not PostgreSQL it is fault.Unsupported.
func (o *Operator) Horizon(ctx context.Context) (Horizon, error) {
	const op = "outbox.Horizon"
	ctx, d, err := o.reach(ctx, op)
	if err != nil {
		return Horizon{}, err
	}
	if d.Name() != "postgres" {
		return Horizon{}, &fault.Error{Kind: fault.Unsupported, Op: op, Connection: string(o.name), Message: d.Name() + " has no horizon of transactions"}
	}
	const text = "WITH a AS (SELECT backend_xmin, backend_xid, xact_start FROM pg_stat_activity" +
		" WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type <> 'autovacuum worker')" +
		" SELECT coalesce((SELECT max(age(x)) FROM (SELECT backend_xmin FROM a UNION ALL SELECT backend_xid FROM a" +
		" UNION ALL SELECT transaction FROM pg_prepared_xacts WHERE database = current_database()" +
		" UNION ALL SELECT xmin FROM pg_replication_slots) AS held(x)), 0)::bigint," +
		" coalesce((SELECT ceil(extract(epoch FROM max(clock_timestamp() - xact_start)) * 1000000) FROM a), 0)::bigint"
	var h Horizon
	err = o.ask(ctx, op, prepare(d, "select pg_stat_activity", text, nil, tInt, tInt).with(), func(row []value.Value) {
		h = Horizon{Age: row[0].Int(), Open: time.Duration(row[1].Int()) * time.Microsecond}
	})
	return h, err
}
