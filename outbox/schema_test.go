package outbox

import (
	"context"
	"testing"

	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// TestLeasesOfTheTablesBefore: where the tables are brought from the third version to the fourth, each lane keeps its lease.
func TestLeasesOfTheTablesBefore(t *testing.T) {
	t.Parallel()
	urututest.Each(t, urututest.Config{}, func(t *testing.T, db *session.DB) {
		before := Component()
		before.Steps = before.Steps[:3]
		if err := db.Install(t.Context(), before); err != nil {
			t.Fatal(err)
		}
		urututest.Do(t, db, func(ctx context.Context) error {
			_, err := session.From(ctx).ExecContext(ctx, "INSERT INTO urutu_message_lane (dest, lane, epoch, lease_until, touched) VALUES (1, 0, 2, 70, 0), (1, 1, 3, 0, 0)")
			return err
		})
		if err := db.Install(t.Context(), Component()); err != nil {
			t.Fatal(err)
		}
		if got := askFor(t, db, "SELECT sum(l.epoch * 100 + e.until) FROM urutu_message_lane l JOIN urutu_message_lease e ON e.dest = l.dest AND e.lane = l.lane"); got != "570" {
			t.Errorf("epochs and leases are %s", got)
		}
	})
}
