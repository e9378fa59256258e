package outbox

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/urututest"
	"github.com/urutu-go/urutu/value"
)

// disputed is an engine that has stopped, and what somebody else does to the leases while a transaction of the engine waits.
type disputed struct {
	*testing.T
	db  *session.DB
	e   *Engine
	ask func(text string) int
}

func newDisputed(t *testing.T) disputed {
	db, e, _, ask := notes(t, Consumer{Handle: func(context.Context, *Delivery) error { return nil }})
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	return disputed{t, db, e, ask}
}

// during runs what the engine does while somebody's statements are not committed, and meanwhile as it waits for them.
func (d disputed) during(statements []string, run func(ctx context.Context) error, meanwhile ...func()) {
	d.Helper()
	failed := make(chan error, 1)
	urututest.Do(d.T, d.db, func(ctx context.Context) error {
		for _, text := range statements {
			if _, err := session.From(ctx).ExecContext(ctx, text); err != nil {
				return err
			}
		}
		go func() { failed <- run(session.On(d.db.Context(context.WithoutCancel(d.Context())), "")) }()
		await(d, "the engine waits", func() bool {
			select {
			case err := <-failed:
				d.Fatalf("the engine does not wait: %v", err)
			default:
			}
			return d.ask("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") > 0
		})
		for _, f := range meanwhile {
			f()
		}
		return nil
	})
	select {
	case err := <-failed:
		if err != nil {
			d.Error(err)
		}
	case <-time.After(20 * time.Second):
		d.Fatal("the engine waits for ever")
	}
}

const farAway = 9_000_000_000_000_000

// TestLaneWhoseLeaseIsBeingRenewed: whoever takes a lane waits for a renewal that is not committed, and does not take it then.
func TestLaneWhoseLeaseIsBeingRenewed(t *testing.T) {
	t.Parallel()
	d := newDisputed(t)
	other := [16]byte{7}
	execute(t, d.db, "UPDATE urutu_message_lane SET owner = '07000000-0000-0000-0000-000000000000', epoch = 3")
	execute(t, d.db, "UPDATE urutu_message_lease SET until = 1")
	d.during([]string{fmt.Sprintf("UPDATE urutu_message_lease SET until = %d WHERE lane = 0", farAway)}, func(ctx context.Context) error {
		return d.e.claim(ctx, d.e.dests[0], []laneRow{{number: 0, owner: other, epoch: 3, until: 1, now: 2}})
	})
	if epoch, until := d.ask("SELECT epoch FROM urutu_message_lane WHERE lane = 0"), d.ask("SELECT until FROM urutu_message_lease WHERE lane = 0"); epoch != 3 ||
		until != farAway || len(d.e.dests[0].lanes) > 0 {
		t.Errorf("the lane has the epoch %d, a lease until %d, and was taken: %v", epoch, until, d.e.dests[0].lanes)
	}
}

// TestReleaseOfALaneThatIsBeingTaken: whoever gives a lane back that somebody takes at that moment leaves him the lease.
func TestReleaseOfALaneThatIsBeingTaken(t *testing.T) {
	t.Parallel()
	d := newDisputed(t)
	execute(t, d.db, fmt.Sprintf("UPDATE urutu_message_lane SET owner = '%v', epoch = 3", uuid.UUID(d.e.owner)))
	execute(t, d.db, "UPDATE urutu_message_lease SET until = 1")
	d.during([]string{
		"UPDATE urutu_message_lane SET owner = '07000000-0000-0000-0000-000000000000', epoch = 4 WHERE lane = 0",
		fmt.Sprintf("UPDATE urutu_message_lease SET until = %d WHERE lane = 0", farAway),
	}, func(ctx context.Context) error {
		x := &exchange{}
		x.Begin, x.End = &driver.TxOptions{}, driver.Commit
		x.add(d.e.sql.release.with(value.OfInt(int64(d.e.dests[0].id)), value.OfInt(0), value.OfUUID(d.e.owner), value.OfInt(3)), nil)
		return d.db.Run(ctx, "test", driver.Write, &x.Script, x)
	})
	if until := d.ask("SELECT until FROM urutu_message_lease WHERE lane = 0"); until != farAway {
		t.Errorf("the new owner's lease is until %d", until)
	}
}

// TestRenewalLocksLeasesInOrder: a renewal that waits for a lease has none of a later lane, for which whoever has the first
// one may wait.
func TestRenewalLocksLeasesInOrder(t *testing.T) {
	t.Parallel()
	d := newDisputed(t)
	execute(t, d.db, fmt.Sprintf("UPDATE urutu_message_lane SET owner = '%v'", uuid.UUID(d.e.owner)))
	execute(t, d.db, "UPDATE urutu_message_lease SET until = 1")
	execute(t, d.db, "UPDATE urutu_message_lease SET until = 2 WHERE lane = 0") // which puts it behind the others
	others := d.ask("SELECT count(*) FROM urutu_message_lease WHERE lane > 0")
	d.during([]string{"UPDATE urutu_message_lease SET until = 3 WHERE lane = 0"}, d.e.renew, func() {
		free := "SELECT count(*) FROM (SELECT 1 FROM urutu_message_lease WHERE lane > 0 FOR UPDATE SKIP LOCKED) AS free"
		if n := d.ask(free); n != others {
			t.Errorf("%d of %d leases of later lanes are free", n, others)
		}
	})
	if n := d.ask("SELECT count(*) FROM urutu_message_lease WHERE until > 3"); n != others+1 {
		t.Errorf("%d of %d leases were renewed", n, others+1)
	}
}
