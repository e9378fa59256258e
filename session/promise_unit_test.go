package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

// Promise 2: whatever asks for a unit, it has one session and one transaction, by the same verbs.
func TestPromise02_one_session_and_one_transaction_per_unit(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		inUnit := func(ctx context.Context) error {
			s := session.From(ctx)
			must(t, session.Add(ctx, &Parent{Name: "first"}))
			must(t, session.Flush(ctx))
			if session.From(ctx) != s {
				t.Error("another session in the same unit")
			}
			return session.Add(ctx, &Parent{Name: "second"})
		}
		runner := f.Runner()
		units := map[string]func() error{
			"a plain unit": func() error { return f.Do(t.Context(), inUnit) },
			"a unit that another joins": func() error {
				return f.Do(t.Context(), func(ctx context.Context) error { return f.Do(ctx, inUnit) })
			},
			"an independent unit": func() error { return session.New(f.Context(t.Context()), inUnit) },
		}
		for _, kind := range []uow.Kind{uow.HTTP, uow.Message, uow.Tick, uow.Job} {
			units[string(kind)] = func() error { return runner.Do(t.Context(), uow.Op{Kind: kind, Name: "test"}, inUnit) }
		}
		rows := int64(0)
		for name, run := range units {
			f.reset()
			must(t, run())
			sent := strings.Join(f.trips(), "; ")
			if strings.Count(sent, "BEGIN") != 1 || strings.Count(sent, "COMMIT") != 1 || f.connections() != 1 {
				t.Errorf("%s: %q", name, sent)
			}
			rows += 2
			wantRows[Parent](t, f, rows)
		}
	})
}

// Promise 4: a unit that does not touch the database costs it nothing.
func TestPromise04_cheap_to_begin(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		f.do(t, func(context.Context) error { return nil })
		f.do(t, func(ctx context.Context) error {
			_ = session.From(ctx)
			return session.Nested(ctx, func(ctx context.Context) error {
				return session.New(ctx, session.Flush)
			})
		})
		if f.connections() != 0 || len(f.trips()) != 0 {
			t.Errorf("%d connections; %q", f.connections(), f.trips())
		}
	})
}

// Promise 5: which connections an operation uses, and how, is the operation's own to say.
func TestPromise05_options_per_operation(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		p := openPair(t, b)
		touch := func(ctx context.Context) error {
			_, err := session.Count[Parent](session.On(ctx, "analytics"))
			return err
		}
		must(t, p.Do(t.Context(), touch))
		must(t, p.Do(t.Context(), touch, uow.Options{Uses: []string{"analytics"}}))
		must(t, p.Do(t.Context(), touch, uow.Options{Skip: []string{"main"}}))
		wantFault(t, p.Do(t.Context(), touch, uow.Options{Uses: []string{"main"}}), fault.Misconfigured)
		wantFault(t, p.Do(t.Context(), touch, uow.Options{Skip: []string{"analytics"}}), fault.Misconfigured)

		f := open(t, b)
		f.reset()
		err := f.Do(t.Context(), func(ctx context.Context) error { return session.Add(ctx, ann()) }, uow.Options{ReadOnly: true})
		wantFault(t, err, fault.ReadOnly)
		if len(f.trips()) != 0 {
			t.Errorf("%q was sent", f.trips())
		}
		err = f.Do(t.Context(), func(ctx context.Context) error {
			must(t, session.Add(ctx, ann()))
			must(t, session.Flush(ctx))
			<-ctx.Done()
			return ctx.Err()
		}, uow.Options{Timeout: 20 * time.Millisecond})
		wantFault(t, err, fault.StatementTimeout)
		wantRows[User](t, f, 0)
		wantIdle(t, f.DB)
		if b.name != "postgres" { // SQLite has one level, the highest
			return
		}
		for _, level := range []uow.Isolation{uow.DefaultIsolation, uow.RepeatableRead, uow.Serializable} {
			must(t, f.Do(t.Context(), func(ctx context.Context) error {
				var got string
				must(t, session.From(ctx).QueryRowContext(ctx, "SHOW transaction_isolation").Scan(&got))
				if !strings.EqualFold(got, level.String()) {
					t.Errorf("%s instead of %s", got, level)
				}
				return nil
			}, uow.Options{Isolation: level}))
		}
	})
}

