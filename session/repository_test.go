package session_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// UserRepo says more about users than every repository does.
type UserRepo struct{ session.Repository[User] }

func (r UserRepo) ByEmail(ctx context.Context, email string) (*User, error) {
	return r.First(ctx, query.Eq(&users.Email, email))
}

// Create is stricter than that of every repository.
func (r UserRepo) Create(ctx context.Context, u *User) error {
	if u.Email == "" {
		return &fault.Error{Kind: fault.Invalid, Op: "UserRepo.Create", Message: "an address is needed"}
	}
	return r.Repository.Create(ctx, u)
}

var (
	userRepo UserRepo // the zero value
	seatRepo session.Repository[Seat]
	noteRepo session.Repository[Note]
)

func TestRepositoryEmbedded(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		f.do(t, func(ctx context.Context) error {
			wantFault(t, userRepo.Create(ctx, &User{}), fault.Invalid)
			u := ann()
			must(t, userRepo.Create(ctx, u))
			got, err := userRepo.ByEmail(ctx, u.Email)
			must(t, err)
			if got != u {
				t.Errorf("%+v", got)
			}
			return nil
		})
	})
}

// TestRepositoryCreateAndRead: every method that is a verb by another name.
func TestRepositoryCreateAndRead(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		one, two, three := &User{Name: "a", Email: "1"}, &User{Name: "b", Email: "2"}, &User{Name: "c", Email: "3"}
		f.do(t, func(ctx context.Context) error {
			return errors.Join(userRepo.Create(ctx, one), userRepo.CreateMany(ctx, two, three))
		})
		f.do(t, func(ctx context.Context) error {
			got, err := userRepo.Get(ctx, two.ID, query.NoTracking)
			must(t, err)
			if got.Name != "b" {
				t.Errorf("Get: %+v", got)
			}
			wantFault(t, second(userRepo.Get(ctx, uuid.New())), fault.NotFound)
			absent := uuid.New()
			found, missing, err := userRepo.GetMany(ctx, session.Keys([]uuid.UUID{three.ID, absent, one.ID, three.ID})...)
			must(t, err)
			if len(found) != 3 || found[0].ID != three.ID || found[1].ID != one.ID || found[2] != found[0] || !slices.Equal(missing, []any{absent}) {
				t.Errorf("GetMany: %v, %v", found, missing)
			}
			list, err := userRepo.List(ctx, query.Desc(&users.Name), query.Limit(2))
			must(t, err)
			if len(list) != 2 || list[0].Name != "c" {
				t.Errorf("List: %v", list)
			}
			first, err := userRepo.First(ctx, query.Asc(&users.Name))
			must(t, err)
			n, err := userRepo.Count(ctx, query.Gt(&users.Name, "a"))
			must(t, err)
			if first.Name != "a" || n != 2 {
				t.Errorf("First: %v, Count: %d", first, n)
			}
			names := ""
			for u, err := range userRepo.Stream(ctx, query.Asc(&users.Name)) {
				must(t, err)
				names += u.Name
			}
			if names != "abc" {
				t.Errorf("Stream: %s", names)
			}
			return nil
		})
	})
}

func TestRepositoryUpdate(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		id := stored(t, f)
		detached := row[User](t, f, id)
		f.do(t, func(ctx context.Context) error {
			detached.Name = "Bob"
			got, err := userRepo.Update(ctx, detached)
			must(t, err)
			if got == detached || got.Name != "Bob" {
				t.Errorf("%+v", got)
			}
			same, err := userRepo.Update(ctx, got)
			must(t, err)
			if same != got {
				t.Error("the session's own object becomes another one")
			}
			for _, u := range []*User{{Identifiable: entity.Identifiable{ID: uuid.New()}}, {}} {
				err := second(userRepo.Update(ctx, u))
				wantFault(t, err, fault.NotFound)
				if !strings.Contains(err.Error(), "session.Repository.Update") || !strings.Contains(err.Error(), u.ID.String()) {
					t.Errorf("%v", err)
				}
			}
			wantFault(t, second(userRepo.Update(ctx, nil)), fault.Invalid)
			return nil
		})
		if got := row[User](t, f, id).Name; got != "Bob" {
			t.Errorf("it is called %s", got)
		}
		if n := count[User](t, f); n != 1 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestRepositoryUpdateOfWhatIsSoftDeleted(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		n := &Note{Text: "gone"}
		f.do(t, func(ctx context.Context) error { return noteRepo.Create(ctx, n) })
		f.do(t, func(ctx context.Context) error { return noteRepo.Delete(ctx, get[Note](t, ctx, n.ID)) })
		f.do(t, func(ctx context.Context) error {
			wantFault(t, second(noteRepo.Update(ctx, &Note{Identifiable: n.Identifiable})), fault.NotFound)
			return nil
		})
	})
}

type userPatch struct {
	Name entity.Opt[string] `json:"name,omitzero"`
	Nick entity.Opt[string] `json:"nick,omitzero"`
	Age  entity.Opt[int]    `json:"age,omitzero"`
}

