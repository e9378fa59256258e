package session_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/value"
)

// verbs is everything that needs a session in the context.
var verbs = map[string]func(ctx context.Context) error{
	"Add":        func(ctx context.Context) error { return session.Add(ctx, ann()) },
	"Delete":     func(ctx context.Context) error { return session.Delete(ctx, ann()) },
	"Expunge":    func(ctx context.Context) error { return session.Expunge(ctx, ann()) },
	"Refresh":    func(ctx context.Context) error { return session.Refresh(ctx, ann()) },
	"Merge":      func(ctx context.Context) error { return second(session.Merge(ctx, ann())) },
	"Contains":   func(ctx context.Context) error { return second(session.Contains(ctx, ann())) },
	"StateOf":    func(ctx context.Context) error { return second(session.StateOf(ctx, ann())) },
	"IsModified": func(ctx context.Context) error { return second(session.IsModified(ctx, ann())) },
	"Load":       func(ctx context.Context) error { return session.Load(ctx, []*User{ann()}) },
	"IsLoaded": func(ctx context.Context) error {
		p := &Purchase{}
		return second(session.IsLoaded(ctx, p, &p.Items))
	},
	"Get":   func(ctx context.Context) error { return second(session.Get[User](ctx, uuid.New())) },
	"Find":  func(ctx context.Context) error { return second(session.Find[User](ctx)) },
	"First": func(ctx context.Context) error { return second(session.First[User](ctx)) },
	"Count": func(ctx context.Context) error { return second(session.Count[User](ctx)) },
	"Stream": func(ctx context.Context) (err error) {
		for _, err = range session.Stream[User](ctx) {
		}
		return err
	},
	"Exists":       func(ctx context.Context) error { return second(session.Exists[User](ctx)) },
	"Flush":        session.Flush,
	"Commit":       session.Commit,
	"Rollback":     session.Rollback,
	"Nested":       func(ctx context.Context) error { return session.Nested(ctx, unreachable) },
	"CreateTables": func(ctx context.Context) error { return session.CreateTables(ctx, allEntities...) },
	"OnFlush":      func(ctx context.Context) error { return session.OnFlush(ctx, session.FlushHooks{}) },
	"On":           func(ctx context.Context) error { return session.Flush(session.On(ctx, "default")) },
	"NoAutoflush":  func(ctx context.Context) error { return session.Flush(session.NoAutoflush(ctx)) },
	"Page": func(ctx context.Context) error {
		return second(session.Page[User](ctx, query.PageRequest{}))
	},
	"Seek": func(ctx context.Context) error {
		return second(session.Seek[User](ctx, query.CursorRequest{}))
	},
	"Lookup": func(ctx context.Context) error {
		_, _, err := session.Lookup[User](ctx, uuid.New())
		return err
	},
	"Batch": func(ctx context.Context) error {
		var u *User
		return session.Batch(ctx, session.LookupInto(&u, uuid.New()))
	},
	"UpdateAll": func(ctx context.Context) error {
		return second(session.UpdateAll[User](ctx, query.Set(&users.Age, 1), query.AllRows))
	},
	"DeleteAll": func(ctx context.Context) error { return second(session.DeleteAll[User](ctx, query.AllRows)) },
	"Upsert":    func(ctx context.Context) error { return second(session.Upsert(ctx, ann())) },
	"GetMany": func(ctx context.Context) error {
		_, _, err := session.GetMany[User](ctx, uuid.New())
		return err
	},
	"Stage": func(ctx context.Context) error { return session.Stage(ctx, oneStagedRow) },
	"ExecContext": func(ctx context.Context) error {
		return second(session.From(ctx).ExecContext(ctx, "SELECT 1"))
	},
	"QueryContext": func(ctx context.Context) error {
		rows, err := session.From(ctx).QueryContext(ctx, "SELECT 1")
		if err == nil {
			err = errors.Join(rows.Err(), rows.Close())
		}
		return err
	},
	"QueryRowContext": func(ctx context.Context) error {
		return session.From(ctx).QueryRowContext(ctx, "SELECT 1").Scan(new(int))
	},
	"PrepareContext": func(ctx context.Context) error {
		return second(session.From(ctx).PrepareContext(ctx, "SELECT 1"))
	},
	"Raw": func(ctx context.Context) error {
		return session.From(ctx).Raw(ctx, func(any) error { return unreachable(ctx) })
	},
}

var oneStagedRow = session.Rows{
	Table: "users", Columns: []dialect.Column{{Name: "id", Type: value.TypeUUID}}, Values: []value.Value{value.OfUUID(uuid.New())},
}

func second[T any](_ T, err error) error { return err }

func unreachable(context.Context) error { return errors.New("the function was run") }

// allFail runs every verb in ctx and wants each to fail with the kind, without a word to the database.
func allFail(t *testing.T, f *fixture, ctx context.Context, kind fault.Kind) {
	t.Helper()
	f.reset()
	for name, verb := range verbs {
		if err := verb(ctx); !errors.Is(err, kind) {
			t.Errorf("%s: error %v, want %s", name, err, kind)
		}
	}
	wantTrips(t, f, 0)
	if n := f.connections(); n != 0 {
		t.Errorf("%d connections were borrowed", n)
	}
}

// wantTrips fails the test unless n scripts were sent since the last reset.
func wantTrips(t testing.TB, f *fixture, n int) {
	t.Helper()
	if trips := f.trips(); len(trips) != n {
		t.Errorf("%d exchanges, want %d: %q", len(trips), n, trips)
	}
}
