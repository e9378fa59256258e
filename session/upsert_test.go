package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

// Badge has a unique key of two columns, one that can be NULL, and one that is deferrable.
type Badge struct {
	entity.Serial
	entity.Versioned
	Site   string  `db:"site,unique=badges_place"`
	Number int     `db:"number,unique=badges_place"`
	Code   *string `db:"code,unique"`
	Late   int     `db:"late,unique,deferrable"`
	Holder string  `db:"holder,readonly"`
	Colour string  `db:"colour,default='blue'"`
	Label  string  `db:"label,generated=site || '-' || colour"`
	Text   string
}

// Desk belongs to a badge, whose key the database makes.
type Desk struct {
	Name    string `db:"name,pk"`
	BadgeID int64  `db:"badge_id,ref=badges"`
	Badge   *Badge `rel:"badge_id"`
}

var badges = entity.Columns[Badge]()

func withBadges(t testing.TB, b backend, change ...func(*session.Config)) *fixture {
	t.Helper()
	f := open(t, b, change...)
	f.do(t, func(ctx context.Context) error { return session.CreateTables(ctx, (*Badge)(nil), (*Desk)(nil)) })
	f.reset()
	return f
}

func upsertUser(t testing.TB, ctx context.Context, u *User, clauses ...query.UpsertClause) *User {
	t.Helper()
	got, err := session.Upsert(ctx, u, clauses...)
	must(t, err)
	return got
}

func TestUpsertInsertsTheRowThatIsNotThere(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		u := ann()
		f.do(t, func(ctx context.Context) error {
			if got := upsertUser(t, ctx, u); got != u || u.ID == uuid.Nil || u.CreatedAt.IsZero() || u.UpdatedAt != u.CreatedAt {
				t.Errorf("%+v", got)
			}
			wantTrips(t, f, 1)
			if trip := f.trips()[0]; !strings.HasPrefix(trip, "BEGIN; INSERT INTO ") {
				t.Errorf("sent %q", trip)
			}
			wantState(t, ctx, u, session.Persistent)
			if again := get[User](t, ctx, u.ID); again != u {
				t.Error("it is not the session's object of the row")
			}
			wantTrips(t, f, 1)
			u.Age = 7
			return nil
		})
		if got := row[User](t, f, u.ID); got.Age != 7 || got.Name != "Ann" {
			t.Errorf("%+v", got)
		}
	})
}

func TestUpsertUpdatesTheRowWithItsKey(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		id := stored(t, f)
		before := row[User](t, f, id)
		f.clock.advance(time.Hour)
		f.do(t, func(ctx context.Context) error {
			u := &User{Identifiable: entity.Identifiable{ID: id}, Name: "Bob", Email: "bob@example.com"}
			if got := upsertUser(t, ctx, u); got != u || !u.CreatedAt.Equal(before.CreatedAt) || !u.UpdatedAt.Equal(before.UpdatedAt.Add(time.Hour)) {
				t.Errorf("%+v", got)
			}
			if changed, err := session.IsModified(ctx, u); changed || err != nil {
				t.Errorf("it differs from its row, %v", err)
			}
			return nil
		})
		if got := row[User](t, f, id); got.Name != "Bob" || got.Email != "bob@example.com" {
			t.Errorf("%+v", got)
		}
		if n := count[User](t, f); n != 1 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestUpsertFindsTheRowByAUniqueKey(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		first := ann()
		f.do(t, func(ctx context.Context) error { return session.Add(ctx, first) })
		f.do(t, func(ctx context.Context) error {
			u := &User{Name: "Anna", Email: first.Email}
			if got := upsertUser(t, ctx, u, query.OnConflict(&users.Email)); got != u || u.ID != first.ID || !u.CreatedAt.Equal(first.CreatedAt) {
				t.Errorf("%+v, want the row of %v", u, first.ID)
			}
			if again := get[User](t, ctx, first.ID); again != u {
				t.Error("it is not the session's object of the row")
			}
			return nil
		})
		if got := row[User](t, f, first.ID).Name; got != "Anna" {
			t.Errorf("it is called %s", got)
		}
	})
}

// TestUpsertOfARowThatTheSessionHas: one row is one object, the one that was there.
func TestUpsertOfARowThatTheSessionHas(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		id := stored(t, f)
		f.do(t, func(ctx context.Context) error {
			mine := get[User](t, ctx, id)
			mine.Age = 7 // goes first
			u := &User{Name: "Bob", Email: mine.Email}
			got := upsertUser(t, ctx, u, query.OnConflict(&users.Email), query.Overwrite(&users.Name))
			if got != mine || mine.Name != "Bob" || mine.Age != 7 || u.ID != id || u.Age != 7 {
				t.Errorf("%+v and %+v", got, u)
			}
			wantState(t, ctx, u, session.Transient)
			return nil
		})
	})
}