// TestRepositoryUpdateByID: absent, null and value are three different things.
func TestRepositoryUpdateByID(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		u, nick := ann(), "A"
		u.Nick, u.Age = &nick, 30
		f.do(t, func(ctx context.Context) error { return userRepo.Create(ctx, u) })
		patch := func(p userPatch) (got *User, err error) {
			err = f.Do(t.Context(), func(ctx context.Context) (err error) {
				got, err = userRepo.UpdateByID(ctx, u.ID.String(), p)
				return err
			})
			return got, err
		}
		_, err := patch(userPatch{Name: entity.Some("Anna"), Age: entity.Some(0)})
		must(t, err)
		if got := row[User](t, f, u.ID); got.Name != "Anna" || *got.Nick != "A" || got.Age != 0 {
			t.Errorf("%+v", got)
		}
		_, err = patch(userPatch{Nick: entity.Null[string]()})
		must(t, err)
		if got := row[User](t, f, u.ID); got.Name != "Anna" || got.Nick != nil {
			t.Errorf("%+v", got)
		}
		_, err = patch(userPatch{Name: entity.Null[string](), Age: entity.Some(9)})
		wantFault(t, err, fault.Invalid)
		if got := row[User](t, f, u.ID); got.Name != "Anna" || got.Age != 0 {
			t.Errorf("%+v", got)
		}
		f.do(t, func(ctx context.Context) error {
			wantFault(t, second(userRepo.UpdateByID(ctx, uuid.New(), userPatch{})), fault.NotFound)
			return nil
		})
	})
}

func TestRepositoryUpsert(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		f.do(t, func(ctx context.Context) error { return userRepo.Create(ctx, ann()) })
		f.do(t, func(ctx context.Context) error {
			return second(userRepo.Upsert(ctx, &User{Name: "Anna", Email: ann().Email}, query.OnConflict(&users.Email)))
		})
		if n := count[User](t, f); n != 1 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestRepositoryLock(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		id := stored(t, f)
		f.do(t, func(ctx context.Context) error {
			must(t, second(userRepo.Lock(ctx, id)))
			if b.name == "postgres" && !strings.HasSuffix(f.trips()[0], "FOR UPDATE") {
				t.Errorf("sent %q", f.trips())
			}
			for lock, kind := range map[query.Lock]fault.Kind{
				query.ForUpdateNoWait: fault.LockTimeout, query.ForUpdateSkipLocked: fault.NotFound,
			} {
				err := session.New(ctx, func(ctx context.Context) error { return second(userRepo.Lock(ctx, id, lock)) })
				if b.name != "postgres" {
					kind = fault.LockTimeout // the lock is that of the one writer
				}
				wantFault(t, err, kind)
			}
			return nil
		})
	})
}

func TestRepositoryDelete(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		id := stored(t, f)
		f.do(t, func(ctx context.Context) error { return userRepo.Delete(ctx, get[User](t, ctx, id)) })
		if n := count[User](t, f); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestRepositoryDeleteByID(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		var ids []uuid.UUID
		for range 4 {
			ids = append(ids, stored(t, f))
		}
		f.do(t, func(ctx context.Context) error {
			mine, other := get[User](t, ctx, ids[0]), get[User](t, ctx, ids[3])
			pending := ann()
			must(t, userRepo.Create(ctx, pending))
			f.reset()
			n, err := userRepo.DeleteByID(ctx, ids[0], ids[1], ids[0], uuid.New(), pending.ID)
			must(t, err)
			if n != 3 {
				t.Errorf("%d rows, want 3", n)
			}
			wantTrips(t, f, 1)
			wantState(t, ctx, mine, session.Deleted)
			wantState(t, ctx, pending, session.Deleted)
			wantState(t, ctx, other, session.Persistent)
			n, err = userRepo.DeleteByID(ctx)
			must(t, err)
			if n != 0 {
				t.Errorf("%d rows of no keys", n)
			}
			wantFault(t, second(userRepo.DeleteByID(ctx, ids[2], "no key")), fault.BadRequest)
			return nil
		})
		if n := count[User](t, f); n != 2 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestRepositoryDeleteByIDOfWhatIsSoftDeleted(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		n := &Note{Text: "x"}
		f.do(t, func(ctx context.Context) error { return noteRepo.Create(ctx, n) })
		f.do(t, func(ctx context.Context) error {
			for _, want := range []int64{1, 0} {
				got, err := noteRepo.DeleteByID(ctx, n.ID)
				must(t, err)
				if got != want {
					t.Errorf("%d rows, want %d", got, want)
				}
			}
			there, err := noteRepo.Exists(ctx, n.ID)
			must(t, err)
			if there {
				t.Error("it exists")
			}
			kept, err := noteRepo.Count(ctx, query.WithDeleted)
			must(t, err)
			if kept != 1 {
				t.Errorf("%d rows are kept", kept)
			}
			return nil
		})
	})
}

