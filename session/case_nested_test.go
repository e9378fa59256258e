package session_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/value"
)

var nestedCases = []testCase{
	{"case_089_flush_before_a_lazy_savepoint", withFixture(case089)},
	{"case_090_inner_rollback", withFixture(case090)},
	{"case_091_inner_success", withFixture(case091)},
	{"case_092_inner_violation_is_handled", withFixture(case092)},
	{"case_093_inner_context_expired", withFixture(case093)},
	{"case_094_inner_scopes_end_with_the_outer_one", withFixture(case094)},
	{"case_095_hooks_of_savepoints", case095},
}

var errInner = errors.New("the inner function failed")

// stage stages a row of the table of parents, as another package would stage a message.
func stage(ctx context.Context, name string) error {
	return session.Stage(ctx, session.Rows{
		Table:   "parents",
		Columns: []dialect.Column{{Name: "id", Type: value.TypeUUID}, {Name: "name", Type: value.TypeText}},
		Values:  []value.Value{value.OfUUID(uuid.New()), value.OfText(name)},
	})
}

func case089(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, ann()))
		f.reset()
		must(t, session.Nested(ctx, func(ctx context.Context) error {
			if !f.wrote("INSERT INTO users") {
				t.Errorf("the outer changes are pending inside; sent is %q", f.trips())
			}
			_, err := session.Find[User](ctx) // reads only
			return err
		}))
		must(t, session.Nested(ctx, func(context.Context) error { return nil }))
		if err := session.Nested(ctx, func(context.Context) error { return errInner }); !errors.Is(err, errInner) {
			t.Errorf("error %v", err)
		}
		if f.sent("SAVEPOINT") {
			t.Errorf("a savepoint was made for nothing: %q", f.trips())
		}
		return nil
	})
	if f.sent("SAVEPOINT") {
		t.Errorf("a savepoint was made for nothing: %q", f.trips())
	}
	wantRows[User](t, f, 1)

	f.reset()
	f.do(t, func(ctx context.Context) error { // in a unit that does nothing else, too
		return session.Nested(ctx, func(context.Context) error { return nil })
	})
	if f.connections() != 0 {
		t.Errorf("sent is %q", f.trips())
	}
}

func case090(t *testing.T, f *fixture) {
	loaded, doomed := &User{Name: "Lou", Email: "lou@example.com"}, &User{Name: "Dan", Email: "dan@example.com"}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, loaded, doomed) })
	f.clock.advance(time.Hour)
	f.do(t, func(ctx context.Context) error {
		loaded, err := session.Get[User](ctx, loaded.ID)
		must(t, err)
		doomed, err := session.Get[User](ctx, doomed.ID)
		must(t, err)
		outer, inner := ann(), &User{Name: "In", Email: "in@example.com"}
		must(t, session.Add(ctx, outer))
		loaded.Age = 1 // the outer scope's change

		for _, flushed := range []bool{false, true} {
			err = session.Nested(ctx, func(ctx context.Context) error {
				must(t, session.Add(ctx, inner))
				must(t, session.Delete(ctx, doomed))
				loaded.Age, loaded.Name, outer.Name = 2, "inner", "inner"
				if flushed {
					must(t, session.Flush(ctx))
				}
				return errInner
			})
			if !errors.Is(err, errInner) {
				t.Errorf("error %v", err)
			}
			wantState(t, ctx, inner, session.Transient)
			if inner.ID != uuid.Nil {
				t.Error("the inner object keeps its key")
			}
			wantState(t, ctx, doomed, session.Persistent)
			wantState(t, ctx, outer, session.Persistent)
			if loaded.Age != 1 || loaded.Name != "Lou" || outer.Name != "Ann" {
				t.Errorf("flushed %t: %+v, %+v", flushed, loaded, outer)
			}
			f.reset()
			must(t, session.Flush(ctx))
			if len(f.trips()) != 0 {
				t.Errorf("flushed %t: %q was sent for what was undone", flushed, f.trips())
			}
		}
		return nil
	})
	wantRows[User](t, f, 3)
	if got := row[User](t, f, loaded.ID); got.Age != 1 || got.Name != "Lou" || !got.UpdatedAt.Equal(got.CreatedAt.Add(time.Hour)) {
		t.Errorf("stored is %+v", got)
	}
}