func TestUpsertOfAnObjectThatTheSessionFollows(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		id := stored(t, f)
		added := ann()
		f.do(t, func(ctx context.Context) error {
			mine := get[User](t, ctx, id)
			mine.Name = "Bob"
			must(t, session.Add(ctx, added))
			got, err := session.UpsertMany(ctx, []*User{mine, added})
			must(t, err)
			if got[0] != mine || got[1] != added || f.sent("CONFLICT") {
				t.Errorf("%v, sent %q", got, f.trips())
			}
			wantState(t, ctx, added, session.Persistent)
			return nil
		})
		if got := row[User](t, f, id).Name; got != "Bob" {
			t.Errorf("it is called %s", got)
		}
	})
}

// TestUpsertBehindWhatIsPending: another new object has the same unique value.
func TestUpsertBehindWhatIsPending(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		f.do(t, func(ctx context.Context) error {
			first := ann()
			must(t, session.Add(ctx, first))
			got := upsertUser(t, session.NoAutoflush(ctx), &User{Name: "Anna", Email: first.Email}, query.OnConflict(&users.Email))
			if got != first || first.Name != "Anna" {
				t.Errorf("%+v", got)
			}
			wantTrips(t, f, 1)
			return nil
		})
	})
}

func TestUpsertOverwritesOnlyWhatIsNamed(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		first := ann()
		first.Age = 30
		f.do(t, func(ctx context.Context) error { return session.Add(ctx, first) })
		f.clock.advance(time.Hour)
		nick := "A"
		f.do(t, func(ctx context.Context) error {
			u := &User{Name: "Anna", Email: first.Email, Age: 1, Nick: &nick}
			upsertUser(t, ctx, u, query.OnConflict(&users.Email), query.Overwrite(&users.Name), query.Overwrite(&users.Nick))
			if u.Name != "Anna" || u.Age != 30 || *u.Nick != "A" || !u.UpdatedAt.After(first.UpdatedAt) {
				t.Errorf("%+v", u)
			}
			return nil
		})
		if got := row[User](t, f, first.ID); got.Name != "Anna" || got.Age != 30 {
			t.Errorf("%+v", got)
		}
	})
}

func TestUpsertOfWhatOnlyTheDatabaseKnows(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withBadges(t, b)
		var id int64
		f.do(t, func(ctx context.Context) error {
			place := []query.UpsertClause{query.OnConflict(&badges.Number), query.OnConflict(&badges.Site)}
			one := &Badge{Site: "north", Number: 1, Holder: "Ann", Text: "a"}
			must(t, second(session.Upsert(ctx, one, place...)))
			if id = one.ID; id == 0 || one.Version != 1 || one.Colour != "blue" || one.Label != "north-blue" {
				t.Errorf("%+v", one)
			}
			must(t, session.Expunge(ctx, one))
			two := &Badge{Site: "north", Number: 1, Holder: "Bob", Colour: "red", Text: "b"}
			must(t, second(session.Upsert(ctx, two, place...)))
			if two.ID != id || two.Version != 2 || two.Label != "north-red" || two.Holder != "Ann" || two.Text != "b" {
				t.Errorf("%+v", two)
			}
			must(t, session.Expunge(ctx, two))
			three := &Badge{Site: "north", Number: 1} // says nothing of the colour
			three.ID, three.Version = id, 99          // which is not compared
			must(t, second(session.Upsert(ctx, three)))
			if three.Version != 3 || three.Colour != "red" {
				t.Errorf("%+v", three)
			}
			three.Text = "c"
			return nil
		})
		if got := row[Badge](t, f, id); got.Version != 4 || got.Text != "c" {
			t.Errorf("%+v", got)
		}
	})
}

