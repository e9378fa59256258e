package session_test

import (
	"context"
	"errors"
	"testing"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/value"
)

// case076: a stale version in a commit of one trip commits nothing, what other packages have staged included.
func case076(t *testing.T, b backend) {
	f := open(t, b)
	a := &Account{Balance: 1}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, a) })
	err := f.Do(t.Context(), func(ctx context.Context) error {
		mine, err := session.Get[Account](ctx, a.ID)
		if err != nil {
			return err
		}
		f.do(t, func(ctx context.Context) error { // somebody else is first
			theirs, err := session.Get[Account](ctx, a.ID)
			if err == nil {
				theirs.Balance = 2
			}
			return err
		})
		f.reset()
		mine.Balance = 3
		return errors.Join(session.Add(ctx, &User{Email: "mine"}), session.Stage(ctx, session.Rows{
			Table: "parents", Columns: []dialect.Column{{Name: "id", Type: value.TypeUUID}, {Name: "name", Type: value.TypeText}},
			Values: []value.Value{value.OfUUID(a.ID), value.OfText("staged")},
		}))
	})
	var fe *fault.Error
	if !errors.As(err, &fe) || fe.Kind != fault.Stale || fe.Entity != "session_test.Account" || fe.Key != a.ID.String() {
		t.Errorf("error %v", err)
	}
	if n := len(f.trips()); n != 1 {
		t.Errorf("%d trips", n)
	}
	if count[User](t, f)+count[Parent](t, f) != 0 || row[Account](t, f, a.ID).Balance != 2 {
		t.Error("something was committed")
	}
}