func case091(t *testing.T, f *fixture) {
	inner := ann()
	f.reset()
	f.do(t, func(ctx context.Context) error {
		must(t, session.Nested(ctx, func(ctx context.Context) error { return session.Add(ctx, inner) }))
		wantState(t, ctx, inner, session.Persistent)
		inner.Age = 1 // the outer scope goes on with it
		return nil
	})
	if !f.sent(`SAVEPOINT urutu_1`) || !f.sent("RELEASE SAVEPOINT urutu_1") {
		t.Errorf("no savepoint, or no release, in %q", f.trips())
	}
	if got := row[User](t, f, inner.ID); got.Age != 1 {
		t.Errorf("stored is %+v", got)
	}

	again := &User{Name: "Again", Email: "again@example.com"}
	err := f.Do(t.Context(), func(ctx context.Context) error {
		user, err := session.Get[User](ctx, inner.ID)
		must(t, err)
		must(t, session.Nested(ctx, func(ctx context.Context) error {
			return session.Nested(ctx, func(ctx context.Context) error {
				user.Age = 2
				must(t, session.Flush(ctx))
				user.Age = 3
				return session.Add(ctx, again)
			})
		}))
		must(t, session.Rollback(ctx))
		wantState(t, ctx, again, session.Transient)
		if user.Age != 1 {
			t.Errorf("age %d after the outer rollback, want 1", user.Age)
		}
		return errInner
	})
	if !errors.Is(err, errInner) {
		t.Errorf("error %v", err)
	}
	wantRows[User](t, f, 1)
}

func case092(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, ann()) })
	for i, fn := range []func(ctx context.Context) error{
		duplicate,
		func(ctx context.Context) error { return session.Add(ctx, ann()) }, // found out as the scope ends
		func(ctx context.Context) error { _ = duplicate(ctx); return nil }, // and swallowed
		func(ctx context.Context) error { return session.Nested(ctx, duplicate) },
		func(ctx context.Context) error { // by a query
			must(t, session.Add(ctx, ann()))
			_, err := session.Find[User](ctx)
			return err
		},
		func(ctx context.Context) error { // by plain SQL
			_, err := session.From(ctx).ExecContext(ctx, "INSERT INTO users (email) SELECT email FROM users")
			return err
		},
	} {
		f.do(t, func(ctx context.Context) error {
			must(t, session.Add(ctx, &Parent{Name: fmt.Sprint("before ", i)}))
			err := session.Nested(ctx, fn)
			if err == nil {
				t.Errorf("%d: no error", i)
			}
			if i < 5 {
				wantFault(t, err, fault.Unique)
			}
			must(t, session.Nested(ctx, func(ctx context.Context) error {
				return session.Add(ctx, &Parent{Name: fmt.Sprint("within ", i)})
			}))
			_, err = session.Find[Parent](ctx)
			must(t, err)
			return session.Add(ctx, &Parent{Name: fmt.Sprint("after ", i)})
		})
		wantRows[Parent](t, f, int64(3*(i+1)))
	}
	wantRows[User](t, f, 1)
}

