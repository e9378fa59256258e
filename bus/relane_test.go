package bus_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/outbox"
)

// TestRelaneUnderLoad: while units publish and two processes handle, the number of lanes changes; nothing is lost
// or has its effect twice.
func TestRelaneUnderLoad(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const keys, each = 12, 25
		var mu sync.Mutex
		got := map[string][]int{}
		seen := newEvents()
		for _, p := range []*fixture{f, f.another(t)} {
			b := p.bus()
			bus.Handle(b, func(ctx context.Context, m Placed) error {
				return bus.Publish(ctx, Charge{fmt.Sprint(m.Order, " ", m.N)}) // exactly once for each that is handled
			}, bus.Handler{Group: "billing", Retry: brief})
			bus.Handle(b, func(_ context.Context, m Charge) error {
				var order string
				var n int
				if _, err := fmt.Sscan(m.Order, &order, &n); err != nil {
					return err
				}
				mu.Lock()
				got[order] = append(got[order], n)
				mu.Unlock()
				seen.add("%s", m.Order)
				return nil
			}, bus.Handler{Concurrency: 1})
			start(t, b)
		}
		var work sync.WaitGroup
		for k := range keys {
			work.Go(func() {
				for n := range each {
					f.publish(t, Placed{fmt.Sprintf("key-%d", k), n})
				}
			})
		}
		for _, lanes := range []int{3, 64, 1, 16} {
			must(t, outbox.Relane(f.Context(t.Context()), "billing", lanes))
		}
		work.Wait()
		seen.wait(t, keys*each)
		mu.Lock()
		defer mu.Unlock()
		for key, list := range got {
			slices.Sort(list)
			if len(list) != each || len(slices.Compact(list)) != each {
				t.Errorf("%s: %v", key, list)
			}
		}
	})
}

func TestRelaneRefuses(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := f.Context(t.Context())
		wantFault(t, outbox.Relane(ctx, "nobody", 4), fault.NotFound)
		wantFault(t, outbox.Relane(ctx, "nobody", 0), fault.Invalid)
		wantFault(t, outbox.Relane(ctx, "nobody", 65), fault.Invalid)
	})
}