// TestRepositoryOfCompositeKeys: one statement for each key, in one exchange.
func TestRepositoryOfCompositeKeys(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		f.do(t, func(ctx context.Context) error {
			return seatRepo.CreateMany(ctx, &Seat{Row: 1, Number: 1}, &Seat{Row: 1, Number: 2}, &Seat{Row: 2, Number: 1})
		})
		f.reset()
		f.do(t, func(ctx context.Context) error {
			ids := session.Keys([]session.Key{{2, 1}, {2, 2}, {1, 1}})
			there, err := seatRepo.Intersects(ctx, ids...)
			must(t, err)
			if !reflect.DeepEqual(there, []any{ids[0], ids[2]}) {
				t.Errorf("%v", there)
			}
			wantTrips(t, f, 1)
			n, err := seatRepo.DeleteByID(ctx, ids...)
			must(t, err)
			if n != 2 {
				t.Errorf("%d rows", n)
			}
			wantTrips(t, f, 2)
			return nil
		})
		if n := count[Seat](t, f); n != 1 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestRepositoryExistence(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		one, two := stored(t, f), stored(t, f)
		x, y := uuid.New(), uuid.New()
		for _, c := range []struct {
			ids               []uuid.UUID
			some, all         bool
			there, difference []any
		}{
			{nil, false, true, []any{}, []any{}},
			{[]uuid.UUID{one}, true, true, []any{one}, []any{}},
			{[]uuid.UUID{one, two, one, one}, true, true, []any{one, two}, []any{}},
			{[]uuid.UUID{x, two, x, one, y, two}, true, false, []any{two, one}, []any{x, y}},
			{[]uuid.UUID{x, x}, false, false, []any{}, []any{x}},
		} {
			f.reset()
			f.do(t, func(ctx context.Context) error {
				ids := session.Keys(c.ids)
				some, err := userRepo.ExistsSome(ctx, ids...)
				must(t, err)
				all, err := userRepo.ExistsAll(ctx, ids...)
				must(t, err)
				there, err := userRepo.Intersects(ctx, ids...)
				must(t, err)
				difference, err := userRepo.Difference(ctx, ids...)
				must(t, err)
				if some != c.some || all != c.all || !reflect.DeepEqual(there, c.there) || !reflect.DeepEqual(difference, c.difference) {
					t.Errorf("%v: some %t, all %t, %v there, %v not", c.ids, some, all, there, difference)
				}
				for _, id := range c.ids {
					ok, err := userRepo.Exists(ctx, id)
					must(t, err)
					if ok != slices.Contains(there, any(id)) {
						t.Errorf("%v: %t", id, ok)
					}
				}
				return nil
			})
		}
	})
}

// TestRepositoryExistenceOfMany: any number of keys is one round trip and one array.
func TestRepositoryExistenceOfMany(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := withReadings(t, b, 3000)
		repo := session.Repository[Reading]{}
		ids := make([]int64, 7000)
		for i := range ids {
			ids[i] = int64(i)
		}
		f.do(t, func(ctx context.Context) error {
			there, err := repo.Intersects(ctx, session.Keys(ids)...)
			must(t, err)
			if len(there) != 3000 || there[0] != int64(1) || there[2999] != int64(3000) {
				t.Errorf("%d are there", len(there))
			}
			wantTrips(t, f, 1)
			if trip := f.trips()[0]; len(trip) > 500 || strings.Contains(trip, "text") {
				t.Errorf("sent %q", trip)
			}
			return nil
		})
	})
}

// TestRepositoryExistenceInTheSession: what it has is not asked for.
func TestRepositoryExistenceInTheSession(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		one, two := stored(t, f), stored(t, f)
		f.do(t, func(ctx context.Context) error {
			pending := ann()
			must(t, userRepo.Create(ctx, pending))
			mine, gone := get[User](t, ctx, one), get[User](t, ctx, two)
			must(t, userRepo.Delete(ctx, gone))
			f.reset()
			there, err := userRepo.Intersects(ctx, mine.ID, gone.ID, pending.ID)
			must(t, err)
			if !slices.Equal(there, []any{mine.ID, pending.ID}) {
				t.Errorf("%v", there)
			}
			wantTrips(t, f, 0)
			return nil
		})
	})
}

func TestRepositoryNamesItsMethodInErrors(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := open(t, b)
		wrong := func(ctx context.Context) map[string]error {
			return map[string]error{
				"Exists":     second(userRepo.Exists(ctx, "no key")),
				"ExistsSome": second(userRepo.ExistsSome(ctx, "no key")),
				"ExistsAll":  second(userRepo.ExistsAll(ctx, "no key")),
				"Intersects": second(userRepo.Intersects(ctx, "no key")),
				"Difference": second(userRepo.Difference(ctx, "no key")),
				"DeleteByID": second(userRepo.DeleteByID(ctx, "no key")),
			}
		}
		f.do(t, func(ctx context.Context) error {
			for name, err := range wrong(ctx) {
				if !errors.Is(err, fault.BadRequest) || !strings.Contains(fmt.Sprint(err), "session.Repository."+name) {
					t.Errorf("%s: %v", name, err)
				}
			}
			wantTrips(t, f, 0)
			return nil
		})
		for name, err := range wrong(t.Context()) {
			if !errors.Is(err, fault.NoSession) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
