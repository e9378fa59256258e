package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

func case074AllRows(t *testing.T, f *fixture) {
	stored(t, f)
	f.do(t, func(ctx context.Context) error {
		var none []uuid.UUID
		var filters []query.Predicate
		for i, p := range [][]query.Predicate{
			nil, {{}}, {query.And(filters...)}, {query.NotIn(&users.ID, none...)}, {query.Not(query.Or(filters...))},
			{query.Or(query.Eq(&users.Name, "Ann"), query.Not(query.In(&users.ID, none...)))},
			{query.And(), query.And(query.And(), query.NotIn(&users.Age))},
		} {
			set := []query.UpdateClause{query.Set(&users.Age, 1)}
			var where []query.DeleteClause
			for _, p := range p {
				set, where = append(set, p), append(where, p)
			}
			err := second(session.UpdateAll[User](ctx, set...))
			wantFault(t, err, fault.Misconfigured)
			if !strings.Contains(err.Error(), "query.AllRows") {
				t.Errorf("%d: the error does not say how: %v", i, err)
			}
			wantFault(t, second(session.DeleteAll[User](ctx, where...)), fault.Misconfigured)
			n, err := session.UpdateAll[User](ctx, append(set, query.AllRows)...)
			if n != 1 || err != nil {
				t.Errorf("%d: %d rows, %v", i, n, err)
			}
		}
		n, err := session.DeleteAll[User](ctx, query.In(&users.ID, none...)) // guests out all
		if n != 0 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		n, err = session.DeleteAll[User](ctx, query.AllRows)
		if n != 1 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		return nil
	})
}

func case074Refused(t *testing.T, f *fixture) {
	var stray int
	f.do(t, func(ctx context.Context) error {
		refused := func(message string, err error) {
			t.Helper()
			wantFault(t, err, fault.Misconfigured)
			if !strings.Contains(err.Error(), message) {
				t.Errorf("the error is %v, want %q in it", err, message)
			}
		}
		account := func(set ...query.UpdateClause) error {
			return second(session.UpdateAll[Account](ctx, append(set, query.AllRows)...))
		}
		ticket := func(set query.Assignment) error {
			return second(session.UpdateAll[Ticket](ctx, set, query.AllRows))
		}
		refused("ID", account(query.Set(&accounts.ID, uuid.New())))
		refused("CreatedAt", account(query.Set(&accounts.CreatedAt, time.Now())))
		refused("UpdatedAt", account(query.SetTo(&accounts.UpdatedAt, &accounts.CreatedAt)))
		refused("Version", account(query.Add(&accounts.Version, 1)))
		refused("Length", ticket(query.Set(&tickets.Length, 1)))
		refused("Origin", ticket(query.Set(&tickets.Origin, "x")))
		refused("ID", ticket(query.Add(&tickets.ID, 1)))
		refused("Balance", account(query.Set(&accounts.Balance, 1), query.Add(&accounts.Balance, 1)))
		refused("sets nothing", account())
		refused("entity.Columns", account(query.Set(&stray, 1)))
		refused("entity.Columns", account(query.SetTo(&accounts.Balance, new(int64))))
		err := account(query.Set(&accounts.Meta, map[string]any{"a": func() {}}))
		wantFault(t, err, fault.BadRequest)
		if fields := fault.FieldsOf(err); len(fields) != 1 || fields[0].Name != "Meta" {
			t.Errorf("the error names %v", fields)
		}
		wantFault(t, second(session.UpdateAll[int](ctx, query.AllRows)), fault.Misconfigured)
		return nil
	})
	wantTrips(t, f, 0)
}

func case074ReadOnly(t *testing.T, f *fixture) {
	err := f.Do(t.Context(), func(ctx context.Context) error {
		wantFault(t, second(session.UpdateAll[User](ctx, query.Set(&users.Age, 1), query.AllRows)), fault.ReadOnly)
		wantFault(t, second(session.DeleteAll[User](ctx, query.AllRows)), fault.ReadOnly)
		return nil
	}, uow.Options{ReadOnly: true})
	must(t, err)
	wantTrips(t, f, 0)
}

func case074Constraint(t *testing.T, f *fixture) {
	stored(t, f)
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		u := get[User](t, ctx, id)
		err := session.Nested(ctx, func(ctx context.Context) error {
			u.Age = 3
			return second(session.UpdateAll[User](ctx, query.Set(&users.Email, "same@example.com"), query.AllRows))
		})
		wantFault(t, err, fault.Unique)
		var e *fault.Error
		if errors.As(err, &e); e.Op != "session.UpdateAll" || e.Entity != "session_test.User" || e.Constraint != "users_email_key" {
			t.Errorf("the error says %v", err)
		}
		if u.Age != 0 {
			t.Errorf("the object is %+v", u)
		}
		return nil
	})
}

func case074FailingFlush(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, ann()) })
	err := f.Do(t.Context(), func(ctx context.Context) error {
		u := ann()
		must(t, session.Add(ctx, u))
		err := second(session.DeleteAll[Parent](ctx, query.AllRows))
		var e *fault.Error
		if !errors.As(err, &e) || e.Key != u.ID.String() || e.Op != "session.DeleteAll: during the flush before it" {
			t.Errorf("the error says %v", err)
		}
		return err
	})
	wantFault(t, err, fault.Unique)
}

func case074Hook(t *testing.T, f *fixture) {
	err := f.Do(t.Context(), func(ctx context.Context) error {
		must(t, session.OnFlush(ctx, session.FlushHooks{Before: func(ctx context.Context) error {
			return second(session.DeleteAll[User](ctx, query.AllRows))
		}}))
		return session.Add(ctx, ann())
	})
	wantFault(t, err, fault.Flushing)
	f.do(t, func(ctx context.Context) error { // one that a hook adds is followed too
		late := &User{Email: "late@example.com"}
		must(t, session.OnFlush(ctx, session.FlushHooks{Before: func(ctx context.Context) error { return session.Add(ctx, late) }}))
		must(t, session.Add(ctx, ann()))
		n, err := session.UpdateAll[User](ctx, query.Set(&users.Age, 8), query.AllRows)
		if n != 2 || late.Age != 8 {
			t.Errorf("%d rows, and the object is %+v", n, late)
		}
		return err
	})
}
