package session_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// elsewhere makes another unit link the two, or take the row in between off.
func (f *library) elsewhere(t *testing.T, linked bool) {
	t.Helper()
	f.do(t, func(ctx context.Context) error {
		if linked {
			return session.Add(ctx, &BookGenre{BookID: f.book, GenreID: f.genre})
		}
		book, err := session.Get[Book](ctx, f.book, query.With(&books.Genres))
		must(t, err)
		book.Genres = []*Genre{}
		return nil
	})
}

// readGenres reads a book's genres anew, and wants that many.
func readGenres(t *testing.T, ctx context.Context, book *Book, want int) {
	t.Helper()
	must(t, session.Load(ctx, []*Book{book}, query.With(&books.Genres, query.Populate)))
	if len(book.Genres) != want {
		t.Fatalf("the book has %d genres, want %d", len(book.Genres), want)
	}
}

// lists wants a genre's list to hold these books.
func (g *Genre) lists(t *testing.T, want ...*Book) {
	t.Helper()
	if !slices.Equal(g.Books, want) {
		t.Errorf("the genre lists %v, want %v", g.Books, want)
	}
}

func linkReadAfterCommit(t *testing.T, f *library) {
	f.unit(t, 0, func(ctx context.Context, book *Book, _ *Genre) {
		book.Genres = []*Genre{}
		must(t, session.Commit(ctx))
		f.elsewhere(t, true)
		readGenres(t, ctx, book, 1)
		book.Genres = []*Genre{}
		must(t, session.Flush(ctx))
	})
}

func linkReadAtOtherEnd(t *testing.T, f *library) {
	f.unit(t, 1, func(ctx context.Context, book *Book, genre *Genre) {
		book.Genres = []*Genre{}
		must(t, session.Commit(ctx))
		f.elsewhere(t, true)
		must(t, session.Load(ctx, []*Genre{genre}, query.With(&genres.Books, query.Populate)))
		book.Genres = []*Genre{genre}
		must(t, session.Flush(ctx))
	})
}

func linkReadAfterFlush(t *testing.T, f *library) {
	f.unit(t, 0, func(ctx context.Context, book *Book, _ *Genre) {
		book.Genres = []*Genre{}
		must(t, session.Flush(ctx))
		must(t, session.Add(ctx, &BookGenre{BookID: f.book, GenreID: f.genre}))
		must(t, session.Flush(ctx))
		readGenres(t, ctx, book, 1)
		book.Genres = []*Genre{}
		must(t, session.Flush(ctx))
	})
}

func linkReadExpunged(t *testing.T, f *library) {
	f.unit(t, 0, func(ctx context.Context, book *Book, _ *Genre) {
		book.Genres = []*Genre{}
		must(t, session.Commit(ctx))
		must(t, session.Expunge(ctx, book))
		f.elsewhere(t, true)
		book, err := session.Get[Book](ctx, f.book)
		must(t, err)
		readGenres(t, ctx, book, 1)
		book.Genres = []*Genre{}
		must(t, session.Flush(ctx))
	})
}

func linkGone(t *testing.T, f *library) {
	f.unit(t, 1, func(ctx context.Context, book *Book, genre *Genre) {
		f.elsewhere(t, false)
		readGenres(t, ctx, book, 0)
		genre.lists(t)
		book.Genres = []*Genre{genre}
		must(t, session.Flush(ctx))
	})
}

func linkGoneOwn(t *testing.T, f *library) {
	f.unit(t, 1, func(ctx context.Context, book *Book, genre *Genre) {
		book.Genres = []*Genre{}
		must(t, session.Flush(ctx))
		book.Genres = []*Genre{genre}
		must(t, session.Commit(ctx))
		f.elsewhere(t, false)
		readGenres(t, ctx, book, 0)
		book.Genres = []*Genre{genre}
		must(t, session.Flush(ctx))
	})
}

func linkGoneTwice(t *testing.T, f *library) {
	f.unit(t, 1, func(ctx context.Context, book *Book, genre *Genre) {
		other := book.another()
		other.ID = uuid.New()
		genre.Books = []*Book{other}
		f.elsewhere(t, false)
		readGenres(t, session.NoAutoflush(ctx), book, 0)
		genre.lists(t, other) // as the program has it
		must(t, session.Flush(ctx))
	})
}

func linkMade(t *testing.T, f *library) {
	f.elsewhere(t, false)
	f.unit(t, 0, func(ctx context.Context, book *Book, genre *Genre) {
		f.elsewhere(t, true)
		readGenres(t, ctx, book, 1)
		genre.lists(t, book)
		genre.Books = []*Book{}
		must(t, session.Flush(ctx))
	})
}

