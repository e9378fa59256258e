package outbox

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// TestRegisterInAnyOrder: processes that subscribe to the same new topics at the same time, and name them in different orders, do
// not wait for each other in a circle.
func TestRegisterInAnyOrder(t *testing.T) {
	t.Parallel()
	urututest.Each(t, urututest.Config{Session: session.Config{PoolSize: 4}}, func(t *testing.T, db *session.DB) {
		if err := db.Install(t.Context(), Component()); err != nil {
			t.Fatal(err)
		}
		ctx := db.Context(t.Context())
		d, err := db.Dialect(ctx)
		if err != nil {
			t.Fatal(err)
		}
		register := func(topics []string) {
			e := NewEngine(db, Config{}, Consumer{Destination: "group", Topics: topics})
			if err := e.register(ctx, "test", d); err != nil {
				t.Error(err)
			}
		}
		register(nil)
		for round := range 30 {
			var topics []string
			for i := range 40 {
				topics = append(topics, fmt.Sprintf("test.%d.%d", round, i))
			}
			var together sync.WaitGroup
			for range 2 {
				mine := slices.Clone(topics)
				together.Go(func() { register(mine) })
				slices.Reverse(topics)
			}
			together.Wait()
		}
	})
}
