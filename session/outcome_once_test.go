package session_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/internal/faultdriver"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
)

// Entry is what a unit leaves: the number of the unit, so that one which was applied twice is found.
type Entry struct {
	entity.Table `db:"table:ledger"`
	entity.Identifiable
	Number  int
	Counted bool
}

// chaos breaks every fourth script of those that write, somewhere.
type chaos struct {
	mu   sync.Mutex
	rand *rand.Rand
	hits atomic.Int64
}

func (c *chaos) plan(s *driver.Script) faultdriver.Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.End == driver.Rollback || c.rand.IntN(4) > 0 {
		return nil
	}
	c.hits.Add(1)
	now := make(chan struct{})
	close(now)
	faults := []faultdriver.Fault{
		faultdriver.LoseScript, faultdriver.LoseEnd, faultdriver.LoseAnswer, faultdriver.LoseLastAnswer,
		faultdriver.Late(now, nil), faultdriver.Late(nil, now), faultdriver.Delay(now, func(error) {}),
	}
	return faults[c.rand.IntN(len(faults))]
}

// TestAppliedOnce: whatever breaks, a unit that reports success was applied once, one that says that nothing was
// committed not at all, and one that may be run again never twice.
func TestAppliedOnce(t *testing.T) {
	const units, workers = 304, 8
	eachBackend(t, func(t *testing.T, b backend) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		f := openFaulty(t, b, func(c *session.Config) { c.PoolSize, c.MaxOverflow = workers, workers/2 })
		f.do(t, func(ctx context.Context) error { return session.CreateTables(ctx, (*Entry)(nil)) })
		createTable(t, f.fixture, "CREATE TABLE counter (n INTEGER NOT NULL)")
		createTable(t, f.fixture, "INSERT INTO counter VALUES (0)")

		c := &chaos{rand: rand.New(rand.NewPCG(seed, 1))}
		f.faults.Inject(c.plan)
		errs := make([]error, units)
		var runs atomic.Int64
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for i := w; i < units; i += workers {
					errs[i] = f.Do(t.Context(), func(ctx context.Context) error {
						runs.Add(1)
						return applyOnce(ctx, i)
					}, onceOptions(i))
				}
			})
		}
		wg.Wait()
		f.faults.Inject(nil)
		f.faults.Wait()
		if c.hits.Load() < units/4 || runs.Load() < units+units/20 {
			t.Errorf("only %d scripts broke, in %d runs of %d units", c.hits.Load(), runs.Load(), units)
		}
		f.wantAppliedOnce(t, errs, onceOptions)
		wantIdle(t, f.DB)
	})
}

// onceOptions has every eighth unit take what it gets; the others find out, and try again.
func onceOptions(i int) uow.Options {
	if i%8 == 0 {
		return uow.Options{}
	}
	return uow.Options{Resolve: resolving, Retry: uow.Retry{Attempts: 20}}
}

// applyOnce is a unit whose effect shows when it is applied twice. Half of them write all in one burst, the others count
// in a transaction that has begun before it commits.
func applyOnce(ctx context.Context, i int) error {
	entry := &Entry{Number: i, Counted: i%2 == 0}
	if entry.Counted {
		if _, err := session.From(ctx).ExecContext(ctx, "UPDATE counter SET n = n + 1"); err != nil {
			return err
		}
	}
	return session.Add(ctx, entry)
}

// wantAppliedOnce fails the test unless what the database holds is what the units have reported.
func (f *faulty) wantAppliedOnce(t *testing.T, errs []error, options func(unit int) uow.Options) {
	t.Helper()
	applied, counted, n := make([]int, len(errs)), 0, 0
	must(t, f.Do(t.Context(), func(ctx context.Context) error { // again where its connection is one that has broken
		clear(applied)
		counted = 0
		entries, err := session.Find[Entry](ctx)
		for _, e := range entries {
			applied[e.Number]++
			if e.Counted {
				counted++
			}
		}
		return errors.Join(err, session.From(ctx).QueryRowContext(ctx, "SELECT n FROM counter").Scan(&n))
	}, onceOptions(1)))
	if n != counted {
		t.Errorf("the counter is %d, and %d units have counted", n, counted)
	}
	for i, err := range errs {
		switch {
		case err == nil && applied[i] != 1, err != nil && applied[i] > 1:
			t.Errorf("unit %d was applied %d times: %v", i, applied[i], err)
		case err != nil && !errors.Is(err, fault.OutcomeUnknown) && applied[i] != 0:
			t.Errorf("unit %d says that it did nothing, and has: %v", i, err)
		case err != nil && options(i).Resolve > 0:
			t.Errorf("unit %d did not find out, or gave up: %v", i, err)
		}
	}
}