func TestUpsertManyInOneTripAndInOrder(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		f.do(t, func(ctx context.Context) error { return session.Add(ctx, &User{Name: "old", Email: "3"}) })
		f.reset()
		f.do(t, func(ctx context.Context) error {
			var objs []*User
			for _, email := range []string{"5", "3", "4", "3", "1"} {
				objs = append(objs, &User{Name: fmt.Sprintf("%s at %d", email, len(objs)), Email: email})
			}
			got, err := session.UpsertMany(ctx, objs, query.OnConflict(&users.Email))
			must(t, err)
			wantTrips(t, f, 1)
			for i, u := range got {
				if i != 3 && u != objs[i] || u.Email != objs[i].Email {
					t.Errorf("object %d is %+v", i, u)
				}
			}
			if got[3] != got[1] || got[1].Name != "3 at 3" {
				t.Errorf("two objects of one row: %+v and %+v", got[1], got[3])
			}
			none, err := session.UpsertMany[User](ctx, nil)
			must(t, err)
			if len(none) > 0 {
				t.Errorf("%v", none)
			}
			wantTrips(t, f, 1)
			return nil
		})
		if n := count[User](t, f); n != 4 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestUpsertIsUndone(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		first := ann()
		first.Age = 30
		f.do(t, func(ctx context.Context) error { return session.Add(ctx, first) })
		whole := func(ctx context.Context, fn func(ctx context.Context) error) error {
			return errors.Join(fn(ctx), session.Rollback(ctx))
		}
		part := func(ctx context.Context, fn func(ctx context.Context) error) error {
			enough := errors.New("enough")
			if err := session.Nested(ctx, func(ctx context.Context) error { return errors.Join(fn(ctx), enough) }); !errors.Is(err, enough) {
				return err
			}
			return nil
		}
		for name, undo := range map[string]func(context.Context, func(context.Context) error) error{"rollback": whole, "savepoint": part} {
			f.do(t, func(ctx context.Context) error {
				u, fresh := &User{Name: "Anna", Email: first.Email}, &User{Email: "new"}
				must(t, undo(ctx, func(ctx context.Context) error {
					return second(session.UpsertMany(ctx, []*User{u, fresh}, query.OnConflict(&users.Email), query.Overwrite(&users.Name)))
				}))
				for _, u := range []*User{u, fresh} {
					wantState(t, ctx, u, session.Transient)
					if u.ID != uuid.Nil || !u.CreatedAt.IsZero() || !u.UpdatedAt.IsZero() || u.Age != 0 {
						t.Errorf("%s: %+v", name, u)
					}
				}
				mine := get[User](t, ctx, first.ID)
				must(t, undo(ctx, func(ctx context.Context) error {
					return second(session.Upsert(ctx, u, query.OnConflict(&users.Email)))
				}))
				if mine.Name != "Ann" || mine.Age != 30 {
					t.Errorf("%s: the session's object is %+v", name, mine)
				}
				return nil
			})
		}
		if got := row[User](t, f, first.ID); got.Name != "Ann" {
			t.Errorf("%+v", got)
		}
	})
}

func TestUpsertBringsBackWhatIsSoftDeleted(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		n := &Note{Text: "gone"}
		f.do(t, func(ctx context.Context) error { return session.Add(ctx, n) })
		f.do(t, func(ctx context.Context) error { return session.Delete(ctx, get[Note](t, ctx, n.ID)) })
		f.do(t, func(ctx context.Context) error {
			again := &Note{Identifiable: n.Identifiable, Text: "back"}
			must(t, second(session.Upsert(ctx, again, query.Overwrite(&notes.Text))))
			if again.Version != 3 {
				t.Errorf("version %d", again.Version)
			}
			return nil
		})
		if got := row[Note](t, f, n.ID).Text; got != "back" {
			t.Errorf("%s", got)
		}
	})
}

func TestUpsertWithRelations(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withBadges(t, b)
		f.do(t, func(ctx context.Context) error {
			d := &Desk{Name: "window", Badge: &Badge{Site: "north", Late: 1}} // whose key is not there yet
			must(t, second(session.Upsert(ctx, d)))
			if d.BadgeID == 0 || d.BadgeID != d.Badge.ID {
				t.Errorf("%+v", d)
			}
			other := &Badge{Site: "south", Late: 2}
			must(t, session.Add(ctx, other))
			must(t, session.Flush(ctx))
			must(t, session.Expunge(ctx, d))
			must(t, second(session.Upsert(ctx, &Desk{Name: "window", Badge: other})))
			err := second(session.Upsert(ctx, &Desk{Name: "window", BadgeID: d.BadgeID, Badge: other}))
			wantFault(t, err, fault.Invalid)
			return nil
		})
		if got := row[Desk](t, f, "window"); row[Badge](t, f, got.BadgeID).Site != "south" {
			t.Errorf("%+v", got)
		}
	})
}

