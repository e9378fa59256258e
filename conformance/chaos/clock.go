//go:build unix

package chaos

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/urutu-go/urutu/session"
)

const hour = time.Hour

// jumpOfClocks sets clocks by an hour. Each process's is right afterwards, or an hour ahead or behind, until the next
// jump. The database's is set either way: nobody can tell that from its leases having ended an hour ago, or ending in an hour.
func (r *Rig) jumpOfClocks(ctx context.Context, name string) {
	jump := -hour
	if chance(0.5) {
		jump = hour
	}
	for _, s := range r.slots {
		s.set(time.Duration(rand.IntN(3)-1) * hour)
	}
	err := r.db.Do(ctx, func(ctx context.Context) error {
		for _, text := range []string{
			"UPDATE urutu_message_lease SET until = until - $1 WHERE until > 0",
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

// set sets the clock of a process, and of those that follow it.
func (s *slot) set(ahead time.Duration) {
	s.mu.Lock()
	s.ahead = ahead
	s.mu.Unlock()
	s.tell("clock "+ahead.String(), false)
}
