package outbox

import (
	"testing"

	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/urututest"
	"github.com/urutu-go/urutu/value"
)

// TestPlansAreKept: what each look sends, PostgreSQL plans a few times and then no more: planning takes longer than looking.
func TestPlansAreKept(t *testing.T) {
	t.Parallel()
	db := urututest.Open(t, urututest.Config{Database: urututest.InPostgres, Session: session.Config{PoolSize: 1}})
	if err := db.Install(t.Context(), Component()); err != nil {
		t.Fatal(err)
	}
	d, err := db.Dialect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e := &Engine{sql: newStatements(d)}
	ctx := db.Context(t.Context())
	for range 20 {
		r := &round{}
		lane := ofInts([]int64{1, 0, 1, 9})
		limit := param{value: value.OfInt(4)}
		r.over(e, e.sql.fetch, [][]value.Value{lane[:3:3]}, []param{limit}, nil)
		r.over(e, e.sql.sweep, [][]value.Value{lane}, []param{{list: ofInts([]int64{2, 3})}, limit}, nil)
		r.over(e, e.sql.first, [][]value.Value{lane}, nil, nil)
		r.over(e, e.sql.ours, [][]value.Value{lane[:3:3]}, nil, nil)
		r.add(e.sql.delete.lists([][]value.Value{nil, nil, ofInts([]int64{2, 3})}, value.OfInt(1), value.OfInt(0), value.Value{}), nil)
		if err := db.Run(ctx, "test", driver.Write, &r.Script, r); err != nil {
			t.Fatal(err)
		}
	}
	if got := askFor(t, db, "SELECT array_agg(DISTINCT custom_plans) || array[count(*)] FROM pg_prepared_statements WHERE statement LIKE '%unnest(%'"+
		" AND statement NOT LIKE '%pg_prepared_statements%'"); got != "{5,5}" {
		t.Errorf("how often were how many statements planned? %s", got)
	}
}
