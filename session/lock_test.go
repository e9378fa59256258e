package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

var parentRepo session.Repository[Parent]

// TestForNoKeyUpdate: under a lock for changes nobody else locks, changes or deletes the row, and rows that refer to it are
// written meanwhile, which they are not under one for deletions. On SQLite either is the lock of the one writer.
func TestForNoKeyUpdate(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		f := open(t, b)
		parent := &Parent{Name: "before"}
		f.do(t, func(ctx context.Context) error { return session.Add(ctx, parent) })
		locks := func(lock query.Lock) func(ctx context.Context) error {
			return func(ctx context.Context) error { return second(parentRepo.Get(ctx, parent.ID, lock)) }
		}
		rename := func(ctx context.Context) error {
			p, err := parentRepo.Get(ctx, parent.ID)
			if err == nil {
				p.Name = "after"
			}
			return err
		}
		refer := func(ctx context.Context) error { return session.Add(ctx, &Child{ParentID: parent.ID}) }
		oneWriter := b.name != "postgres"
		for _, c := range []struct {
			name  string
			lock  query.Lock
			unit  func(ctx context.Context) error
			waits bool
		}{
			{"a read", query.ForNoKeyUpdate, func(ctx context.Context) error { return second(parentRepo.Get(ctx, parent.ID)) }, false},
			{"a row that refers to it", query.ForNoKeyUpdate, refer, oneWriter},
			{"a row that refers to it, and a lock for deletions", query.ForUpdate, refer, true},
			{"a change", query.ForNoKeyUpdate, rename, true},
			{"a deletion", query.ForNoKeyUpdate, func(ctx context.Context) error { return second(parentRepo.DeleteByID(ctx, parent.ID)) }, true},
			{"the same lock", query.ForNoKeyUpdate, locks(query.ForNoKeyUpdate), true},
			{"a lock for deletions", query.ForNoKeyUpdate, locks(query.ForUpdate), true},
			{"one that does not wait", query.ForNoKeyUpdate, locks(query.ForUpdateNoWait), true},
			{"a lock for reading", query.ForNoKeyUpdate, locks(query.ForShare), true},
		} {
			f.do(t, func(ctx context.Context) error {
				must(t, locks(c.lock)(ctx))
				err := session.New(ctx, c.unit, uow.Options{LockTimeout: 50 * time.Millisecond})
				if waits := errors.Is(err, fault.LockTimeout); waits != c.waits || err != nil && !waits {
					t.Errorf("%s: %v, and it should wait: %t", c.name, err, c.waits)
				}
				return nil
			})
		}
		f.do(t, func(ctx context.Context) error { // what the lock is for
			must(t, locks(query.ForNoKeyUpdate)(ctx))
			return rename(ctx)
		})
		if name := row[Parent](t, f, parent.ID).Name; name != "after" {
			t.Errorf("it is called %s", name)
		}
		want := int64(1)
		if oneWriter {
			want = 0
		}
		wantRows[Child](t, f, want)
	})
}
