//go:build unix

package chaos

import (
	"context"
	"time"

	"github.com/urutu-go/urutu/session"
)

const hour = time.Hour

// jumpOfClocks sets a clock by an hour. The clocks of the processes are set forward, all of them. The database's is set
// either way: nobody can tell that from its leases having ended an hour ago, or ending in an hour.
func (r *Rig) jumpOfClocks(ctx context.Context, name string) {
	jump := -hour
	if chance(0.5) {
		jump = hour
		r.mu.Lock()
		r.clock += hour
		now := r.clock
		r.mu.Unlock()
		for _, s := range r.slots {
			s.tell("clock "+now.String(), false)
		}
	}
	err := r.db.Do(ctx, func(ctx context.Context) error {
		for _, text := range []string{
			"UPDATE urutu_message_lane SET lease_until = lease_until - $1 WHERE lease_until > 0",
			"UPDATE urutu_message_worker SET until = until - $1",
		} {
			if _, err := session.From(ctx).ExecContext(ctx, text, jump.Microseconds()); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		r.note(name, "by %v", jump)
	}
}

// ahead is by how much the clocks of the processes are ahead.
func (r *Rig) ahead() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.clock.String()
}
