package session_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

// Promise 36: a unit that lost against another one is run again as a whole.
func TestPromise36_retries(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		a, z := &Account{Balance: 0}, &Account{Balance: 0}
		f.do(t, func(ctx context.Context) error { return session.Add(ctx, a, z) })
		increment := func(ctx context.Context, meet func(), first, second *Account) error {
			acc, err := session.Get[Account](ctx, first.ID)
			if err != nil {
				return err
			}
			meet()
			acc.Balance++
			other, err := session.Get[Account](ctx, second.ID)
			if err != nil {
				return err
			}
			other.Balance++
			return nil
		}
		stale := uow.Options{Retry: uow.Retry{Kinds: []fault.Kind{fault.Stale}, Attempts: 10}}
		race(t, f, stale, increment, a, z)
		if b.name == "postgres" { // SQLite has one writer at a time, who never has to give way
			race(t, f, uow.Options{Isolation: uow.Serializable, Retry: uow.Retry{Attempts: 10}}, increment, a, z)
			race(t, f, uow.Options{Retry: uow.Retry{Attempts: 10}}, lockThenIncrement, a, z)
		}
		wantIdle(t, f.DB)
	})
}

// lockThenIncrement locks the accounts in the order given, so that two of it in opposite orders lock each other out.
func lockThenIncrement(ctx context.Context, meet func(), first, second *Account) error {
	acc, err := session.Get[Account](ctx, first.ID, query.ForUpdate)
	if err != nil {
		return err
	}
	meet()
	other, err := session.Get[Account](ctx, second.ID, query.ForUpdate)
	if err != nil {
		return err
	}
	acc.Balance++
	other.Balance++
	return nil
}

// race runs two units at once on the same two accounts, in opposite orders; they meet in the middle of their first
// attempts. Both take effect, and at least one of them was run again.
func race(
	t *testing.T, f *fixture, o uow.Options,
	fn func(ctx context.Context, meet func(), first, second *Account) error, a, z *Account,
) {
	t.Helper()
	before := row[Account](t, f, a.ID).Balance + row[Account](t, f, z.ID).Balance
	var wg, meeting sync.WaitGroup
	meeting.Add(2)
	attempts, errs := make([]int, 2), make([]error, 2)
	for i, order := range [][2]*Account{{a, z}, {z, a}} {
		wg.Go(func() {
			errs[i] = f.Do(t.Context(), func(ctx context.Context) error {
				attempts[i]++
				meet := func() {
					if attempts[i] == 1 {
						meeting.Done()
						meeting.Wait()
					}
				}
				return fn(ctx, meet, order[0], order[1])
			}, o)
		})
	}
	wg.Wait()
	must(t, errors.Join(errs...))
	if attempts[0]+attempts[1] < 3 {
		t.Errorf("attempts %v: neither unit was run again", attempts)
	}
	if got := row[Account](t, f, a.ID).Balance + row[Account](t, f, z.ID).Balance - before; got != 4 {
		t.Errorf("the balances grew by %d, want 4", got)
	}
}