func case093(t *testing.T, f *fixture) {
	f.reset()
	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, &Parent{Name: "outer"}))
		inner, cancel := context.WithCancel(ctx)
		err := session.Nested(inner, func(ctx context.Context) error {
			must(t, session.Add(ctx, ann()))
			must(t, session.Flush(ctx))
			cancel()
			return nil
		})
		wantFault(t, err, fault.Canceled)
		return session.Add(ctx, &Parent{Name: "outer, later"})
	})
	if !f.sent("ROLLBACK TO SAVEPOINT urutu_1") {
		t.Errorf("not rolled back: %q", f.trips())
	}
	wantRows[User](t, f, 0)
	wantRows[Parent](t, f, 2)

	// Where it cannot be rolled back to, the outer scope has failed.
	err := f.Do(t.Context(), func(ctx context.Context) error {
		must(t, session.Add(ctx, &Parent{Name: "outer"}))
		inner, cancel := context.WithCancel(ctx)
		err := session.Nested(inner, func(ctx context.Context) error {
			must(t, session.Add(ctx, ann()))
			must(t, session.Flush(ctx))
			f.intercept(func(sc *driver.Script, run func() error) error {
				if len(sc.Statements) > 0 && strings.HasPrefix(sc.Statements[0].SQL, "ROLLBACK TO") {
					return &driver.ScriptError{Row: -1, Err: fault.Wrap(fault.Internal, "driver.Run", io.ErrUnexpectedEOF)}
				}
				return run()
			})
			cancel()
			return ctx.Err()
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		wantFault(t, session.Add(ctx, ann()), fault.SessionFailed)
		return nil
	})
	wantFault(t, err, fault.SessionFailed)
	wantRows[User](t, f, 0)
	wantRows[Parent](t, f, 2)
}

func case094(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		var kept, deeper context.Context
		err := session.Nested(ctx, func(ctx context.Context) error {
			kept = ctx
			must(t, session.Nested(ctx, func(ctx context.Context) error {
				deeper = ctx
				return session.Add(ctx, ann())
			}))
			return errInner
		})
		if !errors.Is(err, errInner) {
			t.Errorf("error %v", err)
		}
		f.reset()
		for _, ended := range []context.Context{kept, deeper} {
			wantFault(t, session.Add(ended, ann()), fault.ScopeClosed)
			wantFault(t, session.Flush(ended), fault.ScopeClosed)
			_, err = session.Find[User](ended)
			wantFault(t, err, fault.ScopeClosed)
			wantFault(t, session.Nested(ended, duplicate), fault.ScopeClosed)
			wantFault(t, session.Rollback(ended), fault.ScopeClosed)
		}
		if len(f.trips()) != 0 {
			t.Errorf("%q was sent", f.trips())
		}

		// A rollback by hand ends every savepoint that it is called in.
		err = session.Nested(ctx, func(ctx context.Context) error {
			must(t, session.Add(ctx, ann()))
			must(t, session.Flush(ctx))
			must(t, session.Rollback(ctx))
			wantFault(t, session.Add(ctx, ann()), fault.ScopeClosed)
			return nil
		})
		wantFault(t, err, fault.ScopeClosed)
		return session.Add(ctx, &Parent{Name: "the outer scope goes on"})
	})
	wantRows[User](t, f, 0)
	wantRows[Parent](t, f, 1)
}

func case095(t *testing.T, b backend) {
	f := open(t, b, func(c *session.Config) { c.Logger = slog.New(slog.DiscardHandler) })
	var ran []string
	hook := func(ctx context.Context, name string, result func() error) {
		must(t, uow.AfterCommit(ctx, func(ctx context.Context) error {
			if n, err := countIn(ctx, f); err != nil || n == 0 {
				t.Errorf("%s ran before the root's commit: %d, %v", name, n, err)
			}
			ran = append(ran, name)
			return result()
		}))
	}
	fine := func() error { return nil }
	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, ann()))
		hook(ctx, "first", func() error { return errInner })
		must(t, session.Nested(ctx, func(ctx context.Context) error {
			hook(ctx, "released", func() error { panic("oh dear") })
			must(t, session.Nested(ctx, func(ctx context.Context) error {
				hook(ctx, "released twice", fine)
				return nil
			}))
			_ = session.Nested(ctx, func(ctx context.Context) error {
				hook(ctx, "never", fine)
				return errInner
			})
			return nil
		}))
		_ = session.Nested(ctx, func(ctx context.Context) error {
			return errors.Join(session.Nested(ctx, func(ctx context.Context) error {
				hook(ctx, "never, though released", fine)
				return nil
			}), errInner)
		})
		hook(ctx, "last", fine)
		if len(ran) != 0 {
			t.Errorf("%q ran before the commit", ran)
		}
		return nil
	})
	if want := []string{"first", "released", "released twice", "last"}; !slices.Equal(ran, want) {
		t.Errorf("ran %q, want %q", ran, want)
	}
	wantRows[User](t, f, 1)

	ran = nil
	err := f.Do(t.Context(), func(ctx context.Context) error {
		must(t, session.Nested(ctx, func(ctx context.Context) error {
			hook(ctx, "released into a failing unit", fine)
			return nil
		}))
		return errInner
	})
	if !errors.Is(err, errInner) || len(ran) != 0 {
		t.Errorf("error %v; ran %q", err, ran)
	}
}

// countIn counts users in an independent unit of ctx: hooks have the connections and no unit.
func countIn(ctx context.Context, f *fixture) (n int64, err error) {
	err = session.New(ctx, func(ctx context.Context) error {
		n, err = session.Count[User](ctx, query.Eq(&users.Name, "Ann"))
		return err
	})
	return n, err
}
