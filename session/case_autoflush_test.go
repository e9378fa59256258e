package session_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

var autoflushCases = []testCase{
	{"case_069_flush_in_the_trip_of_the_query", withFixture(case069)},
	{"case_069_flush_in_the_trip_of_a_batch", withFixture(case069Batch)},
	{"case_070_unrelated_query", withFixture(case070)},
	{"case_070_raw_sql", withFixture(case070Raw)},
	{"case_070_always", withFixture(case070Always)},
	{"case_071_no_autoflush", withFixture(case071)},
	{"case_071_what_flushes_all_the_same", withFixture(case071Flushes)},
	{"case_072_autoflush_that_fails", withFixture(case072)},
	{"case_072_autoflush_of_many_that_fails", withFixture(case072Many)},
	{"case_072_query_that_fails", withFixture(case072Query)},
	{"case_073_get_answered_by_the_map", withFixture(case073)},
}

// Missing is an entity that has no table.
type Missing struct {
	entity.Table `db:"table:missings"`
	entity.Identifiable
}

// readers are the verbs that read users from the database; each sees the pending Ann or fails.
var readers = map[string]func(ctx context.Context) error{
	"Find": func(ctx context.Context) error {
		found, err := session.Find[User](ctx, query.Eq(&users.Name, "Ann"))
		return sees(len(found) == 1, err)
	},
	"First": func(ctx context.Context) error {
		_, err := session.First[User](ctx, query.Eq(&users.Name, "Ann"))
		return err
	},
	"Count": func(ctx context.Context) error {
		n, err := session.Count[User](ctx, query.Eq(&users.Name, "Ann"))
		return sees(n == 1, err)
	},
	"Exists": func(ctx context.Context) error {
		ok, err := session.Exists[User](ctx, query.Eq(&users.Name, "Ann"))
		return sees(ok, err)
	},
	"Page": func(ctx context.Context) error {
		page, err := session.Page[User](ctx, query.PageRequest{PageSize: 10}, query.Eq(&users.Name, "Ann"))
		return sees(page.Total == 1 && len(page.Items) == 1, err)
	},
	"Get with a lock": func(ctx context.Context) error {
		u, err := session.First[User](ctx, query.Eq(&users.Name, "Ann"), query.ForUpdate)
		return sees(u != nil, err)
	},
	"Lookup": func(ctx context.Context) error {
		_, ok, err := session.Lookup[User](ctx, uuid.New())
		return sees(!ok, err)
	},
	"GetMany": func(ctx context.Context) error {
		_, missing, err := session.GetMany[User](ctx, uuid.New(), uuid.New())
		return sees(len(missing) == 2, err)
	},
}

var errUnseen = errors.New("the query does not see what was pending")

func sees(ok bool, err error) error {
	if err == nil && !ok {
		return errUnseen
	}
	return err
}

// pendings make Ann pending: new, changed, and beside somebody who is to be deleted.
var pendings = map[string]func(t *testing.T, ctx context.Context, id uuid.UUID) error{
	"an insert": func(_ *testing.T, ctx context.Context, _ uuid.UUID) error { return session.Add(ctx, ann()) },
	"an update": func(t *testing.T, ctx context.Context, id uuid.UUID) error {
		get[User](t, ctx, id).Name = "Ann"
		return nil
	},
	"a delete": func(t *testing.T, ctx context.Context, id uuid.UUID) error {
		return errors.Join(session.Delete(ctx, get[User](t, ctx, id)), session.Add(ctx, ann()))
	},
}

func case069(t *testing.T, f *fixture) {
	for what, pend := range pendings {
		for verb, read := range readers {
			u := &User{Name: "Bob", Email: uuid.NewString()}
			f.do(t, func(ctx context.Context) error { return session.Add(ctx, u) })
			f.do(t, func(ctx context.Context) error {
				must(t, pend(t, ctx, u.ID))
				f.reset()
				if err := read(ctx); err != nil {
					t.Errorf("%s before %s: %v", what, verb, err)
				}
				wantAutoflush(t, f, what+" before "+verb)
				f.reset()
				if err := read(ctx); err != nil { // nothing is pending any more
					t.Errorf("%s before %s: %v", what, verb, err)
				}
				if f.sent("INSERT") || f.wrote("UPDATE users") || f.sent("DELETE") {
					t.Errorf("%s before %s: written twice: %q", what, verb, f.trips())
				}
				return session.Rollback(ctx)
			})
		}
	}
}