func TestUpsertRefuses(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withBadges(t, b)
		id := stored(t, f)
		f.do(t, func(ctx context.Context) error {
			for name, c := range map[string]struct {
				kind    fault.Kind
				clauses []query.UpsertClause
			}{
				"a key that the database makes": {fault.Invalid, nil},
				"NULL":                          {fault.Invalid, []query.UpsertClause{query.OnConflict(&badges.Code)}},
				"half a key":                    {fault.Misconfigured, []query.UpsertClause{query.OnConflict(&badges.Site)}},
				"more than a key":               {fault.Misconfigured, []query.UpsertClause{query.OnConflict(&badges.Code), query.OnConflict(&badges.Site)}},
				"no key":                        {fault.Misconfigured, []query.UpsertClause{query.OnConflict(&badges.Text)}},
				"a deferrable key":              {fault.Misconfigured, []query.UpsertClause{query.OnConflict(&badges.Late)}},
				"a column of another table":     {fault.Misconfigured, []query.UpsertClause{query.OnConflict(&users.Email)}},
				"another table's to overwrite":  {fault.Misconfigured, []query.UpsertClause{query.Overwrite(&users.Email)}},
				"the key to overwrite":          {fault.Misconfigured, []query.UpsertClause{query.Overwrite(&badges.ID)}},
				"a read-only one to overwrite":  {fault.Misconfigured, []query.UpsertClause{query.Overwrite(&badges.Holder)}},
				"the version to overwrite":      {fault.Misconfigured, []query.UpsertClause{query.Overwrite(&badges.Version)}},
				"a generated one to overwrite":  {fault.Misconfigured, []query.UpsertClause{query.Overwrite(&badges.Label)}},
				"a text that cannot be stored":  {fault.Invalid, []query.UpsertClause{query.OnConflict(&badges.Site), query.OnConflict(&badges.Number)}},
			} {
				obj := &Badge{Text: "a\xffb"}
				_, err := session.Upsert(ctx, obj, c.clauses...)
				if fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), "session.Upsert") {
					t.Errorf("%s: %v, want %s", name, err, c.kind)
				}
				if obj.Version != 0 {
					t.Errorf("%s: the object was changed: %+v", name, obj)
				}
				must(t, session.Rollback(ctx))
			}
			wantFault(t, second(session.Upsert[User](ctx, nil)), fault.Invalid)
			u := get[User](t, ctx, id)
			must(t, session.Delete(ctx, u))
			wantFault(t, second(session.Upsert(ctx, u)), fault.Deleted)
			must(t, session.Rollback(ctx))
			u = get[User](t, ctx, id)
			return session.New(ctx, func(ctx context.Context) error {
				wantFault(t, second(session.Upsert(ctx, u)), fault.IdentityConflict)
				return nil
			})
		})
		must(t, f.Do(t.Context(), func(ctx context.Context) error {
			wantFault(t, second(session.Upsert(ctx, ann())), fault.ReadOnly)
			return nil
		}, uow.Options{ReadOnly: true}))
		wantFault(t, second(session.Upsert(t.Context(), ann())), fault.NoSession)
	})
}

func TestUpsertNamesAnotherKeyThatIsTaken(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		first := ann()
		f.do(t, func(ctx context.Context) error { return session.Add(ctx, first) })
		u := &User{Identifiable: entity.Identifiable{ID: uuid.New()}, Email: first.Email}
		err := f.Do(t.Context(), func(ctx context.Context) error { return second(session.Upsert(ctx, u)) })
		var e *fault.Error
		if !errors.As(err, &e) || e.Kind != fault.Unique || e.Constraint != "users_email_key" || e.Entity != "session_test.User" || e.Key != u.ID.String() {
			t.Errorf("%#v", e)
		}
		if !u.CreatedAt.IsZero() {
			t.Errorf("the object was changed: %+v", u)
		}
	})
}

func TestUpsertSaysWhichFlushFailed(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		first := ann()
		f.do(t, func(ctx context.Context) error { return session.Add(ctx, first) })
		err := f.Do(t.Context(), func(ctx context.Context) error {
			must(t, session.Add(ctx, ann()))
			return second(session.Upsert(ctx, &User{Email: "other"}))
		})
		wantFault(t, err, fault.Unique)
		if !strings.Contains(err.Error(), "session.Upsert: during the flush before it") {
			t.Errorf("%v", err)
		}
	})
}

func TestUpsertInsideAHook(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		f.do(t, func(ctx context.Context) error {
			must(t, session.OnFlush(ctx, session.FlushHooks{After: func(ctx context.Context) error {
				wantFault(t, second(session.Upsert(ctx, &User{Email: "x"})), fault.Flushing)
				return nil
			}}))
			return session.Add(ctx, ann())
		})
	})
}

// TestUpsertByManyAtOnce: none fails, and there is one row for each key.
func TestUpsertByManyAtOnce(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b, func(c *session.Config) { c.PoolSize, c.PoolTimeout = 8, time.Minute })
		var wg sync.WaitGroup
		for worker := range 6 {
			wg.Go(func() {
				for round := range 5 {
					objs := []*User{{Email: "a"}, {Email: "b"}, {Email: "c"}}
					if worker%2 == 1 {
						objs[0], objs[2] = objs[2], objs[0]
					}
					for _, u := range objs {
						u.Name = fmt.Sprint(worker, " ", round)
					}
					err := f.Do(t.Context(), func(ctx context.Context) error {
						return second(session.UpsertMany(ctx, objs, query.OnConflict(&users.Email)))
					})
					if err != nil {
						t.Errorf("worker %d: %v", worker, err)
					}
				}
			})
		}
		wg.Wait()
		if n := count[User](t, f); n != 3 {
			t.Errorf("%d rows", n)
		}
	})
}
