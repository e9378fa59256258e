//go:build unix

package chaos

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/urutu-go/urutu/outbox"
)

// destinations are those whose lanes change.
var destinations = []string{ledgerGroup, mirrorGroup, followUps, brokerGroup}

// relane changes the number of a group's lanes for a while, under load.
func (r *Rig) relane(ctx context.Context, name string) {
	group, lanes := destinations[rand.N(len(destinations))], 1+rand.N(outbox.MaxLanes)
	pause := rand.N(3 * time.Second)
	r.note(name, "%d of %s for %v", lanes, group, pause)
	r.meanwhile(func() {
		if outbox.Relane(r.db.Context(ctx), group, lanes) != nil { // the server may be away, or others in the way
			return
		}
		time.Sleep(pause)
		var err error
		for began := time.Now(); time.Since(began) < patience; time.Sleep(100 * time.Millisecond) {
			if err = outbox.Relane(r.db.Context(ctx), group, r.lanes()); err == nil {
				return
			}
		}
		r.wrong("the lanes of %s could not be changed: %v", group, err)
	})
}
