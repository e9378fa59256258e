package conformance

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// fixture is one library on one database with one connection: whoever took another one would wait for ever.
type fixture struct {
	*session.DB
	library
	database urututest.Database
}

// contract is what holds for every library on every database.
var contract = []struct {
	name string
	run  func(t *testing.T, f *fixture)
}{
	{"it sees what the session has pending", seesPending},
	{"the session sees what it writes", isSeen},
	{"a rollback undoes both", rollbackUndoesBoth},
	{"a commit makes both durable", commitKeepsBoth},
	{"a savepoint undoes it", savepointUndoes},
	{"its error has a kind", errorHasAKind},
	{"its error fails the session", errorFailsTheSession},
	{"its error ends with the savepoint", errorEndsWithTheSavepoint},
	{"open rows refuse the next statement", openRowsRefuse},
	{"open rows end with the unit", openRowsEnd},
	{"a context that is done sends nothing", deadContext},
	{"it cannot end the transaction", cannotEnd},
	{"it is dead after the unit", deadAfterTheUnit},
}

// TestContract: what the session promises holds for every library on every database, on the session's own connection.
func TestContract(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l library, d urututest.Database) {
		f := &fixture{openDB(t, d, 1), l, d}
		for _, c := range contract {
			t.Run(c.name, func(t *testing.T) {
				c.run(t, f)
				f.clean(t)
			})
		}
	})
}

// each runs a test for every library on every database.
func each(t *testing.T, run func(t *testing.T, l library, d urututest.Database)) {
	for _, l := range libraries {
		for _, d := range urututest.Databases() {
			t.Run(l.name+"/"+string(d), func(t *testing.T) {
				t.Parallel()
				if opened := l.open(t, d); opened != nil {
					run(t, opened, d)
				}
			})
		}
	}
}

// clean empties the table, and sees to it that no connection was left behind.
func (f *fixture) clean(t *testing.T) {
	t.Helper()
	for name, s := range f.Stats() {
		// SQLite has one to read and one to write.
		if s.InUse != 0 || s.OpenConnections > 2 || f.database == urututest.InPostgres && s.OpenConnections != 1 {
			t.Errorf("connection %q: %d in use, %d open", name, s.InUse, s.OpenConnections)
		}
	}
	f.do(t, func(ctx context.Context) error {
		_, err := session.From(ctx).ExecContext(ctx, "DELETE FROM books")
		return err
	})
}

// do runs fn as a unit that has to end well.
func (f *fixture) do(t *testing.T, fn func(ctx context.Context) error) {
	t.Helper()
	urututest.Do(t, f.DB, fn)
}

var errStop = errors.New("stop")

// undo runs fn as a unit that is rolled back.
func (f *fixture) undo(t *testing.T, fn func(ctx context.Context) error) {
	t.Helper()
	err := f.Do(t.Context(), func(ctx context.Context) error {
		if err := fn(ctx); err != nil {
			t.Error(err)
		}
		return errStop
	})
	if err != errStop { //nolint:errorlint // nothing else may have gone wrong
		t.Errorf("the unit ended with %v", err)
	}
}

// sees fails the test unless the library sees these titles.
func (f *fixture) sees(ctx context.Context, t *testing.T, want ...string) {
	t.Helper()
	got, err := f.titles(ctx)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("the library sees %q, not %q: %v", got, want, err)
	}
}