// Promise 9: commit on nil, rollback on an error or a panic, and the truth about which.
func TestPromise09_committed_automatically(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		f.do(t, func(ctx context.Context) error { return session.Add(ctx, ann()) })
		add := func(ctx context.Context) { must(t, session.Add(ctx, &Parent{Name: "lost"})) }
		if err := f.Do(t.Context(), func(ctx context.Context) error { add(ctx); return errInner }); !errors.Is(err, errInner) {
			t.Errorf("%v", err)
		}
		func() {
			defer func() { _ = recover() }()
			_ = f.Do(t.Context(), func(ctx context.Context) error { add(ctx); panic("oh dear") })
			t.Error("the panic was swallowed")
		}()
		err := f.Do(t.Context(), func(ctx context.Context) error {
			add(ctx)
			_ = duplicate(ctx) // and answer with success
			return nil
		})
		wantFault(t, err, fault.SessionFailed)
		wantRows[User](t, f, 1)
		wantRows[Parent](t, f, 0)
		wantIdle(t, f.DB)
	})
}

// Promise 10: a goroutine that outlives the unit cannot write what nobody commits.
func TestPromise10_no_use_after_the_end(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		ended, result := make(chan struct{}), make(chan error)
		f.do(t, func(ctx context.Context) error {
			go func() {
				<-ended
				result <- session.Add(ctx, &Parent{Name: "too late"})
			}()
			return session.Add(ctx, ann())
		})
		close(ended)
		wantFault(t, <-result, fault.SessionClosed)
		wantRows[Parent](t, f, 0)
	})
}

// Promise 11: a unit whose context ends is rolled back, by a rollback that does not use that context.
func TestPromise11_cancellation_and_timeouts_roll_back(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b, oneConnection)
		for name, end := range map[string]func(cancel context.CancelFunc) (uow.Options, error){
			"returns the error": func(cancel context.CancelFunc) (uow.Options, error) { cancel(); return uow.Options{}, context.Canceled },
			"says nothing":      func(cancel context.CancelFunc) (uow.Options, error) { cancel(); return uow.Options{}, nil },
		} {
			ctx, cancel := context.WithCancel(t.Context())
			err := f.Do(ctx, func(ctx context.Context) error {
				must(t, session.Add(ctx, ann()))
				must(t, session.Flush(ctx))
				_, err := end(cancel)
				return err
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
			wantIdle(t, f.DB)
			wantRows[User](t, f, 0)
		}
		err := f.Do(t.Context(), func(ctx context.Context) error {
			must(t, session.Add(ctx, ann()))
			must(t, session.Flush(ctx))
			<-ctx.Done()
			_, err := session.Find[Parent](ctx)
			return err
		}, uow.Options{Name: "report", Timeout: 20 * time.Millisecond})
		wantFault(t, err, fault.StatementTimeout)
		if !strings.Contains(err.Error(), "20ms") {
			t.Errorf("%v does not say which timeout", err)
		}
		wantIdle(t, f.DB)
		wantRows[User](t, f, 0)
	})
}

// Promise 33: commit and rollback by hand; the session goes on after both.
func TestPromise33_commit_and_rollback_by_hand(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		var ran []string
		hook := func(ctx context.Context, name string) {
			must(t, uow.AfterCommit(ctx, func(context.Context) error { ran = append(ran, name); return nil }))
			must(t, uow.AfterRollback(ctx, func(context.Context) error { ran = append(ran, "undo "+name); return nil }))
		}
		runs := 0
		user := ann()
		err := f.Do(t.Context(), func(ctx context.Context) error {
			runs++
			must(t, session.Add(ctx, user))
			must(t, stage(ctx, "staged"))
			hook(ctx, "committed")
			must(t, session.Commit(ctx))
			if !slices.Equal(ran, []string{"committed"}) {
				t.Errorf("ran %q by the commit", ran)
			}
			wantRows[User](t, f, 1) // seen by others
			wantRows[Parent](t, f, 1)

			hook(ctx, "rolled back")
			user.Name = "changed"
			must(t, session.Flush(ctx))
			must(t, session.Rollback(ctx))
			if user.Name != "Ann" || !slices.Equal(ran, []string{"committed", "undo rolled back"}) {
				t.Errorf("name %q; ran %q by the rollback", user.Name, ran)
			}

			hook(ctx, "failed")
			user.Name = "lost with the unit"
			must(t, session.Flush(ctx))
			return fault.New(fault.Deadlock, "") // which runs a unit again, but not this one
		})
		wantFault(t, err, fault.Deadlock)
		if runs != 1 || !slices.Equal(ran, []string{"committed", "undo rolled back", "undo failed"}) {
			t.Errorf("%d runs; ran %q", runs, ran)
		}
		if got := row[User](t, f, user.ID); got.Name != "Ann" {
			t.Errorf("stored is %+v", got)
		}
		wantIdle(t, f.DB)

		inNested := f.Do(t.Context(), func(ctx context.Context) error { return session.Nested(ctx, session.Commit) })
		wantFault(t, inNested, fault.Unsupported)
		inQueue := f.Runner().Do(t.Context(), uow.Op{Kind: uow.Message, Name: "queue"}, func(ctx context.Context) error {
			must(t, session.New(ctx, session.Commit)) // what to use instead
			return session.Commit(ctx)
		})
		wantFault(t, inQueue, fault.Unsupported)
	})
}

