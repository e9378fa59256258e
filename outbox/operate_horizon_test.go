package outbox_test

import (
	"context"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/urututest"
)

// TestHorizon: a reader that stays open holds back the clean-up, for as many transactions as have begun since.
func TestHorizon(t *testing.T) {
	t.Parallel()
	urututest.Each(t, urututest.Config{Session: session.Config{PoolSize: 4}}, func(t *testing.T, db *session.DB) {
		if err := db.Install(t.Context(), outbox.Component()); err != nil {
			t.Fatal(err)
		}
		operator := outbox.NewOperator(db, outbox.OperatorConfig{})
		if d, err := db.Dialect(t.Context()); err != nil || d.Name() != "postgres" {
			if _, err := operator.Horizon(t.Context()); fault.KindOf(err) != fault.Unsupported {
				t.Error(err)
			}
			return
		}
		look := func() outbox.Horizon {
			t.Helper()
			h, err := operator.Horizon(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
		ask := func(ctx context.Context, text string) error {
			var n int64
			return session.From(ctx).QueryRowContext(ctx, text).Scan(&n)
		}
		if h := look(); h != (outbox.Horizon{}) {
			t.Errorf("with nothing open it is %+v", h)
		}
		err := db.Do(t.Context(), func(ctx context.Context) error {
			if err := ask(ctx, "SELECT count(*) FROM urutu_message"); err != nil {
				return err
			}
			for range 3 {
				urututest.Do(t, db, func(ctx context.Context) error { return ask(ctx, "SELECT pg_current_xact_id()::text::bigint") })
			}
			if h := look(); h.Age < 3 || h.Open <= 0 {
				t.Errorf("with a reader open it is %+v", h)
			}
			return nil
		}, uow.Options{Isolation: uow.RepeatableRead})
		if err != nil {
			t.Fatal(err)
		}
		if h := look(); h != (outbox.Horizon{}) {
			t.Errorf("once it has ended it is %+v", h)
		}
	})
}