// wantAutoflush checks that one exchange has written and read, and left the transaction open.
func wantAutoflush(t *testing.T, f *fixture, what string) {
	t.Helper()
	sent := f.trips()
	if len(sent) != 1 {
		t.Errorf("%s: %d exchanges: %q", what, len(sent), sent)
		return
	}
	all := sent[0]
	first := slices.Min(slices.DeleteFunc(
		[]int{strings.Index(all, "INSERT"), strings.Index(all, "UPDATE"), strings.Index(all, "DELETE"), len(all)},
		func(i int) bool { return i < 0 },
	))
	if first == len(all) || strings.LastIndex(all, "SELECT") < first || !strings.HasPrefix(all, "BEGIN; ") || strings.Contains(all, "COMMIT") {
		t.Errorf("%s: sent is %q", what, all)
	}
}

func case069Batch(t *testing.T, f *fixture) {
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		get[User](t, ctx, id).Name = "Eve"
		must(t, session.Add(ctx, &Seat{Row: 1}, &Seat{Row: 2}))
		f.reset()
		var found []*User
		var seats, parents int
		must(t, session.Batch(ctx,
			session.FindInto(&found, query.Eq(&users.Name, "Eve")),
			session.CountInto[Seat](&seats),
			session.CountInto[Parent](&parents),
		))
		if len(found) != 1 || seats != 2 || parents != 0 {
			t.Errorf("%d users, %d seats, %d parents", len(found), seats, parents)
		}
		wantAutoflush(t, f, "a batch")
		return nil
	})
}

func case070(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, ann()))
		f.reset()
		_, err := session.Find[Account](ctx)
		must(t, err)
		_, err = session.Count[Seat](ctx)
		must(t, err)
		wantTrips(t, f, 2)
		if f.wrote("INSERT") || f.sent("BEGIN") || f.Stats()["default"].InUse > 0 {
			t.Errorf("sent is %q", f.trips())
		}
		return session.Rollback(ctx)
	})
}

func case070Raw(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, ann()))
		f.reset()
		var n int
		must(t, session.From(ctx).QueryRowContext(ctx, "SELECT count(*) FROM users").Scan(&n))
		if n != 1 || !f.wrote("INSERT") {
			t.Errorf("%d users; sent is %q", n, f.trips())
		}
		wantTrips(t, f, 1) // and what database/sql sends
		must(t, session.Add(ctx, &User{Email: "pending"}))
		must(t, session.From(ctx).QueryRowContext(session.NoAutoflush(ctx), "SELECT count(*) FROM users").Scan(&n))
		if n != 1 {
			t.Errorf("%d users without autoflush", n)
		}
		return nil
	})
}

func case070Always(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, ann()))
		f.reset()
		always := session.AlwaysAutoflush(ctx)
		_, err := session.Find[Account](session.NoAutoflush(always))
		must(t, err)
		if f.wrote("INSERT") {
			t.Errorf("the inner context does not count: %q", f.trips())
		}
		f.reset()
		_, err = session.Find[Account](session.AlwaysAutoflush(session.NoAutoflush(ctx)))
		must(t, err)
		wantAutoflush(t, f, "a query of another table")
		f.reset()
		_, err = session.Find[Account](always)
		must(t, err)
		wantTrips(t, f, 1)
		if f.wrote("INSERT") {
			t.Errorf("nothing is pending any more: %q", f.trips())
		}
		return nil
	})
	wantRows[User](t, f, 1)
}

func case071(t *testing.T, f *fixture) {
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		get[User](t, ctx, id).Name = "Eve"
		must(t, session.Add(ctx, ann()))
		f.reset()
		quiet := session.NoAutoflush(ctx)
		for verb, read := range readers {
			if err := read(quiet); err != nil && !errors.Is(err, errUnseen) && !errors.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", verb, err)
			}
		}
		found, err := session.Find[User](quiet, query.Eq(&users.Email, ann().Email))
		if len(found) != 0 || err != nil {
			t.Errorf("found %d, %v", len(found), err)
		}
		if f.wrote("INSERT INTO users") || f.wrote("UPDATE users") {
			t.Errorf("sent is %q", f.trips())
		}
		return nil // the commit
	})
	if u := row[User](t, f, id); u.Name != "Eve" {
		t.Errorf("the commit left out %+v", u)
	}
	wantRows[User](t, f, 2)
}

