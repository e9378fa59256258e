package session_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

var (
	guests  = entity.Columns[Guest]()
	hosts   = entity.Columns[Host]()
	writers = entity.Columns[Writer]()
	books   = entity.Columns[Book]()
)

// Host, Guest and Friend: rows that the database deletes and changes by itself.
type Host struct {
	entity.Identifiable
	Name string
}

type Guest struct {
	entity.Identifiable
	HostID uuid.UUID `db:"host_id,ref=hosts,ondelete=cascade"`
}

type Friend struct {
	entity.Identifiable
	GuestID *uuid.UUID `db:"guest_id,ref=guests,ondelete=setnull"`
}

func case074Evict(t *testing.T, f *fixture) {
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		u, pending, other := get[User](t, ctx, id), ann(), &Parent{}
		must(t, errors.Join(session.Add(ctx, pending), session.Add(ctx, other)))
		f.reset()
		n, err := session.UpdateAll[User](ctx, query.Set(&users.Age, 5), query.EvictTracked, query.AllRows)
		must(t, err)
		if n != 2 || f.sent("; SELECT") {
			t.Errorf("%d rows, sent %q", n, f.trips())
		}
		wantTrips(t, f, 1)
		wantState(t, ctx, u, session.Detached)
		wantState(t, ctx, pending, session.Detached)
		wantState(t, ctx, other, session.Persistent)
		if again := get[User](t, ctx, id); again == u || again.Age != 5 || u.Age != 0 {
			t.Errorf("read %+v, held %+v", again, u)
		}
		var evicted *User
		err = session.Nested(ctx, func(ctx context.Context) error {
			again := get[User](t, ctx, id)
			must(t, second(session.DeleteAll[User](ctx, query.EvictTracked, query.AllRows)))
			wantState(t, ctx, again, session.Detached)
			evicted = again
			return errInner
		})
		if !errors.Is(err, errInner) {
			t.Errorf("error %v", err)
		}
		wantState(t, ctx, evicted, session.Persistent)
		if get[User](t, ctx, id) != evicted {
			t.Error("the evicted object did not come back")
		}
		return nil
	})
	wantRows[User](t, f, 2)
}

func case074Refuse(t *testing.T, f *fixture) {
	id := stored(t, f)
	f.do(t, func(ctx context.Context) error {
		must(t, session.Add(ctx, &Parent{}))
		n, err := session.UpdateAll[User](ctx, query.Set(&users.Age, 5), query.RefuseTracked, query.AllRows)
		if n != 1 || err != nil {
			t.Errorf("%d rows, %v: nothing of the type is tracked", n, err)
		}
		pending := ann()
		must(t, session.Add(ctx, pending))
		f.reset()
		err = second(session.UpdateAll[User](ctx, query.Set(&users.Age, 6), query.RefuseTracked, query.AllRows))
		wantFault(t, err, fault.Unsupported)
		must(t, session.Expunge(ctx, pending))
		u := get[User](t, ctx, id)
		f.reset()
		wantFault(t, second(session.DeleteAll[User](ctx, query.RefuseTracked, query.AllRows)), fault.Unsupported)
		wantTrips(t, f, 0)
		u.Name = "the session is usable"
		return nil
	})
	if got := row[User](t, f, id); got.Age != 5 || got.Name == "Ann" {
		t.Errorf("stored is %+v", got)
	}
}

func case074Cascade(t *testing.T, f *fixture) {
	gone, kept := &Host{Name: "gone"}, &Host{Name: "kept"}
	falls, stays := &Guest{}, &Guest{}
	loses, keeps := &Friend{}, &Friend{}
	f.do(t, func(ctx context.Context) error {
		must(t, session.CreateTables(ctx, (*Friend)(nil), (*Guest)(nil), (*Host)(nil)))
		must(t, session.Add(ctx, gone, kept))
		falls.HostID, stays.HostID = gone.ID, kept.ID
		must(t, session.Add(ctx, falls, stays))
		loses.GuestID, keeps.GuestID = &falls.ID, &stays.ID
		return session.Add(ctx, loses, keeps)
	})
	f.do(t, func(ctx context.Context) error {
		falls, stays := get[Guest](t, ctx, falls.ID), get[Guest](t, ctx, stays.ID)
		loses, keeps := get[Friend](t, ctx, loses.ID), get[Friend](t, ctx, keeps.ID)
		f.reset()
		n, err := session.DeleteAll[Host](ctx, query.Eq(&hosts.Name, "gone"))
		if n != 1 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		wantTrips(t, f, 1)
		wantState(t, ctx, falls, session.Deleted)
		wantState(t, ctx, stays, session.Persistent)
		wantState(t, ctx, loses, session.Persistent)
		if loses.GuestID != nil || keeps.GuestID == nil {
			t.Errorf("the objects are %+v and %+v", loses, keeps)
		}
		return nil
	})
	wantRows[Guest](t, f, 1)
	wantRows[Friend](t, f, 2)
}

func case074Relations(t *testing.T, b backend) {
	f := openLibrary(t, b)
	first, other := entity.New[Writer](), entity.New[Writer]()
	moved, kept := &Book{Title: "moved", Writer: first}, &Book{Title: "kept", Writer: first}
	f.do(t, func(ctx context.Context) error {
		return errors.Join(session.Add(ctx, first, other), session.Add(ctx, moved, kept))
	})
	f.do(t, func(ctx context.Context) error {
		first, err := session.Get[Writer](ctx, first.ID, query.With(&writers.Books, query.With(&books.Writer)))
		must(t, err)
		moved, kept := get[Book](t, ctx, moved.ID), get[Book](t, ctx, kept.ID)
		must(t, second(session.UpdateAll[Book](ctx, query.Set(&books.WriterID, other.ID), query.Eq(&books.Title, "moved"))))
		if moved.WriterID != other.ID || moved.Writer != nil || kept.Writer != first {
			t.Errorf("the objects are %+v and %+v", moved, kept)
		}
		f.reset()
		must(t, session.Flush(ctx))
		wantTrips(t, f, 0)
		first.Books = append(first.Books, &Book{Title: "new"}) // the list still has the one that went
		return nil
	})
	if n := booksOf(t, f, first.ID); n != 2 {
		t.Errorf("%d books of the first, want the one that stayed and the new one", n)
	}
	if n := booksOf(t, f, other.ID); n != 1 {
		t.Errorf("%d books of the other, want the one that moved", n)
	}
}

func booksOf(t testing.TB, f *fixture, writer uuid.UUID) (n int64) {
	t.Helper()
	f.do(t, func(ctx context.Context) (err error) {
		n, err = session.Count[Book](ctx, query.Eq(&books.WriterID, writer))
		return err
	})
	return n
}