func linkMadeUnknown(t *testing.T, f *library) {
	other := &Book{Title: "other", Writer: &Writer{Name: "w"}}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, other) })
	f.do(t, func(ctx context.Context) error {
		genre, err := session.Get[Genre](ctx, f.genre)
		must(t, err)
		other, err := session.Get[Book](ctx, other.ID)
		must(t, err)
		genre.Books = []*Book{other}
		must(t, session.Flush(ctx))
		_, err = session.Get[Book](ctx, f.book, query.With(&books.Genres))
		genre.lists(t, other) // it is not loaded, and says what was added
		return err
	})
	wantRows[BookGenre](t, f.fixture, 2)
}

func linkReadAnother(t *testing.T, f *library) {
	other := &Book{Title: "other", Writer: &Writer{Name: "w"}}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, other) })
	f.unit(t, 0, func(ctx context.Context, book *Book, genre *Genre) {
		book.Genres = []*Genre{}
		must(t, session.Flush(ctx))
		other, err := session.Get[Book](ctx, other.ID)
		must(t, err)
		readGenres(t, ctx, other, 0)
		genre.lists(t, book) // nothing was read about that
		genre.Books = []*Book{}
		must(t, session.Flush(ctx))
	})
}

func linkReadDoomed(t *testing.T, f *library) {
	f.unit(t, 0, func(ctx context.Context, book *Book, genre *Genre) {
		genre.Books = []*Book{}
		notice(t, ctx, genre)
		readGenres(t, session.NoAutoflush(ctx), book, 1)
		genre.lists(t)
	})
}

func linkReadPending(t *testing.T, f *library) {
	f.elsewhere(t, false)
	f.unit(t, 1, func(ctx context.Context, book *Book, genre *Genre) {
		genre.Books = []*Book{book}
		notice(t, ctx, genre)
		readGenres(t, session.NoAutoflush(ctx), book, 0)
		genre.lists(t, book)
	})
}

func linkReadUndone(t *testing.T, f *library) {
	f.unit(t, 0, func(ctx context.Context, book *Book, genre *Genre) {
		f.elsewhere(t, false)
		err := session.Nested(ctx, func(ctx context.Context) error {
			readGenres(t, ctx, book, 0)
			genre.lists(t)
			return errInner
		})
		if !errors.Is(err, errInner) || len(book.Genres) != 1 {
			t.Errorf("the book has %d genres: %v", len(book.Genres), err)
		}
		genre.lists(t, book)
	})
}

func linkDeletedReadUndone(t *testing.T, f *library) {
	f.unit(t, 0, func(ctx context.Context, book *Book, genre *Genre) {
		book.Genres = []*Genre{}
		must(t, session.Flush(ctx))
		err := session.Nested(ctx, func(ctx context.Context) error {
			readGenres(t, ctx, book, 0)
			return errInner
		})
		if !errors.Is(err, errInner) {
			t.Error(err)
		}
		genre.lists(t, book)
		genre.Books = []*Book{} // the session knows again that the row has gone
		must(t, session.Flush(ctx))
	})
}

// Room and Visitor have a table in between, and one of them is soft-deleted.
type Room struct {
	entity.Identifiable
	entity.SoftDeleted
	Visitors []*Visitor `rel:"room_visitors(room_id,visitor_id)"`
}

type Visitor struct {
	entity.Identifiable
	Rooms []*Room `rel:"room_visitors(visitor_id,room_id)"`
}

func linkSoftDeleted(t *testing.T, b backend) {
	rooms, visitors := entity.Columns[Room](), entity.Columns[Visitor]()
	f, room := open(t, b), &Room{Visitors: []*Visitor{{}}}
	f.do(t, func(ctx context.Context) error { return session.CreateTables(ctx, (*Room)(nil), (*Visitor)(nil)) })
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, room) })
	f.do(t, func(ctx context.Context) error {
		_, err := session.DeleteAll[Room](ctx, query.AllRows)
		return err
	})
	f.do(t, func(ctx context.Context) error {
		visitor, err := session.Get[Visitor](ctx, room.Visitors[0].ID, query.With(&visitors.Rooms))
		must(t, err)
		room, err := session.Get[Room](ctx, room.ID, query.WithDeleted, query.With(&rooms.Visitors))
		must(t, err)
		if len(room.Visitors) != 1 || len(visitor.Rooms) != 0 {
			t.Errorf("%d visitors, %d rooms", len(room.Visitors), len(visitor.Rooms)) // the list leaves out what is deleted
		}
		must(t, session.Load(ctx, []*Visitor{visitor}, query.With(&visitors.Rooms, query.Populate)))
		if len(room.Visitors) != 1 || len(visitor.Rooms) != 0 {
			t.Errorf("%d visitors, %d rooms", len(room.Visitors), len(visitor.Rooms)) // which says nothing of its row in between
		}
		return nil
	})
}