// wantDurable fails the test unless these are the titles that a new unit finds, all of them written on one connection.
func (f *fixture) wantDurable(t *testing.T, want ...string) {
	t.Helper()
	f.do(t, func(ctx context.Context) error {
		all, err := session.Find[Book](ctx, query.Asc(&books.ISBN))
		var got []string
		for _, b := range all {
			got = append(got, b.Title)
			if b.Connection != all[0].Connection {
				t.Errorf("%s was written on connection %d, %s on %d", b.Title, b.Connection, got[0], all[0].Connection)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q are durable, not %q", got, want)
		}
		return err
	})
}

// both writes a book with the session, which leaves it pending, and one with the library.
func (f *fixture) both(ctx context.Context) error {
	return errors.Join(session.Add(ctx, &Book{ISBN: "1", Title: "session"}), f.insert(ctx, "2", "library"))
}

func seesPending(t *testing.T, f *fixture) {
	f.undo(t, func(ctx context.Context) error {
		a, b := &Book{ISBN: "1", Title: "added"}, &Book{ISBN: "2", Title: "to be deleted"}
		must(t, session.Add(ctx, a, b))
		f.sees(ctx, t, "added", "to be deleted")
		a.Title = "changed"
		f.sees(ctx, t, "changed", "to be deleted")
		must(t, session.Delete(ctx, b))
		f.sees(ctx, t, "changed")
		a.Title = "changed again"
		must(t, f.insert(ctx, "3", "after it"))
		f.sees(ctx, t, "changed again", "after it")
		return nil
	})
}

func isSeen(t *testing.T, f *fixture) {
	f.undo(t, func(ctx context.Context) error {
		a := &Book{ISBN: "1", Title: "session"}
		must(t, session.Add(ctx, a))
		must(t, f.retitle(ctx, "1", "retitled"))
		must(t, session.Refresh(ctx, a))
		if a.Title != "retitled" {
			t.Errorf("after Refresh the title is %q", a.Title)
		}
		must(t, f.insert(ctx, "2", "library"))
		b, err := session.First[Book](ctx, query.Eq(&books.ISBN, "2"))
		must(t, err)
		b.Title = "by both"
		f.sees(ctx, t, "retitled", "by both")
		return nil
	})
}

func rollbackUndoesBoth(t *testing.T, f *fixture) {
	f.undo(t, f.both)
	f.wantDurable(t)
	f.do(t, func(ctx context.Context) error {
		must(t, f.both(ctx))
		must(t, session.Rollback(ctx))
		f.sees(ctx, t)
		return nil
	})
	f.wantDurable(t)
}

func commitKeepsBoth(t *testing.T, f *fixture) {
	f.do(t, f.both)
	f.wantDurable(t, "session", "library")
	f.do(t, func(ctx context.Context) error {
		must(t, f.insert(ctx, "3", "by hand"))
		must(t, session.Commit(ctx))
		must(t, f.insert(ctx, "4", "after it"))
		return nil
	})
	f.wantDurable(t, "session", "library", "by hand", "after it")
}

func savepointUndoes(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, &Book{ISBN: "0", Title: "before"}))
		err := session.Nested(ctx, func(ctx context.Context) error {
			must(t, f.both(ctx))
			f.sees(ctx, t, "before", "session", "library")
			return errStop
		})
		if !errors.Is(err, errStop) || err.Error() != errStop.Error() {
			t.Errorf("the savepoint ended with %v", err)
		}
		f.sees(ctx, t, "before")
		must(t, session.Nested(ctx, func(ctx context.Context) error { return f.insert(ctx, "3", "kept") }))
		return f.insert(ctx, "4", "after")
	})
	f.wantDurable(t, "before", "kept", "after")
}

func errorHasAKind(t *testing.T, f *fixture) {
	err := f.Do(t.Context(), func(ctx context.Context) error {
		must(t, f.both(ctx))
		return f.insert(ctx, "1", "again")
	})
	f.wantDuplicate(t, err)
	f.wantDurable(t)
}

// wantDuplicate fails the test unless err has its kind, and the driver's own error below it.
func (f *fixture) wantDuplicate(t *testing.T, err error) {
	t.Helper()
	var pg *pgconn.PgError
	var lite *sqlite.Error
	if !errors.Is(err, fault.Unique) || !errors.As(err, &pg) && !errors.As(err, &lite) {
		t.Errorf("a duplicate is %v", err)
	}
}

func errorFailsTheSession(t *testing.T, f *fixture) {
	err := f.Do(t.Context(), func(ctx context.Context) error {
		must(t, f.both(ctx))
		f.wantDuplicate(t, f.insert(ctx, "1", "again"))
		wantFault(t, f.insert(ctx, "3", "after it"), fault.SessionFailed)
		wantFault(t, session.Flush(ctx), fault.SessionFailed)
		return nil
	})
	wantFault(t, err, fault.SessionFailed)
	f.wantDuplicate(t, err) // it says why
	f.wantDurable(t)
}

