package outbox

import (
	"testing"

	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/urututest"
	"github.com/urutu-go/urutu/value"
)

// TestPlanningIsOfOneScript: how PostgreSQL is to plan and not to compile holds for what comes next in a script, also for one
// that only reads, and not for what the connection is used for after that.
func TestPlanningIsOfOneScript(t *testing.T) {
	t.Parallel()
	db := urututest.Open(t, urututest.Config{Database: urututest.InPostgres, Session: session.Config{PoolSize: 1}})
	ctx := db.Context(t.Context())
	d, err := db.Dialect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	settings := prepare(d, "show", "SELECT concat_ws(' ', current_setting('enable_seqscan'), current_setting('plan_cache_mode'), current_setting('jit'))", nil, tText)
	run := func(planned bool) (got string) {
		t.Helper()
		x := &exchange{}
		if planned {
			x.planned(planning(d))
		}
		x.add(settings.with(), func(row []value.Value) { got = row[0].Str() })
		if err := db.Run(ctx, "test", driver.Read, &x.Script, x); err != nil {
			t.Fatal(err)
		}
		return got
	}
	before := run(false)
	if got, want := run(true), "off force_generic_plan off"; got != want || before == want {
		t.Errorf("it is %q, and was %q", got, before)
	}
	if got := run(false); got != before {
		t.Errorf("it is %q after it, and was %q", got, before)
	}
}