func case071Flushes(t *testing.T, f *fixture) {
	for what, do := range map[string]func(ctx context.Context) error{
		"Flush":  session.Flush,
		"Commit": session.Commit,
		"Nested": func(ctx context.Context) error {
			return session.Nested(ctx, func(context.Context) error {
				if !f.wrote("INSERT INTO users") {
					t.Error("pending inside of a savepoint")
				}
				return nil
			})
		},
	} {
		f.do(t, func(ctx context.Context) error {
			must(t, session.Add(ctx, &User{Email: uuid.NewString()}))
			f.reset()
			must(t, do(session.NoAutoflush(ctx)))
			if !f.wrote("INSERT INTO users") {
				t.Errorf("%s: sent is %q", what, f.trips())
			}
			return nil
		})
	}
	wantRows[User](t, f, 3)
}

func case072(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, ann()) })
	for verb, read := range readers {
		f.do(t, func(ctx context.Context) error {
			twin := ann()
			must(t, session.Add(ctx, twin))
			f.reset()
			err := read(ctx)
			wantFault(t, err, fault.Unique)
			var e *fault.Error
			if !errors.As(err, &e) || e.Entity != "session_test.User" || e.Key != twin.ID.String() ||
				!strings.Contains(err.Error(), "during autoflush before the query of users") {
				t.Errorf("%s: %v (%+v)", verb, err, e)
			}
			wantFault(t, ignore(session.Find[Account](ctx)), fault.SessionFailed)
			return session.Rollback(ctx)
		})
	}
	err := f.Do(t.Context(), func(ctx context.Context) error {
		obj := get[User](t, ctx, row1(t, ctx).ID)
		obj.Name = "Eve"
		return ignore(session.Count[User](ctx))
	}, uow.Options{ReadOnly: true})
	wantFault(t, err, fault.ReadOnly)
	if !strings.Contains(err.Error(), "during autoflush before the query of users") {
		t.Error(err)
	}
}

// row1 returns the one user that there is.
func row1(t *testing.T, ctx context.Context) *User {
	t.Helper()
	u, err := session.First[User](ctx)
	must(t, err)
	return u
}

// A batch of rows of which the database does not say which one it is.
func case072Many(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, ann()) })
	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, &User{Email: "first"}, ann(), &User{Email: "last"}))
		err := ignore(session.Find[User](ctx))
		wantFault(t, err, fault.Unique)
		var e *fault.Error
		if !errors.As(err, &e) || e.Entity != "session_test.User" || !strings.Contains(err.Error(), "during autoflush before the query of users") {
			t.Errorf("%v (%+v)", err, e)
		}
		return session.Rollback(ctx)
	})
}

// A query that fails is not taken for the flush before it.
func case072Query(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, ann()))
		err := ignore(session.Find[Missing](session.AlwaysAutoflush(ctx)))
		var e *fault.Error
		if !errors.As(err, &e) || e.Entity != "session_test.Missing" || strings.Contains(err.Error(), "autoflush") {
			t.Errorf("%v (%+v)", err, e)
		}
		return session.Rollback(ctx)
	})
}

func case073(t *testing.T, f *fixture) {
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		u := get[User](t, ctx, id)
		u.Name = "Eve"
		pending := ann()
		must(t, session.Add(ctx, pending))
		f.reset()
		for _, ctx := range []context.Context{ctx, session.AlwaysAutoflush(ctx)} {
			if get[User](t, ctx, id) != u || get[User](t, ctx, pending.ID) != pending {
				t.Error("other objects")
			}
			if got, ok, err := session.Lookup[User](ctx, id); got != u || !ok || err != nil {
				t.Errorf("%v, %t, %v", got, ok, err)
			}
			found, missing, err := session.GetMany[User](ctx, id, pending.ID, id)
			if len(found) != 3 || len(missing) != 0 || err != nil {
				t.Errorf("%d found, %d missing, %v", len(found), len(missing), err)
			}
			var again *User
			if err := session.Batch(ctx, session.GetInto(&again, id)); again != u || err != nil {
				t.Errorf("%v, %v", again, err)
			}
		}
		wantTrips(t, f, 0)
		return session.Rollback(ctx)
	})
}