func errorEndsWithTheSavepoint(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, &Book{ISBN: "1", Title: "session"}))
		f.wantDuplicate(t, session.Nested(ctx, func(ctx context.Context) error {
			must(t, f.insert(ctx, "2", "undone"))
			return f.insert(ctx, "1", "again")
		}))
		wantFault(t, session.Nested(ctx, func(ctx context.Context) error {
			f.wantDuplicate(t, f.insert(ctx, "1", "again"))
			return nil // which is not how to say that it failed
		}), fault.SessionFailed)
		return f.insert(ctx, "2", "library")
	})
	f.wantDurable(t, "session", "library")
}

func openRowsRefuse(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		must(t, f.both(ctx))
		end, err := f.rows(ctx)
		must(t, err)
		wantFault(t, f.insert(ctx, "3", "between rows"), fault.ConcurrentUse)
		_, err = f.titles(ctx)
		wantFault(t, err, fault.ConcurrentUse)
		wantFault(t, second(session.Count[Book](ctx)), fault.ConcurrentUse)
		must(t, end())
		f.sees(ctx, t, "session", "library")
		return f.insert(ctx, "3", "after the rows")
	})
	f.wantDurable(t, "session", "library", "after the rows")
}

func openRowsEnd(t *testing.T, f *fixture) {
	for _, failure := range []error{errStop, nil} {
		err := f.Do(t.Context(), func(ctx context.Context) error {
			must(t, f.both(ctx))
			must(t, second(f.rows(ctx)))
			return failure
		})
		if err != failure { //nolint:errorlint // it has to be the same
			t.Errorf("the unit ended with %v, not %v", err, failure)
		}
	}
	f.wantDurable(t, "session", "library")
}

func deadContext(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		dead, cancel := context.WithCancel(ctx)
		cancel()
		for range 2 { // before the transaction has begun, and inside of it
			if err := f.insert(dead, "1", "never"); !errors.Is(err, context.Canceled) {
				t.Errorf("a statement of a context that is done: %v", err)
			}
			must(t, f.retitle(ctx, "1", "none of it"))
		}
		return f.insert(ctx, "2", "library")
	})
	f.wantDurable(t, "library")
}

func cannotEnd(t *testing.T, f *fixture) {
	f.undo(t, func(ctx context.Context) error {
		must(t, f.both(ctx))
		if err := f.commit(ctx); err != nil && !errors.Is(err, fault.Unsupported) {
			t.Errorf("to commit is %v", err)
		}
		f.sees(ctx, t, "session", "library") // the session has not failed
		return nil
	})
	f.wantDurable(t)
}

func deadAfterTheUnit(t *testing.T, f *fixture) {
	var kept context.Context
	f.do(t, func(ctx context.Context) error {
		kept = ctx
		return f.both(ctx)
	})
	wantFault(t, f.insert(kept, "3", "too late"), fault.SessionClosed)
	wantFault(t, second(f.titles(kept)), fault.SessionClosed)
	wantFault(t, second(f.rows(kept)), fault.SessionClosed)
	f.wantDurable(t, "session", "library")
}

// TestDeadlineInterruptsALibrary: a deadline ends a statement that waits in the database. The unit has failed, and the
// one around it, for which it has waited, goes on.
func TestDeadlineInterruptsALibrary(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l library, d urututest.Database) {
		if d != urututest.InPostgres {
			return // SQLite has one writer: nobody waits inside of a statement
		}
		f := &fixture{openDB(t, d, 2), l, d}
		f.do(t, func(ctx context.Context) error {
			must(t, f.insert(ctx, "1", "first"))
			err := session.New(ctx, func(ctx context.Context) error {
				must(t, f.insert(ctx, "2", "undone"))
				soon, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
				defer cancel()
				err := f.insert(soon, "1", "waits for the first")
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the deadline ends it with %v", err)
				}
				return nil
			})
			wantFault(t, err, fault.SessionFailed)
			return f.insert(ctx, "3", "second")
		})
		f.wantDurable(t, "first", "second")
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantFault(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("error %v, want %s", err, kind)
	}
}

func second[T any](_ T, err error) error { return err }