// Promise 34: a nested transaction that fails is undone in the database and in the objects, and the unit goes on.
func TestPromise34_nested_transactions(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		f.do(t, func(ctx context.Context) error {
			user := ann()
			must(t, session.Add(ctx, user))
			err := session.Nested(ctx, func(ctx context.Context) error {
				user.Name = "undone"
				must(t, session.Flush(ctx))
				must(t, session.Nested(ctx, func(ctx context.Context) error {
					user.Age = 99
					return session.Add(ctx, &Parent{Name: "undone with its surroundings"})
				}))
				return errInner
			})
			if !errors.Is(err, errInner) || *user != (User{Identifiable: user.Identifiable, Dated: user.Dated, Name: "Ann", Email: user.Email}) {
				t.Errorf("%v: %+v", err, user)
			}
			return session.Nested(ctx, func(ctx context.Context) error { user.Age = 30; return nil })
		})
		wantRows[Parent](t, f, 0)
		f.do(t, func(ctx context.Context) error {
			user, err := session.First[User](ctx)
			must(t, err)
			if user.Name != "Ann" || user.Age != 30 {
				t.Errorf("stored is %+v", user)
			}
			return nil
		})
	})
}

// createUserSafe is the page's example of an error that is found out by a flush.
func createUserSafe(ctx context.Context, name, email string) (*User, error) {
	user := &User{Name: name, Email: email}
	if err := session.Add(ctx, user); err != nil {
		return nil, err
	}
	if err := session.Flush(ctx); errors.Is(err, fault.Unique) { // check for errors before the commit
		if rollbackErr := session.Rollback(ctx); rollbackErr != nil {
			return nil, errors.Join(err, rollbackErr)
		}
		return nil, fmt.Errorf("user already exists: %w", err)
	} else if err != nil {
		return nil, err
	}
	return user, nil
}

// Promise 35: the flush says which constraint of which entity was violated, and the unit can go on.
func TestPromise35_flush_then_handle_a_duplicate(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		create := func(ctx context.Context) error { _, err := createUserSafe(ctx, "Ann", "ann@example.com"); return err }
		must(t, f.Do(t.Context(), create))
		err := f.Do(t.Context(), create)
		wantFault(t, err, fault.Unique)
		var e *fault.Error
		if !errors.As(err, &e) || e.Entity != "session_test.User" || e.Table != "users" || e.Key == "" ||
			e.Constraint != "users_email_key" || !slices.Equal(e.Columns, []string{"email"}) || !strings.HasPrefix(err.Error(), "user already exists: ") {
			t.Errorf("%+v of %v", e, err)
		}
		f.do(t, func(ctx context.Context) error { // handled, the unit goes on, without what it had done before
			must(t, session.Add(ctx, &Parent{Name: "before"}))
			wantFault(t, create(ctx), fault.Unique)
			return session.Add(ctx, &Parent{Name: "after"})
		})
		wantRows[Parent](t, f, 1)
		f.do(t, func(ctx context.Context) error { // and with it, in a savepoint
			must(t, session.Add(ctx, &Parent{Name: "before"}))
			wantFault(t, session.Nested(ctx, duplicate), fault.Unique)
			return session.Add(ctx, &Parent{Name: "after"})
		})
		wantRows[Parent](t, f, 3)
		wantRows[User](t, f, 1)
	})
}
